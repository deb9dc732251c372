import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from doorward_core.errors import AuthenticationError
from doorward_core.identity import keys
from doorward_demo.issuer import base64url, make_key, public_jwk, sign


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return make_key("RS256")


@pytest.fixture(scope="module")
def ec_jwk() -> dict[str, str]:
    return public_jwk(make_key("ES256"), "ec", "ES256")


def jwks(*members: object) -> bytes:
    return json.dumps({"keys": list(members)}).encode()


def rsa_jwk(modulus: int, exponent: int = 65537, **more: object) -> dict[str, object]:
    n = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    e = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "kid": "r", "n": base64url(n), "e": base64url(e)} | more


def left_out(*members: object) -> str:
    """Read the keys beside one that is good, and tell why they were left out."""
    good = public_jwk(make_key("EdDSA"), "good", "EdDSA")
    found = keys.parse_jwks(jwks(good, *members))
    assert [key.kid for key in found.keys] == ["good"]
    return "; ".join(found.left_out)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_key_verifies_what_its_private_half_signed(algorithm):
    private = make_key(algorithm)
    key = keys.parse_jwks(jwks(public_jwk(private, "k", algorithm))).find("k")
    signature = sign(private, algorithm, b"message")
    assert key.verify(algorithm, b"message", signature)
    assert not key.verify(algorithm, b"massage", signature)
    assert not key.verify(algorithm, b"message", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not key.verify(algorithm, b"message", signature + b"\0")
    assert not key.verify(algorithm, b"message", b"")
    assert not key.verify(algorithm, b"message", bytes(len(signature)))


def test_a_key_is_bound_to_its_algorithms(rsa_key):
    both = keys.parse_jwks(jwks(public_jwk(rsa_key, "k", "RS256") | {"alg": None})).find("k")
    only_pss = keys.parse_jwks(jwks(public_jwk(rsa_key, "k", "PS256"))).find("k")
    signature = sign(rsa_key, "RS256", b"m")
    assert both.verify("RS256", b"m", signature)
    assert not both.verify("PS256", b"m", signature)
    assert not only_pss.verify("RS256", b"m", signature)
    for algorithm in ("none", "HS256", "ES256", "EdDSA", "rs256", ""):
        assert not both.verify(algorithm, b"m", signature)


@pytest.mark.parametrize(("curve", "name", "width"), [(ec.SECP384R1(), "P-384", 48), (ec.SECP521R1(), "P-521", 66)])
def test_larger_curves_are_read(curve, name, width):
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    x, y = (base64url(part.to_bytes(width, "big")) for part in (numbers.x, numbers.y))
    (key,) = keys.parse_jwks(jwks({"kty": "EC", "crv": name, "x": x, "y": y})).keys
    assert key.algorithms == {"P-384": {"ES384"}, "P-521": {"ES512"}}[name]
    assert key.signature_bytes == 2 * width


def test_a_key_is_found_by_its_id_or_by_being_the_only_one(ec_jwk):
    other = public_jwk(make_key("EdDSA"), "ed", "EdDSA")
    two = keys.parse_jwks(jwks(ec_jwk, other))
    assert two.find("ec").algorithms == {"ES256"}
    assert two.find("ed").algorithms == {"EdDSA"}
    assert two.find("EC") is None
    assert two.find(None) is None
    nameless = {name: value for name, value in ec_jwk.items() if name != "kid"}
    one = keys.parse_jwks(jwks(nameless))
    assert one.find(None) is one.keys[0]
    assert one.find("ec") is None


def test_encryption_keys_are_passed_over_in_silence(ec_jwk):
    found = keys.parse_jwks(jwks(ec_jwk, ec_jwk | {"use": "enc"}))
    assert (len(found.keys), found.left_out) == (1, ())


def test_a_key_id_that_two_keys_claim_belongs_to_neither(ec_jwk):
    twin = public_jwk(make_key("ES256"), "ec", "ES256")
    assert "not its own" in left_out(ec_jwk, twin)
    assert "not its own" in left_out(ec_jwk, {"kty": "oct", "kid": "ec", "k": "AAAA"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"use": "tls"}, "use"),
        ({"use": None}, "use"),
        ({"key_ops": ["sign"]}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"alg": "RS256"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "none"}, "alg"),
        ({"alg": ["ES256"]}, "alg"),
        ({"kty": "oct"}, "symmetric"),
        ({"kty": "AKP"}, "kty"),
        ({"kty": None}, "kty"),
        ({"d": "AAAA"}, "secret"),
        ({"k": "AAAA"}, "secret"),
        ({"crv": "secp256k1"}, "curve"),
        ({"crv": "P-384"}, "length"),
        ({"crv": ["P-256"]}, "curve"),
        ({"x": "AAAA"}, "length"),
        ({"x": 7}, "x is not base64url"),
        ({"y": "!"}, "y is not base64url"),
        ({"y": "ä"}, "y is not base64url"),
        ({"x": base64url(bytes(31) + b"\1")}, "not on the curve"),
        ({"x": base64url(b"\xff" * 32)}, "not on the curve"),
        ({"kid": ""}, "kid"),
        ({"kid": 7}, "kid"),
        ({"kid": "a\nb"}, "kid"),
    ],
)
def test_a_key_of_another_purpose_or_shape_is_left_out(ec_jwk, change, reason):
    assert reason in left_out(ec_jwk | change)


def test_a_key_without_a_purpose_is_taken_for_signatures(ec_jwk):
    bare = {name: ec_jwk[name] for name in ("kty", "crv", "x", "y")}
    assert len(keys.parse_jwks(jwks(bare)).keys) == 1
    assert len(keys.parse_jwks(jwks(bare | {"key_ops": ["verify"], "x5c": ["x"], "x5t": "y"})).keys) == 1


@pytest.mark.parametrize("bits", [512, 1024, 2040, 8200])
def test_rsa_of_the_wrong_size_is_left_out(bits):
    assert "bits" in left_out(rsa_jwk((1 << bits) - 1))


@pytest.mark.parametrize("exponent", [1, 3, 17, 65536, 65538, 2**32 + 1, 2**256 + 1])
def test_an_rsa_exponent_outside_of_the_rule_is_left_out(rsa_key, exponent):
    assert "exponent" in left_out(rsa_jwk(rsa_key.public_key().public_numbers().n, exponent))


def test_an_rsa_modulus_with_a_small_factor_is_left_out(rsa_key):
    modulus = rsa_key.public_key().public_numbers().n
    for prime in (2, 3, 101, 167):
        assert "small factor" in left_out(rsa_jwk(modulus - modulus % prime + prime * 2**4))


def roca_modulus(rng: random.Random) -> int:
    """Two factors of the faulty generator's form; the fingerprint does not depend on their being prime."""
    primorial = 1
    for candidate in range(2, 702):
        if all(candidate % divisor for divisor in range(2, int(candidate**0.5) + 1)):
            primorial *= candidate
    bits = 1024 - primorial.bit_length()
    factors = [
        (rng.getrandbits(bits) | 3 << bits - 1) * primorial + pow(65537, rng.getrandbits(64), primorial) for _ in "pq"
    ]
    return factors[0] * factors[1]


def test_an_rsa_modulus_of_the_roca_family_is_left_out():
    rng = random.Random(1)
    for _ in range(5):
        assert "ROCA" in left_out(rsa_jwk(roca_modulus(rng)))


def test_honest_rsa_keys_are_not_of_the_roca_family(rsa_key):
    rng = random.Random(2)
    honest = [rng.getrandbits(2048) | 1 | 1 << 2047 for _ in range(2000)]
    for modulus in (rsa_key.public_key().public_numbers().n, *honest):
        assert not all(modulus % p in residues for p, residues in keys._ROCA_RESIDUES.items())


def test_an_rsa_modulus_of_close_primes_is_left_out(rsa_key):
    p = rsa_key.private_numbers().p
    near = p + 2
    while any(near % prime == 0 for prime in keys._ROCA_PRIMES):
        near += 2
    assert "close together" in left_out(rsa_jwk(p * near))


def _times_eight_is_neutral(y: int) -> bool:
    """Edwards arithmetic from RFC 8032 section 5.1, apart from the code under test."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    xx = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(xx, (p + 3) // 8, p)
    if (x * x - xx) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - xx) % p == 0
    for _ in range(3):
        k = d * x * x * y * y % p
        x, y = 2 * x * y * pow(1 + k, -1, p) % p, (y * y + x * x) * pow(1 - k, -1, p) % p
    return (x, y) == (0, 1)


def test_every_ed25519_point_of_small_order_is_left_out():
    assert len(keys._ED25519_WEAK_Y) == 5
    for y in keys._ED25519_WEAK_Y:
        assert _times_eight_is_neutral(y)
        for sign_bit in (0, 1 << 255):
            x = base64url((y | sign_bit).to_bytes(32, "little"))
            assert "small order" in left_out({"kty": "OKP", "crv": "Ed25519", "x": x})
    assert not _times_eight_is_neutral(4 * pow(5, -1, 2**255 - 19) % (2**255 - 19))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crv": "Ed448"}, "curve"),
        ({"crv": "X25519"}, "curve"),
        ({"x": base64url(bytes([5]) * 31)}, "small order or not canonical"),
        ({"x": base64url((2**255 - 19 + 5).to_bytes(32, "little"))}, "not canonical"),
    ],
)
def test_an_okp_key_of_another_shape_is_left_out(change, reason):
    assert reason in left_out(public_jwk(make_key("EdDSA"), "o", "EdDSA") | change)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":null}',
        b'{"keys":[]}',
        b'{"keys":["x", null, 1]}',
        b'{"keys":[],"keys":[]}',
        jwks({"kty": "oct", "k": "AAAA"}),
        b'{"keys":[' + b",".join([b"{}"] * 101) + b"]}",
        b"<html>",
    ],
)
def test_a_key_set_without_a_usable_key_is_refused(data):
    with pytest.raises(AuthenticationError, match=r"^key set"):
        keys.parse_jwks(data)


def test_one_bad_key_does_not_spoil_the_others(ec_jwk):
    found = keys.parse_jwks(jwks({"kty": "oct", "kid": "h", "k": "AAAA"}, ec_jwk, "x"))
    assert [key.kid for key in found.keys] == ["ec"]
    assert found.left_out == ("key 0: it is symmetric",)


def test_a_repr_shows_no_key_material(ec_jwk):
    assert ec_jwk["x"] not in repr(keys.parse_jwks(jwks(ec_jwk)))
