"""Entries that a log has freed, from its archive."""

import pytest

from doorward_console.archived import fetcher
from doorward_core.errors import RecordError


def test_where_no_archive_is_named_nothing_is_fetched():
    assert fetcher("") is None


def test_a_file_of_the_archive_is_given_and_one_that_is_not_there_is_none(tmp_path):
    (tmp_path / "tile/entries").mkdir(parents=True)
    (tmp_path / "tile/entries/000").write_bytes(b"a bundle")
    fetch = fetcher(str(tmp_path))
    assert fetch("tile/entries/000") == b"a bundle"
    assert fetch("tile/entries/001") is None


def test_an_archive_that_cannot_be_read_is_a_problem_of_the_log(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RecordError, match="set AWS_ACCESS_KEY_ID"):
        fetcher("s3://bucket/logs")("tile/entries/000")
