"""The official Python client (the package `kubernetes`): lists, changes, watches, logs, exec and what is refused."""

import contextlib
import gc
import json
import threading

import kubernetes
import pytest
from k8s_stack import MASKS, POLICY
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

# The client leaves sockets open (of a watch that is given up, of an exec that is refused): that is its own affair, and
# is seen here, where it is expected, and not in whatever test comes next.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextlib.contextmanager
def client(k8s, **who):
    """The API as a program has it that was handed a kubeconfig."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(k8s.kubeconfig(**who)), client_configuration=configuration)
    with kubernetes.client.ApiClient(configuration) as api:
        yield api
        api.rest_client.pool_manager.clear()  # closing the client leaves its connections open
    del api
    gc.collect()


def run(core, *command):
    """What a command in a pod says; the client itself would leave the connection open."""
    running = stream(core.connect_get_namespaced_pod_exec, "web-0", "shop", command=[*command], _preload_content=False)
    running.run_forever(timeout=60)
    over(running)
    return running.read_all()


def over(running):
    """Close it: where the other side has said goodbye first, not every version lets go of the socket."""
    running.close()
    running.sock.shutdown()


@pytest.fixture
def api(k8s):
    with client(k8s) as made:
        yield made


@pytest.fixture
def core(api):
    return kubernetes.client.CoreV1Api(api)


def test_pods_are_listed_in_pages_and_by_label(k8s, core):
    assert [pod.metadata.name for pod in core.list_namespaced_pod("shop").items] == ["web-0", "web-1"]
    page = core.list_namespaced_pod("shop", limit=1, label_selector="app=web")
    rest = core.list_namespaced_pod("shop", limit=5, label_selector="app=web", _continue=page.metadata._continue)
    assert [pod.metadata.name for pod in [*page.items, *rest.items]] == ["web-0", "web-1"]
    assert k8s.reached("/pods")[-1].user.name == "doorward:crew-1"


def test_an_object_is_patched_in_each_way(k8s, core):
    core.patch_namespaced_config_map("settings", "shop", {"data": {"colour": "red"}})
    assert k8s.cluster.stored("configmaps", "settings", "shop")["data"]["colour"] == "red"
    core.patch_namespaced_config_map("settings", "shop", [{"op": "add", "path": "/data/size", "value": "9"}])
    assert k8s.cluster.stored("configmaps", "settings", "shop")["data"]["size"] == "9"
    core.patch_namespaced_config_map("settings", "shop", {"data": {"size": None, "colour": "blue"}})
    assert k8s.cluster.stored("configmaps", "settings", "shop")["data"] == {"colour": "blue"}


def test_an_object_is_made_replaced_and_deleted(k8s, core):
    body = kubernetes.client.V1ConfigMap(metadata={"name": "made"}, data={"a": "1"})
    core.create_namespaced_config_map("shop", body)
    found = core.read_namespaced_config_map("made", "shop")
    found.data = {"a": "2"}
    core.replace_namespaced_config_map("made", "shop", found)
    assert k8s.cluster.stored("configmaps", "made", "shop")["data"] == {"a": "2"}
    core.delete_namespaced_config_map("made", "shop")
    with pytest.raises(ApiException) as told:
        core.read_namespaced_config_map("made", "shop")
    assert told.value.status == 404


def test_a_refusal_is_an_exception_with_the_reason(k8s, core):
    with pytest.raises(ApiException) as told:
        core.delete_namespaced_pod("till-0", "store")
    status = json.loads(told.value.body)
    assert (told.value.status, status["kind"], status["reason"]) == (403, "Status", "Forbidden")
    assert "No rule allows write (delete) on store/core/pods/till-0" in status["message"]
    assert not [one for one in k8s.reached() if one.method == "DELETE"]


def test_a_change_waits_for_a_person_and_is_made(own_k8s):
    k8s = own_k8s()
    done = []

    def scale(api):
        apps = kubernetes.client.AppsV1Api(api)
        done.append(apps.patch_namespaced_deployment_scale("web", "shop", {"spec": {"replicas": 4}}))

    with client(k8s) as api:
        asking = threading.Thread(target=scale, args=(api,))
        asking.start()
        (waiting,) = k8s.waiting()
        k8s.vote(waiting["id"])
        asking.join(60)
    assert done[0].spec.replicas == 4
    assert k8s.cluster.stored("deployments", "web", "shop", "apps")["spec"]["replicas"] == 4


def test_events_are_watched(k8s, core):
    watching = kubernetes.watch.Watch()
    events = watching.stream(core.list_namespaced_config_map, "shop", field_selector="metadata.name=settings")
    first = next(events)
    assert (first["type"], first["object"].metadata.name) == ("ADDED", "settings")
    core.patch_namespaced_config_map("settings", "shop", {"metadata": {"annotations": {"by": "python"}}})
    changed = next(events)
    assert (changed["type"], changed["object"].metadata.annotations["by"]) == ("MODIFIED", "python")
    watching.stop()
    events.close()


def test_logs_are_read(k8s, core):
    k8s.cluster.log("web-1", "hello", namespace="shop")
    told = core.read_namespaced_pod_log("web-1", "shop", _preload_content=False)  # as bytes: not every version decodes
    assert b"hello\n" in told.data


def test_a_command_runs_with_input_both_outputs_and_its_status(core):
    command = ["sh", "-c", "read line; echo got $line; echo err >&2; exit 3"]
    running = stream(
        core.connect_get_namespaced_pod_exec, "web-0", "shop", command=command, _preload_content=False,
        stdin=True, stdout=True, stderr=True, tty=False,
    )  # fmt: skip
    running.write_stdin("hello\n")
    running.run_forever(timeout=60)
    assert (running.read_stdout(), running.read_stderr()) == ("got hello\n", "err\n")
    assert running.returncode == 3
    over(running)


def test_a_command_that_policy_forbids_never_runs(k8s, core):
    try:
        run(core, "rm", "-rf", "/x")
    except (ApiException, AttributeError) as told:  # 36 trips over a refusal without a body, with the refusal behind it
        words = f"{told} {told.__context__}"
    gc.collect()  # the socket that it leaves open is seen here
    assert "403" in words  # a handshake's status is in its words alone
    assert not k8s.reached("/exec")


def test_a_secret_and_a_commands_output_come_masked(own_k8s):
    k8s = own_k8s(policy=POLICY + MASKS)
    with client(k8s) as api:
        core = kubernetes.client.CoreV1Api(api)
        assert core.read_namespaced_secret("db", "shop").data["password"] != "c3VwZXItc2VjcmV0LTEyMw=="
        (container,) = core.read_namespaced_pod("web-0", "shop").spec.containers
        assert container.env[0].value.startswith("[masked")
        assert run(core, "echo", "mail", "ada@example.com") == "mail [masked:email]\n"
