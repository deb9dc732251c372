"""The requests of erased sessions go out of the store, and out of its files."""

import pytest

from doorward_core.approvals.request import RequestState
from doorward_core.approvals.store import SqliteStore
from doorward_core.approvals.wipe import wipe
from doorward_core.errors import StoreError

CANARY = "SELECT card_of_the_erased FROM people"


def test_only_what_belongs_to_the_sessions_goes_and_nothing_of_it_stays_in_the_files(tmp_path, a_request):
    path = tmp_path / "approvals.db"
    store = SqliteStore(path, bytes(32))
    for name, session, text in (("ap-1", b"a" * 16, CANARY), ("ap-2", b"b" * 16, "SELECT other")):
        store.open(a_request(name, session_id=session, text=text))
    assert wipe(path, {b"a" * 16}) == 1
    assert [case.request.id for case in store.list()] == ["ap-2"]
    assert store.altered == 0
    assert wipe(path, {b"a" * 16}) == 0
    store.transition("ap-2", RequestState.PENDING, RequestState.WITHDRAWN, 1)
    store.close()
    found = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CANARY.encode() not in found
    assert b"SELECT other" in found


def test_a_store_that_is_not_there_holds_nothing(tmp_path):
    assert wipe(tmp_path / "none", {b"a" * 16}) == 0
    (tmp_path / "broken").write_bytes(b"this is no database, but is long enough to be looked at" * 9)
    with pytest.raises(StoreError, match="could not be wiped"):
        wipe(tmp_path / "broken", {b"a" * 16})
