"""An event as one line."""

import csv
import json

import pytest

from doorward_console.follow import lines
from doorward_core.record.reader import Entry


def test_json_has_the_header_and_only_when_asked_the_content(log_entries):
    drop = next(entry for entry in log_entries if entry.header.get("verb") == "DROP")
    told = json.loads(lines.json_line(drop, "gw.example", content=False))
    assert (told["log"], told["kind"], told["verdict"]) == ("gw.example", "operation.decided", "deny")
    assert (told["time"][-1], told["subject"], "content" in told) == ("Z", "crew-7", False)
    assert json.loads(lines.json_line(drop, "gw.example", content=True))["content"]["text"].startswith("DROP TABLE")


def test_nothing_in_a_line_is_obeyed(log_entries):
    for entry in log_entries:
        made = (
            lines.json_line(entry, "gw", content=True),
            lines.csv_line(entry, "gw", content=True),
            lines.syslog_line(entry, "gw", content=True, limit=65_536).decode("ascii"),
        )
        for line in made:
            assert line.isascii()
            assert line.isprintable()


def test_csv_is_read_back_and_no_cell_is_a_formula(log_entries):
    entry = log_entries[1]
    hostile = Entry(
        **{name: getattr(entry, name) for name in Entry.__slots__} | {"header": {"subject": '=HYPERLINK("x")'}}
    )
    rows = list(csv.DictReader([lines.csv_head(), lines.csv_line(hostile, "gw", content=False)]))
    assert rows[0]["subject"] == '\'=HYPERLINK("x")'
    assert (rows[0]["index"], rows[0]["kind"]) == (str(entry.index), entry.kind)


@pytest.mark.parametrize(("verb", "severity"), [("SELECT", 6), ("DROP", 4)])
def test_syslog_has_the_form_of_rfc_5424(log_entries, verb, severity):
    entry = next(one for one in log_entries if one.header.get("verb") == verb and "verdict" in one.header)
    line = lines.syslog_line(entry, "gw.example", content=False, limit=65_536).decode("ascii")
    head, time, host, app, process, kind, structured, message = line.split(" ", 7)
    assert head == f"<{13 * 8 + severity}>1"
    assert (host, app, process, kind, structured) == ("gw.example", "doorward", "-", "operation.decided", "-")
    assert time == json.loads(message)["time"]


def test_a_message_that_is_too_long_loses_its_content_and_says_so(log_entries):
    drop = next(entry for entry in log_entries if entry.header.get("verb") == "DROP")
    line = lines.syslog_line(drop, "gw", content=True, limit=100)
    assert json.loads(line.split(b" - ", 2)[-1])["content"] == "too long"
