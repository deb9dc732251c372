"""Bringing the index up to its logs, and making it anew."""

import fcntl
import shutil
import sqlite3

import index_stand
import pyrage
import pytest
from index_stand import NS, a_session, asked, closed, decided, finished, held, opened, voted

from doorward_console.index import build, query, schema
from doorward_console.index.build import Source
from doorward_console.index.found import Search
from doorward_console.index.schema import IndexProblem
from doorward_core.errors import RecordError

SESSION = a_session(1)
WRITE = asked(SESSION, 1, "UPDATE customer SET name = $1 WHERE id = 42", "x", action=index_stand.Action.WRITE)


def texts(path, **what):
    with query.Index.open(path) as index:
        return [(row.text, row.verdict) for row in query.operations(index, Search(**what)).rows]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "index.sqlite"


def test_an_update_goes_on_where_the_last_one_stopped(tmp_path, path):
    log = index_stand.write(tmp_path / "log", [opened(SESSION), held(SESSION, WRITE)])
    first = build.update(path, [Source("gw", log)])
    assert texts(path, text="42") == [(WRITE.text, "hold")]
    assert texts(path, approver="dora") == []
    later = [voted(SESSION, WRITE), decided(SESSION, WRITE, request="ap-1")]
    index_stand.write(log, later, at=index_stand.NOW + 60 * NS)
    second = build.update(path, [Source("gw", log)])
    assert texts(path, text="42") == texts(path, approver="dora") == [(WRITE.text, "permit")]
    assert texts(path, verdict="hold") == []
    index_stand.write(log, [finished(SESSION, WRITE, rows=7), closed(SESSION)], at=index_stand.NOW + 120 * NS)
    third = build.update(path, [Source("gw", log)])
    assert (first.rebuilt, second.rebuilt, third.rebuilt) == ("", "", "")
    assert build.update(path, [Source("gw", log)]).events == 0
    with query.Index.open(path) as index:
        (row,) = query.operations(index, Search()).rows
        assert (row.rows, row.approval.state) == (7, "pending")
        assert [one.state for one in query.sessions(index, Search()).rows] == ["closed"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM unfinished").fetchone() == (0,)
    connection.close()


def test_small_batches_and_one_give_the_same(tmp_path, path, monkeypatch):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    build.update(path, [Source("gw", log)])
    monkeypatch.setattr(build, "BATCH_EVENTS", 1)
    other = tmp_path / "other.sqlite"
    build.update(other, [Source("gw", log)])
    dumps = []
    for file in (path, other):
        with query.Index.open(file) as index:
            dumps.append((query.operations(index, Search()), query.sessions(index, Search()), query.events(index)))
    assert dumps[0] == dumps[1]


def test_only_what_a_checkpoint_covers_is_indexed(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    (status,) = build.update(path, [Source("gw", log)]).logs
    assert (status.origin, status.indexed, status.size) == ("gw.example", status.size, status.size)
    checkpoint = (log / "checkpoint").read_bytes()
    index_stand.write(log, [opened(a_session(9))], at=index_stand.NOW + 900 * NS)
    (log / "checkpoint").write_bytes(checkpoint)
    assert build.update(path, [Source("gw", log)]).events == 0


def test_a_log_that_is_another_one_is_indexed_anew_and_that_is_said(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    build.update(path, [Source("gw", log)])
    shutil.rmtree(log)
    index_stand.write(log, [opened(SESSION), decided(SESSION, WRITE), *[opened(SESSION)] * 30])
    outcome = build.update(path, [Source("gw", log)])
    assert "not the one that was indexed" in outcome.rebuilt
    assert texts(path) == [(WRITE.text, "permit")]


def test_a_log_that_was_cut_back_is_indexed_anew(tmp_path, path):
    log = index_stand.write(tmp_path / "log", [opened(SESSION)])
    shutil.copytree(log, tmp_path / "old")
    index_stand.write(log, [decided(SESSION, WRITE)], at=index_stand.NOW + 60 * NS)
    build.update(path, [Source("gw", log)])
    outcome = build.update(path, [Source("gw", tmp_path / "old")])
    assert "cut, or replaced" in outcome.rebuilt
    assert texts(path) == []


def test_nothing_of_what_was_erased_is_left_in_the_file(tmp_path, path):
    identity = pyrage.x25519.Identity.generate()
    log = tmp_path / "gw" / "log"
    sealed = {"recipients": [str(identity.to_public())]}
    index_stand.write(log, [opened(SESSION), decided(SESSION, WRITE), closed(SESSION)], **sealed)
    source = Source("gw", log, (identity,), tmp_path / "gw" / "keys" / "payload")
    build.update(path, [source])
    assert texts(path, text="42") == [(WRITE.text, "permit")]
    for key in source.keys_folder.rglob(f"*{SESSION.id.hex()}*"):
        shutil.rmtree(key) if key.is_dir() else key.unlink()
    index_stand.write(log, [index_stand.erased(SESSION)], at=index_stand.NOW + 60 * NS, **sealed)
    outcome = build.update(path, [source])
    assert "erased" in outcome.rebuilt
    assert texts(path, text="42") == []
    assert texts(path) == [(None, "permit")]
    assert b"WHERE id = 42" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_without_the_auditors_key_sealed_content_is_not_searched(tmp_path, path):
    identity = pyrage.x25519.Identity.generate()
    log = tmp_path / "gw" / "log"
    index_stand.write(log, [opened(SESSION), decided(SESSION, WRITE)], recipients=[str(identity.to_public())])
    build.update(path, [Source("gw", log)])
    assert texts(path, text="42") == []
    assert texts(path, identity="crew-7", action="write") == [(None, "permit")]


def test_a_broken_file_is_made_anew(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    path.parent.mkdir()
    path.write_bytes(b"nothing that SQLite could read, but long enough" * 99)
    assert "rebuild" in build.update(path, [Source("gw", log)]).rebuilt
    assert len(texts(path)) == 4


def test_who_reads_while_it_is_built_anew_reads_on(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    build.update(path, [Source("gw", log)])
    with query.Index.open(path) as index:
        before = query.operations(index, Search()).rows
        assert build.rebuild(path, [Source("gw", log)]).rebuilt == "it was asked for"
        assert query.operations(index, Search()).rows == before


def test_logs_of_several_gateways_are_one_index_newest_first(tmp_path, path):
    one = index_stand.write(tmp_path / "one" / "log", index_stand.story())
    two = index_stand.write(
        tmp_path / "two" / "log", [opened(a_session(5)), decided(a_session(5), asked(a_session(5), 1, "SELECT 5"))],
        origin="gw2.example", at=index_stand.NOW + 5 * NS,
    )  # fmt: skip
    build.update(path, [Source("a", one), Source("b", two)])
    with query.Index.open(path) as index:
        rows = query.operations(index, Search()).rows
        assert [row.at_unix_ns for row in rows] == sorted((row.at_unix_ns for row in rows), reverse=True)
        assert {row.origin for row in rows} == {"gw.example", "gw2.example"}
        assert [row.text for row in query.operations(index, Search(origin="gw2.example")).rows] == ["SELECT 5"]
    assert "not given any more" in build.update(path, [Source("a", one)]).rebuilt
    with pytest.raises(IndexProblem, match="one origin"):
        build.update(path, [Source("a", one), Source("again", one)])


def test_two_cannot_build_at_once(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    build.update(path, [Source("gw", log)])
    with path.with_name("index.sqlite.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(IndexProblem, match="somebody else"):
            build.update(path, [Source("gw", log)])
    assert build.update(path, [Source("gw", log)]).events == 0


def test_status_says_how_far_each_log_is(tmp_path, path):
    log = index_stand.write(tmp_path / "log", [opened(SESSION)])
    build.update(path, [Source("gw", log)])
    index_stand.write(log, [closed(SESSION)], at=index_stand.NOW + 60 * NS)
    behind, missing = build.status(path, [Source("gw", log), Source("gone", tmp_path / "gone")])
    assert behind.indexed < behind.size
    assert behind.newest_unix_ns >= index_stand.NOW
    assert "there is no log" in missing.problem
    with pytest.raises(RecordError):
        build.update(path, [Source("gone", tmp_path / "gone")])


def test_a_failed_batch_leaves_the_index_as_it_was(tmp_path, path, monkeypatch):
    log = index_stand.write(tmp_path / "log", [opened(SESSION)])
    build.update(path, [Source("gw", log)])
    index_stand.write(log, [decided(SESSION, WRITE)], at=index_stand.NOW + 60 * NS)

    def full(self, batch):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("doorward_console.index.write.Writer._sessions", full)
        with pytest.raises(OSError, match="no space"):
            build.update(path, [Source("gw", log)])
    assert texts(path) == []
    build.update(path, [Source("gw", log)])
    assert texts(path) == [(WRITE.text, "permit")]


def test_the_index_of_another_version_is_made_anew(tmp_path, path):
    log = index_stand.write(tmp_path / "log", index_stand.story())
    build.update(path, [Source("gw", log)])
    connection = schema.open_to_write(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "another version" in build.update(path, [Source("gw", log)]).rebuilt
    assert len(texts(path)) == 4


def freed_log(tmp_path):
    """A log whose first bundle is in an archive alone, and where that archive is."""
    log, archive = tmp_path / "log", tmp_path / "archive"
    many = [event for n in range(1, 151) for event in (opened(a_session(n)), closed(a_session(n)))]
    index_stand.write(log, [*many, opened(SESSION), decided(SESSION, WRITE)])
    shutil.copytree(log, archive)
    (log / "freed").write_text("256\n")
    (log / "tile/entries/000").unlink()
    return log, archive


def test_what_a_log_has_freed_is_not_searched_and_that_is_said(tmp_path, path):
    log, _ = freed_log(tmp_path)
    outcome = build.update(path, [Source("gw", log)])
    assert texts(path, text="42") == [(WRITE.text, "permit")]
    assert "first 256 entries are in its archive" in outcome.logs[0].words
    index_stand.write(log, [finished(SESSION, WRITE, rows=7)], at=index_stand.NOW + 60 * NS)
    assert "first 256" in build.update(path, [Source("gw", log)]).logs[0].words


def test_what_a_log_has_freed_is_read_through_its_archive(tmp_path, path):
    log, archive = freed_log(tmp_path)
    outcome = build.update(path, [Source("gw", log, archive=lambda name: (archive / name).read_bytes())])
    assert outcome.logs[0].words == ""
    with query.Index.open(path) as index:
        assert query.session(index, a_session(2).id.hex()) is not None


def test_an_index_that_was_there_before_goes_on_when_entries_were_freed(tmp_path, path):
    log, archive = freed_log(tmp_path)
    build.update(path, [Source("gw", archive)])
    outcome = build.update(path, [Source("gw", log)])
    assert (outcome.rebuilt, outcome.logs[0].words) == ("", "")


def test_an_index_that_came_too_late_says_what_it_lacks(tmp_path, path):
    log, archive = freed_log(tmp_path)
    build.update(path, [Source("gw", archive)])
    with sqlite3.connect(path) as connection:
        reader = Source("gw", archive).reader()
        connection.execute("UPDATE origins SET next = 100, leaf = ?", (reader.leaf(99),))
    connection.close()
    outcome = build.update(path, [Source("gw", log)])
    assert (outcome.rebuilt, outcome.logs[0].absent) == ("", 256)
