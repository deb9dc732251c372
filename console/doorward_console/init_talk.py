"""What `doorward init` says to an operator, and asks: what was seen, what is proposed, and how to go on.

What it will not do: show a value of the database, or let a name from there lead a terminal: all of them pass through
`output.line` or `output.table`.
"""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from doorward_console import output
from doorward_console.init_doors import CannotInit, Gateway
from doorward_console.init_files import Wanted
from doorward_console.init_folder import CONFIG
from doorward_console.init_proposals import Proposal, without
from doorward_console.init_sample import Look, tables
from doorward_console.init_target import Place

if TYPE_CHECKING:
    from doorward_core.sql.catalog import Catalog

MAX_MISSED_SHOWN = 8


def tell_seen(catalog: "Catalog", seen: Look, place: Place) -> None:
    """Say what was looked at, and what was not."""
    version = f"{catalog.server_version // 10_000}"
    output.say(f"{output.line(str(place))}: PostgreSQL {version}, {len(tables(catalog))} tables, {seen.tables} sampled")
    if seen.superuser:
        output.say(
            f"! {output.line(place.user)} is a superuser: give the gateway a login with no more rights than it needs"
        )
    for number, (name, why) in enumerate(seen.missed.items()):
        if number == MAX_MISSED_SHOWN:
            output.say(f"! and {len(seen.missed) - number} more were not sampled")
            break
        output.say(f"! not sampled, judged by its columns' names alone: {output.line(name)}: {why}")


def chosen(
    proposals: tuple[Proposal, ...], *, ask: bool, what: str = "column"
) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """Show what is proposed, and have it confirmed."""
    if not proposals:
        output.say("Nothing looks like personal data or secrets: no masks are proposed.")
        if ask and _answer("Write a policy without masks? y or n", "n") not in ("y", "yes"):
            raise CannotInit("nothing was written")
        return (), ()
    rows = [(str(number), one.name, one.transform, one.why) for number, one in enumerate(proposals, 1)]
    output.table(("", what, "hide by", "why"), rows)
    if not ask:
        return proposals, ()
    while True:
        answer = _answer("Enter hides all of these; numbers (2,5) leave those in clear; q ends", "all")
        words = answer.replace(",", " ").split()
        if words in (["q"], ["quit"]):
            raise CannotInit("nothing was written")
        if words == ["all"]:
            return proposals, ()
        if words and all(word.isascii() and word.isdigit() and 0 < int(word) <= len(proposals) for word in words):
            return without(proposals, (int(word) for word in words))
        output.say(f"Numbers from 1 to {len(proposals)}, please.")


def _answer(question: str, default: str) -> str:
    try:
        return str(typer.prompt(question, default=default))
    except typer.Abort:
        raise CannotInit("no answer, and nothing was written (--yes takes what is proposed)") from None


def program(name: str, beside: Path = Path(sys.executable)) -> str:
    """How to call one of our programs from here: by name where it is on PATH, else where this one is installed."""
    path = beside.with_name(name)
    if shutil.which(name) or not path.exists():
        return name
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def tell_written(folder: Path, gateway: Gateway, written: list[str], remarks: tuple[str, ...]) -> None:
    """Say what was written."""
    for remark in remarks:
        output.say(f"remark: {output.line(remark)}")
    output.say(f"written to {output.line(str(folder))}: {', '.join(written)}")
    if gateway.self_signed:
        output.say(f"! the listeners' certificate is self-signed, {gateway.self_signed}; clients need the file")


def tell_next(folder: Path, wanted: Wanted, written: list[str], remarks: tuple[str, ...]) -> None:
    """Say what was written, and the commands that start it, ask it, and decide what it holds."""
    tell_written(folder, wanted, written, remarks)
    config = shlex.quote(str(folder / CONFIG))
    root = shlex.quote(str((folder / wanted.certificate) if wanted.self_signed else Path("YOUR-AUTHORITY.pem")))
    variable = wanted.password.get("env")
    host = "localhost" if wanted.listen_at[0] in ("127.0.0.1", "::1") else wanted.listen_at[0]
    output.say("\nStart it:")
    if variable:
        output.say(f"  export {variable}=...   # the password of {output.line(wanted.place.user)}")
    output.say(f"  {program('doorward-postgres')} --config {config}")
    output.say(f"Ask, with the token of a member of {output.line(wanted.readers)} as the password:")
    output.say(
        f'  PGPASSWORD="$TOKEN" psql "host={host} port={wanted.listen_at[1]} dbname={wanted.resource}'
        f' user={wanted.account} sslmode=verify-full sslrootcert={root}"'
    )
    output.say(f"Decide what waits, as a member of {output.line(wanted.approvers)}:")
    control = f"https://{host}:{wanted.approvals_at[1]}"
    output.say(f'  DOORWARD_TOKEN="$TOKEN" {program("doorward")} approvals list --gateway {control} --ca-file {root}')
