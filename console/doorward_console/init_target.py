"""The target that an operator names: its URL, the password for it, TLS, and what went wrong in words with advice.

What it is: `parse_target`, `find_password` (PGPASSWORD, the password file of libpq), `explain`.
It implements libpq's connection URIs as far as one server, one database and one user need them, and its password file
(PostgreSQL documentation, "The Password File").
What it will not do: take a password from the command line, where others and the shell's history would see it, or repeat
any part of a URL that it refused: it may hold one.

Invariant: a password is a `Secret` from the moment it is read.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from doorward_console.catalogue import TargetFault, Trouble
from doorward_core.model import Secret

SCHEMES = ("postgresql", "postgres")
DEFAULT_PORT = 5432
MAX_URL_CHARS = 2048
MAX_PASSWORD_FILE_BYTES = 1024 * 1024
PASSWORD_WANTED = "28P01"  # noqa: S105 - the SQLSTATE with which a server refuses for want of a (right) password

_SHAPE = "--target is written as postgresql://user@host:port/database"
_TOLD_TOO_MUCH = (
    "--target holds a password, and others on this machine and your shell's history have seen it now: take it out "
    "(and think of changing it), and put it into PGPASSWORD or ~/.pgpass"
)
_ELSEWHERE = {
    "sslmode": "--target-tls",
    "sslrootcert": "--target-ca",
    "host": "the URL's own place for it, or for a socket's folder ?host=/path alone",
}
_STATES: Mapping[str, str] = {
    "28P01": "it does not accept this password for this user",
    "28000": "it does not let this user in from here: look at its pg_hba.conf, and at whether it asks for TLS",
    "3D000": "it has no database of this name",
    "42501": "this user has no right to connect to this database",
    "53300": "it has no connection free",
    "57P03": "it is starting or stopping: try again in a moment",
    "57014": "it took too long to answer",
    "55000": "this database takes no connections",
}


class BadTarget(ValueError):
    """The target cannot be used as it was written; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where, and as whom. A `host` that begins with "/" is the folder of a Unix socket."""

    host: str
    port: int
    database: str
    user: str

    @property
    def local(self) -> bool:
        """Whether it is reached over a Unix socket: no network, and no TLS."""
        return self.host.startswith("/")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.database} at {host}:{self.port}"


def parse_target(url: str) -> Place:
    """Read a URL. Raises BadTarget."""
    if len(url) > MAX_URL_CHARS or not url.isprintable():
        raise BadTarget(_SHAPE)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadTarget(f"{_SHAPE}; a special character in a name is written as %40 and the like") from None
    account, _, server = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if ":" in account or "password" in options:
        raise BadTarget(_TOLD_TOO_MUCH)
    if parts.scheme not in SCHEMES or parts.fragment or "," in server:
        raise BadTarget(_SHAPE)
    folder = options.pop("host", "") if not parts.hostname else ""
    for name in options:
        if name in _ELSEWHERE:
            raise BadTarget(f"--target: {name} has no place here; use {_ELSEWHERE[name]}")
        raise BadTarget(f"{_SHAPE}, without options behind a `?`")
    if folder and not folder.startswith("/"):
        raise BadTarget("--target: ?host= is for the folder of a Unix socket, /run/postgresql for one")
    user, database = unquote(account), unquote(parts.path.removeprefix("/"))
    host = folder or unquote(parts.hostname or "")
    if not host or not user or not database or not (host + user + database).isprintable():
        missing = [what for what, given in (("user", user), ("host", host), ("database", database)) if not given]
        raise BadTarget(f"{_SHAPE}{'; there is no ' + ' and no '.join(missing) if missing else ''}")
    return Place(host, port if port is not None else DEFAULT_PORT, database, user)


def find_password(place: Place, environment: Mapping[str, str]) -> Secret | None:
    """The password that libpq would take: PGPASSWORD, else the password file's first line that fits."""
    given = environment.get("PGPASSWORD")
    if given:
        return Secret(given)
    path = Path(environment.get("PGPASSFILE") or Path(environment.get("HOME", "/")) / ".pgpass")
    try:
        with path.open("rb") as file:
            # As libpq: a file that others can read is not used, and neither is what is no plain file.
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
                return None
            text = file.read(MAX_PASSWORD_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    return from_password_file(text, place)


def from_password_file(text: str, place: Place) -> Secret | None:
    """The password of the first line `host:port:database:user:password` that fits; `*` fits anything."""
    host = "localhost" if place.local else place.host
    asked = (host, str(place.port), place.database, place.user)
    for line in text.splitlines():
        fields = _fields(line)
        if line.startswith("#") or len(fields) != len(asked) + 1:
            continue
        if all(field in ("*", value) for field, value in zip(fields, asked, strict=False)):
            return Secret(fields[-1]) if fields[-1] else None
    return None


def _fields(line: str) -> list[str]:
    """The five fields of a line; a backslash takes the next character as it is."""
    fields, escaped = [""], False
    for char in line:
        if char == ":" and not escaped and len(fields) <= 4:  # noqa: PLR2004 - the password is the fifth, colons and all
            fields.append("")
        elif char == "\\" and not escaped:
            escaped = True
            continue
        else:
            fields[-1] += char
        escaped = False
    return fields


def explain(fault: TargetFault, place: Place) -> str:
    """What went wrong, and what to do about it."""
    start = f"{place} cannot be asked"
    if fault.trouble is Trouble.UNREACHABLE:
        return f"{start}: {fault.detail}. Is it the right host and port, and is the server reachable from here?"
    if fault.trouble is Trouble.NO_TLS:
        return (
            f"{start}: the server offers no TLS. Turn it on there (ssl = on); only if you trust the whole way between "
            "gateway and server: --target-tls disable"
        )
    if fault.trouble is Trouble.CERTIFICATE:
        return (
            f"{start}: TLS: {fault.detail}. If its certificate comes from an authority of your own: --target-ca FILE; "
            "the host in --target must be a name that the certificate is for"
        )
    if fault.trouble is Trouble.REFUSED:
        return f"{start}: {_STATES.get(fault.sqlstate, f'the server refused, with SQLSTATE {fault.sqlstate}')}"
    return f"{start}: what answers there does not speak as a PostgreSQL server does"
