"""Which log is read, with whose key, and which session is meant."""

import time

import pyrage
import pytest
import trio

from doorward_console.log_reading import known_sessions
from doorward_core.event import Event, EventKind
from doorward_core.record.writer import Log

SESSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(("name", "status"), [("ffffffff", 1), ("01", 2), ("xyzw", 2)])
def test_a_session_that_is_not_there_is_said(run, log, name, status):
    assert run("replay", name, "--log", log).exit_code == status


def test_a_folder_without_a_log_is_said(run, tmp_path):
    for command in (("sessions",), ("replay", "last")):
        done = run(*command, "--log", tmp_path / "none")
        assert done.exit_code == 2


def test_ids_complete_where_the_environment_names_a_log(log, monkeypatch):
    assert known_sessions("") == []
    monkeypatch.setenv("DOORWARD_LOG", str(log))
    assert (known_sessions("0123"), known_sessions("ff")) == ([SESSION], [])
    monkeypatch.setenv("DOORWARD_LOG", "/nonexistent")
    assert known_sessions("") == []


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
