"""The counters of passkeys: they go up, survive a restart, and are not believed once altered."""

import sqlite3

import pytest
from passkey import Authenticator

from doorward_core.approvals.asked import read_ballot
from doorward_core.approvals.counters import SignCounters, keep_counter, last_counter
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


def test_only_a_vote_by_passkey_has_a_counter_and_it_is_kept_somewhere(tmp_path):
    counters, device = SignCounters(tmp_path / "store", KEY), Authenticator()
    device.counter = 4
    made = device.proof({"challenge": "AA", "rp_id": "desk.example", "cast_unix_ns": 1})
    (proof,) = (read_ballot({"verdict": "approve", "proof": made}).proof,)
    assert (last_counter(counters, proof), last_counter(None, None)) == (0, 0)
    keep_counter(counters, proof)
    keep_counter(counters, None)
    assert last_counter(counters, proof) == counters.last(device.credential) > 0
    counters.close()
    with pytest.raises(StoreError, match="nowhere"):
        last_counter(None, proof)
