"""What to mask, proposed: from the names of columns, and from what was found in a sample of their values.

What it is: `propose`, names and shares to one proposal a column, and one for text of any column; `without`, the
operator's choice among them; `judged` and `content`, of which other targets make their proposals.
What it will not do: see a value (`init_sample` hands on shares only), or decide: an operator confirms.

Invariants: pure; the same catalogue and shares give the same proposals, in the order of their names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doorward_console.init_names import kind_of
from doorward_console.init_sample import Look, Share, holds, tables
from doorward_console.init_words import Family, Kind
from doorward_core.mask.patterns import GROUPS

if TYPE_CHECKING:
    from doorward_core.sql.catalog import Catalog

_BY_DETECTOR: Mapping[str, Kind] = {
    "email": Kind.EMAIL,
    "card": Kind.CARD,
    "iban": Kind.IBAN,
    "phone": Kind.PHONE,
    "ipv4": Kind.IP_ADDRESS,
    **dict.fromkeys(GROUPS["national-id"], Kind.NATIONAL_ID),
    **dict.fromkeys(GROUPS["secrets"], Kind.SECRET),
}
# In words, what a value is said to be.
_WORDS: Mapping[Kind, str] = {
    Kind.SECRET: "secrets",
    Kind.IP_ADDRESS: "IP addresses",
    Kind.EMAIL: "email addresses",
    Kind.IBAN: "IBANs",
    Kind.CARD: "card numbers",
    Kind.NATIONAL_ID: "national ids",
    Kind.PHONE: "phone numbers",
}
TRANSFORMS: Mapping[Kind, str] = {
    Kind.SECRET: "redact",
    Kind.IP_ADDRESS: "redact",
    Kind.EMAIL: "partial",
    Kind.IBAN: "partial",
    Kind.CARD: "partial",
    Kind.NATIONAL_ID: "hash",  # one can still join on it
    Kind.PHONE: "partial",
    Kind.BIRTH_DATE: "redact",
    Kind.ADDRESS: "redact",
    Kind.PERSON_NAME: "partial",
}
CONTENT: Mapping[Kind, str] = {
    Kind.EMAIL: "email",
    Kind.CARD: "card",
    Kind.IBAN: "iban",
    Kind.PHONE: "phone",
    Kind.NATIONAL_ID: "national-id",
    Kind.SECRET: "secrets",
}
"""What a mask may look for within any text, by the policy's word for it. Versions look too much like IP addresses."""
CHECKED = frozenset({Kind.EMAIL, Kind.CARD, Kind.IBAN, Kind.SECRET})
"""Kinds whose shape or check digits leave little doubt: a smaller share of the values will do."""

_SURE, _LIKELY = 0.25, 0.5
_MANY = 5
"""One number of ten passes Luhn by chance: of a numeric column's values, so many and half of them must."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Mask this so, and why. `name` is what the policy matches, or words for what `detect` looks for in any text."""

    name: str
    id: str
    transform: str
    why: str
    detect: tuple[str, ...] = ()


def propose(catalog: "Catalog", seen: Look) -> tuple[Proposal, ...]:
    """Everything worth hiding."""
    found: list[Proposal] = []
    within: dict[Kind, dict[str, int]] = {}
    for table in tables(catalog):
        for column in table.columns:
            family = holds(catalog, column)
            share = seen.shares.get((table.oid, column.attnum), Share())
            judgement = judged(kind_of(table.name, column.name, family), share, family)
            if judgement is not None:
                kind, why = judgement
                name = f"{table.schema}.{table.name}.{column.name}"
                found.append(Proposal(name, kind.value, TRANSFORMS[kind], why))
            elif family is Family.TEXT:
                note_within(within, f"{table.name}.{column.name}", share)
    return (*found, *content(within, "text of any column"))


def judged(named: Kind | None, share: Share, family: Family) -> tuple[Kind, str] | None:
    """What values of this name and these shares are, and why one thinks so; None where nothing is to be hidden."""
    valued, percent = by_values(share, family)
    kind = valued if valued in CHECKED else named or valued
    return None if kind is None else (kind, _why(named, valued, percent))


def note_within(within: dict[Kind, dict[str, int]], place: str, share: Share) -> None:
    """Take note of what is found inside of values at a place, in percent of them."""
    for kind, hits in _hits(share.within, share.whole).items():
        within.setdefault(kind, {})[place] = hits * 100 // share.values


def without(
    proposals: Iterable[Proposal], left_out: Iterable[int]
) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """(what stays, what was left out), by the numbers that the operator was shown, from 1."""
    numbers = set(left_out)
    listed = list(enumerate(proposals, 1))
    kept = tuple(one for number, one in listed if number not in numbers)
    return kept, tuple(one for number, one in listed if number in numbers)


def by_values(share: Share, family: Family) -> tuple[Kind | None, int]:
    """What a column's values are, and how many in a hundred; (None, 0) where too few are of any kind."""
    hits = _hits(share.whole)
    if not hits:
        return None, 0
    kind = max(hits, key=lambda one: (hits[one], one.value))
    part = min(1.0, hits[kind] / share.values)
    enough = part >= (_SURE if kind in CHECKED and family is Family.TEXT else _LIKELY)
    if not enough or (family is Family.NUMBER and hits[kind] < _MANY):
        return None, 0
    return kind, int(part * 100)


def _hits(*counts: Mapping[str, int]) -> dict[Kind, int]:
    """Counts by kind. A label of several (`card+phone`) is what its first says; one value counts once a detector."""
    found: dict[Kind, int] = {}
    for one in counts:
        for label, number in one.items():
            kind = _BY_DETECTOR[label.partition("+")[0]]
            found[kind] = found.get(kind, 0) + number
    return found


def _why(named: Kind | None, valued: Kind | None, percent: int) -> str:
    told = ["name"] if named is not None else []
    if valued is not None:
        told.append(f"values: {percent} % {_WORDS[valued]}")
    return ", ".join(told)


def content(within: Mapping[Kind, Mapping[str, int]], name: str) -> tuple[Proposal, ...]:
    """One mask for what turned up inside of texts, wherever it turns up."""
    kinds = [kind for kind in CONTENT if kind in within]
    if not kinds:
        return ()
    examples = [
        f"{_WORDS[kind]} in {place} ({percent} %)" if percent else f"{_WORDS[kind]} in {place} (under 1 %)"
        for kind in kinds
        for place, percent in list(within[kind].items())[:2]
    ]
    detect = tuple(CONTENT[kind] for kind in kinds)
    return (Proposal(name, "content", "partial", f"found within values: {'; '.join(examples)}", detect),)
