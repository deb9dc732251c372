"""Whose vote counts, and when enough have been cast."""

import json

import pytest

from doorward_core.approvals.request import HeldRule, RequestState, Verdict
from doorward_core.approvals.votes import (
    check_vote,
    counting,
    in_vain,
    may_see,
    missing,
    objections,
    progress,
    retriable,
    satisfied,
    statement,
    tally,
)
from doorward_core.model import Actor, PrincipalKind

NS = 1_000_000_000
DBA = frozenset({"dba"})
REJECT = Verdict.REJECT


def test_a_person_of_the_group_may_vote(a_request, a_vote):
    assert check_vote(a_request(), a_vote(a_request())) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"request_id": "ap-other"}, "another request"),
        ({"approver_kind": PrincipalKind.AGENT}, "an agent"),
        ({"approver_chain": (Actor("dora", "https://id.example"),)}, "for someone else"),
        ({"approver_subject": "crew-7"}, "themselves"),
        ({"approver_subject": "CREW-7", "approver_issuer": "https://other.example"}, "themselves"),
        ({"approver_subject": "crew-7\u200b"}, "themselves"),
        ({"approver_subject": "sam"}, "themselves"),
        ({"approver_groups": frozenset({"sales"})}, "none of the groups"),
        ({"approver_groups": frozenset()}, "none of the groups"),
    ],
)
def test_nobody_else_may(a_request, a_vote, change, words):
    assert words in check_vote(a_request(), a_vote(a_request(), **change))


def test_the_actor_chain_may_not(a_request, a_vote):
    request = a_request(actor_chain=(Actor("anna", "https://id.example"),))
    assert "themselves" in check_vote(request, a_vote(request, "anna"))


def test_a_sponsor_named_by_mail_address_is_known_by_it(a_request, a_vote):
    request = a_request(sponsor="sam@corp.example")
    vote = a_vote(request, "7f3a", approver_display="Sam@corp.example")
    assert "themselves" in check_vote(request, vote)


def test_two_people_of_the_same_name_are_two_people(a_request, a_vote):
    request = a_request(display="Chris Doe")
    assert check_vote(request, a_vote(request, "chris2", approver_display="Chris Doe")) is None


@pytest.mark.parametrize("moment", [-1, 600 * NS])
def test_a_vote_outside_the_time_does_not_count(a_request, a_vote, moment):
    request = a_request()
    vote = a_vote(request, cast_unix_ns=request.opened_unix_ns + moment)
    assert check_vote(request, vote) == "the request is no longer open"


def test_a_stronger_proof_is_needed_to_approve_and_not_to_reject(a_request, a_vote):
    request = a_request(rules=(HeldRule("writes", b"h" * 32, DBA, 1, "sshsig"),))
    assert check_vote(request, a_vote(request)) == "this request needs a stronger proof: sshsig"
    assert check_vote(request, a_vote(request, verdict=REJECT)) is None
    assert check_vote(request, a_vote(request, proof_kind="sshsig")) is None


def test_a_weaker_proof_counts_only_for_the_rule_that_takes_it(a_request, a_vote):
    rules = (HeldRule("a", b"a" * 32, DBA, 1), HeldRule("b", b"b" * 32, DBA, 1, "sshsig"))
    request = a_request(rules=rules)
    assert missing(request, [a_vote(request)]) == {"a": 0, "b": 1}


def test_one_person_is_one_vote_under_any_spelling_and_issuer(a_request, a_vote):
    request = a_request(rules=(HeldRule("writes", b"h" * 32, DBA, 2),))
    votes = [a_vote(request), a_vote(request, "DORA"), a_vote(request, approver_issuer="https://other.example")]
    assert counting(request, votes) == (votes[0],)
    assert not satisfied(request, votes)
    assert satisfied(request, [votes[0], a_vote(request, "eve")])


def test_one_rejection_rejects_whatever_else_was_said(a_request, a_vote):
    request = a_request()
    votes = [a_vote(request), a_vote(request, "eve", REJECT)]
    assert tally(request, votes, request.expires_unix_ns) is RequestState.REJECTED
    assert not satisfied(request, votes)


def test_without_votes_time_decides(a_request):
    request = a_request()
    assert tally(request, [], request.expires_unix_ns - 1) is RequestState.PENDING
    assert tally(request, [], request.expires_unix_ns) is RequestState.EXPIRED


def test_no_rule_and_no_group_can_never_be_satisfied(a_request, a_vote):
    bare = a_request(rules=())
    nobody = a_request(rules=(HeldRule("writes", b"h" * 32, frozenset(), 0),))
    assert not satisfied(bare, [a_vote(bare)])
    assert not satisfied(nobody, [a_vote(nobody)])


def test_a_vote_that_should_not_be_there_counts_for_nothing(a_request, a_vote):
    request = a_request()
    assert not satisfied(request, [a_vote(request, "crew-7")])
    assert tally(request, [a_vote(request, "crew-7", REJECT)], request.opened_unix_ns) is RequestState.PENDING


def test_a_statement_cannot_be_forged_by_a_line_break(a_request):
    text = statement(
        a_request(),
        Verdict.REJECT,
        subject="dora\nverdict: approve",
        issuer="i",
        reason="no\nverdict: approve",
        cast_unix_ns=1,
    )
    lines = text.decode("ascii").splitlines()
    assert len(lines) == 9
    assert [line for line in lines if line.startswith("verdict")] == ["verdict: reject"]
    assert json.loads(lines[6].partition(": ")[2]) == "dora\nverdict: approve"


@pytest.mark.parametrize(
    ("subject", "kind", "groups", "seen"),
    [
        ("crew-7", PrincipalKind.AGENT, (), True),
        ("crew-8", PrincipalKind.AGENT, ("dba",), False),
        ("dora", PrincipalKind.HUMAN, ("dba",), True),
        ("dora", PrincipalKind.HUMAN, ("sales",), False),
    ],
)
def test_a_card_is_for_its_requester_and_those_who_decide(a_request, subject, kind, groups, seen):
    groups = frozenset(groups)
    assert may_see(a_request(), subject=subject, issuer="https://id.example", kind=kind, groups=groups) is seen


def test_how_far_people_are_is_said_by_rule_and_names_nobody(a_request, a_vote):
    two = HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2)
    one = HeldRule("privacy", b"p" * 32, frozenset({"privacy-office"}), 1)
    request = a_request(rules=(two,))
    assert progress(request, ()) == "0 of 2 have approved"
    assert progress(request, (a_vote(request), a_vote(request))) == "1 of 2 have approved"
    both = a_request(rules=(two, one))
    assert progress(both, (a_vote(both),)) == "1 of 2, and 0 of 1 have approved"


TWO = (HeldRule("writes", b"h" * 32, DBA, 2),)


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ((None,), True),
        ((True,), True),
        ((False,), False),
        ((True, True), True),
        ((True, False), False),
        ((False, True), False),
        ((None, False), False),
        ((None, True), True),
    ],
)
def test_the_narrowest_approval_decides_about_a_retry(a_request, a_vote, said, allowed):
    request = a_request(retry=True, rules=TWO)
    votes = [a_vote(request, who, retry=one) for who, one in zip(("dora", "eve"), said, strict=False)]
    assert retriable(request, votes) is allowed
    assert not retriable(a_request(rules=TWO), votes)


def test_a_vote_that_does_not_count_narrows_nothing(a_request, a_vote):
    request = a_request(retry=True)
    outside = a_vote(request, "sid", approver_groups=frozenset({"sales"}), retry=False)
    again = a_vote(request, retry=False)
    assert retriable(request, [outside, a_vote(request, retry=True), again])


@pytest.mark.parametrize(("verdict", "retry"), [(Verdict.APPROVE, False), (REJECT, True)])
def test_nobody_allows_a_retry_that_the_rule_does_not_or_by_rejecting(a_request, a_vote, verdict, retry):
    request = a_request(retry=retry)
    assert "allows no identical retry" in check_vote(request, a_vote(request, verdict=verdict, retry=True))
    assert check_vote(request, a_vote(request, verdict=verdict, retry=False)) is None


def test_an_approval_that_nobody_could_use_says_why(a_request, a_vote):
    request = a_request(retry=True, rules=TWO)
    once, again = a_vote(request, retry=False), a_vote(request, "eve", retry=True)
    assert in_vain(request, [once], attended=False) == ""
    assert "an approval before yours" in in_vain(request, [once, again], attended=False)
    assert "only an approval that allows" in in_vain(request, [again, once], attended=False)
    assert in_vain(request, [once, again], attended=True) == ""
    assert in_vain(request, [a_vote(request, retry=True), again], attended=False) == ""
    assert in_vain(a_request(standing=True, rules=TWO), [once, again], attended=False) == ""


def test_a_statement_says_what_was_chosen_and_nothing_where_nothing_was(a_request):
    given = {"subject": "dora", "issuer": "i", "reason": "", "cast_unix_ns": 1}
    texts = [
        statement(a_request(retry=True), Verdict.APPROVE, **given, retry=one).splitlines()
        for one in (None, False, True)
    ]
    assert [[line for line in text if b"retry" in line] for text in texts] == [[], [b"retry: false"], [b"retry: true"]]
    assert [line for line in texts[1] if b"retry" not in line] == texts[0]


def test_whoever_waits_hears_that_it_is_approved_for_its_connection_alone(a_request, a_vote):
    request = a_request(retry=True, rules=TWO)
    assert progress(request, [a_vote(request, retry=False)]) == "1 of 2 have approved, for this connection alone"
    assert progress(request, [a_vote(request, retry=True)]) == "1 of 2 have approved"
    assert progress(a_request(rules=TWO), [a_vote(request)]) == "1 of 2 have approved"


def test_objections_are_the_words_of_those_who_rejected(a_request, a_vote):
    request = a_request()
    assert objections([a_vote(request, reason="fine"), a_vote(request, "eve", REJECT, reason="no")]) == "no"
