"""kubectl's larger commands through the gateway: debug, top, explain, scale, wait, events of many calls each."""

import json
import re

import pytest
from k8s_stack import POLICY

pytestmark = pytest.mark.need_kubectl

DEBUG = """\
  - id: debugging-needs-a-human
    effect: hold
    who: {groups: [crew-shop]}
    resource: prod
    do: [execute, write]
    objects: ["shop/core/pods/ephemeralcontainers/*"]
    approve: {by: {groups: [platform]}}
"""
WORDS = ("debug", "web-0", "-n", "shop", "--image=busybox", "--attach=false")


def test_a_pod_is_debugged_once_somebody_approves(own_k8s):
    k8s = own_k8s(policy=POLICY + DEBUG)
    debugging = k8s.start_kubectl(*WORDS, "--profile=baseline")
    (waiting,) = k8s.waiting()
    _, card = k8s.call("GET", f"/v1/approvals/{waiting['id']}", k8s.approver())
    assert "shop/core/pods/ephemeralcontainers/web-0" in json.dumps(card)
    assert "busybox" in json.dumps(card)
    k8s.vote(waiting["id"])
    done = k8s.finished(debugging)
    assert done.code == 0, done.said
    assert k8s.cluster.stored("pods", "web-0", "shop")["spec"]["ephemeralContainers"][0]["image"] == "busybox"


@pytest.mark.parametrize("profile", ["--profile=general", "--profile=sysadmin"])  # SYS_PTRACE; privileged
def test_a_debugger_with_more_power_than_the_baseline_is_refused_as_such(own_k8s, profile):
    k8s = own_k8s(policy=POLICY + DEBUG)
    told = k8s.kubectl(*WORDS, profile, check=False)
    assert told.code != 0
    assert "No rule allows admin" in told.said
    assert "ephemeralContainers" not in k8s.cluster.stored("pods", "web-0", "shop")["spec"]


def test_debug_without_leave_is_refused(k8s):
    told = k8s.kubectl(*WORDS, "--profile=baseline", check=False)
    assert "No rule allows" in told.said
    assert not [one for one in k8s.reached("/ephemeralcontainers") if one.method == "PATCH"]


def test_without_metrics_top_says_so(k8s):
    told = k8s.kubectl("top", "pods", "-n", "shop", check=False)
    assert told.code == 1
    assert "Metrics API not available" in told.said


def test_what_there_is_is_explained(k8s):
    assert "deployments" in k8s.kubectl("api-resources").out
    assert "FIELD: containers" in k8s.kubectl("explain", "pod.spec.containers").out
    assert re.search(r"Server Version: v1\.\d+", k8s.kubectl("version").out)


def test_ones_rights_are_the_clusters_answer_in_ones_own_name(own_k8s):
    k8s = own_k8s()
    assert k8s.kubectl("auth", "can-i", "list", "pods", "-n", "shop").out == "yes\n"
    assert "doorward:crew-1" in k8s.kubectl("auth", "whoami").out
    k8s.cluster.inside(lambda: k8s.cluster.api.forbidden.add(("doorward:crew-1", "delete", "pods")))
    told = k8s.kubectl("auth", "can-i", "delete", "pods", "-n", "shop", check=False)
    assert (told.code, told.out) == (1, "no\n")


def test_followed_logs_can_begin_late_and_be_of_several_pods(own_k8s):
    k8s = own_k8s()
    k8s.cluster.log("web-0", "one", "two", namespace="shop")
    assert k8s.kubectl("logs", "web-0", "-n", "shop", "--tail=1").out == "two\n"
    following = k8s.start_kubectl("logs", "-f", "-l", "app=web", "-n", "shop", "--tail=1", "--prefix")
    assert following.stdout.readline() == "[pod/web-0/app] two\n"
    k8s.cluster.log("web-1", "three", namespace="shop")
    assert following.stdout.readline() == "[pod/web-1/app] three\n"


def test_an_attach_sees_what_is_typed_and_a_folder_is_copied(k8s, tmp_path):
    folder = tmp_path / "site"
    (folder / "css").mkdir(parents=True)
    (folder / "index.html").write_text("hello")
    (folder / "css" / "a.css").write_text("body {}")
    k8s.kubectl("cp", str(folder), "shop/web-1:site")
    k8s.kubectl("cp", "shop/web-1:site", str(tmp_path / "back"))
    assert (tmp_path / "back" / "css" / "a.css").read_text() == "body {}"
    assert "typed" in k8s.kubectl("attach", "-i", "-n", "shop", "web-1", stdin="typed\n").out


def test_a_wait_ends_when_its_object_is_gone(k8s):
    k8s.kubectl("create", "configmap", "short", "-n", "shop")
    waiting = k8s.start_kubectl("wait", "--for=delete", "configmap/short", "-n", "shop", "--timeout=60s")
    k8s.kubectl("delete", "configmap", "short", "-n", "shop")
    assert k8s.finished(waiting).code == 0
