"""`doorward review`: who could reach what, who did, and what nobody needs.

It reads a log's headers and a policy; it needs no key, asks nobody and changes nothing. A review is signed off at the
desk, which writes down who did, and over which digest.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.follow_commands import origin_of
from doorward_console.log_reading import LogOption, open_log

if TYPE_CHECKING:
    from doorward_console.review.report import Reach, Review

TIMES = "yesterday, today, 7d, 24h, a date or a time; UTC"


def review(
    *,
    log: LogOption,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="DOORWARD_CONFIG", help="The gateway's configuration.", dir_okay=False),
    ] = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="The policy, instead of its.", dir_okay=False)] = None,
    since: Annotated[str, typer.Option(help=f"What was done from then on: {TIMES}.")] = "90d",
    until: Annotated[str, typer.Option(help="And before then.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Review who has access. Who could reach what, who did, what was never used, and what has no owner."""
    from doorward_console.checks import load  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_console.index.times import NoTime  # noqa: PLC0415 - as above
    from doorward_console.index.times import since as first  # noqa: PLC0415 - as above
    from doorward_console.index.times import until as last  # noqa: PLC0415 - as above
    from doorward_console.review.ledger import ledger  # noqa: PLC0415 - as above
    from doorward_console.review.report import review as made  # noqa: PLC0415 - as above
    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above

    if config is None and policy is None:
        output.fail("give --config, or --policy")
    now = time.time_ns()
    with output.failing(GatewayError, NoTime, OSError, UnicodeError):
        loaded, settings = load(policy, config)
        reader = open_log(log)
        begin, end = first(since, now), last(until, now) or now
        _forwards(begin, end)
        found = made(
            ledger(reader.entries(), since_unix_ns=begin, until_unix_ns=end),
            loaded,
            settings.nouns() if settings is not None else {},
            origin=origin_of(reader),
            since_unix_ns=begin,
            until_unix_ns=end,
        )
    if as_json:
        output.emit({**found.data(), "digest": found.digest})
    else:
        _say(found)


def _forwards(begin: int, end: int) -> None:
    if begin >= end:
        output.fail(f"the time ends before it begins: it is from {output.moment(begin)} to {output.moment(end)}")


def _say(found: "Review") -> None:
    span = f"{output.moment(found.since_unix_ns)} to {output.moment(found.until_unix_ns)}"
    output.say(
        f"{output.line(found.origin)}, {span}: {found.operations} operations, {len(found.principals)} principals"
    )
    output.say(f"policy {found.policy[:12]}, of {found.policies} loaded in this time")
    for title, make in (("Who could, and who did", _people), ("Rules that let somebody in", _rules)):
        output.say(f"\n{title}")
        make(found)
    if found.grants:
        output.say("\nAccess for a time")
        _grants(found)
    if found.approvers:
        output.say("\nWho decided")
        output.table(
            ["approver", "approved", "rejected", "did not count"],
            ([one.subject, str(one.approved), str(one.rejected), str(one.refused)] for one in found.approvers),
        )
    output.say(f"\n{len(found.findings)} findings")
    for finding in found.findings:
        output.say(f"  {finding.kind}: {output.line(finding.about)}: {output.line(finding.words)}")
    output.say(f"\ndigest {found.digest}")


def _people(found: "Review") -> None:
    output.table(
        ["who", "kind", "sponsor", "resource", "could", "did", "denied", "held", "last"],
        (
            [
                one.subject, one.kind, one.sponsor or "-", place.resource, " ".join(place.could) or "-", _did(place),
                str(place.denied), str(place.held), output.moment(place.last_unix_ns),
            ]
            for one in found.principals
            for place in one.reach
        ),
    )  # fmt: skip


def _did(place: "Reach") -> str:
    return " ".join(f"{action}:{count}" for action, count in sorted(place.did.items())) or "-"


def _rules(found: "Review") -> None:
    output.table(
        ["rule", "effect", "do", "for", "used", "by", "last"],
        (
            [
                rule.id, rule.effect, " ".join(rule.actions), "everybody" if rule.everybody else "some",
                str(rule.used), str(rule.principals), output.moment(rule.last_unix_ns),
            ]
            for rule in found.rules
        ),
    )  # fmt: skip


def _grants(found: "Review") -> None:
    output.table(
        ["grant", "kind", "who", "sponsor", "resource", "for", "state", "until", "used", "by"],
        (
            [
                one.name, one.kind, one.subject, one.sponsor or "-", one.resource, " ".join(one.actions) or "-",
                one.state, output.moment(one.until_unix_ns), str(one.used), " ".join(one.by) or "-",
            ]
            for one in found.grants
        ),
    )  # fmt: skip
