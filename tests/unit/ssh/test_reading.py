"""A command as a person writes it down, read as the gateway reads it."""

from doorward_core.model import Action, Resource
from doorward_core.policy.test_cases import Asked
from doorward_ssh.reading import read_request

WEB = Resource("web1", "ssh")


def reading(line):
    return read_request(Asked(line, {}), WEB, wanted=())


def test_a_command_is_its_programs_with_their_arguments():
    (atom,) = reading("ls -la /srv").atoms
    assert (atom.action, atom.target.kind, atom.target.name, atom.target.detail) == (
        Action.EXECUTE,
        "command",
        "ls",
        "-la /srv",
    )


def test_every_program_of_a_line_is_there():
    assert {atom.target.name for atom in reading("ps aux | sort").atoms} == {"ps", "sort"}


def test_what_cannot_be_read_is_not_complete_and_says_why():
    operation = reading('bash -c "$x"')
    assert not operation.complete
    assert operation.attributes["problem"]
