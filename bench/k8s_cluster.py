"""The cluster of the Kubernetes rows, as a process of its own: `python -m bench.k8s_cluster FOLDER PODS`.

It says where it is in one line, `URL AUTHORITY`, and then does what it is told, one line each: `churn RATE SECONDS`
writes that many new versions of pods a second, each stamped with the time at which it was written, and answers with
how many they were.
"""

import sys
import time
from functools import partial
from pathlib import Path

from doorward_demo.cluster import ADMIN, Cluster
from doorward_demo.cluster_kinds import BY_PATH
from doorward_demo.cluster_seed import pod, pods

CHURNED = 200  # pods that change, one after another
STAMP = "bench/written"
STEP_S = 0.01
NAMESPACE = "busy"


def churn(cluster: Cluster, rate: int, seconds: float) -> int:
    """Write at this rate; what could not be written in time is not made up for, so that no burst is of our making.

    Past the API's own way of writing, which costs more than a watch does: new versions are put where they are kept.
    """
    kind, store = BY_PATH["", "v1", "pods"], cluster.api.store
    names = [f"busy-{number:03}" for number in range(CHURNED)]
    documents = [cluster.stored("pods", name, NAMESPACE) for name in names]

    def write(first: int, count: int) -> None:
        for number in range(first, first + count):
            name, document = names[number % CHURNED], documents[number % CHURNED]
            metadata = {**document["metadata"], "annotations": {STAMP: repr(time.time())}}
            store.put(kind, (NAMESPACE, name), {**document, "metadata": metadata})

    begun = time.monotonic()
    due, written = 0, 0
    while (passed := time.monotonic() - begun) < seconds:
        count = min(int(passed * rate) - due, rate // 10)
        due = int(passed * rate)
        cluster.inside(partial(write, written, count))
        written += count
        time.sleep(STEP_S)
    cluster.inside(cluster.requests.clear)
    return written


def main() -> None:
    """Serve until there is nothing more to read."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    with Cluster(folder) as cluster:
        cluster.add({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE}})
        cluster.add(*pods(count), *(pod(f"busy-{number:03}", NAMESPACE) for number in range(CHURNED)))
        cluster.kubeconfig(folder / "direct.json", ADMIN)
        print(cluster.url, cluster.authority, flush=True)
        for line in sys.stdin:
            _, rate, seconds = line.split()
            print(churn(cluster, int(rate), float(seconds)), flush=True)


if __name__ == "__main__":
    main()
