"""What every `doorward init` has in common: where the gateway listens, whom it believes, and what things are called.

What it is: what the operator asked for that is about the gateway and not about its target, checked, and made into what
the configuration's text wants.
What it will not do: look at a target, or write a file.
"""

import re
import socket
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from doorward_console.init_certificate import names_for, self_signed
from doorward_console.init_folder import CERTIFICATE, KEY, NAMES, in_the_way, kept_certificate
from doorward_core.config_identity import Url

MAX_PORT = 65535
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_NAME = 63


class CannotInit(Exception):
    """It cannot be done as asked; the message says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the gateway is reached: `address:port` three times, and the operator's own certificate, if any."""

    listen: str
    approvals: str
    admin: str
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class Names:
    """Who is believed, who may do what, and what things are called; empty names are chosen here."""

    issuer: str
    audiences: tuple[str, ...]
    readers: str
    approvers: str
    resource: str
    origin: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway as its configuration has it. `*_at` are (address, port); paths are as they are to stand in the file."""

    resource: str
    account: str
    origin: str
    issuer: str
    audiences: tuple[str, ...]
    listen_at: tuple[str, int]
    approvals_at: tuple[str, int]
    admin_at: tuple[str, int]
    certificate: str
    key: str
    self_signed: str  # when it ends and for which names; empty where the operator brought a certificate
    readers: str
    approvers: str
    made_on: date


def fields_of(gateway: Gateway) -> dict[str, Any]:
    """Its fields, for a target's own description of the whole."""
    return {field.name: getattr(gateway, field.name) for field in fields(gateway)}


def check(folder: Path, doors: Doors, names: Names, needed: tuple[Path | None, ...], *, force: bool) -> None:
    """What was asked for, as far as it can be judged without the target. Raises CannotInit."""
    try:
        TypeAdapter(Url).validate_python(names.issuer)
    except ValidationError as error:
        raise CannotInit(f"--issuer: {error.errors()[0]['msg']}") from None
    if (doors.certificate is None) != (doors.key is None):
        raise CannotInit("--certificate and --key go together")
    absent = [str(path) for path in (doors.certificate, doors.key, *needed) if path and not path.is_file()]
    if absent:
        raise CannotInit(f"there is no file {' and no '.join(absent)}")
    standing = [] if force else in_the_way(folder, NAMES)
    if standing:
        raise CannotInit(f"{folder}: {' and '.join(standing)} would be overwritten; use --force, or another --folder")


def endpoint(text: str) -> tuple[str, int]:
    """`address:port`, an IPv6 address in brackets."""
    address, separator, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not separator or not address or not (port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT):
        raise CannotInit(f"{text}: where to listen is written as 127.0.0.1:6432")
    return address, int(port)


def fit_name(text: str) -> str:
    """A name that a configuration takes, as near as can be."""
    return _UNFIT.sub("-", text).strip("-._")[:_MAX_NAME] or "target"


def target_name(host: str) -> str:
    """What a server is called: the first word of its name, or its address."""
    first = host.partition(".")[0]
    return host.replace(":", "-") if ":" in host or first.isdigit() else first


def gateway(
    folder: Path, doors: Doors, names: Names, *, resource: str, account: str, kind: str
) -> tuple[Gateway, dict[str, bytes]]:
    """The gateway as it was asked for, and the certificate's files where they are to be written.

    `resource` and `account` are what the target's own names suggest; `kind` begins the name in the log.
    """
    ports = tuple(endpoint(text) for text in (doors.listen, doors.approvals, doors.admin))
    files, shown, key, told = _certificate(folder, doors, tuple(address for address, _ in ports[:2]))
    made = Gateway(
        resource=names.resource or fit_name(resource),
        account=fit_name(account),
        origin=names.origin or f"{kind}-gateway.{fit_name(socket.gethostname())}",
        issuer=names.issuer,
        audiences=names.audiences,
        listen_at=ports[0],
        approvals_at=ports[1],
        admin_at=ports[2],
        certificate=shown,
        key=key,
        self_signed=told,
        readers=names.readers,
        approvers=names.approvers,
        made_on=datetime.now(UTC).date(),
    )
    return made, files


def _certificate(folder: Path, doors: Doors, addresses: tuple[str, ...]) -> tuple[dict[str, bytes], str, str, str]:
    """(files to write, the certificate's and the key's path in the configuration, what to say if it is self-signed)."""
    if doors.certificate is not None and doors.key is not None:
        return {}, shown_path(doors.certificate, folder), shown_path(doors.key, folder), ""
    if kept_certificate(folder):
        return {}, CERTIFICATE, KEY, "at an earlier run, and left as it was"
    names = names_for(addresses)
    made, key, ends = self_signed(names)
    told = f"for {', '.join(names)}, until {ends:%Y-%m-%d}"
    return {CERTIFICATE: made, KEY: key}, CERTIFICATE, KEY, told


def shown_path(path: Path, folder: Path) -> str:
    """How the configuration names a file: relative where it lies in the folder, else whole."""
    whole, base = path.resolve(), folder.resolve()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)
