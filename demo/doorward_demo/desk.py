"""The desk before all gateways of the demonstration: its settings, its process, and who may log in.

What it is: what an operator would write for `doorward desk`, and started so.
What it will not do: give anybody a right that the gateways would not give.

Invariant: whatever was started here is stopped here.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from doorward_demo.postgres import DemoError
from doorward_demo.stack import POLL_S, READY_WITHIN_S, Stack, process

ORIGIN = "demo-desk.example"
READY_WORDS = "listening on"  # its own, because whoever has its port already would answer in its place

SETTINGS = """\
# Written by the demonstration; the words are those of docs/desk.md.
version: 1
url: {url}
listen: {{address: 127.0.0.1, port: {port}}}
login: {{issuer: {issuer}, client_id: desk}}
roles:
  approver: [dba, api-owners]
  auditor: [privacy-office]
  operator: [ops]
gateways:
{gateways}record: {{folder: log, keys: keys, origin: {origin}}}
index: index.sqlite
"""
GATEWAY = (
    "  {name}: {{control: '{control}', log: {state}/log, vkey: {state}/keys/log.vkey, "
    "keys: {state}/keys/payload, config: {state}/gateway.yaml{more}}}\n"
)
WITNESSED = ", checkpoints: {second}/checkpoint, witnesses: {{quorum: 1, vkeys: ['{vkey}']}}"


@contextlib.contextmanager
def running(stack: Stack, gateways: Mapping[str, tuple[str, Path]]) -> Iterator[str]:
    """The desk, until the end of the block: its address. `gateways` are control ports and state folders by name."""
    folder = stack.state / "desk"
    folder.mkdir(mode=0o700)
    listed = "".join(
        GATEWAY.format(name=name, control=control, state=state, more=_witnessed(stack, state))
        for name, (control, state) in gateways.items()
    )
    settings = folder / "desk.yaml"
    text = SETTINGS.format(
        url=stack.desk_url, port=stack.desk_port, issuer=stack.issuer_url, gateways=listed, origin=ORIGIN
    )
    settings.write_text(text, encoding="utf-8")
    log = folder / "desk.log"
    with process([sys.executable, "-m", "doorward_console", "desk", "--config", str(settings)], log) as child:
        end = time.monotonic() + READY_WITHIN_S
        while READY_WORDS not in (said := log.read_text(encoding="utf-8", errors="replace")):
            if child.poll() is not None:
                raise DemoError(f"the desk ended:\n{said.strip()}")
            if time.monotonic() > end:
                raise DemoError(f"the desk was not ready within {READY_WITHIN_S:.0f} s; see {log}")
            time.sleep(POLL_S)
        yield stack.desk_url


def _witnessed(stack: Stack, state: Path) -> str:
    """Whom the desk believes about this log: the shop's has a witness."""
    if state != stack.state or not stack.witness_vkey:
        return ""
    return WITNESSED.format(second=stack.second, vkey=stack.witness_vkey)
