"""What each content detector looks for: a prefilter, an exact pattern, and the check that decides.

Every pattern is RE2 (linear in the text, whatever the text) over bytes read as Latin-1, so that a byte above 0x7F is
one character and UTF-8 letters count as letters.
It searches nothing itself: `detect` does.
Source for the shapes: RFC 5322 (addr-spec, without quoting and folding), ISO/IEC 7812, ISO 13616, ITU-T E.164,
RFC 7519 (JWT), RFC 7468 (PEM), and the national registers named in `checksums`.

Invariants (tested for each detector):
- A prefilter is a *necessary* condition with no anchor and no word boundary in it, so that it may run over a raw
  buffer with length words between the fields and still miss nothing.
- No exact pattern matches a NUL byte: NUL separates fields that are searched together.
- A checker is given the joined text and one match, and gives back the spans inside it that are to be hidden.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from doorward_core.mask import checksums, emails

Spans = tuple[tuple[int, int], ...]
Check = Callable[[bytes, int, int], Spans]
Find = Callable[[bytes], Sequence[tuple[int, int]] | None]

# Trying every window of a run costs some microseconds a group: a run in more groups than this is hidden whole.
_MAX_GROUPS: Final = 4096


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of content. `check` says which parts of a match are it; none means a false alarm.

    `again`: after a false alarm the search goes on one byte further, because another match may begin within it.
    It is off where a match is maximal and its check has tried every part.
    `find` and `near` stand in for `exact` and `prefilter` where they are there, for less: `find` finds the same, or
    gives None for a text that it leaves to `exact`; `near` is as necessary.
    """

    name: str
    prefilter: bytes
    exact: bytes
    check: Check
    again: bool = True
    find: Find | None = None
    near: re.Pattern[bytes] | None = None


def _all_of_it(_data: bytes, start: int, end: int) -> Spans:
    """The pattern alone decides."""
    return ((start, end),)


def _standing_alone(data: bytes, start: int, end: int) -> bool:
    """Whether no digit touches the match: a part of a longer number is another number."""
    return not (data[start - 1 : start].isdigit() or data[end : end + 1].isdigit())


def _digits(data: bytes, start: int, end: int) -> str:
    return data[start:end].translate(None, b" .-").decode("latin-1")


def _number(valid: Callable[[str], bool]) -> Check:
    """A number that stands alone and whose digits pass `valid`."""

    def check(data: bytes, start: int, end: int) -> Spans:
        return ((start, end),) if _standing_alone(data, start, end) and valid(_digits(data, start, end)) else ()

    return check


def _code(valid: Callable[[str], bool]) -> Check:
    """A code of letters and digits that stands alone and passes `valid` without its separators."""

    def check(data: bytes, start: int, end: int) -> Spans:
        if data[start - 1 : start].isalnum() or data[end : end + 1].isalnum():
            return ()
        bare = data[start:end].translate(None, b" -.").decode("latin-1")
        return ((start, end),) if valid(bare) else ()

    return check


# --- cards -----------------------------------------------------------------------------------------------------------


def _groups(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The unbroken runs of digits within a match, as far as `_MAX_GROUPS` and one more."""
    groups: list[tuple[int, int]] = []
    position = start
    while position < end and len(groups) <= _MAX_GROUPS:
        stop = position
        while stop < end and 48 <= data[stop] <= 57:  # noqa: PLR2004 - ASCII 0 to 9
            stop += 1
        if stop > position:
            groups.append((position, stop))
        position = stop + 1
    return groups


def _card(data: bytes, start: int, end: int) -> Spans:
    """Every issued card number that begins and ends with a group of digits: text around it may hold digits too."""
    groups = _groups(data, start, end)
    if len(groups) > _MAX_GROUPS:
        return ((start, end),)
    spans = []
    first = 0
    while first < len(groups):
        last = _card_ending(data, groups, first)
        if last is None:
            first += 1
            continue
        spans.append((groups[first][0], groups[last][1]))
        first = last + 1
    return tuple(spans)


def _card_ending(data: bytes, groups: list[tuple[int, int]], first: int) -> int | None:
    """The group that ends the longest card number beginning with group `first`."""
    found = None
    start, digits = groups[first][0], 0
    for place in range(first, len(groups)):
        begin, end = groups[place]
        digits += end - begin
        if digits > checksums.CARD_MAX_DIGITS:
            break
        if digits >= checksums.CARD_MIN_DIGITS and checksums.issued_card(_digits(data, start, end)):
            found = place
    return found


# --- IBANs -----------------------------------------------------------------------------------------------------------


def _iban(data: bytes, start: int, end: int) -> Spans:
    """The IBAN at the start of the match: its country says how long it is, and what follows is other text."""
    length = checksums.IBAN_LENGTHS.get(data[start : start + 2].decode("latin-1").upper(), 0)
    bare: list[str] = []
    position = start
    while position < end and len(bare) < length:
        if data[position] != 0x20:  # noqa: PLR2004 - a space between groups
            bare.append(chr(data[position]))
        position += 1
    return ((start, position),) if checksums.iban("".join(bare)) else ()


def _countries() -> bytes:
    """The registry's country codes as one alternation: `A(?:D|E|L)|B(?:A|E)`."""
    firsts: dict[str, list[str]] = {}
    for code in sorted(checksums.IBAN_LENGTHS):
        firsts.setdefault(code[0], []).append(code[1])
    return ("(?i:" + "|".join(f"{first}[{''.join(rest)}]" for first, rest in firsts.items()) + ")").encode()


# --- telephone numbers -----------------------------------------------------------------------------------------------


def _phone(data: bytes, start: int, end: int) -> Spans:
    """An international number whose country and length are possible, or a North American one in its usual groups."""
    if data[end : end + 1].isdigit() or data[start - 1 : start].isdigit():
        return ()
    text = data[start:end].decode("latin-1")
    try:
        number = phonenumbers.parse(text, None if text.startswith("+") else "US")
    except phonenumbers.NumberParseException:
        return ()
    return ((start, end),) if phonenumbers.is_possible_number(number) else ()


# --- the list --------------------------------------------------------------------------------------------------------

_D = b"[0-9]"
_ALNUM = rb"[A-Za-z0-9\x80-\xff]"
_COUNTRY = _countries()
_NANP = rb"[(]?[2-9][0-9]{2}[)]?[ .-][2-9][0-9]{2}[ .-][0-9]{4}"
_AWS = rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
_GITHUB = rb"gh[pousr]_[A-Za-z0-9]{36,251}"
_PEM = rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
_SSN = rb"[0-9]{3}-[0-9]{2}-[0-9]{4}"
_NINO = rb"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]) ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]"
_NIR = rb"[1-478] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
_DNI = rb"[0-9XYZxyz][0-9]{7}-?[A-Za-z]"
_CF = rb"(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])"
_CPF = rb"[0-9]{3}[.][0-9]{3}[.][0-9]{3}-[0-9]{2}"

DETECTORS: Final[dict[str, Detector]] = {
    item.name: item
    for item in (
        Detector(
            "email",
            rb"[^\x00-\x20]@" + _ALNUM,
            # Braces and bars are left out of the local part: they are the syntax of arrays, not of people's addresses.
            rb"(?:\"[^\"\x00-\x1f@]+\"|[A-Za-z0-9.!#$%&'*+/=?^_\x60~\x80-\xff-]+)@"
            + _ALNUM
            + rb"(?:[A-Za-z0-9\x80-\xff.-]*"
            + _ALNUM
            + rb")?[.][A-Za-z\x80-\xff][A-Za-z0-9\x80-\xff-]*",
            _all_of_it,
            again=False,
            find=emails.find,
            near=emails.NEAR,
        ),
        Detector("card", _D + rb"(?:[ .-]?[0-9]){11}", _D + rb"(?:[ .-]?[0-9]){11,}", _card, again=False),
        Detector(
            "iban",
            _COUNTRY + rb"[0-9]{2} ?[A-Za-z0-9]{4} ?[A-Za-z0-9]{4}",
            _COUNTRY + rb"[0-9]{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?",
            _iban,
        ),
        Detector(
            "phone",
            rb"\+[0-9](?:[ ()./-]{0,2}[0-9]){6}|" + _NANP,
            rb"\+[0-9](?:[ ()./-]{0,2}[0-9]){6,14}|" + _NANP,
            _phone,
        ),
        Detector(
            "ipv4",
            rb"[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}",
            rb"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.]){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])",
            _number(bool),
        ),
        Detector("us-ssn", _SSN, _SSN, _number(checksums.us_ssn)),
        Detector("uk-nino", _NINO, _NINO, _code(bool)),
        Detector("fr-nir", _NIR, _NIR, _code(checksums.fr_nir)),
        Detector("es-dni", _DNI, _DNI, _code(checksums.es_dni)),
        Detector("it-cf", _CF, _CF, _code(checksums.it_cf)),
        Detector("br-cpf", _CPF, _CPF, _number(checksums.br_cpf)),
        Detector("aws-key", _AWS, _AWS, _all_of_it, again=False),
        Detector("github-token", rb"gh[pousr]_[A-Za-z0-9]{36}", _GITHUB, _all_of_it, again=False),
        Detector(
            "jwt",
            rb"eyJ[A-Za-z0-9_-]{8,}[.]eyJ",
            rb"eyJ[A-Za-z0-9_-]{8,}[.]eyJ[A-Za-z0-9_-]*(?:[.][A-Za-z0-9_-]*)?",
            _all_of_it,
            again=False,
        ),
        # From the heading to the end of the value: half a key is a secret too.
        Detector("private-key", _PEM, _PEM + rb"[^\x00]*", _all_of_it, again=False),
    )
}

# Words that stand for several detectors in a policy.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "secrets": ("aws-key", "github-token", "jwt", "private-key"),
    "national-id": ("us-ssn", "uk-nino", "fr-nir", "es-dni", "it-cf", "br-cpf"),
}


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Names and groups to detector names, each once. Raise ValueError for a word that names neither."""
    found: dict[str, None] = {}
    for name in names:
        if name not in DETECTORS and name not in GROUPS:
            known = ", ".join([*DETECTORS, *GROUPS])
            raise ValueError(f"no detector is called {name!r}; there are {known}")
        found.update(dict.fromkeys(GROUPS.get(name, (name,))))
    return tuple(found)
