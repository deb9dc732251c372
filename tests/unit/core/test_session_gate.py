"""The order in the gate, branch by branch, with the real policy, desk and store; who waits is a task of its own."""

from dataclasses import dataclass, field, replace

import pytest
import trio
import trio.testing

from doorward_core.approvals.request import RequestState, Verdict
from doorward_core.approvals.store import Quota
from doorward_core.errors import RecordError
from doorward_core.event import EventKind, Outcome, Status
from doorward_core.model import Denial, Effect, Mask, Permit, ReasonCode, Record, RecordLevel

NS = 1_000_000_000
HOUR_S = 3600


# --- observe mode ----------------------------------------------------------------------------------------------------


def observing(house, until_s=HOUR_S):
    house.gate.policy = house.gate.policy.observing({"app-db": house.clock() + until_s * NS})


async def test_observe_mode_lets_in_and_says_so_in_the_record_and_the_coverage(house, op):
    observing(house)
    door = await house.admit("strangers")
    verdict = await house.ask(door, op("define"))
    assert isinstance(verdict, Permit)
    (decided,) = house.events(EventKind.OPERATION_DECIDED)
    assert (decided.header["verdict"], decided.header["observed"]) == ("permit", "deny")
    assert decided.header["reason"] == "observed"
    door.close("bye")
    assert any("observe mode" in line for line in house.events(EventKind.SESSION_CLOSED)[0].header["coverage"])
    assert house.events(EventKind.SESSION_OPENED)[0].header["observe"] is True


async def test_observe_mode_is_said_of_a_session_that_a_rule_lets_in_anyway(house):
    observing(house, until_s=10)
    door = await house.admit("writers")
    assert door.observe
    door.close("bye")
    house.later(10)
    after = await house.admit("writers")
    assert not after.observe
    after.close("bye")
    opened, ended = house.events(EventKind.SESSION_OPENED), house.events(EventKind.SESSION_CLOSED)
    assert [event.header["observe"] for event in opened] == [True, False]
    assert ["observe mode" in str(event.header["coverage"]) for event in ended] == [True, False]


async def test_observe_mode_opens_no_request_for_what_would_have_been_held(house, op):
    observing(house)
    door = await house.admit("writers")
    verdict = await house.ask(door, op("write"))
    assert isinstance(verdict, Permit)
    assert verdict.decision.observed is Effect.HOLD
    assert await house.desk.list() == ()


async def test_observe_mode_ends_by_itself_and_is_not_remembered_past_its_end(house, op):
    observing(house, until_s=10)
    door = await house.admit("writers")
    memo = {}
    assert isinstance(await house.ask(door, op("define"), memo=memo), Permit)
    house.later(10)
    assert isinstance(await house.ask(door, op("define"), memo=memo), Denial)


# --- decisions and their durability ----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["denied", "not pure"])
async def test_a_decision_is_durable_before_it_is_given(house, beside, op, asked):
    door = await house.admit("readers")
    house.log.hold_durability = True
    deciding = beside(house.ask, door, op("define") if asked == "denied" else op("read"))
    await house.until(lambda: house.verdicts)
    await trio.testing.wait_all_tasks_blocked()
    assert not deciding.done
    house.log.hold_durability = False
    await house.until(lambda: deciding.done)
    assert isinstance(deciding.result, Denial if asked == "denied" else Permit)
    assert not getattr(deciding.result, "early", False)


async def test_what_is_proved_pure_goes_early_and_is_released_only_when_durable(house, beside, op):
    door = await house.admit("readers")
    house.log.hold_durability = True
    verdict = await house.ask(door, op("read", pure=True))
    assert isinstance(verdict, Permit)
    assert verdict.early
    assert verdict.entry >= house.log.durable_size
    releasing = beside(door.released, verdict.entry)
    await trio.testing.wait_all_tasks_blocked()
    assert not releasing.done
    house.log.hold_durability = False
    await house.until(lambda: releasing.done)
    assert releasing.error is None


async def test_nothing_is_released_on_the_strength_of_an_index_that_was_given_out_again(house, op):
    door = await house.admit("readers")
    house.log.hold_durability = True
    permit = await house.ask(door, op("read", pure=True))
    assert permit.early
    house.log.fail("disk full")
    house.log.recover()
    house.log.hold_durability = False
    other = await house.admit("readers")
    assert house.log.durable_size > permit.entry
    with pytest.raises(RecordError, match="interrupted"):
        await door.released(permit.entry)
    await other.released((await house.ask(other, op("read", pure=True))).entry)


async def test_a_permit_says_what_it_is_for_until_when_and_where_it_is_recorded(house, op):
    door = await house.admit("readers")
    asked = op("read")
    verdict = await house.ask(door, asked)
    assert verdict.operation is asked
    assert house.log.events[verdict.entry].operation_id == asked.id
    assert verdict.not_after_unix_ns == door.session.identity.expires_unix_ns
    assert verdict.decision.effect is Effect.PERMIT


async def test_a_block_is_a_denial_with_the_operators_words_and_what_was_asked(house, op):
    door = await house.admit("writers")
    asked = op("define")
    verdict = await house.ask(door, asked)
    assert (verdict.reason, verdict.retry, verdict.request_id) == (ReasonCode.RULE, False, "")
    assert verdict.advice.startswith("Schema changes go through migrations.")
    assert verdict.blamed == asked.atoms
    assert house.verdicts == ["deny rule"]


async def test_what_no_rule_speaks_of_is_denied(house, op):
    door = await house.admit("readers")
    assert (await house.ask(door, op("read", "secret.keys"))).reason is ReasonCode.NO_RULE
    assert (await house.ask(door, op("read", complete=False))).reason is ReasonCode.INDETERMINATE


async def test_an_expired_credential_decides_nothing_any_more(house, op):
    door = await house.admit("writers", lifetime_s=60)
    house.later_ns = door.session.identity.expires_unix_ns - house.clock() - 1
    assert isinstance(await house.ask(door, op("read")), Permit)
    house.later_ns += 1
    for verdict in (await house.ask(door, op("write")), await door.prepare(op("read"), {})):
        assert (verdict.reason, verdict.retry) == (ReasonCode.EXPIRED, False)
    assert await house.desk.list() == ()


async def test_a_log_that_fails_lets_nothing_pass(house, op):
    door = await house.admit("writers")
    house.log.fail("the disk is full")
    for asked in (op("read", pure=True), op("read"), op("define"), op("write")):
        with pytest.raises(RecordError):
            await house.ask(door, asked)
    with pytest.raises(RecordError):
        await door.prepare(op("read"), {})
    assert await house.desk.list() == ()


async def test_a_log_that_fails_while_a_decision_waits_for_it_gives_no_permit(house, beside, op):
    door = await house.admit("readers")
    house.log.hold_durability = True
    early = await house.ask(door, op("read", pure=True))
    deciding = beside(house.ask, door, op("read"))
    releasing = beside(door.released, early.entry)
    await trio.testing.wait_all_tasks_blocked()
    house.log.fail("the disk is full")
    await house.until(lambda: deciding.done and releasing.done)
    assert deciding.error is not None
    assert releasing.error is not None


LIMITED = """
version: 1
rules:
  - {id: some, effect: allow, who: {groups: [readers]}, resource: app-db, do: [read], limit: {rows: 10}}
"""


async def test_an_obligation_that_the_proxy_cannot_honour_is_a_denial(houses, op):
    house = houses(LIMITED)
    door = await house.admit("readers")
    verdict = await house.ask(door, op("read"))
    assert isinstance(verdict, Denial)
    assert verdict.reason is ReasonCode.OBLIGATION_UNSUPPORTED
    assert house.verdicts == ["deny obligation-unsupported"]
    assert isinstance(await house.ask(door, op("read", stoppable=True)), Permit)


async def test_what_the_proxy_itself_cannot_discharge_is_refused_and_recorded(house, op):
    door = await house.admit("readers")
    verdict = await door.refuse(op("read"), "this COPY cannot be masked")
    assert (verdict.reason, verdict.advice) == (ReasonCode.OBLIGATION_UNSUPPORTED, "this COPY cannot be masked")
    assert house.verdicts == ["deny obligation-unsupported"]


async def test_a_decision_is_remembered_for_its_policy_and_for_no_other(house, op, policy_text):
    door = await house.admit("readers")
    memo = {}
    assert isinstance(await house.ask(door, op("read"), memo=memo), Permit)
    assert list(memo) == [house.gate.policy.digest]
    house.reload(policy_text.replace('do: [read]\n    tables: ["public.*"]', "do: [session]"))
    assert isinstance(await house.ask(door, op("read"), memo=memo), Denial)
    assert len(memo) == 2


# --- preparing -------------------------------------------------------------------------------------------------------


async def test_what_would_be_held_may_be_prepared_and_owes_nothing_yet(house, op):
    door = await house.admit("writers")
    house.log.hold_durability = True
    verdict = await door.prepare(op("write"), {})
    assert isinstance(verdict, Permit)
    assert verdict.early
    assert verdict.decision.obligations == ()
    assert await house.desk.list() == ()


async def test_what_could_never_run_is_not_prepared(house, op):
    door = await house.admit("writers")
    assert isinstance(await door.prepare(op("define"), {}), Denial)


async def test_preparing_does_not_open_the_way_for_running(house, op, client):
    door = await house.admit("writers")
    memo = {}
    await door.prepare(op("write"), memo)
    assert door.holds(op("write"), memo)
    verdict = await house.ask(door, op("write"), client("not now"), memo)
    assert isinstance(verdict, Denial)


# --- holds -----------------------------------------------------------------------------------------------------------


async def test_a_grant_lets_the_operation_go_on_and_is_used(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write", pure=True))
    assert house.verdicts == []
    ((name, advice, within_s),) = held.client.told
    assert (within_s, advice.startswith("Writes need a DBA.")) == (600, True)
    await house.vote(name)
    await held.done.wait()
    permit = held.verdict
    assert isinstance(permit, Permit)
    assert not permit.early
    decided = house.log.events[permit.entry]
    assert (decided.header["verdict"], decided.header["request"]) == ("permit", name)
    assert (await house.desk.get(name)).state is RequestState.USED
    assert (house.gate.totals["held"], house.gate.totals["permitted"]) == (1, 1)


async def test_holds_tells_what_decide_will_wait_for(house, op):
    door = await house.admit("writers")
    assert door.holds(op("write"), {})
    assert not door.holds(op("read"), {})
    assert not door.holds(op("define"), {})


async def test_the_hold_is_durable_before_anybody_is_asked_or_told(house, nursery, beside, op, client):
    door = await house.admit("writers")
    waiting = client()
    house.log.hold_durability = True
    beside(house.ask, door, op("write"), waiting)
    await house.until(lambda: house.events(EventKind.OPERATION_HELD))
    await trio.testing.wait_all_tasks_blocked()
    assert waiting.told == []
    assert await house.desk.list() == ()
    house.log.hold_durability = False
    await waiting.notified.wait()
    (case,) = await house.desk.list()
    (event,) = house.events(EventKind.OPERATION_HELD)
    assert event.header["request"] == case.request.id
    assert event.header["approvals"] == [{"rule": "writes-wait", "groups": ["dba"], "quorum": 1}]
    nursery.cancel_scope.cancel()


async def test_the_permit_of_a_hold_is_durable_before_it_is_given(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await house.vote(held.request_id)
    house.log.hold_durability = True
    await house.until(lambda: house.verdicts)
    await trio.testing.wait_all_tasks_blocked()
    assert not held.done.is_set()
    house.log.hold_durability = False
    await held.done.wait()
    assert isinstance(held.verdict, Permit)


async def test_a_client_that_cannot_be_held_now_is_refused_without_a_request(house, op, client):
    door = await house.admit("writers")
    verdict = await house.ask(door, op("write"), client("commit first"))
    assert (verdict.reason, verdict.advice) == (ReasonCode.WITHDRAWN, "commit first")
    assert await house.desk.list() == ()
    assert house.events(EventKind.OPERATION_HELD) == []


async def test_a_rejection_reaches_the_client_in_the_approvers_words(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await house.vote(held.request_id, Verdict.REJECT, "not on a Friday")
    await held.done.wait()
    assert held.verdict.reason is ReasonCode.REJECTED
    assert held.verdict.advice == "the request was rejected: not on a Friday"
    assert (held.verdict.request_id, held.verdict.retry) == (held.request_id, False)
    assert house.verdicts == ["deny rejected"]


async def test_nobody_deciding_in_time_is_a_denial_that_may_be_tried_again(house, nursery, op, mock_clock):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    house.later(600, mock_clock)
    await held.done.wait()
    assert (held.verdict.reason, held.verdict.retry) == (ReasonCode.TIMED_OUT, True)
    assert await house.states() == ["expired"]


async def test_in_a_transaction_the_wait_is_shorter(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write", in_transaction=True))
    assert held.client.told[0][2] == 60
    nursery.cancel_scope.cancel()


async def test_the_wait_never_outlives_the_credential(house, nursery, op, mock_clock):
    door = await house.admit("writers", lifetime_s=120)
    held = await house.hold(nursery, door, op("write"))
    left_s = (door.session.identity.expires_unix_ns - house.clock()) // NS
    assert held.client.told[0][2] == left_s < 600
    house.later(left_s, mock_clock)
    await held.done.wait()
    assert isinstance(held.verdict, Denial)


async def test_a_credential_that_expires_between_the_grant_and_its_use_runs_nothing(house, nursery, op):
    door = await house.admit("writers", lifetime_s=120)
    held = await house.hold(nursery, door, op("write"))
    await house.vote(held.request_id)
    house.later_ns = door.session.identity.expires_unix_ns - house.clock()
    await held.done.wait()
    assert held.verdict.reason is ReasonCode.EXPIRED
    assert house.verdicts == ["deny expired"]


async def test_a_grant_that_runs_out_before_it_is_used_runs_nothing(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await house.vote(held.request_id)
    house.later(300)
    await held.done.wait()
    assert isinstance(held.verdict, Denial)
    assert held.verdict.retry


async def test_a_request_that_is_withdrawn_from_outside_runs_nothing(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await house.desk.withdraw(held.request_id)
    await held.done.wait()
    assert held.verdict.reason is ReasonCode.WITHDRAWN


async def test_cancelled_while_held_the_request_is_withdrawn_and_nothing_is_permitted(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    held.scope.cancel()
    await held.done.wait()
    assert held.verdict is None
    assert await house.states() == ["withdrawn"]
    assert house.verdicts == []
    assert (await house.vote(held.request_id)).refusal
    assert house.events(EventKind.APPROVAL_WITHDRAWN)


async def test_a_client_that_cannot_be_told_is_not_waited_for(house, nursery, op, client):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"), client(broken=True))
    await held.done.wait()
    assert isinstance(held.error, trio.BrokenResourceError)
    assert await house.states() == ["withdrawn"]
    assert house.verdicts == []


# --- what changes while people think ---------------------------------------------------------------------------------


async def decided_after(house, nursery, op, text):
    """Hold a write, change the policy, approve; what became of it."""
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    house.reload(text)
    await house.vote(held.request_id)
    await held.done.wait()
    return held.verdict


async def test_an_unrelated_change_of_policy_kills_no_grant(house, nursery, op, policy_text):
    text = policy_text + "  - {id: more, effect: allow, who: {groups: [others]}, resource: app-db, do: [read]}\n"
    verdict = await decided_after(house, nursery, op, text)
    assert isinstance(verdict, Permit)
    assert verdict.decision.policy_digest == house.gate.policy.digest


@pytest.mark.parametrize(
    "change",
    [("grant: 5m", "grant: 4m"), ("[dba]}", "[dba, owners]}"), ("id: writes-wait", "id: writes-wait-2")],
)
async def test_a_grant_of_a_rule_that_has_changed_is_no_grant(house, nursery, op, policy_text, change):
    verdict = await decided_after(house, nursery, op, policy_text.replace(*change))
    assert (verdict.reason, verdict.retry) == (ReasonCode.CHANGED, True)
    assert house.verdicts == ["deny changed"]
    assert await house.states() == ["used"]


async def test_a_rule_that_begins_to_block_is_stronger_than_a_grant(house, nursery, op, policy_text):
    verdict = await decided_after(house, nursery, op, policy_text.replace("do: [define]", "do: [define, write]"))
    assert verdict.reason is ReasonCode.RULE
    assert not verdict.retry


async def test_a_second_hold_that_comes_to_match_is_not_satisfied_by_the_grant_of_the_first(
    house, nursery, op, policy_text
):
    second = policy_text + (
        "  - id: orders-too\n    effect: hold\n    resource: app-db\n    do: [write]\n"
        '    tables: ["public.orders"]\n    approve: {by: {groups: [owners]}}\n'
    )
    verdict = await decided_after(house, nursery, op, second)
    assert verdict.reason is ReasonCode.CHANGED


async def test_a_hold_that_no_longer_matches_leaves_nothing_to_allow(house, nursery, op, policy_text):
    verdict = await decided_after(house, nursery, op, policy_text.replace("do: [write]", "do: [transfer]"))
    assert verdict.reason is ReasonCode.NO_RULE


# --- grants and retries ----------------------------------------------------------------------------------------------


async def abandoned(house, nursery, op, asked=None, **who):
    """A request whose requester hung up while it was undecided, and which was granted afterwards; its name."""
    door = await house.admit("writers", **who)
    held = await house.hold(nursery, door, asked or op("write"))
    held.scope.cancel()
    await held.done.wait()
    await house.vote(held.request_id, retry=True)
    return held.request_id


async def test_a_retry_redeems_the_grant_of_its_own_abandoned_request_once(houses, nursery, op, client, retried_policy):
    house = houses(retried_policy)
    name = await abandoned(house, nursery, op)
    assert await house.states() == ["granted"]
    again = await house.admit("writers")
    retrying = client()
    verdict = await house.ask(again, op("write"), retrying)
    assert isinstance(verdict, Permit)
    assert retrying.told == []
    assert house.log.events[verdict.entry].header["request"] == name
    assert await house.states() == ["used"]
    held = await house.hold(nursery, again, op("write"))
    assert held.request_id != name
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("other", ["statement", "principal", "account", "verb", "unseen input"])
async def test_a_grant_fits_nothing_but_what_was_approved(houses, nursery, op, retried_policy, other):
    house = houses(retried_policy)
    await abandoned(house, nursery, op)
    who = {"subject": "crew-8"} if other == "principal" else {}
    door = await house.admit("writers", account="batch" if other == "account" else "app", **who)
    asked = op("write", text="something else" if other == "statement" else "")
    if other == "verb":
        asked = replace(asked, verb="DELETE")
    if other == "unseen input":
        asked = replace(asked, unseen=("copy-data",))
    held = await house.hold(nursery, door, asked)
    assert held.verdict is None
    assert sorted(await house.states()) == ["granted", "pending"]
    nursery.cancel_scope.cancel()


async def test_two_identical_requests_that_race_for_one_grant_get_it_once(  # noqa: PLR0917 (they are fixtures)
    houses, nursery, beside, op, client, retried_policy
):
    house = houses(retried_policy)
    name = await abandoned(house, nursery, op)
    doors = [await house.admit("writers") for _ in range(2)]
    clients = [client(), client()]
    racing = [beside(house.ask, door, op("write"), one) for door, one in zip(doors, clients, strict=True)]
    await house.until(lambda: any(task.done for task in racing) and any(one.told for one in clients))
    assert [isinstance(task.result, Permit) for task in racing].count(True) == 1
    assert sum(event.header["request"] == name for event in house.events(EventKind.OPERATION_DECIDED)) == 1
    nursery.cancel_scope.cancel()


async def test_two_identical_requests_that_wait_each_need_their_own_approval(house, nursery, op):
    first = await house.hold(nursery, await house.admit("writers"), op("write"))
    second = await house.hold(nursery, await house.admit("writers"), op("write"))
    await house.vote(second.request_id)
    await second.done.wait()
    assert isinstance(second.verdict, Permit)
    assert first.verdict is None
    assert sorted(await house.states()) == ["pending", "used"]
    nursery.cancel_scope.cancel()


async def test_a_redeemed_grant_of_a_changed_rule_is_no_grant(houses, nursery, op, client, retried_policy):
    house = houses(retried_policy)
    await abandoned(house, nursery, op)
    house.reload(retried_policy.replace("within: 10m", "within: 9m"))
    verdict = await house.ask(await house.admit("writers"), op("write"), client())
    assert verdict.reason is ReasonCode.CHANGED
    assert await house.states() == ["used"]


@dataclass
class Impatient:
    """A client that gives up at a moment of its own."""

    until: int
    told: list = field(default_factory=list)

    async def prepare(self):
        await trio.lowlevel.checkpoint()
        return ""

    async def notify(self, request_id, advice, within_s):
        await trio.lowlevel.checkpoint()
        self.told.append(request_id)
        return self.until


async def test_whoever_gives_up_before_people_decide_is_told_so_and_comes_back_to_the_same_request(
    houses, nursery, op, client, retried_policy
):
    house = houses(retried_policy)
    first, second = Impatient(0), Impatient(0)
    verdicts = [await house.ask(await house.admit("writers"), op("write"), one) for one in (first, second)]
    assert {(one.reason, one.retry, one.request_id) for one in verdicts} == {(ReasonCode.HELD, True, first.told[0])}
    assert first.told == second.told
    assert await house.states() == ["pending"]
    await house.vote(first.told[0], retry=True)
    assert isinstance(await house.ask(await house.admit("writers"), op("write"), client()), Permit)
    assert await house.states() == ["used"]


async def test_whoever_waits_is_told_of_each_vote_that_leaves_it_undecided_and_of_no_other(
    houses, nursery, op, policy_text
):
    house = houses(policy_text.replace("within: 10m,", "within: 10m, quorum: 2,"))
    held = await house.hold(nursery, await house.admit("writers"), op("write"))
    assert (await house.vote(held.request_id, groups=("readers",))).refusal
    house.later(60)
    await house.vote(held.request_id, reason="fine by me")
    await house.until(lambda: held.client.steps)
    assert held.client.steps == [(held.request_id, "1 of 2 have approved", 540)]
    assert held.verdict is None
    await house.vote(held.request_id, subject="eve")
    await held.done.wait()
    assert isinstance(held.verdict, Permit)
    assert len(held.client.steps) == 1


async def test_nobody_joins_a_request_that_somebody_waits_on_or_that_other_rules_hold(
    houses, nursery, op, retried_policy
):
    house = houses(retried_policy)
    first = await house.hold(nursery, await house.admit("writers"), op("write"))
    second = Impatient(0)
    await house.ask(await house.admit("writers"), op("write"), second)
    assert second.told != [first.request_id]
    house.reload(retried_policy.replace("within: 10m", "within: 9m"))
    third = Impatient(0)
    await house.ask(await house.admit("writers"), op("write"), third)
    assert third.told not in ([first.request_id], second.told)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("says", "kept"), [("", "pending"), (" retry: true,", "pending"), (" retry: false,", "withdrawn")]
)
async def test_where_a_rule_does_not_say_the_protocol_decides_whether_to_keep_what_was_given_up_on(
    houses, op, policy_text, says, kept
):
    house = houses(policy_text.replace("within: 10m,", f"within: 10m,{says}"))
    asked = replace(op("write"), retry=True)
    verdict = await house.ask(await house.admit("writers"), asked, Impatient(0))
    assert verdict.reason is (ReasonCode.HELD if kept == "pending" else ReasonCode.WITHDRAWN)
    assert await house.states() == [kept]


async def test_a_requester_that_is_gone_before_it_was_told_can_retry_all_the_same(
    houses, nursery, op, client, retried_policy
):
    house = houses(retried_policy)
    held = await house.hold(nursery, await house.admit("writers"), op("write"), client(broken=True))
    await held.done.wait()
    await house.vote(held.request_id, retry=True)
    verdict = await house.ask(await house.admit("writers"), op("write"), client(broken=True))
    assert isinstance(verdict, Permit)


async def test_a_retry_comes_too_late_once_the_grant_has_run_out(houses, nursery, op, retried_policy):
    house = houses(retried_policy)
    name = await abandoned(house, nursery, op)
    house.later(300)
    held = await house.hold(nursery, await house.admit("writers"), op("write"))
    assert held.request_id != name
    nursery.cancel_scope.cancel()


# --- when the rooms fail ---------------------------------------------------------------------------------------------


async def test_a_store_that_cannot_be_reached_is_a_denial_and_nothing_runs(house, op, client):
    door = await house.admit("writers")
    house.store.close()
    asked = client()
    verdict = await house.ask(door, op("write"), asked)
    assert (verdict.reason, verdict.retry) == (ReasonCode.UNAVAILABLE, True)
    assert asked.told == []
    assert house.verdicts == ["deny unavailable"]


async def test_a_store_that_fails_while_people_think_is_a_denial(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    house.store.close()
    house.desk._wake(held.request_id)
    await held.done.wait()
    assert held.verdict.reason is ReasonCode.UNAVAILABLE
    assert house.verdicts == ["deny unavailable"]


async def test_one_request_too_many_is_refused_with_the_reason(houses, nursery, op, client):
    house = houses(quota=Quota(per_principal=1))
    door = await house.admit("writers")
    await house.hold(nursery, door, op("write"))
    verdict = await house.ask(door, op("write", text="another"), client())
    assert verdict.reason is ReasonCode.LIMIT
    assert "1 requests waiting" in verdict.advice
    nursery.cancel_scope.cancel()


async def test_a_log_that_fails_before_a_hold_is_durable_opens_no_request(house, beside, op, client):
    door = await house.admit("writers")
    waiting = client()
    house.log.hold_durability = True
    deciding = beside(house.ask, door, op("write"), waiting)
    await house.until(lambda: house.events(EventKind.OPERATION_HELD))
    house.log.fail("the disk is full")
    await house.until(lambda: deciding.done)
    assert deciding.error is not None
    assert waiting.told == []
    assert await house.desk.list() == ()


async def test_a_log_that_fails_after_the_grant_gives_no_permit_and_the_grant_stays_used(house, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await house.vote(held.request_id)
    house.log.fail("the disk is full")
    await held.done.wait()
    assert isinstance(held.error, RecordError)
    assert held.verdict is None
    assert await house.states() == ["used"]


# --- rates -----------------------------------------------------------------------------------------------------------

PROBED = """
version: 1
rules:
  - {id: read, effect: allow, who: {groups: [readers]}, resource: app-db, do: [read]}
masks:
  - id: pii
    resource: app-db
    columns: ["public.customer.email"]
    with: partial
    probe: {equality: allow, other: block, limit: 2/h}
"""


async def test_guesses_are_counted_for_the_principal_whatever_the_session(houses, op):
    house = houses(PROBED)
    guess = op("probe", "public.customer", columns=("email",), detail="equality", pure=True)
    first, second = [await house.admit("readers", lifetime_s=2 * HOUR_S) for _ in range(2)]
    assert isinstance(await house.ask(first, guess), Permit)
    assert isinstance(await house.ask(second, guess), Permit)
    denied = await house.ask(first, guess)
    assert (denied.reason, denied.retry) == (ReasonCode.LIMIT, True)
    assert "try again in 3601 s" in denied.advice
    assert isinstance(await house.ask(await house.admit("readers", subject="crew-8"), guess), Permit)
    house.later(HOUR_S)
    assert isinstance(await house.ask(second, guess), Permit)


async def test_a_remembered_decision_is_counted_all_the_same(houses, op):
    house = houses(PROBED)
    guess = op("probe", "public.customer", columns=("email",), detail="equality", pure=True)
    door, memo = await house.admit("readers"), {}
    verdicts = [await house.ask(door, guess, memo=memo) for _ in range(4)]
    assert [isinstance(verdict, Permit) for verdict in verdicts] == [True, True, False, False]


async def test_preparing_a_guess_counts_nothing(houses, op):
    house = houses(PROBED)
    guess = op("probe", "public.customer", columns=("email",), detail="equality")
    door = await house.admit("readers")
    for _ in range(5):
        assert isinstance(await door.prepare(guess, {}), Permit)
    assert isinstance(await house.ask(door, guess), Permit)


async def test_masks_are_those_of_now_and_of_this_identity(houses):
    house = houses(PROBED)
    door = await house.admit("readers")
    assert [type(mask) for mask in door.masks] == [Mask]
    house.reload(PROBED.partition("masks:")[0])
    assert door.masks == ()
    assert door.policy_digest == house.gate.policy.digest


# --- how it ends -----------------------------------------------------------------------------------------------------


def outcome(**more):
    return Outcome(Status.OK, rows=3, columns=("id",), shown=b"D", shown_format="rows", masked={"pii": 2}, **more)


async def test_an_outcome_is_recorded_and_counted_and_causes_no_flush(house, op):
    door = await house.admit("readers")
    permit = await house.ask(door, op("read"))
    house.log.hold_durability = True
    door.finish(permit, outcome())
    (event,) = house.events(EventKind.OPERATION_FINISHED)
    assert (event.header["decided"], event.header["rows"]) == (permit.entry, 3)
    assert event.payload["shown"] == b"D"


RECORDED = """
version: 1
rules:
  - {id: more, effect: allow, who: {groups: [readers]}, resource: app-db, do: [read], record: payload}
  - {id: less, effect: allow, who: {groups: [writers]}, resource: app-db, do: [read], record: decision}
"""


@pytest.mark.parametrize(("group", "kept"), [("readers", True), ("writers", False)])
async def test_the_higher_of_the_configured_level_and_the_rules_is_what_is_kept(houses, op, group, kept):
    """`record` is an obligation to keep at least so much: what was accepted must be honoured."""
    house = houses(RECORDED)
    house.gate.level = RecordLevel.DECISION
    door = await house.admit(group)
    permit = await house.ask(door, op("read"))
    assert any(isinstance(item, Record) for item in permit.decision.obligations)
    door.finish(permit, outcome())
    assert bool(house.events(EventKind.OPERATION_FINISHED)[0].payload) is kept


async def test_a_rule_never_lowers_the_level_of_the_configuration(houses, op):
    house = houses(RECORDED)
    door = await house.admit("writers")
    door.finish(await house.ask(door, op("read")), outcome())
    assert house.events(EventKind.OPERATION_FINISHED)[0].payload
    assert door.level is RecordLevel.SHAPE


async def test_the_end_of_a_session_carries_its_totals_and_its_coverage(house, op, nursery):
    door = await house.admit("writers")
    door.finish(await house.ask(door, op("read")), outcome())
    await house.ask(door, op("define"))
    held = await house.hold(nursery, door, op("write"))
    held.scope.cancel()
    await held.done.wait()
    door.uncovered("a pty is best effort")
    door.uncovered("a pty is best effort")
    house.later(7)
    door.close("the client said goodbye")
    (event,) = house.events(EventKind.SESSION_CLOSED)
    totals = event.header["totals"]
    assert {name: totals[name] for name in ("permitted", "denied", "held", "rows", "masked")} == {
        "permitted": 1,
        "denied": 1,
        "held": 1,
        "rows": 3,
        "masked": 2,
    }
    assert event.header["coverage"] == ["a pty is best effort"]
    assert (event.header["reason"], event.header["duration_ns"]) == ("the client said goodbye", 7 * NS)
    assert house.gate.sessions == {}


async def test_a_session_whose_end_cannot_be_recorded_is_gone_all_the_same(house):
    door = await house.admit("readers")
    house.log.fail("the disk is full")
    with pytest.raises(RecordError):
        door.close("bye")
    assert house.gate.sessions == {}


async def test_a_failure_is_recorded_for_its_session(house):
    door = await house.admit("readers")
    await door.failed("target: no route to host")
    (event,) = house.events(EventKind.GATEWAY_ERROR)
    assert (event.header["what"], event.session_id) == ("target: no route to host", door.session.id)
