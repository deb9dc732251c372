"""Which headers go on, in either direction."""

import pytest

from doorward_core.http.routes import Destination, Found
from doorward_http.headers import NO_STORE, for_client, for_target
from doorward_http.redirects import Way

WAY = Way(Destination.of("https://crm.internal"), Found("crm", "/crm", "/x"))


@pytest.mark.parametrize(
    "name",
    [b"authorization", b"Doorward-Identity", b"doorward_identity", b"x-forwarded-for", b"X_Forwarded_User", b"host",
     b"remote_user", b"content-length", b"x-amzn-oidc-data", b"cookie", b"x-api-key", b"X_Api_Key", b"te", b"connection",
     b"x-original-host", b"ssl.client.verify"],
)  # fmt: skip
def test_what_a_client_may_not_say_to_a_target(name):
    assert for_target(((name, b"x"), (b"accept", b"*/*")), cookies=False, taken=(b"x-api-key",)) == (
        (b"accept", b"*/*"),
    )


def test_what_a_client_says_for_itself_goes_on_in_order():
    lines = ((b"accept", b"a"), (b"x-tenant", b"b"), (b"accept", b"c"), (b"cookie", b"d"))
    assert for_target(lines, cookies=True) == lines


def test_what_the_connection_header_names_ends_here():
    lines = ((b"connection", b"x-hop"), (b"x-hop", b"1"), (b"x-end", b"2"))
    assert for_target(lines, cookies=False) == ((b"x-end", b"2"),)


@pytest.mark.parametrize(
    "name",
    [b"alt-svc", b"strict-transport-security", b"cache-control", b"expires", b"age", b"refresh", b"set-cookie",
     b"x-accel-redirect", b"clear-site-data", b"proxy-authenticate", b"doorward-anything", b"transfer-encoding"],
)  # fmt: skip
def test_what_a_target_may_not_say_to_a_client(name):
    answered = for_client(200, ((name, b"x"), (b"etag", b"y")), WAY, cookies=False)
    assert answered.headers == ((b"etag", b"y"), NO_STORE)
    assert not answered.astray


def test_addresses_are_mapped_or_dropped():
    lines = ((b"content-location", b"https://evil.example/"), (b"link", b"</a>; rel=next"), (b"location", b"/b"))
    answered = for_client(201, lines, WAY, cookies=False)
    assert answered.headers == ((b"link", b"</crm/a>; rel=next"), (b"location", b"/crm/b"), NO_STORE)


@pytest.mark.parametrize(("status", "astray"), [(302, True), (307, True), (201, False), (200, False)])
def test_a_redirect_elsewhere_is_told_and_a_mere_address_is_dropped(status, astray):
    answered = for_client(status, ((b"location", b"https://evil.example/"),), WAY, cookies=False)
    assert answered == type(answered)((NO_STORE,), astray)


def test_cookies_pass_where_the_operator_lets_them():
    assert (b"set-cookie", b"a=1") in for_client(200, ((b"set-cookie", b"a=1"),), WAY, cookies=True).headers
