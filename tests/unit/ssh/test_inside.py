"""The narrowed classes of asyncssh, for the version that is pinned."""

import asyncssh
import pytest
from asyncssh import connection
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_KEXINIT

from doorward_ssh import inside


def test_the_version_is_the_one_that_was_read():
    assert asyncssh.__version__ == "2.24.1"


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            connection.SSHConnection,
            [
                "_recv_data",
                "_recv_pkthdr",
                "_finish_recv_packet",
                "_process_kexinit",
                "_process_global_request",
                "pause_writing",
                "resume_writing",
            ],
        ),
        (
            connection.SSHServerConnection,
            [
                "validate_public_key",
                "get_kbdint_challenge",
                "reload_config",
                "create_server_channel",
                "_process_session_open",
            ],
        ),
    ],
)
def test_what_is_narrowed_is_still_there(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


def test_the_narrowed_handlers_are_the_ones_in_force():
    table = inside.ClientConnection._packet_handlers
    assert table[MSG_KEXINIT] is inside.ClientConnection._bounded_kexinit
    assert table[MSG_GLOBAL_REQUEST] is inside.ClientConnection._bounded_global_request
    assert set(table) == set(connection.SSHServerConnection._packet_handlers)


def test_the_algorithm_of_a_signature_is_read():
    assert inside._signer(b"\0\0\0\x0bssh-ed25519\0\0\0\x01s") == b"ssh-ed25519"
    assert inside._signer(b"") == b""
