"""The story's part on a cluster, told whole; and not told where a promise is broken."""

import io

import pytest
from rich.console import Console

from doorward_demo import prod_story, stack
from doorward_demo.approver import Approver
from doorward_demo.postgres import DemoError
from doorward_demo.prod import running
from doorward_demo.prod_story import ProdStory
from doorward_demo.terminal import Screen

pytestmark = pytest.mark.need_kubectl


@pytest.fixture
def told(tmp_path):
    """The story before it is played, and what will have been said."""
    said = io.StringIO()
    screen = Screen(Console(file=said, width=120))
    with stack.socket_folder() as sockets:
        (tmp_path / "state").mkdir()
        place = stack.make_stack(tmp_path / "state", sockets)
        with stack.issuer(place), running(place) as prod:
            yield ProdStory(screen, place, prod, Approver(screen, place)), said


def test_the_four_steps_are_played(told):
    story, said = told
    story.play()
    assert said.getvalue().count("\u2713") == 4
    assert "A pod is not repaired by hand" in said.getvalue()
    assert story.prod.cluster.errors == []


def test_a_value_that_is_shown_ends_the_story(told, monkeypatch):
    story, _ = told
    monkeypatch.setattr(prod_story, "find_leaks", lambda said, _secrets: [said[:5]])
    story._looks()
    with pytest.raises(DemoError, match="masked was shown"):
        story._masks()
