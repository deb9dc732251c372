import pytest
from evidence_stand import NOW

from doorward_console.evidence.source import Source
from doorward_core.errors import RecordError


def test_the_first_entry_of_a_moment_is_found_by_its_time(stand):
    times = [NOW]
    for number in range(700):
        times.append(stand.wait(0.5) + 1_000_000)
        stand.add("gateway.error", {"what": str(number)})
    source = stand.done().source()
    for place in (0, 1, 255, 256, 257, 600, 700):
        assert source.first_at(times[place]) == place
        assert source.first_at(times[place] + 1) == place + 1
    assert (source.first_at(0), source.first_at(1 << 62)) == (0, 701)


def test_context_is_what_was_in_force_when_the_period_began(stand):
    stand.policy("old")
    current = stand.policy("new")
    gone = stand.session(1, "anna")
    stand.closed(gone, "anna")
    stays = stand.session(2, "berta")
    place = stand.places["session.opened"]
    begin = stand.engine.size
    stand.operation(stays, "berta", 1)
    found = stand.done().source().context(begin, stand.engine.size)
    assert sorted(found.runs) == [(0, 1), (current, current + 1)]
    assert found.sessions == {stays: (place, place + 1)}
    assert found.heads[stays]["subject"] == "berta"


def test_no_session_outlives_the_log_s_writer(stand):
    stand.policy()
    stand.session(1, "anna")
    stand.close()
    stand.engine = type(stand.engine)(stand.settings)
    stand.engine.open(stand.wait(1))
    assert stand.done().source().context(stand.engine.size, stand.engine.size).sessions == {}


def test_what_lies_behind_the_checkpoint_is_counted(stand):
    stand.done()
    stand.add("gateway.error", {"what": "x"})
    stand.engine.flush()
    source = stand.source()
    assert (source.size, source.behind) == (1, 1)


def test_a_log_without_a_checkpoint_or_without_entries_is_refused(tmp_path, stand):
    with pytest.raises(RecordError, match="no log"):
        Source.of(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match="no checkpoint"):
        Source.of(tmp_path / "empty")
    stand.policy()
    stand.close()
    source = stand.source()
    next((stand.folder / "tile" / "entries").glob("*.p/*")).unlink()
    with pytest.raises(RecordError, match="entries 0 to 2 are missing"):
        source.parsed(1)


def test_what_is_no_entry_is_named(stand):
    stand.close()
    source = stand.source()
    with pytest.raises(RecordError, match=r"entry 0: .*verify"):
        source.read(0, b"\x80")
    with pytest.raises(RecordError, match="another's"):
        source.read(1, source.entry(0))
