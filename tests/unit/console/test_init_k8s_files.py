"""The files for a cluster: they load, and their policy means what their comments say."""

import json
from dataclasses import replace
from datetime import date

import pytest
import yaml

from doorward_console.init_folder import CONFIG, POLICY
from doorward_console.init_k8s_files import AUTHORITY, WantedK8s, config_text, policy_text, rbac_text
from doorward_console.init_k8s_target import Cluster
from doorward_core.config import load_config
from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_core.model import (
    Approve,
    AuthMethod,
    Effect,
    Identity,
    Mask,
    PrincipalKind,
    Record,
    Resource,
)
from doorward_core.policy.load import load_policy
from doorward_k8s.calls import read_call
from doorward_k8s.operations import Request, read
from doorward_k8s.settings import K8sTarget

PROD = Resource("prod", "k8s")
DISCHARGES = frozenset({Mask, Approve, Record})
CLUSTER = Cluster("work", "prod", "https://10.0.0.1:6443", "", b"-----BEGIN CERTIFICATE-----", "ada", usable=True)
SHOP = "/api/v1/namespaces/shop"


@pytest.fixture
def wanted(tmp_path):
    for name in ("tls.crt", "tls.key", "config", AUTHORITY):
        (tmp_path / name).touch()
    return WantedK8s(
        resource="prod", account="gateway", origin="k8s-gateway.test", issuer="https://idp.example",
        audiences=("doorward",), listen_at=("127.0.0.1", 8443), approvals_at=("127.0.0.1", 9465),
        admin_at=("127.0.0.1", 9464), certificate="tls.crt", key="tls.key", self_signed="", readers="crew-operators",
        approvers="platform", made_on=date(2026, 1, 2), cluster=CLUSTER, at="/prod", kubeconfig="config",
        credential={},
    )  # fmt: skip


@pytest.fixture
def loaded(wanted, tmp_path):
    def load(changed=wanted):
        (tmp_path / CONFIG).write_text(config_text(changed))
        (tmp_path / POLICY).write_text(policy_text(changed))
        return load_config(tmp_path / CONFIG, {"k8s": K8sTarget}), load_policy(tmp_path / POLICY)

    return load


def test_the_gateway_takes_what_is_written(loaded):
    config, policy = loaded()
    target = config.resources["prod"].target
    assert (target.at, target.kubeconfig.file.name, target.kubeconfig.context) == (("/prod",), "config", "work")
    assert config.operators.groups == ("platform",)
    assert policy.mask_rules[0].mask.columns == ("secrets", "env", "tokens")


@pytest.mark.parametrize(
    "change",
    [
        {"kubeconfig": "", "credential": {"env": "TOKEN"}},
        {"kubeconfig": "", "credential": {"file": "token"}},
        {"kubeconfig": "", "credential": {"env": "T"}, "cluster": replace(CLUSTER, authority=b"", server_name="a.b")},
        {"kubeconfig": "", "credential": {"env": "T"}, "cluster": replace(CLUSTER, authority=b"")},
        {"cluster": replace(CLUSTER, context="arn:aws:eks:x/y #{z}", user="a\nb: c")},
        {"readers": 'a "group": {of} many'},
    ],
)
def test_every_variant_loads(loaded, wanted, change):
    config, _ = loaded(replace(wanted, **change))
    target = config.resources["prod"].target
    assert (target.server is None) == (target.kubeconfig is not None)


@pytest.fixture
def decide(loaded):
    policy = loaded()[1]
    who = Identity("c", "i", PrincipalKind.AGENT, frozenset({"crew-operators"}), AuthMethod.JWT, "j", 0, 2**62)

    def judge(method, target, document=None, media="application/json"):
        found = canonical(target.encode())
        body = json.dumps(document).encode() if document is not None else b""
        call = read_call(method, found.path, found.query)
        head = Head(method, target.encode(), "gw", "https", ())
        request = Request(head, found, call, body, media if body else "")
        reading = read(
            request, identifier=b"i" * 16, seq=0, account="gateway", cluster="prod", show=lambda body, _: body
        )
        return policy.decide(who, PROD, reading.operation, 1, discharges=DISCHARGES).effect

    return judge


POD = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEEP = {"metadata": {"name": "x"}, "spec": {"hostPID": True, "containers": [{"name": "c", "image": "i"}]}}


@pytest.mark.parametrize(
    ("method", "target", "document", "effect"),
    [
        ("GET", f"{SHOP}/pods", None, Effect.PERMIT),
        ("GET", "/api/v1/pods?watch=true", None, Effect.PERMIT),
        ("GET", f"{SHOP}/pods/web-0/log?follow=true", None, Effect.PERMIT),
        ("GET", f"{SHOP}/secrets/db", None, Effect.PERMIT),
        ("GET", "/api/v1/secrets", None, Effect.PERMIT),
        ("GET", "/api/v1/nodes", None, Effect.PERMIT),
        ("GET", "/apis", None, Effect.PERMIT),
        ("GET", "/metrics", None, Effect.DENY),
        ("POST", f"{SHOP}/pods", POD, Effect.HOLD),
        ("POST", f"{SHOP}/pods?dryRun=All", POD, Effect.PERMIT),
        ("POST", f"{SHOP}/pods?dryRun=All", DEEP, Effect.DENY),
        ("POST", f"{SHOP}/pods", DEEP, Effect.DENY),
        ("POST", f"{SHOP}/secrets", {"metadata": {"name": "x"}}, Effect.HOLD),
        ("DELETE", f"{SHOP}/pods/web-0", None, Effect.HOLD),
        ("DELETE", f"{SHOP}/pods", None, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/exec?command=ls&container=c", None, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/exec?command=sh&stdin=true&tty=true", None, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/exec?command=tar&command=xmf&command=-&stdin=true", None, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/exec?command=tar&command=cf&command=-&command=/etc/x", None, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/attach?stdin=true", None, Effect.HOLD),
        ("PATCH", f"{SHOP}/pods/web-0/ephemeralcontainers", POD, Effect.HOLD),
        ("GET", f"{SHOP}/pods/web-0/portforward", None, Effect.DENY),
        ("GET", f"{SHOP}/services/web/proxy/", None, Effect.DENY),
        ("GET", "/api/v1/nodes/n1/proxy/pods", None, Effect.DENY),
        ("POST", f"{SHOP}/serviceaccounts/default/token", {"spec": {}}, Effect.DENY),
        ("DELETE", "/api/v1/namespaces/shop", None, Effect.DENY),
        ("DELETE", "/api/v1/nodes/n1", None, Effect.DENY),
        ("POST", f"{SHOP}/pods/web-0/eviction", {"metadata": {"name": "web-0"}}, Effect.DENY),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles", {"metadata": {"name": "x"}}, Effect.DENY),
        ("GET", f"{SHOP}/pods/web-0/teleport", None, Effect.DENY),
    ],
)
def test_what_the_policy_decides(decide, method, target, document, effect):
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    assert decide(method, target, document, media) is effect


def test_the_cluster_is_told_of_the_gateway_and_of_the_readers(wanted):
    made = list(yaml.safe_load_all(rbac_text(replace(wanted, readers='crew: "x"'))))
    assert [one["kind"] for one in made] == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ClusterRoleBinding",
    ]  # fmt: skip
    assert {verb for rule in made[2]["rules"] for verb in rule["verbs"]} == {"impersonate"}
    assert "userextras/doorward-sponsor" in made[2]["rules"][1]["resources"]
    assert made[4]["subjects"][0]["name"] == 'doorward:crew: "x"'
