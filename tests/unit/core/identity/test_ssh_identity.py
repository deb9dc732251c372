import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from doorward_core.errors import AuthenticationError
from doorward_core.identity import ssh_identity
from doorward_core.identity.ssh_identity import decode, encode
from doorward_core.model import Actor, AuthMethod, Identity, PrincipalKind

NOW = 1_800_000_000_000_000_000
HOUR = 3_600_000_000_000
WHO = Identity(
    "crew-7",
    "https://id.example",
    PrincipalKind.AGENT,
    frozenset({"writers", "ännlysts"}),
    AuthMethod.JWT,
    "jti-1",
    NOW - HOUR,
    NOW + HOUR,
    (Actor("planner", "https://id.example"), Actor("maria", "https://other.example")),
    "maria",
    "Crew \N{SNOWMAN}",
    MappingProxyType({"crew": "seven", "task": "t-1"}),
)


def read(data):
    return decode(data, serial=7, now_unix_ns=NOW)


def changed(**members):
    document = json.loads(encode(WHO)) | members
    document = {name: value for name, value in document.items() if value is not ...}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_an_identity_comes_back_whole_but_for_how_and_when_it_was_proved():
    back = read(encode(WHO))
    assert back == replace(WHO, method=AuthMethod.SSH_CERTIFICATE, credential_id="7:jti-1", authenticated_unix_ns=NOW)


def test_there_is_one_text_for_each_identity():
    same = replace(WHO, groups=frozenset(sorted(WHO.groups, reverse=True)), attributes={"task": "t-1", "crew": "seven"})
    assert encode(same) == encode(WHO)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        encode(WHO) + b" ",
        encode(WHO).replace(b'"v":1', b'"v": 1'),
        json.dumps(
            json.loads(encode(WHO)), sort_keys=True, separators=(",", ":")
        ).encode(),  # escapes: another spelling
        changed(v=2),
        changed(v=True),
        changed(more=1),
        changed(sub=""),
        changed(sub=...),
        changed(iss=7),
        changed(credential=None),
        changed(kind="root"),
        changed(groups="admins"),
        changed(groups=["b", "a"]),
        changed(groups=["a", "a"]),
        changed(groups=[1]),
        changed(groups=[""]),
        changed(act=[["a"]]),
        changed(act=[["a", "b", "c"]]),
        changed(act=[["i", "s"]] * 9),
        changed(attributes={"a": 1}),
        changed(attributes=[]),
        changed(exp_unix_ns="1"),
        changed(exp_unix_ns=1.5),
        changed(exp_unix_ns=True),
    ],
)
def test_any_other_text_is_refused(data):
    with pytest.raises(AuthenticationError, match=r"^certificate: its identity"):
        read(data)


def test_an_identity_longer_than_a_certificate_may_carry_is_not_cut(monkeypatch):
    large = replace(WHO, groups=frozenset(f"group-{number:05}" for number in range(2000)))
    with pytest.raises(ValueError, match="bytes"):
        encode(large)
    monkeypatch.setattr(ssh_identity, "MAX_BYTES", 10)
    with pytest.raises(AuthenticationError, match="too long"):
        read(b"{" * 11)
