"""A whole Kubernetes gateway for tests: a small cluster, a development issuer, the gateway as a process, a recorder.

The cluster is `doorward_demo.cluster`, which keeps every request that reached it: "nothing reached the target" is
checked there. Clients are the real ones; `kubectl` here runs one as a person would.
"""

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gateway_stack import HANGS_S, Gateway, own
from kubectl_stand import programs

from doorward_demo.certificates import write_certificates
from doorward_demo.cluster import GATEWAY, Cluster
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

POLICY = """\
version: 1
rules:
  - id: look-around
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [read]
    objects: ["**", "shop/core/secrets/*", "!kube-system/**"]
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/apps/deployments/*", "shop/apps/deployments/scale/*", "delete shop/core/pods/*"]
    approve: {by: {groups: [platform]}}
  - id: small-changes
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/core/configmaps/*"]
  - id: diagnose
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [execute, unknown, read, write]
    objects: ["shop/core/pods/exec/*", "shop/core/pods/attach/*"]
  - id: no-removal
    effect: block
    resource: prod
    do: [execute]
    commands: ["rm"]
    reason: Files are removed by the platform team.
  - id: forward-the-database
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [forward]
    objects: ["shop/core/pods/portforward/*"]
"""

MASKS = """\
masks:
  - id: pii
    resource: prod
    columns: [secrets, tokens, env]
    detect: [email, card]
    except: {groups: [privacy-office]}
"""

CONFIG = """\
version: 1
origin: gateway.test
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: tls/server.crt, key: tls/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/approvals.sock}}
operators: {{groups: [platform]}}
identity:
  issuers:
    - issuer: {issuer}
      audience: [doorward]
      max_age: 1h
      skew: {skew}
record: {{folder: log, keys: keys, level: {level}, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  prod:
    protocol: k8s
    target:
      at: [/prod]
{target}
      hold: {hold}
{more}
    accounts:
      gateway: {{user: gateway{password}}}
{tail}
"""

PASSWORD = ", password: {env: CLUSTER_TOKEN}"


@dataclass
class Ran:
    """What a client printed, and how it ended."""

    code: int
    out: str
    said: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class K8sGateway(Gateway):
    """A running Kubernetes gateway, and how to reach it."""

    module: str = "doorward_k8s"
    cluster: Cluster = None
    running: list = field(default_factory=list)
    made: int = 0

    def token(self, subject="crew-1", groups=("crew-shop",), kind="agent", **how):
        return self.issuer.issue(subject, kind, tuple(groups), **how)

    def url(self, path=""):
        return f"https://localhost:{self.port}/prod{path}"

    def approver(self, subject="tom", groups=("platform",), kind="human"):
        return super().approver(subject, groups, kind)

    def kubeconfig(self, token=None, **who):
        """A kubeconfig for this gateway; a new one each time, so that no client remembers another's answers."""
        self.made += 1
        path = self.state / f"kubeconfig-{self.made}"
        token = token or self.token(**who)
        return self.cluster.kubeconfig(path, token, server=self.url(), authority=self.state / "tls/ca.crt")

    def command(self, *words, program="kubectl", token=None, config=None, **who):
        config = config or self.kubeconfig(token, **who)
        return [program, f"--kubeconfig={config}", f"--cache-dir={self.state / 'cache'}", *words]

    def kubectl(self, *words, stdin=None, check=True, within_s=HANGS_S, environment=(), **who):
        """Run kubectl as a person would."""
        done = subprocess.run(
            self.command(*words, **who),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
            env={**os.environ, **dict(environment)},
        )
        if check:
            assert done.returncode == 0, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start_kubectl(self, *words, text=True, **who):
        """The same, not waited for; hand it to `finished`."""
        process = subprocess.Popen(
            self.command(*words, **who),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=text,
        )
        self.running.append(process)
        return process

    def finished(self, process, stdin=None, within_s=HANGS_S):
        out, said = process.communicate(stdin, timeout=within_s)
        return Ran(process.returncode, out, said)

    def raw(self, method, path, *, token=None, headers=(), body=None):
        """One request as a program sends it: status, headers, JSON."""
        context = ssl.create_default_context(cafile=str(self.state / "tls/ca.crt"))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=HANGS_S)
        try:
            lines = {} if token == "" else {"authorization": f"Bearer {token or self.token()}"}
            connection.request(method, f"/prod{path}", body, {**lines, **dict(headers)})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def reached(self, path=""):
        """The requests that reached the cluster, discovery aside."""
        return [
            one
            for one in self.cluster.requests
            if re.search(r"/(?:namespaces|watch|v\d[a-z0-9]*/[a-z])", one.target) and path in one.target
        ]


def other_kubectl(minor):
    """Another version of kubectl, where it is there; else the test is skipped."""
    found = programs().get(minor)
    if found is None:
        pytest.skip(f"kubectl 1.{minor} is not on this machine")
    return found


def pod(name, namespace="shop", **more):
    """A pod that runs."""
    container = {"name": "app", "image": "shop/web:1", "env": [{"name": "DB_PASSWORD", "value": "s3cr3t-env"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}},
        "spec": {"containers": [container], **more},
    }


def deployment(name, namespace="shop", replicas=1, image="shop/web:1"):
    """A deployment."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def fill(cluster):
    """What every test finds."""
    for name in ("shop", "store"):
        cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    cluster.add(pod("web-0"), pod("web-1"), pod("till-0", "store"), deployment("web"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "type": "Opaque"}
    cluster.add(secret | {"data": {"password": "c3VwZXItc2VjcmV0LTEyMw=="}})
    cluster.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "shop"},
            "data": {"colour": "blue"},
        }
    )


@contextlib.contextmanager
def k8s_started(
    folder, *, policy=POLICY, level="shape", hold="10m", more="", target=None, password=PASSWORD, skew="60s", tail=""
):
    """Start a cluster and a gateway with a state folder of its own, and stop both at the end."""
    sockets = Path(tempfile.mkdtemp(prefix="dw-"))
    write_certificates(folder / "tls")
    with Cluster(folder / "cluster") as cluster, DevelopmentIssuer() as issuer:
        fill(cluster)
        gateway = K8sGateway(folder, sockets, free_port(), free_port(), issuer, None, None)
        gateway.cluster = cluster
        server = f"      server: {cluster.url}\n      tls: {{ca: {cluster.authority}}}"
        gateway.write(
            policy,
            CONFIG,
            target=target(cluster) if target else server,
            level=level,
            hold=hold,
            more=more,
            password=password,
            skew=skew,
            tail=tail,
        )
        gateway.environment = {"CLUSTER_TOKEN": GATEWAY}
        try:
            gateway.start(gateway.environment)
            yield gateway
        finally:
            for process in gateway.running:
                process.kill()
                process.communicate()
            gateway.stop()


@pytest.fixture(scope="session")
def _shared_k8s(tmp_path_factory):
    with k8s_started(tmp_path_factory.mktemp("k8s")) as gateway:
        yield gateway


@pytest.fixture
def k8s(_shared_k8s):
    """The gateway that tests share, before a cluster that has forgotten every request."""
    _shared_k8s.begin()
    _shared_k8s.cluster.requests.clear()
    yield _shared_k8s
    while _shared_k8s.running:
        process = _shared_k8s.running.pop()
        process.kill()
        process.communicate()


@pytest.fixture
def own_k8s(tmp_path):
    """A maker of gateways of one's own: for policies, settings and faults."""
    with own(k8s_started, tmp_path, "k8s") as make:
        yield make
