"""One session of the HTTP gateway, with what its targets are told of who asks.

What it is: the door of `doorward_core.doors`, and a signed assertion that is made anew halfway through its life.
What it will not do: admit anybody, or send the assertion.
"""

from collections.abc import Callable
from typing import Final

from doorward_core.doors import Door
from doorward_core.identity.assertion import Assertion
from doorward_core.model import Operation
from doorward_core.session_gate import Memo, SessionGate

MAX_MEMOS: Final = 256  # requests of one session whose decisions the gate may remember; past them all is begun anew


class HttpDoor(Door):
    """One session, with what is counted and kept for it."""

    def __init__(self, gate: SessionGate, clock: Callable[[], int]) -> None:
        super().__init__(gate, clock)
        self._said = b""
        self._again_unix_ns = 0
        self._memos: dict[tuple[str, ...], Memo] = {}

    def memo(self, operation: Operation) -> Memo:
        """Where the gate remembers what it decided on requests like this one."""
        if operation.facts:
            return {}  # the decision rests on more than its name
        key = (
            operation.action,
            *(atom.target.name for atom in operation.atoms),
            operation.attributes.get("problem", ""),
        )
        memo = self._memos.get(key)
        if memo is None:
            if len(self._memos) >= MAX_MEMOS:
                self._memos.clear()
            memo = self._memos[key] = {}
        return memo

    def assertion(self, signer: Assertion, audience: str, identifier: Callable[[], str], now_unix_ns: int) -> bytes:
        """Who asks, signed for a target."""
        if now_unix_ns >= self._again_unix_ns:
            self._said, self._again_unix_ns = signer.sign(self.gate.session, audience, identifier(), now_unix_ns)
        return self._said
