"""Views are seen through: to their columns, their effects, and what they stand on."""

from sql_stand import atoms, catalog, look, outputs, rebuilt

from doorward_core.sql.catalog import Catalog
from doorward_core.sql.views import READERS, base_lineage


def _with_definition(text: str) -> Catalog:
    """The catalogue, with another definition of customer_view."""
    return rebuilt(
        "relations", lambda rows: [[*row[:8], text, row[9]] if row[2] == "customer_view" else row for row in rows]
    )


def test_effects_in_a_view_are_the_readers() -> None:
    found = look("select * from view_evil")
    assert atoms(found) == {"read public.view_evil", "execute function public.evil"}
    assert not found.pure


def test_a_view_that_cannot_be_read_proves_nothing() -> None:
    for text in ("", "selec", "select 1; select 2", "select 1", "select * from nosuch", "delete from public.customer"):
        found = look("select id from customer_view", catalog=_with_definition(text))
        assert found.touches_masked, text
        assert not found.complete, text
        assert outputs(found) == ["id unproved"], text


def test_a_view_within_itself_is_unreadable() -> None:
    known = _with_definition("select id, contact, shout, country from public.customer_view")
    assert not look("select id from customer_view", catalog=known).complete


def test_facts_are_kept_for_the_catalogues_lifetime() -> None:
    known = catalog()
    view = known.relation("public", "view2")
    assert view is not None
    assert READERS.view(known, view) is READERS.view(known, view)


def test_lineage_of_a_table_is_itself() -> None:
    known = catalog()
    table = known.relation("public", "orders")
    assert table is not None
    assert base_lineage(known, table) == {number: frozenset({(table.oid, number)}) for number in (1, 2, 3, 4)}


def test_a_mask_on_the_view_itself_holds() -> None:
    known = catalog()
    view = known.relation("public", "customer_view")
    assert view is not None
    found = look("select country, id from customer_view", masked={view.oid: frozenset({4})})
    assert outputs(found) == ["country masked", "id clear"]


def test_an_unrelated_view_touches_nothing_masked() -> None:
    found = look("select country from vcount")
    assert found.touches_masked
    assert not look("select country from vcount", masked={}).touches_masked
