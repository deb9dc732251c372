"""Standing access: whose it is, for what, and until when; and that nothing lets it stand but people."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from doorward_core.approvals import codec, standing
from doorward_core.approvals.request import Case, HeldRule, RequestState, Verdict
from doorward_core.approvals.standing import ASKABLE, StandingAccess, Wish
from doorward_core.event import EventKind
from doorward_core.model import Action, Actor, Approve, PrincipalKind, Resource

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = b"k" * 32
HOLD = Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60, standing_s=7200)
SHOP = Resource("shop", "postgres", account="app")
READS = frozenset({Action.READ, Action.PROBE})


@pytest.fixture
def wish(person):
    agent = person("crew-7", (), kind=PrincipalKind.AGENT, sponsor="sam")
    return Wish(agent, SHOP, READS, 7200, "nightly report")


def request(wish, *holds, name="ap-0123456789ab"):
    digest = standing.binding(KEY, wish)
    return standing.standing_request(
        wish, holds or (HOLD,), name=name, digest=digest, origin="gw.example", now_unix_ns=START
    )


def granted(asked, vote):
    return Case(asked, RequestState.GRANTED, START, START + 7200 * NS, (vote,))


@pytest.fixture
def stands(wish, a_vote):
    table = StandingAccess()
    asked = request(wish)
    table.keep(granted(asked, a_vote(asked)))

    def covering(*actions, holds=(HOLD,), now_s=0, resource=SHOP, **changes):
        who = replace(wish.identity, **changes)
        return table.covering(who, resource, map(Action, actions), holds, START + now_s * NS)

    covering.table = table
    return covering


def test_the_card_says_that_it_stands_and_for_how_long_and_can_be_read_back(wish):
    asked = request(wish)
    assert codec.card(asked)["standing"] is True
    assert asked.grant_s == 7200
    assert codec.decode_request(codec.encode_request(asked)) == asked
    assert [atom.action for atom in asked.atoms] == [Action.PROBE, Action.READ]
    assert asked.expires_unix_ns == START + 600 * NS


def test_other_cards_do_not_speak_of_it(a_request):
    plain = a_request()
    assert "standing" not in codec.card(plain)
    with pytest.raises(ValueError, match="left out"):
        codec.read_card({**codec.card(plain), "standing": False})


@pytest.mark.parametrize(
    "change",
    [
        {"actions": frozenset({Action.READ})},
        {"seconds": 7201},
        {"resource": replace(SHOP, name="other")},
        {"resource": replace(SHOP, account="root")},
    ],
    ids=["actions", "seconds", "resource", "account"],
)
def test_its_binding_is_of_exactly_this(wish, change):
    assert standing.binding(KEY, replace(wish, **change)) != standing.binding(KEY, wish)


@pytest.mark.parametrize(
    "change",
    [{"subject": "crew-8"}, {"issuer": "x"}, {"sponsor": "eve"}, {"actor_chain": (Actor("a", "b"),)}],
    ids=lambda one: next(iter(one)),
)
def test_its_binding_and_the_access_are_of_exactly_this_principal(wish, stands, change):
    other = replace(wish, identity=replace(wish.identity, **change))
    assert standing.binding(KEY, other) != standing.binding(KEY, wish)
    assert stands("read") is not None
    assert stands("read", **change) is None


def test_what_nobody_lets_be_asked_is_no_request(wish):
    with pytest.raises(ValueError, match="at least one hold"):
        standing.standing_request(wish, (), name="ap-0", digest=b"", origin="", now_unix_ns=START)
    assert not ASKABLE & {Action.UNKNOWN, Action.CONNECT, Action.SESSION}


def test_it_covers_its_actions_and_what_goes_with_any_and_nothing_else(stands):
    assert stands("read", "probe", "session").text == "nightly report"
    assert stands("read", "write") is None
    assert stands("unknown") is None


def test_it_covers_the_very_rules_that_were_granted(stands):
    assert stands("read", holds=(replace(HOLD, rule_hash=b"x" * 32),)) is None
    assert stands("read", holds=(HOLD, replace(HOLD, rule="other"))) is None


def test_it_is_of_one_place_one_account_and_one_time(stands):
    assert stands("read", resource=replace(SHOP, account="root")) is None
    assert stands("read", resource=replace(SHOP, name="other")) is None
    assert stands("read", now_s=7199) is not None
    assert stands("read", now_s=7200) is None


def test_what_was_dropped_stands_no_more(stands):
    assert stands.table
    (one,) = stands.table
    stands.table.drop(one.request.id)
    assert not stands.table
    assert stands("read") is None


def test_without_the_votes_nothing_stands(wish, a_vote, a_request):
    table, asked = StandingAccess(), request(wish)
    table.keep(replace(granted(asked, a_vote(asked)), votes=()))
    table.keep(replace(granted(asked, a_vote(asked)), state=RequestState.PENDING))
    table.keep(granted(a_request(), a_vote(a_request())))
    two = replace(asked, rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),))
    table.keep(granted(two, a_vote(two)))
    assert not table


# --- at the desk -----------------------------------------------------------------------------------------------------


async def ask(room, wish, seconds=7200):
    asked = request(replace(wish, seconds=seconds), name=room.desk.new_id())
    return await room.desk.ask(asked)


async def grant(room, wish, person, seconds=7200):
    asked = await ask(room, wish, seconds)
    room.now += NS
    outcome = await room.desk.vote(person(), asked.id, Verdict.APPROVE, "")
    assert outcome.state is RequestState.GRANTED
    return asked


async def test_it_is_on_record_before_anybody_can_vote_and_stands_once_they_did(room, wish, person):
    asked = await ask(room, wish)
    assert room.kinds == [EventKind.ACCESS_REQUESTED]
    assert room.events[0].header["standing_s"] == 7200
    assert not room.desk.standing
    room.now += NS
    await room.desk.vote(person(), asked.id, Verdict.APPROVE, "")
    (stands,) = room.desk.standing
    assert stands.until_unix_ns == room.now + 7200 * NS
    assert room.kinds[1:] == [EventKind.APPROVAL_VOTED, EventKind.APPROVAL_GRANTED]


async def test_asking_twice_for_the_same_is_one_request(room, wish):
    first = await ask(room, wish)
    assert await ask(room, wish) == first
    assert await ask(room, wish, 3600) != first


async def test_it_is_no_grant_of_an_operation(room, wish, person):
    asked = await grant(room, wish, person)
    assert not await room.desk.use(asked.id)
    assert await room.desk.redeem(asked.digest, wish.identity, room.now) is None
    assert room.desk.standing


async def test_a_restart_keeps_what_stands_and_what_waits(room, wish, person):
    asked = await grant(room, wish, person)
    waiting = await ask(room, wish, 60)
    room.restart()
    await room.desk.recover()
    assert [stands.request for stands in room.desk.standing] == [asked]
    assert (await room.desk.get(waiting.id)).state is RequestState.PENDING


async def test_it_ends_by_itself_and_on_record(room, wish, person):
    await grant(room, wish, person)
    room.now += 7200 * NS
    await room.desk.sweep()
    assert not room.desk.standing
    assert (room.kinds[-1], room.events[-1].header["reason"]) == (EventKind.APPROVAL_EXPIRED, "its time is over")


async def test_what_was_revoked_is_not_revived_by_an_older_copy_of_the_file(room, wish, person):
    asked = await ask(room, wish)
    copies = [copied(room)]
    room.now += NS
    await room.desk.vote(person(), asked.id, Verdict.APPROVE, "")
    copies.append(copied(room))
    await room.desk.end_standing(asked, "revoked")
    assert (await room.desk.get(asked.id)).state is RequestState.WITHDRAWN
    for copy in copies:
        put_back(room, copy)
        await room.desk.vote(person("eve"), asked.id, Verdict.APPROVE, "")
        await room.desk.sweep()
        assert not room.desk.standing
    assert room.kinds.count(EventKind.APPROVAL_GRANTED) == 1


async def test_a_grant_that_was_counted_late_ends_no_later_for_it(room, wish, person, a_vote):
    asked = await ask(room, wish)
    room.store.add_vote(a_vote(asked))
    room.now = START + 7000 * NS
    await room.desk.recover()
    (stands,) = room.desk.standing
    assert stands.until_unix_ns == START + NS + 7200 * NS


def copied(room):
    """The store's file as it is now."""
    target = room.folder / "copy.sqlite"
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(room.folder / "approvals.sqlite")) as database:
        database.execute("VACUUM INTO ?", (str(target),))
    return target.read_bytes()


def put_back(room, content):
    """Put the rows of an older copy in the place of those that are there, beneath the running desk."""
    target = room.folder / "older.sqlite"
    target.write_bytes(content)
    with closing(sqlite3.connect(room.folder / "approvals.sqlite", isolation_level=None)) as database:
        database.execute("ATTACH ? AS older", (str(target),))
        database.execute("DELETE FROM vote")
        database.execute("DELETE FROM request")
        database.execute("INSERT INTO request SELECT * FROM older.request")
        database.execute("INSERT INTO vote SELECT * FROM older.vote")
