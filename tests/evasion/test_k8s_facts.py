"""K-05, K-07 and K-09: what a rule looks at beside the object, and ways to have it look at something else."""

import json

import pytest
from k8s_stack import k8s_started, pod

RULES = """\
version: 1
rules:
  - {id: w, effect: allow, resource: prod, do: [read, write, forward], objects: ["shop/**"]}
  - id: own-accounts
    effect: block
    resource: prod
    do: [write]
    when: {pod.serviceAccount: ["*", "!web", "!default"]}
    reason: Pods run as web here.
  - id: own-images
    effect: block
    resource: prod
    do: [write]
    when: {pod.image: ["*", "!shop/*"]}
    reason: Images come from shop here.
  - id: no-credentials
    effect: block
    resource: prod
    do: [write]
    when: {pod.secret: ["db"]}
    reason: Nobody mounts that.
  - id: no-admin-port
    effect: block
    resource: prod
    do: [forward]
    objects: ["shop/core/pods/proxy/web-0"]
    reason: Not through the API.
  - id: orphans
    effect: block
    resource: prod
    do: [write]
    when: {query.propagationPolicy: [Orphan]}
    reason: Nothing is left behind.
  - id: no-default
    effect: block
    resource: prod
    do: [write]
    objects: ["shop/apps/deployments/web"]
    when: {pod.serviceAccount: [default]}
    reason: It has an account of its own.
  - {id: rehearse, effect: allow, resource: prod, do: [write, admin, execute], objects: ["**"], when: {"dry-run": [all]}}
"""
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
PODS = "/api/v1/namespaces/shop/pods"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
OWN = [{"name": "app", "image": "shop/web:1"}]
APPLY, STRATEGIC = "application/apply-patch+yaml", "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def ruled(tmp_path_factory):
    """A gateway whose policy looks at what pods are made of."""
    with k8s_started(tmp_path_factory.mktemp("ruled"), policy=RULES) as gateway:
        yield gateway


def told(k8s, method, path, document=None, media="application/json"):
    """A status and the words of it; nothing that was refused has reached the cluster."""
    k8s.cluster.requests.clear()
    body = None if document is None else json.dumps(document)
    status, _, said = k8s.raw(method, path, headers={"content-type": media} if body else {}, body=body)
    assert status != 403 or not k8s.cluster.requests
    return status, said.get("message", "")


def template(**spec):
    return {"spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("method", "path", "document", "media"),
    [
        ("POST", PODS, pod("a", serviceAccountName="admin"), "application/json"),
        ("POST", PODS, pod("a", serviceAccount="admin"), "application/json"),
        ("POST", PODS, pod("a", serviceACCOUNTname="admin"), "application/json"),
        ("PATCH", WEB, template(serviceAccountName="admin"), MERGE),
        ("PATCH", WEB, template(serviceAccountName="admin"), APPLY),
        ("PATCH", WEB, [{"op": "add", "path": "/spec/template/spec/serviceAccountName", "value": "admin"}], JSON_PATCH),
        ("PATCH", WEB, [{"op": "replace", "path": "/spec/template", "value": template(serviceAccountName="admin")}], JSON_PATCH),
        ("PATCH", WEB, [{"op": "copy", "from": "/metadata/labels/a", "path": "/spec/template/spec/serviceAccountName"}], JSON_PATCH),
        ("POST", "/apis/x.example/v1/namespaces/shop/things", {"spec": [{"serviceAccountName": "admin"}]}, "application/json"),
    ],
)  # fmt: skip
def test_k_07_the_account_a_pod_runs_as_is_for_a_rule_to_look_at(ruled, method, path, document, media):
    status, said = told(ruled, method, path, document, media)
    assert (status, "own-accounts" in said) == (403, True), said


@pytest.mark.parametrize(
    ("document", "media"),
    [
        (template(serviceAccountName=None, serviceAccount=None), STRATEGIC),
        (template(serviceAccountName=None), MERGE),
        (template(serviceAccountName="", serviceAccount=""), MERGE),
        (template(**{"$patch": "replace", "containers": OWN}), STRATEGIC),
        ({"spec": {"template": {"$patch": "replace", "spec": {"containers": OWN}}}}, STRATEGIC),
        ({"$patch": "replace", **template(containers=OWN)}, STRATEGIC),
        (template(**{"$retainKeys": ["containers"]}), STRATEGIC),
        (template(**{"$retainKeys": ["containers"], "containers": OWN}), STRATEGIC),
        (template(containers=OWN), APPLY),
        ([{"op": "remove", "path": "/spec/template/spec/serviceAccountName"}], JSON_PATCH),
        ([{"op": "replace", "path": "/spec/template/spec/serviceAccountName", "value": None}], JSON_PATCH),
        ([{"op": "replace", "path": "/spec/template/spec", "value": {"containers": OWN}}], JSON_PATCH),
        ([{"op": "add", "path": "/spec/template", "value": {"spec": {"containers": OWN}}}], JSON_PATCH),
        ([{"op": "replace", "path": "/spec/template/spec", "value": {}},
          {"op": "add", "path": "/spec/template/spec/containers", "value": OWN}], JSON_PATCH),
        ([{"op": "replace", "path": "", "value": template(containers=OWN)}], JSON_PATCH),
    ],
)  # fmt: skip
def test_k_07_an_account_that_is_taken_away_is_the_default_one(ruled, document, media):
    status, said = told(ruled, "PATCH", WEB, document, media)
    assert (status, "no-default" in said) == (403, True), said


@pytest.mark.parametrize(
    ("document", "media"),
    [
        (template(containers=OWN), STRATEGIC),
        (template(volumes=[{"$retainKeys": ["name", "emptyDir"], "name": "x", "emptyDir": {}}]), STRATEGIC),
        ({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, STRATEGIC),
        (template(**{"$patch": "replace", "containers": OWN, "serviceAccountName": "web"}), STRATEGIC),
        ([{"op": "replace", "path": "/spec/replicas", "value": 2}], JSON_PATCH),
        ([{"op": "add", "path": "/spec/template/spec/containers/0/image", "value": "shop/web:2"}], JSON_PATCH),
    ],
)  # fmt: skip
def test_k_07_one_that_is_left_alone_is_not(ruled, document, media):
    _, said = told(ruled, "PATCH", WEB, document, media)
    assert "no-default" not in said


@pytest.mark.parametrize(
    ("document", "media"),
    [
        (template(containers=[{"name": "app", "image": "evil/miner:1"}]), STRATEGIC),
        (template(initContainers=[{"name": "x", "image": "evil/miner:1"}]), STRATEGIC),
        (template(volumes=[{"name": "x", "image": {"reference": "evil/data:1"}}]), STRATEGIC),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil/miner:1"}], JSON_PATCH),
        ([{"op": "move", "from": "/metadata/annotations/a", "path": "/spec/template/spec/containers/0/image"}], JSON_PATCH),
    ],
)  # fmt: skip
def test_k_07_so_is_its_image(ruled, document, media):
    status, said = told(ruled, "PATCH", WEB, document, media)
    assert (status, "own-images" in said or "own-accounts" in said) == (403, True), said


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"name": "x", "secret": {"secretName": "db"}}]},
        {"volumes": [{"name": "x", "projected": {"sources": [{"secret": {"name": "db"}}]}}]},
        {"volumes": [{"name": "x", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "db"}}}]},
        {"initContainers": [{"name": "x", "image": "shop/x", "envFrom": [{"secretRef": {"name": "db"}}]}]},
        {"initContainers": [{"name": "x", "image": "shop/x", "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}]},
    ],
)  # fmt: skip
def test_k_07_so_are_the_secrets_that_it_is_given(ruled, spec):
    status, said = told(ruled, "POST", PODS, pod("reader", serviceAccountName="web", **spec))
    assert (status, "no-credentials" in said) == (403, True), said


def test_k_07_what_names_none_of_them_is_let_through(ruled):
    assert told(ruled, "POST", PODS, pod("fine", serviceAccountName="web"))[0] == 201
    assert told(ruled, "PATCH", WEB, {"spec": {"replicas": 2}}, MERGE)[0] == 200
    assert told(ruled, "DELETE", f"{PODS}/fine")[0] == 200


@pytest.mark.parametrize("spelt", ["web-0", "web-0:8080", "http:web-0:8080", "https:web-0:https", ":web-0:80"])
def test_k_05_a_rule_about_a_pod_holds_for_every_spelling_of_its_proxy(ruled, spelt):
    status, said = told(ruled, "GET", f"{PODS}/{spelt}/proxy/")
    assert (status, "no-admin-port" in said) == (403, True), said


def test_k_09_how_a_deletion_goes_on_is_read_where_the_server_reads_it(ruled):
    for body in ({"propagationPolicy": "Orphan"}, {"orphanDependents": True}):
        status, said = told(ruled, "DELETE", f"{WEB}?propagationPolicy=Background", body)
        assert (status, "orphans" in said) == (403, True), said


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/namespaces/shop/serviceaccounts/default/token?dryRun=All"),
        ("POST", f"{PODS}/web-0/exec?command=id&dryRun=All"),
    ],
)
def test_k_09_what_has_its_effect_all_the_same_is_no_dry_run(ruled, method, path):
    """A token is made and a program runs, whatever the query says."""
    status, said = told(ruled, method, path, {})
    assert status == 403, said


@pytest.mark.need_kubectl
def test_k_09_a_deletion_that_kubectl_rehearses_is_a_dry_run(own_k8s):
    rules = """\
version: 1
rules:
  - {id: r, effect: allow, resource: prod, do: [read], objects: ["**"]}
  - {id: d, effect: allow, resource: prod, do: [write], objects: ["**"], when: {"dry-run": [all]}}
"""
    k8s = own_k8s(policy=rules)
    assert "server dry run" in k8s.kubectl("delete", "cm", "settings", "-n", "shop", "--dry-run=server").out
    assert k8s.kubectl("delete", "cm", "settings", "-n", "shop", check=False).code == 1
    assert k8s.cluster.stored("configmaps", "settings", "shop")
