"""From an archive alone to a log that verifies and goes on."""

import pytest

from doorward_core.record.archive import Archiver, Terms
from doorward_core.record.archive_places import ArchiveError, FolderPlace
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.merkle import leaf_hash
from doorward_core.record.reader import EntriesFreed, LogReader
from doorward_core.record.restore import needed, restore
from doorward_core.record.verify import verify


@pytest.fixture
def place(tmp_path):
    (tmp_path / "archive").mkdir()
    return FolderPlace(tmp_path / "archive")


def archived(workshop, place, count):
    workshop.fill(count)
    one = Archiver(workshop.folder, place, workshop.origin, Terms())
    one.resume()
    one.advance(1)
    return one


@pytest.mark.parametrize("count", [0, 1, 253, 254, 255, 510, 600])
def test_what_comes_back_verifies_and_a_writer_goes_on_with_it(workshop, place, tmp_path, count):
    archived(workshop, place, count)
    seen = []
    assert restore(place, tmp_path / "back", lambda *at: seen.append(at)) == count + 2
    assert seen[-1][0] == seen[-1][1]
    report = verify(tmp_path / "back", public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    settings = workshop.settings()
    again = Engine(Settings(tmp_path / "back", settings.origin, settings.signer, settings.keys))
    again.open(workshop.now)
    again.close(workshop.now)
    report = verify(tmp_path / "back", public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    assert report.size == count + 4
    kinds = [entry.kind for entry in LogReader(tmp_path / "back").entries()]
    assert kinds[-3:] == ["log.closed", "log.opened", "log.closed"]


def test_a_log_that_is_there_is_not_written_over(workshop, place):
    archived(workshop, place, 3)
    with pytest.raises(ArchiveError, match="a log in"):
        restore(place, workshop.folder)


def test_a_run_that_was_cut_off_is_taken_up_again(workshop, place, tmp_path):
    archived(workshop, place, 600)
    bundle = tmp_path / "archive/tile/entries/001"
    bundle.rename(tmp_path / "away")
    with pytest.raises(ArchiveError, match="has lost tile/entries/001"):
        restore(place, tmp_path / "back")
    assert not (tmp_path / "back/checkpoint").exists()
    (tmp_path / "away").rename(bundle)
    assert restore(place, tmp_path / "back") == 602


def test_an_empty_archive_gives_nothing_back(place, tmp_path):
    with pytest.raises(ArchiveError, match="no checkpoint"):
        restore(place, tmp_path / "back")


def test_what_is_needed_ends_with_the_last_entries():
    assert list(needed(257)) == [
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    ]


def test_a_reader_says_where_freed_entries_are_and_reads_them_there(workshop, place, tmp_path):
    archived(workshop, place, 600)
    (workshop.folder / "freed").write_text("512\n")
    for number in (0, 1):
        (workshop.folder / f"tile/entries/{number:03d}").unlink()
    reader = LogReader(workshop.folder)
    assert reader.freed == 512
    with pytest.raises(EntriesFreed, match="first 512 entries are not here any more"):
        list(reader.entries())
    assert [entry.index for entry in reader.entries(reader.freed)] == list(range(512, 602))
    whole = LogReader(workshop.folder, archive=lambda path: place.get(path, 10**8).data)
    assert reader.leaf(300) == leaf_hash(whole.entry(300))
    assert reader.leaf(511) == leaf_hash(whole.entry(511))

    def fetch(path):
        kept = place.get(path, 10**8)
        return kept and kept.data

    assert len(list(LogReader(workshop.folder, archive=fetch).entries())) == 602
