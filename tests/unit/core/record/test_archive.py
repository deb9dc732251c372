"""An archive that is brought up to date from a log, taken up again, and believed in nothing."""

import base64
import shutil

import pytest

from doorward_core.record import archive
from doorward_core.record.archive import Archiver, Terms, checkpoint_path, newest
from doorward_core.record.archive_places import ArchiveError, FolderPlace, Kept
from doorward_core.record.archive_source import verify_archive
from doorward_core.record.verify import verify

DAY = 86_400 * 1_000_000_000


class Locking(FolderPlace):
    """A folder that says of each object how it is locked."""

    locks = True
    mode, until = "compliance", 0

    def get(self, path, most_bytes):
        kept = super().get(path, most_bytes)
        return kept and Kept(kept.data, self.mode, self.until)


class Breaking(FolderPlace):
    """A folder that can be reached so many times."""

    left = 10**9

    def put(self, path, data):
        self.left -= 1
        if self.left < 0:
            raise ArchiveError("the archive cannot be reached")
        return super().put(path, data)


@pytest.fixture
def target(tmp_path):
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


def archiver(workshop, place, terms=None):
    terms = terms or Terms()
    return Archiver(workshop.folder, place, workshop.origin, terms)


def grown(workshop, *counts):
    """A log that grows by so many entries; give after each what its checkpoint is."""
    engine = workshop.open()
    for count in counts:
        workshop.add(engine, count, payload={"text": "SELECT 1"})
        engine.checkpoint()
        yield engine
    engine.release()


def test_an_archive_holds_what_the_checkpoint_needs_and_nothing_else(workshop, target):
    workshop.fill(600)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    assert one.size == 0
    assert one.advance(1)
    assert not one.advance(2)
    assert one.size == 602
    found = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert found == [
        "checkpoint/00000000000000000602",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/90",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/90",
    ]
    assert all(path.stat().st_mode & 0o222 == 0 for path in target.rglob("*") if path.is_file())


def test_it_goes_on_where_the_archive_is_whatever_it_thought(workshop, target):
    first = None
    for _ in grown(workshop, 300, 1, 700):
        one = archiver(workshop, FolderPlace(target))
        one.resume()
        assert one.size == (first or 0)
        assert one.advance(1)
        first = one.size
    assert newest(FolderPlace(target)) == checkpoint_path(1002)
    again = archiver(workshop, FolderPlace(target))
    again.resume()
    assert (again.size, again.lost) == (1002, ())
    assert not again.advance(1)


@pytest.mark.parametrize("left", range(9))
def test_a_failure_at_any_object_leaves_what_the_next_time_completes(workshop, target, left):
    workshop.fill(600)
    place = Breaking(target)
    place.left = left
    one = archiver(workshop, place)
    one.resume()
    if left < 8:
        with pytest.raises(ArchiveError, match="cannot be reached"):
            one.advance(1)
        assert one.size == 0
        assert newest(place) == ""
    place.left = 10**9
    one.advance(2)
    assert one.size == 602


def test_an_archive_that_lost_something_gets_it_again_while_it_is_here(workshop, target):
    workshop.fill(600)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    (target / "tile/entries/001").unlink()
    (target / "tile/0/000").unlink()
    again = archiver(workshop, FolderPlace(target))
    again.resume()
    assert again.lost == ()
    assert (target / "tile/entries/001").read_bytes() == (workshop.folder / "tile/entries/001").read_bytes()
    assert (target / "tile/0/000").exists()


def test_what_is_neither_here_nor_there_is_named_and_nothing_more_is_freed(workshop, target):
    workshop.fill(600)
    workshop.fill(1)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    assert one.freeable(10**20) == 512
    for folder in (target, workshop.folder):
        (folder / "tile/entries/001").unlink()
    again = archiver(workshop, FolderPlace(target))
    again.resume()
    assert again.lost == ("tile/entries/001",)
    assert again.freeable(10**20) == 0


def test_an_object_that_is_something_else_is_found_and_never_replaced(workshop, target):
    (target / "tile/entries").mkdir(parents=True)
    (target / "tile/entries/000").write_bytes(b"something else")
    workshop.fill(600)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    with pytest.raises(ArchiveError, match="something else as tile/entries/000"):
        one.advance(1)
    assert (target / "tile/entries/000").read_bytes() == b"something else"


def test_the_archive_of_another_log_is_refused(workshop, target, tmp_path):
    workshop.fill(10)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    other = Archiver(workshop.folder, FolderPlace(target), "another", Terms())
    with pytest.raises(ArchiveError, match="each log has an archive of its own"):
        other.resume()
    shutil.rmtree(workshop.folder)
    workshop.fill(11)  # the same name, other entries
    with pytest.raises(ArchiveError, match="are not those that the archive covers"):
        archiver(workshop, FolderPlace(target)).resume()


def test_a_log_that_was_cut_back_is_refused(workshop, target):
    copies = {}
    for engine in grown(workshop, 300, 300):
        copies[engine.size] = (workshop.folder / "checkpoint").read_bytes()
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    (workshop.folder / "checkpoint").write_bytes(copies[301])
    with pytest.raises(ArchiveError, match="covers 601 entries of this log, and the log itself only 301"):
        archiver(workshop, FolderPlace(target)).resume()


def test_entries_that_do_not_make_the_checkpoint_s_root_are_not_archived(workshop, target):
    workshop.fill(600)
    path = workshop.folder / "tile/entries/001"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(bytes(data))
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    with pytest.raises(ArchiveError, match="do not make the root"):
        one.advance(1)
    assert newest(FolderPlace(target)) == ""


@pytest.mark.parametrize(
    ("mode", "until", "words"),
    [
        ("", 0, "not locked"),
        ("governance", 500 * DAY, "locked in governance mode"),
        ("compliance", 398 * DAY, "locked for less than 400 days"),
        ("compliance", 400 * DAY, None),
    ],
)
def test_each_object_is_locked_as_asked(workshop, target, mode, until, words):
    workshop.fill(3)
    place = Locking(target)
    place.mode, place.until = mode, until
    one = archiver(workshop, place, Terms("compliance", 400 * 86_400))
    one.resume()
    if words is None:
        assert one.advance(1)
    else:
        with pytest.raises(ArchiveError, match=words):
            one.advance(1)


def test_compliance_will_do_where_governance_is_asked(workshop, target):
    workshop.fill(3)
    place = Locking(target)
    place.until = 400 * DAY
    one = archiver(workshop, place, Terms("governance", 86_400))
    one.resume()
    assert one.advance(1)


def test_only_what_is_old_proven_covered_and_out_of_the_journal_may_go(workshop, target):
    engine = workshop.open()
    workshop.add(engine, 300)
    between = workshop.now + 1
    workshop.add(engine, 600)
    engine.checkpoint()
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    assert one.freeable(10**20) == 0  # nothing is archived
    one.advance(1)
    assert one.freeable(10**20) == 0  # the journal has it all
    engine.close(workshop.now)
    workshop.open().close(workshop.now)
    one.advance(2)
    assert one.freeable(between) == 256
    assert one.freeable(10**20) == 768
    (target / "tile/entries/001").chmod(0o644)
    (target / "tile/entries/001").write_bytes(b"x")
    with pytest.raises(ArchiveError, match="something else as tile/entries/001"):
        one.freeable(10**20)


def test_what_is_freed_is_deleted_and_a_crash_in_between_is_made_good(workshop, target, monkeypatch):
    engine = workshop.open()
    workshop.add(engine, 900)
    workshop.add(engine, 1, kind="log.freed", head={"below": 768}, session=b"")
    engine.close(workshop.now)
    workshop.open().close(workshop.now)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    monkeypatch.setattr(archive.Archiver, "_delete", lambda *_: 0)
    one.free(768)  # the file is written, and then it is killed
    monkeypatch.undo()
    assert (workshop.folder / "freed").read_text() == "768\n"
    assert verify(workshop.folder, public_key=workshop.vkey).ok
    again = archiver(workshop, FolderPlace(target))
    again.resume()
    assert again.sweep() == 3
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert report.ok, report.problems
    assert report.freed == 768
    workshop.open().close(workshop.now)  # a writer starts on what is left


def test_a_file_that_claims_more_deletes_nothing_that_is_not_in_the_archive(workshop, target):
    workshop.fill(900)
    workshop.open().close(workshop.now)
    (workshop.folder / "freed").write_text("768\n")
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    assert one.sweep() == 0
    assert (workshop.folder / "tile/entries/000").exists()


def test_what_witnesses_cosigned_is_kept_beside_the_others_once_its_entries_are_there(workshop, target):
    place = FolderPlace(target)
    steps = grown(workshop, 300, 300)
    next(steps)
    first = (workshop.folder / "checkpoint").read_bytes()
    cosigned = first + ("\u2014 w " + base64.b64encode(bytes(76)).decode() + "\n").encode()
    one = archiver(workshop, place)
    one.resume()
    one.keep_cosigned(cosigned, 1)
    assert list(place.names("cosigned")) == []
    next(steps)
    one.advance(1)
    one.keep_cosigned(cosigned, 1)
    assert [place.get(path, 9999).data for path in place.names("cosigned")] == [cosigned]
    assert one.cosigned_size == int(next(iter(place.names("cosigned"))).partition("/")[2])
    next(steps, None)
    vkey = workshop.vkey
    report = verify_archive(place, public_key=vkey)
    assert (report.ok, report.checks["checkpoints"]) == (True, 2), report.problems
    again = archiver(workshop, place)
    again.resume()
    again.keep_cosigned(cosigned, 2)
    path = target / next(iter(place.names("cosigned")))
    path.write_bytes(cosigned.replace(first.split(b"\n")[2], b"A" * 43 + b"="))
    assert not verify_archive(place, public_key=vkey).ok


def test_a_checkpoint_of_another_tree_is_not_kept_as_a_cosigned_one(workshop, target):
    workshop.fill(300)
    one = archiver(workshop, FolderPlace(target))
    one.resume()
    one.advance(1)
    lines = (workshop.folder / "checkpoint").read_text().split("\n")
    lines[2] = "A" * 43 + "="
    with pytest.raises(ArchiveError, match="not of this log"):
        one.keep_cosigned("\n".join(lines).encode(), 1)
