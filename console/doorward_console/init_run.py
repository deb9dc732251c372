"""The course of `doorward init postgres`: check what was asked, look at the target, propose, ask, write, say what next.

What it will not do: start a gateway, change the target, print a value that lies there, or write a secret.

Invariants: what the operator asked for is checked before anything is dialled; nothing is written before they agreed;
cancelled (Ctrl-C, end of input) at any moment before, it leaves nothing behind.
"""

import os
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from doorward_console import output
from doorward_console.catalogue import Login, TargetFault, catalogue_of, connect
from doorward_console.init_doors import CannotInit, Doors, Names, check, endpoint, fields_of, shown_path
from doorward_console.init_doors import gateway as gateway_of
from doorward_console.init_files import Wanted, config_text, policy_text
from doorward_console.init_folder import CONFIG, POLICY, put
from doorward_console.init_proposals import propose
from doorward_console.init_sample import Look, look, tables
from doorward_console.init_talk import chosen, tell_next, tell_seen
from doorward_console.init_target import (
    PASSWORD_WANTED,
    BadTarget,
    Place,
    explain,
    find_password,
    parse_target,
)
from doorward_core.model import Secret
from doorward_core.net.tls import client_context
from doorward_core.sql.catalog import Catalog

TLS_MODES = ("verify-full", "disable")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Way:
    """How the target is reached."""

    target: str
    tls: str
    ca: Path | None
    password_env: str
    password_file: Path | None


def make(folder: Path, way: Way, doors: Doors, names: Names, *, ask: bool, force: bool) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put` raises."""
    place = _checked(folder, way, doors, names, force=force)
    for text in (doors.listen, doors.approvals, doors.admin):
        endpoint(text)
    login, source = _logged_in(place, way, folder, ask=ask)
    try:
        catalog, seen = _looked(login)
    except TargetFault as fault:
        raise CannotInit(explain(fault, place)) from None
    tell_seen(catalog, seen, place)
    kept, left_out = chosen(propose(catalog, seen), ask=ask)
    gateway, files = gateway_of(folder, doors, names, resource=place.database, account=place.user, kind="pg")
    wanted = Wanted(
        **fields_of(gateway),
        place=place,
        target_tls=way.tls,
        target_ca=shown_path(way.ca, folder) if way.ca else "",
        password=source,
        schemas=tuple(dict.fromkeys(table.schema for table in tables(catalog))),
    )
    files |= {CONFIG: config_text(wanted).encode(), POLICY: policy_text(wanted, kept, left_out).encode()}
    remarks = put(folder, files, time.time_ns(), needed=(wanted.certificate, wanted.key))
    tell_next(folder, wanted, sorted(files), remarks)


# --- before anything is dialled --------------------------------------------------------------------------------------


def _checked(folder: Path, way: Way, doors: Doors, names: Names, *, force: bool) -> Place:
    """What was asked for, as far as it can be judged without the target."""
    try:
        place = parse_target(way.target)
    except BadTarget as error:
        raise CannotInit(str(error)) from None
    if way.tls not in TLS_MODES:
        raise CannotInit(f"--target-tls is one of {', '.join(TLS_MODES)}")
    if way.ca is not None and (way.tls == "disable" or place.local):
        raise CannotInit("--target-ca has no meaning without TLS")
    if not _VARIABLE.match(way.password_env):
        raise CannotInit("--password-env is the name of a variable, never the password itself")
    check(folder, doors, names, (way.ca, way.password_file), force=force)
    return place


# --- the target ------------------------------------------------------------------------------------------------------


def _logged_in(place: Place, way: Way, folder: Path, *, ask: bool) -> tuple[Login, dict[str, str]]:
    """A login that works, and where the gateway will find its password: a reference, for the configuration."""
    context = None if place.local or way.tls == "disable" else client_context(way.ca)
    given = _from_file(way.password_file) if way.password_file else find_password(place, os.environ)
    login = Login(place.host, place.port, place.database, place.user, given, context)
    source = {"env": way.password_env} if way.password_file is None else {"file": shown_path(way.password_file, folder)}
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
