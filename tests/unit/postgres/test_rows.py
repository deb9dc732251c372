"""Plans by closed world, and DataRow re-framed."""

import struct
from dataclasses import dataclass
from typing import Literal

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Mask, Transform
from doorward_postgres.rows import UNPROVED, ColumnPlan, Refusal, RowMasker, RowPlan, Verdict, plan
from doorward_postgres.wire_decode import Field, decode_data_row
from doorward_postgres.wire_encode import encode_data_row

KEY = b"k" * 32
CUSTOMER = 100
EMAIL = (CUSTOMER, 2)
VIEW = 300
MASK = Mask("pii", ("public.customer.email",), (), Transform.PARTIAL, "email")


@dataclass(frozen=True)
class Output:
    clear: bool = False
    origin: tuple[int, int] | None = None
    tainted: frozenset[tuple[int, int]] = frozenset()


def lookup(oid: int, attnum: int) -> Mask | Literal["clear"] | None:
    if (oid, attnum) == EMAIL:
        return MASK
    return "clear" if oid == CUSTOMER else None


def field(name: str, oid: int = 0, attnum: int = 0) -> Field:
    return Field(name, oid, attnum, 25, -1, -1, 0)


def verdicts(fields: list[Field], outputs: list[Output] | None = None, *, closed: bool = True) -> list[Verdict]:
    made = plan(fields, outputs, lookup=lookup, closed_world=closed)
    assert isinstance(made, RowPlan)
    return [column.verdict for column in made.columns]


def rows_of(data: bytes) -> list[tuple[bytes | None, ...]]:
    found, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position + 1)
        assert data[position : position + 1] == b"D"
        found.append(decode_data_row(bytes(data[position + 5 : position + 1 + length])))
        position += 1 + length
    return found


def masker(
    *verdict: Verdict, detectors: Detectors | None = None, transform: Transform = Transform.PARTIAL
) -> RowMasker:
    columns = [ColumnPlan(f"c{place}", one, 25, -1, 0, transform, "email") for place, one in enumerate(verdict)]
    return RowMasker(RowPlan(tuple(columns), detectors), KEY)


def run(one: RowMasker, data: bytes) -> list[tuple[bytes | None, ...]]:
    return rows_of(bytes(one.rows(data, 0, len(data))))


# --- plans -----------------------------------------------------------------------------------------------------------


def test_plain_columns_go_by_the_servers_word_on_their_origin() -> None:
    assert verdicts([field("id", CUSTOMER, 1), field("email", CUSTOMER, 2)]) == [Verdict.CLEAR, Verdict.MASK]


def test_an_alias_changes_nothing() -> None:
    assert verdicts([field("note", CUSTOMER, 2)]) == [Verdict.MASK]


def test_what_has_no_origin_and_no_proof_is_hidden_whole_in_the_closed_world_only() -> None:
    assert verdicts([field("?column?")]) == [Verdict.WHOLE]
    assert verdicts([field("?column?")], [Output()]) == [Verdict.WHOLE]
    assert verdicts([field("?column?")], closed=False) == [Verdict.CLEAR]


def test_the_tree_may_prove_that_an_expression_is_clear() -> None:
    assert verdicts([field("count")], [Output(clear=True)]) == [Verdict.CLEAR]


def test_proofs_for_another_number_of_columns_prove_nothing() -> None:
    assert verdicts([field("a"), field("b")], [Output(clear=True)]) == [Verdict.WHOLE, Verdict.WHOLE]


def test_the_tree_may_name_the_column_where_the_server_cannot() -> None:
    assert verdicts([field("x")], [Output(origin=EMAIL, tainted=frozenset({EMAIL}))]) == [Verdict.MASK]
    assert verdicts([field("x")], [Output(origin=(CUSTOMER, 1))]) == [Verdict.CLEAR]


def test_a_relation_that_is_not_proved_needs_the_tree() -> None:
    assert verdicts([field("x", VIEW, 1)]) == [Verdict.WHOLE]
    assert verdicts([field("x", VIEW, 1)], [Output(clear=True)]) == [Verdict.CLEAR]
    assert verdicts([field("x", VIEW, 1)], [Output(origin=(CUSTOMER, 1))]) == [Verdict.CLEAR]
    assert verdicts([field("x", VIEW, 1)], [Output(origin=EMAIL)]) == [Verdict.MASK]


def test_what_a_masked_column_flows_into_is_hidden_whole_even_where_the_server_names_a_plain_column() -> None:
    tainted = Output(tainted=frozenset({EMAIL}))
    assert verdicts([field("x")], [tainted]) == [Verdict.WHOLE]
    assert verdicts([field("x")], [tainted], closed=False) == [Verdict.WHOLE]
    assert verdicts([field("note", CUSTOMER, 3)], [tainted]) == [Verdict.WHOLE]
    same = Output(origin=(CUSTOMER, 3), tainted=frozenset({EMAIL}))
    assert verdicts([field("note", CUSTOMER, 3)], [same]) == [Verdict.WHOLE]


def test_a_masked_column_is_masked_whatever_the_tree_says() -> None:
    assert verdicts([field("email", CUSTOMER, 2)], [Output(clear=True)]) == [Verdict.MASK]


def test_a_derived_column_is_redacted_and_never_shown_in_part() -> None:
    made = plan([field("x")], [Output(tainted=frozenset({EMAIL}))], lookup=lookup, closed_world=True)
    assert isinstance(made, RowPlan)
    assert (made.columns[0].transform, made.columns[0].label) == (Transform.REDACT, "email")
    unproved = plan([field("x")], None, lookup=lookup, closed_world=True)
    assert isinstance(unproved, RowPlan)
    assert unproved.columns[0].label == UNPROVED


def test_a_strict_mask_refuses_what_is_derived_and_names_the_column() -> None:
    strict = Mask("secret", (), (), Transform.NULL, "secret", strict=True)

    def find(oid: int, attnum: int) -> Mask | Literal["clear"] | None:
        return strict if attnum == 2 else "clear"

    tainted = [Output(tainted=frozenset({EMAIL}))]
    refused = plan([field("x")], tainted, lookup=find, closed_world=True)
    assert isinstance(refused, Refusal)
    assert refused.column == "x"
    assert "'x'" in refused.advice
    assert "'secret'" in refused.advice
    assert isinstance(plan([field("x", CUSTOMER, 2)], None, lookup=find, closed_world=True), RowPlan)
    assert isinstance(plan([field("x")], None, lookup=find, closed_world=True, strict=True), Refusal)


def test_of_several_masks_the_one_that_refuses_and_then_the_one_that_says_null_is_in_force() -> None:
    masks = {
        2: MASK,
        3: Mask("b", (), (), Transform.NULL, "b"),
        4: Mask("c", (), (), Transform.HASH, "c", strict=True),
    }

    def find(oid: int, attnum: int) -> Mask | Literal["clear"] | None:
        return masks.get(attnum, "clear")

    made = plan([field("x")], [Output(tainted=frozenset({(1, 2), (1, 3)}))], lookup=find, closed_world=True)
    assert isinstance(made, RowPlan)
    assert made.columns[0].transform is Transform.NULL
    refused = plan([field("x")], [Output(tainted=frozenset({(1, 2), (1, 4)}))], lookup=find, closed_world=True)
    assert isinstance(refused, Refusal)


def test_a_plan_is_for_the_formats_that_bind_asked_for() -> None:
    made = plan([field("a"), field("b")], None, lookup=lookup, closed_world=False)
    assert isinstance(made, RowPlan)
    assert [one.format_code for one in made.in_formats((1,)).columns] == [1, 1]
    assert [one.format_code for one in made.in_formats(()).columns] == [0, 0]
    assert [one.format_code for one in made.in_formats((0, 1)).columns] == [0, 1]
    with pytest.raises(UpstreamProtocolError):
        made.in_formats((0, 1, 0))


def test_empty_detectors_owe_nothing() -> None:
    made = plan([field("a")], None, lookup=lookup, closed_world=False, detectors=Detectors([]))
    assert isinstance(made, RowPlan)
    assert made.untouched


# --- rows ------------------------------------------------------------------------------------------------------------


def test_where_nothing_is_owed_the_very_bytes_leave_without_a_copy() -> None:
    one = masker(Verdict.CLEAR)
    data = b"xx" + encode_data_row([b"a"]) * 3
    out = one.rows(data, 2, len(data))
    assert isinstance(out, memoryview)
    assert out.obj is data
    assert out == data[2:]


def test_masked_columns_are_replaced_and_the_rest_stays() -> None:
    one = masker(Verdict.CLEAR, Verdict.MASK, Verdict.CLEAR)
    data = encode_data_row([b"1", b"jane@example.com", b""]) + encode_data_row([b"2", b"joe@example.org", None])
    assert run(one, data) == [(b"1", b"j***@***.com", b""), (b"2", b"j***@***.org", None)]
    assert one.masked == {"email": 2}


def test_null_stays_null_and_rows_of_it_leave_untouched() -> None:
    one = masker(Verdict.MASK, Verdict.CLEAR)
    data = encode_data_row([None, b"x"]) * 5
    out = one.rows(data, 0, len(data))
    assert isinstance(out, memoryview)
    assert out == data
    assert one.masked == {}


def test_untouched_rows_between_masked_ones_keep_their_place() -> None:
    one = masker(Verdict.MASK)
    data = b"".join(encode_data_row([value]) for value in (None, b"jane@a.com", None, None, b"joe@b.com", None))
    assert run(one, data) == [(None,), (b"j***@***.com",), (None,), (None,), (b"j***@***.com",), (None,)]


def test_the_first_and_the_last_of_many_columns() -> None:
    one = masker(Verdict.MASK, *[Verdict.CLEAR] * 1600, Verdict.MASK)
    row = [b"jane@a.com", *[b"x"] * 1600, b"joe@b.com"]
    (found,) = run(one, encode_data_row(row))
    assert found == (b"j***@***.com", *[b"x"] * 1600, b"j***@***.com")


def test_only_the_run_between_start_and_end_is_masked() -> None:
    one = masker(Verdict.MASK)
    row = encode_data_row([b"jane@a.com"])
    data = b"before" + row + b"after"
    assert rows_of(bytes(one.rows(data, 6, 6 + len(row)))) == [(b"j***@***.com",)]


def test_feed_row_takes_a_body_and_gives_a_message() -> None:
    body = encode_data_row([b"jane@a.com"])[5:]
    assert rows_of(masker(Verdict.MASK).feed_row(body)) == [(b"j***@***.com",)]
    assert rows_of(masker(Verdict.CLEAR).feed_row(memoryview(body))) == [(b"jane@a.com",)]


def test_null_as_a_transform() -> None:
    assert run(masker(Verdict.MASK, transform=Transform.NULL), encode_data_row([b"a"])) == [(None,)]


def test_detectors_look_at_clear_columns_after_column_masks() -> None:
    one = masker(Verdict.MASK, Verdict.CLEAR, detectors=Detectors(["email"]))
    data = encode_data_row([b"jane@a.com", b"or joe@b.org"]) + encode_data_row([b"x@y.zz", b"nothing"])
    assert run(one, data) == [(b"j***@***.com", b"or j***@***.org"), (b"***@***.zz", b"nothing")]
    assert one.masked == {"email": 3}


# --- lies ------------------------------------------------------------------------------------------------------------

GOOD = encode_data_row([b"a", b"b"])
LIES = {
    "fewer fields": encode_data_row([b"a"]),
    "more fields": encode_data_row([b"a", b"b", b"c"]),
    "a field longer than the row": struct.pack("!cIHi1si1s", b"D", 16, 2, 1, b"a", 99, b"b"),
    "a field shorter than the row": struct.pack("!cIHi1si1s", b"D", 16, 2, 1, b"a", 0, b"b"),
    "a count that lies": struct.pack("!cIHi1si1s", b"D", 16, 3, 1, b"a", 1, b"b"),
    "a negative length": struct.pack("!cIHi1si1s", b"D", 16, 2, 1, b"a", -2, b"b"),
    "a row longer than the run": struct.pack("!cIHi1si1s", b"D", 17, 2, 1, b"a", 1, b"b"),
    "a row that ends in its header": struct.pack("!cIH", b"D", 6, 2),
    "no room for a header": b"D\0\0",
    "another message": b"C" + GOOD[1:],
    "a length of nothing": struct.pack("!cIH", b"D", 0, 2) + GOOD,
    "a length that reaches into the next row": struct.pack("!cIHi1si1s", b"D", 16, 2, 1, b"a", 24, b"b") + GOOD,
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("before", [b"", GOOD])
def test_a_lying_row_ends_the_connection_and_nothing_of_its_batch_leaves(lie: str, before: bytes) -> None:
    data = before + LIES[lie]
    with pytest.raises(UpstreamProtocolError):
        masker(Verdict.CLEAR, Verdict.MASK).rows(data, 0, len(data))


@pytest.mark.parametrize("lie", [lie for lie in LIES if b"a" in LIES[lie]])
def test_a_lying_row_with_something_to_find_in_it_ends_the_connection_too(lie: str) -> None:
    one = masker(Verdict.CLEAR, Verdict.CLEAR, detectors=Detectors(["email"]))
    data = LIES[lie].replace(b"a", b"j@b.co").replace(b"\0\0\0\1j", b"\0\0\0\6j") + encode_data_row(
        [b"j@b.co", b"j@b.co"]
    )
    with pytest.raises(UpstreamProtocolError):
        one.rows(data, 0, len(data))
