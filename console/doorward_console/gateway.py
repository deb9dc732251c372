"""The gateway's control API, as its client: over HTTPS, or over the Unix socket of the same machine.

It is plain and synchronous: one request, one answer, bounded in time and size.
It sends a token in clear to nobody but this machine: `http://` is for loopback only, and certificates are verified.
"""

import http.client
import ipaddress
import json
import socket
import ssl
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from doorward_core.model import Secret

TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Two hundred requests in a list, or one statement of the largest size that a gateway takes."""


class CannotAsk(Exception):
    """The gateway could not be reached, or did not answer as one."""


class Refused(Exception):
    """The gateway answered, and said no. `status` is HTTP's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Gateway:
    """Where a gateway is (`https://host:port`, `unix:/path`), and the token to show it."""

    def __init__(self, url: str, token: Secret, ca_file: Path | None = None) -> None:
        self._url = url
        self._token = token
        self._ca_file = ca_file

    def at(self, url: str) -> "Gateway":
        """Another gateway, asked by the same person."""
        return Gateway(url, self._token, self._ca_file)

    def get(self, path: str) -> dict[str, object]:
        """Ask."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Tell."""
        return self._ask("POST", path, json.dumps(body).encode("ascii"))

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, object]:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # `strerror` of a TLS error is its whole story; of others it spares people the number.
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            hint = (
                "; --ca-file says whose certificates to trust"
                if isinstance(error, ssl.SSLCertVerificationError)
                else ""
            )
            raise CannotAsk(f"the gateway at {self._url} cannot be reached: {words}{hint}") from error
        finally:
            connection.close()
        if len(data) > MAX_ANSWER_BYTES:
            raise CannotAsk("the gateway's answer is too long")
        return _read(answer.status, data)

    def _connection(self) -> http.client.HTTPConnection:
        if self._url.startswith("unix:"):
            return _UnixConnection(self._url.removeprefix("unix:").removeprefix("//"))
        parts = urlsplit(self._url)
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise CannotAsk(f"{self._url} is not the address of a gateway: https://host:port, or unix:/path")
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=self._trusting())
        if parts.scheme == "http" and _is_loopback(parts.hostname):
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        raise CannotAsk(f"{self._url}: a token is sent over https or unix only (http to this machine itself)")

    def _trusting(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:  # that of a file that is none of certificates is one, too
            raise CannotAsk(f"the certificates in {self._ca_file} cannot be read: {error.strerror}") from error


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("gateway", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(status: int, data: bytes) -> dict[str, object]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise CannotAsk(f"what answered is not a gateway (HTTP {status})") from error
    if not isinstance(document, dict):
        raise CannotAsk(f"what answered is not a gateway (HTTP {status})")
    if status >= http.HTTPStatus.BAD_REQUEST:
        raise Refused(status, str(document.get("detail", f"HTTP {status}")))
    return cast("dict[str, object]", document)
