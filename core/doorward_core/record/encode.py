"""Canonical msgpack: the only spelling that a value may have in the log.

Implements docs/spec/event-log.md section 2, both ways.
The home of the msgpack library; `record.strict` reads the same format without it.
It will not pack floats, extension types, or maps whose keys are not strings: what can be said in two ways is refused.

Invariants: `decode(encode(value)) == value`; `encode(decode(data)) == data`, and any other `data` is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgpack

from doorward_core.event import Value
from doorward_core.forms import Base, Form

# Headers are two levels deep and payloads four; 16 leaves room and keeps any recursive reader's stack small.
MAX_DEPTH = 16

_FLAT = frozenset({str, int, bytes, bool, type(None)})
# One packer for all: each call empties it, and none can come between two of its steps.
_pack = msgpack.Packer(use_bin_type=True, autoreset=True).pack
_MAX_FIXMAP = 15
_MAX_MAP = 0xFFFF


class EncodingError(ValueError):
    """A value that has no canonical spelling, or bytes that are not one."""


def encode(value: "Value | Mapping[str, Value]") -> bytes:
    """Pack `value` canonically; raises EncodingError where it cannot be."""
    try:
        if type(value) is Form:
            return _filled(value)
        packed: bytes = _pack(_ordered(value, MAX_DEPTH))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # UnicodeEncodeError (a lone surrogate) is a ValueError; OverflowError is an integer beyond 64 bits.
        raise EncodingError(f"no canonical form: {error}") from error
    return packed


def _ordered(value: Any, depth: int) -> Any:
    """Give `value` with its maps in key order, refusing what has no canonical form."""
    kind = type(value)
    if kind in _FLAT:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # a StrEnum is its value
    if depth == 0:
        raise EncodingError(f"nested deeper than {MAX_DEPTH}")
    if kind is dict or isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise EncodingError("a map key that is not a string")
        # Code point order is UTF-8 byte order, so sorting str sorts the encoded keys.
        return {
            key: item if type(item) in _FLAT else _ordered(item, depth - 1)
            for key, item in sorted(value.items(), key=_first)
        }
    if kind is list or kind is tuple:
        return [item if type(item) in _FLAT else _ordered(item, depth - 1) for item in value]
    raise EncodingError(f"{kind.__name__} has no canonical form")


def _filled(form: Form) -> bytes:
    """The same bytes as for a plain map of the same fields; what is constant was packed before."""
    rest = form.rest
    names = tuple(rest)
    pieces = form.base.packed.get(names)
    if pieces is None:
        pieces = form.base.packed[names] = _pieces(form.base, names)
    out: list[bytes] = []
    for piece, item in zip(pieces, rest.values(), strict=False):
        out.append(piece)
        out.append(_pack(item if type(item) in _FLAT else _ordered(item, MAX_DEPTH - 1)))
    out.append(pieces[-1])
    return b"".join(out)


def _pieces(base: Base, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """What stands before each of the values that vary, and after the last: the head of the map, keys, constant values.

    Raises EncodingError for names that do not ascend or are in the base, which no caller of ours gives.
    """
    every = sorted((*base.fields, *names))
    if list(names) != sorted(names) or len(set(every)) != len(every) or len(every) > _MAX_MAP:
        raise EncodingError("a form whose names are not in order, or occur twice")
    count = len(every)
    piece = bytes((0x80 | count,)) if count <= _MAX_FIXMAP else b"\xde" + count.to_bytes(2, "big")
    pieces: list[bytes] = []
    for name in every:
        piece += encode(name)
        if name in base.fields:
            piece += _pack(_ordered(base.fields[name], MAX_DEPTH - 1))
        else:
            pieces.append(piece)
            piece = b""
    return (*pieces, piece)


def _first(pair: tuple[str, object]) -> str:
    return pair[0]


def decode(data: bytes) -> Value:
    """Unpack exactly one canonical value; raises EncodingError for anything else.

    The library is told to refuse what it can; packing the result again and comparing finds the rest
    (order, doubles, longer forms), because a value has one spelling.
    """
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=True, max_ext_len=0)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise EncodingError(f"not msgpack: {type(error).__name__}") from error
    if encode(value) != data:
        raise EncodingError("not in canonical form")
    return cast("Value", value)


# --- between the gateway and its writer process -----------------------------------------------------------------------


def pack_message(parts: tuple[int | bytes | str | None, ...]) -> bytes:
    """Pack one message of the pipe: a flat array, which needs no ordering."""
    packed: bytes = _pack(parts)
    return packed


class Messages:
    """Messages of the pipe out of chunks. `bound_bytes` is the largest backlog it keeps."""

    def __init__(self, bound_bytes: int) -> None:
        self._unpacker = msgpack.Unpacker(
            use_list=False, raw=False, max_buffer_size=bound_bytes, max_ext_len=0, max_map_len=0
        )

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take a chunk as it came."""
        self._unpacker.feed(chunk)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give each whole message once; the rest stays for the next chunk."""
        yield from self._unpacker
