import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.errors import AuthenticationError
from doorward_core.identity.authenticate import CLIENT_MESSAGE, Authenticator, BearerToken, SshCertificate
from doorward_core.identity.jwks import KeyCache, KeysUnavailable
from doorward_core.identity.limiter import BURST
from doorward_core.identity.ssh_certificate import issue
from doorward_core.identity.token import IssuerSettings, Replay
from doorward_core.model import AuthMethod, Peer, Secret

HERE, THERE = Peer("10.0.0.1", 5000), Peer("10.0.0.2", 5000)


class Source:
    """Serves the issuer's key set without a network; counts."""

    def __init__(self, world) -> None:
        self.world = world
        self.calls = 0
        self.down = False

    async def __call__(self, _url, _ca_file) -> bytes:
        self.calls += 1
        if self.down:
            raise KeysUnavailable("keys: down")
        return self.world.issuer.jwks()


@pytest.fixture
def source(world) -> Source:
    return Source(world)


@pytest.fixture
def settings(world) -> IssuerSettings:
    return dataclasses.replace(world.settings, jwks_uri=f"{world.issuer.url}/jwks")


@pytest.fixture
def door(world, source, settings) -> Authenticator:
    return Authenticator((settings,), clock=lambda: world.now_ns, keys=KeyCache(fetch=source))


def bearer(token: str) -> BearerToken:
    return BearerToken(Secret(token))


async def test_a_good_token_is_an_identity(door, world):
    identity = await door.authenticate(bearer(world.issuer.issue("crew-7", groups=("a",))), HERE)
    assert (identity.subject, identity.groups) == ("crew-7", {"a"})


async def test_an_issuer_that_is_not_configured_is_not_asked_for_keys(door, world, source):
    with pytest.raises(AuthenticationError, match="not configured: 'https://evil"):
        await door.authenticate(bearer(world.issuer.issue("crew-7", attributes={"iss": "https://evil.example"})), HERE)
    assert source.calls == 0


async def test_an_unknown_issuer_is_logged_without_its_control_characters(door, world):
    hostile = {"iss": "https://evil.example/\u202e\N{LATIN SMALL LETTER E WITH ACUTE}"}
    with pytest.raises(AuthenticationError) as caught:
        await door.authenticate(bearer(world.issuer.issue("crew-7", attributes=hostile)), HERE)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


async def test_each_issuer_has_its_own_keys(world, source, settings):
    other = dataclasses.replace(settings, issuer="https://other.example")
    asked = []

    async def fetch(url, ca_file):
        asked.append(url)
        return await source(url, ca_file)

    door = Authenticator(
        (settings, dataclasses.replace(other, jwks_uri="https://other.example/k")),
        clock=lambda: world.now_ns,
        keys=KeyCache(fetch=fetch),
    )
    await door.authenticate(bearer(world.issuer.issue("crew-7")), HERE)
    assert asked == [settings.jwks_uri]


def test_an_issuer_is_configured_once(settings):
    with pytest.raises(ValueError, match="twice"):
        Authenticator((settings, settings), clock=lambda: 0)


async def test_a_source_that_keeps_failing_is_no_longer_listened_to(door, world):
    for _ in range(BURST):
        with pytest.raises(AuthenticationError, match=r"^token"):
            await door.authenticate(bearer("no token"), HERE)
    late = bearer(world.issuer.issue("crew-7"))
    with pytest.raises(AuthenticationError, match="too many failures"):
        await door.authenticate(late, HERE)
    assert await door.authenticate(late, THERE)


async def test_a_credential_that_works_outlives_its_neighbours_failures(door, world):
    good = bearer(world.issuer.issue("crew-7"))
    await door.authenticate(good, HERE)
    for _ in range(BURST + 1):
        with pytest.raises(AuthenticationError):
            await door.authenticate(bearer("no token"), HERE)
    assert await door.authenticate(good, HERE)


async def test_an_issuer_that_is_down_is_nobodys_failure(door, world, source):
    source.down = True
    for _ in range(BURST + 5):
        with pytest.raises(KeysUnavailable):
            await door.authenticate(bearer(world.issuer.issue("crew-7")), HERE)


async def test_a_token_comes_once_where_the_operator_says_so(world, source, settings):
    once = dataclasses.replace(settings, replay=Replay.ONCE)
    door = Authenticator((once,), clock=lambda: world.now_ns, keys=KeyCache(fetch=source))
    token = bearer(world.issuer.issue("crew-7"))
    await door.authenticate(token, HERE)
    with pytest.raises(AuthenticationError, match="used before"):
        await door.authenticate(token, HERE)


async def test_a_token_stays_with_its_source_where_the_operator_says_so(world, source, settings):
    bound = dataclasses.replace(settings, replay=Replay.SAME_SOURCE)
    door = Authenticator((bound,), clock=lambda: world.now_ns, keys=KeyCache(fetch=source))
    token = bearer(world.issuer.issue("crew-7"))
    await door.authenticate(token, HERE)
    await door.authenticate(token, dataclasses.replace(HERE, port=6000))
    with pytest.raises(AuthenticationError, match="used before"):
        await door.authenticate(token, THERE)


async def test_a_bad_token_uses_up_no_id(world, source, settings):
    once = dataclasses.replace(settings, replay=Replay.ONCE)
    door = Authenticator((once,), clock=lambda: world.now_ns, keys=KeyCache(fetch=source))
    token = world.issuer.issue("crew-7")
    with pytest.raises(AuthenticationError):
        await door.authenticate(bearer(token[:-4] + "AAAA"), HERE)
    assert await door.authenticate(bearer(token), HERE)


def test_what_a_client_is_told_says_nothing():
    assert CLIENT_MESSAGE == "authentication failed"


CA = Ed25519PrivateKey.generate()


@pytest.fixture
def ssh_door(world, source, settings) -> Authenticator:
    return Authenticator(
        (settings,), clock=lambda: world.now_ns, keys=KeyCache(fetch=source), authorities=[CA.public_key()]
    )


async def certificate(door, world, ca=CA, **changes) -> bytes:
    who = await door.authenticate(bearer(world.issuer.issue("crew-7", groups=("a",))), HERE)
    who = dataclasses.replace(who, **changes)
    key = Ed25519PrivateKey.generate().public_key()
    return issue(ca, key, who, ["deploy@web1"], serial=7, now_unix_ns=world.now_ns).blob


async def test_a_certificate_of_our_own_is_an_identity(ssh_door, world):
    shown = SshCertificate(await certificate(ssh_door, world), "deploy@web1")
    identity = await ssh_door.authenticate(shown, HERE)
    assert (identity.subject, identity.groups, identity.method) == ("crew-7", {"a"}, AuthMethod.SSH_CERTIFICATE)


async def test_a_gateway_without_authorities_believes_no_certificate(door, world):
    shown = SshCertificate(await certificate(door, world), "deploy@web1")
    with pytest.raises(AuthenticationError, match="not signed by"):
        await door.authenticate(shown, HERE)


async def test_a_certificate_goes_with_its_issuer(ssh_door, world):
    shown = SshCertificate(await certificate(ssh_door, world, issuer="https://gone.example"), "deploy@web1")
    with pytest.raises(AuthenticationError, match="no longer configured"):
        await ssh_door.authenticate(shown, HERE)


async def test_a_probe_is_answered_and_costs_nothing(ssh_door, world):
    forged = SshCertificate(await certificate(ssh_door, world, Ed25519PrivateKey.generate()), "deploy@web1")
    good = SshCertificate(await certificate(ssh_door, world), "deploy@web1")
    for _ in range(BURST + 1):
        assert not ssh_door.believes(forged, HERE)
    assert ssh_door.believes(good, HERE)
    assert not ssh_door.believes(dataclasses.replace(good, principal="root@web1"), HERE)
    assert await ssh_door.authenticate(good, HERE)


async def test_certificates_that_fail_count_against_their_source(ssh_door, world):
    forged = SshCertificate(await certificate(ssh_door, world, Ed25519PrivateKey.generate()), "deploy@web1")
    good = SshCertificate(await certificate(ssh_door, world), "deploy@web1")
    for _ in range(BURST):
        with pytest.raises(AuthenticationError, match="not signed by"):
            await ssh_door.authenticate(forged, HERE)
    with pytest.raises(AuthenticationError, match="too many failures"):
        await ssh_door.authenticate(good, HERE)
    assert await ssh_door.authenticate(good, THERE)
