"""Bytes to a running HTTP gateway over its Unix socket, and what comes back: for requests that no client would send."""

import re
import socket


def raw(http, first, *later, within_s=300, head_only=False):
    """Send bytes, and read what comes back until an answer is whole, or the gateway ends.

    What is to be sent later is sent when the gateway has said something, such as 100.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(within_s)
        client.connect(str(http.sockets / "http.sock"))
        client.sendall(first)
        got, waiting = b"", list(later)
        while not (b"\r\n\r\n" in got if head_only else _whole(got)):
            try:
                piece = client.recv(65536)
            except ConnectionResetError:  # closed, with something of ours unread
                break
            if not piece:
                break
            got += piece
            if waiting and got.endswith(b"\r\n\r\n"):
                client.sendall(waiting.pop(0))
        return got


def _whole(got):
    head, _, body = got.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):
        head, _, body = body.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def request(http, line, *lines, host="localhost", body=b"", token=None):
    """A request as bytes, with a token; what is not said of its body's framing is said here."""
    token = token or http.token()
    head = [line, *([f"Host: {host}"] if host is not None else []), f"Authorization: Bearer {token}", *lines]
    if body and not any(one.lower().startswith(("content-length", "transfer-encoding")) for one in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def ask(http, line, *lines, **how):
    """One request, answered."""
    return raw(http, request(http, line, *lines, **how))


def status(answer):
    """The status of an answer."""
    return int(answer.split(b" ", 2)[1])
