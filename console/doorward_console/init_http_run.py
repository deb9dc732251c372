"""The course of `doorward init http`: check what was asked, look at samples and descriptions, propose, ask, write.

What it will not do: start a gateway, ask the target for anything but the samples that the operator names, print a value
that lies there, or write a secret.

Invariants: what the operator asked for is checked before anything is dialled; nothing is written before they agreed;
cancelled at any moment before, it leaves nothing behind.
"""

import os
import re
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from doorward_console import output
from doorward_console.init_doors import (
    CannotInit,
    Doors,
    Names,
    check,
    endpoint,
    fields_of,
    gateway,
    shown_path,
    target_name,
)
from doorward_console.init_folder import CONFIG, POLICY, put
from doorward_console.init_http_files import WantedHttp, config_text, policy_text
from doorward_console.init_http_sample import ANY_TEXT, Members
from doorward_console.init_http_target import Asker, BadTarget, Place, Send, check_path, parse_send, parse_target
from doorward_console.init_proposals import Proposal
from doorward_console.init_talk import chosen, program, tell_written
from doorward_core.model import Secret

if TYPE_CHECKING:
    from doorward_core.http.openapi import Api

ACCOUNT = "app"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_AT = re.compile(r"(?:[a-z0-9][a-z0-9.-]*)?(?:/[A-Za-z0-9._~-]+)*\Z")
_EVERYWHERE = Proposal(
    ANY_TEXT, "content", "partial", "proposed for every API: free text, error pages, headers", ("email", "card", "iban")
)


@dataclass(frozen=True, slots=True)
class Way:
    """How the target is reached, and what may be looked at."""

    target: str
    ca: Path | None
    send: str
    credential_env: str
    credential_file: Path | None
    samples: tuple[str, ...]
    openapi: Path | None
    at: str


def make(folder: Path, way: Way, doors: Doors, names: Names, *, ask: bool, force: bool) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put` raises."""
    place, send = _checked(folder, way, doors, names, force=force)
    at = way.at or f"/{names.resource or target_name(place.host)}"
    source = _source(way, send, folder)
    asker = Asker(place, send.headers(ACCOUNT, _credential(way, send)), way.ca, way.credential_env)
    if place.scheme == "http" and not place.loopback:
        output.say("! without TLS to the target, as http:// says: the way there is unprotected")
    api = _described(way.openapi)
    samples = way.samples or _asked_for(ask=ask and api is None)
    members = _looked(asker, samples, way.openapi)
    kept, left_out = chosen(_proposals(members), ask=ask, what="member of JSON")
    made, files = gateway(folder, doors, names, resource=target_name(place.host), account=ACCOUNT, kind="http")
    wanted = WantedHttp(
        **fields_of(made),
        place=place,
        at=at,
        send=send,
        credential=source,
        target_ca=shown_path(way.ca, folder) if way.ca else "",
        openapi=shown_path(way.openapi, folder) if way.openapi else "",
        perhaps_reads=tuple(one.text for one in api.requests if one.perhaps_reads) if api else (),
    )
    files |= {CONFIG: config_text(wanted).encode(), POLICY: policy_text(wanted, kept, left_out).encode()}
    needed = (wanted.certificate, wanted.key, *((wanted.openapi,) if wanted.openapi else ()))
    remarks = put(folder, files, time.time_ns(), needed=needed)
    tell_written(folder, wanted, sorted(files), remarks)
    _tell_next(folder, wanted, next(iter(samples), "/"))


# --- before anything is dialled --------------------------------------------------------------------------------------


def _checked(folder: Path, way: Way, doors: Doors, names: Names, *, force: bool) -> tuple[Place, Send]:
    """What was asked for, as far as it can be judged without the target."""
    try:
        place = parse_target(way.target)
    except BadTarget as error:
        raise CannotInit(str(error)) from None
    if way.ca is not None and place.scheme == "http":
        raise CannotInit("--target-ca has no meaning without TLS")
    if not _VARIABLE.match(way.credential_env):
        raise CannotInit("--credential-env is the name of a variable, never the credential itself")
    if way.at and (not _AT.match(way.at) or way.at == "/"):
        raise CannotInit(
            "--at is a beginning of paths such as /crm, a host such as crm.gateway.example, or both joined"
        )
    for path in way.samples:
        check_path(path)
    check(folder, doors, names, (way.ca, way.credential_file, way.openapi), force=force)
    for text in (doors.listen, doors.approvals, doors.admin):
        endpoint(text)
    return place, parse_send(way.send)


# --- the target ------------------------------------------------------------------------------------------------------


def _source(way: Way, send: Send, folder: Path) -> dict[str, str]:
    """Where the gateway will find its credential: a reference, for the configuration."""
    if send.how == "nothing":
        return {}
    return (
        {"env": way.credential_env}
        if way.credential_file is None
        else {"file": shown_path(way.credential_file, folder)}
    )


def _credential(way: Way, send: Send) -> Secret | None:
    """The credential, for samples; None where there is none yet."""
    if send.how == "nothing":
        return None
    told = os.environ.get(way.credential_env, "")
    if way.credential_file is not None:
        told = way.credential_file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    if not told:
        return None
    if not (told.isascii() and told.isprintable()):
        raise CannotInit("the credential must be one line of plain characters, and nothing else")
    return Secret(told)


def _asked_for(*, ask: bool) -> tuple[str, ...]:
    """A path that the operator lets be looked at, where none was named."""
    if not ask or not sys.stdin.isatty():
        return ()
    output.say("Masks are proposed from a sample: the JSON of one GET, looked at and thrown away.")
    path = str(typer.prompt("Which path, such as /customers?limit=50 (Enter: none)", default="", show_default=False))
    return (check_path(path.strip()),) if path.strip() else ()


def _described(path: Path | None) -> "Api | None":
    if path is None:
        return None
    from doorward_core.http.openapi import read_api  # noqa: PLC0415 - only with a description

    return read_api(path.read_text(encoding="utf-8"), str(path))


def _looked(asker: Asker, samples: tuple[str, ...], description: Path | None) -> Members:
    """Everything that may be looked at; only counts stay."""
    members = Members()
    if description is not None:
        from doorward_core.http.openapi import load_description  # noqa: PLC0415 - only with a description

        members.show_description(load_description(description.read_text(encoding="utf-8"), str(description)))
        output.say(f"{output.line(str(description))}: {members.count} members of JSON")
    for path in samples:
        before = members.values
        members.show_sample(asker.sample(path), path)
        output.say(f"GET {output.line(path)} at {asker.place}: {members.values - before} values looked at")
    if members.missed:
        output.say("! there was more than is looked at here: judge for yourself what else to hide")
    return members


def _proposals(members: Members) -> tuple[Proposal, ...]:
    """What was found; and what is worth looking for in any text of any API."""
    found = members.proposals()
    return found if any(one.detect for one in found) else (*found, _EVERYWHERE)


def _tell_next(folder: Path, wanted: WantedHttp, path: str) -> None:
    config = shlex.quote(str(folder / CONFIG))
    root = shlex.quote(str((folder / wanted.certificate) if wanted.self_signed else Path("YOUR-AUTHORITY.pem")))
    host = "localhost" if wanted.listen_at[0] in ("127.0.0.1", "::1") else wanted.listen_at[0]
    offered, slash, below = wanted.at.partition("/")
    output.say("\nStart it:")
    if "env" in wanted.credential:
        output.say(f"  export {wanted.credential['env']}=...   # the credential at {wanted.place.host}")
    output.say(f"  {program('doorward-http')} --config {config}")
    output.say(f"Ask, with the token of a member of {output.line(wanted.readers)}:")
    there = f"https://{offered or host}:{wanted.listen_at[1]}{slash}{below}{path}"
    resolve = f" --resolve {offered}:{wanted.listen_at[1]}:{wanted.listen_at[0]}" if offered else ""
    output.say(f'  curl --cacert {root}{resolve} -H "Authorization: Bearer $TOKEN" {shlex.quote(there)}')
    output.say(f"Decide what waits, as a member of {output.line(wanted.approvers)}:")
    control = f"https://{host}:{wanted.approvals_at[1]}"
    output.say(f'  DOORWARD_TOKEN="$TOKEN" {program("doorward")} approvals list --gateway {control} --ca-file {root}')
    log = shlex.quote(str(folder / "state" / "log"))
    output.say("See what was asked and answered, and prove that nothing of it was changed:")
    output.say(f"  {program('doorward')} replay last --log {log}; {program('doorward')} verify {log}")
