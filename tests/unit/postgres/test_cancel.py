"""Cancel keys: random, the gateway's own, one to a session, and nothing is learned by guessing (threat model PG-49)."""

import pytest

from doorward_postgres.cancel import LONG_KEY_BYTES, SHORT_KEY_BYTES, CancelKeys


@pytest.fixture
def keys():
    return CancelKeys()


@pytest.fixture
def heard():
    return []


@pytest.mark.parametrize(("long_key", "size"), [(False, SHORT_KEY_BYTES), (True, LONG_KEY_BYTES)])
def test_a_request_reaches_the_session_that_it_names(keys, heard, long_key, size):
    pid, key = keys.issue(lambda: heard.append("cancelled"), long_key=long_key)
    assert len(key) == size
    cancel = keys.request(pid, key)
    assert heard == []
    cancel()
    assert heard == ["cancelled"]
    assert keys.unmatched == 0


def test_a_process_id_is_one_that_libpq_can_read(keys):
    pids = {keys.issue(lambda: None, long_key=False)[0] for _ in range(500)}
    assert len(pids) == 500
    assert all(0 < pid < 2**31 for pid in pids)


def test_keys_are_not_alike(keys):
    assert len({keys.issue(lambda: None, long_key=True)[1] for _ in range(100)}) == 100


@pytest.mark.parametrize("wrong", [b"", b"\0\0\0\0", b"xxxx", b"\0" * 32, b"x" * 300])
def test_a_wrong_key_is_dropped_and_counted(keys, heard, wrong):
    pid, _ = keys.issue(lambda: heard.append("cancelled"), long_key=True)
    assert not keys.request(pid, wrong)
    assert (heard, keys.unmatched) == ([], 1)


@pytest.mark.parametrize("cut", [slice(0, 4), slice(0, 31), slice(1, 32)])
def test_a_part_of_a_key_is_no_key(keys, heard, cut):
    pid, key = keys.issue(lambda: heard.append("cancelled"), long_key=True)
    assert not keys.request(pid, key[cut])
    assert not keys.request(pid, key + b"x")
    assert heard == []


def test_a_session_that_does_not_exist_is_not_matched_whatever_the_key(keys):
    """The look-up compares against zeros then, so that its time says nothing; zeros must not match for it."""
    assert not keys.request(7, b"")
    assert not keys.request(7, bytes(SHORT_KEY_BYTES))
    assert not keys.request(7, bytes(LONG_KEY_BYTES))
    assert keys.unmatched == 3


def test_another_sessions_key_cancels_nothing(keys, heard):
    first, _ = keys.issue(lambda: heard.append("first"), long_key=True)
    _, second_key = keys.issue(lambda: heard.append("second"), long_key=True)
    assert not keys.request(first, second_key)
    assert heard == []


def test_a_key_is_void_once_its_session_has_ended(keys, heard):
    pid, key = keys.issue(lambda: heard.append("cancelled"), long_key=True)
    keys.revoke(pid)
    keys.revoke(pid)
    assert not keys.request(pid, key)
    assert heard == []
