"""The index's file."""

import sqlite3
import stat

import pytest

from doorward_console.index import schema
from doorward_console.index.schema import IndexProblem


def test_the_file_and_all_beside_it_are_their_owners_alone(tmp_path):
    path = tmp_path / "index.sqlite"
    made = schema.create(path)
    made.execute("INSERT INTO session_words VALUES (1, 'x')")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    made.close()
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_a_reader_writes_nothing(tmp_path):
    path = tmp_path / "index.sqlite"
    schema.create(path).close()
    with schema.reading(path) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM operations")


def test_what_is_no_index_of_this_version_is_refused(tmp_path):
    path = tmp_path / "index.sqlite"
    with pytest.raises(IndexProblem, match="there is no index"), schema.reading(path):
        pass
    with pytest.raises(IndexProblem, match="there is no index"):
        schema.open_to_write(path)
    path.write_bytes(b"not a database, though it is long enough to be looked at" * 20)
    with pytest.raises(IndexProblem, match="rebuild"), schema.reading(path):
        pass
    schema.remove(path)
    sqlite3.connect(path).close()
    with pytest.raises(IndexProblem, match="no index of doorward's"), schema.reading(path):
        pass
    schema.remove(path)
    made = schema.create(path)
    made.execute("PRAGMA user_version = 99")
    made.close()
    with pytest.raises(IndexProblem, match="another version"):
        schema.open_to_write(path)


def test_removing_takes_what_lies_beside_it(tmp_path):
    made = schema.create(tmp_path / "index.sqlite")
    made.execute("INSERT INTO session_words VALUES (1, 'x')")
    schema.remove(tmp_path / "index.sqlite")
    made.close()
    assert list(tmp_path.iterdir()) == []
