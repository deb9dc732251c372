"""What a client is told when the gateway itself refuses or ends something: PostgreSQL's own errors, to be acted on.

What it is: ErrorResponse and NoticeResponse frames with SQLSTATE, DETAIL and HINT, and the farewells of a session.
What it will not do: quote a value, a credential, or the text of a statement.

Source: PostgreSQL documentation, appendix A (error codes).
Invariant: each refusal says what was refused, by whom, whether trying again helps, and how to ask.
"""

from dataclasses import dataclass
from typing import Final

from doorward_core import entries
from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.event import Outcome, Status
from doorward_core.model import Action, Denial, ReasonCode
from doorward_core.policy.advise import readable
from doorward_postgres.wire_encode import encode_error_response, encode_notice_response

INSUFFICIENT_PRIVILEGE: Final = "42501"
NOT_AVAILABLE: Final = "58000"
NOT_NOW: Final = {ReasonCode.UNAVAILABLE: NOT_AVAILABLE, ReasonCode.EXPIRED: "28000", ReasonCode.LIMIT: "53400"}
UNKNOWN_TARGET: Final = "08006"
# What the server itself would have said of a name that stands for nothing, and of a text that is no SQL.
NOTHING_THERE: Final = {
    "relation": "42P01", "column": "42703", "function": "42883", "type": "42704", "prepared": "26000",
    "cursor": "34000", "grammar": "42601",
}  # fmt: skip


def fatal(sqlstate: str, message: str, hint: str = "") -> bytes:
    """The end of the connection."""
    return encode_error_response("FATAL", sqlstate, message, hint=hint)


LOST: Final = fatal(UNKNOWN_TARGET, "the connection between gateway and target was lost")
UNTRUSTED: Final = fatal(
    UNKNOWN_TARGET, "the target broke its protocol, or its answer could not be made safe; the session was ended"
)
EXPIRED: Final = fatal("28000", "the credential of this session has expired", "Get a new token and connect again.")
GOING_DOWN: Final = fatal("57P01", "the gateway is going down", "Connect again.")
BUSY: Final = fatal("53300", "the gateway serves as many connections as it may; try again later")
NO_RECORD: Final = fatal(
    "58030", "the gateway cannot write its record, and lets nothing pass without one", "Try again later."
)


def no_record(error: RecordError) -> bytes:
    """The record cannot be written, or takes nothing that begins: the end of the connection, and why."""
    return fatal("57P03", str(error), "Try again later.") if isinstance(error, TrafficStopped) else NO_RECORD


INTERNAL: Final = fatal("XX000", "the gateway ended this session because of an error of its own")
IDLE: Final = fatal("57P05", "the session was idle for too long")
OBSERVED: Final = encode_notice_response(
    "WARNING",
    "01000",
    "doorward: this resource is in observe mode; what policy blocks or holds is recorded, and goes on all the same",
    "Masks and the record are in force.",
)
AFTER_WRITE: Final = (
    "this transaction has already changed something, and would hold its locks while people decide; "
    "commit it, then run this statement on its own"
)
CHANGED: Final = (
    "what this statement touches has changed at the target since people were asked; nothing was run, ask again"
)
READ_ONLY: Final = "this session may only read, and so may each of its transactions"
FAST_PATH: Final = "the result of a fast-path function call cannot be masked, and masks are in force; use SELECT"
NEVER_SENT: Final = Outcome(Status.ABORTED, "57014")  # permitted, and cancelled before it was sent
CANCELLED: Final = encode_error_response("ERROR", "57014", "canceling statement due to user request")


@dataclass(slots=True)
class Ending:
    """Why the session ended, and what the client is told; nothing where it cannot be told anything."""

    reason: str
    farewell: bytes = b""


def over(words: str) -> Ending:
    """An operator has ended the session, and says so, or its credential has."""
    if not words:
        return Ending("the credential expired", EXPIRED)
    return Ending("ended by an operator", fatal("57P01", words, "Ask them before you connect again."))


def denied(denial: Denial) -> bytes:
    """An operation was refused: an agent can read what, why, and what would help."""
    absent = _absent(denial)
    if absent:
        problem = readable(denial.operation.attributes["problem"])
        detail = f"doorward did not send it, for it could not be read whole. Log entry: {denial.entry}."
        return encode_error_response("ERROR", NOTHING_THERE[absent], problem, detail, "Correct the statement.")
    verb = denial.operation.verb.removeprefix("PARSE ")
    message = f"doorward refused {verb}: {denial.advice}" if denial.advice else f"doorward refused {verb}"
    parts = []
    what = entries.refused_content(denial)
    if what:
        parts.append(f"Not granted: {what}.")
    if denial.request_id:
        parts.append(f"Approval request: {denial.request_id}.")
    parts.append(f"Log entry: {denial.entry}.")
    hint = "Trying again may help." if denial.retry else "Trying the same again will not help."
    sqlstate = NOT_NOW.get(denial.reason, INSUFFICIENT_PRIVILEGE)
    return encode_error_response("ERROR", sqlstate, message, " ".join(parts), hint)


def _absent(denial: Denial) -> str:
    """What kind of name stands for nothing, where that alone made the denial: it can be put right without anybody."""
    absent = denial.operation.attributes.get("absent", "")
    kind, _, name = absent.partition(" ")
    if kind not in NOTHING_THERE or not denial.blamed:
        return ""
    # A call of a function that is not there is unknown, and would have to be allowed besides.
    only = all(
        atom.action is Action.UNKNOWN or (atom.action is Action.EXECUTE and atom.target.name == name)
        for atom in denial.blamed
    )
    return kind if only else ""


def held(request_id: str, advice: str, within_s: int) -> bytes:
    """The operation waits for people; the client sees it at once, and waits on."""
    message = f"doorward: held for approval, request {request_id}"
    detail = f"{advice} Waiting at most {within_s} s." if advice else f"Waiting at most {within_s} s."
    return encode_notice_response("NOTICE", "00000", message, detail, f"doorward approvals approve {request_id}")


def progress(request_id: str, words: str, within_s: int) -> bytes:
    """How far people are with what is held; the client sees it at once, and waits on."""
    message = f"doorward: {words}; waiting at most {within_s} s [{request_id}]"
    return encode_notice_response("NOTICE", "00000", message)
