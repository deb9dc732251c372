"""Bodies that would change the method are seen however they spell it and wherever they are cut; others pass."""

import pytest

from doorward_core.http.messages import BadRequest
from doorward_http.overrides import Overrides

FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)
PARTS = ((b"content-type", b"multipart/form-data; boundary=b"),)
CUTS = [0, 1, 2, 7]

CHANGING = [
    b"_method=DELETE",
    b"a=1&_method=DELETE",
    b"a=1;_METHOD",
    b"a=;&_method=x",
    b"a=%ff&%5Fm%65thod=x",
    b"a& + _method=1",
    b"%20[_method]=x",
    b"a&" + b"[" * 100 + b"_method]=x",
]
PLAIN = [b"payment_method=x", b"a=_method", b"_methodology=1", b"q=what+is+_method", b"a=x _method", b""]

NAMES = [
    b'name="_method"',
    b"name=_method",
    b'name="_\\method"',
    b'Name = "_METHOD"',
    b"name='_method'",
    b'name="%5fmethod"',
    b"name*=utf-8''_method",
    b'name*0="_met"; name*1="hod"',
    b'filename="' + b"x" * 3000 + b'"; name="_method"',
    b'\r\n name="_method"',
]
OTHER_NAMES = [
    b'name="payment_method"',
    b"name=x; filename*=utf-8''_method",
    b'name="a"\r\n\r\nname="_method"',
    b'name="_methods"',
]


def look(headers, body, cut=0):
    looking = Overrides(headers, coded=False)
    size = cut or len(body) or 1
    for at in range(0, len(body), size):
        looking.feed(body[at : at + size])
    looking.feed(b"", last=True)


def part(names):
    return b"--b\r\nContent-Disposition: form-data; " + names + b"\r\n\r\ndelete\r\n--b--\r\n"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("headers", [FORM, (), ((b"content-type", b"application/x-www-form-urlencoded,x"),)])
@pytest.mark.parametrize("body", CHANGING)
def test_a_field_that_changes_the_method_is_seen(headers, body, cut):
    with pytest.raises(BadRequest):
        look(headers, body, cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("body", PLAIN)
def test_other_fields_pass(body, cut):
    look(FORM, body, cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("names", NAMES)
def test_a_part_that_changes_the_method_is_seen(names, cut):
    with pytest.raises(BadRequest):
        look(PARTS, part(names), cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("names", OTHER_NAMES)
def test_other_parts_pass(names, cut):
    look(PARTS, part(names), cut)


def test_what_is_no_form_is_not_looked_at():
    looking = Overrides(((b"content-type", b"application/json"),), coded=True)
    assert not looking.looks
    looking.feed(b"_method=DELETE", last=True)


@pytest.mark.parametrize(
    ("headers", "coded"), [((FORM[0], PARTS[0]), False), (FORM, True), (PARTS, True), ((FORM[0], FORM[0]), False)]
)
def test_a_form_that_others_may_read_differently_is_refused(headers, coded):
    with pytest.raises(BadRequest):
        Overrides(headers, coded=coded)


JSON = ((b"content-type", b"application/vnd.api+json"),)
MEMBERS = [
    b'{"_method": "DELETE"}',
    b'{"a": 1, "_METHOD"\n:"DELETE"}',
    b'{"\\u005fmethod": "DELETE"}',
    b'{"_\\u004D\\u0065thod": "DELETE"}',
    b'{"\\u005F\\u006d\\u0045\\u0074\\u0048\\u006f\\u0064": "DELETE"}',
    b'{"a": "' + b"x" * 5000 + b'", "_method": "DELETE"}',
]
OTHER_MEMBERS = [
    b'{"method": "card"}',
    b'{"payment_method": 1}',
    b'{"a": "say \\"_method\\": no"}',
    b'{"_method_": 1}',
    b"[]",
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("body", MEMBERS)
def test_h_04_a_member_of_json_that_changes_the_method_is_seen(body, cut):
    with pytest.raises(BadRequest):
        look(JSON, body, cut)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("body", OTHER_MEMBERS)
def test_members_that_change_nothing_pass(body, cut):
    look(JSON, body, cut)


def test_a_type_that_is_two_is_looked_at_as_both():
    both = ((b"content-type", b"multipart/form-data; boundary=json"),)
    for body in (MEMBERS[0], part(NAMES[0])):
        with pytest.raises(BadRequest):
            look(both, body, 7)
