"""Which ports a port-forward may reach: decided where policy looks at ports, as each is asked for within its tunnel.

What it is: the shell that makes an operation of a port and asks the gate.
What it will not do: read the tunnel (`tunnel_frames`), or let a port wait for people: a tunnel waits as a whole.

Invariants: a port that is refused is not opened, and its tunnel ends; where no rule looks at ports the decision on the
tunnel is the only one; a hold that the tunnel's own approval has satisfied is satisfied for its ports.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from doorward_core.doors import Door, Held
from doorward_core.event import Outcome, Status
from doorward_core.model import Action, Atom, Denial, Effect, Operation, Permit
from doorward_core.policy.decide import Policy
from doorward_core.session_gate import Memo
from doorward_k8s.facts import NO_PORT, PORT_FORWARD
from doorward_k8s.refusals import HELD_PORT, request_id

PORT: Final = "port"
OPENING: Final = "opens the tunnel alone: its ports are decided on as they are asked for"
_ID_BYTES: Final = 16


class Ports:
    """The ports of one tunnel: each is decided on once, and again when the policy is another."""

    def __init__(self, door: Door, policy: Callable[[], Policy], clock: Callable[[], int]) -> None:
        self._door = door
        self._policy = policy
        self._clock = clock
        self._allowed: set[tuple[str, bytes]] = set()  # by the policy in force; there are 65,535 ports

    def opening(self, operation: Operation) -> Operation:
        """A port-forward as it is decided on: where it is a port that could make it allowed, as its opening alone."""
        if operation.verb != PORT_FORWARD or operation.facts.get(PORT) != (NO_PORT,) or not self._minded(operation):
            return operation
        memo: Memo = {}
        held = self._door.gate.holds(operation, memo)
        if held or not any(one.effect is Effect.DENY for one in memo.values()):
            return operation
        return replace(
            operation,
            action=Action.SESSION,
            atoms=tuple(Atom(Action.SESSION, atom.target) for atom in operation.atoms),
            text=f"{operation.text}\n{OPENING}",
        )

    async def asked(self, whole: Operation, permit: Permit, port: str) -> str:
        """Decide on one port; why it may not be, or nothing."""
        known, gate = (port, self._policy().digest), self._door.gate
        if known in self._allowed or not (self._minded(whole) or is_opening(permit.operation)):
            return ""
        operation = replace(
            whole,
            id=secrets.token_bytes(_ID_BYTES),
            seq=self._door.number(),
            text=f"{whole.text.partition(chr(10))[0]}\nto port {port}",
            digest=hashlib.sha256(whole.digest + port.encode("ascii")).digest(),
            attributes={**whole.attributes, "for": request_id(permit.operation), PORT: port},
            facts={**whole.facts, PORT: (port,)},
        )
        memo: Memo = {}
        if gate.holds(operation, memo):
            asked = {(one.rule, one.rule_hash) for decision in memo.values() for one in decision.approvals}
            given = {(one.rule, one.rule_hash) for one in permit.decision.matches if one.effect is Effect.HOLD}
            if asked and asked <= given:
                self._allowed.add(known)
                return ""
            return (await gate.refuse(operation, HELD_PORT)).advice
        verdict = await gate.decide(operation, Held(self._clock()), memo)
        if isinstance(verdict, Denial):
            return f"doorward refused port {port}: {verdict.advice or 'policy refuses this'}"
        gate.finish(verdict, Outcome(Status.OK))
        self._allowed.add(known)
        return ""

    def _minded(self, operation: Operation) -> bool:
        session = self._door.gate.session
        return PORT in self._policy().minded(session.identity, session.resource, operation)


def is_opening(operation: Operation) -> bool:
    """Whether it was decided on as the opening of a tunnel alone."""
    return operation.verb == PORT_FORWARD and operation.action is Action.SESSION
