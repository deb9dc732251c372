"""What is printed: harmless, in units that can be read, and with a status that says yes, no or cannot."""

import json

import pytest
import typer

from doorward_console import output


def test_a_table_keeps_ids_whole_and_obeys_nothing(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    output.table(("id", "text"), [("ap-0123456789ab", "[bold]x[/bold] \x1b[2J :smile: " + "y" * 200)])
    shown = capsys.readouterr().out
    assert "ap-0123456789ab" in shown
    assert "[bold]x[/bold] <U+001B>[2J" in shown
    assert shown.count("y") == 200


def test_a_row_that_goes_to_no_terminal_is_one_line(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    output.table(("id", "text"), [("ap-1", "y" * 500)])
    assert f"ap-1   {'y' * 500}" in [row.rstrip() for row in capsys.readouterr().out.splitlines()]


def test_a_time_is_not_folded_where_it_is_to_be_kept_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    output.table(("id", "at", "text"), [("ap-1", "2026-11-23 08:15", "y" * 100)], whole=2)
    assert "2026-11-23 08:15" in capsys.readouterr().out


def test_json_is_ascii_and_knows_bytes_and_sets(capsys):
    output.emit({"a": b"\1", "b": frozenset({"y", "x"}), "c": "\u202e"})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"a": "01", "b": ["x", "y"], "c": "\u202e"}


def test_a_failure_is_said_on_standard_error_made_harmless(capsys):
    with pytest.raises(typer.Exit) as caught:
        output.fail("bad\x1b[2J")
    assert caught.value.exit_code == output.CANNOT
    assert capsys.readouterr().err == "doorward: bad<U+001B>[2J\n"


def test_errors_that_are_expected_end_with_their_message(capsys):
    with pytest.raises(typer.Exit), output.failing(OSError):
        raise FileNotFoundError(2, "No such file or directory", "/x")
    assert capsys.readouterr().err == "doorward: /x: No such file or directory\n"


def test_errors_that_are_not_expected_go_through():
    with pytest.raises(RuntimeError), output.failing(OSError):
        raise RuntimeError


@pytest.mark.parametrize(("time", "text"), [(0, "-"), (1_800_000_000_123_456_789, "2027-01-15 08:00:00.123Z")])
def test_a_moment_is_utc_to_the_millisecond(time, text):
    assert output.moment(time) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [(1_500_000, "1.5 ms"), (1_500_000_000, "1.5 s"), (61 * 10**9, "1 min 1 s"), (3_700 * 10**9, "1 h 1 min")],
)
def test_a_span_has_the_units_that_say_something(duration, text):
    assert output.span(duration) == text


def test_progress_is_silent_where_nobody_watches(capsys):
    with output.progress("verifying") as told:
        told(1, 2)
    assert capsys.readouterr() == ("", "")
