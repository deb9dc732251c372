"""Names and shares to proposals."""

import pytest

from doorward_console.init_proposals import TRANSFORMS, by_values, propose, without
from doorward_console.init_sample import Look, Share
from doorward_console.init_words import Family, Kind
from doorward_core.model import Transform
from doorward_core.sql.catalog import Catalog, Column, Contents, Relation, Type

TEXT, INT8 = 25, 20


def catalog(*columns, name="customer", **changes):
    listed = tuple(Column(number, column, oid) for number, (column, oid) in enumerate(columns, 1))
    relation = Relation(20_000, "public", name, changes.pop("kind", "r"), listed, **changes)
    types = (Type(TEXT, "pg_catalog", "text"), Type(INT8, "pg_catalog", "int8"))
    return Catalog(
        Contents((relation,), (), (), (), types, frozenset({"public"})),
        database="app",
        server_version=180000,
        version="1",
    )


def seen(**shares):
    return Look(shares={(20_000, int(number[1:])): share for number, share in shares.items()})


def brief(proposals):
    return [(one.name, one.id, one.transform, one.why) for one in proposals]


def test_a_name_is_enough():
    found = propose(catalog(("id", INT8), ("email", TEXT)), Look())
    assert brief(found) == [("public.customer.email", "email", "partial", "name")]


def test_values_are_enough():
    found = propose(catalog(("x", TEXT)), seen(_1=Share(200, {"email": 196}, {})))
    assert brief(found) == [("public.customer.x", "email", "partial", "values: 98 % email addresses")]


def test_name_and_values_are_told_together():
    found = propose(catalog(("mail", TEXT)), seen(_1=Share(10, {"email": 10}, {})))
    assert found[0].why == "name, values: 100 % email addresses"


def test_check_digits_outweigh_a_name_and_a_name_outweighs_a_shape():
    checked = propose(catalog(("phone", TEXT)), seen(_1=Share(10, {"iban": 10}, {})))
    shaped = propose(catalog(("password", TEXT)), seen(_1=Share(10, {"phone": 10}, {})))
    assert (checked[0].id, shaped[0].id) == ("iban", "secret")


def test_what_is_only_found_within_texts_is_looked_for_everywhere():
    found = propose(
        catalog(("body", TEXT), ("note", TEXT)), seen(_1=Share(200, {}, {"email": 24}), _2=Share(900, {"card": 1}))
    )
    assert [one.detect for one in found] == [("email", "card")]
    assert found[0].name == "text of any column"
    assert "email addresses in customer.body (12 %)" in found[0].why
    assert "card numbers in customer.note (under 1 %)" in found[0].why


@pytest.mark.parametrize(
    ("share", "family", "kind"),
    [
        (Share(), Family.TEXT, None),
        (Share(100, {"email": 24}), Family.TEXT, None),
        (Share(100, {"email": 25}), Family.TEXT, Kind.EMAIL),
        (Share(100, {"phone": 49}), Family.TEXT, None),
        (Share(100, {"phone": 50}), Family.TEXT, Kind.PHONE),
        (Share(4, {"card": 4}), Family.NUMBER, None),
        (Share(10, {"card": 5}), Family.NUMBER, Kind.CARD),
        (Share(10, {"card+phone": 10}), Family.TEXT, Kind.CARD),
        (Share(10, {"us-ssn": 10, "uk-nino": 10}), Family.TEXT, Kind.NATIONAL_ID),
        (Share(10, {"jwt": 9}), Family.TEXT, Kind.SECRET),
    ],
)
def test_a_share_must_be_large_enough(share, family, kind):
    found, percent = by_values(share, family)
    assert found is kind
    assert 0 <= percent <= 100


@pytest.mark.parametrize("changes", [{"kind": "v"}, {"kind": "m"}, {"is_partition": True}])
def test_views_and_partitions_are_hidden_where_they_come_from(changes):
    assert propose(catalog(("email", TEXT), **changes), Look()) == ()


def test_a_foreign_table_is_judged_by_its_names():
    assert len(propose(catalog(("email", TEXT), kind="f"), Look())) == 1


def test_every_kind_is_hidden_by_a_transform_that_there_is():
    assert set(TRANSFORMS) == set(Kind)
    assert set(TRANSFORMS.values()) <= {item.value for item in Transform}


def test_the_operator_leaves_out_by_number():
    three = propose(catalog(("email", TEXT), ("phone", TEXT), ("iban", TEXT)), Look())
    kept, left_out = without(three, [2])
    assert [[one.name.rpartition(".")[2] for one in those] for those in (kept, left_out)] == [
        ["email", "iban"],
        ["phone"],
    ]
