"""On record before it acts; in force before it is kept where it takes away, kept before it acts where it gives."""

import pytest

from doorward_core.access import register as under_test
from doorward_core.access.ledger import Review
from doorward_core.access.register import RegisterFull
from doorward_core.errors import RecordError, StoreError

NS = 1_000_000_000


async def revoke(room, one, person, peer, acted=None):
    def act():
        assert room.kinds[-1] == "access.revoked"
        assert one.id in room.ledger.revocations
        (acted if acted is not None else []).append(one.id)

    await room.register.revoke(one, person(), peer, sessions=lambda: 2, act=act)


async def test_a_revocation_is_on_record_acts_and_survives_a_restart(room, person, peer, a_revocation):
    acted, told = [], []
    room.register.listeners.append(told.append)
    await revoke(room, a_revocation(), person, peer, acted)
    assert acted == ["rv-1"]
    assert room.events[0].header["sessions"] == 2
    assert told == room.events
    room.restart()
    assert list(room.ledger.revocations) == ["rv-1"]


async def test_what_cannot_be_recorded_does_not_act(room, person, peer, a_revocation, an_opening):
    room.broken = True
    acted = []
    with pytest.raises(RecordError):
        await revoke(room, a_revocation(), person, peer, acted)
    with pytest.raises(RecordError):
        await room.register.open(an_opening(), person(), peer)
    assert (acted, room.ledger.revocations, room.ledger.openings) == ([], {}, {})


def spoil(room):
    """From here on the file cannot be written."""
    room.path.with_name(f"{room.path.name}.new").mkdir()


async def test_what_takes_away_acts_even_where_it_cannot_be_kept(room, person, peer, a_revocation):
    spoil(room)
    acted = []
    with pytest.raises(StoreError):
        await revoke(room, a_revocation(), person, peer, acted)
    assert acted == ["rv-1"]
    assert room.ledger.revocations


async def test_what_loosens_is_kept_first_or_does_not_act(room, person, peer, a_revocation, an_opening):
    await revoke(room, a_revocation(), person, peer)
    spoil(room)
    with pytest.raises(StoreError):
        await room.register.lift(a_revocation(), person(), peer, "mended")
    with pytest.raises(StoreError):
        await room.register.open(an_opening(), person(), peer)
    assert list(room.ledger.revocations) == ["rv-1"]
    assert room.ledger.openings == {}


async def test_it_is_lifted_once_and_stays_so(room, person, peer, a_revocation):
    await revoke(room, a_revocation(), person, peer)
    assert await room.register.lift(a_revocation(), person(), peer, "mended")
    assert not await room.register.lift(a_revocation(), person(), peer, "mended")
    assert room.kinds == ["access.revoked", "access.restored"]
    room.restart()
    assert room.ledger.revocations == {}


async def test_broken_glass_is_loud_and_owes_a_review_over_a_restart(room, person, peer, an_opening):
    told = []
    room.register.listeners.append(told.append)
    await room.register.open(an_opening(), person(), peer)
    assert [event.kind.value for event in told] == ["break-glass.opened"]
    room.restart()
    (owed,) = room.ledger.owed()
    assert owed == an_opening()
    review = Review("eve", "https://id.example", "fine", room.now)
    assert await room.register.review(owed, review, person("eve"), peer)
    assert not await room.register.review(owed, review, person("eve"), peer)
    room.restart()
    assert room.ledger.owed() == ()
    assert room.ledger.openings["bg-1"].review == review
    assert room.kinds == ["break-glass.opened", "break-glass.reviewed"]


async def test_what_was_reviewed_long_ago_is_forgotten_and_what_is_owed_never(room, person, peer, an_opening):
    await room.register.open(an_opening(name="bg-1"), person(), peer)
    await room.register.open(an_opening(name="bg-2"), person(), peer)
    review = Review("eve", "https://id.example", "fine", room.now)
    assert await room.register.review(room.ledger.openings["bg-1"], review, person("eve"), peer)
    room.now += 31 * 24 * 3600 * NS
    await room.register.open(an_opening(name="bg-3"), person(), peer)
    room.restart()
    assert list(room.ledger.openings) == ["bg-2", "bg-3"]


async def test_glass_is_shut_before_its_time(room, person, peer, an_opening):
    await room.register.open(an_opening(), person(), peer)
    room.now += NS
    await room.register.shut((room.ledger.openings["bg-1"],))
    assert room.ledger.opening(person(), "shop", room.now) is None
    room.restart()
    assert room.ledger.openings["bg-1"].until_unix_ns == room.now
    assert room.ledger.owed()


async def test_revocations_have_a_bound(room, person, peer, a_revocation, monkeypatch):
    monkeypatch.setattr(under_test, "MAX_REVOCATIONS", 1)
    await revoke(room, a_revocation(), person, peer)
    with pytest.raises(RegisterFull, match="lift some"):
        await revoke(room, a_revocation(name="rv-2"), person, peer)


async def test_owed_reviews_have_a_bound(room, person, peer, an_opening, monkeypatch):
    monkeypatch.setattr(under_test, "MAX_OWED", 1)
    await room.register.open(an_opening(), person(), peer)
    with pytest.raises(RegisterFull, match="reviews are owed"):
        await room.register.open(an_opening(name="bg-2"), person(), peer)
