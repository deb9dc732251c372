"""Errors and notices without the values in them."""

import pytest

from doorward_core.mask.detect import Detectors
from doorward_postgres.diagnostics import WITHHELD, hide_diagnostic, hide_text

KEY = b"k" * 32
UNIQUE = [
    ("S", "ERROR"), ("V", "ERROR"), ("C", "23505"),
    ("M", 'duplicate key value violates unique constraint "customer_email_key"'),
    ("D", "Key (email)=(jane@example.com) already exists."),
    ("s", "public"), ("t", "customer"), ("n", "customer_email_key"), ("F", "nbtinsert.c"), ("L", "1"), ("R", "_bt"),
]  # fmt: skip


def hide(fields: list[tuple[str, str]], *, masked: bool = True, names: tuple[str, ...] = ()) -> dict[str, str]:
    detectors = Detectors(names) if names else None
    return dict(hide_diagnostic(fields, touches_masked=masked, detectors=detectors, key=KEY)[0])


def test_where_a_masked_column_is_touched_only_the_servers_own_words_and_names_pass() -> None:
    shown = hide(UNIQUE)
    assert shown == {
        "S": "ERROR", "V": "ERROR", "C": "23505", "M": "unique violation", "H": WITHHELD,
        "s": "public", "t": "customer", "n": "customer_email_key", "F": "nbtinsert.c", "L": "1", "R": "_bt",
    }  # fmt: skip


def test_what_procedural_code_raises_passes_nothing_of_its_own() -> None:
    raised = [
        ("S", "ERROR"), ("V", "ERROR"), ("C", "jane@"), ("M", "jane@example.com"), ("D", "jane"), ("H", "jane"),
        ("P", "jane"), ("p", "7"), ("q", "jane"), ("W", "PL/pgSQL function f() line 3 at RAISE"), ("s", "jane"),
        ("t", "jane"), ("c", "jane"), ("d", "jane"), ("n", "jane"), ("F", "jane"), ("L", "jane"), ("R", "jane"),
        ("Z", "jane"),
    ]  # fmt: skip
    shown = hide(raised)
    assert shown == {
        "S": "ERROR", "V": "ERROR", "C": "P0001", "M": "raised by a function", "H": WITHHELD, "p": "7",
    }  # fmt: skip


def test_a_code_of_an_extension_passes_where_no_procedural_code_ran() -> None:
    assert hide([("S", "ERROR"), ("C", "HV00J"), ("M", "x")])["C"] == "HV00J"
    assert hide([("S", "ERROR"), ("C", "HV00J"), ("M", "x"), ("W", "")])["C"] == "P0001"
    assert hide([("S", "ERROR"), ("C", "lo ng"), ("M", "x")])["C"] == "P0001"


def test_an_error_without_a_code_does_not_break(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hide([("S", "ERROR"), ("M", "jane@example.com")])["M"] == "raised by a function"
    assert hide([("V", "jane@example.com"), ("M", "x")])["V"] == "ERROR"


def test_without_masked_columns_only_findings_are_replaced() -> None:
    shown = hide(UNIQUE, masked=False, names=("email",))
    assert shown["D"] == "Key (email)=(j***@***.com) already exists."
    assert shown["M"] == dict(UNIQUE)["M"]
    assert list(shown) == [kind for kind, _ in UNIQUE]


def test_without_masks_and_detectors_it_is_left_as_it_is() -> None:
    fields, counts = hide_diagnostic(UNIQUE, touches_masked=False, detectors=None, key=KEY)
    assert (fields, counts) == (UNIQUE, {})


def test_counts() -> None:
    _, counts = hide_diagnostic(UNIQUE, touches_masked=False, detectors=Detectors(["email"]), key=KEY)
    assert counts == {"email": 1}
    _, counts = hide_diagnostic(UNIQUE, touches_masked=True, detectors=None, key=KEY)
    assert counts == {"diagnostic": 1}


def test_a_text_keeps_its_odd_bytes() -> None:
    detectors = Detectors(["email"])
    assert hide_text("\udcff jane@a.com", detectors=detectors, key=KEY) == ("\udcff j***@***.com", ("email",))
    assert hide_text("plain \udcff", detectors=detectors, key=KEY) == ("plain \udcff", ())
