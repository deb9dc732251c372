"""Rows ID-01 to ID-04 and ID-06 to ID-08 as far as the room reaches: a served issuer, the real fetch, the one door."""

import base64
import dataclasses
import hashlib
import hmac
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from doorward_core.errors import AuthenticationError
from doorward_core.identity.authenticate import Authenticator, BearerToken
from doorward_core.identity.jwks import MAX_DOCUMENT_BYTES, CacheTimes, KeyCache
from doorward_core.identity.limiter import BURST
from doorward_core.identity.token import IssuerSettings, Replay
from doorward_core.model import Peer, PrincipalKind, Secret
from doorward_demo.issuer import DevelopmentIssuer, base64url, compact, make_key, public_jwk

NOW_S = 1_800_000_000
S = 1_000_000_000
PEER = Peer("10.255.255.255", 5000)


class World:
    """One issuer that is served, one gateway that trusts it, and a clock that a test sets."""

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        self.issuer = issuer
        self.now_s = NOW_S
        self.tries = 0
        self.settings = IssuerSettings(issuer.url, frozenset({"doorward"}))
        self.trust(self.settings)

    def trust(self, settings: IssuerSettings) -> None:
        self.settings = settings
        times = CacheTimes(ttl_s=300, stale_limit_s=3600, unknown_kid_s=30, retry_s=15)
        self.door = Authenticator((settings,), clock=lambda: self.now_s * S, keys=KeyCache(times))

    def publish(self, *members: object) -> None:
        self.issuer.documents["/jwks"] = (200, json.dumps({"keys": members}).encode())

    async def accepts(self, token: str) -> bool:
        """Try from an address that never failed before: the failure limit must not answer for what is tested."""
        self.tries += 1
        peer = Peer(f"10.{self.tries >> 16}.{self.tries >> 8 & 255}.{self.tries & 255}", 5000)
        try:
            await self.door.authenticate(BearerToken(Secret(token)), peer)
        except AuthenticationError:
            return False
        return True

    def token(self, header: dict[str, object] | None = None, **claims: object) -> str:
        payload = {name: value for name, value in (self.issuer.claims("crew-7") | claims).items() if value is not ...}
        return self.issuer.sign_claims(payload, header)

    def raw(self, header: bytes, payload: bytes | None = None) -> str:
        """Sign exactly these bytes, with the right key."""
        body = json.dumps(self.issuer.claims("crew-7")).encode() if payload is None else payload
        return compact(self.issuer.key, header, body, self.issuer.algorithm)

    def header(self, **more: object) -> bytes:
        return json.dumps({"alg": self.issuer.algorithm, "kid": self.issuer.kid, "typ": "JWT"} | more).encode()


def serve(algorithm: str) -> Iterator[World]:
    with DevelopmentIssuer(algorithm=algorithm, clock=lambda: NOW_S * S) as issuer:
        yield World(issuer)


@pytest.fixture
def world() -> Iterator[World]:
    yield from serve("ES256")


@pytest.fixture
def rsa_world() -> Iterator[World]:
    yield from serve("RS256")


def segment(value: object) -> str:
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


# --- ID-01: the signature ---------------------------------------------------------------------------------------------


async def test_id_01_the_honest_token_passes_so_that_the_rest_means_something(world, rsa_world):
    for one in (world, rsa_world):
        assert await one.accepts(one.token())
        assert await one.accepts(one.raw(one.header()))


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "NONE", "", "null"])
@pytest.mark.parametrize("signature", ["", "AA", "e30"])
async def test_id_01_algorithm_none(world, name, signature):
    head = segment({"alg": name, "kid": world.issuer.kid, "typ": "JWT"})
    assert not await world.accepts(f"{head}.{segment(world.issuer.claims('crew-7'))}.{signature}")


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512", "hs256"])
@pytest.mark.parametrize("encoding", ["pem", "der", "jwk", "n"])
async def test_id_01_hmac_with_the_public_key_as_its_secret(rsa_world, name, encoding):
    public = rsa_world.issuer.key.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = {
        "pem": public.public_bytes(serialization.Encoding.PEM, info),
        "der": public.public_bytes(serialization.Encoding.DER, info),
        "jwk": json.dumps(public_jwk(rsa_world.issuer.key, rsa_world.issuer.kid, "RS256")).encode(),
        "n": public.public_numbers().n.to_bytes(256, "big"),
    }
    message = (
        f"{segment({'alg': name, 'kid': rsa_world.issuer.kid, 'typ': 'JWT'})}.{segment(rsa_world.issuer.claims('x'))}"
    )
    digest = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}[name[2:]]
    signature = hmac.new(secrets[encoding], message.encode(), digest).digest()
    assert not await rsa_world.accepts(f"{message}.{base64url(signature)}")


@pytest.mark.parametrize("secret", [b"", b"k", b"k" * 31, b"k" * 64])
async def test_id_01_a_symmetric_key_in_the_set_short_or_long(world, secret):
    world.publish({"kty": "oct", "kid": "h", "alg": "HS256", "k": base64url(secret)}, world_jwk(world))
    message = f"{segment({'alg': 'HS256', 'kid': 'h', 'typ': 'JWT'})}.{segment(world.issuer.claims('x'))}"
    signature = hmac.new(secret, message.encode(), hashlib.sha256).digest()
    assert not await world.accepts(f"{message}.{base64url(signature)}")
    assert await world.accepts(world.token())


def world_jwk(world: World) -> dict[str, str]:
    return public_jwk(world.issuer.key, world.issuer.kid, world.issuer.algorithm)


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 0), (0, 1), (1, 0), (P256_ORDER, P256_ORDER), (P256_ORDER, 0), (2**256 - 1, 2**256 - 1), (1, 1)],
)
async def test_id_01_psychic_signatures(world, r, s):
    head, body, _ = world.token().split(".")
    assert not await world.accepts(f"{head}.{body}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}")


async def test_id_01_an_ecdsa_signature_in_another_encoding_or_length(world):
    head, body, _ = world.token().split(".")
    der = world.issuer.key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    right = base64.urlsafe_b64decode(world.token().split(".")[2] + "==")
    for signature in (der, right + b"\0", right[:-1], b"\0" + right):
        assert not await world.accepts(f"{head}.{body}.{base64url(signature)}")


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()])
@pytest.mark.parametrize("claimed", ["P-256", "P-384", "P-521", "secp256k1"])
async def test_id_01_a_key_on_another_curve_than_its_algorithm(world, curve, claimed):
    key = ec.generate_private_key(curve)
    numbers, width = key.public_key().public_numbers(), (curve.key_size + 7) // 8
    point = {"x": base64url(numbers.x.to_bytes(width, "big")), "y": base64url(numbers.y.to_bytes(width, "big"))}
    world.publish({"kty": "EC", "crv": claimed, "kid": "w"} | point)
    for algorithm in ("ES256", "ES384", "ES512"):
        head = json.dumps({"alg": algorithm, "kid": "w", "typ": "JWT"}).encode()
        token = compact(key, head, json.dumps(world.issuer.claims("x")).encode(), "ES256")
        assert not await world.accepts(token)  # signed with SHA-256: right for ES256 alone, and its curve is wrong


async def test_id_01_one_rsa_padding_does_not_pass_for_the_other(rsa_world):
    issuer = rsa_world.issuer
    payload = json.dumps(issuer.claims("crew-7")).encode()
    for claimed, used in (("RS256", "PS256"), ("PS256", "RS256"), ("PS256", "PS256"), ("RS512", "RS256")):
        head = json.dumps({"alg": claimed, "kid": issuer.kid, "typ": "JWT"}).encode()
        assert not await rsa_world.accepts(compact(issuer.key, head, payload, used)), (claimed, used)


@pytest.mark.parametrize("bits", [1024, 1536, 2047])
async def test_id_01_weak_rsa(world, bits):
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    world.publish(public_jwk(key, "weak", "RS256"))
    head = json.dumps({"alg": "RS256", "kid": "weak", "typ": "JWT"}).encode()
    assert not await world.accepts(compact(key, head, json.dumps(world.issuer.claims("x")).encode(), "RS256"))


async def test_id_01_rsa_with_a_small_exponent(world):
    key = rsa.generate_private_key(public_exponent=3, key_size=2048)
    member = public_jwk(key, "e3", "RS256") | {"e": base64url(b"\3")}
    world.publish(member)
    head = json.dumps({"alg": "RS256", "kid": "e3", "typ": "JWT"}).encode()
    assert not await world.accepts(compact(key, head, json.dumps(world.issuer.claims("x")).encode(), "RS256"))


def roca_key() -> rsa.RSAPrivateKey:
    """A working key of the faulty generator's form, found by search: k * M + 65537^a mod M, both prime."""
    primorial = 1
    for number in range(2, 702):
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            primorial *= number
    start, found = 1023 - primorial.bit_length(), []
    k = 3 << start
    while len(found) < 2:
        k += 1
        candidate = k * primorial + pow(65537, k & 0xFFFF, primorial)
        if pow(2, candidate - 1, candidate) == 1 and (candidate - 1) % 65537:
            found.append(candidate)
            k += 1 << start - 2
    p, q = found
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


async def test_id_01_an_rsa_key_of_the_roca_family(world):
    key = roca_key()
    assert key.key_size >= 2048
    world.publish(public_jwk(key, "roca", "RS256"))
    head = json.dumps({"alg": "RS256", "kid": "roca", "typ": "JWT"}).encode()
    token = compact(key, head, json.dumps(world.issuer.claims("x")).encode(), "RS256")
    with pytest.raises(AuthenticationError, match="ROCA"):
        await world.door.authenticate(BearerToken(Secret(token)), PEER)


async def test_id_01_a_set_of_mixed_keys_lends_no_key_to_another_algorithm(rsa_world):
    other = make_key("ES256")
    rsa_world.publish(world_jwk(rsa_world), public_jwk(other, "ec", "ES256"), {"kty": "oct", "kid": "h", "k": "AAAA"})
    payload = json.dumps(rsa_world.issuer.claims("x")).encode()
    for name, kid in (("ES256", rsa_world.issuer.kid), ("RS256", "ec"), ("ES256", "h"), ("RS256", "h")):
        head = json.dumps({"alg": name, "kid": kid, "typ": "JWT"}).encode()
        for key, used in ((other, "ES256"), (rsa_world.issuer.key, "RS256")):
            assert not await rsa_world.accepts(compact(key, head, payload, used)), (name, kid)
    head = json.dumps({"alg": "ES256", "typ": "JWT"}).encode()
    assert not await rsa_world.accepts(compact(other, head, payload, "ES256"))  # no kid, and two keys to choose from


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": ["b64"], "b64": True},
        {"b64": True},
        {"b64": False},
        {"crit": ["b64"], "b64": False},
        {"jku": "https://evil.example/jwks"},
        {"jku": ""},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
        {"iss": "https://evil.example"},
        {"unknown": 1},
    ],
)
async def test_id_01_a_header_that_asks_for_more_than_a_signature_check(world, more):
    assert not await world.accepts(world.raw(world.header(**more)))


async def test_id_01_a_key_that_the_token_brings_along(world):
    key = make_key("ES256")
    jwk = public_jwk(key, "mine", "ES256")
    for more in ({"jwk": jwk}, {"jwk": jwk, "kid": "mine"}, {"x5c": [jwk["x"]]}):
        head = json.dumps({"alg": "ES256", "kid": world.issuer.kid, "typ": "JWT"} | more).encode()
        assert not await world.accepts(compact(key, head, json.dumps(world.issuer.claims("x")).encode(), "ES256"))


@pytest.mark.parametrize("segments", [5, 4, 2, 1])
async def test_id_01_an_encrypted_token_in_place_of_a_signed_one(world, segments):
    head = segment({"alg": "RSA-OAEP", "enc": "A256GCM"})
    assert not await world.accepts(".".join([head, *["AAAA"] * (segments - 1)]))


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "' OR '1'='1",
        "x'; DROP TABLE keys; --",
        "https://evil.example/jwks",
        "file:///dev/null",
        "\x00",
        "a\r\nHost: evil.example",
        "",
        "k" * 5000,
        0,
        None,
        ["{kid}"],
        {"kid": "{kid}"},
    ],
)
async def test_id_01_a_key_id_that_is_something_else(world, kid):
    assert await world.accepts(world.token())
    asked = list(world.issuer.requests)
    assert not await world.accepts(world.raw(world.header(kid=kid)))
    assert world.issuer.requests == asked


async def test_id_01_two_keys_with_one_id(world):
    attacker = make_key("ES256")
    world.publish(world_jwk(world), public_jwk(attacker, world.issuer.kid, "ES256"))
    payload = json.dumps(world.issuer.claims("crew-7")).encode()
    for key in (world.issuer.key, attacker):
        assert not await world.accepts(compact(key, world.header(), payload, "ES256"))


async def test_id_01_members_that_occur_twice(world):
    good = json.dumps(world.issuer.claims("crew-7"))
    for extra in ('"sub":"root"', '"aud":"doorward"', '"exp":9999999999', '"groups":["dba"]', '"\\u0073ub":"root"'):
        assert not await world.accepts(world.raw(world.header(), f"{good[:-1]},{extra}}}".encode()))
        assert not await world.accepts(world.raw(world.header(), f"{{{extra},{good[1:]}".encode()))
    head = world.header().decode()
    for extra in ('"alg":"none"', f'"kid":"{world.issuer.kid}"', '"\\u0061lg":"ES256"'):
        assert not await world.accepts(world.raw(f"{head[:-1]},{extra}}}".encode()))
    nested = good[:-1] + ',"act":{"sub":"a","sub":"b"}}'
    assert not await world.accepts(world.raw(world.header(), nested.encode()))


@pytest.mark.parametrize("audience", [["doorward", "other"], ["other", "doorward"], ["doorward", "doorward2"]])
async def test_id_01_two_audiences(world, audience):
    assert not await world.accepts(world.token(aud=audience))


async def test_id_01_base64_that_two_readers_read_in_two_ways(world):
    head, body, signature = world.token().split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = signature[:-1] + last[last.index(signature[-1]) ^ 1]
    forms = [
        f"{head}=.{body}.{signature}",
        f"{head}.{body}=.{signature}",
        f"{head}.{body}.{signature}==",
        f"{head}.{body}.{twin}",
        f"{head}.{body}.{signature}\n",
        f"{head}.{body}.{signature[:10]}\n{signature[10:]}",
        f"{head}.{body}.!{signature}",
        f"\ufeff{head}.{body}.{signature}",
        f"{head}.{body}.{signature}.",
        f"{head}..{body}.{signature}",
        f"Bearer {head}.{body}.{signature}",
    ]
    for form in forms:
        assert not await world.accepts(form), form
    assert await world.accepts(f"{head}.{body}.{signature}")


async def test_id_01_json_that_two_readers_read_in_two_ways(world):
    good = json.dumps(world.issuer.claims("crew-7"))
    for payload in (
        good.encode("utf-16"),
        b"\xef\xbb\xbf" + good.encode(),
        good.encode() + b"\x00",
        f"{good[:-1]},".encode() + b'"x":NaN}',
        f"{good[:-1]},".encode() + b'"x":1e9999}',
        f"{good[:-1]},".encode() + b'"x":"\\ud800"}',
        f"{good[:-1]},".encode() + b'"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        f"[{good}]".encode(),
    ):
        assert not await world.accepts(world.raw(world.header(), payload)), payload[:20]


# --- ID-02: the keys --------------------------------------------------------------------------------------------------


async def test_id_02_rotation_while_sessions_run(world):
    old = world.token()
    assert await world.accepts(old)
    world.now_s += 60
    world.issuer.rotate()
    assert await world.accepts(world.token())
    assert await world.accepts(old)


async def test_id_02_a_flood_of_unknown_key_ids_is_not_passed_on(world):
    assert await world.accepts(world.token())
    before = len(world.issuer.requests)
    for number in range(300):
        assert not await world.accepts(world.raw(world.header(kid=f"flood-{number}")))
    assert len(world.issuer.requests) == before
    world.now_s += 31
    for number in range(300):
        assert not await world.accepts(world.raw(world.header(kid=f"flood-{number}")))
    assert len(world.issuer.requests) - before <= 2  # one discovery document, one key set


async def test_id_02_the_issuer_is_down_for_an_hour(world):
    def fresh() -> str:
        return world.token(iat=world.now_s, exp=world.now_s + 900)

    assert await world.accepts(fresh())
    saved = dict(world.issuer.documents)
    for path in saved:
        world.issuer.documents[path] = (503, b"")
    for _ in range(12):
        world.now_s += 300
        assert await world.accepts(fresh())
    world.now_s += 1
    assert not await world.accepts(fresh())
    world.issuer.documents.update(saved)
    world.now_s += 16
    assert await world.accepts(fresh())


async def test_id_02_a_key_that_was_removed_is_revoked(world):
    old = world.token()
    assert await world.accepts(old)
    world.issuer.rotate(keep=0)
    world.now_s += 300
    assert not await world.accepts(old)


async def test_id_02_keys_over_plain_http_from_elsewhere(world):
    with pytest.raises(ValueError, match="https"):
        dataclasses.replace(world.settings, jwks_uri="http://idp.example/jwks")
    path = "/.well-known/openid-configuration"
    document = json.loads(world.issuer.documents[path][1])
    world.issuer.documents[path] = (200, json.dumps(document | {"jwks_uri": "http://idp.example/jwks"}).encode())
    assert not await world.accepts(world.token())
    assert world.issuer.requests == [path]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_id_02_keys_behind_a_redirect(world, status):
    world.issuer.documents["/jwks"] = (status, world.issuer.jwks())
    assert not await world.accepts(world.token())


async def test_id_02_a_key_set_of_ten_megabytes(world):
    padding = b" " * 10_000_000
    world.issuer.documents["/jwks"] = (200, world.issuer.jwks() + padding)
    assert not await world.accepts(world.token())
    world.issuer.documents["/jwks"] = (200, world.issuer.jwks().ljust(MAX_DOCUMENT_BYTES))
    world.now_s += 16
    assert await world.accepts(world.token())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys":[]}', b'{"keys":[],"keys":[]}', b"[" * 200_000])
async def test_id_02_a_document_that_is_no_key_set(world, body):
    world.issuer.documents["/jwks"] = (200, body)
    assert not await world.accepts(world.token())


# --- ID-03: the claims ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", ["other", "door", "doorward/", "Doorward", ["other"], [], "", None, ..., 7, {}])
async def test_id_03_the_audience_of_another_application(world, audience):
    assert not await world.accepts(world.token(aud=audience))


@pytest.mark.parametrize(
    "form", ["{0}/", "{0}.evil.example", "{0}@evil.example", "{0}#x", "{0}?x", " {0}", "{0}\n", "x{0}"]
)
async def test_id_03_an_issuer_that_begins_alike(world, form):
    assert not await world.accepts(world.token(iss=form.format(world.issuer.url)))


async def test_id_03_the_token_of_another_tenant(world):
    with DevelopmentIssuer(algorithm="ES256", clock=lambda: NOW_S * S) as other:
        for claims in (other.claims("crew-7"), other.claims("crew-7") | {"iss": world.issuer.url}):
            for header in ({}, {"kid": world.issuer.kid}):
                assert not await world.accepts(other.sign_claims(claims, header))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": ...},
        {"exp": None},
        {"exp": str(NOW_S + 900)},
        {"exp": True},
        {"exp": (NOW_S + 900) * 1000},
        {"iat": ...},
        {"iat": NOW_S + 61},
        {"nbf": NOW_S + 61},
        {"nbf": "0"},
        {"nbf": None},
        {"exp": NOW_S + 10 * 365 * 86400},
        {"iat": NOW_S - 7200, "exp": NOW_S + 10},
        {"iat": 0},
        {"exp": NOW_S - 60, "iat": NOW_S - 900},
    ],
)
async def test_id_03_times_that_do_not_hold(world, claims):
    assert not await world.accepts(world.token(**claims))


@pytest.mark.parametrize(("late_s", "good"), [(0, True), (59, True), (60, False), (61, False)])
async def test_id_03_the_skew_ends_where_it_ends(world, late_s, good):
    assert await world.accepts(world.token(iat=NOW_S - 900, exp=NOW_S - late_s)) is good
    assert await world.accepts(world.token(iat=NOW_S + late_s)) is (late_s <= 60)
    assert await world.accepts(world.token(nbf=NOW_S + late_s)) is (late_s <= 60)


async def test_id_03_a_token_for_another_client(world):
    world.trust(dataclasses.replace(world.settings, clients=frozenset({"crew-runner"})))
    for claims in ({"client_id": "other"}, {"client_id": ...}, {"client_id": "crew-runner", "azp": "other"}):
        assert not await world.accepts(world.token(**claims))
    assert await world.accepts(world.token(client_id="crew-runner"))


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"nonce": "n"}),
        ({}, {"at_hash": "h"}),
        ({}, {"typ": "ID"}),
        ({}, {"typ": "Refresh"}),
        ({}, {"typ": "Offline"}),
        ({"typ": "id+jwt"}, {}),
        ({"typ": "logout+jwt"}, {}),
        ({"typ": "dpop+jwt"}, {}),
        ({"typ": "secevent+jwt"}, {"events": {}}),
        ({"typ": None}, {}),
    ],
)
async def test_id_03_a_token_that_was_made_for_another_use(world, header, claims):
    assert not await world.accepts(world.token({"typ": "JWT"} | header, **claims))


# --- ID-04: the same token again --------------------------------------------------------------------------------------


async def test_id_04_a_token_from_a_second_peer(world):
    world.trust(dataclasses.replace(world.settings, replay=Replay.SAME_SOURCE))
    credential = BearerToken(Secret(world.token()))
    for port in (5000, 5001):
        assert await world.door.authenticate(credential, Peer("10.0.0.1", port))
    for address in ("10.0.0.2", "2001:db8::1", "/run/gateway.sock"):
        with pytest.raises(AuthenticationError, match="used before"):
            await world.door.authenticate(credential, Peer(address, 5000))


@pytest.mark.parametrize("claims", [{"jti": "j-1"}, {"jti": ...}])
async def test_id_04_a_token_twice_where_it_may_come_once(world, claims):
    world.trust(dataclasses.replace(world.settings, replay=Replay.ONCE))
    token = world.token(**claims)
    assert await world.accepts(token)
    assert not await world.accepts(token)


async def test_id_04_a_second_signature_over_the_same_token_is_the_same_token(world):
    world.trust(dataclasses.replace(world.settings, replay=Replay.ONCE))
    payload = {name: value for name, value in world.issuer.claims("crew-7").items() if name != "jti"}
    first, second = world.issuer.sign_claims(payload), world.issuer.sign_claims(payload)
    assert first != second  # ECDSA signs anew each time, and anyone can mirror s
    assert await world.accepts(first)
    assert not await world.accepts(second)


# --- ID-06: nothing shows the token -----------------------------------------------------------------------------------


def everything_shown(error: BaseException) -> str:
    """What the worst crash reporter prints: the chain, every frame below the test's own, and all their variables."""
    shown, seen, queue = [repr(error), str(error)], set(), [error]
    while queue:
        one = queue.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        trace = one.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        shown += traceback.TracebackException(type(one), one, trace, capture_locals=True).format(chain=False)
        shown += [repr(one.args), repr(getattr(one, "__notes__", ""))]
        queue += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(shown)


BREAKS: dict[str, Callable[[World], str]] = {
    "a good one": lambda world: world.token(),
    "expired": lambda world: world.token(iat=1, exp=2),
    "not json": lambda world: world.raw(world.header(), b'{"canary-in-a-claim": canary}'),
    "a member twice": lambda world: world.raw(world.header(), b'{"a":"canary-in-a-claim","a":1}'),
    "not utf-8": lambda world: world.raw(world.header(), b'{"canary-in-a-claim":"\xff"}'),
    "padded": lambda world: world.token() + "=",
    "not ascii": lambda world: world.token() + "ä",
    "a bad signature": lambda world: world.token()[:-8] + "AAAAAAAA",
    "an unknown key": lambda world: world.raw(world.header(kid="unknown")),
    "a bad subject": lambda world: world.token(sub=7),
    "too long": lambda world: world.token(pad="x" * 20_000),
    "an unknown issuer": lambda world: world.token(iss="https://evil.example"),
    "a password": lambda _world: "canary-in-a-claim: correct horse battery staple",
    "a database url": lambda _world: "postgres://app:canary-in-a-claim@db/app",
}


def secrets_of(token: str) -> set[str]:
    """Every piece that must not show: the token, its payload and signature, and what stands in the clear inside."""
    pieces = {piece for piece in [token, *token.split(".")[1:]] if len(piece) >= 8}
    return pieces | {piece[:24] for piece in pieces if len(piece) >= 24} | {"canary-in-a-claim"}


@pytest.mark.parametrize("name", BREAKS)
async def test_id_06_no_token_in_any_error_repr_or_log(world, name, caplog):
    caplog.set_level(logging.DEBUG)
    credential = BearerToken(Secret(BREAKS[name](world)))
    hidden = secrets_of(credential.token.reveal())
    shown = f"{credential!r} {credential} {credential.token!r}"
    try:
        identity = await world.door.authenticate(credential, PEER)
    except AuthenticationError as error:
        assert name != "a good one"
        shown += everything_shown(error)
    else:
        assert name == "a good one"
        shown += repr(identity)
    shown += caplog.text
    assert [piece for piece in hidden if piece in shown] == []


def test_id_06_a_token_does_not_travel():
    with pytest.raises(TypeError):
        pickle.dumps(BearerToken(Secret("canary")))
    with pytest.raises(TypeError):
        dataclasses.asdict(BearerToken(Secret("canary")))


async def test_id_06_the_search_finds_what_it_looks_for():
    def careless(token: str) -> None:
        try:
            json.loads(token)
        except ValueError as error:
            raise AuthenticationError("bad") from error

    with pytest.raises(AuthenticationError) as caught:
        careless("canary-in-a-claim")
    assert "canary-in-a-claim" in everything_shown(caught.value)


# --- ID-07: the human behind an agent ---------------------------------------------------------------------------------


async def test_id_07_both_identities_are_kept(world):
    token = world.token(sub="maria", doorward_kind="human", act={"sub": "crew-7", "act": {"sub": "planner"}})
    identity = await world.door.authenticate(BearerToken(Secret(token)), PEER)
    assert (identity.subject, identity.sponsor) == ("maria", "maria")
    assert [actor.subject for actor in identity.actor_chain] == ["crew-7", "planner"]
    assert identity.kind is PrincipalKind.AGENT


@pytest.mark.parametrize("act", ["crew-7", [], {}, {"sub": ""}, {"sub": None}, {"sub": "a", "act": []}, {"iss": "x"}])
async def test_id_07_a_chain_that_cannot_be_read_is_not_dropped(world, act):
    assert not await world.accepts(world.token(act=act))


async def test_id_07_groups_that_did_not_fit_into_the_token_are_not_read_as_none(world):
    assert not await world.accepts(world.token(groups=..., _claim_names={"groups": "src1"}, _claim_sources={}))


# --- ID-08: guessing, and locking out ---------------------------------------------------------------------------------


async def test_id_08_tries_from_one_source_are_limited_and_others_do_not_pay(world):
    good, works = BearerToken(Secret(world.token())), BearerToken(Secret(world.token()))
    assert await world.door.authenticate(works, PEER)
    for number in range(10 * BURST):
        with pytest.raises(AuthenticationError):
            await world.door.authenticate(BearerToken(Secret(f"guess-{number}")), PEER)
    with pytest.raises(AuthenticationError, match="too many"):
        await world.door.authenticate(good, PEER)
    assert await world.door.authenticate(works, PEER)
    assert await world.door.authenticate(good, Peer("10.0.0.77", 5000))
    world.now_s += 2
    assert await world.door.authenticate(good, PEER)


@pytest.mark.parametrize("name", [name for name in BREAKS if name != "a good one"])
async def test_id_08_every_failure_is_of_one_kind(world, name):
    with pytest.raises(AuthenticationError) as caught:
        await world.door.authenticate(BearerToken(Secret(BREAKS[name](world))), PEER)
    assert type(caught.value) is AuthenticationError
