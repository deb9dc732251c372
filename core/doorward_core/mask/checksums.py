"""Check digits: what tells a card number from any other run of digits.

Pure arithmetic over ASCII text that a pattern has already found; nothing here searches.
Sources: ISO/IEC 7812-1 annex B (Luhn) and the issuers' number ranges, ISO 13616 (IBAN) with the lengths of its
registry, and the national registers that define each identity number.
A check that is given text of the wrong shape answers False; it never raises.
"""

from typing import Final

# ISO 7812 issuer ranges: the first digits (low, high, of the same width) and the lengths that are issued.
_CARD_RANGES: Final[tuple[tuple[int, int, frozenset[int]], ...]] = (
    (4, 4, frozenset({13, 16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),  # Mastercard
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),
    (6011, 6011, frozenset({16, 17, 18, 19})),  # Discover
    (644, 659, frozenset({16, 17, 18, 19})),
    (3528, 3589, frozenset({16, 17, 18, 19})),  # JCB
    (300, 305, frozenset({14, 16})),  # Diners Club
    (309, 309, frozenset({14, 16})),
    (36, 36, frozenset({14, 16})),
    (38, 39, frozenset({14, 16})),
    (62, 62, frozenset({16, 17, 18, 19})),  # UnionPay
    (81, 81, frozenset({16, 17, 18, 19})),
    (2200, 2204, frozenset({16, 17, 18, 19})),  # Mir
    (60, 60, frozenset({16})),  # RuPay
    (508, 508, frozenset({16})),
    (9792, 9792, frozenset({16})),  # Troy
    (5018, 5018, frozenset(range(12, 20))),  # Maestro
    (5020, 5020, frozenset(range(12, 20))),
    (5038, 5038, frozenset(range(12, 20))),
    (5893, 5893, frozenset(range(12, 20))),
    (6304, 6304, frozenset(range(12, 20))),
    (6759, 6763, frozenset(range(12, 20))),
)

# The same by first digit, with the width of the range: a table walk for every run of digits would be slow.
_BY_FIRST_DIGIT: Final = tuple(
    tuple(
        (len(str(low)), low, high, lengths)
        for low, high, lengths in _CARD_RANGES
        if str(low)[0] <= digit <= str(high)[0]
    )
    for digit in "0123456789"
)

CARD_MIN_DIGITS: Final = 12
CARD_MAX_DIGITS: Final = 19

# ISO 13616 registry: length of an IBAN by country.
IBAN_LENGTHS: Final[dict[str, int]] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip

# What a doubled digit adds, by its ASCII code.
_LUHN_DOUBLED: Final = dict(zip(b"0123456789", (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))


def luhn(digits: str) -> bool:
    """Whether the check digit of ISO/IEC 7812-1 annex B holds."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    numbers = digits.encode()[::-1]
    doubled = sum(map(_LUHN_DOUBLED.__getitem__, numbers[1::2]))
    return (sum(numbers[::2]) - 48 * len(numbers[::2]) + doubled) % 10 == 0


def issued_card(digits: str) -> bool:
    """Whether an issuer gives out numbers that begin so and are this long, and the check digit holds."""
    if not CARD_MIN_DIGITS <= len(digits) <= CARD_MAX_DIGITS or not (digits.isascii() and digits.isdigit()):
        return False
    for width, low, high, lengths in _BY_FIRST_DIGIT[ord(digits[0]) - 48]:
        if len(digits) in lengths and low <= int(digits[:width]) <= high:
            return luhn(digits)
    return False


def iban(text: str) -> bool:
    """Whether this is an IBAN, without spaces: a country of the registry, its length, and mod 97 equal to 1."""
    text = text.upper()
    if IBAN_LENGTHS.get(text[:2]) != len(text) or not (text.isascii() and text.isalnum() and text[2:4].isdigit()):
        return False
    turned = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def us_ssn(digits: str) -> bool:
    """Nine digits that the Social Security Administration may have issued: it has no check digit."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return len(digits) == 9 and area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"  # noqa: PLR2004 - the number's own length


def fr_nir(text: str) -> bool:
    """A French NIR with its key: 97 minus the number modulo 97; Corsica's 2A and 2B count as 19 and 18."""
    number = text[:13].upper().replace("2A", "19", 1).replace("2B", "18", 1)
    key = text[13:]
    if len(text) != 15 or not (text.isascii() and number.isdigit() and key.isdigit()):  # noqa: PLR2004 - its length
        return False
    return 97 - int(number) % 97 == int(key)


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_dni(text: str) -> bool:
    """A Spanish DNI or NIE: the letter is the number modulo 23."""
    text = text.upper()
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return len(number) == 8 and text.isascii() and number.isdigit() and _DNI_LETTERS[int(number) % 23] == text[-1]  # noqa: PLR2004 - the number's own length


_CF_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def it_cf(text: str) -> bool:
    """An Italian codice fiscale: fifteen characters weighed by place, and a letter."""
    text = text.upper()
    if len(text) != 16 or not (text.isascii() and text.isalnum()):  # noqa: PLR2004 - the code's own length
        return False
    total = 0
    for place, char in enumerate(text[:15]):
        even = int(char) if char.isdigit() else ord(char) - 65
        total += even if place % 2 else _CF_ODD[char]
    return chr(65 + total % 26) == text[15]


def br_cpf(digits: str) -> bool:
    """A Brazilian CPF: two check digits, each the weighted sum modulo 11; eleven equal digits are not issued."""
    if len(digits) != 11 or not (digits.isascii() and digits.isdigit()) or len(set(digits)) == 1:  # noqa: PLR2004 - the number's own length
        return False
    for length in (9, 10):
        total = sum(int(digit) * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != int(digits[length]):
            return False
    return True
