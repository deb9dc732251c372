"""The target, asked as the gateway would ask it: read only, with the account that its owner set aside.

What it is: `connect`, `ask` and `read_catalogue`, the only places of the console where a database is spoken to.
What it will not do: change anything there, wait without bound, or repeat what a server said: a server's words may
quote a value, so a fault carries their SQLSTATE alone.
"""

import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pg8000.core
import pg8000.exceptions
import pg8000.native
import trio

from doorward_core.errors import GatewayError
from doorward_core.model import Secret
from doorward_core.net.secrets import resolve_secret
from doorward_core.net.tls import NamedContext, client_context
from doorward_core.sql.catalog_load import Connection, load_catalog

if TYPE_CHECKING:
    from doorward_core.config import ResourceSettings
    from doorward_core.sql.catalog import Catalog

TIMEOUT_S = 15
# Of the session: the server, too, stops working for us, waits for nobody's lock for long, and sends UTF-8.
_BOUNDS = f"SET statement_timeout = '{TIMEOUT_S}s'; SET lock_timeout = '2s'; SET client_encoding = 'UTF8'"
# pg8000 checks SCRAM with scramp, and lets its exceptions through.
_SCRAM_ERROR: type[Exception] = pg8000.core.scramp.ScramException
# What pg8000 raises when what answers does not speak as a PostgreSQL server does.
_NONSENSE = (pg8000.exceptions.Error, _SCRAM_ERROR, struct.error, KeyError, IndexError, ValueError, AttributeError)


class NoCatalogue(Exception):
    """The target's catalogue cannot be read; the message says why."""


class Trouble(StrEnum):
    """Why the target cannot be asked."""

    UNREACHABLE = "unreachable"
    NO_TLS = "no-tls"
    CERTIFICATE = "certificate"
    REFUSED = "refused"  # the server answered with an error: `sqlstate` says which
    NONSENSE = "nonsense"


class TargetFault(Exception):
    """The target could not be asked. `detail` comes from this machine alone, never from the server."""

    def __init__(self, trouble: Trouble, detail: str = "", sqlstate: str = "") -> None:
        super().__init__(detail or sqlstate or trouble.value)
        self.trouble = trouble
        self.detail = detail
        self.sqlstate = sqlstate


@dataclass(frozen=True, slots=True)
class Login:
    """Where, and as whom. A `host` that begins with "/" is a socket's folder; without `context` there is no TLS."""

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = None
    context: ssl.SSLContext | NamedContext | None = None


def connect(login: Login) -> Connection:
    """Log in. Raises TargetFault."""
    local = login.host.startswith("/")
    try:
        connection: Connection = pg8000.native.Connection(
            login.user,
            host="" if local else login.host,
            port=login.port,
            unix_sock=f"{login.host}/.s.PGSQL.{login.port}" if local else None,
            database=login.database,
            password=login.password.reveal() if login.password else "",
            # False: pg8000 takes None for "TLS if there is some, verified by nobody".
            ssl_context=False if local or login.context is None else login.context,
            timeout=TIMEOUT_S,
            application_name="doorward",
        )
    except (*_NONSENSE, OSError) as error:
        raise _fault(error) from None
    ask(connection, _BOUNDS)
    return connection


def ask(connection: Connection, sql: str) -> list[list[Any]]:
    """Run a question, and give its rows. Raises TargetFault."""
    try:
        return list(connection.run(sql) or ())
    except (*_NONSENSE, OSError) as error:
        raise _fault(error) from None


def catalogue_of(login: Login) -> "Catalog":
    """Read the catalogue through a connection of its own. Raises TargetFault."""
    try:
        return load_catalog(lambda: connect(login))
    except (*_NONSENSE, OSError, TypeError) as error:
        raise _fault(error) from None


def read_catalogue(resource: "ResourceSettings", folder: Path) -> "Catalog":
    """Read that of a configured resource; paths in its block are relative to `folder`. Raises NoCatalogue."""
    target = resource.target
    if resource.protocol != "postgres" or not isinstance(target, Mapping):
        raise NoCatalogue(f"there is no catalogue behind the protocol {resource.protocol}")
    account = resource.accounts[resource.catalogue_account or resource.default_account]
    try:
        tls = target.get("tls", {})
        plain = str(target["host"]).startswith("/") or tls.get("mode") == "disable"
        login = Login(
            host=str(target["host"]),
            port=int(target.get("port", 5432)),
            database=str(target["database"]),
            user=account.user,
            password=trio.run(resolve_secret, account.password) if account.password else None,
            context=None if plain else _context(folder, tls),
        )
        return catalogue_of(login)
    except TargetFault as fault:
        words = f"{fault.trouble}: {fault}" if fault.detail or fault.sqlstate else fault.trouble.value
        raise NoCatalogue(f"the target's catalogue cannot be read ({words})") from None
    except (GatewayError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoCatalogue(f"the target's catalogue cannot be read: {error}") from error


def _context(folder: Path, tls: Mapping[str, Any]) -> NamedContext:
    authorities = folder / tls["ca"] if tls.get("ca") else None
    return NamedContext(client_context(authorities), str(tls.get("server_name") or ""))


def _fault(error: BaseException) -> TargetFault:
    """Say what happened, without the server's own words."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(error, pg8000.exceptions.DatabaseError):
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        state = str(fields.get("C", ""))
        return TargetFault(Trouble.REFUSED, sqlstate=state if state.isalnum() and state.isascii() else "")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TargetFault(Trouble.CERTIFICATE, str(cause.verify_message))
    if isinstance(cause, ssl.SSLError):
        return TargetFault(Trouble.CERTIFICATE, str(cause.reason or "the handshake failed"))
    if isinstance(cause, OSError):
        return TargetFault(Trouble.UNREACHABLE, cause.strerror or str(cause) or type(cause).__name__)
    if "refuses SSL" in str(error):
        return TargetFault(Trouble.NO_TLS)
    return TargetFault(Trouble.NONSENSE)
