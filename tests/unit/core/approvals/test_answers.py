"""What is said of a request in a list, and of one that is looked at."""

import json

from doorward_core.approvals.answers import detail, summary
from doorward_core.approvals.request import Case, RequestState


def test_a_summary_says_who_has_voted_and_what_is_odd(a_request, a_vote):
    request = a_request(text="SELECT '\u202e'\n" + "x" * 1000)
    case = Case(request, RequestState.PENDING, 1, votes=(a_vote(request),))
    said = summary(case)
    assert (said["voted"], said["flags"], len(said["text"])) == (["dora"], ["bidi"], 400)
    assert (said["attributes"], said["reason"]) == ({"crew": "seven"}, "Writes need a DBA.")


def test_both_are_json_and_neither_has_the_binding(a_request, a_vote):
    request = a_request()
    case = Case(request, RequestState.PENDING, 1, votes=(a_vote(request),))
    for said in (summary(case), detail(case)):
        assert request.digest.hex() not in json.dumps(said)


def test_a_detail_has_no_proof_of_a_vote_but_its_kind(a_request, a_vote):
    request = a_request()
    (vote,) = detail(Case(request, RequestState.PENDING, 1, votes=(a_vote(request, proof=b"armour"),)))["votes"]
    assert vote["proof"] == "token"


def test_both_say_whether_somebody_waits_and_whether_a_retry_may_follow(a_request, a_vote):
    request = a_request(retry=True)
    case = Case(request, RequestState.PENDING, 1, votes=(a_vote(request, retry=True),))
    for said in (summary(case, attended=False), detail(case, attended=False)):
        assert (said["attended"], said["retry"]) == (False, True)
    assert detail(case)["votes"][0]["retry"] is True
    once = Case(request, RequestState.PENDING, 1, votes=(a_vote(request, retry=False),))
    assert (detail(once)["retry"], detail(once)["votes"][0]["retry"]) == (False, False)
    before = Case(a_request(), RequestState.PENDING, 1, votes=(a_vote(request),))
    assert "retry" not in detail(before)["votes"][0]
