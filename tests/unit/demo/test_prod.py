"""The demonstration's cluster and the gateway before it."""

import pytest

from doorward_core.config import load_config
from doorward_core.policy.load import parse_policy
from doorward_demo import prod
from doorward_k8s.settings import K8sTarget


def test_the_configuration_is_one_that_the_gateway_takes(tmp_path):
    home = tmp_path / "k8s"
    home.mkdir()
    (tmp_path / "tls").mkdir()
    for name in ("tls/server.crt", "tls/server.key", "tls/ca.crt", "k8s/policy.yaml"):
        (tmp_path / name).touch()
    text = prod.CONFIG.format(
        origin=prod.ORIGIN, port=16443, admin_port=9464, sockets=tmp_path, issuer="http://127.0.0.1:9400",
        audience="doorward", resource=prod.RESOURCE, server="https://127.0.0.1:6443", authority=tmp_path / "tls/ca.crt",
    )  # fmt: skip
    (home / "gateway.yaml").write_text(text)
    target = load_config(home / "gateway.yaml", {"k8s": K8sTarget}).resources[prod.RESOURCE].target
    assert (target.at, target.server) == (("/prod",), "https://127.0.0.1:6443")


def test_the_policy_is_one_that_the_gateway_takes():
    policy = parse_policy(prod.POLICY, "policy.yaml")
    rules = ["analysts-look", "changes-need-a-human", "analysts-diagnose", "nothing-is-removed"]
    assert [rule.id for rule in policy.rules] == rules


def test_clients_are_sent_to_the_gateway_and_not_to_the_cluster(tmp_path):
    place = prod.Prod(tmp_path, tmp_path, 16443, None)
    assert place.url == "https://localhost:16443/prod"
    assert place.control.startswith("unix:")


def test_a_machine_without_kubectl_is_told_from_one_with_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prod.kubectl_version() == ""
    assert not prod.streams()


@pytest.mark.parametrize(("version", "streams"), [("v1.30.9", False), ("v1.31.0", True), ("v1.33.1", True)])
def test_a_kubectl_that_speaks_spdy_alone_is_left_out(monkeypatch, version, streams):
    monkeypatch.setattr(prod, "kubectl_version", lambda: version)
    assert prod.streams() is streams


@pytest.mark.need_kubectl
def test_kubectl_says_its_version():
    assert prod.kubectl_version().startswith("v1.")
