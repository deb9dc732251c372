"""The desk: waiting, voting, withdrawing, using; with the real store, and a clock of the test's own."""

import pytest
import trio
import trio.testing

from doorward_core.approvals.request import HeldRule, RequestState, Verdict, canonical_id
from doorward_core.approvals.votes import objections
from doorward_core.errors import RecordError, StoreError
from doorward_core.event import EventKind
from doorward_core.model import Approve

NS = 1_000_000_000
APPROVE, REJECT = Verdict.APPROVE, Verdict.REJECT


class Waiting:
    """`desk.wait` in a task of its own."""

    def __init__(self, room, name) -> None:
        self.room, self.name = room, name
        self.state = None
        self.scope = trio.CancelScope()

    async def __call__(self) -> None:
        with self.scope:
            self.state = await self.room.desk.wait(self.name)


async def test_a_vote_wakes_the_one_who_waits_and_the_grant_is_used_once(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    waiting = Waiting(room, request.id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        outcome = await room.desk.vote(person(), request.id, APPROVE, "fine")
    assert (outcome.state, outcome.refusal, waiting.state) == (RequestState.GRANTED, "", RequestState.GRANTED)
    assert await room.desk.use(request.id)
    assert not await room.desk.use(request.id)
    assert room.kinds == [EventKind.APPROVAL_VOTED, EventKind.APPROVAL_GRANTED]


async def test_a_rejection_wakes_with_its_reason(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    outcome = await room.desk.vote(person(), request.id, REJECT, "not on a Friday")
    assert outcome.state is RequestState.REJECTED
    assert await room.desk.wait(request.id) is RequestState.REJECTED
    assert objections((await room.desk.get(request.id)).votes) == "not on a Friday"
    assert not await room.desk.use(request.id)


async def test_nobody_deciding_expires_the_request_in_time(room, a_request, mock_clock):
    request = a_request()
    await room.desk.open(request)
    waiting = Waiting(room, request.id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        while room.desk._woken[request.id].statistics().tasks_waiting == 0:
            await trio.lowlevel.checkpoint()
        room.now = request.expires_unix_ns
        mock_clock.jump(600)
    assert waiting.state is RequestState.EXPIRED
    assert room.kinds == [EventKind.APPROVAL_EXPIRED]


async def test_waiting_until_a_moment_gives_pending_and_changes_nothing(room, a_request):
    request = a_request()
    await room.desk.open(request)
    assert await room.desk.wait(request.id, room.now) is RequestState.PENDING
    assert (await room.desk.get(request.id)).state is RequestState.PENDING


async def test_waiting_for_what_is_not_there_ends_at_once(room):
    assert await room.desk.wait("ap-000000000000") is RequestState.WITHDRAWN


async def test_a_withdrawal_wakes_and_a_late_vote_is_refused(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    assert await room.desk.withdraw(request.id)
    assert not await room.desk.withdraw(request.id)
    outcome = await room.desk.vote(person(), request.id, APPROVE, "")
    assert outcome.refusal == "the request is already withdrawn"
    assert room.kinds == [EventKind.APPROVAL_WITHDRAWN]


async def test_a_vote_for_nothing_finds_nothing(room, person):
    outcome = await room.desk.vote(person(), "ap-000000000000", APPROVE, "")
    assert (outcome.found, room.events) == (False, [])


async def test_two_rules_want_two_groups_and_a_quorum_two_people(room, a_request, person):
    rules = (
        HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),
        HeldRule("privacy", b"p" * 32, frozenset({"privacy-office"}), 1),
    )
    request = a_request(rules=rules)
    await room.desk.open(request)
    for subject, groups in (("dora", ("dba",)), ("eve", ("dba",))):
        assert (await room.desk.vote(person(subject, groups), request.id, APPROVE, "")).state is RequestState.PENDING
    last = await room.desk.vote(person("pia", ("privacy-office",)), request.id, APPROVE, "")
    assert last.state is RequestState.GRANTED


async def test_who_waits_is_told_of_votes_that_count_from_then_on_and_leave_it_undecided(room, a_request, person):
    request = a_request(rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 4),))
    await room.desk.open(request)
    await room.desk.vote(person("before"), request.id, APPROVE, "")
    told = []

    async def counted(case):
        told.append([vote.approver_subject for vote in case.votes][-1])
        if told == ["dora"]:  # somebody votes while the first is told
            await room.desk.vote(person("eve"), request.id, APPROVE, "")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.desk.wait, request.id, None, counted)
        while room.desk._woken.get(request.id) is None or not room.desk._woken[request.id].statistics().tasks_waiting:
            await trio.lowlevel.checkpoint()
        await room.desk.vote(person("dora"), request.id, APPROVE, "")
        await room.desk.vote(person("dora"), request.id, APPROVE, "twice, which does not count")
        while told != ["dora", "eve"]:
            await trio.lowlevel.checkpoint()
        await room.desk.vote(person("fay"), request.id, APPROVE, "")
    assert told == ["dora", "eve"]


async def test_a_second_vote_of_the_same_person_does_not_count_and_is_on_record(room, a_request, person):
    request = a_request(rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),))
    await room.desk.open(request)
    await room.desk.vote(person(), request.id, APPROVE, "")
    again = await room.desk.vote(person(), request.id, APPROVE, "")
    assert again.refusal == "you have already voted on this request"
    assert [event.header["counted"] for event in room.events] == [True, False]


async def test_a_vote_that_the_log_does_not_take_does_not_count(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    room.broken = True
    with pytest.raises(RecordError):
        await room.desk.vote(person(), request.id, APPROVE, "")
    assert (await room.desk.get(request.id)).votes == ()
    room.broken = False
    assert (await room.desk.vote(person(), request.id, APPROVE, "")).state is RequestState.GRANTED


async def test_the_vote_is_on_record_before_it_is_kept(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    seen = []

    async def record(event):
        case = await trio.to_thread.run_sync(room.store.get, request.id)
        seen.append((event.kind, len(case.votes), case.state))

    room.desk._record = record
    await room.desk.vote(person(), request.id, APPROVE, "")
    assert seen == [
        (EventKind.APPROVAL_VOTED, 0, RequestState.PENDING),
        (EventKind.APPROVAL_GRANTED, 1, RequestState.PENDING),
    ]


async def test_a_vote_whose_approver_hangs_up_is_finished(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    with trio.CancelScope() as scope:

        async def record(event):
            scope.cancel()
            room.events.append(event)

        room.desk._record = record
        await room.desk.vote(person(), request.id, APPROVE, "")
    assert (await room.desk.get(request.id)).state is RequestState.GRANTED


async def test_what_failed_between_the_vote_and_the_grant_is_settled_later(room, a_request, person):
    request = a_request(retry=True)
    await room.desk.open(request)
    kept = room.desk._record

    async def record(event):
        if event.kind is EventKind.APPROVAL_GRANTED:
            raise RecordError("the disk is full")
        await kept(event)

    room.desk._record = record
    with pytest.raises(RecordError):
        await room.desk.vote(person(), request.id, APPROVE, "")
    assert (await room.desk.get(request.id)).state is RequestState.PENDING
    room.desk._record = kept
    await room.desk.sweep()
    assert (await room.desk.get(request.id)).state is RequestState.GRANTED


async def test_the_requester_that_hangs_up_withdraws_only_what_is_undecided(room, a_request, person):
    request = a_request(retry=True)
    await room.desk.open(request)
    await room.desk.vote(person(), request.id, APPROVE, "", retry=True)
    assert not await room.desk.withdraw(request.id)
    assert (await room.desk.redeem(request.digest, person("crew-7"), room.now)).id == request.id


async def test_a_grant_is_its_requesters_own_while_it_waits(room, a_request, person):
    request = a_request()
    await room.desk.open(request)
    await room.desk.vote(person(), request.id, APPROVE, "")
    assert await room.desk.wait(request.id) is RequestState.GRANTED
    assert await room.desk.redeem(request.digest, person("crew-7"), room.now) is None
    assert await room.desk.use(request.id)


async def test_a_cancelled_wait_leaves_the_request_open_and_its_grant_to_a_retry(room, a_request, person):
    request = a_request(retry=True)
    await room.desk.open(request)
    waiting = Waiting(room, request.id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        waiting.scope.cancel()
    assert (await room.desk.get(request.id)).state is RequestState.PENDING
    await room.desk.vote(person(), request.id, APPROVE, "", retry=True)
    assert (await room.desk.redeem(request.digest, person("crew-7"), room.now)).id == request.id
    assert await room.desk.redeem(request.digest, person("crew-7"), room.now) is None


async def test_an_approval_once_is_refused_where_nobody_waits_and_counts_once_somebody_does(room, a_request, person):
    request = a_request(retry=True)
    await room.desk.open(request)
    await room.desk.leave(request)
    refused = await room.desk.vote(person(), request.id, APPROVE, "", retry=False)
    assert (refused.state, "whoever asked is gone" in refused.refusal) == (RequestState.PENDING, True)
    assert (room.events[-1].header["counted"], (await room.desk.get(request.id)).votes) == (False, ())
    holds = (Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60),)
    assert (await room.desk.rejoin(request.digest, person("crew-7"), holds)).id == request.id
    assert (await room.desk.vote(person(), request.id, APPROVE, "", retry=False)).state is RequestState.GRANTED
    assert await room.desk.use(request.id)


@pytest.mark.parametrize("retry", [False, True])
async def test_a_grant_for_its_requester_alone_goes_with_it(room, a_request, person, retry):
    request = a_request(retry=True)
    await room.desk.open(request)
    await room.desk.vote(person(), request.id, APPROVE, "", retry=retry)
    await room.desk.leave(request)
    assert (await room.desk.get(request.id)).state is (RequestState.GRANTED if retry else RequestState.WITHDRAWN)
    assert ((await room.desk.redeem(request.digest, person("crew-7"), room.now)) is not None) is retry
    assert (EventKind.APPROVAL_WITHDRAWN in room.kinds) is not retry


async def test_what_no_retry_may_come_back_for_is_withdrawn_with_its_requester(room, a_request):
    request = a_request()
    await room.desk.open(request)
    await room.desk.leave(request)
    assert (await room.desk.get(request.id)).state is RequestState.WITHDRAWN


@pytest.mark.parametrize("retry", [False, True])
async def test_a_restart_keeps_a_grant_only_for_a_retry(room, a_request, person, retry):
    request = a_request(retry=True)
    await room.desk.open(request)
    await room.desk.vote(person(), request.id, APPROVE, "", retry=retry)
    room.restart()
    await room.desk.recover()
    assert (await room.desk.get(request.id)).state is (RequestState.GRANTED if retry else RequestState.WITHDRAWN)


async def test_those_who_look_hear_that_the_requester_is_gone_and_back(room, a_request, person):
    request, versions = a_request(retry=True), []
    holds = (Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60),)
    await room.desk.open(request)
    for step in (lambda: room.desk.leave(request), lambda: room.desk.rejoin(request.digest, person("crew-7"), holds)):
        versions.append((room.desk.changes.version, room.desk.attended(request.id)))
        await step()
    assert room.desk.changes.version > versions[1][0] > versions[0][0]
    assert ([one for _, one in versions], room.desk.attended(request.id)) == ([True, False], True)


async def test_a_request_is_attended_before_anybody_can_find_it(room, a_request, monkeypatch):
    kept, seen = room.store.open, []
    monkeypatch.setattr(room.store, "open", lambda one: (seen.append(room.desk.attended(one.id)), kept(one)))
    await room.desk.open(a_request())
    assert seen == [True]


async def test_a_request_whose_client_left_before_it_was_kept_is_attended_by_nobody(room, a_request):
    with trio.CancelScope() as scope:
        scope.cancel()
        await room.desk.open(a_request())
    assert (room.desk.attended(a_request().id), await room.desk.list()) == (False, ())


async def test_a_request_that_cannot_be_kept_is_attended_by_nobody(room, a_request):
    room.store.close()
    with pytest.raises(StoreError):
        await room.desk.open(a_request())
    assert not room.desk.attended(a_request().id)


async def test_a_restart_withdraws_what_nobody_waits_for_any_more(room, a_request):
    await room.desk.open(a_request())
    await room.desk.open(a_request("ap-000000000000", retry=True))
    room.restart()
    await room.desk.recover()
    states = {case.request.id: case.state for case in await room.desk.list()}
    assert states == {"ap-0123456789ab": RequestState.WITHDRAWN, "ap-000000000000": RequestState.PENDING}


async def test_a_sweep_expires_what_nobody_waits_for_and_grants_not_used(room, a_request, person):
    held, granted = a_request(retry=True), a_request("ap-000000000000")
    await room.desk.open(held)
    await room.desk.open(granted)
    await room.desk.vote(person(), granted.id, APPROVE, "")
    room.now = granted.expires_unix_ns
    await room.desk.sweep()
    assert {case.state for case in await room.desk.list()} == {RequestState.EXPIRED}
    assert not await room.desk.use(granted.id)
    assert room.kinds.count(EventKind.APPROVAL_EXPIRED) == 2


async def test_a_sweep_forgets_what_is_long_closed(room, a_request):
    await room.desk.open(a_request())
    await room.desk.withdraw("ap-0123456789ab")
    room.now += 31 * 24 * 3600 * NS
    await room.desk.sweep()
    assert await room.desk.list() == ()


async def test_the_sweep_runs_by_itself(room, a_request, autojump_clock):
    await room.desk.open(a_request())
    room.now += 601 * NS
    ended = trio.Event()

    async def record(event):
        room.events.append(event)
        ended.set()

    room.desk._record = record
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.desk.run)
        await ended.wait()
        nursery.cancel_scope.cancel()
    assert room.kinds == [EventKind.APPROVAL_EXPIRED]


async def test_a_store_that_fails_fails_the_call(room, a_request):
    room.store.close()
    with pytest.raises(StoreError):
        await room.desk.open(a_request())
    room.restart()


async def test_ids_are_new_each_time_and_can_be_typed(room):
    names = {room.desk.new_id() for _ in range(100)}
    assert len(names) == 100
    assert all(canonical_id(name.upper()) == name for name in names)


async def test_a_round_that_fails_changes_nothing_and_is_tried_again(room, a_request, autojump_clock):
    request = a_request()
    await room.desk.open(request)
    room.now = request.expires_unix_ns
    states, ended = [], trio.Event()

    async def record(event):
        states.append((room.desk.problem, (await trio.to_thread.run_sync(room.store.get, request.id)).state))
        if len(states) == 1:
            raise RecordError("the disk is full")
        room.events.append(event)
        ended.set()

    room.desk._record = record
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.desk.run)
        await ended.wait()
        nursery.cancel_scope.cancel()
    assert states == [("", RequestState.PENDING), ("the disk is full", RequestState.PENDING)]
    assert room.kinds == [EventKind.APPROVAL_EXPIRED]
