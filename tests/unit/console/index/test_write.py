"""Rows of a batch."""

from doorward_console.index import schema
from doorward_console.index.states import Asked, Batch, Opened
from doorward_console.index.write import Writer

WHO, PLACE = ("crew-7", "https://id.example", "agent", "sam"), ("shop", "postgres", "app")


def an_operation(number, at_ns, **changes):
    made = {"text": f"SELECT {number}", "verdict": "permit", "content": "clear"}
    return Asked(bytes([number]), b"s", number, at_ns, number, WHO, PLACE, "read", "SELECT", **{**made, **changes})


def test_numbers_are_times_and_never_meet(tmp_path):
    connection = schema.create(tmp_path / "index.sqlite")
    for origin in (1, 2):
        rows = [an_operation(number, 7_000_999) for number in range(1, 4)]
        Writer(connection, origin, f"gw{origin}").write(
            Batch({0: Opened(b"s" * origin, 0, 7_000_000, "open", WHO, PLACE, about={"attributes": {}})},
                  {row.operation: row for row in rows}, ended={row.operation for row in rows})
        )  # fmt: skip
    found = [row[0] for row in connection.execute("SELECT id FROM operations ORDER BY id")]
    assert found == [7_000, 7_001, 7_002, 7_003, 7_004, 7_005]
    assert [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY id")] == [7_000, 7_001]
    connection.close()


def test_a_later_state_takes_the_place_of_the_one_before_in_the_search_too(tmp_path):
    connection = schema.create(tmp_path / "index.sqlite")
    writer = Writer(connection, 1, "gw")
    row = an_operation(1, 7_000_000, text="waiting words", verdict="hold")
    writer.write(Batch(asked={row.operation: row}))
    again = Writer(connection, 1, "gw")
    (kept,) = again.unfinished()
    kept.text, kept.verdict = "final words", "permit"
    again.write(Batch(asked={kept.operation: kept}, ended={kept.operation}))

    def found(word):
        return connection.execute("SELECT rowid FROM search WHERE search MATCH ?", (word,)).fetchall()

    assert (found("waiting"), found("final")) == ([], [(7_000,)])
    assert again.unfinished() == []
    assert connection.execute("INSERT INTO search (search) VALUES ('integrity-check')").fetchall() == []
    connection.close()


def test_open_sessions_are_read_back_as_they_were(tmp_path):
    connection = schema.create(tmp_path / "index.sqlite")
    session = Opened(b"s" * 16, 4, 7_000_000, "open", WHO, PLACE, permitted=3, about={"attributes": {"crew": "seven"}})
    Writer(connection, 1, "gw").write(Batch({4: session}))
    assert Writer(connection, 1, "gw").open_sessions() == [session]
    assert Writer(connection, 2, "gw2").open_sessions() == []
    connection.close()
