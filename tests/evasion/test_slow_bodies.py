"""ATTACKS with bodies that drip: they hold a connection and a session, and no longer than a credential lasts."""

import json
import socket
import ssl

from http_stack import CONFIG

HELD_BACK = 100_000  # more than is waited for before an answer


def _drip(client, host, path, token):
    """Begin a body, and never end it."""
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {HELD_BACK}", "", "{"]
    client.settimeout(120)
    client.sendall("\r\n".join(head).encode())


def _answer(client):
    """What is said at the end: a status, and a document."""
    got = b""
    while piece := client.recv(65536):
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


def _end_all(gateway, operator):
    gateway.until_recorded("session.opened")
    for one in gateway.call("GET", "/v1/sessions", operator)[1]["sessions"]:
        path = f"/v1/sessions/{one['session']}/end"
        assert gateway.call("POST", path, operator, {"reason": "enough"})[0] == 200


def test_h_08_a_body_that_drips_ends_with_its_session(own_http):
    http = own_http(config=CONFIG.replace("identity:\n", "operators: {{groups: [operators]}}\nidentity:\n"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(http.sockets / "http.sock"))
        _drip(client, "localhost", "/crm/orders", http.token())
        _end_all(http, http.approver("olga", ("operators",)))
        status, told = _answer(client)
    assert (status, told["type"]) == (403, "urn:doorward:ended")
    assert "enough" in told["detail"]
    assert http.crm.seen == []
    http.until_recorded("session.closed")


def test_k_10_a_body_that_drips_ends_with_its_session(own_k8s):
    k8s = own_k8s()
    context = ssl.create_default_context(cafile=str(k8s.state / "tls/ca.crt"))
    with (
        socket.create_connection(("localhost", k8s.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as client,
    ):
        _drip(client, "localhost", "/prod/api/v1/namespaces/shop/configmaps", k8s.token())
        _end_all(k8s, k8s.approver("opal", ("platform",)))
        status, told = _answer(client)
    assert (status, told["kind"]) == (403, "Status")
    assert "enough" in told["message"]
    assert not k8s.cluster.requests
    k8s.until_recorded("session.closed")
