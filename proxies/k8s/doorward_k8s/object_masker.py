"""API objects in JSON on their way to a client: masked as they stream, whatever holds a value, plain or in base64.

It adds to `core.mask.json_stream` what Kubernetes knows of its values: that those of a Secret are base64, that an
annotation holds the object once more as text, that an error repeats what it was given.
What it will not do: hold a list or a stream of events; undo an encoding that the API itself does not use.
Implements: docs/k8s-masks.md, "What becomes of a value".

Invariants:

- What stands in place of base64 is base64; what stands in place of JSON text is JSON text.
- What cannot be read as what it should be is hidden whole.
- Every other byte is as the server sent it.
"""

import base64
import binascii
import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_core.mask.json_fields import found_in
from doorward_core.mask.json_leaves import string_of, text_of
from doorward_core.mask.json_stream import MAX_TOKEN_BYTES, JsonMasker
from doorward_core.mask.transforms import apply, redacted
from doorward_core.model import Mask, Transform
from doorward_k8s.object_paths import How, ObjectPaths, Treated

_MAX_WITHIN: Final = 2  # an object within an object's annotation, and once more; nobody means more
_QUOTE: Final = 0x22
_BRACE: Final = b"{"
# Short words are base64, too: what a detector could find is longer.
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4}){2,}(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")
_LEAD: Final = 8  # what stands before the brace of an object as text: a quote, and perhaps an escaped line end
_NULL: Final = b"null"
# The API server's validation puts the value behind these words, and its decoder what stood around an error. Where it
# forbids a change it may go on, from a line of its own, with what differs: of a pod, its variables as they are.
_REPEATS: Final = re.compile(r"[Vv]alue: |Not found: |error found in #|Forbidden: [^\n]*\n|\n(?=@@ )")
# A version is a number, or an opaque word of a few characters; a UID is a UUID; a continue token is base64url.
_SERVERS_OWN: Final = re.compile(rb'"(?:[0-9]{0,20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_=-]{40,})"')


class ObjectMasker(JsonMasker):
    """One answer, or one event after another. `masked` counts by label."""

    def __init__(
        self,
        paths: ObjectPaths,
        detectors: Detectors | None,
        key: bytes,
        *,
        skip: "re.Pattern[bytes] | None" = None,
        max_token_bytes: int = MAX_TOKEN_BYTES,
        depth: int = 0,
    ) -> None:
        super().__init__(paths, detectors, key, skip=skip, max_token_bytes=max_token_bytes)
        self._object_paths = paths
        self._skip_pattern = skip
        self._depth = depth

    def shown(self, raw: bytes, mask: Mask) -> bytes:
        """What stands in place of a scalar, by what is known of its place."""
        how = mask.how if isinstance(mask, Treated) else How.VALUE
        if how is How.VALUE or (how is How.ENCODED and raw[0] != _QUOTE):
            return super().shown(raw, mask)
        if raw[0] != _QUOTE:
            return self._looked_at(raw)
        match how:
            case How.ENCODED:
                shown = self._encoded(raw, mask)
            case How.OBJECT:
                shown = self._within(raw)
            case How.COPY:
                shown = self._within(raw, perhaps=True) if _BRACE in raw[:_LEAD] else self._looked_at(raw)
            case How.BASE64:
                shown = self._seen_into(raw)
            case How.TEXT:
                shown = self._looked_at(raw)
                shown = self._seen_into(raw) if shown == raw and _BASE64.fullmatch(raw[1:-1]) else shown
            case How.MESSAGE:
                shown = self._told(raw)
            case How.KEPT:
                shown = raw if _SERVERS_OWN.fullmatch(raw) else self._looked_at(raw)
        return shown

    def _count(self, label: str, number: int = 1) -> None:
        self.masked[label] = self.masked.get(label, 0) + number

    def _looked_at(self, raw: bytes) -> bytes:
        """A scalar with what detectors find in it replaced."""
        if self._detectors is None:
            return raw
        replaced = found_in(raw, self._detectors, key=self._key, hidden=frozenset(), masked=self.masked)
        return replaced[0][2] if replaced else raw

    def _encoded(self, raw: bytes, mask: Mask) -> bytes:
        """Base64 of what becomes of the value."""
        self._count(mask.label)
        if mask.transform is Transform.NULL:
            return _NULL
        transform = mask.transform
        try:
            value = base64.b64decode(text_of(raw), validate=True).decode()
        except (binascii.Error, UnicodeError, ValueError):
            # No text: a token can still be made of it, but no part of it can be shown.
            value = text_of(raw).encode("utf-8", "backslashreplace").decode()
            transform = Transform.REDACT if transform is Transform.PARTIAL else transform
        hidden = apply(transform, value, key=self._key, label=mask.label) or ""
        return string_of(base64.b64encode(hidden.encode("utf-8", "replace")).decode())

    def _seen_into(self, raw: bytes) -> bytes:
        """Base64, with what detectors find in what it says replaced."""
        if self._detectors is None:
            return raw
        try:
            value = base64.b64decode(text_of(raw), validate=True)
        except (binascii.Error, ValueError):
            return self._looked_at(raw)
        shown, labels = self._found(self._detectors, value)
        for label in labels:
            self._count(label)
        return string_of(base64.b64encode(shown).decode()) if labels else raw

    def _found(self, detectors: Detectors, value: bytes) -> tuple[bytes, tuple[str, ...]]:
        """A value with what detectors find in it replaced; what is base64 once more is looked into, once."""
        shown, labels = detectors.mask(value, key=self._key)
        if not labels and _BASE64.fullmatch(value):
            inner, found = detectors.mask(base64.b64decode(value + b"=" * (-len(value) % 4)), key=self._key)
            return (base64.b64encode(inner), tuple(found)) if found else (value, ())
        return shown, tuple(labels)

    def _within(self, raw: bytes, *, perhaps: bool = False) -> bytes:
        """The same object as text: masked as the object is. Hidden whole where it is none, unless `perhaps`."""
        inner = ObjectMasker(
            self._object_paths, self._detectors, self._key, skip=self._skip_pattern, depth=self._depth + 1
        )
        shown = inner.text(text_of(raw)) if self._depth < _MAX_WITHIN else None
        if shown is None and (perhaps or not self._object_paths.owed):
            return self._looked_at(raw)
        if shown is None:
            self._count("last-applied")
            return string_of(redacted("last-applied"))
        for label, number in inner.masked.items():
            self._count(label, number)
        return string_of(shown) if inner.masked else raw

    def text(self, text: str) -> str | None:
        """A whole object as text, masked; None where it is no object that can be read.

        What is JSON and no object has no member that a path could name.
        """
        if not text.lstrip(" \t\r\n").startswith("{"):
            return None
        try:
            body = text.encode("utf-8", "surrogateescape")
            return (self.feed(body) + self.end()).decode()
        except (UnreadableBody, UnicodeError):
            return None

    def _told(self, raw: bytes) -> bytes:
        """An error's words up to where they repeat a value."""
        text = text_of(raw)
        found = _REPEATS.search(text)
        if found is None:
            return self._looked_at(raw)
        self._count("value")
        return self._looked_at(string_of(text[: found.end()] + redacted("value")))
