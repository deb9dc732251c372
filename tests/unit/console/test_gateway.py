"""The client of the control API: where it sends a token, and what it takes for an answer."""

import contextlib
import socket
import ssl
import threading

import pytest

from doorward_console.gateway import CannotAsk, Gateway, Refused
from doorward_console.init_certificate import self_signed
from doorward_core.model import Secret


class OneAnswer:
    """A server that sends the same bytes to whoever comes, on a Unix socket."""

    def __init__(self, path, data: bytes) -> None:
        self.url = f"unix:{path}"
        self.asked = b""
        self._data = data
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket, self._socket.accept()[0] as connection:
            # The whole request, body and all: closing with bytes unread would reset the connection under the client.
            while not self._whole():
                self.asked += connection.recv(65_536)
            connection.sendall(self._data)

    def _whole(self) -> bool:
        head, ended, body = self.asked.partition(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        return bool(ended) and len(body) >= int(length.partition(b":")[2])

    def join(self) -> None:
        self._thread.join()


def _answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


@pytest.fixture
def answering(tmp_path):
    servers = []

    def make(data: bytes) -> OneAnswer:
        servers.append(OneAnswer(tmp_path / "s", data))
        return servers[0]

    yield make
    for server in servers:
        server.join()


def test_the_token_goes_into_the_header_and_nowhere_else(answering):
    server = answering(_answer(200, b'{"a": 1}'))
    gateway = Gateway(server.url, Secret("canary"))
    assert gateway.get("/v1/x") == {"a": 1}
    server.join()
    assert b"Authorization: Bearer canary" in server.asked
    assert "canary" not in repr(vars(gateway))


def test_a_problem_is_a_refusal_in_the_gateways_words(answering):
    with pytest.raises(Refused, match="not yours") as caught:
        Gateway(answering(_answer(403, b'{"detail": "not yours"}')).url, Secret("t")).post("/v1/x", {})
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "data", [b"", b"garbage", _answer(200, b"<html>"), _answer(200, b"[]"), _answer(502, b"x"), b"HTTP/1.1 200 OK\r\n"]
)
def test_what_is_no_gateway_is_said_to_be_none(answering, data):
    with pytest.raises(CannotAsk):
        Gateway(answering(data).url, Secret("t")).get("/v1/x")


def test_an_answer_without_end_is_cut(answering, monkeypatch):
    monkeypatch.setattr("doorward_console.gateway.MAX_ANSWER_BYTES", 10)
    with pytest.raises(CannotAsk, match="too long"):
        Gateway(answering(_answer(200, b'{"a": "bbbbbbbbbbb"}')).url, Secret("t")).get("/v1/x")


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example:80",
        "http://10.0.0.1",
        "ftp://localhost",
        "localhost:9465",
        "https://x/y",
        "https://u@x",
        "",
    ],
)
def test_a_token_is_not_sent_in_clear_over_a_network_or_to_no_gateway(url):
    with pytest.raises(CannotAsk):
        Gateway(url, Secret("t")).get("/v1/x")


@pytest.mark.parametrize("url", ["unix:/nonexistent", "http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_a_gateway_that_is_not_there_is_said(url):
    with pytest.raises(CannotAsk, match="cannot be reached"):
        Gateway(url, Secret("t")).get("/v1/x")


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_of_authorities_that_cannot_be_read_is_said(tmp_path, text):
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CannotAsk, match=r"the certificates in .*ca\.pem cannot be read: "):
        Gateway("https://127.0.0.1:1", Secret("t"), file).get("/v1/x")


def test_a_certificate_that_nobody_vouches_for_is_said_with_the_option_that_names_one(tmp_path):
    for name, data in zip(("crt", "key"), self_signed(("127.0.0.1",)), strict=False):
        (tmp_path / name).write_bytes(data)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")

    def serve() -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as hidden:
            hidden.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        with pytest.raises(CannotAsk, match="; --ca-file says whose certificates to trust"):
            Gateway(f"https://127.0.0.1:{listener.getsockname()[1]}", Secret("t")).get("/v1/x")
        server.join()
