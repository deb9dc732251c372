import pytest

from doorward_core.policy.glob import compile_names


@pytest.mark.parametrize(
    ("patterns", "name", "matches"),
    [
        (["public.customer"], "public.customer", True),
        (["public.customer"], "public.customers", False),
        (["public.*"], "public.customer", True),
        (["public.*"], "evil.public.customer", False),
        (["public.*"], '"public.evil".customer', False),
        (["*.iban"], "public.account.iban", True),
        (["*.iban"], "public.account.iban2", False),
        (["p?blic.*"], "pablic.x", True),
        (["p?blic.*"], "pblic.x", False),
        (["*"], "", True),
        (["**"], "x\ny", True),
        (["a*b*c"], "a-b-b-c", True),
        (["a*b*c"], "a-c-b", False),
        (["*ab*ab"], "abab", True),
        (["*ab*ab"], "ab", False),
        (["a*", "!a.secret", "!*x"], "a.b", True),
        (["a*", "!a.secret", "!*x"], "a.secret", False),
        (["a*", "!a.secret", "!*x"], "a.x", False),
        (["*", "!a"], "a", False),
        (["*", "!a"], "b", True),
        (["a.b(c)+"], "a.b(c)+", True),
        (["A"], "a", False),
        (["[a]"], "a", False),
    ],
)
def test_patterns_match_as_the_manual_says(patterns, name, matches):
    assert compile_names(patterns).match(name) is matches


def test_a_hostile_name_is_matched_in_linear_time():
    # With plain backtracking this takes longer than the universe has.
    names = compile_names(["*a" * 30 + "b"])
    assert not names.match("a" * 20_000)


def test_exceptions_alone_match_nothing():
    assert not compile_names(["!a"]).match("b")


@pytest.mark.parametrize(
    ("pattern", "below"),
    [
        ("public.orders.margin", True),
        ("public.orders.*", True),
        ("*.margin", True),
        ("*", True),
        ("public.*", True),
        ("p*s.margin", True),
        ("public.?rders.x", True),
        ("public.orders", False),
        ("public.orders.", False),
        ("public.order.margin", False),
        ("public.customer.*", False),
        ("public.orders2.*", False),
        ("orders.*", False),
    ],
)
def test_below_tells_whether_a_column_of_a_table_could_be_meant(pattern, below):
    assert compile_names([pattern]).below("public.orders") is below
    assert compile_names(["never", pattern, "!public.orders.x"]).below("public.orders") is below
