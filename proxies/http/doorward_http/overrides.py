"""Bodies by which a framework would take another method than the one that is decided on: a field named `_method`.

What it is: `Overrides`, which looks at the body of a POST as it comes, whole or in pieces.
What it will not do: look into JSON that is compressed, which the frameworks that do this do not read (docs/http.md), or
at a body that says it is something else than a form or JSON.

Sources: what Rack, Laravel (which takes members of JSON for fields), Symfony and method-override document; RFC 7578
(form-data), WHATWG URL (forms).

Invariants: pure; the answer does not depend on how the body was cut, and costs time in proportion to its length.
Whatever some framework takes for a form is looked at: Rack reads a body that says nothing of itself as one, and of a
type with a comma in it the part before that. Of JSON any string that is the name is refused: one that is a value is
too rare for a reader of documents to be worth it.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from doorward_core.http.messages import BadRequest, Headers, get_all

_WORDS: Final = "a field of the form would change the method"
_MAX_BLANKS: Final = 64
_MAX_DISPOSITION_BYTES: Final = 2048
# Before a name, frameworks skip blanks and brackets; each byte may be escaped. Bodies are compared in lower case.
_BLANK: Final = rb"(?:[+\s\[\]]|%(?:20|09|0[a-d]|5[bd]))"
_NAME: Final = rb"".join(rb"(?:%c|%%%02x)" % (byte, byte) for byte in b"_method")
_FIELD: Final = re.compile(
    rb"[&;](?:%b{0,%d}+%b(?![a-z0-9_.-])|%b{%d})" % (_BLANK, _MAX_BLANKS, _NAME, _BLANK, _MAX_BLANKS)
)
_MEMBER: Final = re.compile(
    rb'"%b"' % b"".join(rb"(?:%c|\\u00%02x|\\u00%02x)" % (c, c, ord(chr(c).upper())) for c in b"_method")
)
_MEMBER_BYTES: Final = 2 + 6 * len("_method")
_FIELD_BYTES: Final = 1 + 3 * (_MAX_BLANKS + len("_method")) + 1
_DISPOSITION: Final = re.compile(rb"content-disposition[ \t]*:(?:[^\r\n]++|\r?\n[ \t])*+")
_DISPOSITION_NAME: Final = b"content-disposition"
_PART_NAME: Final = re.compile(rb"[;\s:]name[ \t]*(?:\*|=[ \t]*[\"']?[\s\[\]]*_method(?![a-z0-9_.-]))")


class Overrides:
    """One body, from its headers on. `looks` says whether anything is looked for in it."""

    def __init__(self, headers: Headers, *, coded: bool) -> None:
        types = get_all(headers, b"content-type")
        if len(types) > 1:
            raise BadRequest("a request has one Content-Type")
        kind = types[0].lower() if types else b""
        self._form = not kind or b"urlencoded" in kind
        self._parts = b"multipart/" in kind
        self._json = b"json" in kind and not coded
        self.looks = self._form or self._parts or self._json
        if coded and kind and (self._form or self._parts):
            raise BadRequest("a form that has to be decoded is not looked at, and could change the method", 415)
        self._fields = b"&"
        self._tail = b""
        self._string = b""

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Look at a piece. Raises BadRequest where it would change the method."""
        lowered = piece.lower()
        if self._form:
            self._look_at_fields(lowered + (b"&" if last else b""))
        if self._json:
            self._look_at_members(lowered)
        if self._parts:
            self._look_at_parts(lowered + (b"\r\n--" if last else b""))

    def _look_at_fields(self, piece: bytes) -> None:
        text = self._fields + piece
        # What might go on in the next piece is looked at again with it.
        found = _FIELD.search(text)
        if found is not None and found.end() < len(text):
            raise BadRequest(_WORDS)
        self._fields = text[-_FIELD_BYTES:]

    def _look_at_members(self, piece: bytes) -> None:
        text = self._string + piece
        if (b"method" in text or b"\\u00" in text) and _MEMBER.search(text):
            raise BadRequest("a member of the body would change the method")
        self._string = text[1 - _MEMBER_BYTES :]

    def _look_at_parts(self, piece: bytes) -> None:
        text = self._tail + piece
        kept = max(0, len(text) - len(_DISPOSITION_NAME))
        for found in _DISPOSITION.finditer(text):
            if len(found[0]) > _MAX_DISPOSITION_BYTES:
                raise BadRequest(_WORDS)
            if found.end() > len(text) - 3:  # its end, or whether the next line goes on with it, is to come
                kept = min(kept, found.start())
            elif _PART_NAME.search(unquote_to_bytes(found[0].replace(b"\\", b"")).lower()):
                raise BadRequest(_WORDS)
        self._tail = text[kept:]
