"""From a kubeconfig to a gateway before a cluster: `doorward init k8s`, and real kubectl by the lines that it prints."""

import base64
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from k8s_stack import fill

from doorward_demo.cluster import GATEWAY, Cluster
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

pytestmark = pytest.mark.need_kubectl
SHOP = ("-n", "shop")


def run(*command, **environment):
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def doorward(*words, **environment):
    return run(sys.executable, "-m", "doorward_console", *words, **environment)


def _wait(gateway, admin):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=120) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert gateway.poll() is None, gateway.stderr.read()
            time.sleep(0.05)
    raise AssertionError("the gateway did not become ready")


@pytest.fixture
def made(tmp_path):
    """(what init said, the issuer, the cluster, the approvals' port, a kubectl), with the gateway running."""
    folder = tmp_path / "gateway"
    ports = [free_port() for _ in range(3)]
    doors = zip(("--listen", "--approvals", "--admin"), (f"127.0.0.1:{port}" for port in ports), strict=True)
    with Cluster(tmp_path / "cluster") as cluster, DevelopmentIssuer() as issuer:
        fill(cluster)
        config = cluster.kubeconfig(tmp_path / "cluster.kubeconfig", GATEWAY)
        done = doorward(
            "init", "k8s", "--kubeconfig", config, "--issuer", issuer.url, "--folder", folder, "--resource", "prod",
            *(word for pair in doors for word in pair),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        command = [sys.executable, "-m", "doorward_k8s", "--config", str(folder / "doorward.yaml")]
        gateway = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            _wait(gateway, ports[2])
            yield done.stdout, issuer, cluster, folder, ports
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.communicate(timeout=120)


@pytest.fixture
def kubectl(made, tmp_path):
    """kubectl by the kubeconfig that the printed line makes."""
    said, issuer, *_ = made
    program = Path(sys.executable).parent
    token, home = tmp_path / "token", tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    token.write_text(issuer.issue("crew-7", "agent", ("crew-operators",)))
    line = next(row for row in said.splitlines() if " kubeconfig --cluster prod " in row)
    environment = {"TOKEN_FILE": str(token), "HOME": str(home), "PATH": f"{program}:{os.environ['PATH']}"}
    written = run("sh", "-c", line, **environment)
    assert written.returncode == 0, written.stderr
    (home / ".kube/prod").chmod(0o600)
    command = ["kubectl", "--kubeconfig", home / ".kube/prod"]
    return lambda *words: run(*command, *words, **environment), command, environment


def test_from_a_kubeconfig_to_masked_secrets_and_a_change_that_waits(made, kubectl):
    _, issuer, cluster, folder, ports = made
    ask, command, environment = kubectl
    assert "web-0" in ask("get", "pods", *SHOP).stdout
    secret = ask("get", "secret", "db", *SHOP, "-o", "jsonpath={.data.password}")
    assert secret.returncode == 0, secret.stderr
    assert base64.b64decode(secret.stdout) == b"[masked:values]"
    for words in (
        ("port-forward", *SHOP, "pod/web-0", ":80"),
        ("create", "clusterrole", "x", "--verb=get", "--resource=pods"),
    ):
        assert "Ask the platform team" in ask(*words).stderr
    trial = ask("scale", "deployment", "web", *SHOP, "--replicas=3", "--dry-run=server")
    assert trial.returncode == 0, trial.stderr
    scaling = subprocess.Popen(
        [*command, "scale", "deployment", "web", *SHOP, "--replicas=3"],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        reach = ("--gateway", f"https://localhost:{ports[1]}", "--ca-file", folder / "tls/gateway.crt")
        person = {"DOORWARD_TOKEN": issuer.issue("pat", "human", ("platform",))}
        end = time.monotonic() + 120
        while "ap-" not in (listed := doorward("approvals", "list", *reach, **person).stdout):
            assert time.monotonic() < end
            assert scaling.poll() is None
        waiting = next(word for word in listed.replace("│", " ").split() if word.startswith("ap-"))
        assert cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 1
        voted = doorward("approvals", "approve", waiting, "--reason", "agreed", *reach, **person)
        assert voted.returncode == 0, voted.stderr
        _, said = scaling.communicate(timeout=120)
        assert scaling.returncode == 0, said
    finally:
        scaling.kill()
        scaling.communicate()
    assert cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 3
