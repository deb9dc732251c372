"""One log's share of a bundle: its entries of the period, what they are proved by, and what is counted over them.

Implements docs/spec/evidence.md sections 2, 5, 6 and 7, in one pass over the period.
It reads strictly, and it computes the root over what it has put in: a log that is not what its checkpoint says makes
no bundle.

Invariant: memory does not grow with the number of entries, but for ids of sessions and requests.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from doorward_console.evidence.asked import Requests
from doorward_console.evidence.casts import Casts
from doorward_console.evidence.container import canonical, component
from doorward_console.evidence.figures import Counter
from doorward_console.evidence.opening import Opened, Opener, body_of
from doorward_console.evidence.proofs import Root, Run, Span, Subtrees, heights, joined
from doorward_console.evidence.scope import Scope, stated
from doorward_console.evidence.source import Context, Source
from doorward_core.errors import RecordError
from doorward_core.event import EventKind, Value
from doorward_core.record.proof import WIDTH
from doorward_core.record.strict import Strict

FILE_BYTES: Final = 4 * 1024 * 1024  # of entries or revealed bodies in one member: small enough to be read whole
_REQUESTS: Final = ("approval.", "operation.held", "operation.decided")
_RECORDED: Final = ("operation.decided", "operation.finished", "stream.chunk")

Put = Callable[[str, bytes], None]


@dataclass(slots=True)
class Files:
    """A sequence of records in numbered members; number 0 is kept for what comes to light last."""

    folder: str
    put: Put
    number: int = 1
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, record: bytes) -> None:
        """Take the next record."""
        self.pieces.append(record)
        self.size += len(record)
        if self.size >= FILE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Make a member of what there is."""
        if self.pieces:
            self.put(f"{self.folder}/{self.number:06d}", b"".join(self.pieces))
            self.number, self.pieces, self.size = self.number + 1, [], 0


@dataclass(slots=True)
class Period:
    """From, inclusive, to, exclusive."""

    from_unix_ns: int
    to_unix_ns: int


@dataclass(slots=True)
class Shared:
    """What all logs of a bundle fill together. `policies` are texts by member, and the event that they are from."""

    put: Put
    counter: Counter
    requests: Requests
    policies: dict[str, tuple[str, int, int]] = field(default_factory=dict)


class Collector:
    """One pass over one log."""

    def __init__(self, source: Source, place: int, period: Period, scope: Scope, *, opener: Opener, to: Shared) -> None:
        self.source, self.place, self.scope, self.opener = source, place, scope.of_log(), opener
        self.first, self.end = source.first_at(period.from_unix_ns), source.first_at(period.to_unix_ns)
        self._period, self._to = period, to
        self.folder = f"logs/{component(source.origin)}"
        self.casts = Casts(source.origin, place, to.put)
        self.whole = self.withheld = self.last_at = 0
        self._entries = Files(f"{self.folder}/entries", to.put)
        self._revealed = Files(f"{self.folder}/revealed", to.put)
        self._parts: list[tuple[Strict, bytes]] = []
        self._in_scope = True
        self._spoke: set[bytes] = set()
        self._rotations: list[Strict] = []
        self._erased: set[str] = set()

    def run(self, outside: bytes | None, outside_size: int, progress: Callable[[int], None]) -> dict[str, object]:
        """Put the log's members into the bundle; give what report.json says of it."""
        context = self.source.context(self.first, self.end)
        self._rotations += context.rotations
        for session, head in context.heads.items():
            self.scope.has(session, head)
        for item in context.grants:
            self._granted(item)
        self._neighbour()
        span = Span(self.first)
        index = self.first
        while index < self.end:
            number = index // WIDTH
            bundle = self.source.split(number, self.source.raw(number))
            entries = bundle[index % WIDTH : self.end - number * WIDTH]
            leaves = [sha256(b"\x00" + data).digest() for data in entries]
            span.add(leaves)
            for data, leaf in zip(entries, leaves, strict=True):
                self._take(self.source.read(index, data), data, leaf, context)
                index += 1
            progress(len(entries))
        self.casts.finish()
        runs = self._runs(context)
        before = self._context(runs)
        subtrees = Subtrees(self.source.files, self.source.size, self.source.newest)
        gaps = subtrees.gaps(runs)
        self._check_root(runs, gaps, span)
        proof = subtrees.consistency(outside_size) if outside is not None else []
        self._describe(runs, gaps, proof, outside)
        return self._data(before)

    def gone(self) -> tuple[int, int]:
        """How many sealed events nobody can open any more, and of how many of these the period has no erasure."""
        every = self.opener.gone
        unsaid = sum(count for owner, count in every.items() if owner.hex() not in self._erased)
        return sum(every.values()), unsaid

    def key_entries(self) -> list[Strict]:
        """What the log says of its keys: its first entry, and every change of them; after `run`."""
        first = [self.source.parsed(0)] if self.source.size else []
        return [*first, *sorted(self._rotations, key=lambda item: item.index)]

    # --- entries of the period ----------------------------------------------------------------------------------------

    def _take(self, item: Strict, data: bytes, leaf: bytes, context: Context) -> None:
        if item.part == 0:
            self._in_scope = self.scope.has(item.session, item.head)
            if item.session in context.sessions:
                self._spoke.add(item.session)
        self.last_at = item.at
        self._put(item, data, leaf)
        if item.parts == 1:
            self._event(item, item.payload, leaf)
            return
        self._parts.append((item, leaf))
        if len(self._parts) == item.parts:
            (first, its_leaf), parts = self._parts[0], [part.payload for part, _ in self._parts]
            self._parts = []
            self._event(first, b"".join(parts), its_leaf)

    def _put(self, item: Strict, data: bytes, leaf: bytes) -> None:
        if self._in_scope or item.key or not item.payload:
            self._entries.add(len(data).to_bytes(2, "big") + data)
            self.whole += 1
        else:
            self._entries.add(_withheld(item, data, leaf))
            self.withheld += 1

    def _event(self, first: Strict, blob: bytes, leaf: bytes) -> None:
        kind = first.kind
        if kind == EventKind.KEY_ROTATED:
            self._rotations.append(first)
        if self._in_scope or first.key or not blob:
            self._to.counter.note(self.place, kind, first.head)
        if kind == EventKind.CONTENT_ERASED:
            self._erased.update(_erased(first.head))
        if not self._in_scope:
            return
        content, opened = self.opener.open(first, blob)
        if opened is not None and first.key:
            self._revealed.add(_record(first, opened))
        if kind == EventKind.POLICY_LOADED:
            self._policy(first, body_of(first.index, opened))
        elif kind.startswith(_RECORDED):
            self.casts.take(first, opened)
        if kind.startswith(_REQUESTS):
            self._to.requests.take(self.place, first)
        self._to.counter.add(self.place, first.index, kind, first.head, leaf=leaf, content=content)

    def _policy(self, first: Strict, body: dict[str, Value] | None) -> None:
        digest, texts = first.head.get("policy"), body.get("texts") if body else None
        if not isinstance(digest, bytes) or not isinstance(texts, dict):
            return
        for name, text in texts.items():
            member = f"policies/{digest.hex()}/{component(name)}"
            if isinstance(text, str) and name and digest and member not in self._to.policies:
                self._to.policies[member] = (digest.hex(), self.place, first.index)
                self._to.put(member, text.encode())

    # --- context ------------------------------------------------------------------------------------------------------

    def _granted(self, item: Strict) -> None:
        """What let a request of the period go on before it, and who voted for it."""
        in_scope = self.scope.has(item.session, item.head)
        if in_scope or item.key or not item.payload:
            self._to.counter.note(self.place, item.kind, item.head)
        if in_scope and item.kind.startswith(_REQUESTS):
            self._to.requests.take(self.place, item)

    def _neighbour(self) -> None:
        if self.first:
            before = self.source.parsed(self.first - 1)
            whole = before.key or not before.payload or self.scope.has(before.session, before.head)
            if before.parts == 1 and whole:
                self._to.counter.note(self.place, before.kind, before.head)

    def _runs(self, context: Context) -> list[Run]:
        around = (max(self.first - 1, 0), min(self.end + 1, self.source.size))
        return joined([*context.runs, *(context.sessions[session] for session in self._spoke), around])

    def _context(self, runs: list[Run]) -> int:
        """Put in what stands outside the period: before it in the first member, behind it in the last; how many."""
        before = [place for start, end in runs for place in range(start, min(end, self.first))]
        behind = [place for start, end in runs for place in range(max(start, self.end), end)]
        later, self._entries.pieces = self._entries.pieces, []
        later_revealed, self._revealed.pieces = self._revealed.pieces, []
        for index in before:
            self._outside(index)
        for files in (self._entries, self._revealed):
            made = b"".join(files.pieces)
            if files is self._entries or made or later_revealed or files.number > 1:
                files.put(f"{files.folder}/000000", made)
        self._entries.pieces, self._revealed.pieces = later, later_revealed
        for index in behind:
            self._outside(index)
        self._entries.flush()
        self._revealed.flush()
        return len(before) + len(behind)

    def _outside(self, index: int) -> None:
        item, data = self.source.parsed(index), self.source.entry(index)
        if item.part == 0:
            self._in_scope = self.scope.has(item.session, item.head)
        leaf = sha256(b"\x00" + data).digest()
        if self._in_scope or item.key or not item.payload:
            self._entries.pieces.append(len(data).to_bytes(2, "big") + data)
        else:
            self._entries.pieces.append(_withheld(item, data, leaf))
        self.last_at = max(self.last_at, item.at)
        whole = index + item.parts <= self.first or item.parts == 1
        if item.kind == EventKind.POLICY_LOADED and item.part == 0 and whole:
            blob = b"".join(self.source.parsed(place).payload for place in range(index, index + item.parts))
            _, opened = self.opener.open(item, blob)
            if opened is not None and item.key:
                self._revealed.pieces.append(_record(item, opened))
            self._policy(item, body_of(item.index, opened))

    # --- proof --------------------------------------------------------------------------------------------------------

    def _check_root(self, runs: list[Run], gaps: list[bytes], span: Span) -> None:
        root, left, at = Root(), iter(gaps), 0
        for start, end in [*runs, (self.source.size, self.source.size)]:
            for _, height in heights(at, start):
                root.add(next(left), height)
            index = start
            while index < end:
                if index == self.first < self.end:
                    for value, height in span.roots():
                        root.add(value, height)
                    index = self.end
                else:
                    root.add(sha256(b"\x00" + self.source.entry(index)).digest())
                    index += 1
            at = end
        if root.value() != self.source.root:
            whose = self.source.origin
            raise RecordError(f"{whose}: its entries are not those of its checkpoint; see `doorward verify`")

    def _describe(self, runs: list[Run], gaps: list[bytes], proof: list[bytes], outside: bytes | None) -> None:
        about = {
            "origin": self.source.origin,
            "size": self.source.size,
            "from_unix_ns": self._period.from_unix_ns,
            "to_unix_ns": self._period.to_unix_ns,
            "period": [self.first, self.end],
            "runs": [list(run) for run in runs],
            "gaps": [value.hex() for value in gaps],
            "consistency": [value.hex() for value in proof],
            "behind": self.source.behind,
        }
        self._to.put(f"{self.folder}/log.json", canonical(about))
        self._to.put(f"{self.folder}/checkpoint", self.source.note)
        if outside is not None:
            self._to.put(f"{self.folder}/outside", outside)

    def _data(self, context: int) -> dict[str, object]:
        return {
            "origin": self.source.origin, "size": self.source.size, "root": self.source.root.hex(),
            "first": self.first, "end": self.end, "last_unix_ns": self.last_at, "behind": self.source.behind,
            "whole": self.whole, "withheld": self.withheld, "context": context,
        }  # fmt: skip


def _erased(head: dict[str, object]) -> list[str]:
    """The sessions and keys, in hex, whose content an event says is erased."""
    lists = [head.get("what"), head.get("gateway_keys")]
    return [item for items in lists if isinstance(items, list) for item in items if isinstance(item, str)]


def _withheld(item: Strict, data: bytes, leaf: bytes) -> bytes:
    said = stated(item, data)
    return b"\0\0" + leaf + len(said).to_bytes(2, "big") + said


def _record(first: Strict, opened: Opened) -> bytes:
    salt, body = opened
    return first.index.to_bytes(8, "big") + len(body).to_bytes(4, "big") + salt + body
