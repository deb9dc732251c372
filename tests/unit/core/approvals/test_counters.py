"""The counters of passkeys: they go up, survive a restart, and are not believed once altered."""

import sqlite3

import pytest

from doorward_core.approvals.counters import SignCounters
from doorward_core.errors import StoreError

KEY = bytes(32)


def test_a_counter_survives_a_restart(tmp_path):
    path = tmp_path / "store"
    counters = SignCounters(path, KEY)
    assert counters.last(b"a") == 0
    counters.keep(b"a", 5)
    counters.close()
    again = SignCounters(path, KEY)
    assert (again.last(b"a"), again.last(b"b")) == (5, 0)
    again.close()


def test_within_a_process_it_never_goes_back_whatever_becomes_of_the_file(tmp_path):
    counters = SignCounters(tmp_path / "store", KEY)
    counters.keep(b"a", 5)
    with sqlite3.connect(tmp_path / "store") as database:
        database.execute("DELETE FROM passkey_counter")
    database.close()
    assert counters.last(b"a") == 5
    counters.close()


def test_an_altered_counter_is_an_error(tmp_path):
    counters = SignCounters(tmp_path / "store", KEY)
    counters.keep(b"a", 5)
    with sqlite3.connect(tmp_path / "store") as database:
        database.execute("UPDATE passkey_counter SET counter = 1")
    database.close()
    with pytest.raises(StoreError, match="altered"):
        counters.last(b"a")
    counters.close()


def test_a_passkey_that_keeps_no_counter_leaves_nothing(tmp_path):
    counters = SignCounters(tmp_path / "store", KEY)
    counters.keep(b"a", 0)
    assert counters.last(b"a") == 0
    counters.close()


def test_a_file_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "store").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        SignCounters(tmp_path / "store", KEY)
