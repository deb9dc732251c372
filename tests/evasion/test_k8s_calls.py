"""Calls that do something else than they seem to (threat model K): read by what they do, and never let through by it."""

import base64
import gzip
import json
import re
import socket
import ssl
import subprocess

import pytest
from k8s_stack import POLICY, k8s_started, pod
from pydantic import ValidationError

from doorward_core.event import EventKind
from doorward_core.http.messages import ResponseHead
from doorward_k8s.settings import K8sTarget

EXEC = "/api/v1/namespaces/{}/pods/{}/exec?command=ls&stdout=true"
UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": base64.b64encode(b"k" * 16).decode(),
    "sec-websocket-protocol": "v5.channel.k8s.io",
}


def plain(k8s, lines, *, path="/api/v1/namespaces/shop/pods", method="GET"):
    """Raw bytes on a TLS connection, and what comes back."""
    context = ssl.create_default_context(cafile=str(k8s.state / "tls/ca.crt"))
    head = [f"{method} /prod{path} HTTP/1.1", "Host: localhost", *lines, "Connection: close", "", ""]
    with (
        socket.create_connection(("127.0.0.1", k8s.port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as link,
    ):
        link.sendall("\r\n".join(head).encode("latin-1"))
        out = b""
        while data := link.recv(65536):
            out += data
    return int(out.split(b" ", 2)[1]), out


@pytest.mark.parametrize(
    "header",
    [
        "Impersonate-User: root",
        "IMPERSONATE-GROUP: system:masters",
        "impersonate_user: root",
        "Impersonate-Uid: 0",
        "Impersonate-Extra-Scopes: all",
        "Impersonate-Extra-acme.com%2Fproject: x",
        "Impersonate.User: root",
        "X-Remote-User: root",
        "X_Remote_Group: system:masters",
    ],
)
def test_k_01_who_asks_is_said_by_the_gateway_alone(k8s, header):
    status, out = plain(k8s, [f"Authorization: Bearer {k8s.token()}", header])
    assert status == 403
    assert b"who asks is the gateway's to say" in out
    assert not k8s.cluster.requests


def test_k_01_twice_is_no_better(k8s):
    headers = [f"Authorization: Bearer {k8s.token()}", "Impersonate-User: root", "Impersonate-User: doorward:crew-1"]
    assert plain(k8s, headers)[0] == 403
    assert not k8s.cluster.requests


@pytest.mark.need_kubectl
def test_k_01_kubectl_as_somebody_else_is_refused_in_words(k8s):
    told = k8s.kubectl("get", "pods", "-n", "shop", "--as=system:admin", check=False)
    assert "leave out --as" in told.said
    assert not k8s.reached()


def test_k_01_only_our_word_is_sent(k8s):
    assert k8s.raw("GET", "/api/v1/namespaces/shop/pods")[0] == 200
    (seen,) = k8s.reached("/pods")
    names = [name for name, _ in seen.headers if name.startswith(b"impersonate")]
    assert sorted(names) == [
        b"impersonate-extra-doorward-issuer",
        b"impersonate-extra-doorward-kind",
        b"impersonate-extra-doorward-session",
        b"impersonate-group",
        b"impersonate-user",
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("sub", ["exec?command=ls", "attach?stdin=true", "portforward"])
def test_k_02_a_stream_is_of_its_class_whatever_its_method(k8s, method, sub):
    headers = UPGRADE if method == "GET" else {"connection": "Upgrade", "upgrade": "SPDY/3.1"}
    status, _, told = k8s.raw(method, f"/api/v1/namespaces/store/pods/till-0/{sub}", headers=headers)
    assert status == 403
    assert re.search(r"No rule allows (execute|forward) \(connect\) on store/core/pods/", told["message"])
    assert not k8s.cluster.requests


def test_k_02_spdy_is_answered_with_what_helps_and_never_sent_on(k8s):
    spdy = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io"}
    status, _, told = k8s.raw("POST", EXEC.format("shop", "web-0"), headers=spdy)
    assert (status, "kubectl 1.31 or newer" in told["message"]) == (400, True)
    status, _, told = k8s.raw("POST", EXEC.format("shop", "web-0"))
    assert status == 400
    assert not k8s.cluster.requests


@pytest.mark.need_curl
def test_k_02_extended_connect_over_h2_is_not_offered(k8s):
    command = ["curl", "-s", "-o", "-", "-w", "%{http_code}", "--http2", "--cacert", str(k8s.state / "tls/ca.crt")]
    done = subprocess.run(
        [
            *command,
            "-X",
            "CONNECT",
            "-H",
            f"Authorization: Bearer {k8s.token()}",
            k8s.url(EXEC.format("shop", "web-0")),
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert not done.stdout.endswith((b"200", b"101"))
    assert not k8s.cluster.requests


def test_k_03_a_tunnel_is_one_only_after_the_targets_101(k8s):
    """The pod is not there: the API server answers the upgrade with 404, and that is all that the connection carries."""
    context = ssl.create_default_context(cafile=str(k8s.state / "tls/ca.crt"))
    lines = [f"{name}: {value}" for name, value in UPGRADE.items()]
    path = EXEC.format("shop", "no-such-pod")
    head = [f"GET /prod{path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {k8s.token()}", *lines, "", ""]
    with (
        socket.create_connection(("127.0.0.1", k8s.port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as link,
    ):
        smuggled = b"DELETE /api/v1/namespaces/shop/pods/web-0 HTTP/1.1\r\nHost: x\r\n\r\n"
        link.sendall("\r\n".join(head).encode() + smuggled)
        out = b""
        while out.count(b"HTTP/1.1 ") < 2:
            out += link.recv(65536)
    # What follows is a request like any other, to the gateway, and from nobody.
    assert re.findall(rb"HTTP/1.1 (\d+)", out) == [b"404", b"401"]
    assert [one.method for one in k8s.cluster.requests] == ["GET"]


@pytest.mark.parametrize(
    "protocol",
    [
        "channel.k8s.io",
        "base64.channel.k8s.io",
        "v1.channel.k8s.io",
        "v4.base64.channel.k8s.io",
        "x",
        "v6.channel.k8s.io",
    ],
)
def test_k_04_a_stream_protocol_that_is_not_spoken_is_refused(k8s, protocol):
    headers = {**UPGRADE, "sec-websocket-protocol": protocol}
    status, _, told = k8s.raw("GET", EXEC.format("shop", "web-0"), headers=headers)
    assert (status, "v5.channel.k8s.io" in told["message"]) == (400, True)
    assert not k8s.cluster.requests


def test_k_04_a_token_in_a_subprotocol_is_one_and_neither_sent_on_nor_logged(k8s):
    token = k8s.token()
    hidden = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    said = f"base64url.bearer.authorization.k8s.io.{hidden}, v4.channel.k8s.io"
    headers = {**UPGRADE, "sec-websocket-protocol": said}
    status, _, _ = k8s.raw("GET", EXEC.format("shop", "no-such-pod"), token="", headers=headers)
    assert status == 404  # of the cluster: the gateway knew who asked
    (seen,) = k8s.cluster.requests
    assert dict(seen.headers)[b"sec-websocket-protocol"] == b"v4.channel.k8s.io"
    assert hidden not in repr(seen.headers)
    assert k8s.raw("GET", EXEC.format("shop", "web-0"), token=token, headers=headers)[0] == 401  # two tokens
    k8s.until_recorded(EventKind.OPERATION_FINISHED, "no-such-pod")
    assert hidden not in repr([(entry.header, entry.payload) for entry in k8s.entries()])
    assert hidden not in k8s.said()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop/pods/web-0/proxy/admin",
        "/api/v1/namespaces/shop/services/https:web:443/proxy/",
        "/api/v1/nodes/n1/proxy/run/shop/web-0/app",
        "/api/v1/proxy/namespaces/shop/pods/web-0/x",
    ],
)
def test_k_05_http_through_the_api_is_no_read(k8s, path):
    status, _, told = k8s.raw("GET", path)
    assert status == 403
    assert "allows read" not in told["message"]
    assert not k8s.cluster.requests


@pytest.mark.parametrize(
    "path", ["/proxy/..%2f..%2fx", "/proxy/../../secrets/db", "/proxy//x", "/proxy/%2e%2e/x", "/proxy/a;b"]
)
def test_k_05_a_nested_path_is_never_normalised_away(k8s, path):
    assert k8s.raw("GET", f"/api/v1/namespaces/shop/pods/web-0{path}")[0] in {400, 403}
    assert not k8s.cluster.requests


PRIVILEGED = [
    ("POST", "/api/v1/namespaces/shop/pods/web-0/binding", {}),
    ("POST", "/api/v1/namespaces/shop/pods/web-0/eviction", {}),
    ("PATCH", "/api/v1/namespaces/shop/pods/web-0/ephemeralcontainers", {}),
    ("POST", "/api/v1/namespaces/shop/serviceaccounts/default/token", {}),
    ("PUT", "/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval", {}),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", {"metadata": {"name": "x"}}),
    ("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {}),
    ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}),
    ("POST", "/api/v1/namespaces/shop/pods", pod("a", volumes=[{"name": "h", "hostPath": {"path": "/"}}])),
    ("POST", "/api/v1/namespaces/shop/pods", pod("a", nodeName="n1", hostPID=True)),
    ("POST", "/api/v1/namespaces/shop/secrets", {"type": "kubernetes.io/service-account-token"}),
]


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """A gateway whose crew may write whatever is in its namespace, and nothing more."""
    rules = """\
version: 1
rules:
  - id: write
    effect: allow
    resource: prod
    do: [read, write]
    objects: ["**", "*/core/secrets/*"]
"""
    with k8s_started(tmp_path_factory.mktemp("writers"), policy=rules) as gateway:
        yield gateway


@pytest.mark.parametrize(("method", "path", "body"), PRIVILEGED)
def test_k_07_what_gives_power_is_no_plain_write(writers, method, path, body):
    writers.cluster.requests.clear()
    media = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
    status, _, told = writers.raw(method, path, headers={"content-type": media}, body=json.dumps(body))
    assert status == 403
    assert re.search(r"No rule allows .*\b(admin|execute) \(", told["message"]), told
    assert not writers.cluster.requests


def test_k_07_a_patch_that_adds_power_later_is_seen_as_well(writers):
    writers.cluster.requests.clear()
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    patch = [{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}]
    headers = {"content-type": "application/json-patch+json"}
    assert writers.raw("PATCH", path, headers=headers, body=json.dumps(patch))[0] == 403
    yaml = b"spec:\n  template:\n    spec:\n      hostNetwork: true\n"
    headers = {"content-type": "application/apply-patch+yaml"}
    status, _, told = writers.raw("PATCH", path, headers=headers, body=yaml)
    assert (status, "could not be read whole" in told["message"]) == (403, True)
    assert not writers.cluster.requests


HOST = b'{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"hostPID": true}}'


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (HOST.replace(b"hostPID", b"host\\u0050ID"), ""),
        (HOST.replace(b"hostPID", b"HOSTpid"), ""),
        (HOST.replace(b'"hostPID": true', b'"hostPID": false, "HOSTPID": true'), ""),
        (b"\xef\xbb\xbf" + HOST, ""),
        (HOST.decode().encode("utf-16"), ""),
        (HOST + b" ", ""),
        (b"# words\n" + HOST, ""),
        (HOST + b"\n---\n" + HOST, ""),
        (gzip.compress(HOST), "gzip"),
    ],
    ids=("escaped", "capitals", "twice", "mark", "utf-16", "space", "comment", "stream", "gzip"),
)
def test_k_07_power_is_seen_however_it_is_written(writers, body, coding):
    writers.cluster.requests.clear()
    for media in ("application/json", "application/yaml"):
        headers = {"content-type": media, **({"content-encoding": coding} if coding else {})}
        status, _, told = writers.raw("POST", "/api/v1/namespaces/shop/pods", headers=headers, body=body)
        assert 400 <= status < 500, told
    assert not writers.cluster.requests


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/apis/apps.evil.example/v1/namespaces/shop/deployments/web/console"),
        ("OPTIONS", "/api/v1/namespaces/shop/pods"),
        ("GET", "/api/v1/namespaces/shop/pods/web-0/unheard"),
        ("GET", "/apis/x/y/namespaces/a/..%2fb"),
        ("GET", "/api/v1/namespaces/shop/pods/"),
        ("PUT", "/api/v1/namespaces/shop/pods"),
        ("GET", "/api/v1/namespaces/%73hop/%70ods/web-0%00"),
        ("GET", "/API/v1/namespaces/shop/pods"),
    ],
)
def test_k_08_what_the_rules_of_the_api_do_not_name_is_not_let_through(k8s, method, path):
    assert k8s.raw(method, path)[0] in {400, 403, 405}
    assert not k8s.cluster.requests


def test_k_08_a_look_alike_group_is_another_group(own_k8s):
    rules = """\
version: 1
rules:
  - {id: r, effect: allow, resource: prod, do: [read], objects: ["shop/apps/deployments/*"]}
"""
    k8s = own_k8s(policy=rules)
    assert k8s.raw("GET", "/apis/apps/v1/namespaces/shop/deployments/web")[0] == 200
    for group in ("apps.example.com", "app", "apps.", "xn--apps-"):
        assert k8s.raw("GET", f"/apis/{group}/v1/namespaces/shop/deployments/web")[0] == 403


@pytest.mark.need_kubectl
def test_k_09_a_port_that_is_asked_for_within_the_tunnel_is_decided_on(own_k8s):
    only = 'objects: ["shop/core/pods/portforward/*"]\n'
    k8s = own_k8s(policy=POLICY.replace(only, f'{only}    when: {{port: ["5432"]}}\n'))
    forwarding = k8s.start_kubectl("port-forward", "-n", "shop", "pod/web-0", ":22")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"x")
        (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "to port 22")
    assert (decided.header["action"], decided.header["verdict"]) == ("forward", "deny")


def test_k_09_deletecollection_is_seen_to_be_of_all(own_k8s):
    rules = """\
version: 1
rules:
  - {id: w, effect: allow, resource: prod, do: [write], objects: ["shop/core/pods/web-*"]}
  - {id: r, effect: allow, resource: prod, do: [read], objects: ["**"]}
"""
    k8s = own_k8s(policy=rules)
    status, _, told = k8s.raw("DELETE", "/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb")
    assert (status, "write (deletecollection) on shop/core/pods/" in told["message"]) == (403, True)
    assert not k8s.cluster.requests


def test_k_09_a_dry_run_that_was_approved_is_not_the_real_thing(own_k8s):
    rules = """\
version: 1
rules:
  - id: hold
    effect: hold
    resource: prod
    do: [write]
    objects: ["shop/**"]
    approve: {by: {groups: [platform]}, retry: true}
"""
    k8s = own_k8s(policy=rules, hold="1s")
    path = "/api/v1/namespaces/shop/configmaps/settings"
    token = k8s.token()
    assert k8s.raw("DELETE", f"{path}?dryRun=All", token=token)[0] == 403
    (waiting,) = k8s.waiting()
    assert k8s.vote(waiting["id"], retry=True)[0] == 200
    assert k8s.raw("DELETE", path, token=token)[0] == 403  # held anew
    assert not k8s.cluster.requests
    assert k8s.raw("DELETE", f"{path}?dryRun=All", token=token)[0] == 200
    assert k8s.cluster.stored("configmaps", "settings", "shop")


def test_k_09_a_dry_run_in_the_query_is_none_where_the_body_says_otherwise(writers):
    writers.cluster.requests.clear()
    path = "/api/v1/namespaces/shop/configmaps/settings?dryRun=All"
    status, _, told = writers.raw("DELETE", path, headers={"content-type": "application/json"}, body="{}")
    assert (status, "not alike" in told["message"]) == (400, True)
    assert not writers.cluster.requests


def test_k_09_the_object_of_one_rule_and_the_command_of_another_are_never_added_up(own_k8s):
    rules = """\
version: 1
rules:
  - {id: a, effect: allow, resource: prod, do: [execute], objects: ["shop/core/pods/exec/*"], commands: ["ls *"]}
  - {id: b, effect: allow, resource: prod, do: [execute], objects: ["store/core/pods/exec/*"], commands: ["id"]}
"""
    k8s = own_k8s(policy=rules)
    told = k8s.raw("GET", "/api/v1/namespaces/shop/pods/web-0/exec?command=id", headers=UPGRADE)
    assert told[0] == 403
    assert not k8s.cluster.requests


@pytest.mark.need_kubectl
def test_k_10_a_watch_and_a_log_end_with_their_session(own_k8s):
    k8s = own_k8s()
    watching = k8s.start_kubectl("get", "configmaps", "-n", "shop", "-w")
    assert watching.stdout.readline()
    k8s.cluster.log("web-0", "hello", namespace="shop")
    following = k8s.start_kubectl("logs", "-f", "web-0", "-n", "shop")
    assert following.stdout.readline() == "hello\n"
    operator = k8s.approver("opal", ("platform",))
    sessions = k8s.call("GET", "/v1/sessions", operator)[1]["sessions"]
    for one in sessions:
        k8s.call("POST", f"/v1/sessions/{one['session']}/end", operator, {"reason": "enough"})
    for process in (watching, following):
        k8s.finished(process)


@pytest.mark.need_kubectl
def test_k_10_nothing_goes_on_after_the_credential(own_k8s):
    k8s = own_k8s(skew="1s")
    k8s.cluster.log("web-0", "hello", namespace="shop")
    for lifetime_s in (4, 12, 40):  # the shortest in which both begin, however long that takes here
        token = k8s.token(lifetime_s=lifetime_s)
        words = ("exec", "-n", "shop", "web-0", "--", "sh", "-c", "echo here; sleep 600")
        running = k8s.start_kubectl(*words, token=token)
        following = k8s.start_kubectl("logs", "-f", "web-0", "-n", "shop", token=token)
        begun = running.stdout.readline(), following.stdout.readline()
        assert k8s.finished(running).code != 0
        k8s.finished(following)
        if all(begun):
            break
    assert begun == ("here\n", "hello\n")


class Elsewhere:
    """A server that sends its clients away."""

    async def handle(self, exchange):
        exchange.established()
        await exchange.respond(ResponseHead(302, ((b"location", b"https://evil.example/steal"),)))


def test_k_11_where_the_server_sends_its_clients_is_neither_followed_nor_passed_on(own_k8s):
    k8s = own_k8s()
    k8s.cluster.api = Elsewhere()
    status, headers, told = k8s.raw("GET", "/api/v1/namespaces/shop/pods")
    assert (status, told["kind"]) == (502, "Status")
    assert "evil" not in repr((headers, told))


def test_k_11_a_clients_certificate_and_a_way_around_verifying_are_not_offered():
    given = {"at": ("/prod",), "server": "https://api:6443"}
    for more in ({"insecure_skip_tls_verify": True}, {"tls": {"verify": False}}, {"server": "http://api"}):
        with pytest.raises(ValidationError):
            K8sTarget.model_validate({**given, **more})
