"""Who has what beside the rules, over all gateways: access that stands for a time, and what is revoked.

What it is: the questions to the gateways about it, with the token of whoever looks, read into rows for the page and the
JSON API; and what each gateway lets that person do there.
What it will not do: decide who may look, or take anything away (`revoking`).

Invariants: a gateway that did not answer is named in the result; what was revoked at several gateways with the same
words by the same person is one row; nothing of an answer is taken for granted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import trio

from doorward_console.web.answers import number_of, text_of, texts_of
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person
from doorward_console.web.reach import Down, Gateway, Told, ask_all


@dataclass(frozen=True, slots=True)
class AccessRow:
    """Access of one principal on one resource, until its time is over or it is taken back. `by` approved it."""

    gateway: str
    id: str
    subject: str
    display: str
    sponsor: str
    resource: str
    account: str
    actions: tuple[str, ...]
    reason: str
    by: tuple[str, ...]
    until_unix_ns: int

    @property
    def revoke_path(self) -> str:
        """Where it is taken back."""
        return f"/access/{self.gateway}/{self.id}/revoke"


@dataclass(frozen=True, slots=True)
class RevokedAt:
    """One gateway's own entry of a revocation."""

    gateway: str
    id: str


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """What is revoked, and where; `made_unix_ns` is when that began."""

    what: str
    value: str
    reason: str
    operator: str
    made_unix_ns: int
    at: tuple[RevokedAt, ...]

    @property
    def which(self) -> str:
        """All its entries, for the form that lifts it."""
        return " ".join(f"{one.gateway}:{one.id}" for one in self.at)


@dataclass(frozen=True, slots=True)
class Rights:
    """What one gateway lets whoever looks do there."""

    gateway: str
    operator: bool
    break_glass: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. `rights` are those of whoever looks: revocations are shown by a gateway to its operators alone."""

    access: tuple[AccessRow, ...]
    revocations: tuple[RevocationRow, ...]
    rights: tuple[Rights, ...]
    down: tuple[Down, ...]

    @property
    def operates(self) -> tuple[str, ...]:
        """The gateways that take whoever looks for an operator."""
        return tuple(one.gateway for one in self.rights if one.operator)

    @property
    def breaks(self) -> tuple[str, ...]:
        """The gateways at which they may break the glass."""
        return tuple(one.gateway for one in self.rights if one.break_glass)


async def standing(desk: Desk, person: Person) -> Standing:
    """Ask every gateway, at once."""
    gateways = tuple(desk.gateways.values())
    answers: dict[str, tuple[list[Told], list[Down]]] = {}

    async def ask(what: str, those: tuple[Gateway, ...]) -> None:
        answers[what] = await ask_all(those, person.token, what)

    async def who_and_what() -> None:
        await ask("whoami", gateways)
        named = {one.gateway for one in map(_rights, answers["whoami"][0]) if one.operator}
        await ask("revocations", tuple(gateway for gateway in gateways if gateway.name in named))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(who_and_what)
        nursery.start_soon(ask, "access", gateways)
    down = {one.gateway: one for _, silent in answers.values() for one in silent}
    return Standing(
        access=_access(answers["access"][0]),
        revocations=_revocations(answers["revocations"][0]),
        rights=tuple(map(_rights, answers["whoami"][0])),
        down=tuple(down[name] for name in desk.gateways if name in down),
    )


async def rights(desk: Desk, person: Person) -> tuple[Rights, ...]:
    """What whoever looks may do, at each gateway that answers."""
    told, _ = await ask_all(tuple(desk.gateways.values()), person.token, "whoami")
    return tuple(map(_rights, told))


def _rights(told: Told) -> Rights:
    return Rights(told.gateway, told.answer.get("operator") is True, told.answer.get("break_glass") is True)


def _access(told: Iterable[Told]) -> tuple[AccessRow, ...]:
    rows = [
        AccessRow(
            gateway=gateway,
            id=text_of(item, "id"),
            subject=text_of(item, "subject"),
            display=text_of(item, "display"),
            sponsor=text_of(item, "sponsor"),
            resource=text_of(item, "resource"),
            account=text_of(item, "account"),
            actions=texts_of(item, "actions"),
            reason=text_of(item, "reason"),
            by=texts_of(item, "by"),
            until_unix_ns=number_of(item, "until_unix_ns"),
        )
        for gateway, item in _listed(told, "access")
    ]
    return tuple(sorted(rows, key=lambda row: (row.until_unix_ns, row.gateway, row.id)))


def _revocations(told: Iterable[Told]) -> tuple[RevocationRow, ...]:
    found: dict[tuple[str, str, str, str], list[tuple[int, RevokedAt]]] = {}
    for gateway, item in _listed(told, "revocations"):
        alike = (text_of(item, "what"), text_of(item, "value"), text_of(item, "reason"), text_of(item, "operator"))
        found.setdefault(alike, []).append((number_of(item, "made_unix_ns"), RevokedAt(gateway, text_of(item, "id"))))
    rows = [
        RevocationRow(what, value, reason, operator, min(made for made, _ in those), tuple(one for _, one in those))
        for (what, value, reason, operator), those in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.made_unix_ns, row.what, row.value)))


def _listed(told: Iterable[Told], name: str) -> Iterable[tuple[str, Mapping[str, object]]]:
    for one in told:
        listed = one.answer.get(name)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict):
                yield one.gateway, item
