"""`doorward revoke`: take a token, a subject, a sponsor, a session, or everything away; list it, and lift it again.

It talks to the gateway's control API, as the operator whose token it is given (docs/config.md, `operators`).
"""

import time
from typing import Annotated

import typer

from doorward_console import output
from doorward_console.asking import (
    CaOption,
    GatewayOption,
    JsonOption,
    TokenFileOption,
    TokenOption,
    ask,
    reach,
    tell,
)


def revoke(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="token, subject, sponsor, session or everything.")] = "",
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Whose, or which; none for everything.")] = "",
    *,
    gateway: GatewayOption,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; whoever is meant reads it, the record keeps it.")
    ] = "",
    lift: Annotated[str, typer.Option("--lift", metavar="REVOCATION", help="Lift one instead: rv-...")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List what is revoked instead.")] = False,
    token: TokenOption = "",
    token_file: TokenFileOption = None,
    ca_file: CaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke at once: sessions end, what they hold never runs, and none is opened until it is lifted."""
    if sum((bool(what), bool(lift), listed)) != 1:
        output.fail("say what to revoke (token, subject, sponsor, session or everything), or --lift, or --list")
    reached = reach(gateway, token, token_file, ca_file)
    if listed:
        document = ask(reached, "/v1/revocations")
        return _show(document, as_json=as_json)
    if not reason:
        output.fail("say why: --reason")
    if lift:
        from urllib.parse import quote  # noqa: PLC0415 - beside its only use

        document = tell(reached, f"/v1/revocations/{quote(lift, safe='')}/lift", {"reason": reason})
        words = f"{document.get('id')} is lifted: {_whom(document)}"
    else:
        document = tell(reached, "/v1/revocations", {"what": what, "value": value, "reason": reason})
        words = f"{document.get('id')}: {_whom(document)} is revoked; {_ended(document)}"
    if as_json:
        output.emit(document)
    else:
        output.say(output.line(words))
    if document.get("problem"):
        output.fail(output.line(str(document["problem"])), output.NO)
    if not lift and document.get("gone") != document.get("sessions"):
        output.fail("some sessions were told to end, and have not yet", output.NO)
    return None


def _show(document: dict[str, object], *, as_json: bool) -> None:
    found = document.get("revocations")
    if as_json:
        output.emit(document)
    elif not isinstance(found, list) or not found:
        output.say("nothing is revoked")
    else:
        now = time.time_ns()
        output.table(
            ("revocation", "since", "what", "whose", "by", "because"),
            [_row(item, now) for item in found if isinstance(item, dict)],
        )


def _row(item: dict[str, object], now_unix_ns: int) -> tuple[str, ...]:
    made = item.get("made_unix_ns")
    return (
        str(item.get("id")),
        output.span(max(0, now_unix_ns - made)) if isinstance(made, int) else "-",
        str(item.get("what")),
        str(item.get("value") or "-"),
        str(item.get("operator")),
        " ".join(str(item.get("reason")).split()),
    )


def _whom(document: dict[str, object]) -> str:
    return f"{document.get('what')} {document.get('value')}".strip()


def _ended(document: dict[str, object]) -> str:
    gone = document.get("gone")
    return f"{gone} session{'' if gone == 1 else 's'} ended"
