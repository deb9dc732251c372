"""Casting a vote from the command line: the body of it, signed where there is a key to sign with."""

import time
from pathlib import Path

from doorward_console.cards import Detail
from doorward_console.gateway import Gateway
from doorward_console.signing import sign
from doorward_core.approvals.request import Verdict
from doorward_core.approvals.votes import statement


def ballot(gateway: Gateway, detail: Detail, verdict: str, reason: str, key: Path | None) -> dict[str, object]:
    """The body of a vote on the very card that was shown.

    What is signed is computed here, over that card, and is never the gateway's or the desk's word.
    CannotAsk, Refused or CannotSign where it cannot be had.
    """
    body: dict[str, object] = {"verdict": verdict, "reason": reason, "content": detail.content}
    if key is not None:
        who, now = gateway.get("/v1/whoami"), time.time_ns()
        by = {"subject": str(who.get("subject")), "issuer": str(who.get("issuer"))}
        text = statement(detail.request, Verdict(verdict), **by, reason=reason, cast_unix_ns=now)
        body["proof"] = {"kind": "sshsig", "signature": sign(key, text), "cast_unix_ns": now}
    return body
