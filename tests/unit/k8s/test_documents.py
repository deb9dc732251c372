"""What is written is read strictly, and what in it gives power over a node is found wherever it stands."""

import json

import pytest

from doorward_k8s.documents import JSON_PATCH, Unreadable, member, privileges, read_document

MERGE = "application/merge-patch+json"


def powers(document, media=MERGE, resource="deployments", *, workload=True):
    return privileges(document, media, resource, workload=workload)


def pod(**spec):
    return {"spec": {"template": {"spec": spec}}}


def container(**security):
    return pod(containers=[{"name": "a", "securityContext": security}])


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"{", MERGE),
        (b"\xff", MERGE),
        (b'{"a":1,"a":2}', MERGE),
        (b'{"a":NaN}', MERGE),
        (b'{"<<":{"privileged":true}}', "application/yaml"),
        (b"a: 1", "application/yaml"),
        (b"{}", "application/vnd.kubernetes.protobuf"),
        (b"[" * 200 + b"]" * 200, MERGE),
        (b"[" * 100_000, MERGE),
    ],
)
def test_a_body_that_two_could_read_in_two_ways_is_not_read(body, media):
    with pytest.raises(Unreadable):
        read_document(body, media)


def test_a_body_is_data_and_no_body_is_nothing():
    assert read_document(b"", "") is None
    assert member(read_document(b'{"a":{"b":1}}', ""), "a", "b") == 1
    assert member([1], "a") is None


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (pod(hostNetwork=True), "hostNetwork"),
        (pod(hostPID=True), "hostPID"),
        (pod(hostIPC=True), "hostIPC"),
        (pod(nodeName="n1"), "nodeName"),
        (pod(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), "hostPath"),
        (container(privileged=True), "privileged"),
        (container(Privileged=True), "privileged"),
        (container(capabilities={"add": ["SYS_ADMIN"]}), "capabilities"),
        (container(capabilities={"add": ["CAP_SYS_PTRACE"]}), "capabilities"),
        (container(procMount="Unmasked"), "procMount"),
        (container(seccompProfile={"type": "Unconfined"}), "an unconfined profile"),
        (container(windowsOptions={"hostProcess": True}), "hostProcess"),
        (pod(containers=[{"ports": [{"hostPort": 22}]}]), "hostPort"),
        (pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "sysctls"),
        (container(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions"),
        (pod(securityContext={"seLinuxOptions": {"level": "s0", "role": "system_r"}}), "seLinuxOptions"),
        (pod(containers=[{"livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 1}}}]), "a probe of another host"),
        ({"spec": {"devices": {"requests": [{"exactly": {"adminAccess": True}}]}}}, "adminAccess"),
        ({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}, "kubernetes.io/config.mirror"),
        ({"deeper": [{"job": [pod(hostNetwork=True)]}]}, "hostNetwork"),
    ],
)
def test_power_over_a_node_is_found(document, word):
    assert powers(document) == (word,)


@pytest.mark.parametrize(
    "document",
    [
        pod(containers=[{"name": "a", "image": "b", "ports": [{"hostPort": 0}]}]),
        pod(hostNetwork=False),
        container(privileged=False, capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
        container(seLinuxOptions={"type": "container_t", "level": "s0:c1,c2"}),
        pod(containers=[{"livenessProbe": {"httpGet": {"path": "/", "port": 80, "host": ""}}}]),
        {"data": {"hostPath": "/etc", "privileged": "true"}},
        None,
    ],
)
def test_what_has_none_is_found_to_have_none(document):
    assert powers(document) == ()


def test_a_node_is_named_in_workloads_alone():
    assert powers({"subsets": [{"addresses": [{"nodeName": "n"}]}]}, workload=False) == ()


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ([{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}], ("hostNetwork",)),
        ([{"op": "replace", "path": "/spec/template/spec/hostNetwork", "value": False}], ()),
        ([{"op": "add", "path": "/spec/volumes/0/hostPath/path", "value": "/"}], ("hostPath",)),
        ([{"op": "copy", "from": "/a/hostPath", "path": "/b"}], ("hostPath",)),
        ([{"op": "add", "path": "/a/seLinuxOptions/type", "value": "spc_t"}], ("seLinuxOptions",)),
        ([{"op": "add", "path": "/a/livenessProbe/httpGet/host", "value": "h"}], ("a probe of another host",)),
        ([{"op": "add", "path": "/metadata/labels/host", "value": "h"}], ()),
        ([{"op": "add", "path": "/spec/containers/0/securityContext", "value": {"privileged": True}}], ("privileged",)),
        ([{"op": "add", "path": "/x/capabilities/add/-", "value": "SYS_ADMIN"}], ("capabilities",)),
        (
            [{"op": "add", "path": "/metadata/annotations/kubernetes.io~1config.mirror", "value": "x"}],
            ("kubernetes.io/config.mirror",),
        ),
        ([{"op": "remove", "path": "/spec/hostNetwork"}, {"op": "test", "path": "/spec/hostPID", "value": True}], ()),
        (["no operation", {"op": "add", "path": 3}], ()),
    ],
)
def test_a_json_patch_is_read_by_its_paths(patch, found):
    assert powers(patch, JSON_PATCH) == found


def test_a_secret_that_makes_a_token_is_power():
    document = json.loads('{"type": "kubernetes.io/service-account-token"}')
    assert powers(document, resource="secrets", workload=False) == ("a token of a service account",)


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        # A value beside `copy` means nothing to the server.
        ([{"op": "copy", "from": "/a/flag", "path": "/b/privileged", "value": False}], ("privileged",)),
        ([{"op": "replace", "path": "", "value": pod(hostNetwork=True)}], ("hostNetwork",)),
        ([{"op": "replace", "path": "no-slash", "value": pod(hostPID=True)}], ("hostPID",)),
        ([{"op": "copy", "from": "/metadata/annotations/x", "path": "/spec/nodeName"}], ("nodeName",)),
        ([{"op": "move", "from": "/metadata/annotations/x", "path": "/a/procMount"}], ("procMount",)),
        ([{"op": "copy", "from": "/a/x", "path": "/a/seccompProfile/type"}], ("an unconfined profile",)),
        ([{"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/b"}], ()),
        ([{"op": "add", "path": "/a/privileged", "value": False}], ()),
        ([{"op": ["add"], "path": "/a/privileged"}, 1], ("privileged",)),
    ],
)
def test_a_json_patch_takes_no_power_by_moving_values(patch, found):
    assert powers(patch, JSON_PATCH) == found


def test_apparmor_is_switched_off_by_an_annotation_too():
    named = {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}}}
    assert powers(named) == ("an unconfined profile",)
