"""Whether a log is whole and unaltered; and if not, from which entry on.

Implements docs/spec/event-log.md section 11.
It never imports the writer, and shares no code with it: see `strict`, `proof`, `audit` and `tree_files` beside it.
It reads a log that may be hostile or still growing, opens no seal, and changes nothing.
It will not prove anything against the log's owner without a key from outside, nor that a log was not cut back to an
older checkpoint without a checkpoint from outside; the report says what was used.

Invariant: `ok` is true only if every rule was checked for every entry below `checkpoint_size`; but for those that the
log itself says were freed (section 13), whose hashes alone were.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from doorward_core.record import proof, strict
from doorward_core.record.audit import FREED, BundleFindings, Events, Problem, check_entries
from doorward_core.record.bundles import check_all
from doorward_core.record.key_chain import Chain, key_chain
from doorward_core.record.proof import WIDTH
from doorward_core.record.quorum import Required
from doorward_core.record.sources import Source
from doorward_core.record.tile_audit import Beyond, TileAudit
from doorward_core.record.tree_files import TileName, TreeFiles

# Problems beyond this many say nothing new; the first is the one that counts.
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    `checkpoint_size` entries are proved; `size - checkpoint_size` more are not yet protected by a checkpoint.
    `freed` entries are not in this folder any more, and of them only the hashes were checked: the archive has the rest.
    `chain` are the keys that sign its checkpoints, for whoever has more of those.
    `pinned` says whether the key came from outside, `outside` whether a checkpoint did.
    `beyond` are files that reach beyond all entries that checkpoint and journal have: nothing vouches for them.
    `cosigned` are the trusted witnesses that stand behind the checkpoint, and when (POSIX seconds); `quorum` had to.
    `problems` are in order of index; the first names the first bad entry.
    """

    ok: bool
    origin: str
    size: int
    checkpoint_size: int
    pinned: bool
    outside: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)
    freed: int = 0
    chain: Chain | None = None
    cosigned: Mapping[str, int] = field(default_factory=dict)
    quorum: int = 0
    beyond: Beyond | None = None


def verify(
    source: Path | Source,
    *,
    public_key: str | None = None,
    outside_checkpoint: bytes | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    jobs: int = 1,
    required: Required | None = None,
) -> Report:
    """Verify the log in a folder, or in another source that holds one.

    `public_key` is the vkey that the reader got elsewhere; without it the log's own is used, which proves only that the
    log agrees with itself.
    `outside_checkpoint` is a checkpoint that was kept elsewhere (read it before calling, where the log still grows).
    `on_progress` is told (entries done, entries in all).
    `jobs` is the number of processes that check bundles side by side.
    `required` are witnesses that must have cosigned the checkpoint from outside, or else the log's own.
    """
    return _Verifier(source, on_progress, jobs, required or Required()).run(public_key, outside_checkpoint)


class _Verifier:
    """One run. The methods are the steps of section 11, in the order of `run`."""

    def __init__(
        self, source: Path | Source, on_progress: Callable[[int, int], None] | None, jobs: int, required: Required
    ) -> None:
        self._files = TreeFiles(source)
        self._required = required
        self._cosigned: Mapping[str, int] = {}
        self._jobs = jobs
        self._on_progress = on_progress
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._checks = dict.fromkeys(("entries", "tiles", "payloads", "sealed", "clock_back", "keys"), 0)
        self._events = Events()
        self._special: list[strict.Strict] = []
        # Roots of the full level 0 tiles; then the entries and hashes that no full tile below the checkpoint covers.
        self._roots: list[bytes] = []
        self._edge_entries: list[bytes] = []
        self._edge: list[bytes] = []
        self._stored_edge: list[bytes] = []
        self._outside_edge: list[bytes] = []
        self._complete = True
        self._freed = 0
        self._chain: Chain | None = None
        self._beyond: Beyond | None = None

    def run(self, public_key: str | None, outside_note: bytes | None) -> Report:
        note = self._files.checkpoint()
        head = self._parse(note, "the checkpoint") if note is not None else None
        if note is None:
            self._blame(None, "there is no checkpoint: nothing is protected")
        outside = self._parse(outside_note, "the outside checkpoint") if outside_note is not None else None
        pinned = proof.Key.parse(public_key) if public_key is not None else None
        origin = pinned.origin if pinned else head.origin if head else ""
        size = head.size if head else 0
        self._walk(size, origin, outside.size if outside else -1)
        tail = self._tail(size, origin)
        self._check_freed()
        chain = self._key_chain(pinned, origin)
        if head is not None and note is not None:
            self._check_root(head, self._checked_note(note, chain, size, "the checkpoint"))
        if outside is not None and outside_note is not None:
            self._check_outside(
                outside, self._checked_note(outside_note, chain, outside.size, "the outside checkpoint"), size
            )
        self._check_witnesses(outside_note if outside_note is not None else note)
        if self._complete:
            audit = TileAudit(
                self._files,
                size,
                roots=self._roots,
                edge=self._edge,
                edge_entries=self._edge_entries,
                tail=tail,
            )
            self._problems += audit.problems()
            self._checks["tiles"] = audit.checked
            self._beyond = audit.beyond()
        return self._report(origin, size, len(tail), pinned=pinned is not None, outside=outside is not None)

    def _report(self, origin: str, size: int, tail: int, *, pinned: bool, outside: bool) -> Report:
        if self._events.problem is not None:
            self._problems.append(self._events.problem)
        self._checks["payloads"] += self._events.payloads
        self._checks["sealed"] += self._events.sealed
        self._problems.sort(key=lambda problem: (problem.index is None, problem.index or 0))
        if not pinned:
            self._notes.append("the key came from the log itself: this shows only that the log agrees with itself")
        if not outside:
            self._notes.append("no checkpoint from outside: a log cut back to an older checkpoint would not be seen")
        if self._freed:
            self._notes.append(
                f"of the first {self._freed} entries only the hashes are here, and they were checked: "
                "the log says that it freed the entries, which its archive has"
            )
        if tail:
            self._notes.append(f"{tail} entries lie behind the last checkpoint and are not protected yet")
        if self._beyond is not None:
            self._notes.append(_words(self._beyond))
        return Report(
            ok=not self._problems,
            origin=origin,
            size=size + tail,
            checkpoint_size=size,
            pinned=pinned,
            outside=outside,
            problems=tuple(self._problems[:_MAX_PROBLEMS]),
            notes=tuple(self._notes),
            checks=self._checks,
            cosigned=self._cosigned,
            quorum=self._required.quorum,
            freed=self._freed,
            chain=self._chain,
            beyond=self._beyond,
        )

    def _blame(self, index: int | None, what: str) -> None:
        if len(self._problems) <= _MAX_PROBLEMS:
            self._problems.append(Problem(index, what))

    def _parse(self, note: bytes, which: str) -> proof.Head | None:
        try:
            return proof.read_note(note)[0]
        except proof.ProofError as error:
            self._blame(None, f"{which}: {error}")
            return None

    # --- entries ------------------------------------------------------------------------------------------------------

    def _walk(self, size: int, origin: str, outside_size: int) -> None:
        """Steps 2 and, for level 0, 3."""
        for bundle in check_all(self._files, size, origin, self._jobs):
            number, width = bundle.number, min(WIDTH, size - bundle.number * WIDTH)
            if bundle.found is None:
                # Nothing to go on with: a checkpoint that claims too much must not keep us here.
                self._blame(number * WIDTH, "it is missing, with its bundle and its tile")
                self._complete = False
                return
            self._take(bundle.found, bundle.tile, width, size)
            if number * WIDTH <= outside_size < number * WIDTH + width:
                self._outside_edge = bundle.found.hashes[: outside_size - number * WIDTH]
            if width < WIDTH:
                self._edge_entries = bundle.edge_entries
            if self._on_progress is not None:
                self._on_progress(number * WIDTH + width, size)
        self._events.finish()

    def _take(self, found: BundleFindings, tile: bytes, width: int, size: int) -> None:
        if found.problem is not None:
            self._blame(found.problem.index, found.problem.what)
        self._events.take(found)
        self._special += found.special
        for name in ("payloads", "sealed", "clock_back"):
            self._checks[name] += getattr(found, name)
        self._checks["entries"] += 0 if found.absent else len(found.hashes)
        if found.absent:
            self._freed = found.number * WIDTH + len(found.hashes)
        if found.root:
            self._roots.append(found.root)
            return
        stored = [tile[at : at + proof.HASH] for at in range(0, len(tile), proof.HASH)]
        if width < WIDTH:
            self._edge, self._stored_edge = found.hashes, stored
            return
        usable = found.hashes
        if found.problem is not None:
            usable = self._better(found, stored, size)
        if len(usable) != WIDTH:
            self._complete = False
            usable = [*usable, *[bytes(proof.HASH)] * WIDTH][:WIDTH]
        self._roots.append(proof.pair_up(usable))

    def _better(self, found: BundleFindings, stored: list[bytes], size: int) -> list[bytes]:
        """Where entries and their tile differ, choose those hashes that the tile above agrees with.

        So one bad entry, or one bad tile, does not hide that the rest is good.
        """
        if len(stored) != WIDTH:
            return found.hashes
        number = found.number // WIDTH
        above = self._files.read(TileName(1, number, min(WIDTH, size // WIDTH - number * WIDTH))) or b""
        at = found.number % WIDTH * proof.HASH
        if len(found.hashes) == WIDTH and proof.pair_up(found.hashes) == above[at : at + proof.HASH]:
            return found.hashes
        return stored

    # --- journal ------------------------------------------------------------------------------------------------------

    def _tail(self, size: int, origin: str) -> list[bytes]:
        """Step 6: give the entries at and after the checkpoint's size."""
        tail: list[bytes] = []
        segments = self._files.segments()
        for place, (first, data) in enumerate(segments):
            entries, end, lost = proof.frames(data, first)
            reached = first + len(entries)
            if lost or (place == len(segments) - 1 and reached < size):
                self._blame(reached, "the journal lost it after it was on stable storage")
            elif place == len(segments) - 1 and data[end:].strip(b"\x00"):
                self._notes.append(f"the journal ends in {len(data) - end} bytes that are no frame: a torn tail")
            below = max(0, min(len(entries), size - first))
            self._compare_journal(first, entries[:below])
            if first > size + len(tail):
                self._moved_on(size + len(tail), first)
                break
            # A later segment repeats the end of the one before it, and is the one that counts.
            tail[max(0, first - size) :] = entries[below:]
        found = check_entries(tail, size, origin)
        if found.problem is not None:
            self._blame(found.problem.index, f"(not covered by a checkpoint) {found.problem.what}")
        return tail

    def _check_freed(self) -> None:
        """What is not here must be what the log itself says it freed: a file that says so is anybody's to write."""
        said = [(item.head.get("below"), item.index) for item in self._special if item.kind == FREED]
        most = max((below for below, index in said if isinstance(below, int) and below <= index), default=0)
        claim = self._files.freed()
        if not 0 <= claim <= most:
            self._blame(None, f"the file `freed` is not what the log says, which freed {most} entries")
        if self._freed > most:
            self._blame(most, "it is missing, and the log does not say that it was freed")

    def _moved_on(self, missing: int, first: int) -> None:
        """A gap is a loss, unless the log was checkpointed and rotated while we read it."""
        note = self._files.checkpoint()
        head = self._parse(note, "the checkpoint") if note is not None else None
        if head is None or head.size < first:
            self._blame(missing, "it is missing: neither a bundle nor the journal has it")

    def _compare_journal(self, first: int, entries: list[bytes]) -> None:
        """Entries that a checkpoint covers are read from bundles; the journal must not tell another story."""
        bundled: list[bytes] = []
        number = -1
        for index, data in enumerate(entries, start=first):
            if index // WIDTH != number:
                number = index // WIDTH
                full = self._files.read(TileName(-1, number, WIDTH))
                bundled = proof.bundle(full) if full is not None else self._edge_entries
            if index % WIDTH >= len(bundled) or bundled[index % WIDTH] != data:
                self._blame(index, "journal and bundle differ")
                return

    # --- keys and roots -----------------------------------------------------------------------------------------------

    def _key_chain(self, pinned: proof.Key | None, origin: str) -> Chain:
        chain = key_chain(pinned, origin, self._special, self._freed // WIDTH * WIDTH)
        for problem in chain.problems:
            self._blame(problem.index, problem.what)
        self._checks["keys"] = len(chain.keys)
        self._chain = chain
        return chain

    def _checked_note(self, note: bytes, chain: Chain, size: int, which: str) -> bool:
        key = chain.at(size)
        if key is None:
            return False
        try:
            proof.checkpoint(note, key)
        except proof.ProofError as error:
            self._blame(None, f"{which}: {error}")
            return False
        return True

    def _check_witnesses(self, note: bytes | None) -> None:
        """Step 8."""
        if self._required.witnesses and note is not None:
            self._cosigned, problem = self._required.judge(note)
            if problem:
                self._blame(None, problem)

    def _check_root(self, head: proof.Head, signed: bool) -> None:
        """Step 4."""
        if not self._complete:
            return
        if proof.whole_root(self._roots, self._edge) == head.root:
            return
        if self._problems and proof.whole_root(self._roots, self._stored_edge) == head.root:
            self._notes.append("all other entries match the checkpoint")
            self._edge = self._stored_edge
            return
        whose = "signed" if signed else "unsigned"
        self._blame(None, f"the entries do not make the root of the {whose} checkpoint: the log was rewritten")

    def _check_outside(self, outside: proof.Head, signed: bool, size: int) -> None:
        """Step 5."""
        if not signed:
            return
        if outside.size > size:
            self._blame(
                size, f"it is missing: a checkpoint from outside covers {outside.size} entries, this log {size}"
            )
        elif self._complete:
            edge = self._edge if outside.size == size else self._outside_edge
            if proof.whole_root(self._roots[: outside.size // WIDTH], edge) != outside.root:
                self._blame(None, f"the first {outside.size} entries are not those of the checkpoint from outside")


def _words(beyond: Beyond) -> str:
    return (
        f"{beyond.bundles} bundles and {beyond.tiles} tiles reach beyond the log's last entry, up to {beyond.end}: "
        f"neither checkpoint nor journal has entries from {beyond.start} on, and nothing vouches for these files. "
        "A copy that was taken while the log grew has such files, and so has a log that was cut back: "
        "a checkpoint from outside tells which"
    )
