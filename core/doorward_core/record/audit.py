"""What a verifier finds in one bundle of entries, and in the events that its entries make.

Implements docs/spec/event-log.md section 11, step 2, for `record.verify`.
Pure and picklable, so that bundles can be checked side by side; `Events` settles what spans them.
It will not stop at a bad entry: hashes go on, so the first bad one is named and the root compared all the same.
"""

from dataclasses import dataclass, field

from doorward_core.record import proof, quick, strict

OPENED = "log.opened"
ROTATED = "key.rotated"
FREED = "log.freed"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and with which entry, where it is one."""

    index: int | None
    what: str


@dataclass(slots=True)
class BundleFindings:
    """One bundle's share of the proof.

    `hashes` are its leaf hashes; `problem` its first bad entry; `root` is that of a full bundle without one.
    `absent`: the entries are not here, and were not checked; their hashes are (section 13).
    `pieces` are entries that are parts of larger events, `special` those whose header the verifier reads itself.
    """

    number: int
    hashes: list[bytes] = field(default_factory=list)
    problem: Problem | None = None
    first_at: int = 0
    last_at: int = 0
    payloads: int = 0
    sealed: int = 0
    clock_back: int = 0
    root: bytes = b""
    absent: bool = False
    pieces: list[strict.Strict] = field(default_factory=list)
    special: list[strict.Strict] = field(default_factory=list)

    def blame(self, index: int | None, what: str) -> None:
        """Keep the first problem."""
        if self.problem is None:
            self.problem = Problem(index, what)


def check_entries(entries: list[bytes], start: int, origin: str) -> BundleFindings:
    """Check entries that should be those from index `start` on of this origin's log."""
    found = BundleFindings(start // proof.WIDTH)
    for index, data in enumerate(entries, start=start):
        found.hashes.append(proof.leaf(data))
        try:
            item = quick.entry(data)
            _check_place(item, index, origin, found)
            if item.parts > 1:
                found.pieces.append(item)
            elif item.payload:
                strict.payload(item, item.payload, quick.is_map)
                found.payloads += 1
                found.sealed += bool(item.key)
        except strict.StrictError as error:
            found.blame(index, str(error))
    return found


def _check_place(item: strict.Strict, index: int, origin: str, found: BundleFindings) -> None:
    if item.index != index:
        raise strict.StrictError(f"it is entry {item.index}, at the place of another")
    if item.origin != origin:
        raise strict.StrictError(f"it is an entry of {item.origin!r}")
    if not found.first_at:
        found.first_at = item.at
    if item.at < found.last_at:
        raise strict.StrictError("its time is before that of the entry before")
    found.last_at = item.at
    if "clock_back_ns" in item.head:
        found.clock_back += 1
    if item.kind in {OPENED, ROTATED, FREED}:
        found.special.append(item)


def check_bundle(data: bytes, tile: bytes | None, number: int, width: int, origin: str) -> BundleFindings:
    """Check one bundle of `width` entries against its level 0 tile; `tile` is None where there is none."""
    start = number * proof.WIDTH
    entries = proof.bundle(data)
    found = check_entries(entries[:width], start, origin)
    if len(entries) < width:
        found.blame(start + len(entries), "it is missing: its bundle ends before it")
    elif sum(map(len, entries)) + 2 * len(entries) != len(data):
        found.blame(start + len(entries) - 1, "something follows it in its bundle")
    if tile is None:
        found.blame(start, f"the tile of hashes over entries {start} to {start + width - 1} is missing")
    else:
        _compare(found, tile, start, width)
    if found.problem is None and width == proof.WIDTH:
        found.root = proof.pair_up(found.hashes)
    return found


def absent(tile: bytes, number: int) -> BundleFindings:
    """A bundle that was freed: only its hashes are here, and the tree above them says whether they are the right ones.

    Section 13 says what makes that no loss: an entry of the log that tells of it, which `record.verify` looks for.
    """
    hashes = [tile[at : at + proof.HASH] for at in range(0, len(tile), proof.HASH)]
    found = BundleFindings(number, hashes, absent=True)
    if len(tile) == proof.WIDTH * proof.HASH:
        found.root = proof.pair_up(hashes)
    else:
        found.blame(number * proof.WIDTH, "its tile of hashes has the wrong length")
    return found


def _compare(found: BundleFindings, tile: bytes, start: int, width: int) -> None:
    """Compare the leaf hashes with the tile's; the first difference is the first bad entry, if none came before."""
    if b"".join(found.hashes) == tile:
        return  # as it should be; the length is that of the hashes, and so many there are
    for place, value in enumerate(found.hashes):
        if tile[place * proof.HASH : (place + 1) * proof.HASH] != value:
            if found.problem is None or (found.problem.index or 0) > start + place:
                found.problem = Problem(start + place, "its bytes do not match its hash in the tree")
            break
    else:
        if len(tile) != width * proof.HASH:
            found.blame(start, "its tile of hashes has the wrong length")


class Events:
    """Joins parts to events across bundles, and follows time and keys through the log."""

    def __init__(self) -> None:
        self.problem: Problem | None = None
        self.payloads = 0
        self.sealed = 0
        self._open: list[strict.Strict] = []
        self._next = -1
        self._gap = -1  # where an event that began in freed entries may go on
        self._last_at = 0

    def take(self, found: BundleFindings) -> None:
        """Take the next bundle's findings, in order."""
        if found.first_at and found.first_at < self._last_at:
            self._blame(found.number * proof.WIDTH, "its time is before that of the entry before")
        self._last_at = max(self._last_at, found.last_at)
        if found.absent:
            self._open, self._gap = [], found.number * proof.WIDTH + len(found.hashes)
            return
        for piece in found.pieces:
            self._piece(piece)
        end = found.number * proof.WIDTH + len(found.hashes)
        if self._open and not found.pieces and found.problem is None and self._next < end:
            self._blame(self._next, "it should be a further part of the event before it")
            self._open = []

    def _piece(self, piece: strict.Strict) -> None:
        if self._open:
            first = self._open[0]
            same = (piece.at, piece.kind, piece.session, piece.op, piece.key, piece.parts)
            if (
                piece.index != self._next
                or piece.part != len(self._open)
                or same != (first.at, first.kind, first.session, first.op, first.key, first.parts)
            ):
                self._blame(self._next, "it should be a further part of the event before it")
                self._open = []
                return
        elif piece.part and piece.index == self._gap:
            self._gap = piece.index + 1 if piece.part + 1 < piece.parts else -1
            return
        elif piece.part:
            self._blame(piece.index, "a further part of an event that does not begin")
            return
        self._open.append(piece)
        self._next = piece.index + 1
        if len(self._open) == piece.parts:
            self._whole()

    def _whole(self) -> None:
        first, blob = self._open[0], b"".join(piece.payload for piece in self._open)
        self._open = []
        self.payloads += 1
        self.sealed += bool(first.key)
        try:
            strict.payload(first, blob, quick.is_map)
        except strict.StrictError as error:
            self._blame(first.index, str(error))

    def finish(self) -> None:
        """The end of what a checkpoint covers: no event may be open."""
        if self._open:
            self._blame(self._open[0].index, "the checkpoint covers only some parts of this event")

    def _blame(self, index: int, what: str) -> None:
        if self.problem is None or (self.problem.index or 0) > index:
            self.problem = Problem(index, what)
