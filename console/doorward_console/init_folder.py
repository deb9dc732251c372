"""Puts what `doorward init` made into its folder: checked first, nothing overwritten unasked, nothing half-written.

What it is: `in_the_way`, and `put`, which writes drafts beside the final place, loads them as a gateway would, and
only then moves them.
What it will not do: touch the log, the keys or the approvals of a gateway that has run here (`state`), or replace a
certificate and key that are there: clients trust that one.

A crash leaves a folder `.doorward-init-*` that can be removed, or some of the files in place: run it again (--force).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from doorward_console.checks import check_config, check_policy

CONFIG = "doorward.yaml"
POLICY = "policy.yaml"
CERTIFICATE = "tls/gateway.crt"
KEY = "tls/gateway.key"
STATE = "state"
_PRIVATE = 0o600
_OPEN = 0o644


class WouldNotLoad(Exception):
    """What was made is not a configuration and policy that load; the message says why."""


def in_the_way(folder: Path, names: Iterable[str]) -> list[str]:
    """Which of these files are there already."""
    return [name for name in names if os.path.lexists(folder / name)]


def kept_certificate(folder: Path) -> bool:
    """Whether an earlier run's certificate and key are there, to be used again."""
    return all((folder / name).is_file() for name in (CERTIFICATE, KEY))


def put(
    folder: Path, files: Mapping[str, bytes], now_unix_ns: int, needed: Iterable[str] = (CERTIFICATE, KEY)
) -> tuple[str, ...]:
    """Write a gateway's files, and make `state`. Gives remarks on the policy. Raises WouldNotLoad, OSError.

    `needed` are the other files that the configuration names: those that lie in `folder` are linked into the draft.
    """
    return put_checked(folder, files, needed, lambda draft: _checked(draft, now_unix_ns))


def put_checked(
    folder: Path, files: Mapping[str, bytes], needed: Iterable[str], check: Callable[[Path], tuple[str, ...]]
) -> tuple[str, ...]:
    """The same for files of any kind; `check` loads the draft, gives remarks, or raises WouldNotLoad."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".doorward-init-", dir=folder))
    try:
        for name, content in files.items():
            _write(draft / name, content)
        for name in needed:
            if name not in files and not Path(name).is_absolute():
                (draft / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                (draft / name).symlink_to((folder / name).resolve())
        remarks = check(draft)
        for name in files:
            (folder / name).parent.mkdir(exist_ok=True)
            (draft / name).replace(folder / name)
        (folder / STATE).mkdir(mode=0o700, exist_ok=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return remarks


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE if path.name.endswith(".key") else _OPEN)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _checked(draft: Path, now_unix_ns: int) -> tuple[str, ...]:
    """Load the drafts as a gateway would."""
    config, policy = check_config(draft / CONFIG, now_unix_ns), check_policy(None, draft / CONFIG, now_unix_ns)
    faults = (*config.faults, *(fault for fault in policy.faults if fault not in config.faults))
    if faults:
        raise would_not_load(draft, faults)
    return tuple(remark.replace(f"{draft}/", "") for remark in policy.remarks)


def would_not_load(draft: Path, faults: Iterable[str]) -> WouldNotLoad:
    """What is wrong with a draft, in words that do not name its folder."""
    said = [fault.replace(f"{draft}/", "") for fault in faults]
    return WouldNotLoad("what was made would not load, and was not put in place:\n" + "\n".join(said))


NAMES = (CONFIG, POLICY)
"""What is never overwritten without being asked to."""
