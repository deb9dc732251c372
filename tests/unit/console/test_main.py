"""The command as a whole: it starts, loads only what it needs, and says how it is used."""

import subprocess
import sys

import pytest

LAZY = ("rich", "pydantic", "postgast", "pg8000", "cryptography", "trio", "http.client", "msgpack", "pyrage")


def test_starting_loads_nothing_heavy():
    code = f"import doorward_console.__main__, sys; print([name for name in {LAZY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("verify",),
        ("replay",),
        ("sessions",),
        ("sessions", "watch"),
        ("sessions", "end"),
        ("token",),
        ("ssh-login",),
        ("ssh-config",),
        *(("approvals", name) for name in ("list", "show", "approve", "reject")),
        *(("policy", name) for name in ("check", "explain", "test")),
        ("config", "check"),
        ("init",),
        ("init", "postgres"),
        ("init", "ssh"),
    ],
)
def test_every_command_explains_itself(run, command):
    done = run(*command, "--help")
    assert (done.exit_code, "Usage:" in done.output) == (0, True)


def test_the_version_is_told(run):
    assert run("--version").output.startswith("doorward ")


def test_a_command_that_is_not_there_is_a_usage_error(run):
    assert run("unheard-of").exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell):
    done = subprocess.run(
        [sys.executable, "-m", "doorward_console", "--show-completion", shell],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_DOORWARD_COMPLETE" in done.stdout or done.returncode == 0
