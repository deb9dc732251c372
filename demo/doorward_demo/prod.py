"""A cluster and the Kubernetes gateway before it, for the demonstration: files, processes, how to reach them.

What it is: what `doorward_demo.stack` is for the shop: the small API server of `doorward_demo.cluster` with the shop in
it, in a thread of ours, and the gateway as an operator would configure it.
What it will not do: reach into the gateway, or touch a kubeconfig of whoever looks on.

Invariant: whatever was started here is stopped here.
"""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_demo.beside import Place, folder_of, guarding
from doorward_demo.cluster import GATEWAY, Cluster
from doorward_demo.cluster_seed import SHOP, shop
from doorward_demo.dataset import customers
from doorward_demo.stack import Stack, choose_port

ORIGIN: Final = "demo-k8s-gateway.example"
RESOURCE: Final = "prod"
PREFERRED_PORT: Final = 16443
POD: Final = "web-0"
LOG_FILE: Final = "orders.log"
LOG_LINES: Final = 3
OLDEST_MINOR: Final = 31

CONFIG = """\
# Written by the demonstration; the words are those of docs/config.md and docs/k8s.md.
version: 1
origin: {origin}
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: ../tls/server.crt, key: ../tls/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin_port}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/k8s-approvals.sock}}
identity:
  issuers:
    - issuer: {issuer}
      audience: [{audience}]
      max_age: 1h
      attributes: [crew, task, agent_role]
record:
  folder: log
  keys: keys
  level: shape
  checkpoint_interval: 1s
policy: policy.yaml
resources:
  {resource}:
    protocol: k8s
    labels: {{env: demo}}
    target:
      at: [/{resource}]
      server: {server}
      tls: {{ca: {authority}}}
    accounts:
      gateway: {{user: gateway, password: {{env: CLUSTER_TOKEN}}}}  # it impersonates whoever asks
"""

POLICY = """\
# Who may do what with the cluster. Nothing that is not allowed here is let through.
version: 1
rules:
  - id: analysts-look
    effect: allow
    who: {groups: [crew-analysts]}
    resource: prod
    do: [read]
    objects: ["shop/**", "shop/core/secrets/*"]
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: prod
    do: [write]
    objects: ["delete shop/apps/deployments/*"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m}
  - id: analysts-diagnose
    effect: allow
    who: {groups: [crew-analysts]}
    resource: prod
    do: [execute, read]
    objects: ["shop/core/pods/exec/*"]
  - id: nothing-is-removed
    effect: block
    resource: prod
    do: [execute]
    commands: ["rm"]
    reason: A pod is not repaired by hand. Change the image, and roll it out.
masks:
  - id: secrets
    resource: prod
    columns: [secrets, tokens, env]  # of Secrets what they hold, wherever a copy of it stands; of pods their settings
  - id: pii
    resource: prod
    detect: [email, card]            # in what programs print, wherever such values stand
    with: partial
"""


@dataclass
class Prod(Place):
    """What runs, and where."""

    kind = "k8s"

    cluster: Cluster

    @property
    def url(self) -> str:
        """Where the agent's kubectl finds what it takes for the API server."""
        return f"https://localhost:{self.port}/{RESOURCE}"

    @property
    def kubeconfig(self) -> Path:
        """The agent's; it holds no token."""
        return self.state / "kubeconfig"

    def command(self, words: str) -> str:
        """What the agent types, for whoever goes on by hand; the kubeconfig asks `doorward` for the token."""
        return f"PATH={Path(sys.executable).parent}:$PATH KUBECONFIG={self.kubeconfig} kubectl {words}"


def kubectl_version() -> str:
    """What kubectl says of itself, such as `v1.32.4`; empty where there is none."""
    if shutil.which("kubectl") is None:
        return ""
    done = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, check=False)
    return done.stdout.partition("Client Version:")[2].strip().split("\n")[0]


def streams() -> bool:
    """Whether there is a kubectl that streams over WebSocket, as `exec` does through the gateway."""
    found = re.match(r"v1\.(\d+)\.", kubectl_version())
    return found is not None and int(found[1]) >= OLDEST_MINOR


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Prod]:
    """The cluster and the gateway before it, until the end of the block."""
    folder = folder_of(Prod.kind, stack)
    with Cluster(folder / "cluster") as cluster:
        cluster.add(*shop())
        _fill(cluster.folder / "pods" / SHOP / POD)
        prod = Prod(folder, stack.sockets, choose_port(PREFERRED_PORT), cluster)
        values = {"origin": ORIGIN, "resource": RESOURCE, "server": cluster.url, "authority": cluster.authority}
        with guarding(prod, stack, CONFIG, values, POLICY, environment={"CLUSTER_TOKEN": GATEWAY}):
            yield prod


def _fill(pod: Path) -> None:
    """What lies in the pod: a log with people in it."""
    pod.mkdir(parents=True)
    lines = [
        f"10:0{n} order {n + 1041} of {one.name} <{one.email}> shipped" for n, one in enumerate(customers(LOG_LINES))
    ]
    (pod / LOG_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
