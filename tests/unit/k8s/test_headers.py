"""Headers are a closed list both ways; a token in a subprotocol is taken out, and counts as the one token."""

import base64

import pytest

from doorward_core.http.messages import BadRequest, get
from doorward_k8s.headers import V4, V5, for_client, for_cluster, spoken, token_of, without_token

TOKEN = b"base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"secret-token").rstrip(b"=")


def test_only_what_the_api_knows_goes_on():
    sent = (
        (b"accept", b"application/json"),
        (b"authorization", b"Bearer x"),
        (b"impersonate-user", b"root"),
        (b"x-remote-user", b"root"),
        (b"cookie", b"a"),
        (b"audit-id", b"forged"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"kubectl-command", b"kubectl get"),
    )
    assert dict(for_cluster(sent)) == {b"accept": b"application/json", b"kubectl-command": b"kubectl get"}


def test_only_what_the_api_says_comes_back_and_is_private():
    said = (
        (b"content-type", b"application/json"),
        (b"set-cookie", b"a"),
        (b"location", b"https://elsewhere"),
        (b"cache-control", b"public, max-age=5"),
    )
    assert for_client(said, schema=False) == ((b"content-type", b"application/json"), (b"cache-control", b"no-cache, private"))  # fmt: skip
    assert get(for_client(said, schema=True), b"cache-control") == b"private, max-age=5"


def test_a_token_in_a_subprotocol_is_taken_out():
    headers, tokens = without_token(((b"sec-websocket-protocol", TOKEN + b", " + V5),))
    assert headers == ((b"sec-websocket-protocol", V5),)
    secret, given = token_of(headers, tokens)
    assert secret is not None
    assert (secret.reveal(), given) == ("secret-token", True)
    assert without_token(((b"sec-websocket-protocol", TOKEN),))[0] == ()


@pytest.mark.parametrize(
    ("headers", "tokens"),
    [
        (((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")), ()),
        (((b"authorization", b"Bearer a"),), (b"YQ",)),
        (((b"authorization", b"Basic a"),), ()),
        (((b"authorization", b"Bearer "),), ()),
        ((), (b"YQ", b"YQ")),
        ((), (b"!",)),
        (((b"authorization", b"Bearer " + b"x" * 20_000),), ()),
    ],
)
def test_more_than_one_token_or_a_bad_one_is_none(headers, tokens):
    assert token_of(headers, tokens) == (None, True)


def test_no_token_is_known_to_be_none():
    assert token_of((), ()) == (None, False)


def test_of_what_a_client_speaks_what_is_spoken_here_is_asked_for():
    assert spoken(((b"sec-websocket-protocol", b"v5.channel.k8s.io, x, v4.channel.k8s.io"),), "exec") == (V5, V4)
    for said in (b"base64.channel.k8s.io", b"channel.k8s.io", b"SPDY/3.1+portforward.k8s.io"):
        assert spoken(((b"sec-websocket-protocol", said),), "exec") == ()
    assert spoken((), "exec") == ()
    with pytest.raises(BadRequest):
        spoken(((b"sec-websocket-protocol", b"a," * 40),), "exec")
