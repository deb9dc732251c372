"""Which columns a mask's patterns name."""

from doorward_core.mask.select import column_masks, unmatched
from doorward_core.model import Mask, Transform

RELATIONS = (
    (100, "public.customer", ((1, "id"), (2, "email"), (3, "IBAN"))),
    (200, "sales.account", ((1, "id"), (2, "iban"))),
    (300, "public.orders", ((1, "id"),)),
)


def mask(*columns: str, rule: str = "pii", transform: Transform = Transform.PARTIAL, strict: bool = False) -> Mask:
    return Mask(rule, columns, (), transform, rule, strict)


def test_a_full_name_and_a_star_across_dots() -> None:
    one = mask("public.customer.email", "*.iban")
    assert column_masks((one,), RELATIONS) == {100: {2: one, 3: one}, 200: {2: one}}


def test_case_is_ignored_so_that_a_slip_hides_too_much() -> None:
    assert column_masks((mask("PUBLIC.Customer.EMAIL"),), RELATIONS).keys() == {100}


def test_a_question_mark_is_one_character_and_nothing_else_is_special() -> None:
    assert column_masks((mask("public.customer.emai?"),), RELATIONS).keys() == {100}
    assert column_masks((mask("public.customer.email?"),), RELATIONS) == {}
    assert column_masks((mask("public[.]customer.email"),), RELATIONS) == {}
    assert column_masks((mask("public.customer.(email|id)"),), RELATIONS) == {}


def test_the_strictest_transform_is_in_force_and_strict_adds_up() -> None:
    partial = mask("*.email", rule="a", strict=True)
    null = mask("public.*", rule="b", transform=Transform.NULL)
    found = column_masks((partial, null), RELATIONS)[100]
    assert (found[2].rule, found[2].transform, found[2].strict) == ("b", Transform.NULL, True)
    assert (found[1].rule, found[1].strict) == ("b", False)


def test_a_pattern_that_names_nothing_is_told() -> None:
    masks = (mask("customer.email", "*.iban", rule="slip"), mask("public.gone.*", rule="old"))
    assert unmatched(masks, RELATIONS) == (("slip", "customer.email"), ("old", "public.gone.*"))


def test_no_masks_and_no_patterns_mask_nothing() -> None:
    assert column_masks((), RELATIONS) == {}
    assert column_masks((mask(),), RELATIONS) == {}
    assert unmatched((), RELATIONS) == ()


def test_a_name_with_any_character_in_it_can_be_matched() -> None:
    relations = ((1, 'public.odd "table"\n', ((1, "e\nmail"),)),)
    assert column_masks((mask("*mail"),), relations).keys() == {1}
