"""Revocations and openings as JSON: what the store keeps, and what the control API shows.

It is pure. Decoding refuses (ValueError) whatever is not exactly of that shape: a ledger that cannot be read whole is
not read in part, for what is missing of it would be let in again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Final, TypeVar

from doorward_core.access.ledger import Ledger, Opening, Review, Revocation, What

VERSION: Final = 1
T = TypeVar("T", Revocation, Opening, Review)


def revocation_out(one: Revocation) -> dict[str, object]:
    """One revocation, as JSON values."""
    return {**asdict(one), "what": one.what.value}


def opening_out(one: Opening) -> dict[str, object]:
    """One opening, as JSON values."""
    return asdict(one)


def encode(ledger: Ledger) -> bytes:
    """The whole ledger in canonical JSON."""
    document = {
        "version": VERSION,
        "revocations": [revocation_out(one) for one in ledger.revocations.values()],
        "openings": [opening_out(one) for one in ledger.openings.values()],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def decode(data: bytes) -> Ledger:
    """Read back what `encode` wrote; ValueError on anything else."""
    document = json.loads(data)
    if not isinstance(document, dict) or set(document) != {"version", "revocations", "openings"}:
        raise ValueError("not a ledger")
    if document["version"] != VERSION:
        raise ValueError(f"of version {document['version']}; this gateway knows {VERSION}")
    revocations = [_made(Revocation, {**one, "what": What(one["what"])}) for one in document["revocations"]]
    openings = [_made(Opening, {**one, "review": _review(one["review"])}) for one in document["openings"]]
    return Ledger(revocations, openings)


def _review(value: object) -> Review | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("a review is an object")  # noqa: TRY004 - a document of the wrong shape, as all else here
    return _made(Review, value)


def _made(kind: type[T], given: Mapping[str, object]) -> T:
    if set(given) != {one.name for one in fields(kind)}:
        raise ValueError(f"not a {kind.__name__.lower()}")
    for one in fields(kind):
        wanted = int if one.name.endswith("_unix_ns") else str
        value = given[one.name]
        if one.name != "review" and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise ValueError(f"{kind.__name__.lower()}: {one.name} is not of type {wanted.__name__}")
    return kind(**given)  # type: ignore[arg-type]  # each was checked above
