"""The API that `doorward init http` is pointed at: how it is written, and a sample of its JSON.

What it is: `parse_target`, and `Asker`, which GETs the paths that the operator names, and nothing else.
What it will not do: follow a redirect, send a credential anywhere but there, take one from the command line, or keep
or show what came back.

Invariants: read only (GET); each answer is bounded in time and size; certificates are verified.
"""

import http.client
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from doorward_console.init_doors import MAX_PORT, CannotInit
from doorward_core.model import Secret
from doorward_core.net.tls import client_context

MAX_URL_CHARS: Final = 2048
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
TIMEOUT_S: Final = 20.0
SENDS: Final = ("bearer", "basic", "nothing")
_HEADER: Final = re.compile(r"header:([A-Za-z][A-Za-z0-9-]{0,63})\Z")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@%/?-]*\Z")
_BASE: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9:][A-Za-z0-9_.:-]{0,253}\Z")
_SHAPE: Final = "--target is written as https://host[:port][/path]"
_TOLD_TOO_MUCH: Final = (
    "--target holds a credential, and others on this machine and your shell's history have seen it now: take it out "
    "(and think of changing it), and put it into the variable that --credential-env names"
)
_STATUS: Final = {
    401: "it wants a credential: put it into {variable}, or name a --credential-file; --send says how it is shown",
    403: "it does not let this credential in",
    404: "there is nothing at this path",
}


class BadTarget(ValueError):
    """The target cannot be used as it was written; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an API is. `base` is the path that everything lies below, without a slash at its end."""

    scheme: str
    host: str
    port: int | None
    base: str

    @property
    def loopback(self) -> bool:
        """Whether no network is crossed."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.base}"


@dataclass(frozen=True, slots=True)
class Send:
    """How a credential is shown: `bearer`, `basic` as `user`, in the header `header`, or not at all."""

    how: str
    header: str = ""

    def headers(self, user: str, credential: Secret | None) -> dict[str, str]:
        """What a request carries."""
        if credential is None or self.how == "nothing":
            return {}
        told = credential.reveal()
        if self.how == "basic":
            from base64 import b64encode  # noqa: PLC0415 - beside its only use

            return {"Authorization": f"Basic {b64encode(f'{user}:{told}'.encode()).decode('ascii')}"}
        return {self.header: told} if self.header else {"Authorization": f"Bearer {told}"}


def parse_target(url: str) -> Place:
    """Read a URL. Raises BadTarget."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadTarget(_SHAPE) from None
    if "@" in parts.netloc:
        raise BadTarget(_TOLD_TOO_MUCH)
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or "?" in url or "#" in url:
        raise BadTarget(f"{_SHAPE}, without a query")
    host = parts.hostname or ""
    fits = _HOST.match(host) and _BASE.match(parts.path) and not {".", ".."} & set(parts.path.split("/"))
    if parts.scheme not in ("https", "http") or not fits or port == 0:
        raise BadTarget(_SHAPE)
    return Place(parts.scheme, host, port, parts.path.removesuffix("/"))


def parse_send(text: str) -> Send:
    """Read `--send`. Raises CannotInit."""
    named = _HEADER.match(text)
    if named:
        return Send("header", named[1])
    if text not in SENDS:
        raise CannotInit(f"--send is one of {', '.join(SENDS)}, or header:NAME such as header:X-Api-Key")
    return Send(text)


def check_path(path: str) -> str:
    """A path, and perhaps a query, to be asked for below the target. Raises CannotInit."""
    plain = path.partition("?")[0]
    if not _PATH.match(path) or "//" in plain or {".", ".."} & set(plain.split("/")):
        raise CannotInit(f"--sample is a path below the target such as /customers?limit=50, and not {path}")
    return path


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one API for samples, as the account that the gateway will use."""

    place: Place
    headers: dict[str, str]
    authorities: Path | None
    variable: str

    def sample(self, path: str) -> Any:
        """One answer's JSON. Raises CannotInit; nothing of an answer is in its words."""
        place = self.place
        if place.scheme == "https":
            context = client_context(self.authorities)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                place.host, place.port, timeout=TIMEOUT_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT_S)
        assert place.port is None or place.port <= MAX_PORT
        try:
            connection.request("GET", f"{place.base}{path}", headers={"Accept": "application/json", **self.headers})
            with connection.getresponse() as answer:
                status, data = answer.status, answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            words = getattr(error, "strerror", None) or type(error).__name__
            advice = ": if its certificate comes from an authority of your own, --target-ca FILE" * ("CERT" in words)
            raise CannotInit(f"{place} cannot be asked: {words}{advice}") from None
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            told = _STATUS.get(status, f"it answered {status}").format(variable=self.variable)
            raise CannotInit(f"GET {path}: {told}")
        if len(data) > MAX_ANSWER_BYTES:
            raise CannotInit(f"GET {path}: more than {MAX_ANSWER_BYTES // 1024**2} MiB; ask for fewer (?limit=50)")
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise CannotInit(f"GET {path}: the answer is not JSON") from None
