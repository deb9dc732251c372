"""What a write changed is in the record; and what it would change is on the card, where policy allows dry runs."""

import json
import time

import pytest
from k8s_stack import MASKS, POLICY

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_kubectl

SECRETS = """\
  - id: secrets-may-change
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/core/secrets/*"]
"""
REHEARSE = """\
  - id: rehearse
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [write]
    objects: ["shop/**"]
    when: {"dry-run": [all]}
"""
# A hold is stricter than an allow: what is held is the real thing alone.
REAL = POLICY.replace('"delete shop/core/pods/*"]\n', '"delete shop/core/pods/*"]\n    when: {"dry-run": ["no"]}\n')
PREVIEWS = "      previews: true"


def changed(k8s, text):
    """What the one real write of this text has changed; its looks and rehearsals may be there before it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        ended = k8s.until_recorded(EventKind.OPERATION_FINISHED, text)
        found = [one.payload["changes"] for one in ended if "changes" in one.payload]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no change is on record")


def test_a_change_is_in_the_record_field_by_field(own_k8s):
    k8s = own_k8s()
    k8s.kubectl("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", '{"data":{"colour":"green"}}')
    assert changed(k8s, "patch shop/core/configmaps/settings") == [["data.colour", '"blue"', '"green"']]
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "namespace": "shop"}}
    manifest["data"] = {"a": "1"}
    k8s.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    assert ["data.a", None, '"1"'] in changed(k8s, "create shop/core/configmaps/made")
    k8s.kubectl("apply", "-f", "-", stdin=json.dumps(manifest | {"data": {"a": "2"}}))
    assert changed(k8s, "patch shop/core/configmaps/made") == [["data.a", '"1"', '"2"']]
    k8s.kubectl("replace", "-f", "-", stdin=json.dumps(manifest | {"data": {"b": "2"}}))
    told = changed(k8s, "update shop/core/configmaps/made")
    assert ["data.a", '"2"', None] in told
    assert ["data.b", None, '"2"'] in told
    k8s.kubectl("delete", "configmap", "made", "-n", "shop")
    assert ["data.b", '"2"', None] in changed(k8s, "delete shop/core/configmaps/made")


def test_the_look_beforehand_is_an_operation_of_its_own(own_k8s):
    k8s = own_k8s()
    k8s.kubectl("label", "configmap", "settings", "-n", "shop", "tier=front")
    (write,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "patch shop/core/configmaps/settings")
    looks = [
        one
        for one in k8s.until_recorded(EventKind.OPERATION_DECIDED, "get shop/core/configmaps/settings")
        if "for" in one.payload["attributes"]
    ]
    assert [one.payload["attributes"]["for"].replace("-", "") for one in looks] == [write.operation_id.hex()]
    (asked,) = [
        one for one in k8s.reached("/configmaps/settings") if dict(one.headers)[b"audit-id"].replace(b"-", b"").decode()
        == looks[0].operation_id.hex()
    ]  # fmt: skip
    assert asked.user.name == "doorward:crew-1"


def test_nobody_is_shown_through_the_record_what_they_may_not_read(own_k8s):
    policy = POLICY.replace('objects: ["**", ', 'objects: ["**", "!shop/core/configmaps/*", ')
    k8s = own_k8s(policy=policy)
    status, _, _ = k8s.raw(
        "PATCH",
        "/api/v1/namespaces/shop/configmaps/settings",
        headers={"content-type": "application/merge-patch+json"},
        body=b'{"data":{"colour":"red"}}',
    )
    assert status == 200
    k8s.until_recorded(EventKind.OPERATION_FINISHED, "patch shop/core/configmaps/settings")
    assert not [one for one in k8s.reached("/configmaps/settings") if one.method == "GET"]
    assert not [one for one in k8s.entries(EventKind.OPERATION_FINISHED) if "changes" in one.payload]
    assert not [one for one in k8s.entries(EventKind.OPERATION_DECIDED) if one.header["verdict"] == "deny"]


@pytest.mark.parametrize("masks", ["", MASKS])
def test_what_a_secret_holds_is_in_no_difference(own_k8s, masks):
    k8s = own_k8s(policy=POLICY + SECRETS + masks)
    patch = '{"stringData":{"password":"hunter2hunter2","more":"hunter3hunter3"}}'
    k8s.kubectl("patch", "secret", "db", "-n", "shop", "--type=merge", "-p", patch)
    assert changed(k8s, "patch shop/core/secrets/db")[:2] == [
        ["data.more", None, "(hidden)"],
        ["data.password", "(hidden)", "(hidden)"],
    ]
    k8s.kubectl("delete", "secret", "db", "-n", "shop")
    assert ["data.password", "(hidden)", None] in changed(k8s, "delete shop/core/secrets/db")
    k8s.stop()
    kept = repr([entry.payload.get("changes") for entry in k8s.entries() if entry.payload])
    for value in ("hunter", "aHVudGVy", "super-secret", "c3VwZXIt", "W21hc2tlZ"):
        assert value not in kept


def test_it_can_be_left_off(own_k8s):
    k8s = own_k8s(more="      changes: false")
    k8s.kubectl("label", "configmap", "settings", "-n", "shop", "tier=front")
    (finished,) = k8s.until_recorded(EventKind.OPERATION_FINISHED, "patch shop/core/configmaps/settings")
    assert "changes" not in finished.payload


def scaled(k8s):
    scaling = k8s.start_kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=7")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    return scaling, waiting, card["text"] if "text" in card else json.dumps(card)


def test_a_preview_says_on_the_card_what_would_change_and_changes_nothing(own_k8s):
    k8s = own_k8s(policy=REAL + REHEARSE, more=PREVIEWS)
    scaling, waiting, text = scaled(k8s)
    assert "a dry run, which the gateway asked for beforehand:" in text
    assert "spec.replicas: 1 -> 7" in text
    assert k8s.cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 1
    (rehearsal,) = [one for one in k8s.reached("/scale") if one.method == "PATCH"]
    assert "dryRun=All" in rehearsal.target
    k8s.vote(waiting["id"])
    assert k8s.finished(scaling).code == 0
    assert k8s.cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 7
    assert ["spec.replicas", "1", "7"] in changed(k8s, "patch shop/apps/deployments/scale/web")


def test_a_preview_of_a_removal_shows_what_would_be_gone(own_k8s):
    k8s = own_k8s(policy=REAL + REHEARSE, more=PREVIEWS)
    deleting = k8s.start_kubectl("delete", "deployment", "web", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "spec.replicas: 1 -> (none)" in json.dumps(card)
    assert k8s.cluster.stored("deployments", "web", "shop", "apps")
    k8s.vote(waiting["id"], "reject")
    assert k8s.finished(deleting).code == 1


def test_a_preview_of_a_pods_removal_does_not_say_that_nothing_would_change(own_k8s):
    """The server answers with the pod as it was, where it is gone at once."""
    k8s = own_k8s(policy=REAL + REHEARSE.replace("do: [write]", "do: [read, write]"), more=PREVIEWS)
    k8s.start_kubectl("delete", "pod", "web-1", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    told = json.dumps(card)
    assert "it would change nothing" not in told
    assert "-> (none)" in told


@pytest.mark.parametrize(("policy", "more"), [(REAL + REHEARSE, ""), (POLICY + REHEARSE, PREVIEWS), (REAL, PREVIEWS)])
def test_nothing_is_rehearsed_unless_it_is_switched_on_and_policy_allows_it(own_k8s, policy, more):
    k8s = own_k8s(policy=policy, more=more)
    scaling, waiting, text = scaled(k8s)
    assert "dry run" not in text
    assert not [one for one in k8s.reached() if one.method == "PATCH"]
    k8s.vote(waiting["id"])
    assert k8s.finished(scaling).code == 0


def test_what_the_cluster_would_refuse_is_said_so(own_k8s):
    k8s = own_k8s(policy=REAL + REHEARSE, more=PREVIEWS)
    k8s.cluster.inside(lambda: k8s.cluster.api.forbidden.add(("doorward:crew-1", "delete", "deployments")))
    k8s.start_kubectl("delete", "deployment", "web", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "the cluster refuses it: 403 Forbidden" in json.dumps(card)
