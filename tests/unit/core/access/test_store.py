"""What is revoked survives a restart; a file that somebody touched starts no gateway."""

import stat

import pytest

from doorward_core.access.ledger import Ledger
from doorward_core.access.store import LedgerFile, body_of
from doorward_core.errors import StoreError

KEY = bytes(range(32))


@pytest.fixture
def file(tmp_path, a_revocation):
    made = LedgerFile(tmp_path / "state" / "ledger", KEY)
    made.save(body_of(Ledger([a_revocation()])))
    made.path = tmp_path / "state" / "ledger"
    return made


def test_it_is_kept_for_us_alone_and_read_back(file):
    assert list(file.load().revocations) == ["rv-1"]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["ledger"]


def test_without_a_file_nothing_is_revoked(tmp_path):
    assert not LedgerFile(tmp_path / "none", KEY).load().revocations


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"crew-7", b"crew-8"),
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data.partition(b"\n")[0] + b"\n",
        lambda data: b"\n" + data.partition(b"\n")[2],
    ],
)
def test_a_file_that_was_altered_is_not_believed(file, change):
    file.path.write_bytes(change(file.path.read_bytes()))
    with pytest.raises(StoreError, match="was altered"):
        file.load()


def test_another_gateways_file_is_not_believed(file):
    with pytest.raises(StoreError, match="was altered"):
        LedgerFile(file.path, b"x" * 32).load()


def test_what_cannot_be_read_is_said(file):
    file.save(b"{}")
    with pytest.raises(StoreError, match="cannot be read: not a ledger"):
        file.load()
    with pytest.raises(StoreError, match="at least 32 bytes"):
        LedgerFile(file.path, b"short")


def test_what_cannot_be_written_is_said(file, tmp_path):
    (tmp_path / "state" / "ledger.new").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        file.save(b"{}")
    assert list(file.load().revocations) == ["rv-1"]
