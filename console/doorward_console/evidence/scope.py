"""Which events a bundle is about, and what is shown of the others.

Implements docs/spec/evidence.md sections 2 and 6 (withheld entries).

Invariants: pure; what the log does not tell apart is in scope; a withheld entry shows everything but its payload.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward_core.record.strict import Strict

_FACTS = ("resource", "subject", "sponsor")
_SHORT = 256  # a payload of fewer bytes has a length of one byte

Head = Mapping[str, object]


@dataclass(slots=True)
class Scope:
    """A filter; an empty set lets everything through. It keeps the facts of the sessions of one log."""

    resources: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    _sessions: dict[bytes, bool] = field(default_factory=dict)

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.resources and not self.subjects

    def of_log(self) -> "Scope":
        """The same, for another log: ids of sessions are a log's own."""
        return Scope(self.resources, self.subjects)

    def has(self, session: bytes, head: Head) -> bool:
        """Whether the event with this session and header is in scope."""
        if self.everything:
            return True
        if not session:
            return self._lets(head)
        known = self._sessions.get(session)
        if known is None:
            known = self._lets(head)
            if any(head.get(name) for name in _FACTS):
                self._sessions[session] = known
        return known

    def _lets(self, head: Head) -> bool:
        resource, subject, sponsor = (head.get(name) for name in _FACTS)
        if self.resources and isinstance(resource, str) and resource and resource not in self.resources:
            return False
        if not self.subjects or not isinstance(subject, str) or not subject:
            return True
        return subject in self.subjects or (isinstance(sponsor, str) and sponsor in self.subjects)


def stated(item: Strict, data: bytes) -> bytes:
    """An entry without its payload."""
    tail = len(b"\xa7session\xc4.") + len(item.session) + len(b"\xa1v\x01")
    length = len(item.payload)
    spelled = length + (2 if length < _SHORT else 3)
    return data[: -tail - spelled] + b"\xc4\x00" + data[-tail:]
