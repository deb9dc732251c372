"""What somebody looks for, from an address and back."""

from doorward_console.web.asking import MAX_VALUE, asked

NS = 1_000_000_000
NOW = 1_800_000_000 * NS


def test_an_address_has_all_of_a_search():
    query = {"q": "customer 42", "who": " crew-7 ", "verdict": "deny", "since": "2027-01-14", "before": "17"}
    wanted = asked(query, NOW)
    assert (wanted.question, wanted.search.identity, wanted.search.verdict, wanted.before) == (
        "customer 42",
        "crew-7",
        "deny",
        17,
    )
    assert wanted.search.since_unix_ns == NOW - 32 * 3_600 * NS
    assert wanted.anything
    assert wanted.filtered
    assert wanted.address("/search", before=9) == (
        "/search?q=customer+42&who=crew-7&verdict=deny&since=2027-01-14&before=9"
    )
    assert wanted.words == "q: customer 42; who: crew-7; verdict: deny; since: 2027-01-14"


def test_nothing_asked_is_nothing():
    wanted = asked({"before": "x"}, NOW)
    assert not wanted.anything
    assert (wanted.address("/search"), wanted.before) == ("/search", 0)


def test_values_are_bounded_and_a_wrong_time_is_said():
    wanted = asked({"q": "x" * 9_000, "since": "soon", "before": "9" * 40}, NOW)
    assert (len(wanted.question), wanted.before) == (MAX_VALUE, 0)
    assert "is no time" in wanted.problem
    assert not asked({"q": "x"}, NOW).filtered
