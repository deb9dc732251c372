"""The demonstration's host and the gateway before it: they start, and are gone afterwards."""

import socket

import pytest

from doorward_demo import programs, stack
from doorward_demo.dataset import customers
from doorward_demo.host import LOG_LINES, running


@pytest.fixture
def place(tmp_path):
    with stack.socket_folder() as sockets:
        (tmp_path / "state").mkdir()
        made = stack.make_stack(tmp_path / "state", sockets)
        with stack.issuer(made):
            yield made


@pytest.mark.parametrize("ours", [True, pytest.param(False, marks=pytest.mark.need_sshd)])
def test_it_starts_with_sshd_or_without_and_is_stopped(place, ours):
    with running(place, None if ours else programs.installed_ssh()) as host:
        assert host.ours is ours
        for port in (host.target_port, host.port):
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.recv(4) == b"SSH-"
        written = (host.files / "shop.log").read_text()
        assert all(one.email in written for one in customers(LOG_LINES))
    for port in (host.port, host.target_port):
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
