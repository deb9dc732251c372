"""A token that comes again: known while nothing that its check rests on has changed, and not a moment longer."""

import dataclasses
from types import SimpleNamespace

import pytest

from doorward_core.errors import AuthenticationError
from doorward_core.identity import authenticate
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.jwks import CacheTimes, KeyCache
from doorward_core.identity.limiter import BURST
from doorward_core.identity.token import Replay
from doorward_core.identity.verified import Verified, VerifiedTokens
from doorward_core.model import Peer, Secret
from doorward_demo.issuer import DevelopmentIssuer

HERE = Peer("10.0.0.1", 5000)
NS = 1_000_000_000
LONG_S, SHORT_S = 7200, 60  # how long keys are good for: longer than a token, and shorter


class House:
    """An authenticator whose whole checks are counted, and an issuer whose key set can change."""

    def __init__(self, world, monkeypatch, *, ttl_s=LONG_S, **settings) -> None:
        self.world = world
        self.jwks = world.issuer.jwks
        self.checks = 0
        real = authenticate.verify_jws

        def counted(*arguments):
            self.checks += 1
            return real(*arguments)

        monkeypatch.setattr(authenticate, "verify_jws", counted)
        known = dataclasses.replace(world.settings, jwks_uri=f"{world.issuer.url}/jwks", **settings)
        keys = KeyCache(CacheTimes(ttl_s=ttl_s), fetch=self.fetch)
        self.door = Authenticator((known,), clock=lambda: world.now_ns, keys=keys)

    async def fetch(self, _url, _ca_file) -> bytes:
        return self.jwks()

    async def ask(self, token, peer=HERE):
        return await self.door.authenticate(BearerToken(Secret(token)), peer)


@pytest.fixture
def world(world):
    """With a clock of its own for each test."""
    return SimpleNamespace(**vars(world))


@pytest.fixture
def house(world, monkeypatch):
    return House(world, monkeypatch)


async def test_a_token_that_comes_again_is_checked_once(house, world):
    token = world.issuer.issue("crew-7", groups=("a",))
    first = await house.ask(token)
    world.now_ns += NS
    assert await house.ask(token) is first
    assert await house.ask(token, Peer("10.0.0.2", 1)) is first
    assert house.checks == 1


async def test_it_is_known_until_it_expires(house, world):
    token = world.issuer.issue("crew-7")
    identity = await house.ask(token)
    world.now_ns = identity.expires_unix_ns - 1
    assert await house.ask(token) is identity
    world.now_ns = identity.expires_unix_ns
    with pytest.raises(AuthenticationError, match="expired"):
        await house.ask(token)


async def test_it_is_checked_anew_once_the_keys_were_fetched_anew(world, monkeypatch):
    house = House(world, monkeypatch, ttl_s=SHORT_S)
    token = world.issuer.issue("crew-7")
    await house.ask(token)
    world.now_ns += SHORT_S * NS
    await house.ask(token)
    assert house.checks == 2


async def test_it_is_refused_once_its_key_is_withdrawn(world, monkeypatch):
    house = House(world, monkeypatch, ttl_s=SHORT_S)
    token = world.issuer.issue("crew-7")
    await house.ask(token)
    other = DevelopmentIssuer(algorithm="ES256", clock=lambda: world.now_ns)
    house.jwks = other.jwks
    other.close()
    world.now_ns += SHORT_S * NS
    with pytest.raises(AuthenticationError, match="not among the issuer's keys"):
        await house.ask(token)


async def test_a_clock_that_was_set_back_makes_it_be_checked_anew(house, world):
    token = world.issuer.issue("crew-7")
    await house.ask(token)
    world.now_ns -= 2 * NS
    await house.ask(token)
    assert house.checks == 2


async def test_another_signature_over_the_same_claims_is_another_token(house, world):
    token = world.issuer.issue("crew-7")
    await house.ask(token)
    head, body, signature = token.split(".")
    forged = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    with pytest.raises(AuthenticationError, match="signature"):
        await house.ask(forged)


async def test_a_token_that_is_good_for_one_use_is_refused_the_second_time(world, monkeypatch):
    house = House(world, monkeypatch, replay=Replay.ONCE)
    token = world.issuer.issue("crew-7")
    await house.ask(token)
    with pytest.raises(AuthenticationError, match="used before"):
        await house.ask(token)


async def test_one_that_was_refused_is_never_known(house, world):
    late = world.issuer.issue("crew-7")
    world.now_ns += 2 * LONG_S * NS
    for _ in range(BURST - 1):
        with pytest.raises(AuthenticationError, match="expired"):
            await house.ask(late)
    assert house.checks == BURST - 1


async def test_what_is_known_is_bounded_and_the_least_used_goes_first(house, world):
    identity = await house.ask(world.issuer.issue("crew-7"))
    verified = Verified(identity, world.settings, None, object())
    table = VerifiedTokens(limit=2)
    table.keep(b"a", verified)
    table.keep(b"b", verified)
    assert table.get(b"a") is verified
    table.keep(b"c", verified)
    assert (table.get(b"a"), table.get(b"b"), table.get(b"c")) == (verified, None, verified)
