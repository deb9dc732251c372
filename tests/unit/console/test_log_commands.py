"""`doorward verify`, `sessions` and `replay` over a log that the real writer wrote."""

import json
import re
import shutil
import time
from pathlib import Path

import pyrage
import pytest
import trio

from doorward_console.log_commands import _known_sessions
from doorward_core.event import Event, EventKind
from doorward_core.record.writer import Log

SESSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def damaged(log, tmp_path) -> Path:
    """A copy of the log with one bit of its fifth entry turned."""
    copy = tmp_path / "log"
    shutil.copytree(log, copy)
    bundle = max((copy / "tile" / "entries").rglob("*.p/*"), key=lambda path: int(path.name))
    data = bytearray(bundle.read_bytes())
    place = data.index(b"DROP TABLE")
    data[place] ^= 1
    bundle.write_bytes(data)
    return copy


def test_a_whole_log_verifies(run, log):
    done = run("verify", log)
    assert done.exit_code == 0
    assert "ok: every entry" in done.output
    assert "give --key" in done.output


def test_with_a_key_and_a_checkpoint_from_outside_it_says_so(run, log):
    done = run("verify", log, "--key-file", log.parent / "signer.vkey", "--checkpoint", log / "checkpoint", "--json")
    report = json.loads(done.output)
    assert (report["ok"], report["key_from_outside"], report["checkpoint_from_outside"]) == (True, True, True)
    assert report["size"] == report["checkpoint_size"] == 13


def test_a_turned_bit_is_found_and_its_entry_named(run, damaged):
    done = run("verify", damaged)
    assert (done.exit_code, "entry 4" in done.output, "NOT OK" in done.output) == (1, True, True)
    report = json.loads(run("verify", damaged, "--json").output)
    assert (report["ok"], report["problems"][0]["index"]) == (False, 4)


@pytest.mark.parametrize(
    "arguments", [("/nonexistent",), ("{log}", "--checkpoint", "/nonexistent"), ("{log}", "--key-file", "/nonexistent")]
)
def test_what_cannot_be_read_ends_with_2(run, log, arguments):
    done = run("verify", *(argument.format(log=log) for argument in arguments))
    assert done.exit_code == 2


def test_a_key_that_is_none_or_another_gateways_does_not_verify(run, log):
    assert run("verify", log, "--key", "gw.example+00000000+AAAA").exit_code != 0


def test_a_key_that_cannot_be_read_is_said_without_a_traceback(run, log):
    done = run("verify", log, "--key", "foo")
    assert (done.exit_code, "not a vkey" in done.output) == (2, True)


def test_what_was_checked_is_told_in_words(run, log):
    assert re.search(r"checked +[0-9]+ entries, [0-9]+ tiles, [0-9]+ contents", run("verify", log).output)


def test_the_sessions_are_listed_with_those_that_were_refused(run, log):
    done = run("sessions", "--log", log)
    assert done.exit_code == 0
    assert SESSION[:12] in done.output
    assert "refused" in done.output


def test_sessions_in_json_have_whole_ids_and_can_be_filtered(run, log):
    listed = json.loads(run("sessions", "--log", log, "--json").output)
    assert [row["state"] for row in listed] == ["closed", "refused"]
    assert listed[0]["session"] == SESSION
    assert len(json.loads(run("sessions", "--log", log, "--subject", "crew-7", "--json").output)) == 1
    assert run("sessions", "--log", log, "--resource", "other").output == "no sessions\n"


def test_sessions_of_a_crew_are_found_by_its_attributes(run, log):
    (row,) = json.loads(run("sessions", "--log", log, "--attribute", "task=mail", "--json").output)
    assert (row["session"], row["sponsor"], row["attributes"]["task"]) == (SESSION, "sam", "mail")
    several = ("--attribute", "task=mail", "--attribute", "crew=other")
    assert run("sessions", "--log", log, *several).output == "no sessions\n"
    assert run("sessions", "--log", log, "--attribute", "crew").exit_code == 2


@pytest.mark.parametrize("name", [SESSION, SESSION[:8], SESSION.upper(), "last"])
def test_a_session_is_replayed_by_id_beginning_or_as_the_last(run, log, name):
    done = run("replay", name, "--log", log)
    assert (done.exit_code, "DROP TABLE orders" in done.output) == (0, True)


@pytest.mark.parametrize(("name", "status"), [("ffffffff", 1), ("01", 2), ("xyzw", 2)])
def test_a_session_that_is_not_there_is_said(run, log, name, status):
    assert run("replay", name, "--log", log).exit_code == status


def test_a_replay_obeys_nothing_that_was_recorded(run, log):
    output = run("replay", "last", "--log", log).output
    assert not {"\x1b", "\x07", "\u202e"} & set(output)
    assert "<U+001B>]52" in output
    assert not any(line.startswith("session closed: all good") for line in output.splitlines())


def test_a_replay_in_json_has_every_entry_with_bytes_in_hexadecimal(run, log):
    told = json.loads(run("replay", "last", "--log", log, "--json").output)
    assert told[0]["kind"] == "session.opened"
    assert told[0]["header"]["policy"] == "70" * 32
    assert run("replay", "last", "--log", log, "--json").output.isascii()


def test_fewer_rows_are_shown_on_demand(run, log):
    assert "and 2 rows more" in run("replay", "last", "--log", log, "--rows", 1).output


def test_a_folder_without_a_log_is_said(run, tmp_path):
    for command in (("sessions",), ("replay", "last")):
        done = run(*command, "--log", tmp_path / "none")
        assert done.exit_code == 2


def test_ids_complete_where_the_environment_names_a_log(log, monkeypatch):
    assert _known_sessions("") == []
    monkeypatch.setenv("DOORWARD_LOG", str(log))
    assert (_known_sessions("0123"), _known_sessions("ff")) == ([SESSION], [])
    monkeypatch.setenv("DOORWARD_LOG", "/nonexistent")
    assert _known_sessions("") == []


def test_an_auditor_replays_a_sealed_log_with_a_key_of_their_own(run, tmp_path):
    auditor, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("auditor", auditor), ("stranger", stranger)):
        (tmp_path / name).write_text(f"{identity}\n")

    async def write():
        async with trio.open_nursery() as nursery:
            log = await Log.open(
                tmp_path / "log",
                origin="sealed.test",
                signer=tmp_path / "keys" / "log.key",
                keys=tmp_path / "keys" / "payload",
                recipients=(str(auditor.to_public()),),
                nursery=nursery,
            )
            session = bytes.fromhex(SESSION)
            payload = {"text": "select secret_thing", "parameters": [], "atoms": [], "attributes": {}, "advice": ""}
            log.append(Event(EventKind.SESSION_OPENED, {"subject": "crew-7"}, {}, session), time.time_ns())
            log.append(
                Event(EventKind.OPERATION_DECIDED, {"verb": "SELECT"}, payload, session, b"o" * 16), time.time_ns()
            )
            await log.aclose()
            nursery.cancel_scope.cancel()

    trio.run(write)
    told = run("replay", SESSION, "--log", tmp_path / "log", "--identity", tmp_path / "auditor")
    assert (told.exit_code, "select secret_thing" in told.output) == (0, True)
    assert "secret_thing" not in run("replay", SESSION, "--log", tmp_path / "log").output
    refused = run("replay", SESSION, "--log", tmp_path / "log", "--identity", tmp_path / "stranger")
    assert refused.exit_code != 0
