"""Making a vote: the proof must fit the person, the words and the moment."""

import pytest
from passkey import Authenticator

from doorward_core.approvals.ballot import SshProof, Trusted, cast
from doorward_core.approvals.passkeys import Passkeys
from doorward_core.approvals.request import Case, RequestState, Verdict
from doorward_core.approvals.webauthn import RelyingParty

NS = 1_000_000_000
START = 1_800_000_000 * NS


@pytest.fixture
def case(a_request) -> Case:
    return Case(a_request(), RequestState.PENDING, START)


def _cast(case, identity, reason="", proof=None, now=START + NS, **more):
    return cast(identity, case, Verdict.APPROVE, reason, proof, trusted=Trusted(), now_unix_ns=now, **more)


def test_a_token_vote_keeps_a_digest_of_the_tokens_id_and_never_the_id(case, person):
    vote, refusal = _cast(case, person(credential_id="jti-canary"), "fine")
    assert refusal == ""
    assert (vote.proof_kind, len(vote.proof)) == ("token", 32)
    assert "canary" not in repr(vote)
    assert b'reason: "fine"' in vote.statement


@pytest.mark.parametrize("reason", ["a\nb", "a\x1b[2J", "a\u202eb", "a\u200bb", "a\ud800b", "x" * 2001])
def test_a_reason_that_would_mislead_or_overflow_is_refused(case, person, reason):
    vote, refusal = _cast(case, person(), reason)
    assert "the reason" in refusal
    assert len(vote.reason) <= 2000


def test_a_credential_that_has_run_out_does_not_vote(case, person):
    assert _cast(case, person(expires_unix_ns=START + NS))[1] == "your credential has expired"


@pytest.mark.parametrize("skew", [-301, 301])
def test_a_signature_of_another_time_is_refused(case, person, skew):
    proof = SshProof(b"whatever", START + NS + skew * NS)
    assert "just now" in _cast(case, person(), proof=proof)[1]


def test_a_signature_that_is_none_is_refused(case, person):
    assert _cast(case, person(), proof=SshProof(b"whatever", START))[1] == "not an armoured SSH signature"


def test_who_may_not_vote_is_told_so_before_any_signature_is_looked_at(case, person):
    assert "themselves" in _cast(case, person("crew-7"), proof=SshProof(b"", START))[1]


def test_the_kinds_of_proof_that_somebody_could_give_are_those_with_keys():
    device = Authenticator()
    passkeys = Passkeys(RelyingParty("desk.example", frozenset()), (device.passkey(),))
    assert Trusted().kinds == {"token"}
    assert Trusted((), passkeys).kinds == {"token", "webauthn"}


@pytest.mark.parametrize(("said", "kept", "signed"), [(None, False, False), (False, False, True), (True, True, True)])
def test_where_nothing_is_said_of_a_retry_the_vote_is_the_narrower_one(a_request, person, said, kept, signed):
    vote, refusal = _cast(Case(a_request(retry=True), RequestState.PENDING, START), person(), retry=said)
    assert (refusal, vote.retry, b"retry: " in vote.statement) == ("", kept, signed)


def test_where_there_is_nothing_to_choose_a_vote_is_as_it_was(case, person):
    vote, refusal = _cast(case, person())
    assert (refusal, vote.retry, b"retry" in vote.statement) == ("", None, False)
