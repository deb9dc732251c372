import pytest
from evidence_stand import ident

from doorward_console.evidence import asked
from doorward_console.evidence.asked import Requests


def _followed(stand) -> Requests:
    source, found = stand.done().source(), Requests()
    for index in range(source.size):
        found.take(0, source.parsed(index))
    return found


def test_a_request_is_told_from_asking_to_running(told):
    (one,) = _followed(told).found
    assert (one.who, one.sponsor, one.resource, one.verb, one.ending) == (
        "crew-1",
        "maria",
        "shop",
        "DELETE",
        "granted",
    )
    assert [(vote.who, vote.verdict, vote.proof, vote.refused) for vote in one.votes] == [
        ("anna", "approve", "sshsig", "")
    ]
    assert len(one.ran) == 1


@pytest.mark.parametrize("retry", [None, False, True])
def test_a_vote_says_what_was_chosen_of_a_retry_where_that_is_on_record(stand, retry):
    stand.approval(ident(1), ident(1), "anna", approver="berta", request="r1", retry=retry)
    (one,) = _followed(stand).found
    assert [vote.retry for vote in one.votes] == [retry]


def test_requests_are_bounded_and_what_is_beyond_is_counted(stand, monkeypatch):
    monkeypatch.setattr(asked, "MAX_REQUESTS", 1)
    for number in range(3):
        stand.approval(ident(number), ident(number), "anna", approver="berta", request=f"r{number}", verdict="reject")
    found = _followed(stand)
    assert ([one.ending for one in found.found], found.more) == (["rejected"], 2)
