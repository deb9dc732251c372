"""What to mask, proposed: from the names of columns, and from what was found in a sample of their values.

What it is: `propose`, names and shares to one proposal a column, and one for text of any column; `without`, the
operator's choice among them.
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
    """Mask this column so, and why. `column` is empty for what is looked for in any text: `detect` then says what."""

    schema: str
    table: str
    column: str
    id: str
    transform: str
    why: str
    detect: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`schema.table.column`, as the policy matches it."""
        return f"{self.schema}.{self.table}.{self.column}" if self.column else "text of any column"


def propose(catalog: "Catalog", seen: Look) -> tuple[Proposal, ...]:
    """Everything worth hiding."""
    found: list[Proposal] = []
    within: dict[Kind, dict[str, int]] = {}
    for table in tables(catalog):
        for column in table.columns:
            family = holds(catalog, column)
            share = seen.shares.get((table.oid, column.attnum), Share())
            named, (valued, percent) = kind_of(table.name, column.name, family), by_values(share, family)
            if (kind := valued if valued in CHECKED else named or valued) is not None:
                why = _why(named, valued, percent)
                found.append(Proposal(table.schema, table.name, column.name, kind.value, TRANSFORMS[kind], why))
            elif family is Family.TEXT:
                for kind, hits in _hits(share.within, share.whole).items():
                    within.setdefault(kind, {})[f"{table.name}.{column.name}"] = hits * 100 // share.values
    return (*found, *_content(within))


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


def _content(within: Mapping[Kind, Mapping[str, int]]) -> tuple[Proposal, ...]:
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
    return (Proposal("", "", "", "content", "partial", f"found within values: {'; '.join(examples)}", detect),)
