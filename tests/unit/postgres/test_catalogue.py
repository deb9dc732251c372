"""The catalogue's freshness: what changed is read again, and what cannot be read again is not relied upon."""

import pytest

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

    def load(_connect):
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
