"""`doorward approvals watch`, as a process at a terminal and at a pipe, against a real control API."""

import json
import subprocess
import sys

import pytest
from terminal import Terminal

NAME = "ap-0123456789ab"


@pytest.fixture
def command(control):
    return [sys.executable, "-m", "doorward_console", "approvals", "watch", "--gateway", control.url]


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("DOORWARD_TOKEN", "dora-token")


def _lines(command, *more):
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("environment")
def test_a_program_is_told_of_each_change_in_a_line(command, control):
    control.hold(text="\x1b[2J")
    with _lines(command, "--json") as watching:
        first = watching.stdout.readline()
        assert (json.loads(first)["event"], json.loads(first)["request"]["id"]) == ("opened", NAME)
        assert "\x1b" not in first
        control.hold(id="ap-000000000001")
        control.changed()
        assert json.loads(watching.stdout.readline())["request"]["id"] == "ap-000000000001"
        watching.terminate()


@pytest.mark.usefixtures("environment")
def test_several_gateways_are_watched_at_once_and_one_that_is_not_there_stops_nothing(command, control, tmp_path):
    control.hold()
    with _lines(command, "--json", "--gateway", f"unix:{tmp_path}/nowhere") as watching:
        said = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.terminate()
    assert sorted(one["event"] for one in said) == ["opened", "problem"]


def test_who_is_not_known_is_told_and_it_ends(command, control, monkeypatch):
    monkeypatch.setenv("DOORWARD_TOKEN", "nobody")
    with _lines(command, "--json") as watching:
        out, error = watching.communicate(timeout=120)
    assert (watching.returncode, "a valid bearer token is needed" in error) == (1, True)
    assert json.loads(out)["event"] == "problem"


@pytest.mark.usefixtures("environment")
def test_at_a_terminal_a_request_is_opened_confirmed_and_approved(command, control):
    with Terminal(command, TERM="xterm") as screen:
        screen.until("nothing waits for you")
        control.hold()
        control.changed()
        screen.until("UPDATE customer SET name")
        screen.type("\r")
        screen.until("approve, reject, or Enter to go back")
        screen.type("approve\r")
        screen.until("reason (the requester reads it)")
        screen.type("fine\r")
        screen.until(f"approve {NAME}?")
        assert control.state(NAME) == "pending"
        screen.type("y\r")
        screen.until("your vote counts; it is granted")
        assert control.state(NAME) == "granted"
        screen.type("\r")
        screen.until("nothing waits for you")
        screen.type("q")
        screen.until("left;")
        assert screen.process.wait(120) == 0


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("attended", "typed", "retry"), [(True, "approve", False), (True, "retry", True), (False, "approve", True)]
)
def test_at_a_terminal_a_retry_is_allowed_in_a_word_and_confirmed(command, control, attended, typed, retry):
    question = ", and one identical retry within 5 min 0 s?" if retry else " for the one that waits alone?"
    control.hold(retry=True, attended=attended)
    with Terminal(command, TERM="xterm") as screen:
        screen.until("UPDATE customer SET name")
        screen.type("\r")
        screen.until("retry (approve, and an identical retry), reject, or Enter to go back")
        screen.type(f"{typed}\r")
        screen.until("reason (the requester reads it)")
        screen.type("\r")
        screen.until(f"approve {NAME}{question}")
        screen.type("y\r")
        screen.until("your vote counts; it is granted")
        screen.type("\r")
        screen.until("nothing waits for you")
        screen.type("q")
        screen.until("left;")
        assert screen.process.wait(120) == 0
    assert (control.state(NAME), control.events[0].header["retry"]) == ("granted", retry)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("typed", ["\r", "a\r", "approve\rreason\rn\r", "approve\rreason\r\r"])
def test_ap_05_nothing_short_of_the_word_and_a_yes_decides(command, control, typed):
    control.hold()
    with Terminal(command, TERM="xterm") as screen:
        screen.until("UPDATE customer SET name")
        screen.type("\r")
        screen.until("approve, reject, or Enter to go back")
        screen.type(typed)
        screen.until("1 waiting")
        screen.type("q")
        screen.until("left;")
        assert screen.process.wait(120) == 0
    assert control.state(NAME) == "pending"


@pytest.mark.usefixtures("environment")
def test_what_the_gateway_refuses_is_said_and_the_list_goes_on(command, control):
    control.hold()
    with Terminal(command, TERM="xterm") as screen:
        screen.until("UPDATE customer SET name")
        screen.type("\r")
        screen.until("approve, reject, or Enter to go back")
        control.withdraw(NAME)
        screen.type("reject\r")
        screen.until("reason (the requester reads it)")
        screen.type("no\r")
        screen.until(f"reject {NAME}?")
        screen.type("y\r")
        screen.until("no: the request is already withdrawn")
        screen.type("\r")
        screen.until("waiting", "nothing waits")
        screen.type("q")
        screen.until("left;")
        assert screen.process.wait(120) == 0
