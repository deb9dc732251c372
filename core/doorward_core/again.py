"""Leave to do the same again: what the gate decided once and would decide again, with everything constant written once.

What it is: a `Standing`, made by the gate from one Permit. Each use of it puts the same two entries into the log that
a decision anew would, and refuses where what the decision rests on has changed.
What it will not do: make a Permit, decide, or know what "the same" means: its holder compares, byte for byte.

Invariants:
- Only for what was permitted early, by a decision that policy calls repeatable, under no rate and to no request.
- No use under another policy than the one that decided, nor past the end of the credential.
- The entries equal those of `entries.decided` and `entries.finished` (tests/unit/core/test_again.py).
"""

from collections.abc import Mapping
from typing import Final, Protocol

from doorward_core import entries
from doorward_core.event import Event, EventKind, Outcome, Value
from doorward_core.forms import Base, Form
from doorward_core.model import Permit, RecordLevel, Session

NOT_AGAIN: Final = -1  # in the place of an entry's index: it must be decided anew

_VARYING: Final = ("seq",)
_CONTENT: Final = ("parameters", "text")
_END: Final = ("bytes_down", "bytes_up", "decided", "duration_ns", "rows", "seq")
_SHOWN: Final = ("shown", "shown_digest", "shown_truncated")


class Door(Protocol):
    """What a Standing needs of the gate that made it, and of its log."""

    @property
    def policy_digest(self) -> bytes:
        """The policy in force now."""

    def expired(self) -> bool:
        """Whether the credential of this session has run out."""

    def used(self, event: Event) -> int:
        """Append and count a permit, and begin to make it durable; give its entry."""

    def ended(self, event: Event, rows: int) -> None:
        """Append how one ended, and count its rows."""


class Use(Protocol):
    """One use of a standing: the operation's id and number, and the entry that `run` gave."""

    id: bytes
    seq: int
    entry: int


class Standing:
    """Use `run` each time, and then `ended` once; `permit` is the one that it was made from."""

    __slots__ = ("_content", "_digest", "_door", "_end", "_header", "_level", "_session", "_shown", "permit")

    def __init__(self, door: Door, session: Session, permit: Permit, level: RecordLevel) -> None:
        self.permit = permit
        self._door = door
        self._session = session
        self._level = level
        self._digest = permit.decision.policy_digest
        event = entries.decided(session, permit.operation, permit.decision)
        self._header = _without(event.header, _VARYING)
        self._content = _without(event.payload, _CONTENT)
        self._end: Base | None = None
        self._shown: Base | None = None

    def run(self, id_: bytes, seq: int, text: str, parameters: tuple[str | None, ...]) -> int:
        """Record that it is permitted again and begin to make that durable; give the entry, or NOT_AGAIN.

        Raises RecordError. Until the entry is durable, nothing that the target answers may be released.
        """
        door = self._door
        if door.expired() or door.policy_digest != self._digest:
            return NOT_AGAIN
        event = Event(
            EventKind.OPERATION_DECIDED,
            Form(self._header, {"seq": seq}),
            Form(self._content, {"parameters": list(parameters), "text": text}),
            self._session.id,
            id_,
        )
        return door.used(event)

    def learn(self, outcome: Outcome) -> None:
        """Keep what is constant of how it ends: well, with these columns, and nothing masked."""
        event = entries.finished(self._session, self.permit, outcome, self._level)
        self._end = _without(event.header, _END)
        self._shown = _without(event.payload, _SHOWN) if event.payload else None

    def ended(self, use: Use, rows: int, sizes: tuple[int, int, int], shown: tuple[bytes, bytes, bool]) -> None:
        """Record how one use ended; `sizes` are bytes up, bytes down and nanoseconds, `shown` as in `Outcome`."""
        if self._end is None:
            raise ValueError("its end was not learned")
        up, down, duration_ns = sizes
        rest: dict[str, Value] = {
            "bytes_down": down,
            "bytes_up": up,
            "decided": use.entry,
            "duration_ns": duration_ns,
            "rows": rows,
            "seq": use.seq,
        }
        content: Mapping[str, Value] = {}
        if self._shown is not None:
            content = Form(self._shown, {"shown": shown[0], "shown_digest": shown[1], "shown_truncated": shown[2]})
        event = Event(EventKind.OPERATION_FINISHED, Form(self._end, rest), content, self._session.id, use.id)
        self._door.ended(event, rows)


def _without(fields: Mapping[str, Value], varying: tuple[str, ...]) -> Base:
    return Base({name: value for name, value in fields.items() if name not in varying})
