r"""Arrays, text and binary: every element replaced, the shape and the NULLs kept.

It knows nothing of element types: who calls it hands in what makes one element of another.
Sources: PostgreSQL `array_out` (text) and `array_send` (binary).

    text     [l:u][l:u]={{a,"b c"},{NULL,"with \" and \\"}}    the bounds only where they are not 1
    binary   i32 dimensions, i32 has-null, u32 element type, then per dimension i32 size, i32 lower bound,
             then per element i32 length (-1 is NULL) and that many bytes

What is not such an array raises ValueError, and the caller hides it whole.
"""

import struct
from collections.abc import Callable
from struct import Struct
from typing import Final

Replace = Callable[[bytes], bytes | None]

_I32: Final = Struct("!i")
_HEAD: Final = Struct("!iiI")
_DIMENSION: Final = Struct("!ii")
_MAX_DIMENSIONS: Final = 6  # MAXDIM
_NULL: Final = b"\xff\xff\xff\xff"
_SYNTAX: Final = b'{},"\\'


def replace_text(value: bytes, replace: Replace) -> bytes:
    """The array's text with each element replaced. One pass, whatever is in it."""
    start = value.find(b"=") + 1 if value[:1] == b"[" else 0
    if value[start : start + 1] != b"{":
        raise ValueError("no array begins here")
    out = [value[:start]]
    position, depth = start, 0
    while position < len(value):
        byte = value[position : position + 1]
        if byte in (b"{", b"}", b","):
            depth += {b"{": 1, b"}": -1}.get(byte, 0)
            if depth < 0 or (depth == 0 and position != len(value) - 1):
                raise ValueError("the braces of an array do not match")
            out.append(byte)
            position += 1
            continue
        element, position = _quoted(value, position) if byte == b'"' else _bare(value, position)
        new = None if element is None else replace(element)
        out.append(b"NULL" if new is None else quote(new))
    if depth:
        raise ValueError("an array does not end")
    return b"".join(out)


def _quoted(value: bytes, start: int) -> tuple[bytes, int]:
    """An element in quotation marks, unescaped, and where it ends."""
    out = bytearray()
    position = start + 1
    while position < len(value):
        byte = value[position]
        if byte == 0x22:  # noqa: PLR2004 - the closing mark
            return bytes(out), position + 1
        if byte == 0x5C:  # noqa: PLR2004 - a backslash takes the next byte as it is
            position += 1
            if position == len(value):
                break
        out.append(value[position])
        position += 1
    raise ValueError("a quoted element does not end")


def _bare(value: bytes, start: int) -> tuple[bytes | None, int]:
    """An element without quotation marks: NULL where it says so."""
    position = start
    while position < len(value) and value[position] not in _SYNTAX:
        position += 1
    element = value[start:position]
    if not element or value[position : position + 1] in (b'"', b"\\", b"{"):
        raise ValueError("an element is not what array_out writes")
    return (None if element.upper() == b"NULL" else element), position


def quote(element: bytes) -> bytes:
    """An element as array_out may write it; always in quotation marks, which is always allowed."""
    return b'"' + element.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def replace_binary(value: bytes, replace: Replace) -> bytes:
    """The array's binary form with each element replaced.

    An element of another type than the caller thinks changes nothing: what `replace` cannot read it makes NULL.
    """
    try:
        dimensions, _, element_type = _HEAD.unpack_from(value, 0)
        if not 0 <= dimensions <= _MAX_DIMENSIONS:
            raise ValueError("an array of too many dimensions")
        position = _HEAD.size + dimensions * _DIMENSION.size
        count = 1 if dimensions else 0
        for place in range(dimensions):
            count *= _DIMENSION.unpack_from(value, _HEAD.size + place * _DIMENSION.size)[0]
        if not 0 <= count <= len(value) // 4:
            raise ValueError("an array of more elements than it has bytes for")
        elements, position = _elements(value, position, count, replace)
    except struct.error as problem:
        raise ValueError("an array ends too soon") from problem
    if position != len(value):
        raise ValueError("an array has bytes after its end")
    nulls = int(any(element is _NULL for element in elements))
    shape = value[_HEAD.size : _HEAD.size + dimensions * _DIMENSION.size]
    return b"".join([_HEAD.pack(dimensions, nulls, element_type), shape, *elements])


def _elements(value: bytes, position: int, count: int, replace: Replace) -> tuple[list[bytes], int]:
    """Each element's bytes with their length in front, and where the last one ends."""
    elements: list[bytes] = []
    for _ in range(count):
        (length,) = _I32.unpack_from(value, position)
        position += 4
        new: bytes | None = None
        if length != -1:
            if length < 0 or position + length > len(value):
                raise ValueError("an element is longer than its array")
            new = replace(value[position : position + length])
            position += length
        elements.append(_NULL if new is None else _I32.pack(len(new)) + new)
    return elements, position
