import pytest

from doorward_core.errors import AuthenticationError
from doorward_core.identity import claims
from doorward_core.model import Actor


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("groups", ("groups",)),
        ("realm_access.roles", ("realm_access", "roles")),
        (r"resource_access.my\.client.roles", ("resource_access", "my.client", "roles")),
        ("https://example.com/claims.groups", ("https://example.com/claims.groups",)),
    ],
)
def test_a_claim_name_is_split_at_its_plain_dots(name, parts):
    assert claims.split_path(name) == parts


def test_a_path_is_followed_and_ends_where_it_ends():
    payload = {"realm_access": {"roles": ["dba"]}, "text": "x"}
    assert claims.lookup(payload, "realm_access.roles") == ["dba"]
    assert claims.lookup(payload, "realm_access.none.deeper") is None
    assert claims.lookup(payload, "text.deeper") is None


def test_a_dotted_top_level_claim_does_not_stand_in_for_a_path():
    assert claims.lookup({"realm_access.roles": ["dba"]}, "realm_access.roles") is None


@pytest.mark.parametrize("value", [1, True, [], {}, "", " a", "a ", "a\nb", "a\x00", "a\u202eb", "a\u200bb", "x" * 256])
def test_a_text_that_does_not_print_or_is_no_text_is_refused(value):
    with pytest.raises(AuthenticationError, match=r"^token: claim c "):
        claims.required_text({"c": value}, "c")
    with pytest.raises(AuthenticationError, match=r"^token: claim c "):
        claims.optional_text({"c": value}, "c")


def test_texts_that_are_there_are_given():
    assert claims.required_text({"c": "Zoë Keller"}, "c") == "Zoë Keller"
    assert claims.optional_text({}, "c") == ""
    assert claims.optional_text({"c": None}, "c") == ""
    with pytest.raises(AuthenticationError, match="missing"):
        claims.required_text({"c": None}, "c")


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, set()), ([], set()), ("dba", {"dba"}), (["a", "b", "a"], {"a", "b"}), (["/crew/a"], {"/crew/a"})],
)
def test_a_list_of_texts_may_be_one_text_or_absent(value, found):
    assert claims.texts({"groups": value}, "groups") == found


@pytest.mark.parametrize("value", [1, {}, [1], [["a"]], ["a", ""], ["a\n"], ["x"] * 1001])
def test_a_list_of_texts_with_anything_else_is_refused(value):
    with pytest.raises(AuthenticationError, match="groups"):
        claims.texts({"groups": value}, "groups")


def test_groups_behind_a_link_are_refused_and_not_read_as_none():
    payload = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://example.com"}}}
    with pytest.raises(AuthenticationError, match="behind a link"):
        claims.texts(payload, "groups")
    assert claims.texts(payload, "roles") == frozenset()


@pytest.mark.parametrize(("value", "text"), [(None, None), ("x", "x"), (7, "7"), (True, "true"), (False, "false")])
def test_an_attribute_is_a_scalar_as_text(value, text):
    assert claims.attribute({"a": value}, "a") == text


@pytest.mark.parametrize("value", [1.5, [], ["a"], {}, "a\nb"])
def test_an_attribute_of_another_type_is_refused(value):
    with pytest.raises(AuthenticationError):
        claims.attribute({"a": value}, "a")


def test_a_display_name_is_made_fit_to_be_shown():
    assert claims.display({"name": "Ana\n\u202eatsoC"}, "name") == "Ana\ufffd\ufffdatsoC"
    assert len(claims.display({"name": "x" * 500}, "name")) == claims.MAX_DISPLAY_CHARACTERS
    assert claims.display({"name": 7}, "name") == ""
    assert claims.display({}, "name") == ""


@pytest.mark.parametrize(
    ("value", "ns"), [(0, 0), (1_800_000_000, 1_800_000_000_000_000_000), (1.5, 1_500_000_000), (2.0, 2_000_000_000)]
)
def test_a_time_is_given_in_nanoseconds(value, ns):
    assert claims.instant_unix_ns({"exp": value}, "exp") == ns


@pytest.mark.parametrize("value", [None, True, "1800000000", [1], -1, -0.5, 253_402_300_800, 1e300, 1_800_000_000_000])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(AuthenticationError, match="not a time"):
        claims.instant_unix_ns({"exp": value}, "exp")


def test_an_absent_time_is_none():
    assert claims.instant_unix_ns({}, "exp") is None


def test_an_actor_chain_is_given_outermost_first():
    payload = {"act": {"sub": "crew-7", "act": {"sub": "portal", "iss": "https://other.example"}}}
    assert claims.actor_chain(payload, "https://idp.example") == (
        Actor("crew-7", "https://idp.example"),
        Actor("portal", "https://other.example"),
    )
    assert claims.actor_chain({}, "https://idp.example") == ()


@pytest.mark.parametrize(
    "act", ["x", [], {}, {"sub": 1}, {"iss": "x"}, {"sub": "a", "act": "b"}, {"sub": "a", "iss": 1}]
)
def test_an_actor_chain_of_another_shape_is_refused(act):
    with pytest.raises(AuthenticationError):
        claims.actor_chain({"act": act}, "i")


def test_an_actor_chain_has_a_longest():
    link: dict[str, object] = {"sub": "a"}
    for _ in range(claims.MAX_ACTORS - 1):
        link = {"sub": "a", "act": link}
    assert len(claims.actor_chain({"act": link}, "i")) == claims.MAX_ACTORS
    with pytest.raises(AuthenticationError, match="too many links"):
        claims.actor_chain({"act": {"sub": "a", "act": link}}, "i")
