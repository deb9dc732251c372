"""Streams through a running gateway: what is cut anywhere, drips, pauses, breaks or unfolds, with masks on."""

import gzip
import json
import resource
import socket
import threading
import time
from pathlib import Path

import pytest
import requests
from http_raw import ask, request
from http_stack import CRM_TOKEN, MASKS, POLICY, http_started

from doorward_core.event import EventKind

SECRET = "grace.hopper@example.com"
DETECT = """\
masks:
  - id: pii
    resource: crm
    detect: [email, card]
    with: partial
    except: {groups: [privacy-office]}
"""


@pytest.fixture(scope="module")
def _masked(tmp_path_factory):
    with http_started(tmp_path_factory.mktemp("masked"), policy=POLICY + MASKS) as gateway:
        yield gateway


@pytest.fixture
def masked(_masked):
    _masked.crm.scripts.clear()
    _masked.crm.seen.clear()
    return _masked


def _streaming(pieces, *headers):
    """An answer of the CRM in chunks, each in a segment of its own."""

    def answer(crm, _):
        crm.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        crm.send_response(200)
        for name, value in headers:
            crm.send_header(name, value)
        crm.send_header("transfer-encoding", "chunked")
        crm.end_headers()
        for piece in pieces:
            crm.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        crm.wfile.write(b"0\r\n\r\n")

    return answer


BODIES = {
    "application/json": (json.dumps({"a": 1, "email": SECRET, "n": 1.50}).encode(), b'"n": 1.5'),
    "text/event-stream": (f'data: {{"email": "{SECRET}"}}\n\ndata: {{"n": 1}}\n\n'.encode(), b'"n": 1'),
    "text/csv": (f"n,email\r\n1,{SECRET}\r\n".encode(), b"n,email\r\n1,"),
    "application/x-ndjson": (f'{{"email":"{SECRET}"}}\n{{"n":1}}\n'.encode(), b'{"n":1}'),
    "multipart/mixed; boundary=b": (
        f'--b\r\nContent-Type: application/json\r\n\r\n{{"email": "{SECRET}", "n": 1}}\r\n--b--\r\n'.encode(),
        b'"n": 1',
    ),
}


@pytest.mark.parametrize("media", BODIES)
def test_h_06_a_value_cut_at_every_place_is_masked(masked, media):
    body, kept = BODIES[media]
    begin = body.index(SECRET.encode())
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(masked.state / "tls/ca.crt")
        session.headers["authorization"] = f"Bearer {masked.token()}"
        for cut in range(begin, begin + len(SECRET)):
            pieces = [body[:cut], body[cut : cut + 1], body[cut + 1 :]]
            masked.crm.scripts["GET", "/cut"] = _streaming(pieces, ("content-type", media))
            shown = session.get(masked.url("/crm/cut"), timeout=60).content
            assert kept in shown
            assert b"hopper" not in shown


def test_h_08_a_coded_bomb_ends_its_answer_and_nobody_else_suffers(masked):
    bomb = gzip.compress(b'{"a":"' + b"x" * (64 << 20) + b'"}')
    masked.crm.scripts["GET", "/bomb"] = lambda crm, _: crm.send(
        200, bomb, ("content-type", "application/json"), ("content-encoding", "gzip")
    )
    before = _resident(masked)
    answers = [masked.curling("/crm/bomb", "-o", "/dev/null") for _ in range(4)]
    assert masked.curl("/crm/customers/41").status == 200
    for waiting in answers:
        waiting.communicate(timeout=60)
    assert _resident(masked) - before < 80 << 20


def _resident(gateway):
    return int(Path(f"/proc/{gateway.process.pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()


# --- pauses -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detecting(tmp_path_factory):
    with http_started(tmp_path_factory.mktemp("detecting"), policy=POLICY + DETECT) as gateway:
        yield gateway


def _paused(first, then, release, media, coding=None):
    def answer(crm, _):
        crm.send_response(200)
        crm.send_header("content-type", media)
        crm.send_header("transfer-encoding", "chunked")
        crm.end_headers()
        for piece in (first, then):
            crm.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            crm.wfile.flush()
            release.wait(60)
        crm.wfile.write(b"0\r\n\r\n")

    return answer


@pytest.mark.parametrize(
    ("media", "first", "shown"),
    [
        ("text/plain", f"for {SECRET}: 10 % ".encode(), b": 10 % "),
        ("text/event-stream", b": still here\n", b": still here\n"),
    ],
)
def test_h_06_a_text_that_pauses_is_not_silenced_and_that_is_told(detecting, media, first, shown):
    release, before = threading.Event(), len(detecting.entries(EventKind.SESSION_CLOSED))
    detecting.crm.scripts["GET", "/slow"] = _paused(first, b"done\n\n", release, media)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(detecting.sockets / "http.sock"))
        client.sendall(request(detecting, "GET /crm/slow HTTP/1.1", "Connection: close"))
        got = b""
        while shown not in got:
            got += client.recv(65536)
        release.set()
        while piece := client.recv(65536):
            got += piece
    assert got.endswith(b"0\r\n\r\n")
    assert SECRET.encode() not in got
    closed = _closed_after(detecting, before)
    told = [line for line in closed.header["coverage"] if "200 ms" in line]
    assert len(told) == (media == "text/plain")


def _closed_after(gateway, before, within_s=60):
    """The session that ended last, once more have ended than `before`."""
    end = time.monotonic() + within_s
    while len(closed := gateway.entries(EventKind.SESSION_CLOSED)) == before:
        assert time.monotonic() < end
        time.sleep(0.05)
    return closed[-1]


def test_h_06_a_strict_mask_is_not_hurried(own_http):
    http = own_http(policy=POLICY + DETECT.replace("with: partial", "with: partial\n    strict: true"))
    release = threading.Event()
    paused = _paused(b"grace.hopper@", b"example.com\n", release, "text/plain")

    def slow(crm, seen):
        threading.Timer(0.5, release.set).start()  # from when the first piece leaves: more than text is kept for
        paused(crm, seen)

    http.crm.scripts["GET", "/slow"] = slow
    answer = http.curl("/crm/slow")
    assert answer.status == 200
    assert b"grace" not in answer.body


# --- what breaks ------------------------------------------------------------------------------------------------------


def _broken(framing, media="application/octet-stream"):
    """An answer that is reset in the middle of its body."""

    def answer(crm, _):
        crm.send_response(200)
        crm.send_header("content-type", media)
        crm.send_header(*framing)
        crm.end_headers()
        crm.wfile.write(b"5\r\nhello\r\n" if framing[1] == "chunked" else b"hello")
        crm.wfile.flush()
        crm.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        crm.connection.shutdown(socket.SHUT_RDWR)
        crm.close_connection = True

    return answer


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("framing", [("content-length", "100"), ("transfer-encoding", "chunked")])
def test_an_answer_that_breaks_is_never_given_a_clean_end(http, version, framing):
    path = f"/broken/{framing[0]}{version}"  # of its own: others are on record beside it
    http.crm.scripts["GET", path] = _broken(framing)
    answer = http.curl(f"/crm{path}", version)
    assert answer.code in {18, 56, 92, 95}, answer  # cut short, reset, a broken h2 stream
    (finished,) = http.until_recorded(EventKind.OPERATION_FINISHED, f"GET {path}")
    assert finished.header["status"] in {"aborted", "error"}
    assert http.curl("/crm/customers/41").status == 200


def test_an_answer_that_breaks_under_a_mask_is_withheld(masked):
    masked.crm.scripts["GET", "/broken"] = _broken(("content-length", "100"), "application/json")
    assert masked.curl("/crm/broken").status == 502


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_what_the_target_answers_before_it_has_read_ends_the_upload(own_http, version):
    http = own_http()
    done = threading.Event()

    def answer_at_once(listener):
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
            done.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        http.recorder.lead_to(listener.getsockname()[1])
        threading.Thread(target=answer_at_once, args=(listener,), daemon=True).start()
        body = b"x" * (64 << 20)
        answer = http.curl("/crm/files/early", version, "-T", "-", "-H", "Expect:", stdin=body)
        done.set()
    assert (answer.status, answer.body) == (413, b"no\n"), answer
    assert len(http.recorder.sent) < len(body)


def test_an_answer_nobody_waits_for_ends_at_the_target_too(http):
    gone = threading.Event()

    def endless(crm, _):
        crm.send_response(200)
        crm.send_header("content-type", "application/octet-stream")
        crm.send_header("transfer-encoding", "chunked")
        crm.end_headers()
        try:
            while True:
                crm.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            gone.set()

    http.crm.scripts["GET", "/endless"] = endless
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(http.sockets / "http.sock"))
        client.sendall(request(http, "GET /crm/endless HTTP/1.1"))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert gone.wait(60)


@pytest.mark.parametrize("retry", [True, False])
def test_a_client_that_leaves_while_held_withdraws_unless_it_may_come_back(own_http, retry):
    policy = POLICY.replace(
        "by: {groups: [sales-leads]}", f"by: {{groups: [sales-leads]}}, retry: {str(retry).lower()}"
    )
    http = own_http(policy=policy)
    waiting = http.curling("/crm/orders", "-d", "x=1")
    (asked,) = http.waiting()
    waiting.kill()
    waiting.communicate()
    http.until_recorded(EventKind.SESSION_CLOSED)
    _, answer = http.call("GET", "/v1/approvals?state=pending", http.approver())
    kept = [one["id"] for one in answer["approvals"]]
    assert (asked["id"] in kept) is retry
    assert bytes(http.recorder.sent) == b""


# --- upgrades that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [101, 200, 426, 500])
def test_h_02_an_answer_to_an_upgrade_that_was_not_decided_opens_no_tunnel(http, status):
    def tunnel(crm, _):
        crm.send_response(status)
        crm.send_header("connection", "upgrade")
        crm.send_header("upgrade", "websocket")
        if status != 101:
            crm.send_header("content-length", "0")
        crm.end_headers()
        crm.close_connection = True

    http.crm.scripts["GET", "/tunnel"] = tunnel
    answer = ask(http, "GET /crm/tunnel HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c, websocket2")
    code = int(answer.split()[1])
    assert code == (502 if status == 101 else status), answer
    assert b"\r\nupgrade:" not in answer.lower()
    assert CRM_TOKEN.encode() not in answer
