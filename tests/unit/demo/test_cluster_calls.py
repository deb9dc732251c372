"""Calls as their URLs say them, and who makes them."""

import pytest

from doorward_core.http.messages import Head, Headers
from doorward_demo.cluster_calls import User, read_call, who
from doorward_demo.cluster_errors import ApiError

ME = User("me")
TOKENS = {"t": ME}


def head(method: str, target: str, *headers: tuple[bytes, bytes], upgrade: str = "") -> Head:
    return Head(method, target.encode(), "x", "https", tuple(headers), upgrade=upgrade)


@pytest.mark.parametrize(
    ("method", "target", "verb", "what"),
    [
        ("GET", "/api/v1/pods", "list", ("pods", "", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods?watch=true", "watch", ("pods", "shop", "", "")),
        ("GET", "/api/v1/watch/namespaces/shop/pods", "watch", ("pods", "shop", "", "")),
        ("GET", "/api/v1/namespaces/shop", "get", ("namespaces", "", "shop", "")),
        ("DELETE", "/api/v1/namespaces/shop/pods", "deletecollection", ("pods", "shop", "", "")),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
            "patch",
            ("deployments", "shop", "web", "scale"),
        ),
        ("POST", "/api/v1/namespaces/shop/pods/web/eviction", "create", ("pods", "shop", "web", "eviction")),
        ("GET", "/api/v1/namespaces/shop/pods/web/log", "get", ("pods", "shop", "web", "log")),
    ],
)
def test_a_call_is_what_its_url_says(method: str, target: str, verb: str, what: tuple[str, ...]) -> None:
    call = read_call(head(method, target), b"", ME)
    assert call is not None
    part = call.subresource.name if call.subresource else ""
    assert (call.verb, (call.kind.plural, call.namespace, call.name, part)) == (verb, what)


def test_an_upgrade_of_exec_makes_something() -> None:
    call = read_call(head("GET", "/api/v1/namespaces/a/pods/b/exec", upgrade="websocket"), b"", ME)
    assert call is not None
    assert call.verb == "create"


def test_other_paths_are_no_calls() -> None:
    assert read_call(head("GET", "/api/v1"), b"", ME) is None
    assert read_call(head("GET", "/version"), b"", ME) is None


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/api/v1/unknown", 404),
        ("GET", "/api/v1/namespaces/a/pods/b/unknown", 404),
        ("GET", "/api/v1/namespaces/a/pods/b/log/c", 404),
        ("POST", "/api/v1/namespaces/a/pods/b/log", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
    ],
)
def test_what_is_not_known_is_refused(method: str, target: str, code: int) -> None:
    with pytest.raises(ApiError) as error:
        read_call(head(method, target), b"", ME)
    assert error.value.code == code


def caller(*headers: tuple[bytes, bytes]) -> User:
    sent: Headers = ((b"authorization", b"Bearer t"), *headers)
    return who(head("GET", "/", *sent), TOKENS, frozenset({"me"}))


def test_who_may_impersonate_is_somebody_else() -> None:
    found = caller(
        (b"impersonate-user", b"jane"),
        (b"impersonate-group", b"a"),
        (b"impersonate-group", b"b"),
        (b"impersonate-extra-doorward%2fsponsor", b"maria"),
    )
    assert found == User("jane", ("a", "b", "system:authenticated"), (("doorward/sponsor", "maria"),), by="me")
    assert found.info()["extra"] == {"doorward/sponsor": ["maria"]}


def test_impersonation_that_is_not_allowed_or_half_is_refused() -> None:
    with pytest.raises(ApiError):
        caller((b"impersonate-group", b"a"))
    with pytest.raises(ApiError):
        who(head("GET", "/", (b"authorization", b"Bearer t"), (b"impersonate-user", b"x")), TOKENS, frozenset())
    with pytest.raises(ApiError):
        who(head("GET", "/"), TOKENS, frozenset())
