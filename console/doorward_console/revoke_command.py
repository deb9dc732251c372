"""`doorward revoke`: take a token, a subject, a sponsor, a session, or everything away; list it, and lift it again.

It talks to the control API of each gateway that is named, at once, as the operator whose token it is given
(docs/config.md, `operators`). A gateway that does not answer is named, and ends the command with a status: nothing is
revoked there.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, TypeAlias
from urllib.parse import quote

import typer

from doorward_console import output
from doorward_console.asking import JsonOption, Whose
from doorward_console.options import shared

if TYPE_CHECKING:
    from doorward_console.gateway import Gateway

Answers: TypeAlias = "dict[str, dict[str, object] | str]"
"""By gateway: what it answered, or why it did not."""
AT_ONCE = 32
NOT_FOUND = 404


@shared()
def revoke(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="token, subject, sponsor, session or everything.")] = "",
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Whose, or which; none for everything.")] = "",
    *,
    gateway: Annotated[
        list[str],
        typer.Option("--gateway", envvar="DOORWARD_GATEWAY", help="https://host:port, or unix:/path; may be repeated."),
    ],
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; whoever is meant reads it, the record keeps it.")
    ] = "",
    lift: Annotated[str, typer.Option("--lift", metavar="REVOCATION", help="Lift one instead: rv-...")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List what is revoked instead.")] = False,
    whose: Whose,
    as_json: JsonOption = False,
) -> None:
    """Revoke at once: sessions end, what they hold never runs, and none is opened until it is lifted."""
    if sum((bool(what), bool(lift), listed)) != 1:
        output.fail("say what to revoke (token, subject, sponsor, session or everything), or --lift, or --list")
    if not reason and not listed:
        output.fail("say why: --reason")
    first = whose.reach("")  # the token is read once, even where it comes by input
    gateways = {url: first.at(url) for url in dict.fromkeys(gateway)}
    if listed:
        said = _all(gateways, lambda one: one.get("/v1/revocations"))
        problems = _show(said.answers, as_json=as_json)
    elif lift:
        said = _all(gateways, lambda one: one.post(f"/v1/revocations/{quote(lift, safe='')}/lift", {"reason": reason}))
        problems = _told(said.somewhere(), _lifted, as_json=as_json)
    else:
        body: dict[str, object] = {"what": what, "value": value, "reason": reason}
        said = _all(gateways, lambda one: one.post("/v1/revocations", body))
        problems = _told(said.somewhere() if what == "session" else said.answers, _revoked, as_json=as_json)
    if problems:
        output.fail("\n".join(problems), output.NO if said.heard else output.CANNOT)


class _Said:
    """What the gateways answered; `heard` where each of them did, were it with a no."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.heard = True
        self._absent: set[str] = set()

    def take(self, url: str, gateway: "Gateway", ask: "Callable[[Gateway], dict[str, object]]") -> None:
        """Ask one."""
        from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load

        try:
            self.answers[url] = ask(gateway)
        except Refused as error:
            self.answers[url] = str(error)
            if error.status == NOT_FOUND:
                self._absent.add(url)
        except CannotAsk as error:
            self.answers[url] = str(error)
            self.heard = False

    def somewhere(self) -> Answers:
        """The answers to what is at one gateway alone: without those that have nothing of it, if any other has."""
        there = {url: answer for url, answer in self.answers.items() if url not in self._absent}
        return there if any(isinstance(answer, dict) for answer in there.values()) else self.answers


def _all(gateways: "dict[str, Gateway]", ask: "Callable[[Gateway], dict[str, object]]") -> _Said:
    """Ask every gateway, at once; the answers are in the order in which they were named."""
    said = _Said()
    said.answers = dict.fromkeys(gateways, "")
    with ThreadPoolExecutor(min(AT_ONCE, len(gateways))) as pool:
        list(pool.map(lambda url: said.take(url, gateways[url], ask), gateways))
    return said


def _told(answers: Answers, words: Callable[[dict[str, object]], str], *, as_json: bool) -> list[str]:
    """Say what each answered; gives what has gone wrong."""
    problems, several = [], len(answers) > 1
    if as_json and any(isinstance(answer, dict) for answer in answers.values()):
        output.emit(_document(answers))
    for url, answer in answers.items():
        at = f"{url}: " if several else ""
        if isinstance(answer, str):
            problems.append(output.line(f"{at}nothing is done there: {answer}" if several else answer))
            continue
        if not as_json:
            output.say(output.line(at + words(answer)))
        if answer.get("problem"):
            problems.append(output.line(f"{at}{answer['problem']}"))
        if answer.get("gone") != answer.get("sessions"):
            problems.append(output.line(f"{at}some sessions were told to end, and have not yet"))
    return problems


def _document(answers: Answers) -> object:
    """One gateway's own answer; of several, each by its address."""
    if len(answers) == 1:
        (only,) = answers.values()
        return {"unanswered": only} if isinstance(only, str) else only
    return {url: {"unanswered": answer} if isinstance(answer, str) else answer for url, answer in answers.items()}


def _lifted(document: dict[str, object]) -> str:
    return f"{document.get('id')} is lifted: {_whom(document)}"


def _revoked(document: dict[str, object]) -> str:
    return f"{document.get('id')}: {_whom(document)} is revoked; {_ended(document)}"


def _show(answers: Answers, *, as_json: bool) -> list[str]:
    """List what is revoked; gives what has gone wrong."""
    several, now, rows = len(answers) > 1, time.time_ns(), []
    for url, answer in answers.items():
        found, at = answer.get("revocations") if isinstance(answer, dict) else None, (url,) if several else ()
        listed = found if isinstance(found, list) else []
        rows += [(*_row(item, now), *at) for item in listed if isinstance(item, dict)]
    problems = [output.line(answer) for answer in answers.values() if isinstance(answer, str)]
    if as_json and any(isinstance(answer, dict) for answer in answers.values()):
        output.emit(_document(answers))
    elif rows:
        output.table(("revocation", "since", "what", "whose", "by", "because", *(("at",) if several else ())), rows)
    elif not problems:
        output.say("nothing is revoked")
    return problems


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
