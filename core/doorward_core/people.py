"""When two names are one person: for everything that somebody else must do.

It is pure, and lets nobody in: it only ever keeps people out.
"""

import unicodedata


def fold(name: str) -> str:
    """One spelling per name: compatibility forms, capitals and invisible characters are no second person."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(character for character in plain if unicodedata.category(character) != "Cf").strip()


def people(subject: str, display: str) -> frozenset[str]:
    """The names under which one person may appear.

    `display` never lets anyone in; where it is a mail address it may keep someone out, for a sponsor is often named
    by address while the subject is an opaque number.
    """
    names = {fold(subject)}
    if "@" in display:
        names.add(fold(display))
    return frozenset(names - {""})
