"""What becomes of one masked value, as text: `redact`, `partial`, `hash`, `null`.

It decides nothing about which values are masked (`select`, `detect`), and knows no wire format and no typed column:
a proxy that owes a number or a date makes one that is valid for its type.
Implements ARCHITECTURE.md, "Masking"; the keyed token is HMAC-SHA-256 (RFC 2104).

Invariants:
- `redact` and `null` do not depend on the value at all.
- `hash` depends on it through HMAC only: equal values of one label give equal tokens, and nobody without the key
  can turn one back, or make one to compare with.
- `partial` shows at most `MAX_SHOWN` characters of a value, and none of one that is too short to hide behind them.
- What is made holds only printable ASCII that needs no quoting in JSON, CSV, COPY or an array, besides one letter
  or digit of the value itself. No detector finds anything in what `redact` and `partial` make.
"""

import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from doorward_core.model import Transform

HIDDEN: Final = "***"  # of one width, so that the length of what is hidden is hidden too
MAX_SHOWN: Final = 8  # characters of the value in a partial mask: country and last four of an IBAN are six

_LABELS: Final = 256  # labels come from the policy: there are few
TOKEN_BYTES: Final = 16  # 128 bits: no two values of a table meet by chance
_LABEL_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LABEL_CHARS: Final = 40  # a label is a word in the policy, not a text
# Below these a first letter is too much of the whole.
_MIN_SHOW_FIRST: Final = 4
_MIN_LOCAL: Final = 3
_MAX_TOP_LEVEL: Final = 6
_MIN_CARD_DIGITS: Final = 12
_MAX_CARD_DIGITS: Final = 19
_MIN_IBAN: Final = 15
_MAX_IBAN: Final = 34
_MIN_PHONE_DIGITS: Final = 7
_CARD_MARKS: Final = dict.fromkeys(map(ord, " -."))
_PHONE_MARKS: Final = dict.fromkeys(map(ord, "+ ().-/"))
_STARS: Final = str.maketrans("0123456789", "*" * 10)
_PLAIN_MARKS: Final = str.maketrans("()/", "   ")


def apply(transform: Transform, value: str, *, key: bytes, label: str) -> str | None:
    """Give the text that stands in place of `value`; None stands for the target's own NULL."""
    if transform is Transform.NULL:
        return None
    if transform is Transform.HASH:
        return token(value.encode("utf-8", "surrogateescape"), key=key, label=label)
    if transform is Transform.PARTIAL:
        return partial(value, label)
    return redacted(label)


def redacted(label: str) -> str:
    """The text that says that something was here, and under which label it was hidden."""
    name = plain_label(label)
    return f"[masked:{name}]" if name else "[masked]"


@lru_cache(maxsize=_LABELS)
def plain_label(label: str) -> str:
    """The label with nothing in it that any format would have to quote."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in label[:_LABEL_CHARS]
    )


def digest(value: bytes, *, key: bytes, label: str) -> bytes:
    """32 keyed bytes that stand for `value` under `label`. The label's length is part of it: no two pairs collide."""
    return hmac.digest(key, digest_prefix(label) + value, "sha256")


def digest_prefix(label: str) -> bytes:
    """What stands before the value in what is hashed."""
    name = label.encode()
    return b"doorward-mask@1\0" + len(name).to_bytes(4, "big") + name


def token(value: bytes, *, key: bytes, label: str) -> str:
    """A stable token for `value`: one can join on it, and on nothing else."""
    return f"{token_name(label)}_{digest(value, key=key, label=label)[:TOKEN_BYTES].hex()}"


def token_name(label: str) -> str:
    """The word before a token's digits."""
    return plain_label(label) or "masked"


# --- partial ---------------------------------------------------------------------------------------------------------


def partial(value: str, label: str) -> str:
    """Show the kind of value, and just enough to tell two of them apart by eye.

    The label says which kind it is where it names one (`email`, `customer-iban`), else the value's own shape does.
    A value that is not of the kind it should be is treated as plain text.
    """
    for mask in _masks_for(label):
        shown = mask(value)
        if shown is not None:
            return shown
    return _plain(value)


def tries_email_first(label: str) -> bool:
    """Whether `partial` under this label takes a value for an address before anything else."""
    return _masks_for(label)[0] is _email


@lru_cache(maxsize=_LABELS)
def _masks_for(label: str) -> tuple[Callable[[str], str | None], ...]:
    """The one mask that the label names, else all of them."""
    named = tuple(mask for kind, mask in _KINDS.items() if kind in label.lower())
    return named[:1] or tuple(_KINDS.values())


def _plain(value: str) -> str:
    """`J***`: the first letter of a text long enough to keep the rest to itself."""
    return _first(value, _MIN_SHOW_FIRST) + HIDDEN


def _first(value: str, least: int) -> str:
    """The first character, where the text is long enough and it is a letter or digit: nothing that needs quoting."""
    return value[0] if len(value) >= least and value[0].isalnum() else ""


def _email(value: str) -> str | None:
    """`j***@***.com`. `@` is followed by `*`, so that a detector does not find the mask."""
    local, at, domain = value.strip().rpartition("@")
    if not at or "@" in local or domain.split() != [domain]:
        return None
    top = domain.rpartition(".")[2] if "." in domain else ""
    known = top.isascii() and top.isalpha() and len(top) <= _MAX_TOP_LEVEL
    return f"{_first(local, _MIN_LOCAL)}{HIDDEN}@{HIDDEN}" + (f".{top}" if known else "")


def _card(value: str) -> str | None:
    """`************1111`: the last four, as PCI DSS 3.4 allows, in the grouping that the value had."""
    bare = value.translate(_CARD_MARKS)
    if not (_MIN_CARD_DIGITS <= len(bare) <= _MAX_CARD_DIGITS and bare.isdigit() and bare.isascii()):
        return None
    return _keep_last_digits(value.strip(" -."), 4)


def _iban(value: str) -> str | None:
    """`DE** **** **** **** **30 00`: country and last four."""
    bare = value.replace(" ", "")
    if not (_MIN_IBAN <= len(bare) <= _MAX_IBAN and bare.isascii() and bare.isalnum()):
        return None
    if not (bare[:2].isalpha() and bare[2:4].isdigit()):
        return None
    return bare[:2].upper() + "*" * (len(bare) - 6) + bare[-4:]


def _phone(value: str) -> str | None:
    """`+** *** ***67`: the last two."""
    bare = value.translate(_PHONE_MARKS)
    if not (_MIN_PHONE_DIGITS <= len(bare) <= _MAX_CARD_DIGITS and bare.isdigit() and bare.isascii()):
        return None
    return _keep_last_digits(value.strip(), 2)


def _keep_last_digits(value: str, count: int) -> str:
    """Stars for every digit but the last `count`; separators stay, in a form that no format has to quote."""
    at, left = len(value), count
    while at and left:
        at -= 1
        left -= value[at].isdigit()
    return (value[:at].translate(_STARS) + value[at:]).translate(_PLAIN_MARKS)


# In this order: an IBAN is tried before a card, and a card before a phone number, the narrower shape first.
_KINDS: Final[dict[str, Callable[[str], str | None]]] = {
    "email": _email,
    "iban": _iban,
    "card": _card,
    "phone": _phone,
}
