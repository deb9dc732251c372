"""The gateway before a real kube-apiserver: its own RBAC, its own formats, its own answers."""

import json
import time

import pytest
from k8s_stack import MASKS, pod

from doorward_core.event import EventKind

pytestmark = [pytest.mark.need_kubectl, pytest.mark.need_kube_apiserver, pytest.mark.slow]

POLICY = """\
version: 1
rules:
  - {id: look, effect: allow, who: {groups: [crew-shop]}, resource: prod, do: [read], objects: ["**", "*/core/secrets/*"]}
  - id: work
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [write, admin]
    objects: ["shop/**", "shop/core/secrets/*", "-/core/namespaces/*", "-/apiextensions.k8s.io/customresourcedefinitions/*"]
  - id: deployments-need-a-human
    effect: hold
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/apps/deployments/held"]
    when: {"dry-run": ["no"]}
    approve: {by: {groups: [platform]}}
"""
SECRET = ("super-secret-123", "c3VwZXItc2VjcmV0LTEyMw")
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "web:1", "env": [{"name": "P", "value": "s3cr3t-env"}]}]},
        },
    },
}


def named(name):
    return json.dumps(DEPLOYMENT | {"metadata": {"name": name, "namespace": "shop"}})


def changed(k8s, text):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for one in k8s.until_recorded(EventKind.OPERATION_FINISHED, text):
            if "changes" in one.payload:
                return one.payload["changes"]
        time.sleep(0.05)
    raise AssertionError("no change is on record")


def test_it_is_told_who_asks_and_its_own_rbac_holds(real_k8s):
    k8s = real_k8s(policy=POLICY + '  - {id: all, effect: allow, resource: prod, do: [read], objects: ["**"]}\n')
    assert "doorward:crew-1" in k8s.kubectl("auth", "whoami").out
    assert k8s.kubectl("auth", "can-i", "delete", "pods", "-n", "shop").out == "yes\n"
    told = k8s.kubectl("auth", "can-i", "create", "pods", "--subresource=exec", "-n", "shop", check=False)
    assert told.out == "no - doorward: No rule allows execute (connect) on shop/core/pods/exec/.\n"
    told = k8s.kubectl("auth", "can-i", "--list", "-n", "shop")
    assert ("*.*" in told.out, "Warning: this is what the cluster's own rules allow" in told.said) == (True, True)
    assert "doorward:crew-2" in k8s.kubectl("auth", "whoami", subject="crew-2", groups=("crew-none",)).out
    told = k8s.kubectl("get", "pods", "-n", "shop", subject="crew-2", groups=("crew-none",), check=False)
    assert 'User "doorward:crew-2" cannot list resource "pods"' in told.said


def test_its_secrets_come_masked_in_every_form(real_k8s):
    k8s = real_k8s(policy=POLICY + MASKS)
    told = ""
    for words in (
        ("get", "secret", "db", "-o", "yaml"),
        ("get", "secret", "db", "-o", "json"),
        ("get", "secrets", "-o", "wide"),
        ("get", "secrets", "-A", "-o", "json", "--chunk-size=1"),
        ("describe", "secret", "db"),
        ("get", "secret", "db", "-o", "jsonpath={.data}", "--show-managed-fields"),
        ("annotate", "secret", "db", "seen=yes", "--overwrite", "-o", "yaml"),
        ("annotate", "secret", "db", "seen=no", "--overwrite", "--dry-run=server", "-o", "json"),
    ):
        told += k8s.kubectl("-n", "shop", *words).out
    path = "/api/v1/namespaces/shop/secrets/db"
    for accept in ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"):
        told += json.dumps(k8s.raw("GET", path, headers={"accept": accept})[2])
    assert k8s.raw("GET", path, headers={"accept": "application/vnd.kubernetes.protobuf"})[0] == 406
    assert k8s.raw("GET", path, headers={"accept": "application/cbor"})[0] == 406
    status, _, answer = k8s.raw("GET", "/api/v1/namespaces/shop/secrets?watch=1&timeoutSeconds=1")
    assert status == 200
    told += json.dumps(answer)
    assert not [value for value in SECRET if value in told]
    assert "[masked:" in told or "W21hc2tlZ" in told


def test_its_json_patches_carry_nothing_out_and_its_404s_stay_what_they_are(real_k8s):
    k8s = real_k8s(policy=POLICY + MASKS)
    out = [
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "copy", "from": "/data/password", "path": "/metadata/annotations/x"},
    ]
    patching = ("patch", "secret", "db", "-n", "shop", "--type=json", "-p", json.dumps(out))
    for more in ((), ("--dry-run=server", "-o", "yaml")):
        told = k8s.kubectl(*patching, *more, check=False)
        assert "may not copy, move or test what is masked" in told.said
    status, _, told = k8s.raw("GET", "/apis/nobody.example/v1/namespaces/shop/things")
    assert (status, told["reason"]) == (404, "NotFound")


def test_its_words_about_a_change_it_forbids_do_not_show_a_pods_variables(real_k8s):
    k8s = real_k8s(policy=POLICY + MASKS)
    k8s.kubectl("apply", "-f", "-", stdin=json.dumps(pod("fixed")))
    guess = {"spec": {"containers": [{"name": "app", "env": [{"name": "DB_PASSWORD", "value": "guess"}]}]}}
    told = k8s.kubectl("patch", "pod", "fixed", "-n", "shop", "-p", json.dumps(guess), check=False)
    k8s.kubectl("delete", "pod", "fixed", "-n", "shop", "--now")
    assert "pod updates may not change fields" in told.said
    assert "s3cr3t-env" not in told.said


def test_objects_are_made_applied_compared_and_removed_and_the_record_says_what_changed(real_k8s):
    k8s = real_k8s(policy=POLICY + MASKS)
    web = named("web")
    assert "created" in k8s.kubectl("apply", "-f", "-", stdin=web).out
    differs = k8s.kubectl("diff", "-f", "-", stdin=web.replace("web:1", "web:2"), check=False)
    assert (differs.code, "web:2" in differs.out) == (1, True), differs.said
    assert "configured" in k8s.kubectl("apply", "-f", "-", stdin=web.replace("web:1", "web:2")).out
    path = "spec.template.spec.containers[app].image"
    assert [path, '"web:1"', '"web:2"'] in changed(k8s, "patch shop/apps/deployments/web")
    server_side = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    assert "serverside-applied" in k8s.kubectl(*server_side, stdin=web.replace("web:1", "web:3")).out
    k8s.kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=4")
    assert ["spec.replicas", "1", "4"] in changed(k8s, "patch shop/apps/deployments/scale/web")
    k8s.kubectl("create", "deployment", "made", "--image=web:1", "-n", "shop")  # which is protobuf on the wire
    assert ["spec.replicas", None, "1"] in changed(k8s, "create shop/apps/deployments/made")
    for words in (("create", "ingress", "made", "--rule=a/b=c:80"), ("autoscale", "deployment", "made", "--max=3")):
        k8s.kubectl(*words, "-n", "shop")  # as are these
    k8s.kubectl("delete", "ingress,hpa", "made", "-n", "shop")
    k8s.kubectl("delete", "deployment", "web", "made", "-n", "shop")
    assert ["spec.replicas", "4", None] in changed(k8s, "delete shop/apps/deployments/web")
    k8s.stop()
    kept = repr([entry.payload.get("changes") for entry in k8s.entries() if entry.payload])
    assert "s3cr3t-env" not in kept


def test_a_held_change_is_previewed_by_its_own_dry_run_and_made_once_approved(real_k8s):
    k8s = real_k8s(policy=POLICY, more="      previews: true")
    making = k8s.start_kubectl("apply", "-f", "-")
    making.stdin.write(named("held"))
    making.stdin.close()
    making.stdin = None
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "spec.progressDeadlineSeconds: (none) -> 600" in json.dumps(card)  # what the server adds by itself
    missing = k8s.kubectl("get", "deployment", "held", "-n", "shop", check=False)
    assert "NotFound" in missing.said
    k8s.vote(waiting["id"])
    assert "created" in k8s.finished(making).out


def test_kinds_of_ones_own_pages_and_watches_work(real_k8s):
    k8s = real_k8s(policy=POLICY + MASKS)
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    ]  # fmt: skip
    names = {"plural": "vouchers", "singular": "voucher", "kind": "Voucher"}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "vouchers.shop.example"},
        "spec": {"group": "shop.example", "names": names, "scope": "Namespaced", "versions": versions},
    }
    k8s.kubectl("apply", "-f", "-", stdin=json.dumps(crd))
    k8s.kubectl("wait", "--for=condition=Established", "crd/vouchers.shop.example", "--timeout=30s")
    many = [
        {"apiVersion": "shop.example/v1", "kind": "Voucher", "metadata": {"name": f"v-{number}", "namespace": "shop"},
         "spec": {"worth": number, "mail": "ada@example.com"}}
        for number in range(5)
    ]  # fmt: skip
    k8s.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": many}))
    listed = k8s.kubectl("get", "vouchers", "-n", "shop", "-o", "json", "--chunk-size=2")
    assert len(listed.json["items"]) == 5
    assert "ada@example.com" not in listed.out
    watching = k8s.start_kubectl("get", "configmap", "settings", "-n", "shop", "-w", "-o", "name")
    assert watching.stdout.readline() == "configmap/settings\n"
    k8s.kubectl("annotate", "configmap", "settings", "-n", "shop", "seen=yes", "--overwrite")
    assert watching.stdout.readline() == "configmap/settings\n"
    k8s.kubectl("delete", "vouchers", "--all", "-n", "shop")


def test_what_asks_for_power_is_known_as_such(real_k8s):
    k8s = real_k8s(policy=POLICY.replace("do: [write, admin]", "do: [write]"))
    token = k8s.kubectl("create", "token", "robot", "-n", "shop", check=False)
    assert "No rule allows admin" in token.said
    root = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": "shop"},
        "spec": {"containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}]},
    }
    assert "No rule allows admin" in k8s.kubectl("apply", "-f", "-", stdin=json.dumps(root), check=False).said
    assert "NotFound" in k8s.kubectl("get", "pod", "root", "-n", "shop", check=False).said
