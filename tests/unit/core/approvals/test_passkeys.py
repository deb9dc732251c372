"""The file of passkeys, and how a line comes about."""

import json

import pytest
from fido2 import cbor
from passkey import PRESENT, Authenticator

from doorward_core.approvals.passkeys import (
    MAX_PASSKEYS,
    Passkeys,
    add_line,
    enrol,
    parse_passkeys,
    read_base64url,
)
from doorward_core.approvals.webauthn import BadAssertion, RelyingParty, base64url
from doorward_core.errors import ConfigError

PARTY = RelyingParty("desk.example", frozenset({"https://desk.example"}))


@pytest.fixture(scope="module")
def device():
    return Authenticator()


def test_a_line_reads_back_as_what_it_was_made_of(device):
    passkey = device.passkey(subject='do"ra\u00e9')
    assert parse_passkeys(f"# ours\n\n{passkey.line}\r\n".encode(), "f") == (passkey,)
    assert passkey.fingerprint.startswith("SHA256:")


def test_every_fault_of_a_file_is_said_with_its_line(device):
    good = json.loads(device.passkey().line)
    lines = [
        "nonsense",
        json.dumps({**good, "more": 1}),
        json.dumps({**good, "key": base64url(b"x")}),
        json.dumps({**good, "subject": ""}),
        json.dumps({**good, "subject": "a\u202eb"}),
        json.dumps({**good, "credential": good["credential"] + "="}),
        json.dumps({**good, "credential": ""}),
        json.dumps({**good, "label": 1}),
        json.dumps(good)[:-1] + ', "label": "twice"}',
        json.dumps(good),
        json.dumps(good),
        "[" * 100_000,
        "\u00ff".encode("latin-1").decode("latin-1"),
    ]
    with pytest.raises(ConfigError) as caught:
        parse_passkeys("\n".join(lines).encode(), "keys")
    assert [problem.split(":")[1] for problem in caught.value.problems] == [*map(str, range(1, 10)), "11", "12", "13"]


def test_too_many_and_too_large_are_refused():
    with pytest.raises(ConfigError, match="larger than"):
        parse_passkeys(bytes(5 * 1024 * 1024), "keys")
    assert MAX_PASSKEYS >= 10_000


def test_a_browsers_response_becomes_a_line(device):
    passkey = enrol(json.loads(json.dumps(device.enrol())), PARTY, subject="dora")
    assert passkey == device.passkey()
    assert parse_passkeys(add_line(b"# ours", passkey, "f"), "f") == (passkey,)


def test_a_passkey_is_not_added_twice(device):
    once = add_line(b"", device.passkey(), "f")
    with pytest.raises(ConfigError, match="same credential"):
        add_line(once, device.passkey(subject="eve"), "f")


@pytest.mark.parametrize("changed", ["subject", "issuer", "label"])
def test_a_response_is_of_the_person_whose_name_was_in_it(device, changed):
    with pytest.raises(BadAssertion, match="for something else"):
        enrol({**device.enrol(), changed: "eve"}, PARTY)


def test_a_response_of_somebody_else_than_was_meant_is_refused(device):
    with pytest.raises(ValueError, match="not of whom you say"):
        enrol(device.enrol(), PARTY, subject="eve")


def test_both_halves_must_be_there_and_be_of_one_key(device):
    other = Authenticator()
    mixed = {**device.enrol(), "assertion": other.enrol()["assertion"]}
    with pytest.raises(BadAssertion, match="different passkeys"):
        enrol(mixed, PARTY)
    pretended = {**mixed, "assertion": {**mixed["assertion"], "rawId": mixed["registration"]["rawId"]}}
    with pytest.raises(BadAssertion, match="does not hold"):
        enrol(pretended, PARTY)
    for gone in ("registration", "assertion"):
        with pytest.raises(ValueError, match=r"not what a browser makes|has no"):
            enrol({**device.enrol(), gone: {}}, PARTY)


def test_a_registration_without_a_pin_or_a_finger_is_refused(device):
    with pytest.raises(BadAssertion, match="did not verify who"):
        enrol(device.enrol(flags=PRESENT | 0x40), PARTY)


def test_a_passkey_speaks_for_its_subject_of_its_issuer_alone(device):
    known = Passkeys(PARTY, (device.passkey(),))
    said = b"a statement"
    made = device.over(said)
    assert known.verify(made, subject="dora", issuer="https://id.example", statement=said)[0] == device.passkey()
    for subject, issuer in (
        ("eve", "https://id.example"),
        ("dora", "https://other.example"),
        ("Dora", "https://id.example"),
    ):
        with pytest.raises(BadAssertion, match="not one of yours"):
            known.verify(made, subject=subject, issuer=issuer, statement=said)
    with pytest.raises(BadAssertion, match="has no passkeys"):
        Passkeys().verify(made, subject="dora", issuer="https://id.example", statement=said)


@pytest.mark.parametrize("text", ["AA==", "A", "AB", "A A", "A\n", "+/", "\u00e9"])
def test_base64url_has_one_spelling(text):
    with pytest.raises(ValueError, match="not base64url"):
        read_base64url(text, 100)


def test_base64url_is_bounded():
    with pytest.raises(ValueError, match="3 bytes"):
        read_base64url(base64url(bytes(4)), 3)


def test_a_registration_whose_data_is_a_number_asks_for_no_memory(device):
    made = device.enrol()
    made["registration"]["response"]["attestationObject"] = base64url(cbor.encode({"authData": 2**62}))
    with pytest.raises(BadAssertion, match="cannot be read"):
        enrol(made, PARTY)
