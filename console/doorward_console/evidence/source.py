"""Where a bundle's entries come from: one log, read by index, and the places in it that a period needs.

What it is: `Source`, over the files of a log's tree or of an archive; entries by index, the period's bounds, and the
context before it (docs/spec/evidence.md section 5).
What it will not do: prove anything: what it reads is hashed against the checkpoint by whoever makes the bundle.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from doorward_console.evidence.proofs import Files, Run
from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.record import proof, quick
from doorward_core.record.proof import WIDTH
from doorward_core.record.sources import FolderSource
from doorward_core.record.strict import Strict, StrictError
from doorward_core.record.tree_files import TileName, TreeFiles

_BUNDLES: Final = 16  # kept: entries that a report cites often lie side by side
_CONTEXT: Final = re.compile(rb"log\.opened|policy\.loaded|session\.(?:opened|closed)")
_GRANTED: Final = re.compile(rb"approval\.(?:granted|voted)|break-glass\.opened")
_GRANTS: Final = frozenset({EventKind.APPROVAL_GRANTED, EventKind.APPROVAL_VOTED, EventKind.BREAK_GLASS_OPENED})
_REQUEST: Final = re.compile(rb"\xa7request(?:([\xa1-\xbf])|\xd9(.))", re.DOTALL)  # in canonical msgpack
MAX_REQUEST: Final = 64  # bytes of an id: what is longer is none
_ROTATED: Final = EventKind.KEY_ROTATED.encode()


@dataclass(slots=True)
class Context:
    """What stands outside the period and is needed to read it.

    `sessions` were open when it began: place by id; `grants`, with the votes for them, are of requests that the period
    names.
    """

    runs: list[Run] = field(default_factory=list)
    sessions: dict[bytes, Run] = field(default_factory=dict)
    heads: dict[bytes, dict[str, object]] = field(default_factory=dict)
    grants: list[Strict] = field(default_factory=list)
    rotations: list[Strict] = field(default_factory=list)


class _Both(FolderSource):
    """A folder, and behind it an archive that has what was freed."""

    def __init__(self, folder: Path, fetch: Callable[[str], bytes | None]) -> None:
        super().__init__(folder)
        self._fetch = fetch

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """From the folder, or else from the archive."""
        data = super().read(path, most_bytes)
        if data is None and path.startswith("tile/"):
            data = self._fetch(path)
        return data[:most_bytes] if data is not None else None


class Source:
    """One log. `keys_folder` is where its wrapped payload keys lie.

    `cosigned` are checkpoints with cosignatures; the largest one of this log counts in place of its own.
    """

    def __init__(self, files: Files, keys_folder: Path | None = None, cosigned: Sequence[bytes] = ()) -> None:
        self.files, self.keys_folder = files, keys_folder
        own = files.checkpoint()
        if own is None:
            raise RecordError("the log has no checkpoint yet: nothing in it can be proved")
        try:
            newest = proof.read_note(own)[0]
            others = [(proof.read_note(note)[0], note) for note in cosigned]
        except proof.ProofError as error:
            raise RecordError(f"the checkpoint cannot be read: {error}") from error
        found = [(head.size, note, head) for head, note in others if head.origin == newest.origin]
        size, note, head = max(found, default=(newest.size, own, newest), key=lambda one: one[0])
        if size > newest.size:
            raise RecordError(f"{head.origin}: a cosigned checkpoint covers {size} entries, the log {newest.size}")
        self.newest, self.note, self.origin, self.size, self.root = newest.size, note, head.origin, size, head.root
        self.bundle = lru_cache(_BUNDLES)(self._bundle)

    @classmethod
    def of(
        cls,
        folder: Path,
        keys_folder: Path | None = None,
        *,
        cosigned: Sequence[bytes] = (),
        fetch: Callable[[str], bytes | None] | None = None,
    ) -> "Source":
        """The log in a folder; its keys lie beside it unless said otherwise; `fetch` reads what was freed."""
        if not folder.is_dir():
            raise RecordError(f"there is no log at {folder}")
        files = TreeFiles(folder if fetch is None else _Both(folder, fetch))
        return cls(files, keys_folder or folder.absolute().parent / "keys" / "payload", cosigned)

    def raw(self, number: int) -> bytes:
        """One bundle of entries, as it lies there."""
        width = min(WIDTH, self.newest - number * WIDTH)
        data = self.files.read(TileName(-1, number, width))
        if data is None:
            missing = f"{self.origin}: entries {number * WIDTH} to {number * WIDTH + width - 1}"
            if number * WIDTH < self.files.freed():
                raise RecordError(f"{missing} were freed here and are in the archive: say where it is, with --archive")
            raise RecordError(f"{missing} are missing")
        return data

    def _bundle(self, number: int) -> list[bytes]:
        return self.split(number, self.raw(number))

    def split(self, number: int, data: bytes) -> list[bytes]:
        """The entries of a bundle, all of those that should be there."""
        entries = proof.bundle(data)
        width = min(WIDTH, self.size - number * WIDTH)
        if len(entries) < width:
            raise RecordError(f"{self.origin}: entry {number * WIDTH + len(entries)} is missing")
        return entries[:width]

    def entry(self, index: int) -> bytes:
        """One entry."""
        return self.bundle(index // WIDTH)[index % WIDTH]

    def parsed(self, index: int) -> Strict:
        """One entry, read strictly."""
        return self.read(index, self.entry(index))

    def read(self, index: int, data: bytes) -> Strict:
        """An entry that should be the one at `index`."""
        try:
            item = quick.entry(data)
        except StrictError as error:
            raise RecordError(f"{self.origin}: entry {index}: {error}; see `doorward verify`") from error
        if item.index != index or item.origin != self.origin:
            raise RecordError(f"{self.origin}: entry {index} is another's; see `doorward verify`")
        return item

    def entries(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """(index, entry) from `start` up to, not including, `end`."""
        index = start
        while index < end:
            number = index // WIDTH
            found = self.split(number, self.raw(number))
            for data in found[index % WIDTH : end - number * WIDTH]:
                yield index, data
                index += 1

    @property
    def behind(self) -> int:
        """How many entries the journal has that no checkpoint covers."""
        reached = self.newest
        for first, data in self.files.segments():
            entries, _, _ = proof.frames(data, first)
            reached = max(reached, first + len(entries))
        return max(reached, self.newest) - self.size

    # --- the period ---------------------------------------------------------------------------------------------------

    def first_at(self, unix_ns: int) -> int:
        """The first entry that is not before this moment; the log's size if there is none. Times never go back."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            # Whole bundles first: each look costs one file.
            if high - low > WIDTH:
                middle -= middle % WIDTH
                middle = max(middle, low)
            if self.parsed(middle).at < unix_ns:
                low = middle + 1
            else:
                high = middle
        return low

    def context(self, first: int, end: int) -> Context:
        """What the period from `first` to `end` needs from outside of it."""
        found = Context([(0, 1)] if self.size else [])
        closed: set[bytes] = set()
        policy = opened = False
        wanted = self._requests(first, end) if first else set()
        for index, data in self._backwards(first, grants=bool(wanted)):
            kind = self._rough(data)
            if kind == EventKind.KEY_ROTATED:
                self._rotation(found, index)
            elif kind in _GRANTS and wanted:
                self._grant(found, wanted, index)
            if opened and policy:
                continue
            if kind == EventKind.POLICY_LOADED and not policy:
                policy = bool(run := self._whole(index)) and self.parsed(index).part == 0
                found.runs += [run] if policy else []
            elif kind == EventKind.LOG_OPENED:
                opened = True  # no session outlives the log's writer
            elif not opened and kind == EventKind.SESSION_CLOSED:
                closed.add(self.parsed(index).session)
            elif not opened and kind == EventKind.SESSION_OPENED:
                item = self.parsed(index)
                if item.session not in closed and item.part == 0:
                    found.sessions.setdefault(item.session, self._whole(index))
                    found.heads.setdefault(item.session, item.head)
        self._later(found, end)
        found.grants.reverse()
        return found

    def _later(self, found: Context, end: int) -> None:
        for index in self._rotations(end):
            self._rotation(found, index)

    def _rotation(self, found: Context, index: int) -> None:
        found.runs.append(self._whole(index))
        found.rotations.append(self.parsed(index))

    def _requests(self, first: int, end: int) -> set[bytes]:
        """Ids of requests that entries of the period may name: those of some that name none, too."""
        found: set[bytes] = set()
        for number in range(first // WIDTH, -(-end // WIDTH)):
            data = self.raw(number)
            for match in _REQUEST.finditer(data):
                length = match[1][0] - 0xA0 if match[1] else match[2][0]
                if length <= MAX_REQUEST:
                    found.add(data[match.end() : match.end() + length])
        return found

    def _grant(self, found: Context, wanted: set[bytes], index: int) -> None:
        """Take what let a request go on that the period names, or was a vote for it."""
        item = self.parsed(index)
        request = item.head.get("request")
        if isinstance(request, str) and request.encode() in wanted and item.part == 0:
            found.runs.append(self._whole(index))
            found.grants.append(item)

    def _backwards(self, first: int, *, grants: bool) -> Iterator[tuple[int, bytes]]:
        """Entries before `first` that may be of a kind that matters, the last one first."""

        def matters(data: bytes) -> bool:
            return bool(_CONTEXT.search(data) or _ROTATED in data or (grants and _GRANTED.search(data)))

        for number in range((first - 1) // WIDTH, -1, -1) if first else ():
            data = self.raw(number)
            if not matters(data):
                continue
            entries = self.split(number, data)[: first - number * WIDTH]
            for place in range(len(entries) - 1, -1, -1):
                if matters(entries[place]):
                    yield number * WIDTH + place, entries[place]

    def _rotations(self, end: int) -> Iterator[int]:
        """Changes of keys from `end` on."""
        for number in range(end // WIDTH, -(-self.size // WIDTH)):
            data = self.raw(number)
            if _ROTATED in data:
                for place, entry in enumerate(self.split(number, data), start=number * WIDTH):
                    if place >= end and _ROTATED in entry and self._rough(entry) == EventKind.KEY_ROTATED:
                        yield place

    def _rough(self, data: bytes) -> str:
        try:
            return quick.entry(data).kind
        except StrictError:
            return ""

    def _whole(self, index: int) -> Run:
        """The run of the event that has this entry."""
        item = self.parsed(index)
        start = index - item.part
        return max(start, 0), min(start + item.parts, self.size)
