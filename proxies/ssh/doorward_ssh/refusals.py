"""What the gateway itself says to an SSH client: one line each, that a person and an agent can act on.

What it is: pure functions to text.
What it will not do: quote what came from the client or the target, but in the words of policy.

Invariants: one line, printable, no escape sequence of a terminal, whatever the advice holds (threat model SSH-14).
"""

from typing import Final

from doorward_core.entries import refused_content
from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.model import Denial
from doorward_core.policy.advise import describe, readable

REFUSED: Final = 126  # "found and not executable", as shells have it: nothing ran
FAILED: Final = 255  # as ssh itself has it: the connection to what was to run it failed
LINE_CHARS: Final = 1000  # of one line: a terminal's worth of advice
PARTING_CHARS: Final = 400  # of a disconnect message

NO_RECORD: Final = "the record cannot be written, and nothing passes without one; try again later"
GOING_DOWN: Final = "the gateway is going down"
ONLY_JUMPS: Final = "a jump carries connections to resources, and runs nothing itself"
NOT_AGAIN: Final = "an approval is for one request; it was not used"
STRICT_PTY: Final = (
    "values must be masked here, and in a terminal that can only be done as far as it goes; "
    "run the command without a terminal (ssh -T)"
)
IDLE: Final = "nothing was asked for on this connection for too long"
EXPIRED: Final = "the credential of this session has expired; log in again"
OBSERVED: Final = "doorward: observe mode: what is refused or held elsewhere is let through and recorded"

# Before a login: what stands in docs/ssh.md, word for word the same for everybody.
TOKENS: Final = (
    "Your access token is the password here. The prompt of ssh cuts it at 1,023 bytes, and most are longer: "
    "`doorward ssh-login` makes a certificate of it, and then nothing is asked."
)
_NAMES: Final = (
    "the user name says which account on which resource, as in: ssh deploy@web1@gateway.example (or it is `jump`)",
    "log in first with `doorward ssh-login`, which makes a certificate of your access token; no other key counts",
)
_INNER_NAMES: Final = "through a jump, the user name is an account of the host, as in: ssh deploy@web1"


def names(*, inner: bool) -> str:
    """What a client hears whose user name cannot be read: how it is written, never which ones there are."""
    return "".join(f"{line(words)}\r\n" for words in ((_INNER_NAMES, _NAMES[1]) if inner else _NAMES))


def no_record(error: RecordError) -> str:
    """The record cannot be written, or takes nothing that begins; then it says why."""
    return str(error) if isinstance(error, TrafficStopped) else NO_RECORD


def line(words: str) -> str:
    """One line of ours, without its end."""
    flat = "".join(char if char.isprintable() else " " for char in words)
    return f"doorward: {flat}"[:LINE_CHARS]


def parting(words: str) -> str:
    """As much as fits into a disconnect message."""
    return words[:PARTING_CHARS]


def denied(denial: Denial) -> str:
    """Why it did not run, what the rules looked at where that is not said already, and by what name to ask about it."""
    advice = denial.advice.strip().rstrip(".") or "no rule allows it"
    name = denial.request_id or denial.operation.id.hex()[:12]
    again = "; it may be tried again" if denial.retry else ""
    why = denial.operation.attributes.get("problem", "")
    if not why and not any(describe(atom) in advice for atom in denial.blamed):
        why = refused_content(denial)
    said = not why or readable(why) in advice
    return line(f"refused: {advice}{'' if said else f' ({why})'}{again} [{name}]")


def held(request_id: str, advice: str, within_s: int) -> str:
    """It waits for people."""
    words = advice.strip().rstrip(".") or "held for approval"
    return line(f"{words}; waiting at most {within_s} s [{request_id}]")


def unavailable(reason: str) -> str:
    """The target cannot be reached, or is not the one that it should be."""
    return line(f"the target is not available: {reason}")
