"""Changing a stopped log's signing key, step by step, so that a crash at any of them is gone on from.

Implements docs/spec/event-log.md section 7.1 with `record.engine`; used by `doorward log rotate-key`.
A shell over files. It will not touch a log that a gateway has open: the lock says so.
"""

from dataclasses import dataclass

from doorward_core.errors import RecordError
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.keys import next_key


@dataclass(frozen=True, slots=True)
class Rotated:
    """The keys before and after; `finished` is false while the old one is kept, because the second place needs it."""

    old: str
    new: str
    finished: bool


def prepare(settings: Settings) -> str:
    """Make the next key, if there is none yet, and give its vkey: for witnesses and verifiers to know beforehand."""
    if not settings.signer.exists():
        raise RecordError(f"there is no signing key at {settings.signer}")
    made = next_key(settings.signer, settings.origin, make=True)
    assert made is not None
    return made[1]


def rotate(settings: Settings, now_unix_ns: int) -> Rotated:
    """Open the log, hand over to the next key, and close it; raises RecordError or OSError.

    Where an earlier attempt was cut off after the old key had handed over, opening finishes that, and no more is done.
    """
    if not (settings.folder / "checkpoint").exists() or not settings.signer.exists():
        raise RecordError(f"there is no log at {settings.folder}, or no key at {settings.signer}")
    engine = Engine(settings)
    old = engine.vkey
    try:
        engine.open(now_unix_ns)
        finished = engine.promote() if engine.vkey != old else engine.rotate(now_unix_ns)
        engine.close(now_unix_ns)
    except BaseException:
        engine.release()
        raise
    return Rotated(old, engine.vkey, finished)
