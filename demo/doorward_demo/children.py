"""Child processes that do not outlive us.

What it is: one way to start a program in a session of its own, so that Ctrl-C in a terminal reaches us alone and we
stop everything in order; and, on Linux, a request to the kernel to end it should we be killed without a chance to.
What it will not do: clean up files after such an end.
"""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import IO

PR_SET_PDEATHSIG = 1  # prctl(2)

Stream = int | IO[bytes] | IO[str] | None


def _end_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What a child does before it becomes the program; its user has been changed by then, which would undo it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: after it, nothing may be loaded

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))

    return ask


def start(
    command: list[str],
    *,
    output: Stream,
    errors: Stream,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    ends_by: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program without input; should we be killed, it gets the signal that makes it end at once."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=environment,
        user=user,
        cwd="/" if user else None,  # another user may not be allowed to stand where we do
        start_new_session=True,
        preexec_fn=_end_with_parent(ends_by),  # noqa: PLW1509 - one system call, looked up before the fork
    )
