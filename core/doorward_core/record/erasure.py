"""Erasing content: the files of payload keys, what is owed when a crash comes between, and whose sessions there are.

Implements docs/spec/event-log.md section 5 (erasure).
A shell over files; synchronous, for worker threads, and a process that looks through a log beside the gateway
(`python -m doorward_core.record.erasure FOLDER`).
It will not record anything: whoever calls does, before `delete_keys`.

Invariant: what is to be erased is written down durably (`owe`) before it is recorded, and that is removed only once the
keys are gone, so that a crash anywhere is finished by the next start.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.record.journal import replace_file, sync_folder
from doorward_core.record.keys import GATEWAY, SUFFIX
from doorward_core.record.reader import LogReader

OWED: Final = "erasures"
"""The folder of what is owed, beside that of the keys."""
_ID_DIGITS: Final = 32
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is to be erased, why, and by whom; `keys` are ids of keys outside of sessions.

    `selector` is what was asked for: `session`, `subject` or `retention`.
    """

    id: str
    selector: str
    sessions: tuple[str, ...]
    keys: tuple[str, ...]
    reason: str
    subject: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as its opening tells of it."""

    session: str
    at_unix_ns: int
    subject: str
    issuer: str
    sponsor: str
    resource: str


# --- key files --------------------------------------------------------------------------------------------------------


def owners(folder: Path) -> dict[str, list[Path]]:
    """The key files, by the session that they belong to (hex); those outside of sessions under `gateway`."""
    found: dict[str, list[Path]] = {}
    try:
        names = sorted(folder.iterdir())
    except FileNotFoundError:
        return {}
    for path in names:
        owner, _, rest = path.name.partition(".")
        if rest.endswith(SUFFIX) and (owner == GATEWAY or _is_id(owner)):
            found.setdefault(owner, []).append(path)
    return found


def _is_id(text: str) -> bool:
    return len(text) == _ID_DIGITS and not set(text) - set("0123456789abcdef")


def delete_keys(folder: Path, sessions: Iterable[str], keys: Iterable[str]) -> int:
    """Delete the key files of sessions, and those outside of sessions by their ids; give how many. Durable.

    Crash in between: some are gone; what is owed says which are left.
    """
    wanted, loose = frozenset(sessions), {f"{GATEWAY}.{key}{SUFFIX}" for key in keys}
    gone = 0
    for owner, paths in owners(folder).items():
        for path in paths:
            if owner in wanted or path.name in loose:
                path.unlink(missing_ok=True)
                gone += 1
            # A draft that a crash left holds a wrapped key as well.
    for draft in folder.glob(f"*{SUFFIX}.tmp"):
        if draft.name.partition(".")[0] in wanted:
            draft.unlink(missing_ok=True)
    if gone:
        sync_folder(folder)
    return gone


def aged(paths: Sequence[Path]) -> int:
    """When the oldest of these files was written; the fallback where the log cannot say when a session began."""
    return min(path.stat().st_mtime_ns for path in paths)


# --- what is owed -----------------------------------------------------------------------------------------------------


def owe(folder: Path, erasure: Erasure) -> None:
    """Write down durably what is about to be erased; `folder` is that of the keys."""
    owed = folder.parent / OWED
    owed.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(owed.parent)
    replace_file(owed / f"{erasure.id}.json", json.dumps(asdict(erasure)).encode(), mode=0o600)


def settle(folder: Path, erasure: Erasure) -> None:
    """It is done."""
    owed = folder.parent / OWED
    (owed / f"{erasure.id}.json").unlink(missing_ok=True)
    sync_folder(owed)


def owed(folder: Path) -> tuple[Erasure, ...]:
    """What a crash left undone; raises RecordError for a file that does not say what."""
    found: list[Erasure] = []
    for path in sorted((folder.parent / OWED).glob("*.json")):
        try:
            given = json.loads(path.read_bytes())
            found.append(Erasure(**{**given, "sessions": tuple(given["sessions"]), "keys": tuple(given["keys"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise RecordError(f"an erasure is owed, and {path} does not say of what") from error
    return tuple(found)


# --- whose sessions ---------------------------------------------------------------------------------------------------


def opened(reader: LogReader) -> Iterator[Opened]:
    """Every session that a log tells of, from the first entry that is here on."""
    for entry in reader.of_kind(EventKind.SESSION_OPENED, reader.freed):
        head: Mapping[str, object] = entry.header
        words = [str(head.get(name) or "") for name in ("subject", "issuer", "sponsor", "resource")]
        yield Opened(entry.session_id.hex(), entry.time_unix_ns, *words)


def main(arguments: list[str]) -> int:
    """Write what `opened` gives as JSON lines, and behind it from which entry on was looked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    with contextlib.suppress(OSError):
        os.nice(10)
    try:
        reader = LogReader(Path(arguments[0]))
        first = reader.freed
        for one in opened(reader):
            sys.stdout.write(json.dumps(asdict(one)) + "\n")
        sys.stdout.write(json.dumps({"first": first}) + "\n")
    except RecordError as error:
        sys.stdout.write(json.dumps({"problem": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
