"""COPY TO STDOUT comes without a description: what it owes is told by the tree and the catalogue, or it is refused."""

import struct

import pytest
import sql_stand

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Mask, Transform
from doorward_postgres import results, results_copy
from doorward_postgres import wire_encode as enc
from doorward_postgres.operations import View
from doorward_postgres.wire_decode import CopyResponse

KEY = b"k" * 32
SECRET = "jane@example.com"
MASK = Mask("pii", ("public.customer.email",), (), Transform.REDACT, "email")


def view():
    known = sql_stand.catalog()
    return View(known, {oid: dict.fromkeys(columns, MASK) for oid, columns in sql_stand.masked(known).items()}, 1)


def copy_of(text):
    found = sql_stand.look(text).copy
    assert found is not None
    return found


def objection(text, *, closed=True):
    made = view()
    lookup = lambda *place: results.lookup(made, *place)  # noqa: E731 - a partial with its arguments named by place
    return results_copy.objection(copy_of(text), made, lookup=lookup, closed_world=closed)


def masker(text, formats=(0, 0), *, closed=True, detectors=None, form=0):
    made = view()
    return results_copy.masker(
        copy_of(text),
        made,
        CopyResponse(form, formats),
        lookup=lambda *place: results.lookup(made, *place),
        closed_world=closed,
        detectors=detectors,
        iso_dates=True,
        key=KEY,
    )


def through(one, *pieces):
    out = b""
    for piece in pieces:
        data = enc.encode_copy_data(piece)
        out += one.frames(data, 0, len(data))
    return out + one.finish()


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("copy customer (country, email) to stdout", b"NL\tjane@example.com\n"),
        ("copy customer (country, email) to stdout (format csv)", b"NL,jane@example.com\n"),
        ("copy customer (country, email) to stdout (format csv, delimiter ';', quote '~')", b"NL;~jane@example.com~\n"),
        ("copy (select country, email from customer) to stdout", b"NL\tjane@example.com\n"),
        ("copy (select country, upper(email) from customer) to stdout", b"NL\tjane@example.com\n"),
        ("copy (select country, contact from customer_view) to stdout", b"NL\tjane@example.com\n"),
    ],
)
def test_a_masked_column_is_masked_and_its_neighbour_is_not(text, row):
    assert objection(text) == ""
    one = masker(text)
    out = through(one, row)
    assert SECRET.encode() not in out
    assert b"NL" in out
    assert sum(one.masked.values()) == 1


def test_a_row_that_is_cut_over_messages_is_masked_as_one():
    out = through(
        masker("copy customer (country, email) to stdout"), b"NL\tjane@exam", b"ple.com\nDE\t", b"x@y.example\n"
    )
    assert b"example" not in out
    assert b"DE" in out


def test_binary_is_masked_by_its_own_layout():
    text = "copy customer (country, email) to stdout (format binary)"
    assert objection(text) == ""
    cells = [b"NL", SECRET.encode()]
    row = struct.pack("!h", 2) + b"".join(struct.pack("!i", len(cell)) + cell for cell in cells)
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + row + b"\xff\xff"
    out = through(masker(text, (1, 1), form=1), data)
    assert SECRET.encode() not in out
    assert b"NL" in out


def test_what_owes_nothing_passes_untouched():
    assert masker("copy orders to stdout", (0,) * 4).clear


def test_detectors_look_into_what_is_clear_by_column():
    one = masker("copy orders (note) to stdout", (0,), closed=False, detectors=Detectors({"email"}, {}))
    assert SECRET.encode() not in through(one, b"write to jane@example.com\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("copy customer (email) to stdout (encoding 'latin1')", "cannot be masked"),
        ("copy customer (email) to stdout (format csv, delimiter '\t', encoding 'sjis')", "cannot be masked"),
        ("copy (select * from evil()) to stdout", ""),
        ("copy customer (email) from stdin", ""),
        ("copy customer (email) to '/tmp/x'", ""),
        ("copy customer (email) to program 'cat'", ""),
    ],
)
def test_what_cannot_be_masked_is_said_before_it_is_sent(text, why):
    assert why in objection(text)
    assert bool(objection(text)) is bool(why)


def test_another_number_of_columns_than_derived_ends_the_session():
    with pytest.raises(UpstreamProtocolError):
        masker("copy customer (email) to stdout", (0, 0))


def test_the_rows_must_be_whole_at_the_end():
    with pytest.raises(UpstreamProtocolError):
        through(masker("copy customer (country, email) to stdout"), b"NL\tjane@exam")
