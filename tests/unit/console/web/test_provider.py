import json

import pytest

from doorward_console.settings import Login
from doorward_console.web import oidc
from doorward_console.web.provider import Provider, ProviderUnavailable
from doorward_core.errors import AuthenticationError
from doorward_core.model import Peer, Secret
from doorward_demo.issuer import DevelopmentIssuer

PEER = Peer("127.0.0.1")
SITE = "http://127.0.0.1:1"


@pytest.fixture
def issuer():
    with DevelopmentIssuer() as made:
        yield made


@pytest.fixture
def provider(issuer):
    return Provider(Login(issuer=issuer.url, client_id="desk"), issuer.clock)


def code_for(issuer, started, subject="dba-tom", client="desk"):
    form = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": SITE + oidc.CALLBACK,
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": oidc.authorization_url(
            oidc.Endpoints("http://x", "http://x"), Login(issuer=issuer.url, client_id=client), SITE, started
        ).partition("code_challenge=")[2].partition("&")[0],
        "subject": subject,
    }  # fmt: skip
    place = issuer.logins.choose(form, issuer.principals.values())
    return place.partition("code=")[2].partition("&")[0]


async def test_a_code_becomes_a_person_with_tokens_that_renew(issuer, provider):
    started = oidc.begin("/", issuer.clock(), fresh=False)
    tokens = await provider.redeem(code_for(issuer, started), started, SITE, PEER)
    assert (tokens.identity.subject, tokens.identity.display) == ("dba-tom", "Tom Berger")
    assert tokens.identity.logged_in_unix_ns > 0
    renewed = await provider.renew(tokens.refresh, tokens.identity, PEER)
    assert renewed.access.reveal() != tokens.access.reveal()
    with pytest.raises(AuthenticationError):
        await provider.renew(tokens.refresh, tokens.identity, PEER)


async def test_a_code_is_no_good_without_its_verifier(issuer, provider):
    started, other = (oidc.begin("/", issuer.clock(), fresh=False) for _ in range(2))
    code = code_for(issuer, started)
    with pytest.raises(AuthenticationError, match="invalid_grant"):
        await provider.redeem(code, other, SITE, PEER)


async def test_a_login_of_another_client_is_not_ours(issuer, provider):
    started = oidc.begin("/", issuer.clock(), fresh=False)
    with pytest.raises(AuthenticationError):
        await provider.redeem(code_for(issuer, started, client="another"), started, SITE, PEER)


async def test_whoever_is_renewed_is_the_same_person(issuer, provider):
    started = oidc.begin("/", issuer.clock(), fresh=False)
    maria = await provider.redeem(code_for(issuer, started, "maria"), started, SITE, PEER)
    tom = await provider.redeem(code_for(issuer, started), started, SITE, PEER)
    with pytest.raises(AuthenticationError, match="somebody else"):
        await provider.renew(maria.refresh, tom.identity, PEER)


@pytest.mark.parametrize("document", [b"{", b"[]", b'{"issuer": "https://evil.test"}', b"{}"])
async def test_a_discovery_document_that_is_none_makes_the_provider_unavailable(issuer, provider, document):
    issuer.documents["/.well-known/openid-configuration"] = (200, document)
    with pytest.raises(ProviderUnavailable):
        await provider.endpoints()


async def test_a_provider_that_is_gone_is_unavailable(issuer, provider):
    issuer.close()
    with pytest.raises(ProviderUnavailable):
        await provider.endpoints()


async def test_a_token_of_a_stranger_identifies_nobody(issuer, provider):
    with pytest.raises(AuthenticationError):
        await provider.identify(Secret("nonsense"), PEER)
    identity = await provider.identify(Secret(issuer.issue("dba-tom", "human", ("dba",))), PEER)
    assert identity.groups == {"dba"}


async def test_discovery_is_asked_once_an_hour(issuer, provider):
    await provider.endpoints()
    await provider.endpoints()
    assert issuer.requests.count("/.well-known/openid-configuration") == 1
    assert json.loads(issuer.documents["/.well-known/openid-configuration"][1])["authorization_endpoint"]
