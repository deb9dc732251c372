"""The narrowed classes of asyncssh, for the version that is pinned."""

import asyncssh
import pytest
from asyncssh import channel, connection
from asyncssh.constants import MSG_GLOBAL_REQUEST, MSG_KEXINIT

from doorward_ssh import inside


def test_the_version_is_the_one_that_was_read():
    assert asyncssh.__version__ == "2.24.1"


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (channel.SSHChannel, ["_accept_data", "_flush_send_buf", "_report_response"]),
        (
            channel.SSHServerChannel,
            [
                "_process_env_request",
                "_process_x11_req_request",
                "_process_auth_agent_req_at_openssh_dot_com_request",
                "_process_pty_req_request",
            ],
        ),
        (
            connection.SSHConnection,
            ["_finish_recv_packet", "_process_kexinit", "_process_global_request", "pause_writing", "resume_writing"],
        ),
        (
            connection.SSHServerConnection,
            ["validate_public_key", "reload_config", "create_server_channel", "_process_session_open"],
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


def test_small_pieces_that_wait_are_put_together_and_streams_are_not_mixed():
    waiting = []
    for _ in range(1000):
        waiting.append((b"x", None))
        inside._put_together(waiting)
    assert waiting == [(b"x" * 1000, None)]
    waiting.append((b"e", 1))
    inside._put_together(waiting)
    assert waiting == [(b"x" * 1000, None), (b"e", 1)]


def test_large_pieces_are_left_alone():
    waiting = [(b"x" * inside.SMALL_BYTES, None), (b"y", None)]
    inside._put_together(waiting)
    assert len(waiting) == 2


def test_the_algorithm_of_a_signature_is_read():
    assert inside._signer(b"\0\0\0\x0bssh-ed25519\0\0\0\x01s") == b"ssh-ed25519"
    assert inside._signer(b"") == b""
