"""Requests of a channel as operations."""

import pytest

from doorward_core.model import Action
from doorward_ssh.operations import ChannelRequest, Kind, Pty, digest, read

PTY = Pty("xterm", 80, 24)


def reading(kind, text="", **more):
    return read(ChannelRequest(kind, text, **more), account="deploy", seq=3, operation_id=bytes(16))


def atoms(found):
    return [(atom.action, atom.target.kind, atom.target.name) for atom in found.operation.atoms]


def test_an_exec_is_the_commands_it_runs():
    found = reading(Kind.EXEC, "uptime; rm -r /srv")
    assert atoms(found) == [(Action.EXECUTE, "command", "uptime"), (Action.EXECUTE, "command", "rm")]
    assert found.operation.complete
    assert found.operation.verb == "uptime"
    assert found.operation.seq == 3


def test_what_cannot_be_read_whole_says_why():
    found = reading(Kind.EXEC, "$(fetch)")
    assert not found.operation.complete
    assert found.operation.attributes["problem"]


def test_a_shell_is_one_operation_with_its_input_unseen():
    found = reading(Kind.SHELL, pty=PTY)
    assert atoms(found) == [(Action.EXECUTE, "shell", "deploy"), (Action.SESSION, "pty", "xterm")]
    assert found.operation.unseen == ("stdin",)
    assert found.operation.complete


def test_a_subsystem_is_named():
    assert atoms(reading(Kind.SUBSYSTEM, "netconf")) == [(Action.EXECUTE, "subsystem", "netconf")]


def test_a_transfer_is_recognised():
    found = reading(Kind.EXEC, "scp -f /etc/motd")
    assert found.operation.action is Action.TRANSFER
    assert found.transfer.paths == ("/etc/motd",)
    assert (Action.READ, "path", "/etc/motd") in atoms(found)


def test_variables_are_atoms():
    found = reading(Kind.EXEC, "date", environment=(("TZ", "UTC"),))
    assert (Action.SESSION, "variable", "TZ") in atoms(found)


@pytest.mark.parametrize(
    "other",
    [
        ChannelRequest(Kind.SHELL, "date"),
        ChannelRequest(Kind.EXEC, "date "),
        ChannelRequest(Kind.EXEC, "date", pty=PTY),
        ChannelRequest(Kind.EXEC, "date", environment=(("TZ", "UTC"),)),
        ChannelRequest(Kind.EXEC, "date", environment=(("T", "ZUTC"),)),
    ],
)
def test_an_approval_is_for_exactly_what_was_asked(other):
    this = ChannelRequest(Kind.EXEC, "date")
    assert digest(other, "deploy") != digest(this, "deploy")
    assert digest(this, "root") != digest(this, "deploy")
    assert digest(this, "deploy") == digest(ChannelRequest(Kind.EXEC, "date"), "deploy")
