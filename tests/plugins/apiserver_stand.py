"""A real kube-apiserver over a real etcd, for one run of tests: the programs that KUBE_APISERVER and ETCD name.

There is no kubelet and no controller: what needs a pod that runs is for `doorward_demo.cluster`.
"""

import contextlib
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from k8s_stack import K8sGateway, k8s_started
from kubectl_stand import Kubectl

from doorward_demo.certificates import write_certificates
from doorward_demo.cluster import ADMIN, GATEWAY
from doorward_demo.postgres import free_port

START_S = 60.0
# What docs/k8s.md says that the gateway's own account needs, and what the one crew may do in the cluster.
SETUP = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doorward-gateway}
rules:
  - {apiGroups: [""], resources: [users, groups], verbs: [impersonate]}
  - apiGroups: [authentication.k8s.io]
    resources: [userextras/doorward-issuer, userextras/doorward-kind, userextras/doorward-sponsor, userextras/doorward-session]
    verbs: [impersonate]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doorward-gateway}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doorward-gateway}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: gateway}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doorward-crew-shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "doorward:crew-shop"}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: super-secret-123}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: shop}
"""


@dataclass
class ApiServer:
    """One that runs."""

    url: str
    authority: Path
    admin: Kubectl


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _etcd(folder: Path) -> tuple[str, list[str]]:
    clients, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    return clients, [
        os.environ["ETCD"], f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync",
        f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}",
    ]  # fmt: skip


def _kube_apiserver(folder: Path, etcd: str, port: int) -> list[str]:
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{ADMIN},admin,1,system:masters\n{GATEWAY},gateway,2\n")
    key = folder / "tls/server.key"
    return [
        os.environ["KUBE_APISERVER"], f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}",
        f"--tls-cert-file={folder / 'tls/server.crt'}", f"--tls-private-key-file={key}", f"--cert-dir={folder}",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={folder / 'tls/server.crt'}",
        f"--service-account-signing-key-file={key}", "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC", f"--token-auth-file={tokens}", "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none", "--allow-privileged=true",
    ]  # fmt: skip


def _until_ready(url: str, authority: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    context, end = ssl.create_default_context(cafile=str(authority)), time.monotonic() + START_S
    asked = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            urllib.request.urlopen(asked, timeout=5, context=context) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the API server did not come up: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A cluster with what every test finds."""
    folder = tmp_path_factory.mktemp("apiserver")
    write_certificates(folder / "tls")
    etcd, command = _etcd(folder)
    port = free_port()
    with (
        _running(command, folder / "etcd.log"),
        _running(_kube_apiserver(folder, etcd, port), folder / "apiserver.log") as process,
    ):
        url, authority = f"https://localhost:{port}", folder / "tls/ca.crt"
        _until_ready(url, authority, process, folder / "apiserver.log")
        config = folder / "admin.json"
        config.write_text(json.dumps({
            "kind": "Config", "apiVersion": "v1", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": url, "certificate-authority": str(authority)}}],
            "users": [{"name": "it", "user": {"token": ADMIN}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))  # fmt: skip
        admin = Kubectl(config, folder)
        done = admin("apply", "-f", "-", stdin=SETUP)
        assert done.returncode == 0, done.stderr
        yield ApiServer(url, authority, admin)


@pytest.fixture
def real_k8s(apiserver: ApiServer, tmp_path: Path) -> Iterator[object]:
    """A maker of gateways before it."""
    with contextlib.ExitStack() as stack:

        def make(**how: object) -> K8sGateway:
            target = f"      server: {apiserver.url}\n      tls: {{ca: {apiserver.authority}}}"
            return stack.enter_context(k8s_started(tmp_path, target=lambda _: target, **how))

        yield make
