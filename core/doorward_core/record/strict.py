"""Reading entries with suspicion: canonical msgpack and the entry's own rules, byte by byte.

Implements docs/spec/event-log.md sections 2, 3 and 4 for `record.verify`, with the standard library alone.
It shares nothing with `record.encode` and `record.entry`, which write the format: two readings must agree.
It will not open a seal, and it gives no value for bytes that have a second spelling.

Invariant: any input gives a value or StrictError, in time linear in its length.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_DEPTH = 16
MAX_ENTRY = 65_535
MAX_HEAD = 15_000
MAX_BODY = 32 * 1024 * 1024
SLICE = 49_152
TAG_BYTES = 16

_KIND = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+")
_KIND_CHARS = 64
_known_kinds: set[str] = set()
_KNOWN_KINDS_BOUND = 256
# Short strings seen before, by their encoding: header keys and most values are the same few thousand words.
_words: dict[bytes, str] = {}
_WORD_BYTES = 32
_WORDS_BOUND = 16_384


class StrictError(ValueError):
    """Why these bytes are refused."""


@dataclass(slots=True)
class Strict:
    """An entry that satisfies sections 2 and 3. `head` is the decoded header.

    Not frozen: making a frozen one takes as long as reading a quarter of the entry.
    """

    index: int
    at: int
    kind: str
    session: bytes
    op: bytes
    origin: str
    head: dict[str, object]
    commit: bytes
    key: bytes
    part: int
    parts: int
    payload: bytes


def decode(data: bytes) -> object:
    """Decode exactly one canonical value."""
    try:
        value, at = read_value(data, 0, MAX_DEPTH)
    except IndexError:
        raise StrictError("ends inside a value") from None
    if at != len(data):
        raise StrictError("something follows the value")
    return value


# --- one function for each family of section 2 ------------------------------------------------------------------------


def read_value(data: bytes, at: int, depth: int) -> tuple[object, int]:  # noqa: PLR0911 - one for each family
    """Decode the value at `at`; give it and where it ends."""
    tag = data[at]
    if tag < 0x80:  # noqa: PLR2004 - positive fixint
        return tag, at + 1
    if tag < 0x90 or tag in {0xDE, 0xDF}:  # noqa: PLR2004 - fixmap, map
        return read_map(data, at, depth)
    if tag < 0xA0 or tag in {0xDC, 0xDD}:  # noqa: PLR2004 - fixarray, array
        return _array(data, at, depth)
    if tag < 0xC0 or 0xD9 <= tag <= 0xDB:  # noqa: PLR2004 - fixstr, str
        return _text(data, at)
    if tag >= 0xE0:  # noqa: PLR2004 - negative fixint
        return tag - 0x100, at + 1
    if 0xC4 <= tag <= 0xC6:  # noqa: PLR2004 - bin
        return _bytes(data, at)
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at + 1
    return _number(data, at)


_CONSTANTS: dict[int, bool | None] = {0xC0: None, 0xC2: False, 0xC3: True}
# tag: (width, the least value that needs this width); signed forms hold negative numbers only
_UNSIGNED = {0xCC: (1, 1 << 7), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
_SIGNED = {0xD0: (1, -(1 << 5)), 0xD1: (2, -(1 << 7)), 0xD2: (4, -(1 << 15)), 0xD3: (8, -(1 << 31))}
# tag: (width of the length, the least length that needs it)
_TEXT = {0xD9: (1, 1 << 5), 0xDA: (2, 1 << 8), 0xDB: (4, 1 << 16)}
_BYTES = {0xC4: (1, 0), 0xC5: (2, 1 << 8), 0xC6: (4, 1 << 16)}
_ARRAY = {0xDC: (2, 1 << 4), 0xDD: (4, 1 << 16)}
_MAP = {0xDE: (2, 1 << 4), 0xDF: (4, 1 << 16)}


def _number(data: bytes, at: int) -> tuple[int, int]:
    tag = data[at]
    if tag in _UNSIGNED:
        width, least = _UNSIGNED[tag]
        end = at + 1 + width
        number = int.from_bytes(_take(data, at + 1, end), "big")
        if number < least:
            raise StrictError("an integer that is longer than it need be")
        return number, end
    if tag in _SIGNED:
        width, below = _SIGNED[tag]
        end = at + 1 + width
        number = int.from_bytes(_take(data, at + 1, end), "big", signed=True)
        if number >= below:
            raise StrictError("an integer that is longer than it need be")
        return number, end
    raise StrictError("a float, an extension or a reserved byte")


def _take(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise StrictError("ends inside a value")
    return data[start:end]


def _length(data: bytes, at: int, forms: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Give the length written after the tag at `at`, and where it ends."""
    width, least = forms[data[at]]
    end = at + 1 + width
    length = int.from_bytes(_take(data, at + 1, end), "big")
    if length < least:
        raise StrictError("a length that is longer than it need be")
    return length, end


def _text(data: bytes, at: int) -> tuple[str, int]:
    tag = data[at]
    if tag < 0xC0:  # noqa: PLR2004 - fixstr
        end = at + tag - 0x9F
        word = _words.get(data[at:end])
        if word is not None:
            return word, end
        start = at + 1
    else:
        length, start = _length(data, at, _TEXT)
        end = start + length
    if end > len(data):
        raise StrictError("ends inside a value")
    try:
        text = str(data[start:end], "utf-8")
    except UnicodeDecodeError:
        raise StrictError("a string that is not UTF-8") from None
    if end - at <= _WORD_BYTES and len(_words) < _WORDS_BOUND:
        _words[data[at:end]] = text
    return text, end


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, start = _length(data, at, _BYTES)
    end = start + length
    return _take(data, start, end), end


def _array(data: bytes, at: int, depth: int) -> tuple[list[object], int]:
    if depth == 0:
        raise StrictError("nested too deep")
    tag = data[at]
    length, at = (tag & 0x0F, at + 1) if tag < 0xA0 else _length(data, at, _ARRAY)  # noqa: PLR2004 - fixarray
    items: list[object] = []
    # A length that lies runs into the end of the data after as many steps as there are bytes.
    for _ in range(length):
        item, at = read_value(data, at, depth - 1)
        items.append(item)
    return items, at


def read_map(data: bytes, at: int, depth: int) -> tuple[dict[str, object], int]:
    """Decode a map; its short strings and small integers in place, because verifying spends its time here."""
    if depth == 0:
        raise StrictError("nested too deep")
    tag = data[at]
    length, at = (tag & 0x0F, at + 1) if tag < 0x90 else _length(data, at, _MAP)  # noqa: PLR2004 - fixmap
    pairs: dict[str, object] = {}
    last = ""
    for _ in range(length):
        tag = data[at]
        if not (0xA0 <= tag < 0xC0 or 0xD9 <= tag <= 0xDB):  # noqa: PLR2004 - fixstr, str
            raise StrictError("a map key that is not a string")
        # A key that is cut off is found out by its value, which is not there.
        key = _words.get(data[at : at + tag - 0x9F])
        if key is None:
            key, at = _text(data, at)
        else:
            at += tag - 0x9F
        # Python compares str by code point, which is the order of their UTF-8 bytes.
        if key <= last and pairs:
            raise StrictError("map keys that do not ascend")
        last = key
        tag = data[at]
        if tag < 0x80:  # noqa: PLR2004 - positive fixint
            pairs[key] = tag
            at += 1
        elif 0xA0 <= tag < 0xC0:  # noqa: PLR2004 - fixstr
            word = _words.get(data[at : at + tag - 0x9F])
            if word is None:
                pairs[key], at = _text(data, at)
            else:
                pairs[key] = word
                at += tag - 0x9F
        else:
            pairs[key], at = read_value(data, at, depth - 1)
    return pairs, at


# --- section 3 --------------------------------------------------------------------------------------------------------


def entry(data: bytes) -> Strict:
    """Read one entry; raises StrictError with the first rule it breaks."""
    if len(data) > MAX_ENTRY:
        raise StrictError("longer than an entry may be")
    try:
        return checked(*_fields(data))
    except IndexError:
        raise StrictError("ends inside a value") from None


def _key(data: bytes, at: int, name: bytes) -> int:
    """Pass the key `name` (tag included); its place in the order is part of the canonical form."""
    if not data.startswith(name, at):
        letters = bytes(byte for byte in name if chr(byte).islower()).decode("ascii", "ignore")
        raise StrictError(f"the key {letters} is not where it belongs")
    return at + len(name)


def _fields(data: bytes) -> tuple[Strict, int]:
    """Read the twelve fields in their only order; give them and the header's length."""
    at, i = _uint(data, _key(data, 0, b"\x8c\xa2at"))
    commit, i = _bin(data, _key(data, i, b"\xa6commit"), 32)
    head_start = _key(data, i, b"\xa4head")
    if not (0x80 <= data[head_start] < 0x90 or data[head_start] in _MAP):  # noqa: PLR2004 - fixmap, map
        raise StrictError("the header is not a map")
    # The entry itself is a level of nesting above the header.
    head, i = read_map(data, head_start, MAX_DEPTH - 1)
    head_bytes = i - head_start
    index, i = _uint(data, _key(data, i, b"\xa5index"))
    key, i = _bin(data, _key(data, i, b"\xa3key"), 16)
    kind, i = _str(data, _key(data, i, b"\xa4kind"))
    op, i = _bin(data, _key(data, i, b"\xa2op"), 16)
    origin, i = _str(data, _key(data, i, b"\xa6origin"))
    part, i = _uint(data, _key(data, i, b"\xa4part\x92"))
    parts, i = _uint(data, i)
    payload, i = _bin(data, _key(data, i, b"\xa7payload"), 0)
    session, i = _bin(data, _key(data, i, b"\xa7session"), 16)
    version, i = _uint(data, _key(data, i, b"\xa1v"))
    if version != 1:
        raise StrictError(f"an entry of version {version}")
    if i != len(data):
        raise StrictError("something follows the entry")
    return Strict(index, at, kind, session, op, origin, head, commit, key, part, parts, payload), head_bytes


def _uint(data: bytes, at: int) -> tuple[int, int]:
    tag = data[at]
    if tag < 0x80:  # noqa: PLR2004 - positive fixint
        return tag, at + 1
    if tag not in _UNSIGNED:
        raise StrictError("a field that is not an integer from 0")
    return _number(data, at)


def _bin(data: bytes, at: int, exactly: int) -> tuple[bytes, int]:
    """Bytes; of length 0 or `exactly`, where that is given."""
    if data[at] == 0xC4:  # noqa: PLR2004 - bin 8, in place
        end = at + 2 + data[at + 1]
        value = data[at + 2 : end]
        if end > len(data):
            raise StrictError("ends inside a value")
    elif data[at] in _BYTES:
        value, end = _bytes(data, at)
    else:
        raise StrictError("a field that is not bytes")
    if exactly and value and len(value) != exactly:
        raise StrictError(f"a field that is not {exactly} bytes")
    return value, end


def _str(data: bytes, at: int) -> tuple[str, int]:
    tag = data[at]
    if not (0xA0 <= tag < 0xC0 or tag in _TEXT):  # noqa: PLR2004 - fixstr
        raise StrictError("a field that is not a string")
    return _text(data, at)


def checked(fields: Strict, head_bytes: int) -> Strict:
    """Check what holds between the fields."""
    if head_bytes > MAX_HEAD:
        raise StrictError("the header is too long")
    _check_kind(fields.kind)
    if not fields.part < fields.parts:
        raise StrictError("a part beyond the number of parts")
    if fields.part:
        if fields.head or fields.commit:
            raise StrictError("a later part with a header or commitment")
    elif bool(fields.commit) != bool(fields.payload):
        raise StrictError("a payload without commitment, or the reverse")
    if fields.key and not fields.payload:
        raise StrictError("a key without a payload")
    _check_slice(fields)
    return fields


def _check_kind(kind: str) -> None:
    if kind not in _known_kinds:
        if len(kind) > _KIND_CHARS or not _KIND.fullmatch(kind):
            raise StrictError("a kind that is not one")
        if len(_known_kinds) < _KNOWN_KINDS_BOUND:
            _known_kinds.add(kind)


def _check_slice(fields: Strict) -> None:
    if fields.parts > 1:
        last = fields.part == fields.parts - 1
        if not (1 <= len(fields.payload) <= SLICE if last else len(fields.payload) == SLICE):
            raise StrictError("a part of the wrong length")
    elif len(fields.payload) > SLICE:
        raise StrictError("a payload that belongs into parts")


# --- section 4 --------------------------------------------------------------------------------------------------------


def payload(fields: Strict, blob: bytes, is_map: Callable[[bytes], bool] | None = None) -> None:
    """Check an event's payload as far as that goes without its key; `fields` is part 0, `blob` all parts joined.

    `is_map` answers for a body what this module would, where somebody knows a quicker way.
    """
    if fields.key:
        if len(blob) < TAG_BYTES + 64 or (len(blob) - TAG_BYTES) % 64:
            raise StrictError("a seal of the wrong length")
        return
    if len(blob) < 64 or len(blob) % 64:  # noqa: PLR2004 - section 4.1 pads to 64
        raise StrictError("a payload of the wrong length")
    length = int.from_bytes(blob[32:36], "big")
    end = 36 + length
    if not 0 <= len(blob) - end < 64 or blob.count(0, end) != len(blob) - end:  # noqa: PLR2004 - padding
        raise StrictError("a payload whose length and padding do not agree")
    body = blob[36:end]
    if hashlib.sha256(b"doorward/commitment/v1\x00" + blob[:32] + body).digest() != fields.commit:
        raise StrictError("the payload does not match its commitment")
    if length > MAX_BODY or not (isinstance(decode(body), dict) if is_map is None else is_map(body)):
        raise StrictError("a payload that is no map, or too long")
