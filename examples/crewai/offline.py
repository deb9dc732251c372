"""Holds this process to the machine that it runs on: a name or an address elsewhere is refused before it is asked for.

What it is: a hook at Python's own audit events (PEP 578), which cannot be taken off again. Import it first.
It is here to prove that the story needs no network, whatever the libraries would like to report or to look up.
What it will not do: stop code that is not Python. libpq is such code, and dials the gateway alone.
"""

import ipaddress
import sys

attempts: list[str] = []
"""What was asked for elsewhere, and refused."""


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _is_here(host):
        attempts.append(str(host))
        raise PermissionError(f"this process stays on its machine, and was to reach {host}")


sys.addaudithook(_watch)
