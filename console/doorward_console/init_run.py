"""The course of `doorward init postgres`: check what was asked, look at the target, propose, ask, write, say what next.

What it will not do: start a gateway, change the target, print a value that lies there, or write a secret.

Invariants: what the operator asked for is checked before anything is dialled; nothing is written before they agreed;
cancelled (Ctrl-C, end of input) at any moment before, it leaves nothing behind.
"""

import os
import re
import socket
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import TypeAdapter, ValidationError

from doorward_console import output
from doorward_console.catalogue import Login, TargetFault, catalogue_of, connect
from doorward_console.init_certificate import names_for, self_signed
from doorward_console.init_files import CONFIG, POLICY, Wanted, config_text, policy_text
from doorward_console.init_folder import CERTIFICATE, KEY, NAMES, in_the_way, kept_certificate, put
from doorward_console.init_proposals import propose
from doorward_console.init_sample import Look, look, tables
from doorward_console.init_talk import CannotInit, chosen, tell_next, tell_seen
from doorward_console.init_target import (
    MAX_PORT,
    PASSWORD_WANTED,
    BadTarget,
    Place,
    explain,
    find_password,
    parse_target,
)
from doorward_core.config import Url
from doorward_core.model import Secret
from doorward_core.net.tls import client_context
from doorward_core.sql.catalog import Catalog

TLS_MODES = ("verify-full", "disable")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_NAME = 63
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Way:
    """How the target is reached."""

    target: str
    tls: str
    ca: Path | None
    password_env: str
    password_file: Path | None


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


def make(folder: Path, way: Way, doors: Doors, names: Names, *, ask: bool, force: bool) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put` raises."""
    place = _checked(folder, way, doors, names, force=force)
    ports = tuple(_endpoint(text) for text in (doors.listen, doors.approvals, doors.admin))
    login, source = _logged_in(place, way, folder, ask=ask)
    try:
        catalog, seen = _looked(login)
    except TargetFault as fault:
        raise CannotInit(explain(fault, place)) from None
    tell_seen(catalog, seen, place)
    kept, left_out = chosen(propose(catalog, seen), ask=ask)
    files, certificate, key, told = _certificate(folder, doors, tuple(address for address, _ in ports[:2]))
    wanted = Wanted(
        place=place,
        resource=names.resource or _name(place.database),
        account=_name(place.user),
        origin=names.origin or f"pg-gateway.{_name(socket.gethostname())}",
        issuer=names.issuer,
        audiences=names.audiences,
        listen_at=ports[0],
        approvals_at=ports[1],
        admin_at=ports[2],
        certificate=certificate,
        key=key,
        self_signed=told,
        target_tls=way.tls,
        target_ca=_shown_path(way.ca, folder) if way.ca else "",
        password=source,
        readers=names.readers,
        approvers=names.approvers,
        schemas=tuple(dict.fromkeys(table.schema for table in tables(catalog))),
        made_on=datetime.now(UTC).date(),
    )
    files |= {CONFIG: config_text(wanted).encode(), POLICY: policy_text(wanted, kept, left_out).encode()}
    remarks = put(folder, files, time.time_ns(), needed=(certificate, key))
    tell_next(folder, wanted, sorted(files), remarks)


# --- before anything is dialled --------------------------------------------------------------------------------------


def _checked(folder: Path, way: Way, doors: Doors, names: Names, *, force: bool) -> Place:
    """What was asked for, as far as it can be judged without the target."""
    try:
        place = parse_target(way.target)
        TypeAdapter(Url).validate_python(names.issuer)
    except BadTarget as error:
        raise CannotInit(str(error)) from None
    except ValidationError as error:
        raise CannotInit(f"--issuer: {error.errors()[0]['msg']}") from None
    if way.tls not in TLS_MODES:
        raise CannotInit(f"--target-tls is one of {', '.join(TLS_MODES)}")
    if way.ca is not None and (way.tls == "disable" or place.local):
        raise CannotInit("--target-ca has no meaning without TLS")
    if not _VARIABLE.match(way.password_env):
        raise CannotInit("--password-env is the name of a variable, never the password itself")
    if (doors.certificate is None) != (doors.key is None):
        raise CannotInit("--certificate and --key go together")
    absent = [
        str(path) for path in (doors.certificate, doors.key, way.ca, way.password_file) if path and not path.is_file()
    ]
    if absent:
        raise CannotInit(f"there is no file {' and no '.join(absent)}")
    standing = [] if force else in_the_way(folder, NAMES)
    if standing:
        raise CannotInit(f"{folder}: {' and '.join(standing)} would be overwritten; use --force, or another --folder")
    return place


def _endpoint(text: str) -> tuple[str, int]:
    """`address:port`, an IPv6 address in brackets."""
    address, separator, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not separator or not address or not (port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT):
        raise CannotInit(f"{text}: where to listen is written as 127.0.0.1:6432")
    return address, int(port)


def _name(text: str) -> str:
    """A name that a configuration takes, as near as can be."""
    return _UNFIT.sub("-", text).strip("-._")[:_MAX_NAME] or "database"


# --- the target ------------------------------------------------------------------------------------------------------


def _logged_in(place: Place, way: Way, folder: Path, *, ask: bool) -> tuple[Login, dict[str, str]]:
    """A login that works, and where the gateway will find its password: a reference, for the configuration."""
    context = None if place.local or way.tls == "disable" else client_context(way.ca)
    given = _from_file(way.password_file) if way.password_file else find_password(place, os.environ)
    login = Login(place.host, place.port, place.database, place.user, given, context)
    source = (
        {"env": way.password_env} if way.password_file is None else {"file": _shown_path(way.password_file, folder)}
    )
    if context is None and not place.local:
        output.say("! without TLS to the target, as --target-tls disable asks: the way there is unprotected")
    try:
        connect(login).close()
    except TargetFault as fault:
        if given is not None or fault.sqlstate != PASSWORD_WANTED:
            raise CannotInit(explain(fault, place)) from None
        if not (ask and sys.stdin.isatty()):
            raise CannotInit(
                f"{place} wants a password: put it into PGPASSWORD or ~/.pgpass, or name a --password-file"
            ) from None
    else:
        return login, source if given is not None else {}
    typed = typer.prompt(f"Password of {output.line(place.user)} for {output.line(str(place))}", hide_input=True)
    login = replace(login, password=Secret(typed))
    try:
        connect(login).close()
    except TargetFault as fault:
        raise CannotInit(explain(fault, place)) from None
    return login, source


def _from_file(path: Path) -> Secret:
    text = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    if not text or "\0" in text or "\n" in text:
        raise CannotInit(f"{path} must hold the password and nothing else")
    return Secret(text)


def _looked(login: Login) -> tuple[Catalog, Look]:
    catalog = catalogue_of(login)
    connection = connect(login)
    try:
        with output.progress("looking at a sample of each table") as progress:
            return catalog, look(connection, catalog, progress)
    finally:
        connection.close()


# --- what is written -------------------------------------------------------------------------------------------------


def _certificate(folder: Path, doors: Doors, addresses: tuple[str, ...]) -> tuple[dict[str, bytes], str, str, str]:
    """(files to write, the certificate's and the key's path in the configuration, what to say if it is self-signed)."""
    if doors.certificate is not None and doors.key is not None:
        return {}, _shown_path(doors.certificate, folder), _shown_path(doors.key, folder), ""
    if kept_certificate(folder):
        return {}, CERTIFICATE, KEY, "at an earlier run, and left as it was"
    names = names_for(addresses)
    certificate, key, ends = self_signed(names)
    told = f"for {', '.join(names)}, until {ends:%Y-%m-%d}"
    return {CERTIFICATE: certificate, KEY: key}, CERTIFICATE, KEY, told


def _shown_path(path: Path, folder: Path) -> str:
    """How the configuration names a file: relative where it lies in the folder, else whole."""
    whole, base = path.resolve(), folder.resolve()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)
