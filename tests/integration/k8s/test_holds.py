"""A call that waits for people: kubectl simply waits, and goes on."""

import json

import pytest

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_kubectl


def test_a_removal_waits_and_is_made_once_somebody_approves(own_k8s):
    k8s = own_k8s()
    deleting = k8s.start_kubectl("delete", "deployment", "web", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    assert not [one for one in k8s.reached() if one.method == "DELETE"]
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "delete shop/apps/deployments/web" in json.dumps(card)
    status, told = k8s.vote(waiting["id"])
    assert status == 200, told
    done = k8s.finished(deleting)
    assert (done.code, done.out) == (0, 'deployment.apps "web" deleted\n'), done.said
    assert [one.status for one in k8s.reached() if one.method == "DELETE"] == [200]


def test_approvers_see_the_object_and_the_change_that_is_asked_for(own_k8s):
    k8s = own_k8s()
    scaling = k8s.start_kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=7")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    shown = json.dumps(card)
    assert "patch shop/apps/deployments/scale/web" in shown
    assert '\\"replicas\\": 7' in shown
    k8s.vote(waiting["id"])
    assert k8s.finished(scaling).code == 0
    assert k8s.cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 7


def test_a_rejection_is_printed_with_its_reason(own_k8s):
    k8s = own_k8s()
    deleting = k8s.start_kubectl("delete", "pod", "web-0", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    k8s.vote(waiting["id"], "reject", reason="not before noon")
    done = k8s.finished(deleting)
    assert done.code == 1
    assert "the request was rejected: not before noon" in done.said
    assert waiting["id"] in done.said
    assert not [one for one in k8s.reached() if one.method == "DELETE"]


def test_whoever_gives_up_waiting_withdraws_and_nothing_runs(own_k8s):
    k8s = own_k8s()
    deleting = k8s.start_kubectl("delete", "pod", "web-0", "-n", "shop", "--wait=false")
    (waiting,) = k8s.waiting()
    deleting.kill()
    k8s.until_recorded(EventKind.APPROVAL_WITHDRAWN)
    status, _ = k8s.vote(waiting["id"])
    assert status == 409
    assert not [one for one in k8s.reached() if one.method == "DELETE"]


def test_a_wait_ends_by_itself_with_words(own_k8s):
    k8s = own_k8s(hold="1s")
    done = k8s.kubectl("delete", "pod", "web-0", "-n", "shop", "--wait=false", check=False)
    assert done.code == 1
    assert "approval ap-" in done.said


def test_an_exec_is_held_and_then_runs_on_the_connection_that_waited(own_k8s):
    policy = """\
version: 1
rules:
  - id: look
    effect: allow
    resource: prod
    do: [read]
    objects: ["shop/core/pods/*"]
  - id: exec-needs-a-human
    effect: hold
    resource: prod
    do: [execute, unknown]
    objects: ["shop/core/pods/exec/*"]
    approve: {by: {groups: [platform]}}
"""
    k8s = own_k8s(policy=policy)
    running = k8s.start_kubectl("exec", "web-0", "-n", "shop", "--", "echo", "approved")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "runs in container app: echo approved" in json.dumps(card)
    k8s.vote(waiting["id"])
    done = k8s.finished(running)
    assert (done.code, done.out) == (0, "approved\n"), done.said
    refused = k8s.start_kubectl("exec", "web-0", "-n", "shop", "--", "echo", "no")
    (waiting,) = k8s.waiting()
    k8s.vote(waiting["id"], "reject", reason="not today")
    done = k8s.finished(refused)
    assert "the request was rejected: not today" in done.said  # and not what SPDY was refused with
    assert not k8s.call("GET", "/v1/approvals?state=pending", k8s.approver())[1]["approvals"]


def test_bodies_that_wait_leave_room_for_others(own_k8s):
    k8s = own_k8s(tail="limits: {bodies: 8KiB}")
    image = "shop/web:" + "x" * 1600
    waiting = k8s.start_kubectl("set", "image", "deployment/web", f"app={image}", "-n", "shop")
    k8s.waiting()
    path, kind = "/api/v1/namespaces/shop/configmaps/settings", {"content-type": "application/merge-patch+json"}
    body = json.dumps({"data": {"a": "x" * 600}}).encode()
    status, headers, told = k8s.raw("PATCH", path, headers=kind, body=body)
    assert (status, told["reason"], headers["retry-after"]) == (429, "TooManyRequests", "5")
    assert not k8s.reached("/configmaps/settings")
    assert k8s.raw("PATCH", path, headers=kind, body=body, token=k8s.token("crew-2"))[0] == 200
    assert k8s.raw("GET", path)[0] == 200
    waiting.kill()
    k8s.until_recorded(EventKind.APPROVAL_WITHDRAWN)
    assert any(k8s.raw("PATCH", path, headers=kind, body=body)[0] == 200 for _ in range(100))


def test_lim_one_identity_leaves_room_for_others(own_k8s):
    k8s = own_k8s(tail="limits: {sessions_per_identity: 1}")
    waiting = k8s.start_kubectl("set", "image", "deployment/web", "app=shop/web:2", "-n", "shop")
    k8s.waiting()
    status, _, told = k8s.raw("GET", "/api/v1/namespaces/shop/pods")
    assert (status, told["reason"]) == (429, "TooManyRequests")
    assert "as many sessions open as one identity may (1)" in told["message"]
    assert k8s.raw("GET", "/api/v1/namespaces/shop/pods", token=k8s.token("crew-2"))[0] == 200
    waiting.kill()


def test_a_held_copy_is_a_matter_of_the_pod_and_its_card_shows_what_runs(own_k8s, tmp_path):
    policy = """\
version: 1
rules:
  - {id: look, effect: allow, resource: prod, do: [read], objects: ["shop/core/pods/*"]}
  - id: copies-need-a-human
    effect: hold
    resource: prod
    do: [execute, read, write, unknown]
    objects: ["shop/core/pods/exec/*"]
    approve: {by: {groups: [platform]}}
"""
    k8s = own_k8s(policy=policy)
    file = tmp_path / "notes.txt"
    file.write_text("kept")
    copying = k8s.start_kubectl("cp", str(file), "shop/web-0:notes.txt")
    (asking,) = k8s.waiting()  # whether there is such a folder: kubectl's own first question
    _, card = k8s.call("GET", f"/v1/approvals/{asking['id']}", k8s.approver())
    assert "kubectl cp asks this before it copies into a pod" in json.dumps(card)
    k8s.vote(asking["id"])
    k8s.until_recorded(EventKind.OPERATION_FINISHED, "exec shop/core/pods/exec/web-0")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "tar -xmf" in json.dumps(card)
    k8s.vote(waiting["id"])
    done = k8s.finished(copying)
    assert done.code == 0, done.said
