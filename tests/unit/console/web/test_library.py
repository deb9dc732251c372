"""The index and the log, as pages read them."""

import fcntl

import index_stand
import pytest
import trio
from index_stand import NOW, NS, a_session, asked, closed, decided, opened

from doorward_console.index import query
from doorward_console.index.found import Search
from doorward_console.web import library as library_module
from doorward_console.web.library import Library, Unreadable
from doorward_core import entries

NAME = "01" * 16


@pytest.fixture
async def library(stand, tmp_path):
    await trio.to_thread.run_sync(lambda: index_stand.write(tmp_path / "gw" / "log", index_stand.story(), origin="gw"))
    return Library(stand.settings(policy=f", log: {tmp_path}/gw/log", more="index: index.sqlite\n"))


async def test_a_session_is_read_from_its_log(library):
    fresh = await library.bring_up()
    assert any("the log of desk is not at" in note for note in fresh.notes)
    row = await library.session(NAME)
    kept = await library.kept(row)
    assert (len(kept.entries), kept.next) == (9, 0)
    assert {entry.session_id.hex() for entry in kept.entries} == {NAME}
    assert await library.session("00" * 16) is None


async def test_long_sessions_are_read_in_pages_and_output_of_terminals_only_where_it_is_wanted(
    library, tmp_path, monkeypatch
):
    session = a_session(9)
    shell = asked(session, 1, "", verb="shell")
    chunks = [entries.stream_chunk(session, shell, "stdout", 0, b"x") for _ in range(5)]
    made = [opened(session), decided(session, shell), *chunks, closed(session)]
    await trio.to_thread.run_sync(
        lambda: index_stand.write(tmp_path / "gw" / "log", made, origin="gw", at=NOW + 900 * NS)
    )
    await library.bring_up()
    row = await library.session("09" * 16)
    assert len((await library.kept(row)).entries) == 3
    assert len((await library.kept(row, chunks=True)).entries) == 8
    monkeypatch.setattr(library_module, "MAX_ENTRIES", 2)
    first = await library.kept(row)
    rest = await library.kept(row, after=first.next)
    assert [len(first.entries), len(rest.entries), rest.next] == [2, 1, 0]


async def test_a_page_does_not_wait_for_another_who_builds(library):
    await library.bring_up()
    with library.path.with_name("index.sqlite.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = await library.bring_up()
    assert "brought up to the log just now" in fresh.notes[-1]
    page = await library.ask(lambda index: query.operations(index, Search()))
    assert len(page.rows) == 4


async def test_what_cannot_be_had_is_said(library, tmp_path):
    with pytest.raises(Unreadable, match="there is no index"):
        await library.session(NAME)
    await library.bring_up()
    row = await library.session(NAME)
    (tmp_path / "gw" / "log").rename(tmp_path / "gw" / "elsewhere")
    with pytest.raises(Unreadable, match="is not here any more"):
        await library.kept(row)


async def test_a_key_that_cannot_be_had_is_said(stand, tmp_path):
    library = Library(stand.settings(more="identity: {file: nowhere.key}\n"))
    with pytest.raises(Unreadable, match="auditors' key"):
        await library.bring_up()
