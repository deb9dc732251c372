"""What an operator can say of a target, each as a client and a target see it."""

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from http_stack import CONFIG, CRM_TOKEN, POLICY

from doorward_core.event import EventKind


def _credentials(http):
    return [seen.header("authorization") + seen.header("x-api-key") for seen in http.crm.seen]


@pytest.mark.parametrize(
    ("send", "shown"),
    [
        ("basic", ["Basic " + base64.b64encode(f"doorward:{CRM_TOKEN}".encode()).decode(), "mine"]),
        ("{header: {name: X-Api-Key, prefix: 'key '}}", [f"key {CRM_TOKEN}"]),
        ("nothing", ["mine"]),
    ],
)
def test_the_account_is_shown_as_the_target_wants_it(own_http, send, shown):
    gateway = own_http(send=send)
    gateway.crm.scripts["GET", "/x"] = lambda crm, _: crm.say(200, {})
    assert gateway.curl("/crm/x", "-H", "X-Api-Key: mine").status == 200
    assert _credentials(gateway) == [shown]


def test_an_access_token_is_had_with_client_credentials_and_again_when_it_is_refused(own_http):
    oauth = "send: {{oauth: {{token_url: 'http://127.0.0.1:{target}/token'}}}}"
    gateway = own_http(config=CONFIG.replace("send: {send}", oauth))
    given = []

    def token(crm, seen):
        given.append(f"t{len(given)}")
        assert seen.header("authorization")[0].startswith("Basic ")
        crm.say(200, {"access_token": given[-1], "token_type": "bearer", "expires_in": 3600})

    gateway.crm.scripts["POST", "/token"] = token
    gateway.crm.scripts["GET", "/x"] = lambda crm, seen: crm.say(
        200 if seen.header("authorization") == ["Bearer t1"] else 401, {}
    )
    assert [gateway.curl("/crm/x").status for _ in range(3)] == [502, 200, 200]
    assert given == ["t0", "t1"]


@pytest.fixture
def tls_crm(tmp_path):
    """A maker of TLS targets: the certificate of the gateway's own stack, and whom it asks for one."""
    import threading  # noqa: PLC0415 - for this fixture alone
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415 - as above

    from doorward_demo.certificates import write_certificates  # noqa: PLC0415 - as above

    write_certificates(tmp_path / "target")
    made = []

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            body = json.dumps({"peer": bool(self.connection.getpeercert()), "host": self.headers["host"]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def make(client_ca=None):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "target/server.crt", tmp_path / "target/server.key")
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made.append((server, thread))
        return server.server_address[1]

    yield make
    for server, thread in made:
        server.shutdown()
        thread.join()
        server.server_close()


def _over_tls(port, host="localhost"):
    return CONFIG.replace("url: http://127.0.0.1:{target}{base}", f"url: https://{host}:{port}")


def test_a_target_behind_tls_is_verified_against_its_authorities_and_its_name(own_http, tls_crm, tmp_path):
    port = tls_crm()
    ca = tmp_path / "target/ca.crt"
    good = own_http(config=_over_tls(port), more=f"      tls: {{ca: {ca}}}")
    answer = good.curl("/crm/x")
    assert (answer.status, answer.json["host"]) == (200, f"localhost:{port}")
    stranger = own_http(config=_over_tls(port))
    assert stranger.curl("/crm/x").status == 502
    misnamed = own_http(config=_over_tls(port), more=f"      tls: {{ca: {ca}, server_name: other.internal}}")
    assert misnamed.curl("/crm/x").status == 502


def test_a_target_can_ask_the_gateway_for_a_certificate(own_http, tls_crm, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=gateway", "-keyout", tmp_path / "c.key", "-out", tmp_path / "c.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = tls_crm(tmp_path / "c.crt")
    tls = f"ca: {tmp_path}/target/ca.crt"
    known = own_http(
        config=_over_tls(port), more=f"      tls: {{{tls}, certificate: {tmp_path}/c.crt, key: {tmp_path}/c.key}}"
    )
    answer = known.curl("/crm/x")
    assert (answer.status, answer.json["peer"]) == (200, True)
    assert own_http(config=_over_tls(port), more=f"      tls: {{{tls}}}").curl("/crm/x").status == 502


def test_http2_towards_the_client(http):
    done = subprocess.run(
        [item for item in http.command("/crm/customers/42") if item != "--http1.1"] + ["--http2"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(b"HTTP/2 200")
    assert b"Grace" in done.stdout
    refused = subprocess.run(
        [item for item in http.command("/crm/customers/42", "-X", "DELETE") if item != "--http1.1"] + ["--http2"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert refused.stdout.startswith(b"HTTP/2 403")
    assert b"urn:doorward:refused" in refused.stdout


def test_what_the_description_does_not_have_is_refused(own_http, tmp_path):
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.0.0\npaths:\n  /customers/{id}: {get: {responses: {}}}\n"
        "  /search: {post: {x-doorward-action: read, responses: {}}}\n"
    )
    gateway = own_http(more=f"      openapi: {tmp_path}/api.yaml")
    assert gateway.curl("/crm/customers/42").status == 200
    assert gateway.curl("/crm/search", "-d", "q=1").status == 200
    refused = gateway.curl("/crm/internal/debug")
    assert refused.status == 403
    assert "the description of this API has no such request" in refused.json["detail"]


def test_cookies_slashes_and_other_headers_for_tokens(own_http):
    gateway = own_http(more="      cookies: true\n      encoded_slashes: true\n      tokens_in: [X-Api-Key]")
    gateway.crm.scripts["GET", "/login"] = lambda crm, _: crm.send(200, b"", ("set-cookie", "session=1"))
    assert gateway.curl("/crm/login").headers["set-cookie"] == "session=1"
    token = gateway.token()
    answer = gateway.curl("/crm/files/a%2Fb", "-H", "Cookie: session=1", "-H", f"X-Api-Key: {token}", auth=False)
    assert answer.status == 200
    seen = gateway.crm.seen[-1]
    assert (seen.target, seen.header("cookie"), seen.header("x-api-key")) == ("/files/a%2Fb", ["session=1"], [])
    assert gateway.curl("/crm/customers", "-H", f"X-Api-Key: {token}").status == 401


def test_overrides_pass_where_the_operator_says_that_the_target_knows_none(own_http):
    gateway = own_http(more="      overrides: ignored")
    answer = gateway.curl("/crm/files/1?_method=x", "-H", "X-HTTP-Method-Override: PUT", "-d", "_method=delete")
    assert answer.status == 200
    assert gateway.crm.seen[0].body == b"_method=delete"


def test_observe_mode_lets_through_says_so_and_records_what_would_have_been(own_http):
    config = CONFIG.replace(
        "    protocol: http\n", "    protocol: http\n    mode: {{observe: {{until: 2099-12-31}}}}\n"
    )
    gateway = own_http(config=config)
    answer = gateway.curl("/crm/customers/42", "-X", "DELETE")
    assert (answer.status, answer.headers["doorward-mode"]) == (200, "observe")
    (decided,) = gateway.until_recorded(EventKind.OPERATION_DECIDED)
    assert (decided.header["verdict"], decided.header["observed"]) == ("permit", "deny")


def test_a_changed_policy_is_in_force_for_the_next_request_of_a_connection(own_http):
    gateway = own_http()
    client = http.client.HTTPConnection("gateway", timeout=20)
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(str(gateway.sockets / "http.sock"))
    headers = {"authorization": f"Bearer {gateway.token()}", "host": "crm.localhost"}

    def ask(target):
        client.request("GET", target, headers=headers)
        answer = client.getresponse()
        answer.read()
        return answer.status

    assert ask("/customers?view=full") == 200
    (gateway.state / "policy.yaml").write_text(
        POLICY + '  - {id: no-view, effect: block, resource: crm, do: [read], when: {"query.view": ["full"]}}\n'
    )
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until_recorded(EventKind.POLICY_LOADED)
    end = time.monotonic() + 60
    while ask("/customers?view=full") != 403:
        assert time.monotonic() < end
    assert ask("/customers?view=short") == 200
    client.close()


def test_a_place_that_two_resources_claim_stops_the_gateway(own_http):
    more = "    accounts: {{app: {{user: x, password: {{env: CRM_TOKEN}}}}}}\n  second:\n    protocol: http\n"
    more += "    target: {{at: [/crm], url: 'http://127.0.0.1:1', send: bearer}}\n"
    with pytest.raises(AssertionError, match="/crm is claimed by crm and by second"):
        own_http(config=CONFIG.replace("{more}\n", more))


def test_a_gateway_going_down_denies_what_is_held_and_tells_its_client(own_http):
    gateway = own_http()
    waiting = gateway.curling("/crm/orders", "-d", "x=1")
    gateway.waiting()
    gateway.process.send_signal(signal.SIGTERM)
    answer = gateway.finished(waiting)
    assert (answer.status, answer.json["type"]) == (503, "urn:doorward:going-down")
    assert gateway.process.wait(30) == 0
    assert gateway.crm.seen == []


def _end_session(gateway):
    operator = gateway.approver(subject="olga", groups=("operators",))
    status, told = gateway.call("GET", "/v1/sessions", operator)
    assert status == 200, told
    for session in told["sessions"]:
        name = session["session"]
        status, said = gateway.call("POST", f"/v1/sessions/{name}/end", operator, {"reason": "enough for today"})
        assert status == 200, said


def test_a_session_that_an_operator_ends_ends_what_it_waits_for(own_http):
    config = CONFIG.replace("identity:\n", "operators: {{groups: [operators]}}\nidentity:\n")
    gateway = own_http(config=config)
    waiting = gateway.curling("/crm/orders", "-d", "x=1")
    gateway.waiting()
    watch = [sys.executable, "-m", "doorward_console", "sessions", "watch", "last"]
    watch += ["--gateway", f"unix:{gateway.sockets}/approvals.sock"]
    environment = {**os.environ, "DOORWARD_TOKEN": gateway.issuer.issue("eve", "human", ("operators",))}
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert "that you do is on record" in watching.stdout.readline()
        assert "no terminal to watch" in watching.stdout.readline()
        _end_session(gateway)
        assert "enough for today" in watching.communicate(timeout=60)[0]
    answer = gateway.finished(waiting)
    assert (answer.status, answer.json["type"]) == (403, "urn:doorward:ended")
    assert "enough for today" in answer.json["detail"]
    assert gateway.crm.seen == []


def test_h_08_bodies_that_are_kept_leave_room_for_others(own_http):
    http = own_http(config=CONFIG + "limits: {{bodies: 4KiB}}\n")
    waiting = http.curling("/crm/orders", "-d", "x" * 900)
    http.until_recorded(EventKind.OPERATION_HELD)
    crowded = http.curl("/crm/files/a", "-X", "POST", "-d", "x" * 200)
    assert (crowded.status, crowded.json["type"]) == (503, "urn:doorward:no-room")
    assert crowded.headers["retry-after"] == "5"
    dripped = http.curl("/crm/files/a", "-T", "-", stdin=b"x" * 200)  # says no length
    assert dripped.status == 503, dripped
    assert http.crm.seen == []
    assert http.curl("/crm/files/a", "-d", "x" * 200, subject="crew-2").status == 200
    assert http.curl("/crm/customers").status == 200
    waiting.kill()
    again = ("/crm/files/a", "-d", "x" * 200)
    assert any(http.curl(*again).status == 200 for _ in range(100))  # once the gateway has seen who went


def test_lim_one_identity_leaves_room_for_others(own_http):
    http = own_http(config=CONFIG + "limits: {{sessions_per_identity: 1}}\n")
    waiting = http.curling("/crm/orders", "-d", "x=1")
    http.until_recorded(EventKind.OPERATION_HELD)
    crowded = http.curl("/crm/customers")
    assert (crowded.status, crowded.json["type"]) == (429, "urn:doorward:too-many-sessions")
    assert "as many sessions open as one identity may (1)" in crowded.json["detail"]
    assert crowded.json["retry"] is True
    assert http.crm.seen == []
    assert http.curl("/crm/customers", subject="crew-2").status == 200
    waiting.kill()
    assert any(http.curl("/crm/customers").status == 200 for _ in range(100))  # once the gateway has seen who went


def test_a_credential_that_is_not_there_is_told_at_the_start_and_to_whoever_asks(own_http):
    http = own_http(config=CONFIG.replace("env: CRM_TOKEN", "env: NO_SUCH_TOKEN"))
    words = "resources.crm.accounts.app.password: environment variable NO_SUCH_TOKEN is not set"
    assert words in (http.state / "gateway.log").read_text()
    answer = http.curl("/crm/customers")
    assert (answer.status, answer.json["type"]) == (502, "urn:doorward:target")
    assert "NO_SUCH_TOKEN" not in answer.json["detail"]  # where secrets are kept is not the client's to know
    assert "NO_SUCH_TOKEN" in str([entry.header for entry in http.entries(EventKind.GATEWAY_ERROR)])
    assert http.crm.seen == []
