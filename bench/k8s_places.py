"""What the Kubernetes rows compare: one small cluster, reached directly and through Doorward, with the same kubectl."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.places import ROOT, _children, _process, _wait
from doorward_demo.certificates import write_certificates
from doorward_demo.cluster import ADMIN, GATEWAY
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

GROUPS = ("plain", "masked")

POLICY = """\
version: 1
rules:
  - id: work
    effect: allow
    who: {groups: [plain, masked]}
    resource: prod
    do: [read, write, execute, unknown]
    objects: ["default/**", "busy/**"]
masks:
  - {id: held, who: {groups: [masked]}, resource: prod, columns: [secrets, tokens, env], detect: [email, card]}
"""

CONFIG = """\
version: 1
origin: bench.gateway
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: {tls}/server.crt, key: {tls}/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals: {{store: approvals.sqlite, listen: {{unix: {folder}/approvals.sock}}}}
identity:
  issuers: [{{issuer: {issuer}, audience: [doorward], max_age: 1h}}]
record: {{folder: log, keys: keys, level: shape, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  prod:
    protocol: k8s
    target:
      at: [/prod]
      server: {server}
      tls: {{ca: {authority}}}
    accounts: {{gateway: {{user: gateway, password: {{env: CLUSTER_TOKEN}}}}}}
"""


@dataclass(frozen=True)
class K8sPlace:
    """Somewhere a kubectl can be pointed at. `clients` are by group; `pids` are the gateway's processes."""

    name: str
    clients: tuple[tuple[str, str, str], ...]  # group, kubeconfig, token
    url: str
    authority: Path
    pids: tuple[int, ...] = ()

    def has(self, group: str) -> bool:
        """Whether this place knows that group: directly, everybody is one."""
        return not self.pids or any(name == group for name, _, _ in self.clients)

    def _client(self, group: str) -> tuple[str, str, str]:
        return next((one for one in self.clients if one[0] == group), self.clients[0])

    def token(self, group: str) -> str:
        """What that client shows."""
        return self._client(group)[2]

    def kubectl(self, *words: str, group: str = "plain") -> list[str]:
        """What is run."""
        config = self._client(group)[1]
        return ["kubectl", f"--kubeconfig={config}", f"--cache-dir={config}.cache", *words]


@dataclass(frozen=True)
class Behind:
    """The cluster's process: what it is told, and what it says."""

    told: IO[str]
    says: IO[str]

    def churn(self, rate: int, seconds: float) -> None:
        """Have pods changed, from now on; `churned` waits for the end."""
        self.told.write(f"churn {rate} {seconds}\n")
        self.told.flush()

    def churned(self) -> int:
        """How many changes there were."""
        return int(self.says.readline())


@contextlib.contextmanager
def _cluster(folder: Path, pods: int) -> Iterator[tuple[Behind, K8sPlace]]:
    folder.mkdir()
    command = [sys.executable, "-m", "bench.k8s_cluster", str(folder), str(pods)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        said = child.stdout.readline().split()
        if len(said) != 2:
            raise SystemExit("bench: the cluster did not start")
        url, authority = said
        clients = (("", str(folder / "direct.json"), ADMIN),)
        try:
            yield Behind(child.stdin, child.stdout), K8sPlace("direct", clients, url, Path(authority))
        finally:
            child.terminate()


@contextlib.contextmanager
def _doorward(folder: Path, tls: Path, direct: K8sPlace, issuer: DevelopmentIssuer) -> Iterator[K8sPlace]:
    """A gateway with identity, policy, masks and record."""
    home, port, admin = folder / "doorward", free_port(), free_port()
    home.mkdir()
    (home / "policy.yaml").write_text(POLICY)
    (home / "gateway.yaml").write_text(
        CONFIG.format(
            folder=home, port=port, admin=admin, tls=tls, issuer=issuer.url, server=direct.url,
            authority=direct.authority,
        )
    )  # fmt: skip
    log = folder / "doorward.log"
    command = [sys.executable, "-m", "doorward_k8s", "--config", str(home / "gateway.yaml")]
    with _process(command, log, env={**os.environ, "CLUSTER_TOKEN": GATEWAY}, cwd=ROOT) as pid:

        def ready() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200)
            return False

        _wait("the Kubernetes gateway", ready, log)
        url, authority = f"https://localhost:{port}/prod", tls / "ca.crt"
        clients = []
        for group in GROUPS:
            token = issuer.issue(f"crew-{group}", "agent", (group,), lifetime_s=3600)
            clients.append((group, str(_kubeconfig(home / f"{group}.json", url, authority, token)), token))
        yield K8sPlace("doorward", tuple(clients), url, authority, (pid, *_children(pid)))


def _kubeconfig(path: Path, url: str, authority: Path, token: str) -> Path:
    config = {
        "kind": "Config",
        "apiVersion": "v1",
        "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "bench", "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path


@contextlib.contextmanager
def k8s_places(folder: Path, pods: int) -> Iterator[tuple[Behind, list[K8sPlace]]]:
    """Both places, direct first, and the cluster."""
    if shutil.which("kubectl") is None:
        raise SystemExit("bench: the Kubernetes rows need kubectl, 1.31 or newer; see bench/README.md")
    folder.mkdir()
    tls = folder / "tls"
    write_certificates(tls)
    with contextlib.ExitStack() as stack:
        behind, direct = stack.enter_context(_cluster(folder / "cluster", pods))
        issuer = stack.enter_context(DevelopmentIssuer())
        yield behind, [direct, stack.enter_context(_doorward(folder, tls, direct, issuer))]
