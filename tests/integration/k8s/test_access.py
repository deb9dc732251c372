"""How the gateway reaches its cluster: settings, kubeconfigs, certificates that are verified, credentials that change."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from k8s_stack import MASKS, POLICY

from doorward_demo.certificates import write_certificates
from doorward_demo.cluster import GATEWAY

pytestmark = pytest.mark.need_kubectl


def kubeconfig(folder, cluster):
    path = folder / "cluster.kubeconfig"
    cluster.kubeconfig(path, GATEWAY)
    return path


def test_a_cluster_is_found_by_a_kubeconfig_and_its_token(own_k8s, tmp_path):
    k8s = own_k8s(
        target=lambda cluster: f"      kubeconfig: {{file: {kubeconfig(tmp_path, cluster)}}}",
        password="",
    )
    assert "web-0" in k8s.kubectl("get", "pods", "-n", "shop").out
    assert k8s.reached("/pods")[-1].user.by == "system:serviceaccount:doorward:gateway"


def test_a_server_that_is_not_who_it_should_be_is_never_told_anything(own_k8s, tmp_path):
    write_certificates(tmp_path / "other")
    k8s = own_k8s(
        target=lambda cluster: f"      server: {cluster.url}\n      tls: {{ca: {tmp_path / 'other/ca.crt'}}}",
    )
    status, _, told = k8s.raw("GET", "/api/v1/namespaces/shop/pods")
    assert (status, told["kind"]) == (502, "Status")
    assert "the cluster could not be used" in told["message"]
    assert not k8s.cluster.requests


def test_a_credential_that_is_refused_is_told_as_the_gateways_own(own_k8s):
    k8s = own_k8s(password=", password: {file: wrong.token}")
    (k8s.state / "wrong.token").write_text("no-such-token\n")
    status, _, told = k8s.raw("GET", "/api/v1/namespaces/shop/pods")
    assert status == 502
    assert "the cluster refused the gateway's own credential" in told["message"]
    (k8s.state / "wrong.token").write_text(f"{GATEWAY}\n")
    assert "web-0" in k8s.kubectl("get", "pods", "-n", "shop").out


def test_what_would_show_only_when_somebody_asks_is_told_at_the_start(own_k8s):
    doubtful = '  - {id: odd, effect: block, resource: prod, do: [write], objects: ["shop/core/pod/*"]}\n'
    k8s = own_k8s(password="", policy=POLICY + doubtful + MASKS)
    told = [json.loads(line)["words"] for line in k8s.said().splitlines() if "gateway.warning" in line]
    assert any("account gateway: it has no `password`, and no kubeconfig says who it is" in words for words in told)
    about_policy = [words for words in told if "policy.yaml:" in words]
    assert len(about_policy) == 1, told
    assert about_policy[0].endswith("odd: `core` has no resource `pod` that is known here; did you mean `pods`?")
    status, _, told = k8s.raw("GET", "/api/v1/namespaces/shop/pods")
    assert (status, "account gateway has no token" in told["message"]) == (502, True)


def test_a_kubeconfig_whose_user_is_a_plugin_serves_an_account_with_a_password(own_k8s, tmp_path):
    def target(cluster):
        path = kubeconfig(tmp_path, cluster)
        told = json.loads(path.read_text())
        told["users"][0]["user"] = {"exec": {"command": "never-run", "apiVersion": "client.authentication.k8s.io/v1"}}
        path.write_text(json.dumps(told))
        return f"      kubeconfig: {{file: {path}}}"

    assert "web-0" in own_k8s(target=target).kubectl("get", "pods", "-n", "shop").out


def test_without_impersonation_everybody_is_the_account(own_k8s):
    k8s = own_k8s(more="      impersonate: false")
    k8s.kubectl("get", "pods", "-n", "shop")
    assert k8s.reached("/pods")[-1].user.name == "system:serviceaccount:doorward:gateway"
    assert "without `impersonate`, the cluster takes everybody for the account" in k8s.said()


def test_what_the_clusters_own_rules_refuse_comes_through_as_it_was_said(own_k8s):
    k8s = own_k8s()
    k8s.cluster.inside(lambda: k8s.cluster.api.forbidden.add(("doorward:crew-1", "list", "pods")))
    told = k8s.kubectl("get", "pods", "-n", "shop", check=False)
    assert "Forbidden" in told.said
    assert "doorward:crew-1" in told.said


def test_a_policy_is_about_this_protocol_by_name(own_k8s):
    k8s = own_k8s(
        policy=POLICY.replace("resource: prod\n    do: [read]", "resource: {protocols: [k8s]}\n    do: [read]")
    )
    assert "web-0" in k8s.kubectl("get", "pods", "-n", "shop").out


def test_a_kubeconfig_of_ours_has_kubectl_ask_for_its_token(k8s, tmp_path):
    program = Path(sys.executable).parent / "doorward"
    if not program.exists():
        pytest.skip("the doorward command is not installed")
    (tmp_path / "token").write_text(k8s.token())
    words = ["kubeconfig", "--cluster", "prod", "--server", k8s.url(), "--ca-file", str(k8s.state / "tls/ca.crt")]
    made = subprocess.run(
        [program, *words, "--token-file", str(tmp_path / "token")], capture_output=True, text=True, check=True
    )
    (tmp_path / "config").write_text(made.stdout)
    (tmp_path / "config").chmod(0o600)
    assert k8s.token() not in made.stdout
    path = f"{program.parent}:{os.environ['PATH']}"
    told = k8s.kubectl("get", "pods", "-n", "shop", config=tmp_path / "config", environment={"PATH": path})
    assert "web-0" in told.out
