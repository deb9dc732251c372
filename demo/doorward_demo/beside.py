"""A gateway beside the shop's: its files, its process, and how to reach it.

What it is: what the CRM's gateway, the host's and the cluster's have in common; `stack` has the shop's own.
What it will not do: know a protocol, or start a target.

Invariant: what was started here is stopped here.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from doorward_demo.postgres import free_port
from doorward_demo.stack import AUDIENCE, Stack, process, wait_until_ready


@dataclass
class Place:
    """Where such a gateway is. `kind` names its program, its folder and its sockets."""

    kind: ClassVar[str]

    state: Path
    sockets: Path
    port: int

    @property
    def log(self) -> Path:
        """The folder of the event log."""
        return self.state / "log"

    @property
    def control(self) -> str:
        """Where approvers reach this gateway."""
        return f"unix:{self.sockets / f'{self.kind}-approvals.sock'}"


def folder_of(kind: str, stack: Stack) -> Path:
    """Make the folder of one."""
    folder = stack.state / kind
    folder.mkdir(mode=0o700)
    return folder


@contextlib.contextmanager
def guarding(
    place: Place,
    stack: Stack,
    config: str,
    values: Mapping[str, object],
    policy: str,
    *,
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """Run one until the end of the block; it is ready when the block begins. `values` are its own, for `config`."""
    admin_port = free_port()
    (place.state / "policy.yaml").write_text(policy, encoding="utf-8")
    file = place.state / "gateway.yaml"
    written = config.format(
        port=place.port,
        admin_port=admin_port,
        sockets=stack.sockets,
        issuer=stack.issuer_url,
        audience=AUDIENCE,
        **values,
    )
    file.write_text(written, encoding="utf-8")
    command = [sys.executable, "-m", f"doorward_{place.kind}", "--config", str(file)]
    log = place.state / "gateway.log"
    with process(command, log, environment) as child:
        wait_until_ready(child, admin_port, log)
        yield
