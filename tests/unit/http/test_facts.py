"""What policy looks at beside method and path: every reading of it, or nothing."""

import pytest

from doorward_http.facts import MAX_DEPTH, MAX_VALUES, Body, facts, form_fields, readable

NO_BODY = Body(b"")


def one(key, *, query=(), headers=(), body=NO_BODY):
    return facts([key], tuple(query), tuple(headers), body).get(key)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ([("limit", "10")], ("10",)),
        ([("Limit", "10"), ("limit[]", "20"), ("limit[0]", "30"), (" limit", "40")], ("10", "20", "30", "40")),
        ([("limits", "10")], ()),
        ([], ()),
    ],
)
def test_a_query_is_every_spelling_of_its_name(query, values):
    assert one("query.limit", query=query) == values


def test_a_header_is_every_spelling_and_every_member():
    headers = [(b"x-tenant", b"a"), (b"x_tenant", b"b, c"), (b"x-tenants", b"d")]
    assert one("header.x-tenant", headers=headers) == ("a", "b, c", "b", "c")
    assert one("header.X-Other", headers=headers) == ()


@pytest.mark.parametrize("name", ["authorization", "Cookie", "proxy_authorization"])
def test_credentials_are_never_known(name):
    assert one(f"header.{name}", headers=[(b"cookie", b"x")]) is None


DOCUMENT = (
    b'{"a": {"b": [1, 1.50, "x", null, true]}, "A": {"b": 2}, "list": [{"sku": "p"}, {"sku": "q"}], "d": {"e": {}}}'
)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.a.b[*]", ("1", "1.50", "x", "null", "true")),
        ("$.a.b[2]", ("x",)),
        ("$.a.b[9]", ()),
        ("$.list[*].sku", ("p", "q")),
        ("$..sku", ("p", "q")),
        ("$['d'].e", ("{}",)),
        ("$.d.*", ("{}",)),
        ("$.nothing", ()),
        ("$.A.b", ('["1","1.50","x",null,true]', "2")),
    ],
)
def test_a_path_gives_every_value_that_some_reader_would_find(path, values):
    assert one(f"body.{path}", body=Body(DOCUMENT, "application/json")) == values


@pytest.mark.parametrize("path", ["a", "$a", "$.a[", "$.a[x]"])
def test_a_path_that_cannot_be_read_gives_what_is_not_known(path):
    assert one(f"body.{path}", body=Body(DOCUMENT, "application/json")) is None


@pytest.mark.parametrize(
    "body",
    [
        Body(None, "application/json"),
        Body(DOCUMENT, "text/plain"),
        Body(DOCUMENT, ""),
        Body(DOCUMENT, "application/json", coded=True),
        Body(b"{", "application/json"),
        Body(b"\xff", "application/json"),
        Body(b"[" * 5000, "application/json"),
        Body(b"[" * 100_000, "application/json"),
        Body(b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), "application/json"),
        Body(b'{"a": [' + b"1," * MAX_VALUES + b"1]}", "application/json"),
    ],
)
def test_a_body_that_is_not_read_whole_is_not_known(body):
    assert one("body.$.a[*]", body=body) is None


def test_where_there_is_no_body_everything_in_it_is_known_to_be_absent():
    assert one("body.$.a") == ()
    assert one("form.a") == ()


def test_members_that_stand_twice_are_both_values():
    assert one("body.$.a", body=Body(b'{"a": 1, "a": 2}', "application/vnd.x+json")) == ("1", "2")


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"a=1&b=%20&A=2", (("a", "1"), ("b", " "), ("A", "2"))),
        (b"a=1;b=2", None),
        (b"a=%ff", None),
        (b"&".join([b"a=1"] * 1001), None),
    ],
)
def test_a_form_is_read_or_not_known(content, fields):
    assert form_fields(Body(content, "application/x-www-form-urlencoded")) == fields
    assert form_fields(Body(content, "multipart/form-data")) is None


def test_unknown_families_are_not_known():
    assert one("path.1") is None


def test_facts_are_readable_and_short():
    assert readable({"query.a": ("1", "2"), "query.b": ("x" * 999,)}) == {"query.a": "1, 2", "query.b": "x" * 256}
