"""Many values at once: what `transforms` makes of each, most of them by one pass over all.

It decides nothing and knows no wire format: a proxy hands in the values of one column, or what one detector found, and
gets as many back.
Implements ARCHITECTURE.md, "Masks"; what a transform is, `transforms` says.

Invariants:
- What comes out for a value is, byte for byte, what `transforms` makes of that value alone.
- Linear in the bytes of all values together: no pattern here goes back over a value that it has left.
"""

import re
from binascii import hexlify
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from doorward_core.mask import transforms

_BLOCK_BYTES: Final = 64  # of SHA-256
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_KNOWN: Final = 4_096  # a first letter and a top-level domain: more than these are made up to fill memory
# One value and the NUL behind it. The groups are what is shown of an address in its everyday form: printable ASCII,
# three characters or more before its only @, a short top-level domain. They are empty for any other value.
_EVERYDAY: Final = re.compile(rb"(?:([A-Za-z0-9])[!-?A-~]{2,}@[!-?A-~]*\.([A-Za-z]{1,6})|[^\0]*)\0")


class _Shown(dict[tuple[bytes, bytes], bytes]):
    """What is shown of an everyday address, by its first letter and top-level domain; empty for what is none."""

    def __missing__(self, parts: tuple[bytes, bytes]) -> bytes:
        if len(self) >= _KNOWN:
            self.clear()
        first, top = parts
        shown = self[parts] = b"%b***@***.%b" % parts if first and top else b""
        return shown


_shown: Final = _Shown()


def partials(values: Sequence[bytes], label: str) -> list[bytes]:
    """`transforms.partial` of each value, as UTF-8."""
    found = everyday(values, label)
    if b"" in found:
        return [new or _partial(value, label) for new, value in zip(found, values, strict=True)]
    return found


def everyday(values: Sequence[bytes], label: str) -> list[bytes]:
    """The same for addresses in their everyday form, in letters, stars and dots; empty for any other value."""
    if transforms.tries_email_first(label):
        parts = _EVERYDAY.findall(b"\0".join([*values, b""]))
        if len(parts) == len(values):  # else one of them holds a NUL
            return list(map(_shown.__getitem__, parts))
    return [b""] * len(values)


def _partial(value: bytes, label: str) -> bytes:
    return transforms.partial(value.decode("utf-8", "surrogateescape"), label).encode("utf-8", "replace")


def tokens(values: Sequence[bytes], *, key: bytes, label: str) -> list[bytes]:
    """`transforms.token` of each value: RFC 2104 by hand, what does not depend on the value hashed once for all."""
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(block.translate(_INNER) + transforms.digest_prefix(label))
    outer = sha256(block.translate(_OUTER))
    name, size = transforms.token_name(label).encode() + b"_", transforms.TOKEN_BYTES
    out: list[bytes] = []
    for value in values:
        within, around = inner.copy(), outer.copy()
        within.update(value)
        around.update(within.digest())
        out.append(name + hexlify(around.digest()[:size]))
    return out
