"""What is written down the short way equals what is written down the long way, and leave ends with what it rests on."""

from dataclasses import replace

import pytest

from doorward_core import entries
from doorward_core.again import NOT_AGAIN
from doorward_core.errors import RecordError
from doorward_core.event import EventKind, Outcome, Status
from doorward_core.model import Action, Atom, Operation, Permit, RecordLevel, Target
from doorward_core.policy.load import parse_policy

POLICY = """
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [readers]}, resource: app-db, do: [read], tables: ["public.*"]}
"""


class Use:
    """One use."""

    def __init__(self, entry, seq=2):
        self.id, self.seq, self.entry = b"p" * 16, seq, entry


async def permitted(house, asked, **more):
    door = await house.admit("readers")
    permit = await door.decide(asked(pure=True, **more), None, {})
    assert isinstance(permit, Permit)
    assert permit.early
    return door, permit


@pytest.fixture
def asked():
    base = Operation(
        b"o" * 16, 1, Action.READ, "SELECT", (Atom(Action.READ, Target("relation", "public.orders", ("id",))),),
        "select $1", b"d" * 32, parameters=("1",), attributes={"search_path": "public"},
    )  # fmt: skip
    return lambda **more: replace(base, **more)


async def test_a_use_is_recorded_as_a_decision_anew_would_be(house, asked):
    door, permit = await permitted(house, asked)
    standing = door.standing(permit)
    entry = standing.run(b"p" * 16, 2, "select $1", ("2", None))
    again = asked(id=b"p" * 16, seq=2, pure=True, parameters=("2", None))
    assert house.log.events[entry] == entries.decided(door.session, again, permit.decision)
    assert door.permit_again(standing, again, entry) == Permit(
        again, permit.decision, entry, permit.not_after_unix_ns, early=True
    )
    assert house.gate.totals["permitted"] == 2


@pytest.mark.parametrize("level", list(RecordLevel))
async def test_an_end_is_recorded_as_any_other(house, asked, level):
    house.gate.level = level
    door, permit = await permitted(house, asked)
    standing = door.standing(permit)
    first = Outcome(Status.OK, "", 1, 5, 6, ("id",), (23,), (0,), {}, 9, b"row", "rows", b"h" * 32)
    standing.learn(first)
    entry = standing.run(b"p" * 16, 2, "select $1", ("2",))
    standing.ended(Use(entry), 3, (70, 80, 90), (b"rows", b"i" * 32, True))
    again = door.permit_again(standing, asked(id=b"p" * 16, seq=2), entry)
    outcome = Outcome(
        Status.OK, "", 3, 70, 80, ("id",), (23,), (0,), {}, 90, b"rows", "rows", b"i" * 32, shown_truncated=True
    )  # fmt: skip
    assert house.log.events[-1] == entries.finished(door.session, again, outcome, level)
    door.close("ended")
    (closed,) = house.events(EventKind.SESSION_CLOSED)
    assert (closed.header["totals"]["rows"], closed.header["totals"]["permitted"]) == (3, 2)


async def test_an_end_that_was_not_learned_is_not_recorded(house, asked):
    door, permit = await permitted(house, asked)
    with pytest.raises(ValueError, match="not learned"):
        door.standing(permit).ended(Use(1), 1, (1, 1, 1), (b"", b"", False))


async def test_leave_ends_with_the_policy_that_gave_it_and_with_the_credential(house, asked):
    door, permit = await permitted(house, asked)
    standing = door.standing(permit)
    old = house.gate.policy
    house.gate.policy = parse_policy(POLICY, "policy.yaml")
    count = len(house.log.events)
    assert standing.run(b"p" * 16, 2, "select $1", ()) == NOT_AGAIN
    house.gate.policy = old
    house.later_ns = 10**18
    assert standing.run(b"p" * 16, 2, "select $1", ()) == NOT_AGAIN
    assert len(house.log.events) == count


async def test_leave_is_given_for_what_is_proved_to_change_nothing_and_for_nothing_else(house, asked):
    door, permit = await permitted(house, asked)
    assert door.standing(permit) is not None
    late = await door.decide(asked(id=b"q" * 16), None, {})
    assert door.standing(late) is None


PROBING = Atom(Action.PROBE, Target("relation", "public.customer", ("email",), "equality"))
MASK = "masks: [{id: m, resource: app-db, columns: [public.customer.email], probe: {equality: allow, limit: 20/h}}]"


@pytest.mark.parametrize(
    ("policy", "observed"),
    [(POLICY.replace("effect: allow", "effect: allow, until: 2060-01-01"), False), (POLICY + MASK, False), (POLICY, True)],
    ids=["a rule that ends", "a rate", "observe mode"],
)  # fmt: skip
async def test_no_leave_for_what_time_or_a_count_decides_too(house, asked, policy, observed):
    parsed = parse_policy(policy, "policy.yaml")
    house.gate.policy = parsed.observing({"app-db": 10**19}) if observed else parsed
    atoms = (*asked().atoms, PROBING) if "masks" in policy else asked().atoms
    atoms = (*atoms, Atom(Action.READ, Target("relation", "hidden.orders", ("id",)))) if observed else atoms
    door, permit = await permitted(house, asked, atoms=atoms)
    assert door.standing(permit) is None


async def test_a_log_that_has_failed_gives_no_leave(house, asked):
    door, permit = await permitted(house, asked)
    standing = door.standing(permit)
    house.log.fail("gone")
    with pytest.raises(RecordError):
        standing.run(b"p" * 16, 2, "select $1", ())


async def test_release_asks_again_when_the_record_is_durable_and_raises_when_it_never_will_be(house, asked):
    house.log.hold_durability = False
    door = await house.admit("readers")
    house.log.hold_durability = True
    permit = await door.decide(asked(pure=True), None, {})
    called = []
    assert not door.release(permit.entry, lambda: called.append("later"))
    assert called == []
    house.log.hold_durability = False
    assert called == ["later"]
    assert door.release(permit.entry, lambda: called.append("never"))
    house.log.hold_durability = True
    permit = await door.decide(asked(pure=True), None, {})
    assert not door.release(permit.entry, lambda: called.append("failed"))
    house.log.fail("gone")
    assert called == ["later", "failed"]
    with pytest.raises(RecordError, match="gone"):
        door.release(permit.entry, lambda: called.append("never"))
    house.log.recover()
    with pytest.raises(RecordError, match="interrupted"):
        door.release(permit.entry, lambda: called.append("never"))
