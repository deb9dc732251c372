"""A witness of the shop's log: what an auditor would run on a machine of their own, and here is a folder and a process.

What it is: `doorward witness init` with the key of the log, which is made here as a gateway's first start makes it,
and `doorward witness`, before the gateway starts: so that its first checkpoint is cosigned already.
What it will not do: share anything with the gateway but the public key of each.

Invariant: what was started here is stopped here.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from doorward_core.record.keys import signing_key
from doorward_demo.postgres import DemoError, free_port
from doorward_demo.stack import ORIGIN, POLL_S, READY_WITHIN_S, Stack, process

NAME = "demo-witness.example"
READY_WORDS = "witness.ready"
COSIGNED = "checkpoint.cosigned"


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[None]:
    """A witness until the end of the block; `stack` knows it from then on, and the gateway may start."""
    keys = stack.state / "keys"
    keys.mkdir(mode=0o700)
    _, log_vkey = signing_key(keys / "log.key", ORIGIN)
    _make(stack, log_vkey)
    log = _folder(stack) / "witness.log"
    with process([*_witness(), "--config", str(_folder(stack) / "witness.yaml")], log) as child:
        _until(lambda: READY_WORDS in log.read_text(encoding="utf-8", errors="replace"), child, "was not ready", log)
        yield


def _make(stack: Stack, log_vkey: str) -> None:
    port = free_port()
    options = ["--name", NAME, "--port", str(port), "--log", log_vkey]
    command = [*_witness(), "init", str(_folder(stack)), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"the witness could not be made: {done.stderr.strip()}")
    stack.witness_url, stack.witness_vkey = f"http://127.0.0.1:{port}", done.stdout.strip()


def wait_until_cosigned(stack: Stack) -> None:
    """Wait for the first checkpoint that it has signed; raise DemoError where there is none in time."""
    _until((stack.second / COSIGNED).is_file, None, "had signed nothing", _folder(stack) / "witness.log")


def _until(true: Callable[[], bool], child: "subprocess.Popen[bytes] | None", otherwise: str, log: Path) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while not true():
        if child is not None and child.poll() is not None:
            raise DemoError(f"the witness ended; see {log}")
        if time.monotonic() > end:
            raise DemoError(f"the witness {otherwise} within {READY_WITHIN_S:.0f} s; see {log}")
        time.sleep(POLL_S)


def _folder(stack: Stack) -> Path:
    return stack.state / "witness"


def _witness() -> list[str]:
    return [sys.executable, "-m", "doorward_console", "witness"]
