"""The catalogue's freshness: what changed is read again, and what cannot be read again is not relied upon."""

from dataclasses import replace

import pytest
import sql_stand
import trio

from doorward_core.model import Mask, Transform
from doorward_postgres import catalogue
from doorward_postgres.catalogue import REFRESH_S, Catalogue


class Snapshot:
    """Stands for a catalogue: only which one it is matters here."""

    relations = ()


@pytest.fixture
def target(monkeypatch):
    """A target that can be read, or not; `reads` counts."""

    class Target:
        reads = 0
        reachable = True

    made = Target()

    def load(_connect, _before):
        made.reads += 1
        if not made.reachable:
            raise OSError
        return Snapshot()

    monkeypatch.setattr(catalogue, "load_catalog", load)
    return made


async def test_one_snapshot_serves_until_it_is_old(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    first = await found.current()
    assert await found.current() is first
    autojump_clock.jump(REFRESH_S)
    assert await found.current() is not first
    assert target.reads == 2


async def test_what_is_outdated_is_read_again_for_everybody(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    first = await found.current()
    autojump_clock.jump(1)
    found.outdate()
    autojump_clock.jump(1)
    second = await found.current()
    assert second is not first
    assert await found.current() is second
    assert target.reads == 2


async def test_a_snapshot_begun_before_the_change_is_not_given_even_if_it_ends_after_it(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    first = await found.current()
    found.outdate()  # at the very moment at which the first was begun
    autojump_clock.jump(1)
    assert await found.current() is not first


async def test_where_the_target_cannot_be_read_after_a_change_there_is_no_catalogue(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    assert await found.current() is not None
    autojump_clock.jump(1)
    found.outdate()
    autojump_clock.jump(1)
    target.reachable = False
    assert await found.current() is None
    assert found.view(()).catalog is None
    assert not await found.refresh()
    target.reachable = True
    autojump_clock.jump(1)
    assert await found.refresh()
    assert await found.current() is not None


async def test_an_old_snapshot_serves_while_the_target_is_away_and_nothing_is_known_to_have_changed(
    target, autojump_clock
):
    found = Catalogue("shop", lambda: None)
    first = await found.current()
    target.reachable = False
    autojump_clock.jump(REFRESH_S + 1)
    assert await found.current() is first


MASKS = (Mask("pii", ("public.customer.email",), ("email",), Transform.PARTIAL, "email"),)


async def test_masks_are_resolved_against_the_snapshot_and_the_answer_is_kept(target):
    found = Catalogue("shop", lambda: None)
    await found.current()
    view = found.view(MASKS)
    assert found.view(MASKS) is view
    assert found.view(()) is not view
    assert {view.version, found.view(()).version} == {1, 2}


async def test_a_new_snapshot_is_a_new_view_with_a_version_of_its_own(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    await found.current()
    before = found.view(MASKS)
    autojump_clock.jump(REFRESH_S)
    await found.current()
    after = found.view(MASKS)
    assert after.version > before.version
    assert after.catalog is not before.catalog


async def test_masks_name_the_columns_of_the_relations_that_are_there(monkeypatch):
    monkeypatch.setattr(catalogue, "load_catalog", lambda *_: sql_stand.catalog())
    found = Catalogue("shop", lambda: None)
    known = await found.current()
    customer = known.relation("public", "customer")
    email = next(one.attnum for one in customer.columns if one.name == "email")
    assert found.view(MASKS).masks == {customer.oid: {email: MASKS[0]}}
    assert found.view(MASKS).masked == {customer.oid: frozenset({email})}
    assert found.view(()).masks == {}


async def test_without_a_snapshot_a_view_knows_nothing(target):
    target.reachable = False
    found = Catalogue("shop", lambda: None)
    assert await found.current() is None
    assert found.problem == "OSError"
    assert (found.view(MASKS).catalog, found.view(MASKS).masks) == (None, {})


async def test_whoever_asks_while_it_is_read_waits_for_that_reading(target):
    found = Catalogue("shop", lambda: None)
    given = []

    async def ask():
        given.append(await found.current())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert len(set(map(id, given))) == 1
    assert target.reads == 1


async def test_a_younger_snapshot_than_asked_for_is_not_read_again(target, autojump_clock):
    found = Catalogue("shop", lambda: None)
    await found.current()
    assert not await found.newer_than(1.0)
    autojump_clock.jump(2)
    assert await found.newer_than(1.0)
    assert target.reads == 2


async def test_views_and_detectors_are_bounded_in_number(target, monkeypatch):
    monkeypatch.setattr(catalogue, "MAX_VIEWS", 3)
    found = Catalogue("shop", lambda: None)
    for number in range(10):
        masks = (replace(MASKS[0], rule=f"m{number}"),)
        found.view(masks)
        found.detectors(masks)
    assert (len(found._views), len(found._detectors)) == (3, 3)


def test_detectors_are_made_once_for_the_same_masks_and_not_where_none_is_asked_for():
    found = Catalogue("shop", lambda: None)
    assert found.detectors(MASKS) is found.detectors(MASKS)
    assert found.detectors(()) is None
    assert found.detectors((replace(MASKS[0], detect=()),)) is None
