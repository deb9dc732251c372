"""The store: kept whole, changed once, and not believed where someone else wrote in it."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from doorward_core.approvals.request import RequestState, Verdict
from doorward_core.approvals.store import Quota, RequestRefused, SqliteStore
from doorward_core.errors import StoreError

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))
PENDING, GRANTED, USED = RequestState.PENDING, RequestState.GRANTED, RequestState.USED


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "approvals.sqlite"


@pytest.fixture
def store(path):
    made = SqliteStore(path, KEY)
    yield made
    made.close()


def _grant(store, request, vote) -> None:
    store.open(request)
    assert store.add_vote(vote)
    assert store.transition(request.id, PENDING, GRANTED, START + NS)


def test_a_request_reads_back_as_it_was(store, a_request):
    store.open(a_request())
    case = store.get("ap-0123456789ab")
    assert (case.request, case.state, case.votes) == (a_request(), PENDING, ())
    assert store.get("ap-000000000000") is None


def test_the_file_is_its_owners_alone_and_flushes_each_commit(store, path):
    assert path.stat().st_mode & 0o777 == 0o600
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_id_is_not_taken_twice(store, a_request):
    store.open(a_request())
    with pytest.raises(StoreError):
        store.open(a_request(text="other"))
    assert store.get("ap-0123456789ab").request.text == a_request().text


def test_too_many_of_one_principal_or_of_all_are_refused(path, a_request):
    store = SqliteStore(path, KEY, Quota(per_principal=1, total=2))
    store.open(a_request("ap-000000000001"))
    with pytest.raises(RequestRefused, match="you already have 1"):
        store.open(a_request("ap-000000000002"))
    store.open(a_request("ap-000000000003", subject="crew-8"))
    with pytest.raises(RequestRefused, match="too many"):
        store.open(a_request("ap-000000000004", subject="crew-9"))
    assert store.transition("ap-000000000001", PENDING, RequestState.WITHDRAWN, START)
    store.open(a_request("ap-000000000002"))
    store.close()


def test_a_request_too_long_for_a_card_is_refused(store, a_request):
    with pytest.raises(RequestRefused, match="too long"):
        store.open(a_request(text="x" * (4 * 1024 * 1024)))


def test_one_person_has_one_vote_and_only_while_it_is_open(store, a_request, a_vote):
    store.open(a_request())
    assert store.add_vote(a_vote(a_request()))
    assert not store.add_vote(a_vote(a_request(), "DORA"))
    assert store.transition("ap-0123456789ab", PENDING, GRANTED, START + NS)
    assert not store.add_vote(a_vote(a_request(), "eve"))
    assert [vote.approver_subject for vote in store.get("ap-0123456789ab").votes] == ["dora"]


def test_a_change_happens_from_the_expected_state_only(store, a_request, a_vote):
    _grant(store, a_request(), a_vote(a_request()))
    assert not store.transition("ap-0123456789ab", PENDING, RequestState.WITHDRAWN, START)
    assert not store.transition("ap-000000000000", PENDING, RequestState.WITHDRAWN, START)
    assert store.transition("ap-0123456789ab", GRANTED, USED, START + 2 * NS)
    assert not store.transition("ap-0123456789ab", GRANTED, USED, START + 2 * NS)


def test_no_grant_without_the_votes_for_it(store, a_request, a_vote):
    store.open(a_request())
    assert not store.transition("ap-0123456789ab", PENDING, GRANTED, START + NS)
    assert store.add_vote(a_vote(a_request(), verdict=Verdict.REJECT))
    assert not store.transition("ap-0123456789ab", PENDING, GRANTED, START + NS)


def test_a_grant_lives_as_long_as_its_rule_says(store, a_request, a_vote):
    _grant(store, a_request(retry=True), a_vote(a_request(retry=True)))
    assert store.get("ap-0123456789ab").granted_until_unix_ns == START + 301 * NS
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", START + 301 * NS) is None
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", START + 301 * NS - 1) == a_request(retry=True)


def test_a_grant_is_found_by_its_binding_and_principal_and_not_while_attended(store, a_request, a_vote):
    _grant(store, a_request(retry=True), a_vote(a_request(retry=True)))
    now = START + 2 * NS
    assert store.use_grant(b"e" * 32, "crew-7", "https://id.example", now) is None
    assert store.use_grant(b"d" * 32, "crew-8", "https://id.example", now) is None
    assert store.use_grant(b"d" * 32, "crew-7", "https://other.example", now) is None
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", now, frozenset({a_request().id})) is None
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", now) == a_request(retry=True)
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", now) is None


def test_of_many_that_race_for_a_grant_one_gets_it(path, store, a_request, a_vote):
    _grant(store, a_request(retry=True), a_vote(a_request(retry=True)))
    others = [SqliteStore(path, KEY) for _ in range(4)]
    won: list[object] = []

    def race(mine: SqliteStore) -> None:
        won.append(mine.use_grant(b"d" * 32, "crew-7", "https://id.example", START + 2 * NS))

    threads = [threading.Thread(target=race, args=(mine,)) for mine in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert sorted(got is None for got in won) == [False, True, True, True]


def test_overdue_is_what_waited_and_what_was_not_used(store, a_request, a_vote):
    store.open(a_request("ap-000000000001"))
    _grant(store, a_request(), a_vote(a_request()))
    assert store.overdue(START + 2 * NS) == ()
    assert {case.state for case in store.overdue(a_request().expires_unix_ns)} == {PENDING, GRANTED}


def test_closed_requests_go_with_their_votes_and_live_ones_stay(store, a_request, a_vote):
    _grant(store, a_request(), a_vote(a_request()))
    store.open(a_request("ap-000000000001"))
    assert store.purge(START) == 0
    assert store.transition(a_request().id, GRANTED, USED, START + 2 * NS)
    assert store.purge(START + 3 * NS) == 1
    assert store._database.execute("SELECT count(*) FROM vote").fetchone() == (0,)


def test_the_list_is_newest_first_by_state_and_bounded(store, a_request):
    for number in range(3):
        store.open(a_request(f"ap-00000000000{number}", opened_unix_ns=START + number))
    assert [case.request.id[-1] for case in store.list()] == ["2", "1", "0"]
    assert len(store.list(PENDING, 2)) == 2
    assert store.list(USED) == ()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE request SET state = 'granted', granted_until = 9223372036854775807",
        "UPDATE request SET granted_until = 9223372036854775807",
        "UPDATE request SET body = CAST(replace(CAST(body AS TEXT), '\"dba\"', '\"all\"') AS BLOB)",
        "UPDATE request SET binding = x'00'",
        "UPDATE request SET expires = expires + 1",
        "UPDATE request SET id = 'ap-000000000000'",
        "UPDATE request SET state = 'unheard-of'",
        "UPDATE request SET body = x'00'",
        "UPDATE request SET mac = x'00'",
    ],
)
def test_a_row_that_someone_altered_is_not_believed(path, store, a_request, change):
    store.open(a_request())
    _alter(path, change)
    assert store.list() == ()
    assert store.altered == 1
    name = "ap-000000000000" if "SET id" in change else a_request().id
    with pytest.raises(StoreError, match="altered"):
        store.get(name)
    assert not store.transition(name, PENDING, RequestState.WITHDRAWN, START)


def test_a_vote_that_someone_wrote_into_the_file_does_not_count(path, store, a_request, a_vote):
    store.open(a_request())
    forger = SqliteStore(path, b"another key, of the same length!")
    body_and_mac = (b"{}", forger._mac(b"vote", b"{}"))
    forger.close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO vote VALUES (?, 'dora', 0, ?, ?)", (a_request().id, *body_and_mac))
    database.close()
    assert store.get(a_request().id).votes == ()
    assert store.altered == 1


def test_a_vote_moved_to_another_request_does_not_count(path, store, a_request, a_vote):
    store.open(a_request())
    store.open(a_request("ap-000000000001"))
    assert store.add_vote(a_vote(a_request()))
    _alter(path, "UPDATE vote SET request = 'ap-000000000001'")
    assert not store.transition("ap-000000000001", PENDING, GRANTED, START + NS)


def _alter(path: Path, change: str) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA foreign_keys = OFF")
    with database:
        database.execute(change)
    database.close()


def test_a_file_of_another_version_or_no_database_is_not_opened(path):
    SqliteStore(path, KEY).close()
    _alter(path, "PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="version 2"):
        SqliteStore(path, KEY)
    path.write_bytes(b"this is not a database, whatever else it may be" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(path, KEY)


def test_a_short_key_is_refused(path):
    with pytest.raises(StoreError, match="32 bytes"):
        SqliteStore(path, b"short")


def test_a_closed_store_fails_clearly(path, a_request):
    store = SqliteStore(path, KEY)
    store.close()
    with pytest.raises(StoreError):
        store.get(a_request().id)


CRASH = """
import os, sys
from pathlib import Path
from doorward_core.approvals.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]), bytes(range(32)))
assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", int(sys.argv[2])) is not None
os.kill(os.getpid(), 9)
"""


def test_a_crash_right_after_the_use_leaves_it_used(path, store, a_request, a_vote):
    _grant(store, a_request(retry=True), a_vote(a_request(retry=True)))
    ended = subprocess.run([sys.executable, "-c", CRASH, str(path), str(START + 2 * NS)], check=False)
    assert ended.returncode == -9
    assert store.get(a_request().id).state is USED
    assert store.use_grant(b"d" * 32, "crew-7", "https://id.example", START + 2 * NS) is None


def test_ap_06_one_principal_asks_only_so_often_an_hour(tmp_path, a_request):
    store = SqliteStore(tmp_path / "hourly.sqlite", KEY, Quota(hourly=2))
    for number in range(2):
        store.open(a_request(f"ap-00000000000{number}"))
        store.transition(f"ap-00000000000{number}", RequestState.PENDING, RequestState.WITHDRAWN, START)
    with pytest.raises(RequestRefused, match="2 times within the hour"):
        store.open(a_request("ap-000000000002"))
    store.open(a_request("ap-000000000003", subject="crew-8"))
    store.open(a_request("ap-000000000004", opened_unix_ns=START + 3600 * NS))
    store.close()


@pytest.mark.parametrize(
    ("said", "used"), [((True, None), True), ((True, True), True), ((True, False), False), ((False, None), False)]
)
def test_a_retry_finds_only_a_grant_whose_rule_and_votes_allow_it(store, a_request, a_vote, said, used):
    request = a_request(retry=said[0])
    _grant(store, request, a_vote(request, retry=said[1]))
    found = store.use_grant(b"d" * 32, "crew-7", "https://id.example", START + 2 * NS)
    assert found == (request if used else None)
    assert store.get(request.id).state is (USED if used else GRANTED)
