"""Taking away, at several gateways at once: who is told what, and what each of them answered.

What it is: revocations and their lifting, sent to each gateway with the token of whoever revokes.
What it will not do: say that something is revoked where it was not: each gateway is named, with its answer or why there
is none. Which of them may be told is for each gateway to judge.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from doorward_console.web.answers import number_of, text_of
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person
from doorward_console.web.reach import Answer, Gateway, tell_all, told_by
from doorward_console.web.standing import RevokedAt
from doorward_core.access.ledger import What

_SESSION = What.SESSION.value
_TOKEN = What.TOKEN.value
_CERTIFICATE = re.compile(r"[0-9]{1,20}:(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one gateway made of it. `done` says that it is in force there (or lifted); `why` says why not.

    `id` is its name there; `sessions` were meant and `gone` of them have ended; `absent` says that there is nothing of
    the kind there; `problem` is the gateway's own warning.
    """

    gateway: str
    done: bool
    why: str = ""
    absent: bool = False
    id: str = ""
    what: str = ""
    sessions: int = 0
    gone: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was to be revoked, and what came of it at each gateway."""

    what: str
    value: str
    reason: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The gateways at which it is not revoked; a session is only where it is."""
        return tuple(one.gateway for one in self.outcomes if not one.done and not one.absent)

    @property
    def anywhere(self) -> bool:
        """Whether it is revoked at any of them."""
        return any(one.done for one in self.outcomes)

    @property
    def everywhere(self) -> bool:
        """Whether it is revoked wherever it could be."""
        return self.anywhere and not self.failed


async def revoke(desk: Desk, person: Person, *, what: str, value: str, reason: str, at: Sequence[str] = ()) -> Revoked:
    """Revoke at the gateways that are named, or at all of them."""
    gateways = [gateway for name, gateway in desk.gateways.items() if not at or name in at]
    body = {"what": what, "value": value, "reason": reason}
    answers = await tell_all(gateways, person.token, "revocations", body=body)
    return Revoked(what, value, reason, tuple(_outcome(one, what) for one in answers))


async def revoke_session(desk: Desk, person: Person, gateway: Gateway, name: str, reason: str) -> Revoked:
    """End one session, and revoke what opened it: there with it, and at every other gateway.

    An SSH certificate is one gateway's own (`SERIAL:TOKEN` in the record): then the token that it was given for is
    revoked, there too, and every certificate with it.
    """
    body = {"what": _SESSION, "value": name, "reason": reason}
    first = await told_by(gateway, person.token, "revocations", body=body)
    credential = first.answer.get("credential")
    if not first.ok or not isinstance(credential, str) or not credential:
        return Revoked(_SESSION, name, reason, (_outcome(first, ""),))
    certificate = _CERTIFICATE.fullmatch(credential)
    token = certificate[1] if certificate is not None else credential
    at = tuple(name for name in desk.gateways if certificate is not None or name != gateway.name)
    rest = (await revoke(desk, person, what=_TOKEN, value=token, reason=reason, at=at)).outcomes if at else ()
    return Revoked(_TOKEN, token, reason, (_outcome(first, _SESSION), *rest))


async def lift(desk: Desk, person: Person, entries: Iterable[RevokedAt], reason: str) -> tuple[Outcome, ...]:
    """Lift each of these; entries of gateways that the desk does not know are told as such."""
    outcomes = []
    for one in entries:
        gateway = desk.gateways.get(one.gateway)
        if gateway is None:
            outcomes.append(Outcome(one.gateway, False, "there is no such gateway", id=one.id))
            continue
        answer = await told_by(gateway, person.token, "revocations", one.id, "lift", body={"reason": reason})
        outcomes.append(Outcome(one.gateway, answer.ok, answer.why, id=one.id))
    return tuple(outcomes)


def read_entries(text: str) -> tuple[RevokedAt, ...]:
    """What `RevocationRow.which` wrote. Raises ValueError."""
    entries = []
    for piece in text.split():
        gateway, colon, name = piece.rpartition(":")
        if not colon or not gateway or not name:
            raise ValueError("not an entry of a revocation")
        entries.append(RevokedAt(gateway, name))
    if not entries:
        raise ValueError("no entry of a revocation")
    return tuple(entries)


def _outcome(one: Answer, what: str) -> Outcome:
    absent = one.status == HTTPStatus.NOT_FOUND and what == _SESSION
    return Outcome(
        gateway=one.gateway,
        done=one.ok,
        why=one.why,
        absent=absent,
        id=text_of(one.answer, "id"),
        what=text_of(one.answer, "what"),
        sessions=number_of(one.answer, "sessions"),
        gone=number_of(one.answer, "gone"),
        problem=text_of(one.answer, "problem"),
    )
