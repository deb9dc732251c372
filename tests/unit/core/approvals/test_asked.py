"""What approvers send: read as it was meant, or refused in words."""

import pytest

from doorward_core.approvals.asked import Ballot, Listing, place, read_ballot, read_listing
from doorward_core.approvals.ballot import SshProof
from doorward_core.approvals.request import RequestState, Verdict

NAME = "ap-0123456789ab"


def test_without_a_query_what_waits_is_meant():
    assert read_listing({}) == Listing(RequestState.PENDING, None, None, 0)


def test_a_place_leads_back_to_where_it_was_taken():
    assert read_listing({"before": place(5, NAME), "state": "all"}) == Listing(None, (5, NAME), None, 0)


def test_waiting_needs_a_version():
    assert read_listing({"after": "7", "wait": "20"}) == Listing(RequestState.PENDING, None, 7, 20)


@pytest.mark.parametrize(
    "query",
    [
        {"state": ""},
        {"state": "PENDING"},
        {"wait": "1"},
        {"after": "1", "wait": "21"},
        {"after": "1", "wait": "1.5"},
        {"after": "-1"},
        {"after": "\u0661"},
        {"after": "9" * 19},
        {"before": ""},
        {"before": f"x.{NAME}"},
        {"before": "5.ap-zzz"},
        {"before": f"{'9' * 20}.{NAME}"},
        {"order": "asc"},
    ],
)
def test_a_query_that_says_anything_else_is_refused(query):
    with pytest.raises(ValueError, match="no other filter"):
        read_listing(query)


def test_a_ballot_has_a_proof_where_one_was_sent():
    proof = {"kind": "sshsig", "signature": "x", "cast_unix_ns": 3}
    body = {"verdict": "reject", "reason": "no", "proof": proof, "content": "00"}
    assert read_ballot(body) == Ballot(Verdict.REJECT, "no", SshProof(b"x", 3), "00")


def test_a_draft_has_neither_proof_nor_content():
    assert read_ballot({"verdict": "approve"}, drafted=True) == Ballot(Verdict.APPROVE, "")
    for more in ({"proof": None}, {"content": ""}):
        with pytest.raises(ValueError, match="has a verdict, a reason, and at most a retry"):
            read_ballot({"verdict": "approve", **more}, drafted=True)


@pytest.mark.parametrize("retry", [False, True])
def test_a_ballot_and_a_draft_may_say_whether_a_retry_is_allowed(retry):
    body = {"verdict": "approve", "retry": retry}
    assert read_ballot(body) == read_ballot(body, drafted=True) == Ballot(Verdict.APPROVE, "", retry=retry)


@pytest.mark.parametrize("retry", [None, 0, 1, "true", "", [], {}])
def test_what_is_neither_yes_nor_no_is_no_choice(retry):
    with pytest.raises(ValueError, match="at most a retry"):
        read_ballot({"verdict": "approve", "retry": retry})
