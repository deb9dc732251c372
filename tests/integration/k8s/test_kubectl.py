"""What a person with kubectl sees: allowed, masked, refused, recorded."""

import json

import pytest
from k8s_stack import MASKS, POLICY, other_kubectl

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_kubectl


def test_pods_are_listed_in_the_name_of_whoever_asks(k8s):
    told = k8s.kubectl("get", "pods", "-n", "shop").out
    assert [line.split()[0] for line in told.splitlines()] == ["NAME", "web-0", "web-1"]
    (listed,) = k8s.reached("/pods")
    assert listed.user.name == "doorward:crew-1"
    assert "doorward:crew-shop" in listed.user.groups
    assert dict(listed.user.extra)["doorward-issuer"] == k8s.issuer.url
    assert listed.user.by == "system:serviceaccount:doorward:gateway"


def test_an_object_comes_as_table_json_yaml_and_described(k8s):
    assert k8s.kubectl("get", "pod", "web-0", "-n", "shop", "-o", "json").json["metadata"]["name"] == "web-0"
    assert "name: web-0" in k8s.kubectl("get", "pod", "web-0", "-n", "shop", "-o", "yaml").out
    assert "shop/web:1" in k8s.kubectl("describe", "pod", "web-0", "-n", "shop").out


def test_a_refusal_is_printed_with_its_reason_and_the_id_that_the_record_has(k8s):
    told = k8s.kubectl("delete", "configmap", "settings", "-n", "store", check=False)
    assert told.code == 1
    assert "Error from server (Forbidden)" in told.said
    assert "No rule allows write (delete) on store/core/configmaps/settings" in told.said
    assert not [one for one in k8s.reached() if one.method == "DELETE"]
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "delete store/core/configmaps/settings")
    assert decided.operation_id.hex() in told.said.replace("-", "")
    assert decided.header["verdict"] == "deny"


def test_what_nobody_granted_is_not_read_either(k8s):
    told = k8s.kubectl("get", "pods", "-A", check=False)
    assert "No rule allows read (list) on -/core/pods/" in told.said
    assert "kube-system" in k8s.kubectl("get", "pods", "-n", "kube-system", check=False).said
    assert not k8s.reached("/pods")


def test_a_call_and_its_answer_are_on_record_and_under_the_same_id_in_the_clusters_audit(k8s):
    k8s.kubectl("get", "deployment", "web", "-n", "shop")
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "get shop/apps/deployments/web")
    (finished,) = k8s.until_recorded(EventKind.OPERATION_FINISHED, "get shop/apps/deployments/web")
    assert (finished.header["status"], finished.header["code"]) == ("ok", "200")
    assert b'"Table"' in finished.payload["shown"]
    assert decided.payload["attributes"]["class"] == "read"
    seen = [dict(one.headers)[b"audit-id"].decode().replace("-", "") for one in k8s.reached("/deployments/web")]
    assert seen == [decided.operation_id.hex()]


def test_a_change_that_is_allowed_is_made_and_shown_in_the_record(k8s):
    k8s.kubectl("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", '{"data":{"colour":"green"}}')
    assert k8s.cluster.stored("configmaps", "settings", "shop")["data"]["colour"] == "green"
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, '"green"')
    assert decided.payload["text"].startswith("patch shop/core/configmaps/settings\nPATCH /api/v1/namespaces/shop/")


def test_apply_diff_and_edit_in_place_work(k8s):
    manifest = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "applied", "namespace": "shop"},
            "data": {"a": "1"},
        }
    )
    assert "created" in k8s.kubectl("apply", "-f", "-", stdin=manifest).out
    changed = manifest.replace('"1"', '"2"')
    assert k8s.kubectl("diff", "-f", "-", stdin=changed, check=False).code == 1
    assert k8s.cluster.stored("configmaps", "applied", "shop")["data"] == {"a": "1"}
    assert "configured" in k8s.kubectl("apply", "-f", "-", stdin=changed).out
    assert k8s.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest).code == 0
    assert k8s.cluster.stored("configmaps", "applied", "shop")["data"] == {"a": "1"}
    assert k8s.kubectl("delete", "configmap", "applied", "-n", "shop").code == 0


def test_ones_own_rights_are_those_that_the_cluster_and_policy_give(k8s):
    assert k8s.kubectl("auth", "can-i", "list", "pods", "-n", "shop", check=False).said == ""
    assert k8s.reached("selfsubjectaccessreviews")
    k8s.cluster.requests.clear()
    told = k8s.kubectl("auth", "can-i", "delete", "pods", "-n", "store", check=False)
    assert (told.code, told.out) == (1, "no - doorward: No rule allows write (delete) on store/core/pods/.\n")
    assert not k8s.reached("selfsubjectaccessreviews")
    held = k8s.kubectl("auth", "can-i", "patch", "deployments/web", "-n", "shop", check=False)
    assert "Warning: policy has people asked before this is done" in held.said


def test_without_a_token_or_with_a_wrong_one_nobody_learns_what_there_is(k8s):
    for path in ("/api/v1/namespaces/shop/pods", "/../nowhere".replace("..", "x")):
        status, headers, told = k8s.raw("GET", path, token="")
        assert (status, told["reason"]) == (401, "Unauthorized")
        status, headers, _ = k8s.raw("GET", path, token="e30.e30.e30")
        assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="doorward", error="invalid_token"')
    assert "You must be logged in to the server" in k8s.kubectl("get", "pods", token="e30.e30.e30", check=False).said
    assert not k8s.cluster.requests


def test_logs_are_read_and_followed(k8s):
    k8s.cluster.log("web-0", "hello", namespace="shop")
    assert k8s.kubectl("logs", "web-0", "-n", "shop").out == "hello\n"
    following = k8s.start_kubectl("logs", "-f", "web-0", "-n", "shop")
    assert following.stdout.readline() == "hello\n"
    k8s.cluster.log("web-0", "again", namespace="shop")
    assert following.stdout.readline() == "again\n"


def test_changes_are_watched_as_they_come(k8s):
    watching = k8s.start_kubectl(
        "get", "configmap", "settings", "-n", "shop", "-w", "--output-watch-events", "-o", "json"
    )
    decoder, text = json.JSONDecoder(), ""

    def event():
        nonlocal text
        while True:
            try:
                found, end = decoder.raw_decode(text.lstrip())
            except ValueError:
                text += watching.stdout.readline()
            else:
                text = text.lstrip()[end:]
                return found

    assert event()["type"] == "ADDED"
    k8s.kubectl("annotate", "configmap", "settings", "-n", "shop", "seen=yes", "--overwrite")
    changed = event()
    assert (changed["type"], changed["object"]["metadata"]["annotations"]["seen"]) == ("MODIFIED", "yes")


def test_a_secret_is_masked_in_every_form_that_it_is_had_in(own_k8s):
    k8s = own_k8s(policy=POLICY + MASKS)
    k8s.cluster.log("web-0", "mail ada@example.com now", namespace="shop")
    hidden = ("c3VwZXItc2VjcmV0LTEyMw", "super-secret-123", "s3cr3t-env", "ada@example.com")
    told = ""
    for words in (
        ("get", "secret", "db", "-o", "yaml"),
        ("get", "secret", "db", "-o", "json"),
        ("get", "secrets"),
        ("describe", "secret", "db"),
        ("get", "secret", "db", "-o", "jsonpath={.data.password}"),
        ("get", "pod", "web-0", "-o", "yaml"),
        ("logs", "web-0"),
        ("exec", "web-0", "--", "echo", "mail", "ada@example.com"),
    ):
        told += k8s.kubectl("-n", "shop", *words).out
    assert not [value for value in hidden if value in told]
    assert "[masked:" in told
    whole = k8s.kubectl("get", "secret", "db", "-n", "shop", "-o", "yaml", groups=("crew-shop", "privacy-office")).out
    assert "c3VwZXItc2VjcmV0LTEyMw==" in whole
    k8s.stop()
    shown = b"".join(entry.payload.get("shown", b"") for entry in k8s.entries() if entry.payload)
    assert b"[masked" in shown


def test_what_a_secret_holds_is_shown_neither_to_approvers_nor_in_the_record(own_k8s):
    rule = """\
  - id: secrets-need-a-human
    effect: hold
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/core/secrets/*"]
    approve: {by: {groups: [platform]}}
"""
    k8s = own_k8s(policy=POLICY + rule)
    making = k8s.start_kubectl(
        "create", "secret", "generic", "new", "-n", "shop", "--from-literal=password=hunter2hunter2"
    )
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "create shop/core/secrets/new" in json.dumps(card)
    k8s.vote(waiting["id"])
    assert k8s.finished(making).code == 0
    k8s.stop()
    everything = json.dumps(card) + repr(
        [entry.payload for entry in k8s.entries(EventKind.OPERATION_DECIDED, EventKind.OPERATION_HELD)]
    )
    assert "hunter2" not in everything
    assert "aHVudGVyMmh1bnRlcjI" not in everything


def test_what_was_shown_masked_is_not_written_back(own_k8s):
    k8s = own_k8s(
        policy=POLICY.replace('objects: ["shop/core/configmaps/*"]', 'objects: ["shop/core/secrets/*"]') + MASKS
    )
    shown = k8s.kubectl("get", "secret", "db", "-n", "shop", "-o", "json").out
    told = k8s.kubectl("replace", "-f", "-", stdin=shown, check=False)
    assert "it would write a masked value over the real one" in told.said
    assert k8s.cluster.stored("secrets", "db", "shop")["data"]["password"] == "c3VwZXItc2VjcmV0LTEyMw=="


@pytest.mark.parametrize("minor", [20, 27, 28, 29, 30, 31, 33, 35])
def test_other_versions_of_kubectl_read_and_are_refused_in_the_same_words(k8s, minor):
    program = other_kubectl(minor)
    assert "web-0" in k8s.kubectl("get", "pods", "-n", "shop", program=program).out
    assert "No rule allows" in k8s.kubectl("delete", "pod", "till-0", "-n", "store", program=program, check=False).said


def test_who_may_nothing_at_all_reads_why_while_kubectl_looks_up_what_there_is(k8s):
    told = k8s.kubectl("get", "pods", "-n", "shop", groups=("nobodies",), check=False)
    assert told.code != 0
    assert "No rule allows connect on resource prod" in told.said
    assert "unknown" not in told.said
