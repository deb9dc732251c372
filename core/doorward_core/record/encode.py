"""Canonical msgpack: the only spelling that a value may have in the log.

Implements docs/spec/event-log.md section 2, both ways.
The home of the msgpack library; `record.strict` reads the same format without it.
It will not pack floats, extension types, or maps whose keys are not strings: what can be said in two ways is refused.

Invariants: `decode(encode(value)) == value`; `encode(decode(data)) == data`, and any other `data` is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgpack

from doorward_core.model import Value

# Headers are two levels deep and payloads four; 16 leaves room and keeps any recursive reader's stack small.
MAX_DEPTH = 16

_FLAT = frozenset({str, int, bytes, bool, type(None)})
_packb = msgpack.packb


class EncodingError(ValueError):
    """A value that has no canonical spelling, or bytes that are not one."""


def encode(value: "Value | Mapping[str, Value]") -> bytes:
    """Pack `value` canonically; raises EncodingError where it cannot be."""
    try:
        packed: bytes = _packb(_ordered(value, MAX_DEPTH), use_bin_type=True)
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
    packed: bytes = _packb(parts, use_bin_type=True)
    return packed


class Messages:
    """Messages of the pipe out of chunks. `bound_bytes` is the largest backlog it keeps."""

    def __init__(self, bound_bytes: int) -> None:
        self._unpacker = msgpack.Unpacker(
            use_list=False, raw=False, max_buffer_size=bound_bytes, max_ext_len=0, max_map_len=0
        )

    def feed(self, chunk: bytes) -> None:
        """Take a chunk as it came."""
        self._unpacker.feed(chunk)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give each whole message once; the rest stays for the next chunk."""
        yield from self._unpacker
