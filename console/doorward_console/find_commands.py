"""`doorward find`: what the index has about a question, for people and for programs.

The same searches answer the desk's pages (`index.query`). What is found is what a checkpoint covers; what it says is
proved by `doorward verify`, never by the index.
"""

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.log_reading import IdentityOption, KeysOption
from doorward_console.sources import ConfigOption, IndexOption, LogsOption, index_path, sources_of

if TYPE_CHECKING:
    from doorward_console.index.found import Changes, OperationRow, Page, Search, SessionRow
    from doorward_console.index.query import Index
    from doorward_console.index.question import Reading

    Found = Page[SessionRow] | Page[OperationRow] | Changes

TEXT_COLUMNS = 100
DECIDED = {"permit": "permitted", "deny": "DENIED", "hold": "WAITING"}
TIMES = "yesterday, today, 7d, 24h, a date or a time; UTC"


def find(
    question: Annotated[str, typer.Argument(help="Words, or a question: 'who changed customer 42 yesterday'.")] = "",
    *,
    text: Annotated[str, typer.Option(help="Words in the text or the values; quotes hold a phrase together.")] = "",
    identity: Annotated[str, typer.Option("--who", help="Asked by this name, or a part of it.")] = "",
    sponsor: Annotated[str, typer.Option(help="On behalf of this person, or a part of the name.")] = "",
    resource: Annotated[str, typer.Option(help="On this resource.")] = "",
    protocol: Annotated[str, typer.Option(help="Over this protocol: postgres, ssh, http, k8s.")] = "",
    table: Annotated[str, typer.Option(help="Touching this table, file, path or object.")] = "",
    changed: Annotated[str, typer.Option(metavar="TABLE", help="Changing this one; says what it does not name.")] = "",
    action: Annotated[str, typer.Option(help="With this action: read, write, define ... or `change`.")] = "",
    verdict: Annotated[str, typer.Option(help="permit, deny, hold (waiting now) or held (ever).")] = "",
    code: Annotated[str, typer.Option(help="Ended with this SQLSTATE, exit or HTTP status.")] = "",
    approver: Annotated[str, typer.Option(help="With a vote of this person.")] = "",
    rule: Annotated[str, typer.Option(help="Where this rule matched.")] = "",
    since: Annotated[str, typer.Option(help=f"From then on: {TIMES}.")] = "",
    until: Annotated[str, typer.Option(help="Up to then; a date with its whole day.")] = "",
    sessions: Annotated[bool, typer.Option("--sessions", help="List sessions rather than operations.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Sessions that had not ended at the last update.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 20,
    before: Annotated[int, typer.Option(help="Go on where `next` of the page before says.")] = 0,
    log: LogsOption = None,
    index: IndexOption = None,
    config: ConfigOption = None,
    identity_file: IdentityOption = None,
    keys: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what was asked, by whom, and who approved it. Newest first; the index is brought up to the log first."""
    now = time.time_ns()
    with _failing():
        search = _search(
            text=text, identity=identity, sponsor=sponsor, resource=resource, protocol=protocol, verdict=verdict,
            table=changed or table, code=code, action="change" if changed else action, approver=approver, rule=rule,
            live=live, since_unix_ns=_since(since, now), until_unix_ns=_until(until, now),
        )  # fmt: skip
        path = _brought_up(log, index, config, identity=identity_file, keys=keys)
        reading, found = _answer(path, question, search, now, sessions=sessions or live, limit=limit, before=before)
    _say(found, reading, as_json=as_json)


def _search(**what: Any) -> "Search":
    from doorward_console.index.found import Search  # noqa: PLC0415 - sqlite and the reader take a while to load

    return Search(**what)


def _since(text: str, now_unix_ns: int) -> int:
    from doorward_console.index.times import since  # noqa: PLC0415 - as above

    return since(text, now_unix_ns)


def _until(text: str, now_unix_ns: int) -> int:
    from doorward_console.index.times import until  # noqa: PLC0415 - as above

    return until(text, now_unix_ns)


def _failing() -> AbstractContextManager[None]:
    from doorward_console.index.query import TooLong  # noqa: PLC0415 - as above
    from doorward_console.index.schema import IndexProblem  # noqa: PLC0415 - as above
    from doorward_console.index.times import NoTime  # noqa: PLC0415 - as above
    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above

    return output.failing(IndexProblem, TooLong, NoTime, GatewayError, OSError, UnicodeError)


def _answer(
    path: Path, question: str, search: "Search", now_unix_ns: int, *, sessions: bool, limit: int, before: int
) -> "tuple[Reading, Found]":
    from doorward_console.index import query  # noqa: PLC0415 - as above
    from doorward_console.index.question import Reading, read  # noqa: PLC0415 - as above

    with query.Index.open(path) as opened:
        reading = Reading(search, ())
        if question:
            reading = read(question, now_unix_ns, lambda name: query.is_touched(opened, name), search)
        return reading, _found(opened, reading.search, sessions=sessions, limit=limit, before=before)


def _brought_up(
    log: list[Path] | None, index: Path | None, config: Path | None, *, identity: Path | None, keys: Path | None
) -> Path:
    """The index, after what is new in the logs was read; as it is, where there are no logs to be read."""
    from doorward_console.index import build  # noqa: PLC0415 - sqlite and the reader take a while to load

    if index is not None and log is None and config is None:
        return index
    sources = sources_of(log, config, identity, keys)
    path = index_path(index, config, sources)
    with output.progress("reading the log") as told:
        outcome = build.update(path, sources, told)
    if outcome.rebuilt:
        typer.echo(f"doorward: the index was built anew: {output.line(outcome.rebuilt)}", err=True)
    return path


def _found(opened: "Index", search: "Search", *, sessions: bool, limit: int, before: int) -> "Found":
    from doorward_console.index import query  # noqa: PLC0415 - sqlite and the reader take a while to load

    if sessions:
        return query.sessions(opened, search, limit=limit, before=before)
    if search.action == "change" and search.table:
        return query.who_changed(opened, search.table, search.text, search=search, limit=limit, before=before)
    return query.operations(opened, search, limit=limit, before=before)


def _say(found: "Found", reading: "Reading", *, as_json: bool) -> None:
    if as_json:
        output.emit(_data(found, reading.search))
        return
    if reading.told:
        output.say("read as: " + "; ".join(f"{name} {output.line(said)}" for name, said in reading.told))
    _tell(found, reading.search)


def _tell(found: "Found", search: "Search") -> None:
    from doorward_console.index.found import Changes, OperationRow  # noqa: PLC0415 - as above

    page = found.page if isinstance(found, Changes) else found
    if not page.rows:
        output.say("nothing is in the index about that")
    elif isinstance(page.rows[0], OperationRow):
        for row in page.rows:
            _tell_operation(row)
    else:
        _tell_sessions(page)
    if isinstance(found, Changes) and found.others:
        many = f"{found.others}{' or more' if found.others_bounded else ''}"
        output.say(f"and {many} changes of {output.line(search.table)} that do not name {output.line(search.text)}:")
        output.say("a statement can change a row without naming it; leave the words away to see them all")
    if page.note:
        output.say(page.note)
    if page.next:
        output.say(f"there are more: --before {page.next}")


def _tell_operation(row: "OperationRow") -> None:
    who = output.line(row.subject) + (f" for {output.line(row.sponsor)}" if row.sponsor else "")
    where = output.line(f"{row.account}@{row.resource}")
    ended = f", {row.status} {output.line(row.code)}".rstrip() + f", {row.rows} rows" if row.status else ""
    verdict = DECIDED.get(row.verdict, output.line(row.verdict))
    output.say(f"{output.moment(row.at_unix_ns)}  {who}  {where}  {verdict}{ended}")
    text = (
        row.text if row.text is not None else f"({row.content}: what was said can be read with an auditor's key only)"
    )
    flat = output.line(" ".join(text.split()))
    output.say(f"    {flat[:TEXT_COLUMNS]}{'...' if len(flat) > TEXT_COLUMNS or row.cut else ''}")
    if row.parameters:
        values = ", ".join("NULL" if value is None else f"'{output.line(value)[:40]}'" for value in row.parameters[:8])
        output.say(f"    values: {values}")
    output.say(f"    rules: {', '.join(output.line(rule) for rule in row.rules) or 'none'}; session {row.session[:12]}")
    if row.approval is not None:
        for vote in row.approval.votes:
            voted = "approved" if vote.verdict == "approve" else "rejected"
            said = f': "{output.line(vote.reason)}"' if vote.reason else ""
            counted = "" if vote.counted else f"; NOT COUNTED: {output.line(vote.refused)}"
            proof = f"proof: {output.line(vote.proof)}"
            when = output.moment(vote.cast_unix_ns)
            output.say(f"    {voted} by {output.line(vote.approver)} at {when} ({proof}){said}{counted}")
        output.say(f"    request {output.line(row.approval.request)}: {output.line(row.approval.state)}")


def _tell_sessions(page: "Page[SessionRow]") -> None:
    headers = ("session", "opened", "state", "subject", "sponsor", "resource", "permitted", "denied", "held")
    output.table(
        headers,
        [
            (one.session[:12] or "-", output.moment(one.opened_unix_ns), one.state, one.subject or "-",
             one.sponsor or "-", one.resource, str(one.permitted), str(one.denied), str(one.held))
            for one in page.rows
        ],
    )  # fmt: skip


def _data(found: "Found", search: "Search") -> dict[str, object]:
    from dataclasses import asdict  # noqa: PLC0415 - beside its only use

    from doorward_console.index.found import Changes  # noqa: PLC0415 - as above

    page = found.page if isinstance(found, Changes) else found
    told: dict[str, object] = {
        "search": {name: value for name, value in asdict(search).items() if value},
        "found": [asdict(row) for row in page.rows],
        "next": page.next,
        "note": page.note,
    }
    if isinstance(found, Changes):
        told["changes_that_do_not_name_it"] = {"count": found.others, "or_more": found.others_bounded}
    return told
