"""A command as a person writes it down, as an operation: for explaining and testing policies.

What it is: what `doorward policy` asks this protocol by its entry point (`doorward.readers`): the same reading that a
gateway does of `ssh deploy@web1 COMMAND`.
What it will not do: send anything, or read what is no command: a shell, a subsystem and a forward are one target each,
which `--do` and `atoms` name. What it gives has no digest that anything is bound to.
"""

from collections.abc import Iterable
from pathlib import Path

from doorward_core.model import Operation, Resource
from doorward_core.policy.test_cases import Asked
from doorward_ssh.operations import ChannelRequest, Kind, read


def read_request(
    asked: Asked, resource: Resource, *, wanted: Iterable[str], target: object = None, folder: Path | None = None
) -> Operation:
    """The operation that a command line is; one that cannot be read whole is not complete, and says why."""
    del resource, wanted, target, folder  # a command means the same on every host, and has no facts
    return read(ChannelRequest(Kind.EXEC, asked.line), account="", seq=0, operation_id=b"").operation
