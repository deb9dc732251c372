"""Who of a log's witnesses stands behind it, as far as a desk can tell: one answer for its page, API and commands.

What it is: the checkpoint that witnesses have cosigned, found where the desk's settings lead; each signature on it held
against the witnesses' keys that stand in those settings; and that checkpoint held against the log's own tree.
What it will not do: believe a name, or read the entries: that they make the tree's tiles is what `verify` shows.

Implements docs/spec/event-log.md section 7.2, the reading side, by the verifier's own code (`record.quorum`).
Invariants: VERIFIED is said of a signature that was checked with a key of the settings alone; a line under such a
key's id that does not verify is WRONG, whatever stands beside it; where fewer than the quorum are verified, or what
they signed is not this log, `problem` says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from doorward_console.settings import Settings, is_vkey
from doorward_console.sources import OWN
from doorward_core.errors import RecordError
from doorward_core.record.proof import Head, Key, ProofError, read_note
from doorward_core.record.prove import tree_root
from doorward_core.record.quorum import cosigned, witness_key
from doorward_core.record.tile_hashes import TileHashes
from doorward_core.record.tree_files import TreeFiles

COSIGNED: Final = "checkpoint.cosigned"
MAX_NOTE: Final = 128 * 1024  # as the verifier's own reading of a checkpoint
_NS: Final = 1_000_000_000
_KEY_ID_BYTES: Final = 4


class Standing(StrEnum):
    """What became of one witness's signature."""

    VERIFIED = "verified"
    NO_KEY = "not verified: no key here"
    WRONG = "wrong signature"
    MISSING = "has not signed"


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness. `at_unix_ns` is when it says that it signed, for a signature that was verified; else 0."""

    name: str
    key_id: str
    standing: Standing
    at_unix_ns: int = 0


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What stands behind a log. `size` is how many entries the cosigned checkpoint covers, 0 where there is none.

    `quorum` is how many must have signed, by the settings; 0 where they name no witness, and then nothing is a problem.
    """

    witnesses: tuple[Witness, ...] = ()
    size: int = 0
    quorum: int = 0
    problem: str = ""

    @property
    def verified(self) -> tuple[Witness, ...]:
        """Those whose signatures were verified."""
        return tuple(one for one in self.witnesses if one.standing == Standing.VERIFIED)


def witnessed(name: str, folder: Path, settings: Settings) -> Witnessed:
    """Who stands behind the log of this name in the settings. Raises OSError where its files cannot be read."""
    trusted = settings.gateways[name].witnesses if name != OWN else None
    note = _read(_cosigned_file(name, folder, settings))  # before the log's own checkpoint, which is never behind it
    if trusted is None:
        return judged(note, (), 0, folder)
    try:
        own = log_vkey(name, settings)
    except (OSError, UnicodeError, ProofError) as error:
        found = judged(note, trusted.vkeys, trusted.quorum, folder)
        return replace(found, problem=found.problem or f"the log's own key cannot be read: {error}")
    return judged(note, trusted.vkeys, trusted.quorum, folder, own)


def judged(note: bytes | None, vkeys: Sequence[str], quorum: int, folder: Path, own: str = "") -> Witnessed:
    """Judge a cosigned checkpoint by the witnesses' keys, and by the log in `folder`; `own` is that log's vkey."""
    keys = tuple(witness_key(vkey) for vkey in vkeys)
    if note is None:
        absent = tuple(_row(key, Standing.MISSING) for key in keys)
        return Witnessed(absent, 0, quorum, "nothing that they have cosigned is seen from here" if keys else "")
    try:
        head, _, lines = read_note(note)
    except ProofError as error:
        absent = tuple(_row(key, Standing.MISSING) for key in keys)
        return Witnessed(absent, 0, quorum, f"what they have cosigned cannot be read: {error}" if keys else "")
    rows = (*(_judge(note, key) for key in keys), *_others(head, lines, keys))
    if not keys:
        return Witnessed(rows, head.size)
    problem = _lacking(rows, quorum) or _same_key(keys, own) or _another_tree(head, folder)
    return Witnessed(rows, head.size, quorum, problem)


def _row(key: Key, standing: Standing, at_unix_ns: int = 0) -> Witness:
    return Witness(key.origin, key.identifier.hex(), standing, at_unix_ns)


def _judge(note: bytes, key: Key) -> Witness:
    try:
        found = cosigned(note, (key,))
    except ProofError:
        return _row(key, Standing.WRONG)
    if found.missing:
        return _row(key, Standing.MISSING)
    return _row(key, Standing.VERIFIED, found.times[key.origin] * _NS)


def _others(head: Head, lines: Iterable[tuple[str, bytes]], keys: Sequence[Key]) -> Iterable[Witness]:
    """Names for which there is no key here; the log's own lines are none of a witness."""
    known = {(key.origin, key.identifier) for key in keys}
    found = dict.fromkeys((name, blob[:_KEY_ID_BYTES]) for name, blob in lines if name != head.origin)
    return [Witness(name, key_id.hex(), Standing.NO_KEY) for name, key_id in found if (name, key_id) not in known]


def _lacking(rows: Iterable[Witness], quorum: int) -> str:
    rows = tuple(rows)
    wrong = [one.name for one in rows if one.standing == Standing.WRONG]
    if wrong:
        return f"the cosignature by {', '.join(wrong)} is wrong"
    count = sum(one.standing == Standing.VERIFIED for one in rows)
    return f"cosigned by {count} of the {quorum} witnesses that are required" if count < quorum else ""


def _same_key(keys: Iterable[Key], own: str) -> str:
    """Whoever has the log's key must not stand behind it as somebody else."""
    public = Key.parse(own).public if own else b""
    same = [key.origin for key in keys if key.public == public]
    return f"the key of {', '.join(same)} is the log's own, and no witness's" if same else ""


def _another_tree(head: Head, folder: Path) -> str:
    """What they signed must be this log, which may have grown since; "" where it is."""
    files = TreeFiles(folder)
    note = files.checkpoint()
    if note is None:
        return "this log has no checkpoint"
    try:
        here = read_note(note)[0]
        if here.origin != head.origin:
            return f"what they have cosigned is a log called {head.origin}, and this one is {here.origin}"
        if here.size < head.size:
            return f"they have cosigned {head.size} entries, and of this log {here.size} are covered here"
        root = tree_root(TileHashes(files, here.size).hash_at, head.size)
    except (ProofError, RecordError) as error:
        return f"this log's tree cannot be read: {error}"
    return "" if root == head.root else f"the first {head.size} entries of this log are not those that they cosigned"


# --- where the settings lead ------------------------------------------------------------------------------------------


def log_vkey(name: str, settings: Settings) -> str:
    """The public key of a log, as the settings have it or the file that they name; "" where they name none.

    Raises OSError and UnicodeError where that file cannot be read, and ProofError where it holds no key.
    """
    if name == OWN:
        file = settings.record.keys / "log.vkey"
        vkey = file.read_text(encoding="ascii") if file.is_file() else ""
    else:
        vkey = settings.gateways[name].vkey or ""
        if vkey and not is_vkey(vkey):
            vkey = Path(vkey).read_text(encoding="ascii")
    if vkey:
        Key.parse(vkey)
    return vkey.strip()


def kept_checkpoint(name: str, settings: Settings) -> Path | None:
    """The checkpoint of a log that is kept elsewhere, where there is one."""
    file = settings.gateways[name].checkpoints if name != OWN else None
    return file if file is not None and file.is_file() else None


def _cosigned_file(name: str, folder: Path, settings: Settings) -> Path:
    """It lies in the log's second place, beside the checkpoint there, which may be the one that is read here."""
    if name == OWN:
        beside = (settings.record.mirror or folder) / COSIGNED
    else:
        kept = settings.gateways[name].checkpoints
        beside = kept.with_name(COSIGNED) if kept is not None else folder / COSIGNED
    return beside if beside.is_file() else folder / COSIGNED


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_NOTE + 1)
    except FileNotFoundError:
        return None
