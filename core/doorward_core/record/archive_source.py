"""An archive as a verifier reads it: a log by itself, and every checkpoint that it holds.

Implements docs/spec/event-log.md section 13, the reading side, for `record.verify`.
It only reads, through a `Place`; it shares nothing with the writer, nor with what fills archives.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from doorward_core.record import proof
from doorward_core.record.archive_places import Place
from doorward_core.record.audit import Problem
from doorward_core.record.prove import tree_root
from doorward_core.record.quorum import Required
from doorward_core.record.tile_hashes import TileHashes
from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.verify import Report, verify

_CHECKPOINT = re.compile(r"checkpoint/([0-9]{20})")
_COSIGNED = re.compile(r"cosigned/([0-9]{20})")
_MAX_NOTE = 128 * 1024
_MAX_NAMED = 100  # further checkpoints that are wrong say nothing new


class ArchiveSource:
    """The objects of an archive under the names that a tree has."""

    folder: Path | None = None

    def __init__(self, place: Place) -> None:
        self._place = place
        self._newest: str | None = None

    @property
    def newest(self) -> str:
        """Path of the checkpoint of the greatest size; "" where there is none. It is looked for once."""
        if self._newest is None:
            self._newest = max(self.checkpoints(), default="")
        return self._newest

    def checkpoints(self) -> Iterator[str]:
        """Paths of all checkpoints."""
        return (path for path in self._place.names("checkpoint") if _CHECKPOINT.fullmatch(path))

    def cosigned(self) -> Iterator[str]:
        """Paths of all checkpoints that witnesses cosigned."""
        return (path for path in self._place.names("cosigned") if _COSIGNED.fullmatch(path))

    def note(self, path: str) -> bytes | None:
        """A checkpoint."""
        kept = self._place.get(path, _MAX_NOTE + 1)
        return kept.data if kept is not None else None

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """An object; `checkpoint` is the newest of them, and there is no journal, nor is anything freed."""
        if path == "checkpoint":
            return self.note(self.newest) if self.newest else None
        if not path.startswith("tile/"):
            return None
        kept = self._place.get(path, most_bytes)
        return kept.data if kept is not None else None

    def names(self, below: str = "") -> Iterator[tuple[str, bool]]:
        """All objects but checkpoints; what belongs in no archive has no name of a tree either."""
        if below:
            return
        for path in self._place.names(""):
            if not (_CHECKPOINT.fullmatch(path) or _COSIGNED.fullmatch(path)):
                # What a tree has besides tiles, an archive must not: a name with something before it is none.
                yield path if path.startswith("tile/") else f"archive:{path}", True


def verify_archive(
    place: Place,
    *,
    public_key: str | None = None,
    outside_checkpoint: bytes | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    required: Required | None = None,
) -> Report:
    """Verify an archive by itself, by the rules of a log, and each of its checkpoints against its tree.

    `required` witnesses must have cosigned the checkpoint from outside, or else the newest that is archived.
    """
    source = ArchiveSource(place)
    report = verify(
        source,
        public_key=public_key,
        outside_checkpoint=outside_checkpoint,
        on_progress=on_progress,
        required=required,
    )
    if not report.ok:
        return report
    hashes = TileHashes(TreeFiles(source), report.checkpoint_size)
    count, problems = 0, list[Problem]()
    for path in (*source.checkpoints(), *source.cosigned()):
        count += 1
        problem = _differs(source, path, report, hashes)
        if problem and len(problems) < _MAX_NAMED:
            problems.append(Problem(None, f"{path}: {problem}"))
    checks = {**report.checks, "checkpoints": count}
    return replace(report, ok=not problems, problems=tuple(problems), checks=checks)


def _differs(source: ArchiveSource, path: str, report: Report, hashes: TileHashes) -> str:
    note = source.note(path)
    if note is None:
        return "it is missing, though it is listed"
    try:
        head = proof.read_note(note)[0]
        key = report.chain.at(head.size) if report.chain is not None else None
        if key is None:
            return "no key is known that signs checkpoints of its size"
        proof.checkpoint(note, key)
    except proof.ProofError as error:
        return str(error)
    if path.partition("/")[2] != f"{head.size:020d}":
        return f"it covers {head.size} entries"
    if head.size > report.checkpoint_size or tree_root(hashes.hash_at, head.size) != head.root:
        return "it is not one of this tree: the log was rewritten, or forked, below it"
    return ""
