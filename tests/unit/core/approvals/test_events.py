"""What the desk writes into the log: names and verdicts in the clear, words and proofs as payload."""

import pytest

from doorward_core.approvals.events import ended, voted
from doorward_core.approvals.request import RequestState
from doorward_core.event import EventKind


def test_a_vote_names_both_people_and_keeps_its_proof(a_request, a_vote):
    request = a_request()
    event = voted(request, a_vote(request, reason="secret words"))
    assert (event.session_id, event.operation_id) == (request.session_id, request.operation_id)
    assert (event.header["subject"], event.header["approver"], event.header["counted"]) == ("crew-7", "dora", True)
    assert event.payload["statement"].startswith(b"doorward-vote 1\n")
    assert "secret words" not in repr(event.header)


def test_the_header_holds_nothing_of_the_content(a_request, a_vote):
    request = a_request(text="SELECT 'canary'", parameters=("canary",))
    for event in (voted(request, a_vote(request)), ended(request, RequestState.GRANTED, ())):
        assert "canary" not in repr(event.header)
        assert request.digest.hex() not in repr(event)
        assert request.digest not in event.payload.values()


def test_a_vote_that_does_not_count_says_why(a_request, a_vote):
    event = voted(a_request(), a_vote(a_request()), "you are in none of the groups")
    assert (event.header["counted"], event.header["reason"]) == (False, "you are in none of the groups")


@pytest.mark.parametrize("retry", [None, False, True])
def test_what_was_chosen_of_a_retry_is_in_the_clear(a_request, a_vote, retry):
    event = voted(a_request(retry=True), a_vote(a_request(), retry=retry))
    assert event.header.get("retry") is retry
    assert ("retry" in event.header) is (retry is not None)


@pytest.mark.parametrize(
    "state", [RequestState.GRANTED, RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN]
)
def test_every_ending_has_its_kind(a_request, a_vote, state):
    event = ended(a_request(), state, (a_vote(a_request()),), "why")
    assert event.kind is EventKind(f"approval.{state.value}")
    assert event.header["approvers"] == ["https://id.example#dora"]
