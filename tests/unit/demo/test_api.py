import pytest

from doorward_core.config import load_config
from doorward_core.policy.load import parse_policy
from doorward_demo import api, crm
from doorward_http.settings import HttpTarget


def test_the_configuration_is_one_that_the_gateway_takes(tmp_path):
    home = tmp_path / "http"
    home.mkdir()
    (tmp_path / "tls").mkdir()
    for name in ("tls/server.crt", "tls/server.key", "http/policy.yaml"):
        (tmp_path / name).touch()
    text = api.CONFIG.format(
        origin=api.ORIGIN, port=8443, admin_port=9464, sockets=tmp_path, issuer="http://127.0.0.1:9400",
        audience="doorward", resource=api.RESOURCE, target_port=8080,
    )  # fmt: skip
    (home / "gateway.yaml").write_text(text)
    target = load_config(home / "gateway.yaml", {"http": HttpTarget}).resources[api.RESOURCE].target
    assert (target.at, target.url) == (("/crm",), "http://127.0.0.1:8080")


def test_the_policy_is_one_that_the_gateway_takes():
    policy = parse_policy(api.POLICY, "policy.yaml")
    assert [rule.id for rule in policy.rules] == ["analysts-look", "notes-need-a-human", "nobody-is-deleted"]


def test_clients_are_sent_to_the_gateway_and_not_to_the_crm(tmp_path):
    place = api.Api(tmp_path, tmp_path, 8443, 8080, "token")
    assert place.url("/customers") == "https://localhost:8443/crm/customers"
    assert place.control.startswith("unix:")


def test_nobody_answers_for_a_crm_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "READY_WITHIN_S", 0.0)
    place = api.Api(tmp_path, tmp_path, 8443, 9, "token")  # the discard port: nothing listens there
    with pytest.raises(api.DemoError, match=r"crm\.log"):
        api._wait_until_answered(place)
    assert crm.ADDRESS == "127.0.0.1"
