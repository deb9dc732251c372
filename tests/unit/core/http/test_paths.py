"""One canonical path, decided on and forwarded; the ambiguous is refused."""

import pytest

from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical, refuse_overrides


@pytest.mark.parametrize(
    ("given", "path", "segments"),
    [
        (b"/", "/", ("",)),
        (b"/a/b.c/", "/a/b.c/", ("a", "b.c", "")),
        (b"/.well-known/x", "/.well-known/x", (".well-known", "x")),
        (b"/%61%2d", "/a-", ("a-",)),
        (b"/a%20b", "/a%20b", ("a b",)),
        (b"/k%c3%bc", "/k%C3%BC", ("k\u00fc",)),
        (b"/a@b:c", "/a@b:c", ("a@b:c",)),
    ],
)
def test_a_path_has_one_form(given, path, segments):
    target = canonical(given)
    assert (target.path, target.segments) == (path, segments)
    assert canonical(target.target) == target


def test_a_query_is_pairs_and_separates_by_ampersands_alone():
    target = canonical(b"/?a=1&b&a=%20x+y&c=d;e=f&&z[0]=%3D")
    assert target.query == (("a", "1"), ("b", ""), ("a", " x y"), ("c", "d;e=f"), ("z[0]", "="))
    assert target.target == b"/?a=1&b&a=%20x+y&c=d%3Be=f&&z[0]=%3D"
    assert canonical(target.target) == target


def test_an_encoded_slash_is_part_of_a_segment_only_where_the_target_wants_it():
    with pytest.raises(BadRequest):
        canonical(b"/group%2fproject")
    target = canonical(b"/group%2fproject/x", encoded_slash=True)
    assert target.path == "/group%2Fproject/x"
    assert target.segments == ("group%2Fproject", "x")
    for bad in (b"/..%2fadmin", b"/a%2f%2e%2e", b"/a%5cb", b"/a%252fb"):
        with pytest.raises(BadRequest):
            canonical(bad, encoded_slash=True)


@pytest.mark.parametrize("query", [b"a=%zz", b"a=%00", b"a=%ff", b"a=\\", b"a#b", b"&".join([b"a"] * 600)])
def test_a_query_that_is_none_is_refused(query):
    with pytest.raises(BadRequest):
        canonical(b"/?" + query)


def test_overrides_are_refused():
    refuse_overrides(((b"x-anything", b"1"),), canonical(b"/?method=DELETE"))
    for headers in [((b"x-http-method-override", b"DELETE"),), ((b"x_original_url", b"/admin"),)]:
        with pytest.raises(BadRequest):
            refuse_overrides(headers, canonical(b"/"))
    with pytest.raises(BadRequest):
        refuse_overrides((), canonical(b"/?_METHOD=DELETE"))
