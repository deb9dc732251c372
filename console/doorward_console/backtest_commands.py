"""`doorward policy backtest`: what a changed policy would have done to what is on record, before it is in force.

It reads logs and a policy; it asks no target, runs nothing and changes nothing.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, open_log

if TYPE_CHECKING:
    from doorward_console.backtest import Backtest, Group

TEXT_CHARACTERS = 160
TIMES = "yesterday, today, 7d, 24h, a date or a time; UTC"


def backtest(
    policy: Annotated[Path, typer.Argument(help="The policy to try.", dir_okay=False)],
    *,
    log: LogOption,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="DOORWARD_CONFIG", help="For the labels of its resources.")
    ] = None,
    since: Annotated[str, typer.Option(help=f"What was asked from then on: {TIMES}.")] = "",
    until: Annotated[str, typer.Option(help="And before then.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many kinds of difference to list.")] = 20,
    identity: IdentityOption = None,
    keys: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a policy on what is on record. Lists what would be decided otherwise; status 1 if anything would."""
    from doorward_console.backtest import backtest as tried  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_console.index.times import NoTime  # noqa: PLC0415 - as above
    from doorward_console.index.times import since as first  # noqa: PLC0415 - as above
    from doorward_console.index.times import until as last  # noqa: PLC0415 - as above
    from doorward_core.config import load_config  # noqa: PLC0415 - as above
    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above
    from doorward_core.policy.load import load_policy  # noqa: PLC0415 - as above

    now = time.time_ns()
    with output.failing(GatewayError, NoTime, OSError, UnicodeError):
        resources = load_config(config).nouns() if config is not None else {}
        found = tried(
            open_log(log, identity, keys).entries(),
            load_policy(policy),
            resources,
            since_unix_ns=first(since, now) or 0,
            until_unix_ns=last(until, now) or None,
        )
    if as_json:
        output.emit(_data(found))
    else:
        _say(found, limit)
    if found.differs:
        raise typer.Exit(output.NO)


def _say(found: "Backtest", limit: int) -> None:
    changed = sum(found.changed.values())
    output.say(
        f"{found.asked} operations and openings of sessions on record: {found.same} would be decided the same, "
        f"{changed} otherwise"
    )
    for (was, would), count in sorted(found.changed.items(), key=lambda item: -item[1]):
        output.say(f"  {was} -> {would}: {count}")
    for group in found.groups[:limit]:
        _say_group(group)
    unlisted = found.unlisted + sum(group.count for group in found.groups[limit:])
    if unlisted:
        output.say(f"\nand {unlisted} more that are not listed (--limit, --json)")
    for masks in found.masks[:limit]:
        output.say(f"\nmasks on {output.line(masks.resource)}, in {masks.sessions} sessions")
        for sign, names in (("-", masks.gone), ("+", masks.new)):
            for name in names:
                output.say(f"  {sign} {output.line(name)}")
    for reasons, words in ((found.untold, "cannot be told"), (found.apart, "was no decision of policy's")):
        for reason, count in sorted(reasons.items()):
            output.say(f"\n{count} {words}: {output.line(reason)}")


def _say_group(group: "Group") -> None:
    who = sorted(group.subjects)
    names = ", ".join(who[:3]) + (f" and {len(who) - 3} more" if len(who) > 3 else "")  # noqa: PLR2004 - three names say who
    output.say(
        f"\n{group.was} -> {group.would}  {group.count} on {output.line(group.resource)} by {output.line(names)}"
    )
    output.say(f"  {output.line(group.what)}")
    if group.text:
        output.say(f"  such as entry {group.example}: {output.line(group.text[:TEXT_CHARACTERS])}")
    if group.rules:
        output.say(f"  by {output.line(', '.join(group.rules))}")
    if group.advice:
        output.say(f"  {output.line(group.advice)}")


def _data(found: "Backtest") -> dict[str, object]:
    return {
        "operations": found.asked,
        "same": found.same,
        "changed": [{"was": was, "would": would, "count": count} for (was, would), count in found.changed.items()],
        "cannot_be_told": dict(found.untold),
        "not_policy": dict(found.apart),
        "differences": [
            {
                "was": group.was,
                "would": group.would,
                "resource": group.resource,
                "what": group.what,
                "rules": list(group.rules),
                "advice": group.advice,
                "count": group.count,
                "subjects": sorted(group.subjects),
                "example": group.example,
                "text": group.text,
                "first_unix_ns": group.first_unix_ns,
                "last_unix_ns": group.last_unix_ns,
            }
            for group in found.groups
        ],
        "not_listed": found.unlisted,
        "masks": [
            {"resource": one.resource, "gone": list(one.gone), "new": list(one.new), "sessions": one.sessions}
            for one in found.masks
        ],
    }
