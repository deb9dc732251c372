"""Paths: what the grammar takes and refuses, and which members they name."""

import pytest

from doorward_core.mask.json_paths import MAX_SEGMENTS, PathError, Paths, Segment, is_path, parse_path
from doorward_core.model import Mask, Transform


def mask(*columns: str, transform: Transform = Transform.REDACT, rule: str = "r") -> Mask:
    return Mask(rule, columns, (), transform, "pii")


def hides(paths: Paths, *names: str | None) -> bool:
    state = paths.root
    for name in names:
        state = state.other if name is None else state.member(name)
    return state.mask is not None


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("$.a", (Segment("a"),)),
        ("$.a[*].b", (Segment("a"), Segment(None), Segment("b"))),
        ("$..iban", (Segment("iban", deep=True),)),
        ("$.*", (Segment(None),)),
        ("$..*", (Segment(None, deep=True),)),
        ("$..[*]", (Segment(None, deep=True),)),
        ("$['a b']", (Segment("a b"),)),
        ('$..["x"]', (Segment("x", deep=True),)),
        (r"$['it\'s']", (Segment("it's"),)),
        ("$['*']", (Segment("*"),)),
        ("$.*mail*", (Segment("*mail*", glob=True),)),
        ("$.größe-1", (Segment("größe-1"),)),
    ],
)
def test_what_a_path_says(text: str, segments: tuple[Segment, ...]) -> None:
    assert parse_path(text) == segments


@pytest.mark.parametrize(
    "text",
    ["$", "", "a.b", "$.", "$..", "$.a[0]", "$.a[1:2]", "$.a[?(@.b)]", "$.a[", "$['a'", "$['a','b']", "$.a b", "$.a.", "$x",
     "$" + ".a" * (MAX_SEGMENTS + 1)],
)  # fmt: skip
def test_what_is_no_path_or_hangs_on_a_position_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "names", "hidden"),
    [
        ("$.a.b", ("a", "b"), True),
        ("$.a.b", ("a", None), False),
        ("$.a.b", ("b",), False),
        ("$.a.b", ("a", "x", "b"), False),
        ("$.a.b", ("A", "B"), True),
        ("$.a[*].b", ("a", None, "b"), True),
        ("$.a[*].b", ("a", "b"), False),
        ("$..b", ("b",), True),
        ("$..b", ("x", None, "y", "b"), True),
        ("$..b", ("b", "x", "y"), True),
        ("$..a.b", ("a", "a", "b"), True),
        ("$..a..b", ("x", "a", "x", "b"), True),
        ("$..a..b", ("x", "b"), False),
        ("$..*_id", ("x", "tax_ID"), True),
        ("$.?", ("ab",), False),
        ("$.STRASSE", ("straße",), True),
    ],
)
def test_which_members_a_path_names(path: str, names: tuple[str | None, ...], hidden: bool) -> None:
    assert hides(Paths([mask(path)]), *names) is hidden


def test_the_strictest_mask_is_in_force() -> None:
    paths = Paths([mask("$..a", transform=Transform.PARTIAL), mask("$.x.*", transform=Transform.NULL)])
    owed = paths.root.member("x").member("a").mask
    assert owed is not None
    assert owed.transform is Transform.NULL


def test_only_what_wildcards_lead_to_a_mask_is_not_plain() -> None:
    assert Paths([mask("$.a.b")]).root.plain
    assert not Paths([mask("$.*")]).root.plain
    assert not Paths([mask("$[*][*]")]).root.plain
    state = Paths([mask("$.a.*")]).root
    assert state.plain
    assert not state.member("a").plain


def test_what_cannot_match_any_more_is_dead() -> None:
    paths = Paths([mask("$.a.b"), mask("$.c")])
    assert not paths.root.dead
    assert paths.root.other.dead
    assert not Paths([mask("$..a")]).root.other.dead


def test_columns_of_other_protocols_are_not_paths() -> None:
    paths = Paths([mask("public.customer.email", "header.x")])
    assert not paths
    assert not is_path("*.iban")


def test_ever_new_names_do_not_fill_the_memory() -> None:
    paths = Paths([mask("$..*mail*")])
    for number in range(10_000):
        paths.root.member(f"name{number}")
    assert len(paths.root._children) <= 4_096
