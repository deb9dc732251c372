"""From what a body says it is to what masks it, in UTF-8 and without codings; parts of bodies included.

What it will not do: let pass what cannot be seen into. Where a mask is owed, a type that nobody reads is refused; so is
text where a path is owed, since a path names nothing in it (closed world).
Implements: docs/http-masks.md, "Which bodies can be masked".

Invariants:

- Whatever it gives masks everything that is owed, or raises UnreadableBody before a byte of it has left.
"""

from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.http.charsets import Charset
from doorward_core.http.codings import read_codings
from doorward_core.http.messages import Header, get_all
from doorward_core.http.recode import Content, Recoder
from doorward_core.mask.transforms import apply
from doorward_core.model import Mask
from doorward_http.events import Events
from doorward_http.forms import Form
from doorward_http.media import Kind, Media, media_of
from doorward_http.multipart import Multipart
from doorward_http.owed import Owed, count
from doorward_http.tables import Table
from doorward_http.text import Markup, Text

_MAX_NESTED: Final = 2  # bodies of several parts within such a body: mail does it, HTTP hardly
_MAX_VALUE_BYTES: Final = 2**20  # of a field that is masked whole
_TEXTUAL: Final = {Kind.TEXT: Text, Kind.MARKUP: Markup}


def content_for(media: Media, owed: Owed, depth: int = 0) -> Content:
    """What masks content of this type. Raise UnreadableBody where nothing can."""
    if media.kind is Kind.JSON:
        return owed.json()
    if media.kind is Kind.EVENTS:
        return Events(owed)
    if media.kind is Kind.FORM:
        return Form(owed)
    if media.kind is Kind.TABLE:
        return _table(media, owed)
    if media.kind is Kind.MULTIPART:
        return _multipart(media, owed, depth)
    textual = _TEXTUAL.get(media.kind)
    if textual is None:
        raise UnreadableBody(f"a mask is owed on the body, and nobody can look into {media.name}")
    if owed.paths:
        raise UnreadableBody(f"a mask is owed on the body by path, and {media.name} has no members")
    return _detecting(owed, textual)


def _detecting(owed: Owed, textual: type[Text] = Text) -> Content:
    """What looks for values in text; where none are looked for, the text as it is."""
    if owed.detectors is None:
        return Clear()
    return textual(owed.detectors, owed.key, strict=owed.strict)


def _table(media: Media, owed: Owed) -> Content:
    if not owed.paths:
        return _detecting(owed)
    if media.parameters.get("header", "").lower() == "absent":
        raise UnreadableBody("a mask is owed by path, and the table has no heading")
    table = Table(owed, tabs=media.name == "text/tab-separated-values")
    return table if owed.detectors is None else Then(table, _detecting(owed))


def _multipart(media: Media, owed: Owed, depth: int) -> Content:
    if depth >= _MAX_NESTED:
        raise UnreadableBody(f"bodies of several parts are nested more than {_MAX_NESTED} deep")

    def open_part(headers: tuple[Header, ...], name: str | None) -> Content:
        mask = owed.paths.root.member(name).mask if name is not None else None
        if mask is not None:
            return Value(mask, owed.key)
        if not get_all(headers, b"content-type"):  # RFC 2046 section 5.1: plain text; a field's member is its name
            if name is None and owed.paths:
                raise UnreadableBody("a mask is owed by path, and a part of the body has neither type nor name")
            return _detecting(owed)
        part = media_of(headers)
        if part.kind is Kind.TEXT and name is not None:
            return Recoder((), Charset(part.charset), _detecting(owed))
        codings = read_codings(get_all(headers, b"content-encoding"))
        charset = Charset(part.charset, json=part.kind is Kind.JSON)
        return Recoder(codings, charset, content_for(part, owed, depth + 1), owed.limits.coding)

    return Multipart(media.parameters.get("boundary", ""), owed, open_part)


class Clear:
    """Text on which nothing is owed after all."""

    def __init__(self) -> None:
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The same bytes."""
        return chunk

    def end(self) -> bytes:
        """Nothing more."""
        return b""


class Then:
    """One way of masking, and another over what it gives out."""

    def __init__(self, first: Content, then: Content) -> None:
        self._first = first
        self._then = then

    @property
    def masked(self) -> dict[str, int]:
        """Of both, by label."""
        both = dict(self._first.masked)
        for label, number in self._then.masked.items():
            both[label] = both.get(label, 0) + number
        return both

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now."""
        return self._then.feed(self._first.feed(chunk))

    def end(self) -> bytes:
        """The content is over: the rest."""
        return self._then.feed(self._first.end()) + self._then.end()


class Value:
    """A field that is masked whole."""

    def __init__(self, mask: Mask, key: bytes) -> None:
        self._mask = mask
        self._key = key
        self._held = bytearray()
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Keep a chunk. Raise UnreadableBody past the bound."""
        self._held += chunk
        if len(self._held) > _MAX_VALUE_BYTES:
            raise UnreadableBody(f"a field that is masked is longer than {_MAX_VALUE_BYTES} bytes")
        return b""

    def end(self) -> bytes:
        """What stands in its place."""
        if not self._held:
            return b""
        count(self.masked, self._mask.label)
        text = self._held.decode("utf-8", "surrogateescape")
        shown = apply(self._mask.transform, text, key=self._key, label=self._mask.label)
        return (shown or "").encode("utf-8", "replace")
