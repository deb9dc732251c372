"""SSH signatures: what ssh-keygen signs is verified, and nothing that differs in the least."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.approvals.sshsig import BadSignature, Signer, parse_allowed_signers, parse_armour, verify
from doorward_core.errors import ConfigError

NAMESPACE = "doorward-vote@1"
NOW = 1_800_000_000 * 1_000_000_000
MESSAGE = b"doorward-vote 1\nverdict: approve\n"


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def mpint(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def armour(key: bytes, signature: bytes, namespace: bytes = NAMESPACE.encode(), hash_name: bytes = b"sha512") -> bytes:
    blob = b"SSHSIG" + b"\0\0\0\1" + b"".join(map(string, (key, namespace, b"", hash_name, signature)))
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(blob) + b"-----END SSH SIGNATURE-----\n"


def to_sign(message: bytes = MESSAGE, namespace: bytes = NAMESPACE.encode()) -> bytes:
    return b"SSHSIG" + b"".join(map(string, (namespace, b"", b"sha512", hashlib.sha512(message).digest())))


def check(made: bytes, *signers: Signer, message: bytes = MESSAGE, principal: str = "dora", namespace: str = NAMESPACE):
    verify(made, message, principal=principal, namespace=namespace, signers=signers, now_unix_ns=NOW)


class Ed25519:
    """A key of the test's own, and signatures made by hand."""

    def __init__(self) -> None:
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.point = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.blob = string(b"ssh-ed25519") + string(self.point)

    def sign(self, message: bytes = MESSAGE, namespace: bytes = NAMESPACE.encode()) -> bytes:
        raw = self.private.sign(to_sign(message, namespace))
        return armour(self.blob, string(b"ssh-ed25519") + string(raw), namespace)


@pytest.fixture(scope="module")
def key() -> Ed25519:
    return Ed25519()


KINDS = [
    ("ed25519", []),
    ("ecdsa", ["-b", "256"]),
    ("ecdsa", ["-b", "384"]),
    ("ecdsa", ["-b", "521"]),
    ("rsa", ["-b", "2048"]),
]


@pytest.mark.need_ssh_keygen
@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_is_verified(tmp_path, kind, options, hash_name):
    def run(*arguments):
        return subprocess.run(["ssh-keygen", *arguments], input=MESSAGE, check=True, capture_output=True).stdout

    run("-q", "-t", kind, *options, "-N", "", "-C", "test", "-f", str(tmp_path / "key"))
    made = run("-Y", "sign", "-n", NAMESPACE, "-O", f"hashalg={hash_name}", "-f", str(tmp_path / "key"))
    public = (tmp_path / "key.pub").read_bytes()
    signers = parse_allowed_signers(b'dora namespaces="doorward-vote@1" ' + public)
    check(made, *signers)
    with pytest.raises(BadSignature):
        check(made, *signers, message=MESSAGE + b"x")


def test_a_good_signature_by_hand(key):
    check(key.sign(), Signer(("dora",), key.blob))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"principal": "eve"}, "not among the allowed signers"),
        ({"message": b"other"}, "does not fit"),
        ({"namespace": "git"}, "another purpose"),
    ],
)
def test_it_counts_for_nobody_and_nothing_else(key, changes, words):
    with pytest.raises(BadSignature, match=words):
        check(key.sign(), Signer(("dora",), key.blob), **changes)


def test_a_signature_for_another_purpose_is_no_vote(key):
    with pytest.raises(BadSignature, match="another purpose"):
        check(key.sign(namespace=b"git"), Signer(("dora",), key.blob))


@pytest.mark.parametrize(
    "signer",
    [
        {"principals": ("eve",)},
        {"principals": ("d*", "!dora")},
        {"principals": ("d[o]ra",)},
        {"namespaces": ("git",)},
        {"valid_after_unix_s": NOW // 10**9 + 1},
        {"valid_before_unix_s": NOW // 10**9},
        {"key": b"x"},
    ],
)
def test_a_line_that_does_not_grant_it_refuses(key, signer):
    with pytest.raises(BadSignature, match="not among"):
        check(key.sign(), Signer(**{"principals": ("dora",), "key": key.blob, **signer}))


@pytest.mark.parametrize("principals", [("dora",), ("d*",), ("do?a",), ("eve", "dora")])
def test_a_line_that_grants_it_passes(key, principals):
    check(key.sign(), Signer(principals, key.blob, ("doorward-*",), NOW // 10**9, NOW // 10**9 + 1))


def _security_key(kind: bytes, flags: bytes = b"\x01", application: bytes = b"ssh:"):
    data = hashlib.sha256(application).digest() + flags + b"\0\0\0\7" + hashlib.sha256(to_sign()).digest()
    if kind.startswith(b"sk-ssh-ed25519"):
        private = ed25519.Ed25519PrivateKey.generate()
        point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        blob, raw = string(kind) + string(point) + string(b"ssh:"), private.sign(data)
    else:
        curve = ec.generate_private_key(ec.SECP256R1())
        point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        blob = string(kind) + string(b"nistp256") + string(point) + string(b"ssh:")
        raw = b"".join(map(mpint, decode_dss_signature(curve.sign(data, ec.ECDSA(SHA256())))))
    return blob, armour(blob, string(kind) + string(raw) + flags + b"\0\0\0\7")


SECURITY_KEYS = [b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"]


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_a_hardware_key_that_was_touched_is_verified(kind):
    blob, made = _security_key(kind)
    check(made, Signer(("dora",), blob))


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_a_hardware_key_that_nobody_touched_is_refused(kind):
    blob, made = _security_key(kind, flags=b"\x00")
    with pytest.raises(BadSignature, match="touched"):
        check(made, Signer(("dora",), blob))


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_a_hardware_key_signing_for_another_application_is_refused(kind):
    blob, made = _security_key(kind, application=b"https://evil.example")
    with pytest.raises(BadSignature, match="does not fit"):
        check(made, Signer(("dora",), blob))


def test_sha1_and_short_rsa_keys_are_refused():
    short = string(b"ssh-rsa") + mpint(65537) + mpint(2**1023 + 1)
    with pytest.raises(BadSignature, match="2048"):
        check(armour(short, string(b"rsa-sha2-512") + string(b"x" * 128)), Signer(("dora",), short))
    with pytest.raises(BadSignature, match="not accepted"):
        check(armour(short, string(b"ssh-rsa") + string(b"x" * 128)), Signer(("dora",), short))


def test_a_kind_of_signature_that_is_not_the_keys_is_refused(key):
    made = armour(key.blob, string(b"rsa-sha2-512") + string(b"x" * 64))
    with pytest.raises(BadSignature, match="not accepted"):
        check(made, Signer(("dora",), key.blob))


@pytest.mark.parametrize(
    "made",
    [
        b"",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n" + b"A" * 20_000 + b"\n-----END SSH SIGNATURE-----",
        armour(b"k", string(b"x") + string(b"y"), hash_name=b"md5"),
        armour(b"k", string(b"x") + string(b"y"), namespace=b""),
    ],
)
def test_what_is_no_signature_is_refused(made):
    with pytest.raises(BadSignature):
        parse_armour(made)


@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_single_bit_may_differ(key, place, bit):
    made = key.sign()
    lines = made.splitlines()
    blob = bytearray(base64.b64decode(b"".join(lines[1:-1])))
    blob[place % len(blob)] ^= 1 << bit
    changed = b"\n".join((lines[0], base64.b64encode(bytes(blob)), lines[-1]))
    with pytest.raises(BadSignature):
        check(changed, Signer(("dora",), key.blob))


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else(key, data):
    made = (
        b"-----BEGIN SSH SIGNATURE-----\n"
        + base64.b64encode(b"SSHSIG\0\0\0\1" + data)
        + b"\n-----END SSH SIGNATURE-----"
    )
    with pytest.raises(BadSignature):
        check(made, Signer(("dora",), key.blob))


def test_a_file_of_signers_is_read(key):
    line = base64.b64encode(key.blob).decode()
    text = f"""# who may sign
dora,d?ra namespaces="doorward-vote@1,git",valid-after="20260101",valid-before=20270101120000Z ssh-ed25519 {line} Dora

"eve example" ssh-ed25519 {line}
"""
    first, second = parse_allowed_signers(text.encode())
    assert first.principals == ("dora", "d?ra")
    assert first.namespaces == ("doorward-vote@1", "git")
    assert (first.valid_after_unix_s, first.valid_before_unix_s) == (1767225600, 1798804800)
    assert second.principals == ("eve example",)


@pytest.mark.parametrize(
    "line",
    [
        "dora",
        "dora ssh-ed25519",
        "dora ssh-ed25519 !!!",
        "dora cert-authority ssh-ed25519 {key}",
        "dora ssh-rsa {key}",
        'dora namespaces="x ssh-ed25519 {key}',
        "dora valid-after=tomorrow ssh-ed25519 {key}",
        "dora no-touch-required ssh-ed25519 {key}",
        ", ssh-ed25519 {key}",
    ],
)
def test_a_line_that_cannot_be_used_is_named(key, line):
    with pytest.raises(ConfigError, match="signers:2: "):
        parse_allowed_signers(f"\n{line.format(key=base64.b64encode(key.blob).decode())}\n".encode(), "signers")


def test_a_file_beyond_its_bound_is_refused():
    with pytest.raises(ConfigError, match="1 MiB"):
        parse_allowed_signers(b"#" * (1024 * 1024 + 1))


def test_a_file_that_is_no_text_is_refused():
    with pytest.raises(ConfigError, match="UTF-8"):
        parse_allowed_signers(b"\xff")


def test_every_bad_line_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_allowed_signers(b"dora\n\neve\n")
    assert [problem.split(": ")[0] for problem in caught.value.problems] == ["allowed_signers:1", "allowed_signers:3"]


@pytest.mark.need_ssh_keygen
def test_ssh_keygen_agrees_with_our_reading_of_the_file(tmp_path: Path, key):
    signers = tmp_path / "signers"
    signers.write_text(f"dora,d?ra ssh-ed25519 {base64.b64encode(key.blob).decode()}\n")
    (tmp_path / "sig").write_bytes(key.sign())
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "dora", "-n", NAMESPACE, "-s", tmp_path / "sig"]
    subprocess.run(command, input=MESSAGE, check=True, capture_output=True)
