import subprocess
from dataclasses import replace
from ipaddress import ip_network

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.errors import AuthenticationError
from doorward_core.identity.ssh_certificate import (
    BACKDATE_S,
    MAX_LIFE_S,
    MAX_PRINCIPALS,
    CannotIssue,
    issue,
    issue_host,
    issue_upstream,
    verify,
)
from doorward_core.model import AuthMethod, Identity, PrincipalKind

S = 1_000_000_000
NOW = 1_800_000_000 * S
CA = Ed25519PrivateKey.generate()
KEY = Ed25519PrivateKey.generate().public_key()
WHO = Identity(
    "crew-7",
    "https://id.example",
    PrincipalKind.AGENT,
    frozenset({"ops"}),
    AuthMethod.JWT,
    "jti-1",
    NOW,
    NOW + 3600 * S,
)


def login(who=WHO, names=("deploy@web1", "jump"), key=KEY, **options):
    return issue(CA, key, who, names, serial=12, now_unix_ns=NOW, **options)


def check(blob, principal="deploy@web1", address="10.0.0.1", now=NOW):
    return verify(blob, [CA.public_key()], principal=principal, address=address, now_unix_ns=now)


def test_who_gets_a_certificate_is_who_logs_in_with_it():
    who = check(login().blob)
    assert (who.subject, who.issuer, who.groups, who.kind) == (WHO.subject, WHO.issuer, WHO.groups, WHO.kind)
    assert (who.method, who.credential_id) == (AuthMethod.SSH_CERTIFICATE, "12:jti-1")


@pytest.mark.parametrize("principal", ["deploy@web1", "jump"])
def test_each_name_in_it_is_good(principal):
    assert check(login().blob, principal)


def test_it_lives_a_quarter_of_an_hour_in_all():
    issued = login()
    assert issued.valid_before_unix_ns - issued.valid_after_unix_ns == MAX_LIFE_S * S
    assert issued.valid_after_unix_ns == NOW - BACKDATE_S * S
    assert check(issued.blob, now=issued.valid_before_unix_ns - 1)
    for early_or_late in (issued.valid_before_unix_ns, issued.valid_after_unix_ns - 1):
        with pytest.raises(AuthenticationError, match=r"not valid yet|expired"):
            check(issued.blob, now=early_or_late)


def test_what_it_opened_ends_when_the_token_does():
    assert check(login().blob).expires_unix_ns == WHO.expires_unix_ns


def test_it_never_outlives_its_token():
    issued = login(replace(WHO, expires_unix_ns=NOW + 100 * S + 1))
    assert issued.valid_before_unix_ns == NOW + 100 * S
    with pytest.raises(CannotIssue, match="expired already"):
        login(replace(WHO, expires_unix_ns=NOW))


@pytest.mark.parametrize("life_s", [0, BACKDATE_S, MAX_LIFE_S + 1])
def test_a_life_that_is_none_or_too_long_is_refused(life_s):
    with pytest.raises(CannotIssue, match="lives between"):
        login(life_s=life_s)


@pytest.mark.parametrize(
    "names", [(), ("",), ("a,b",), ("a b",), ("a\nb",), ("*",), ("a@ö",), [f"a@{n}" for n in range(MAX_PRINCIPALS + 1)]]
)
def test_names_that_are_not_one_plain_name_each_are_refused(names):
    with pytest.raises(CannotIssue):
        login(names=names)


@pytest.mark.parametrize("serial", [0, -1, 2**63])
def test_a_serial_number_is_one_that_a_revocation_list_can_name(serial):
    with pytest.raises(CannotIssue, match="serial"):
        issue(CA, KEY, WHO, ["a@b"], serial=serial, now_unix_ns=NOW)


def test_a_key_id_cannot_be_made_to_look_like_anothers():
    issued = login(replace(WHO, subject="x id=1\nsub=root", issuer="https://id.example/ü"))
    assert issued.key_id == "doorward-login iss=https://id.example/%C3%BC sub=x%20id%3D1%0Asub%3Droot id=12"


@pytest.mark.parametrize(
    ("sources", "good", "bad"),
    [
        (["10.0.0.0/8"], ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1", "::1", "", "unix", "::ffff:11.0.0.1"]),
        (["192.0.2.7/32", "2001:db8::/32"], ["192.0.2.7", "2001:db8::1", "2001:db8::1%eth0"], ["192.0.2.8", "fe80::1"]),
    ],
)
def test_it_may_be_bound_to_where_it_is_used(sources, good, bad):
    issued = login(sources=[ip_network(source) for source in sources])
    for address in good:
        assert check(issued.blob, address=address)
    for address in bad:
        with pytest.raises(AuthenticationError, match="from this address"):
            check(issued.blob, address=address)


def test_what_does_not_fit_into_a_login_is_refused():
    with pytest.raises(CannotIssue, match="identity"):
        login(replace(WHO, groups=frozenset(f"group-{number:05}" for number in range(2000))))
    with pytest.raises(CannotIssue, match="networks"):
        login(sources=[ip_network(f"10.{n}.0.0/16") for n in range(17)])
    groups = frozenset(f"group-{number:04}" for number in range(1000))
    names = [f"{'a' * 60}@{'b' * 60}{n:03}" for n in range(200)]
    with pytest.raises(CannotIssue, match="name fewer"):
        login(replace(WHO, groups=groups), names=names)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()).public_key(), rsa.generate_private_key(65537, 3072).public_key()]
)
def test_holders_may_have_other_kinds_of_key(key):
    assert check(login(key=key).blob)


def test_a_targets_certificate_names_one_account_and_says_who_it_is_for():
    issued = issue_upstream(CA, KEY, WHO, b"\x0a" * 16, "deploy", serial=9, now_unix_ns=NOW)
    assert issued.principals == ("deploy",)
    assert issued.key_id == f"doorward-session iss=https://id.example sub=crew-7 id={'0a' * 16}"
    assert issued.valid_before_unix_ns <= NOW + 300 * S


def test_no_other_certificate_is_a_login():
    host = issue_host(CA, KEY, ["web1"], key_id="web1", serial=9, now_unix_ns=NOW)
    target = issue_upstream(CA, KEY, WHO, b"\x0a" * 16, "deploy", serial=9, now_unix_ns=NOW)
    with pytest.raises(AuthenticationError, match="a host's"):
        check(host.blob, "web1")
    with pytest.raises(AuthenticationError, match="extensions"):
        check(target.blob, "deploy")


@pytest.mark.parametrize("names", [(), ("",), ("*",), ("a b",)])
def test_a_host_certificate_has_names_without_wildcards(names):
    with pytest.raises(CannotIssue):
        issue_host(CA, KEY, names, key_id="x", serial=1, now_unix_ns=NOW)


def test_a_life_at_a_target_is_bounded():
    with pytest.raises(CannotIssue, match="lives between"):
        issue_upstream(CA, KEY, WHO, b"", "deploy", serial=9, now_unix_ns=NOW, life_s=MAX_LIFE_S + 1)


@pytest.mark.parametrize("blob", [b"", b"\0", b"\0\0\0\x04none", b"\xff" * 40, b"\0" * 40_000])
def test_what_is_no_certificate_is_refused(blob):
    with pytest.raises(AuthenticationError, match=r"^certificate"):
        check(blob)


def test_every_cut_and_every_flipped_bit_is_refused():
    blob = login().blob
    for end in range(len(blob)):
        with pytest.raises(AuthenticationError):
            check(blob[:end])
    for place in range(len(blob)):
        broken = bytearray(blob)
        broken[place] ^= 1
        with pytest.raises(AuthenticationError):
            check(bytes(broken))
    with pytest.raises(AuthenticationError):
        check(blob + b"\0")


@pytest.mark.need_ssh_keygen
def test_ssh_keygen_reads_what_we_issue(tmp_path):
    issued = login(sources=[ip_network("10.0.0.0/8")])
    path = tmp_path / "key-cert.pub"
    path.write_text(issued.line + "\n")
    shown = subprocess.run(["ssh-keygen", "-L", "-f", path], capture_output=True, text=True, check=True).stdout
    for expected in (
        "user certificate",
        f'Key ID: "{issued.key_id}"',
        "Serial: 12",
        "deploy@web1",
        "source-address 10.0.0.0/8",
        "permit-pty",
        "identity@doorward.dev UNKNOWN OPTION",
    ):
        assert expected in shown
