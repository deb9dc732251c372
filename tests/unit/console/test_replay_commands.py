"""`doorward replay` over logs that the real writer wrote: told, played, exported."""

import json
import subprocess
import sys

import pytest
import trio

from doorward_core import entries
from doorward_core.event import Outcome, Status
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.writer import Log

SESSION = "0123456789abcdef0123456789abcdef"
NS = 1_000_000_000
NOW = 1_800_000_000 * NS
SHELL, EXEC = b"\x01" * 16, b"\x02" * 16
SCREEN = (
    (b"resize", b"100x30"),
    (b"stdout", b"\x1b[?2004h\x1b]0;t\x07deploy@web1:~$ "),
    (b"stdout", b"upt"),
    (b"stdout", b"\x08\x08ptime\x1b[K"),
    (b"stdout", b"\r\n\x1b[?2004l\r"),
    (b"stdout", b" 10:00 up\r\nsession closed: \xc3"),
    (b"stdout", b"\xa9\x1b]52;c;aGk=\x07\r\n"),
    (b"resize", b"80x24"),
)


def happened():
    """A shell with a terminal, and a command without."""
    identity = Identity(
        "crew-7", "https://id.example", PrincipalKind.AGENT, frozenset(), AuthMethod.SSH_CERTIFICATE, "jti", NOW, 2**62
    )
    session = Session(
        bytes.fromhex(SESSION), identity, Resource("web1", "ssh"), "deploy", Peer("10.0.0.7"), "gw", NOW, b"p" * 32
    )
    permit = Decision(Effect.PERMIT, ReasonCode.RULE, "", b"p" * 32)
    pty = Atom(Action.SESSION, Target("pty", "xterm-256color"))
    shell = Operation(SHELL, 1, Action.EXECUTE, "shell", (pty,), "an interactive shell as deploy", b"d" * 32)
    command = Operation(EXEC, 2, Action.EXECUTE, "uptime", (), "uptime -p", b"d" * 32)
    yield entries.session_opened(session, read_only=False, observe=False, facts={})
    yield entries.decided(session, shell, permit)
    for stream, data in SCREEN:
        yield entries.stream_chunk(session, shell, stream.decode(), 0, data)
    ended = Outcome(Status.OK, native_code="0", bytes_down=90)
    yield entries.finished(session, Permit(shell, permit, 1, NOW), ended, RecordLevel.SHAPE)
    yield entries.decided(session, command, permit)
    said = Outcome(Status.ERROR, native_code="3", shown=b"up 3 days\n", shown_format="ssh.output")
    yield entries.finished(session, Permit(command, permit, 1, NOW), said, RecordLevel.SHAPE)
    yield entries.session_closed(session, {"duration_ns": 9 * NS}, [], "the client left")


@pytest.fixture(scope="session")
def ssh_log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ssh-record")

    async def write() -> None:
        async with trio.open_nursery() as nursery:
            written = await Log.open(folder / "log", origin="gw", signer=folder / "signer.pem", nursery=nursery)
            for second, event in enumerate(happened()):
                written.append(event, NOW + second * NS // 2)
            await written.aclose()

    trio.run(write)
    return folder / "log"


def test_a_terminal_is_told_harmless_behind_a_margin_with_what_was_typed(run, ssh_log):
    output = run("replay", "last", "--log", ssh_log).output
    assert not {"\x1b", "\x07", "\r"} & set(output)
    assert "    | deploy@web1:~$ up" in output
    assert "    |  10:00 up\n    | session closed: é\n" in output
    assert "lines that seem to have been typed (observed, not enforced):\n    |     +3.000 s  uptime\n" in output
    assert "    | up 3 days\n" in output


@pytest.mark.parametrize("version", [2, 3])
def test_a_terminal_is_exported(run, ssh_log, tmp_path, version):
    out = tmp_path / "session.cast"
    assert run("replay", SESSION, "--log", ssh_log, "--asciicast", version, "-o", out).exit_code == 0
    assert out.read_text().isascii()
    header, *events = [json.loads(text) for text in out.read_text().splitlines()]
    assert header["version"] == version
    assert events[0][1:] == ["o", "\x1b[?2004h\x1b]0;t\x07deploy@web1:~$ "]


def test_without_a_file_an_export_goes_to_the_pipe(run, ssh_log):
    command = [sys.executable, "-m", "doorward_console", "replay", "last", "--log", ssh_log, "--asciicast", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[0])["width"] == 100


def test_one_of_several_is_named(run, ssh_log, tmp_path):
    out = tmp_path / "raw"
    assert run("replay", "last", "--log", ssh_log, "--raw", "-o", out, "--operation", EXEC.hex()[:6]).exit_code == 0
    assert out.read_bytes() == b"up 3 days\n"
    assert run("replay", "last", "--log", ssh_log, "--raw", "-o", out, "--operation", "ff").exit_code == 1


def test_raw_is_byte_for_byte(run, ssh_log, tmp_path):
    out = tmp_path / "raw"
    assert run("replay", "last", "--log", ssh_log, "--raw", "-o", out).exit_code == 0
    assert out.read_bytes() == b"".join(data for stream, data in SCREEN if stream != b"resize")


@pytest.mark.parametrize("words", [("--asciicast", "1"), ("--out", "x")])
def test_what_makes_no_sense_is_said(run, ssh_log, words):
    assert run("replay", "last", "--log", ssh_log, *words).exit_code == 2


def test_what_has_no_output_cannot_be_exported(run, log):
    assert run("replay", "last", "--log", log, "--asciicast", "3").exit_code == 1


@pytest.mark.parametrize("name", [SESSION, SESSION[:8], SESSION.upper(), "last"])
def test_a_session_is_replayed_by_id_beginning_or_as_the_last(run, log, name):
    done = run("replay", name, "--log", log)
    assert (done.exit_code, "DROP TABLE orders" in done.output) == (0, True)


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
