"""`doorward export` over a log that the real writer wrote."""

import json

import pytest
import trio

from doorward_core import entries
from doorward_core.event import Outcome, Status
from doorward_core.model import (
    Action,
    Atom,
    Decision,
    Effect,
    Match,
    Operation,
    Permit,
    ReasonCode,
    RecordLevel,
    Target,
)
from doorward_core.record.writer import Log

NOW = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def http_log(tmp_path_factory, http_session):
    folder = tmp_path_factory.mktemp("record")
    atom = Atom(Action.READ, Target("request", "GET /customers/1"))
    attributes = {"authority": "gw.example", "place": "/crm"}
    asked = Operation(
        b"1" * 16, 0, Action.READ, "GET", (atom,), "GET /customers/1?token=…\naccept: */*", b"d" * 32,
        attributes=attributes,
    )  # fmt: skip
    decision = Decision(
        Effect.PERMIT, ReasonCode.RULE, "", b"p" * 32, (), (Match("r", b"h" * 32, Effect.PERMIT, atom),)
    )
    shown = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"email": "a***@***.com", "api_key": "hunter2"}'
    outcome = Outcome(Status.OK, "200", bytes_down=46, duration_ns=5_000_000, shown=shown, shown_format="http.message")

    async def write():
        async with trio.open_nursery() as nursery:
            log = await Log.open(folder / "log", origin="gw.example", signer=folder / "signer.pem", nursery=nursery)
            log.append(entries.session_opened(http_session, read_only=False, observe=False, facts={}), NOW)
            log.append(entries.decided(http_session, asked, decision), NOW + 1_000_000)
            permit = Permit(asked, decision, 2, NOW)
            log.append(entries.finished(http_session, permit, outcome, RecordLevel.SHAPE), NOW + 6_000_000)
            await log.aclose()

    trio.run(write)
    return folder / "log"


def test_a_session_becomes_an_archive_with_secrets_cut(run, http_log, tmp_path):
    done = run("export", "last", "--har", "--log", http_log, "-o", tmp_path / "session.har")
    assert (done.exit_code, done.output) == (0, "")
    (made,) = json.loads((tmp_path / "session.har").read_text())["log"]["entries"]
    assert made["request"]["url"] == "https://gw.example/crm/customers/1?token=…"
    assert made["response"]["content"]["text"] == '{"email": "a***@***.com", "api_key": "…"}'
    assert json.loads(run("export", "last", "--har", "--log", http_log).output)["log"]["entries"] == [made]


def test_replay_tells_it_as_a_transcript(run, http_log):
    said = run("replay", "last", "--log", http_log).output
    assert "    | > GET /customers/1?token=" in said
    assert "    | < 200 OK" in said
    assert "answered: ok 200; 46 bytes" in said


def test_a_session_of_another_protocol_and_no_format_are_refused(run, log):
    done = run("export", "last", "--har", "--log", log)
    assert (done.exit_code, "no requests of HTTP" in done.output) == (2, True)
    assert "--har" in run("export", "last", "--log", log).output


def test_all_events_become_lines_of_json_or_csv(run, log, log_entries, tmp_path):
    lines = [json.loads(line) for line in run("export", "--jsonl", "--log", log).output.splitlines()]
    assert [line["index"] for line in lines] == [entry.index for entry in log_entries]
    assert run("export", "last", "--csv", "--log", log, "-o", tmp_path / "x.csv").exit_code == 0
    head, *rows = (tmp_path / "x.csv").read_text().splitlines()
    assert (head.split(",")[:3], len(rows)) == (["time", "log", "index"], len([e for e in log_entries if e.session_id]))
    assert run("export", "--jsonl", "--log", log, "--until", "1999-01-01").output == ""
    assert run("export", "--har", "--log", log).exit_code == 2
