"""The demonstration's API server is one: the real kubectl, each version that is here, works with it."""

import base64
import http.client
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubectl_stand import OLDEST_WITH_WEBSOCKETS, Kubectl, programs
from terminal import Terminal

from doorward_demo.cluster import GATEWAY, Cluster

pytestmark = pytest.mark.need_kubectl

MANIFEST = """
apiVersion: v1
kind: Secret
metadata: {name: app}
stringData: {token: s3cr3t}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: %(replicas)d
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: api, image: "%(image)s", env: %(env)s}]
"""


def manifest(folder: Path, replicas: int = 2, image: str = "nginx:1", env: str = "[{name: A, value: x}]") -> str:
    path = folder / "manifest.yaml"
    path.write_text(MANIFEST % {"replicas": replicas, "image": image, "env": env})
    return str(path)


def done(answer) -> str:
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_get_shows_tables_and_objects(kubectl: Kubectl) -> None:
    assert re.search(r"^web-0 +1/1 +Running", done(kubectl("get", "pods")), re.MULTILINE)
    assert "10.244.0.7" in done(kubectl("get", "pods", "-o", "wide", "-A"))
    assert "password: aHVudGVyMg==" in done(kubectl("get", "secret", "db", "-o", "yaml"))
    assert done(kubectl("get", "pods", "-l", "app=web,tier!=x", "-o", "name")) == "pod/web-0\n"
    assert done(kubectl("get", "pods", "--field-selector", "metadata.name=other", "-o", "name")) == ""
    assert '"db" not found' not in kubectl("get", "secret", "other").stderr


def test_describe_and_logs(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.log("web-0", "one", "two")
    assert "Image:          nginx" in done(kubectl("describe", "pod", "web-0"))
    assert done(kubectl("logs", "web-0")) == "one\ntwo\n"
    assert done(kubectl("logs", "web-0", "--tail=1")) == "two\n"


def test_logs_are_followed(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.log("web-0", "one")
    following = kubectl.start("logs", "-f", "web-0")
    assert following.stdout is not None
    assert following.stdout.readline() == "one\n"
    cluster.log("web-0", "two")
    assert following.stdout.readline() == "two\n"
    following.terminate()
    following.communicate()


def test_what_happens_is_watched(cluster: Cluster, kubectl: Kubectl) -> None:
    watching = kubectl.start("get", "pods", "-w", "-o", "name")
    assert watching.stdout is not None
    assert watching.stdout.readline() == "pod/web-0\n"
    cluster.add({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "late"}, "spec": {"containers": []}})
    assert watching.stdout.readline() == "pod/late\n"
    watching.terminate()
    watching.communicate()


def test_apply_from_the_client_makes_changes_and_takes_away(kubectl: Kubectl, tmp_path: Path) -> None:
    assert "created" in done(
        kubectl("apply", "-f", manifest(tmp_path, env="[{name: A, value: x}, {name: B, value: y}]"))
    )
    path = manifest(tmp_path, image="nginx:2")
    differs = kubectl("diff", "-f", path)
    assert differs.returncode == 1
    assert "+        image: nginx:2" in differs.stdout
    assert "api configured (server dry run)" in done(kubectl("apply", "--dry-run=server", "-f", path))
    assert "api configured" in done(kubectl("apply", "-f", path))
    found = json.loads(done(kubectl("get", "deploy", "api", "-o", "json")))["spec"]["template"]["spec"]["containers"]
    assert found == [{"name": "api", "image": "nginx:2", "env": [{"name": "A", "value": "x"}]}]
    assert "api unchanged" in done(kubectl("apply", "-f", path))


def test_apply_at_the_server_knows_who_owns_what(kubectl: Kubectl, tmp_path: Path) -> None:
    done(kubectl("apply", "--server-side", "-f", manifest(tmp_path, env="[{name: A, value: x}, {name: B, value: y}]")))
    done(kubectl("scale", "deploy", "api", "--replicas=7"))
    path = manifest(tmp_path)
    refused = kubectl("apply", "--server-side", "-f", path)
    assert refused.returncode == 1
    assert ".spec.replicas" in refused.stderr
    done(kubectl("apply", "--server-side", "--force-conflicts", "-f", path))
    found = json.loads(done(kubectl("get", "deploy", "api", "-o", "json")))["spec"]
    assert found["replicas"] == 2
    assert found["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "x"}]


def test_objects_are_made_and_changed_by_hand(cluster: Cluster, kubectl: Kubectl) -> None:
    done(kubectl("create", "secret", "generic", "made", "--from-literal=a=hunter2"))
    assert cluster.stored("secrets", "made")["data"] == {"a": base64.b64encode(b"hunter2").decode()}
    done(kubectl("create", "configmap", "made", "--from-literal=a=b"))
    done(kubectl("label", "pod", "web-0", "tier=front"))
    done(kubectl("patch", "pod", "web-0", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/tier"}]'))
    done(kubectl("patch", "pod", "web-0", "--type=merge", "-p", '{"metadata":{"labels":{"b":"c"}}}'))
    assert cluster.stored("pods", "web-0")["metadata"]["labels"] == {"app": "web", "b": "c"}
    done(kubectl("create", "namespace", "tmp"))
    done(kubectl("create", "configmap", "within", "-n", "tmp"))
    done(kubectl("delete", "namespace", "tmp"))
    assert "NotFound" in kubectl("get", "configmap", "within", "-n", "tmp").stderr
    done(kubectl("delete", "configmap", "--all"))
    assert done(kubectl("get", "configmaps", "-o", "name")) == ""


def test_a_trial_changes_nothing(cluster: Cluster, kubectl: Kubectl) -> None:
    done(kubectl("delete", "pod", "web-0", "--dry-run=server"))
    done(kubectl("create", "configmap", "x", "--dry-run=server"))
    assert done(kubectl("get", "pods,configmaps", "-o", "name")) == "pod/web-0\n"


def test_it_explains_itself(kubectl: Kubectl) -> None:
    assert "FIELD: containers <[]Object>" in done(kubectl("explain", "pod.spec.containers"))
    assert "vouchers" in done(kubectl("api-resources"))
    assert "Server Version: v1.32.0" in done(kubectl("version"))
    assert "Metrics API not available" in kubectl("top", "pods").stderr


def test_who_may_do_what(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    cluster.api.forbidden.add(("jane", "delete", "pods"))
    gateway = Kubectl(cluster.kubeconfig(tmp_path / "gateway.json", GATEWAY), tmp_path)
    as_jane = ("--as=jane", "--as-group=team")
    assert "jane" in done(gateway("auth", "whoami", *as_jane))
    assert done(gateway("auth", "can-i", "get", "pods", *as_jane)) == "yes\n"
    assert gateway("auth", "can-i", "delete", "pods", *as_jane).stdout == "no\n"
    assert 'User "jane" cannot delete resource "pods"' in gateway("delete", "pod", "web-0", *as_jane).stderr
    assert cluster.requests[-1].user is not None
    assert cluster.requests[-1].user.groups == ("team", "system:authenticated")
    assert "cannot impersonate" in kubectl("get", "pods", "--as=jane").stderr
    stranger = Kubectl(cluster.kubeconfig(tmp_path / "stranger.json", "no such token"), tmp_path)
    assert "Unauthorized" in stranger("get", "pods").stderr


def test_lists_come_in_pages(cluster: Cluster, kubectl: Kubectl) -> None:
    maps = [{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": f"m-{number:04}"}} for number in range(1200)]
    cluster.add(*maps)
    assert len(done(kubectl("get", "configmaps", "-o", "name")).split()) == 1200
    assert sum("continue=" in request.target for request in cluster.requests) == 2


@pytest.mark.parametrize("minor", [minor for minor in programs() if minor >= OLDEST_WITH_WEBSOCKETS])
def test_commands_run_in_a_pod(kubectl: Kubectl, minor: int) -> None:
    own = Kubectl(kubectl.kubeconfig, kubectl.home, programs()[minor])
    assert done(own("exec", "-i", "web-0", "--", "cat", stdin="piped")) == "piped"
    failed = own("exec", "web-0", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (failed.returncode, failed.stdout) == (3, "out\n")
    assert failed.stderr.startswith("err\n")
    assert own("exec", "web-0", "--", "no-such-program").returncode == 127
    assert done(own("attach", "-i", "web-0", stdin="to attach")).endswith("to attach")


def test_a_terminal_has_its_size_and_its_signals(kubectl: Kubectl) -> None:
    command = kubectl.command("exec", "-it", "web-0", "--", "sh")
    with Terminal(command, **kubectl.environment) as terminal:
        terminal.type("stty size; tty\n")
        terminal.until("/dev/pts/")
        terminal.type("exit 4\n")
        assert terminal.process.wait(60) == 4


def test_files_are_copied_both_ways(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("content")
    done(kubectl("cp", "sent", "web-0:kept"))
    assert (cluster.folder / "pods" / "default" / "web-0" / "kept").read_text() == "content"
    done(kubectl("cp", "web-0:kept", "fetched"))
    assert (tmp_path / "fetched").read_text() == "content"


@pytest.fixture
def site() -> Iterator[int]:
    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 300_000)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_ports_are_forwarded(cluster: Cluster, kubectl: Kubectl, site: int) -> None:
    cluster.api.pods.ports["default", "web-0", 80] = site
    forwarding = kubectl.start("port-forward", "pod/web-0", ":80")
    assert forwarding.stdout is not None
    told = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
    assert told is not None
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", int(told[1]), timeout=60)
        connection.request("GET", "/")
        assert len(connection.getresponse().read()) == 300_000
        connection.close()
    forwarding.terminate()
    forwarding.communicate()


def test_a_pod_is_debugged(cluster: Cluster, kubectl: Kubectl) -> None:
    done(kubectl("debug", "web-0", "--image=busybox", "--profile=general", "--attach=false"))
    assert cluster.stored("pods", "web-0")["spec"]["ephemeralContainers"][0]["image"] == "busybox"


def test_streams_of_the_old_kind_are_refused_with_a_status(cluster: Cluster, kubectl: Kubectl) -> None:
    old = [minor for minor in programs() if minor < OLDEST_WITH_WEBSOCKETS - 1]
    if not old:
        pytest.skip("needs a kubectl older than 1.30")
    answer = Kubectl(kubectl.kubeconfig, kubectl.home, programs()[old[0]])("exec", "web-0", "--", "true")
    assert "streams are had over WebSocket alone" in answer.stderr
