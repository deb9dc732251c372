"""SSH-03, the certificate's part: whatever a certificate says, it logs in exactly those whom it was issued for.

The forger below writes certificates byte by byte and signs them with the gateway's own authority or another, so that
each rule is met alone: all else about the certificate is as it should be.
"""

import base64
import struct
import subprocess
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sshd_stand import Stand

from doorward_core.errors import AuthenticationError
from doorward_core.identity.ssh_certificate import IDENTITY, LOGIN_PERMITS, issue, verify
from doorward_core.identity.ssh_identity import encode
from doorward_core.identity.ssh_keys import blob, public_line
from doorward_core.model import AuthMethod, Identity, PrincipalKind

S = 1_000_000_000
NOW_S = 1_800_000_000
ED25519_CERTIFICATE = b"ssh-ed25519-cert-v01@openssh.com"
CA, OTHER, KEY = (Ed25519PrivateKey.generate() for _ in range(3))
RSA = rsa.generate_private_key(65537, 2048)
WHO = Identity(
    "crew-7",
    "https://id.example",
    PrincipalKind.AGENT,
    frozenset({"ops"}),
    AuthMethod.JWT,
    "jti-1",
    NOW_S * S,
    (NOW_S + 3600) * S,
)
PERMITS = tuple((name.encode(), b"") for name in sorted(LOGIN_PERMITS))


def string(data):
    return struct.pack(">I", len(data)) + data


def wire(key):
    return blob(public_line(key.public_key()))


def options(pairs):
    return b"".join(string(name) + string(string(value) if value else b"") for name, value in pairs)


@dataclass(frozen=True)
class Forged:
    """A certificate as PROTOCOL.certkeys lays it out; by default one that `issue` could have made."""

    kind: bytes = ED25519_CERTIFICATE
    use: int = 1
    principals: tuple[bytes, ...] = (b"deploy@web1",)
    after_s: int = NOW_S - 60
    before_s: int = NOW_S + 840
    critical: bytes = b""
    extensions: bytes = field(default_factory=lambda: options(((IDENTITY, encode(WHO)), *PERMITS)))
    reserved: bytes = b""
    signer: Ed25519PrivateKey = CA
    signer_wire: bytes = b""
    tail: bytes = b""

    def body(self):
        return b"".join(
            (
                string(self.kind),
                string(b"n" * 32),
                string(KEY.public_key().public_bytes_raw()),
                struct.pack(">QI", 7, self.use),
                string(b"key id"),
                string(b"".join(string(name) for name in self.principals)),
                struct.pack(">QQ", self.after_s, self.before_s),
                string(self.critical),
                string(self.extensions),
                string(self.reserved),
                string(self.signer_wire or wire(self.signer)),
            )
        )

    def bytes(self):
        body = self.body()
        return body + string(string(b"ssh-ed25519") + string(self.signer.sign(body))) + self.tail


def login(data, principal="deploy@web1", address="10.0.0.1"):
    return verify(data, [CA.public_key()], principal=principal, address=address, now_unix_ns=NOW_S * S)


def refused(data, **how):
    with pytest.raises(AuthenticationError):
        login(data, **how)


def test_the_forger_can_make_what_is_accepted():
    """Else the refusals below would prove nothing."""
    assert login(Forged().bytes()).subject == "crew-7"


@pytest.mark.parametrize(
    "principals",
    [
        (),
        (b"",),
        (b"", b"deploy@web1"),
        (b"root@web1",),
        (b"deploy@web1,root@web1",),
        (b"deploy@web1,",),
        (b"deploy@web1\0",),
        (b"deploy@web1 ",),
        (b"Deploy@web1",),
        (b"deploy",),
        (b"web1",),
        (b"*",),
        (b"*@web1",),
        (b"deploy@web?",),
        (b"!root@web1",),
        (b"deploy@web1", b"root@web1,x@y"),
        (b"deploy@web1", b"*"),
        (b"deploy@web1", b"caf\xc3\xa9@web1"),
        (*(b"a%d@web1" % number for number in range(256)), b"deploy@web1"),
    ],
)
def test_ssh_03_a_certificate_names_exactly_the_account(principals):
    refused(Forged(principals=principals).bytes())


@pytest.mark.parametrize(
    "principal", ["", "root@web1", "deploy@web1,root@web1", "deploy@web1\0", "DEPLOY@web1", "deploy"]
)
def test_ssh_03_who_asks_for_another_account_is_refused(principal):
    refused(Forged().bytes(), principal=principal)


@pytest.mark.parametrize(
    "critical",
    [
        ((b"force-command", b"true"),),
        ((b"verify-required", b""),),
        ((b"unknown@example.com", b""),),
        ((b"source-address", b"10.0.0.0/8"), (b"unknown@example.com", b"")),
        ((b"source-address", b"11.0.0.0/8"),),
        ((b"source-address", b"10.0.0.1/8"),),
        ((b"source-address", b"!11.0.0.0/8"),),
        ((b"source-address", b"10.0.0.*"),),
        ((b"source-address", b"10.0.0.0/8, 11.0.0.0/8,"),),
        ((b"source-address", b""),),
        ((b"source-address", b"10.0.0.0/8"), (b"source-address", b"10.0.0.0/8")),
    ],
)
def test_ssh_03_critical_options_are_understood_or_refuse(critical):
    refused(Forged(critical=options(critical)).bytes())


@pytest.mark.parametrize(
    "extensions",
    [
        options(PERMITS),
        options(((IDENTITY, encode(WHO)),)),
        options(((IDENTITY, encode(WHO)), *PERMITS, (b"z@example.com", b""))),
        options((*PERMITS, (IDENTITY, encode(WHO)))),  # not sorted
        options(((IDENTITY, encode(WHO)), (IDENTITY, encode(replace(WHO, subject="root"))), *PERMITS)),
        options(((IDENTITY, encode(WHO) + b" "), *PERMITS)),
        options(((IDENTITY, b"{}"), *PERMITS)),
        options(((IDENTITY, b""), *PERMITS)),
        options(((IDENTITY, encode(WHO)), *PERMITS[:-1], (b"permit-pty", b"yes"))),
        string(IDENTITY) + string(encode(WHO)) + options(PERMITS),  # not wrapped as OpenSSH wraps values
        options(((IDENTITY, encode(WHO)), *PERMITS))[:-1],
        b"\xff\xff\xff\xff",
    ],
)
def test_ssh_03_an_identity_is_there_once_and_in_its_one_form(extensions):
    refused(Forged(extensions=extensions).bytes())


def test_ssh_03_a_host_certificate_is_no_login():
    for use in (0, 2, 3, 2**32 - 1):
        refused(Forged(use=use).bytes())


@pytest.mark.parametrize(
    ("after_s", "before_s"),
    [
        (0, 2**64 - 1),
        (NOW_S - 60, NOW_S + 841),
        (NOW_S - 60, 2**64 - 1),
        (NOW_S + 1, NOW_S + 60),
        (NOW_S - 60, NOW_S),
        (NOW_S + 60, NOW_S - 60),
        (NOW_S - 900, NOW_S - 1),
    ],
)
def test_ssh_03_a_life_is_short_and_is_now(after_s, before_s):
    refused(Forged(after_s=after_s, before_s=before_s).bytes())


def test_ssh_03_an_identity_does_not_outlive_its_token():
    late = replace(WHO, expires_unix_ns=NOW_S * S)
    refused(Forged(extensions=options(((IDENTITY, encode(late)), *PERMITS))).bytes())


def test_ssh_03_only_our_own_authority_signs():
    refused(Forged(signer=OTHER).bytes())
    refused(Forged(signer=OTHER, signer_wire=wire(CA)).bytes())
    refused(Forged(signer=CA, signer_wire=wire(OTHER)).bytes())
    refused(Forged(signer=KEY).bytes())  # its own key


def test_ssh_03_a_certificate_signs_no_other():
    """The holder of a certificate puts it where the authority's key belongs."""
    held = Forged(signer=CA)
    refused(Forged(signer=KEY, signer_wire=held.bytes()).bytes())
    refused(Forged(signer=CA, signer_wire=string(ED25519_CERTIFICATE) + wire(CA)[15:]).bytes())


def test_ssh_03_no_authority_signs_with_sha1_or_another_kind_of_key():
    numbers = RSA.public_key()
    for name, digest in ((b"ssh-rsa", hashes.SHA1()), (b"rsa-sha2-512", hashes.SHA512())):
        body = Forged(signer_wire=blob(public_line(numbers))).body()
        refused(body + string(string(name) + string(RSA.sign(body, padding.PKCS1v15(), digest))))
    body = Forged().body()
    refused(body + string(string(b"rsa-sha2-512") + string(CA.sign(body))))
    refused(body + string(string(b"ssh-ed25519") + string(CA.sign(body)) + b"\0"))
    refused(body + string(b""))


@pytest.mark.parametrize(
    "kind",
    [
        b"ssh-ed25519",
        b"ssh-ed25519-cert-v00@openssh.com",
        b"sk-ssh-ed25519-cert-v01@openssh.com",
        b"ssh-rsa-cert-v01@openssh.com",
        b"ssh-dss-cert-v01@openssh.com",
        b" ssh-ed25519-cert-v01@openssh.com",
        b"ssh-ed25519 AAAA\nssh-ed25519-cert-v01@openssh.com",
        b"-cert-v01@openssh.com",
    ],
)
def test_ssh_03_what_calls_itself_something_else_is_refused(kind):
    with pytest.raises(AuthenticationError, match=r"it is none|cannot be read"):
        login(Forged(kind=kind).bytes())


def test_ssh_03_a_plain_key_is_no_certificate():
    refused(wire(KEY))
    refused(wire(CA))
    refused(public_line(KEY.public_key()).encode())


def test_ssh_03_nothing_follows_a_certificate():
    refused(Forged(tail=b"\0").bytes())
    refused(Forged(tail=string(b"")).bytes())


@pytest.mark.need_ssh_keygen
def test_ssh_03_what_ssh_keygen_would_sign_for_a_login_is_none(tmp_path):
    """An operator who signs by hand with the login authority makes no identity: there is no way around the gateway."""
    authority = tmp_path / "ca"
    authority.touch(mode=0o600)
    authority.write_bytes(CA.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (tmp_path / "key.pub").write_text(public_line(KEY.public_key()) + "\n")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", "deploy@web1", "-V", "20270115080000Z:20270115081000Z",
         tmp_path / "key.pub"],
        check=True,
    )  # fmt: skip
    data = base64.b64decode((tmp_path / "key-cert.pub").read_text().split()[1])
    refused(data)


@pytest.mark.need_sshd
def test_ssh_03_a_login_certificate_is_good_at_no_target(tmp_path):
    """It opens the gateway alone: at a target it is signed by an authority that the target does not trust."""
    target = Stand(tmp_path)
    who = replace(WHO, expires_unix_ns=target.now_unix_ns + 3600 * S)
    certificate = issue(target.keys.login, target.key, who, [target.account], serial=7, now_unix_ns=target.now_unix_ns)
    assert target.connect(certificate.line).returncode == 255
    assert target.connect(target.upstream(who).line).stdout.strip() == "in"
