"""Casting a vote from the command line: the body of it, signed where there is a key to sign with."""

import time
from pathlib import Path

from doorward_console.cards import Detail
from doorward_console.gateway import Gateway
from doorward_console.output import span
from doorward_console.signing import sign
from doorward_core.approvals.request import NS_PER_S, Verdict
from doorward_core.approvals.votes import statement


def chosen(detail: Detail, said: bool | None) -> bool | None:
    """Whether an approval allows an identical retry: what was said, else what helps and is narrowest; None: no choice.

    ValueError if what was said is no choice here.
    """
    if detail.choices:
        return detail.choices[0] if said is None else said
    if said and not detail.request.retry:
        raise ValueError("the rule that holds this allows no identical retry")
    if said is not None and detail.request.retry:
        raise ValueError(
            "this gateway is older, and leaves no choice: the rule that holds this allows an identical retry"
        )
    return None


def asked(detail: Detail, verdict: str, retry: bool | None) -> str:
    """What an approver is asked to confirm."""
    if retry is None:
        return f"{verdict} this?"
    within = span(detail.request.grant_s * NS_PER_S)
    who = "this for the one that waits alone" if not retry else f"this, and one identical retry within {within}"
    return f"{verdict} {who}?"


def ballot(
    gateway: Gateway, detail: Detail, verdict: str, reason: str, key: Path | None, *, retry: bool | None = None
) -> dict[str, object]:
    """The body of a vote on the very card that was shown; `retry` is the choice of an approver, where there is one.

    What is signed is computed here, over that card, and is never the gateway's or the desk's word.
    CannotAsk, Refused or CannotSign where it cannot be had.
    """
    body: dict[str, object] = {"verdict": verdict, "reason": reason, "content": detail.content}
    if retry is not None:
        body["retry"] = retry
    if key is not None:
        who, now = gateway.get("/v1/whoami"), time.time_ns()
        by = {"subject": str(who.get("subject")), "issuer": str(who.get("issuer"))}
        text = statement(detail.request, Verdict(verdict), **by, reason=reason, cast_unix_ns=now, retry=retry)
        body["proof"] = {"kind": "sshsig", "signature": sign(key, text), "cast_unix_ns": now}
    return body
