"""`doorward erase`: the content of sessions, or of all sessions of a subject, for good; the log tells that it was.

It talks to the gateway's control API, as somebody of `privacy` (docs/config.md), and changes nothing itself.
"""

from typing import Annotated

import typer

from doorward_console import output
from doorward_console.asking import Asking, ask, tell
from doorward_console.options import shared

WHOLE_ID = 32


@shared()
def erase(
    *,
    asking: Asking,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the record keeps it.")],
    session: Annotated[list[str] | None, typer.Option("--session", help="A session's whole id; repeatable.")] = None,
    subject: Annotated[str, typer.Option("--subject", help="All sessions of this subject instead.")] = "",
    issuer: Annotated[str, typer.Option("--issuer", help="Only as this issuer names it.")] = "",
    sponsored: Annotated[
        bool, typer.Option("--sponsored", help="Sessions of agents that the subject answers for, too.")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Say which sessions are meant, and erase nothing.")] = False,
) -> None:
    """Erase recorded content for good, by deleting its keys. What, by whom and why is on record before it happens."""
    if bool(session) == bool(subject):
        output.fail("say what to erase: --session, or --subject")
    reached = asking.reached()
    body: dict[str, object] = {"reason": reason, "dry": dry}
    body |= {"sessions": session} if session else {"subject": subject, "issuer": issuer, "sponsored": sponsored}
    document = tell(reached, "/v1/erasures", body)
    while document.get("state") == "running":
        document = ask(reached, f"/v1/erasures/{document['id']}")
    if asking.as_json:
        output.emit(document)
    else:
        for words in _words(document):
            output.say(output.line(words))
    if document.get("state") not in {"done", "dry"}:
        raise typer.Exit(output.NO)
    if document.get("unsearched_below"):
        output.fail("not all of the log could be looked through: name the sessions in what was archived", output.NO)


def _words(document: dict[str, object]) -> list[str]:
    sessions = document.get("sessions")
    names = [str(name) for name in sessions] if isinstance(sessions, list) else []
    state = document.get("state")
    if state == "dry":
        return [f"{len(names)} sessions would be erased", *names]
    if state != "done":
        return [f"nothing was erased: {document.get('problem')}"]
    lines = [f"{len(names)} sessions: {document.get('keys')} keys deleted, {document.get('cards')} requests wiped"]
    if not document.get("keys"):
        lines.append("there was nothing left of them to erase")
    return [*lines, "what was exported, followed or carried away before is not reached by this"]
