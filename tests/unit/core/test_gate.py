"""Who may come in, and which policy is in force: each refusal and each opening on record before it is told."""

from dataclasses import replace

import pytest
import structlog.testing
import trio
import trio.testing

from doorward_core.errors import AdmissionRefused, AuthenticationError, RecordError, TooManySessions
from doorward_core.event import EventKind
from doorward_core.identity.authenticate import BearerToken
from doorward_core.identity.limiter import BURST
from doorward_core.model import Peer, Secret
from doorward_core.shares import Shares

# --- who may come in -------------------------------------------------------------------------------------------------


async def test_an_admitted_session_is_on_record_with_who_asks_for_what(house):
    door = await house.admit("readers", sponsor="sam@example.com")
    (event,) = house.events(EventKind.SESSION_OPENED)
    assert event.session_id == door.session.id
    assert event.header["subject"] == "crew-7"
    assert event.header["sponsor"] == "sam@example.com"
    assert event.header["groups"] == ["readers"]
    assert (event.header["resource"], event.header["account"]) == ("app-db", "reader")
    assert event.header["policy"] == house.gate.policy.digest
    assert event.payload["software"] == "psql"
    assert house.gate.sessions == {door.session.id: door}


async def test_nobody_is_in_before_the_record_is_durable(house, beside):
    house.log.hold_durability = True
    entering = beside(house.admit, "readers")
    await house.until(lambda: house.log.events)
    await trio.testing.wait_all_tasks_blocked()
    assert not entering.done
    assert house.gate.sessions == {}
    house.log.hold_durability = False
    await house.until(lambda: entering.done)
    assert house.gate.sessions == {entering.result.session.id: entering.result}


async def test_a_proxy_may_log_in_meanwhile_and_says_nothing_before_it_is_durable(house, beside):
    house.log.hold_durability = True
    door = await house.admit("readers", early=True)
    (event,) = house.events(EventKind.SESSION_OPENED)
    assert house.log.events[door.opened] is event
    waiting = beside(door.released, door.opened)
    await trio.testing.wait_all_tasks_blocked()
    assert not waiting.done
    house.log.hold_durability = False
    await house.until(lambda: waiting.done)
    assert waiting.error is None


async def test_whoever_gives_up_at_the_door_leaves_no_session(house, beside):
    house.log.hold_durability = True
    entering = beside(house.admit, "readers")
    await house.until(lambda: house.log.events)
    entering.scope.cancel()
    await house.until(lambda: entering.done)
    assert house.gate.sessions == {}
    (opened,), (closed,) = house.events(EventKind.SESSION_OPENED), house.events(EventKind.SESSION_CLOSED)
    assert (closed.session_id, closed.header["reason"]) == (opened.session_id, "the client left before it was let in")


async def test_a_bad_token_is_refused_and_the_reason_is_the_operators_alone(house):
    with structlog.testing.capture_logs() as said, pytest.raises(AuthenticationError):
        await house.admit("readers", audience="somebody-else")
    assert [(one["event"], one["peer"], one["problem"], one["left_out"]) for one in said] == [
        ("login.failed", "10.0.0.7", "token: not meant for this gateway", 0)
    ]
    (event,) = house.events(EventKind.SESSION_REFUSED)
    assert "subject" not in event.header
    assert event.header["reason"] == "token: not meant for this gateway"
    assert event.header["peer"] == "10.0.0.7"
    assert house.gate.sessions == {}


async def test_a_stranger_cannot_fill_our_own_log(house):
    with structlog.testing.capture_logs() as said:
        for _ in range(50):
            with pytest.raises(AuthenticationError):
                await house.admit("readers", audience="somebody-else")
        house.later(1)
        with pytest.raises(AuthenticationError):
            await house.admit("readers", audience="somebody-else")
    assert [one["left_out"] for one in said] == [0, 49]


async def test_a_source_that_fails_again_and_again_cannot_fill_the_record(house):
    """Its own failures are there one by one; what it tries behind its limit is counted, once a second."""
    for _ in range(BURST + 50):
        with pytest.raises(AuthenticationError):
            await house.admit("readers", audience="somebody-else")
    refused = house.events(EventKind.SESSION_REFUSED)
    assert len(refused) == BURST + 1
    assert {event.header["reason"] for event in refused[:BURST]} == {"token: not meant for this gateway"}
    house.later(1)
    with pytest.raises(AuthenticationError):
        await house.admit("readers", audience="somebody-else")
    behind = house.events(EventKind.SESSION_REFUSED)[BURST:]
    assert [(event.header["reason"], event.payload.get("left_out", 0)) for event in behind] == [
        ("too many failures from this source", 0),
        ("too many failures from this source", 49),
    ]


async def test_a_refusal_at_the_door_is_durable_before_it_is_told(house, nursery):
    house.log.hold_durability = True
    refused = []

    async def enter():
        with pytest.raises(AdmissionRefused):
            await house.admit("strangers")
        refused.append(True)

    nursery.start_soon(enter)
    await house.until(lambda: house.log.events)
    await trio.testing.wait_all_tasks_blocked()
    assert refused == []
    house.log.hold_durability = False
    await house.until(lambda: refused)


async def test_a_resource_that_nobody_configured_is_refused_by_name(house):
    with pytest.raises(AdmissionRefused, match="'nowhere'"):
        await house.admit("readers", resource="nowhere")
    (event,) = house.events(EventKind.SESSION_REFUSED)
    assert (event.header["subject"], event.header["reason"]) == ("crew-7", "no such resource")
    assert event.payload["resource"] == "nowhere"


async def test_whom_no_rule_knows_is_refused_with_words_to_act_on(house):
    with pytest.raises(AdmissionRefused, match="No rule allows connect"):
        await house.admit("strangers")
    (event,) = house.events(EventKind.SESSION_REFUSED)
    assert event.header["reason"] == "policy: no-rule"


async def test_a_grant_on_one_resource_opens_no_other(house):
    with pytest.raises(AdmissionRefused):
        await house.admit("readers", resource="other-db")


async def test_one_identity_has_its_share_of_the_sessions_and_leaves_the_rest_to_others(houses):
    house = houses(shares=Shares(2))
    first, second = await house.admit("readers"), await house.admit("readers")
    with pytest.raises(TooManySessions, match="crew-7 has as many sessions open"):
        await house.admit("readers")
    (event,) = house.events(EventKind.SESSION_REFUSED)
    assert event.header["subject"] == "crew-7"
    other = await house.admit("readers", subject="crew-8")
    first.close("client left")
    first.close("client left")  # a session gives its place back once
    third = await house.admit("readers")
    with pytest.raises(TooManySessions):
        await house.admit("readers")
    for door in (second, other, third):
        door.close("client left")
    assert len([await house.admit("readers") for _ in range(2)]) == 2


async def test_many_who_come_at_once_have_no_more_than_their_share(houses, beside):
    house = houses(shares=Shares(2))
    house.log.hold_durability = True
    entering = [beside(house.admit, "readers") for _ in range(5)]
    await house.until(lambda: len(house.events(EventKind.SESSION_OPENED)) == 2)
    await trio.testing.wait_all_tasks_blocked()
    assert len(house.events(EventKind.SESSION_OPENED)) == 2
    for one in entering:
        one.scope.cancel()
    await house.until(lambda: all(one.done for one in entering))
    house.log.hold_durability = False
    assert len([await house.admit("readers") for _ in range(2)]) == 2  # who gave up at the door gave its place back


async def test_a_log_that_has_failed_admits_nobody(house):
    house.log.fail("the disk is full")
    with pytest.raises(RecordError):
        await house.admit("readers")
    with pytest.raises(RecordError):
        await house.admit("readers", audience="somebody-else")
    assert house.gate.sessions == {}


@pytest.mark.parametrize(
    ("groups", "asked", "given", "read_only"),
    [
        (("writers",), "batch", "batch", False),
        (("writers",), "nobody", "app", False),
        (("writers",), "", "app", False),
        (("readers",), "batch", "reader", True),
    ],
)
async def test_the_account_is_one_that_was_granted_and_who_may_only_read_gets_the_one_that_can_only_read(
    house, groups, asked, given, read_only
):
    door = await house.admit(*groups, account=asked)
    assert (door.session.account, door.read_only) == (given, read_only)
    assert house.events(EventKind.SESSION_OPENED)[0].header["read_only"] is read_only


async def test_sessions_of_the_same_token_are_told_apart(house):
    token = BearerToken(Secret(house.issuer.issue("crew-7", "agent", ("readers",))))
    doors = [await house.gate.admit(token, "app-db", "app", Peer("10.0.0.7")) for _ in range(2)]
    assert len({door.session.id for door in doors}) == 2
    assert len(house.gate.sessions) == 2


async def test_where_accounts_are_named_in_full_none_stands_in_for_one_that_is_not_there(house):
    setting = replace(house.gate.resources["app-db"], named=True)
    house.gate.resources = {"app-db": setting}
    with pytest.raises(AdmissionRefused, match="there is no account 'nobody' on app-db"):
        await house.admit("writers", account="nobody")
    with pytest.raises(AdmissionRefused, match="No rule allows"):
        await house.admit("strangers", account="nobody")  # who has nothing here is not told what there is
    assert house.events(EventKind.SESSION_OPENED) == []
    refused = house.events(EventKind.SESSION_REFUSED)
    assert [event.header["reason"] for event in refused] == ["no such account", "policy: no-rule"]
    assert (await house.admit("writers", account="batch")).session.account == "batch"


async def test_a_session_is_decided_as_the_account_that_it_uses(house):
    house.reload(
        "rules:\n"
        "- {id: a, effect: allow, resource: app-db, accounts: [batch], do: [read, write]}\n"
        "- {id: b, effect: allow, resource: app-db, accounts: [reader], do: [read]}\n"
    )
    door = await house.admit("anybody", account="batch")
    assert (door.session.resource.account, door.read_only) == ("batch", False)
    with pytest.raises(AdmissionRefused):
        await house.admit("anybody", account="app")
    house.reload("rules: [{id: a, effect: allow, resource: app-db, do: [read]}]")
    assert (await house.admit("anybody", account="app")).session.resource.account == "reader"


# --- the policy in force ------------------------------------------------------------------------------------------------


async def test_a_reload_is_on_record_with_the_whole_text(house, policy_text):
    house.reload(policy_text + "\n# a comment\n")
    (event,) = house.events(EventKind.POLICY_LOADED)
    assert event.header["policy"] == house.gate.policy.digest
    assert event.payload["texts"]["policy.yaml"].endswith("# a comment\n")


async def test_a_policy_whose_text_cannot_be_recorded_is_not_put_in_force(house):
    before = house.gate.policy
    house.log.fail("the disk is full")
    with pytest.raises(RecordError):
        house.reload("version: 1")
    assert house.gate.policy is before
