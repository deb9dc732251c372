"""Bodies of several parts on their way through, part by part, each masked as what it says it is.

What it will not do: undo transfer encodings (base64, quoted-printable), which HTTP does not use: they are refused.
Implements: RFC 2046 section 5.1 (multipart) and RFC 7578 (form-data, where a field is to paths a member of an object).

Invariants:

- Only CR LF and the boundary at the start of a line end a part; a boundary that stands anywhere else refuses the body,
  so that no other reader cuts it differently.
- The headers of a part leave as they came, or masked by detectors; a part that cannot be masked refuses the body.
"""

import re
from collections.abc import Callable
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import Header
from doorward_core.http.recode import Content
from doorward_http.owed import Owed, count

_MAX_HEAD_BYTES: Final = 16_384
_MAX_BOUNDARY: Final = 70  # RFC 2046 section 5.1.1
_PLAIN_ENCODINGS: Final = frozenset({b"", b"7bit", b"8bit", b"binary"})
_AFTER: Final = re.compile(rb"(--)?[ \t]*\r\n")
_NAME: Final = re.compile(rb'(?:^|;)[ \t]*name=(?:"((?:[^"\\]|\\.)*)"|([^";\r\n \t]+))', re.IGNORECASE)
_SPLIT_NAME: Final = re.compile(rb"(?:^|[; \t])name[ \t]*\*", re.IGNORECASE)  # RFC 7578 section 4.2: not in forms

# Makes what masks a part with these headers; the name is its field's, where it has one.
OpenPart = Callable[[tuple[Header, ...], "str | None"], Content]


class Multipart:
    """One body of several parts. `masked` counts by label."""

    def __init__(self, boundary: str, owed: Owed, open_part: OpenPart) -> None:
        if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
            raise UnreadableBody("a body of several parts has no boundary that can be relied on")
        self._mark = b"--" + boundary.encode()
        self._owed = owed
        self._open_part = open_part
        self._held = bytearray(b"\r\n")  # the first boundary may stand at the very start
        self._part: Content | None = None
        self._state = "preamble"
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now."""
        self._held += chunk
        out: list[bytes] = []
        while self._step(out):
            pass
        return b"".join(out)

    def end(self) -> bytes:
        """The body is over. Raise UnreadableBody where its last part is not ended."""
        out: list[bytes] = []
        if self._state == "after" and self._held.startswith(b"--"):
            self._held += b"\r\n"
            while self._step(out):
                pass
            return b"".join(out)[:-2]
        if self._state != "epilogue":
            raise UnreadableBody("a body of several parts ends before it is whole")
        return b"".join(out)

    def _step(self, out: list[bytes]) -> bool:
        """Go on by one piece of the grammar; False where more has to come first."""
        if self._state == "epilogue":
            if self._held.strip(b" \t\r\n"):
                raise UnreadableBody("something follows the last part of a body")
            self._held.clear()
            return False
        return {"preamble": self._content, "content": self._content, "head": self._head, "after": self._after}[
            self._state
        ](out)

    def _content(self, out: list[bytes]) -> bool:
        """What stands before a boundary: of a part, or of none (the preamble, which has to be empty)."""
        found = self._held.find(self._mark)
        if found >= 0 and self._held[max(0, found - 2) : found] != b"\r\n":
            raise UnreadableBody("a boundary stands where none can be")
        # What may be the start of a boundary waits.
        end = found - 2 if found >= 0 else len(self._held) - len(self._mark) - 1
        if end > 0 and self._part is None:
            raise UnreadableBody("something stands before the first part of a body")
        if end > 0 and self._part is not None:
            out.append(self._part.feed(bytes(self._held[:end])))
            del self._held[:end]
        if found < 0:
            return False
        if self._part is not None:
            out.append(self._part.end())
            self._close(self._part)
            out.append(b"\r\n")
        self._part = None
        out.append(self._mark)
        del self._held[: 2 + len(self._mark)]
        self._state = "after"
        return True

    def _after(self, out: list[bytes]) -> bool:
        """The rest of the boundary's line, which says whether another part follows."""
        found = _AFTER.match(self._held)
        if found is None:
            if len(self._held) > len(self._mark) + _MAX_BOUNDARY or b"\n" in self._held:
                raise UnreadableBody("a boundary is followed by something else")
            return False
        out.append(found[0])
        self._state = "epilogue" if found[1] else "head"
        del self._held[: found.end()]
        return True

    def _head(self, out: list[bytes]) -> bool:
        """The headers of a part."""
        end = 0 if self._held.startswith(b"\r\n") else self._held.find(b"\r\n\r\n") + 2
        if end == 1:
            if len(self._held) > _MAX_HEAD_BYTES:
                raise UnreadableBody(f"the headers of a part are longer than {_MAX_HEAD_BYTES} bytes")
            return False
        raw = bytes(self._held[:end])
        headers = _read_headers(raw)
        self._part = self._open_part(headers, _field_name(headers))
        out.append(self._masked_head(raw) + b"\r\n")
        del self._held[: end + 2]
        self._state = "content"
        return True

    def _masked_head(self, raw: bytes) -> bytes:
        if self._owed.detectors is None:
            return raw
        shown, labels = self._owed.detectors.mask(raw, key=self._owed.key)
        for label in labels:
            count(self.masked, label)
        return shown

    def _close(self, part: Content) -> None:
        for label, number in part.masked.items():
            self.masked[label] = self.masked.get(label, 0) + number


def _read_headers(raw: bytes) -> tuple[Header, ...]:
    """The headers of a part. Folded lines, bare line ends and names with blanks are refused."""
    headers = []
    for line in raw.split(b"\r\n")[:-1]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name or b"\r" in line or b"\n" in line or b"\0" in line:
            raise UnreadableBody("the headers of a part cannot be read")
        headers.append((name.lower(), value.strip()))
    for name, value in headers:
        if name == b"content-transfer-encoding" and value.lower() not in _PLAIN_ENCODINGS:
            raise UnreadableBody("a part has a transfer encoding")
    return tuple(headers)


def _field_name(headers: tuple[Header, ...]) -> str | None:
    found = [value for name, value in headers if name == b"content-disposition"]
    names = _NAME.findall(found[0]) if len(found) == 1 else []
    if len(found) > 1 or len(names) > 1 or (found and _SPLIT_NAME.search(found[0])):
        raise UnreadableBody("a part has more than one name, or one in pieces")
    if not names:
        return None
    return re.sub(rb"\\(.)", rb"\1", names[0][0] or names[0][1]).decode("utf-8", "surrogateescape")
