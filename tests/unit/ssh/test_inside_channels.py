"""The narrowed channels of asyncssh, for the version that is pinned."""

import pytest
from asyncssh import channel

from doorward_ssh import inside_channels


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (channel.SSHChannel, ["_accept_data", "_deliver_data", "_flush_send_buf", "_report_response"]),
        (
            channel.SSHServerChannel,
            [
                "_process_env_request",
                "_process_x11_req_request",
                "_process_auth_agent_req_at_openssh_dot_com_request",
                "_process_pty_req_request",
            ],
        ),
    ],
)
def test_what_is_narrowed_is_still_there(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


@pytest.mark.parametrize("name", ["ClientChannel", "TargetChannel", "TcpChannel", "UnixChannel"])
def test_every_kind_of_channel_is_bounded(name):
    assert getattr(inside_channels, name)._deliver_data is inside_channels.Bounded._deliver_data
    assert getattr(inside_channels, name)._accept_data is inside_channels.Bounded._accept_data


def test_small_pieces_that_wait_are_put_together_and_streams_are_not_mixed():
    waiting = []
    for _ in range(1000):
        waiting.append((b"x", None))
        inside_channels.put_together(waiting)
    assert waiting == [(b"x" * 1000, None)]
    waiting.append((b"e", 1))
    inside_channels.put_together(waiting)
    assert waiting == [(b"x" * 1000, None), (b"e", 1)]


def test_large_pieces_are_left_alone():
    waiting = [(b"x" * inside_channels.SMALL_BYTES, None), (b"y", None)]
    inside_channels.put_together(waiting)
    assert len(waiting) == 2
