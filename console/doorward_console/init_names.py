"""From a column's name to what it probably holds, in a dozen languages: no database, no values.

Invariants: pure; a name is folded (case, accents, camelCase, separators) before it is looked up; what a type cannot
hold is not proposed (a boolean `email_verified` is no address, an integer `address_id` no address either).
"""

import re
import unicodedata

from doorward_console.init_words import ABOUT, ASKING, NAMES, PEOPLE, VOCABULARY, Family, Kind, Words

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "ł": "l", "Ł": "L", "đ": "d", "œ": "oe"})
_NEIGHBOURS = 3  # `date of birth`, `mot de passe`: three words read as one; longer ones are found `within`
_PLURALS = ("", "s", "n", "en", "e", "es", "i", "er")
_KEYED = frozenset({Family.NUMBER, Family.UUID})

_FAMILIES = {
    **dict.fromkeys(("text", "varchar", "bpchar", "char", "name", "citext", "json", "jsonb", "xml", "hstore"),
                    Family.TEXT),
    **dict.fromkeys(("int2", "int4", "int8", "numeric"), Family.NUMBER),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), Family.DATE),
    **dict.fromkeys(("inet", "cidr"), Family.NETWORK),
    "bytea": Family.BYTES,
    "uuid": Family.UUID,
}  # fmt: skip


def family(type_name: str) -> Family:
    """The family of a type, by its name in pg_type; of an array's element, of a domain's base."""
    return _FAMILIES.get(type_name, Family.OTHER)


def kind_of(table: str, column: str, holds: Family) -> Kind | None:
    """What a column of this name and type most probably holds; None where nothing is to be said."""
    words = split(column)
    if not words or words[-1] in ABOUT or words[0] in ASKING:
        return None
    for entry in VOCABULARY:
        if holds in entry.families and _called(entry, words, holds):
            return entry.kind
    if holds is Family.TEXT and "".join(words) in NAMES and _of_people(table):
        return Kind.PERSON_NAME
    return None


def split(name: str) -> list[str]:
    """The words of a name, folded: `GeburtsDatum2` and `geburts_datum_2` give the same three."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode("ascii")
    return [word.lower() for word in _WORD.findall(plain)]


def _called(entry: Words, words: list[str], holds: Family) -> bool:
    """Whether a column is called so. A number or UUID named `..._id` points elsewhere, unless an id is what it is."""
    joined = "".join(words)
    if joined in entry.alone:
        return True
    if words[-1] == "id" and holds in _KEYED and not _ends_in_id(entry, joined):
        return False
    if any(part in joined for part in entry.within):
        return True
    runs = (
        "".join(words[start : start + count])
        for count in range(1, _NEIGHBOURS + 1)
        for start in range(len(words) - count + 1)
    )
    return not entry.words.isdisjoint(runs)


def _ends_in_id(entry: Words, joined: str) -> bool:
    known = [word for word in (*entry.within, *entry.words) if word.endswith("id")]
    return any(joined.endswith(word) for word in known)


def _of_people(table: str) -> bool:
    """Whether a table's name says that its rows are people."""
    return any(
        word.removesuffix(ending) in PEOPLE if ending else word in PEOPLE
        for word in split(table)
        for ending in _PLURALS
    )
