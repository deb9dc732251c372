"""Forms (application/x-www-form-urlencoded) on their way through, field by field.

Implements: the WHATWG URL Standard, "application/x-www-form-urlencoded"; a form is to paths what an object is.

Invariants:

- A field in which nothing was masked leaves as the bytes that came.
- Names are compared as a reader will see them: decoded.
"""

from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from doorward_core.errors import UnreadableBody
from doorward_core.mask.transforms import apply
from doorward_http.owed import Owed, count
from doorward_http.percent import mask_value

# A field is searched in every way it could be spelt, so it is not let grow as a string of JSON is.
_MAX_FIELD_BYTES: Final = 2**20
_MARK: Final = b"&"


class Form:
    """One form. `masked` counts by label."""

    def __init__(self, owed: Owed) -> None:
        self._owed = owed
        self._max = min(_MAX_FIELD_BYTES, owed.limits.max_token_bytes)
        self._held = bytearray()
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give the fields that are whole."""
        begin = len(self._held)
        self._held += chunk
        end = self._held.rfind(_MARK, begin) + 1
        if len(self._held) - end > self._max:
            raise UnreadableBody(f"a field of a form is longer than {self._max} bytes")
        whole = bytes(self._held[:end])
        del self._held[:end]
        return b"".join(self._field(field) + _MARK for field in whole.split(_MARK)[:-1])

    def end(self) -> bytes:
        """The form is over: the last field."""
        rest, self._held = bytes(self._held), bytearray()
        return self._field(rest)

    def _field(self, field: bytes) -> bytes:
        if b"\0" in field or b"%00" in field:
            raise UnreadableBody("there is a NUL byte in a form")
        name, equals, value = field.partition(b"=")
        mask = self._owed.paths.root.member(_text(name)).mask
        if mask is not None and value:
            count(self.masked, mask.label)
            shown = apply(mask.transform, _text(value), key=self._owed.key, label=mask.label)
            return name + equals + quote_plus(shown or "", safe="*@[]:").encode()
        if self._owed.detectors is None:
            return field
        return mask_value(field, self._owed.detectors, self._owed.key, self.masked, marks=b"=")


def _text(value: bytes) -> str:
    return unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
