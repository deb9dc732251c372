"""What exec, attach and portforward are asked for in their query (PodExecOptions and its kin).

What it will not do: decide, or read a command (`doorward_core.shell` does).
Implements: the query parameters of `pods/exec`, `pods/attach` and `pods/portforward` in the Kubernetes API.
Invariant: pure; booleans are read as the API server converts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_WORDS = 4096  # what a command line has at most; the shell room bounds its bytes


@dataclass(frozen=True, slots=True)
class ExecQuery:
    """What a stream is asked for."""

    command: tuple[str, ...] = ()
    container: str = ""
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    ports: tuple[str, ...] = ()


def read_exec(query: Sequence[tuple[str, str]]) -> ExecQuery:
    """Read a query."""
    return ExecQuery(
        tuple(value for name, value in query if name == "command")[:MAX_WORDS],
        next((value for name, value in query if name == "container"), ""),
        _is(query, "stdin"),
        _is(query, "stdout"),
        _is(query, "stderr"),
        _is(query, "tty"),
        tuple(value for name, value in query if name == "ports"),
    )


def _is(query: Sequence[tuple[str, str]], key: str) -> bool:
    values = [value for name, value in query if name == key]
    return bool(values) and values[0].lower() not in {"false", "0"}
