"""The story's part on a host, told whole: with sshd, and with the server that stands in for it."""

import io

import pytest
from rich.console import Console

from doorward_demo import programs, stack
from doorward_demo.approver import Approver
from doorward_demo.host import running
from doorward_demo.host_story import HostStory, _settled
from doorward_demo.terminal import Screen


@pytest.mark.need_sshd  # for ssh, which comes with it
@pytest.mark.parametrize("ours", [False, True])
def test_the_four_steps_are_played(tmp_path, ours):
    said = io.StringIO()
    screen = Screen(Console(file=said, width=120))
    with stack.socket_folder() as sockets:
        (tmp_path / "state").mkdir()
        place = stack.make_stack(tmp_path / "state", sockets)
        with stack.issuer(place), running(place, None if ours else programs.installed_ssh()) as host:
            HostStory(screen, place, host, Approver(screen, place)).play()
    told = said.getvalue()
    assert told.count("\u2713") == 4
    assert "doorward: refused: Files are removed by the clean-up job" in told
    assert "\x1b]" not in told


def test_what_was_typed_over_is_told_as_it_stood():
    assert _settled("abc\b\bX\n  d  \n") == ["aXc", "  d"]
