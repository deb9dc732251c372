"""Which ports a new gateway proposes: none that a gateway beside it has.

What it is: the ports in the configurations that lie near to the folder that is written, and the next ones that are not
among them.
What it will not do: look at what listens on this machine: that changes from one moment to the next, and what was
written once is to be written again. A port that is taken when a gateway starts, the gateway names.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from doorward_console import output
from doorward_console.init_doors import MAX_PORT, endpoint
from doorward_console.init_folder import CONFIG
from doorward_core.config import Config
from doorward_core.config_yaml import read_document

STEP: Final = 10
"""Three doors of one gateway move alike, and stay apart from the desk's port."""
MOST: Final = 100
"""Configurations that are looked at: a tree of backups ends somewhere."""


def taken(folder: Path) -> dict[int, Path]:
    """The ports of gateways whose configurations lie in this folder, beside it, or one folder further down."""
    here = folder.resolve()
    found: dict[int, Path] = {}
    for path in islice(_configurations(here), MOST):
        if path.parent != here:
            for port in _ports(path):
                found.setdefault(port, path)
    return found


def proposed(option: str, wanted: str, others: Mapping[int, Path]) -> str:
    """Where to listen: as wanted, or the next port that is nobody's there; what was changed is said."""
    port = endpoint(wanted)[1]
    chosen = port
    while chosen in others and chosen + STEP <= MAX_PORT:
        chosen += STEP
    if chosen == port:
        return wanted
    place = f"{wanted.rpartition(':')[0]}:{chosen}"
    output.say(f"! port {port} is that of {output.line(str(others[port]))}: {option} is {place} here")
    return place


def _configurations(here: Path) -> Iterator[Path]:
    for root in dict.fromkeys((here.parent, here)):
        for pattern in (CONFIG, f"*/{CONFIG}", f"*/*/{CONFIG}"):
            yield from sorted(root.glob(pattern))


def _ports(path: Path) -> Iterator[int]:
    """The ports that a configuration names, as far as it can be read; that of `admin` is there if it is left out."""
    try:
        data = read_document(path.read_text(encoding="utf-8"), str(path)).data
    except (OSError, UnicodeError):
        return
    if not isinstance(data, dict):
        return
    approvals, doors = data.get("approvals"), data.get("listen")
    admin = data.get("admin", {"port": Config.model_fields["admin"].default.port})
    places = [admin, approvals.get("listen") if isinstance(approvals, dict) else None]
    for place in (*places, *(doors if isinstance(doors, list) else ())):
        port = place.get("port") if isinstance(place, dict) else None
        if isinstance(port, int):
            yield port
