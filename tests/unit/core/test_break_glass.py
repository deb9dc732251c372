"""Broken glass, through the gate: who may, what goes on, what stays blocked, and who signs."""

import pytest

from doorward_core.break_glass import Glass, break_glass_routes
from doorward_core.event import EventKind
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Actor, Denial, Peer, Permit, ReasonCode, Secret
from doorward_core.net.control import Problem

OPEN, LIST, REVIEW = ("POST", "/v1/break-glass"), ("GET", "/v1/break-glass"), ("POST", "/v1/break-glass/{id}/review")
GLASS = Glass(frozenset({"fire"}), frozenset({"audit"}), frozenset({"on-call"}), 1800)
BODY = {"resource": "app-db", "reason": "orders hang", "seconds": 900}


@pytest.fixture
def api(house, register, calling):
    return calling(*break_glass_routes(house.gate, register, GLASS))


@pytest.fixture
def dora(house, someone):
    return someone("dora", ("fire", "writers"), issuer=house.issuer.url)


async def enter(house, subject="dora", kind="human", **more):
    token = house.issuer.issue(subject, kind, ("writers",), **more)
    return await house.gate.admit(BearerToken(Secret(token)), "app-db", "app", Peer("10.0.0.7"))


async def test_what_is_held_goes_on_at_once_and_says_by_what(house, api, dora, op):
    door = await enter(house)
    assert door.holds(op("write"), {})
    opened = await api(dora, *OPEN, BODY)
    assert (opened["open"], opened["owed"], opened["subject"]) == (True, True, "dora")
    assert isinstance(await house.ask(door, op("write")), Permit)
    assert house.events(EventKind.OPERATION_DECIDED)[-1].header["request"] == opened["id"]
    (event,) = house.events(EventKind.BREAK_GLASS_OPENED)
    assert (event.header["request"], event.payload["reason"]) == (opened["id"], "orders hang")


async def test_it_is_durable_before_it_is_open(house, api, dora):
    house.log.fail("disk full")
    with pytest.raises(Exception, match="disk full"):
        await api(dora, *OPEN, BODY)
    assert not house.gate.ledger.openings


async def test_what_is_blocked_stays_blocked(house, api, dora, op):
    door = await enter(house)
    await api(dora, *OPEN, BODY)
    verdict = await house.ask(door, op("define"))
    assert (type(verdict), verdict.reason) == (Denial, ReasonCode.RULE)


async def test_it_ends_by_itself(house, api, dora, op):
    door = await enter(house)
    await api(dora, *OPEN, BODY)
    house.later(899)
    assert not door.holds(op("write"), {})
    house.later(1)
    assert door.holds(op("write"), {})


async def test_nobody_else_goes_on_by_it_and_no_agent_of_theirs(house, api, dora, op):
    await api(dora, *OPEN, BODY)
    for door in (
        await enter(house, "eve"),
        await enter(house, "crew-7", "agent", sponsor="dora"),
        await enter(house, "dora", "agent"),
    ):
        assert door.holds(op("write"), {})


@pytest.mark.parametrize(
    "change",
    [
        {"groups": frozenset({"writers"})},
        {"kind": "agent"},
        {"actor_chain": (Actor("crew-7", "x"),)},
    ],
    ids=["group", "agent", "chain"],
)
async def test_ap_01_only_people_of_the_group_break_it_each_for_themselves(house, api, someone, change):
    who = someone("dora", change.pop("groups", ("fire", "writers")), change.pop("kind", "human"), **change)
    with pytest.raises(Problem) as caught:
        await api(who, *OPEN, BODY)
    assert caught.value.status == 403
    assert not house.gate.ledger.openings


async def test_where_it_is_not_configured_nobody_may(house, register, calling, dora):
    api = calling(*break_glass_routes(house.gate, register, Glass()))
    for route in (OPEN, LIST, REVIEW):
        with pytest.raises(Problem) as caught:
            await api(dora, *route, BODY, id="bg-1")
        assert caught.value.status == 403


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"seconds": 1801}, 400, "1 to 1800"),
        ({"seconds": 0}, 400, "1 to 1800"),
        ({"seconds": True}, 400, "1 to 1800"),
        ({"reason": ""}, 400, "not empty"),
        ({"resource": 7}, 400, "say"),
        ({"more": 1}, 400, "say"),
        ({"resource": "nowhere"}, 403, "nothing is granted"),
        ({"resource": "other-db"}, 403, "no session"),
    ],
)
async def test_what_makes_no_sense_is_refused(api, dora, change, status, words):
    with pytest.raises(Problem, match=words) as caught:
        await api(dora, *OPEN, {**BODY, **change})
    assert caught.value.status == status


async def test_one_at_a_time(api, dora):
    await api(dora, *OPEN, BODY)
    with pytest.raises(Problem, match="broken for you already"):
        await api(dora, *OPEN, BODY)


async def test_the_review_is_owed_until_somebody_else_has_signed(house, api, dora, someone):
    opened = await api(dora, *OPEN, BODY)
    name, words = opened["id"], {"words": "looked at all 3; fine"}
    tom = someone("tom", ("audit",))
    with pytest.raises(Problem, match="still open"):
        await api(tom, *REVIEW, words, id=name)
    house.later(900)
    refused = {
        "themselves": someone("DORA", ("audit",)),
        "an agent": someone("crew-7", ("audit", "fire"), "agent"),
        "no reviewer": someone("eve", ("fire",)),
    }
    for who in refused.values():
        with pytest.raises(Problem) as caught:
            await api(who, *REVIEW, words, id=name)
        assert caught.value.status == 403
    assert [one["id"] for one in (await api(tom, *LIST))["openings"]] == [name]
    assert (await api(tom, *LIST, query={"state": "open"}))["openings"] == []
    signed = await api(tom, *REVIEW, words, id=name.upper())
    assert (signed["owed"], signed["review"]["reviewer"]) == (False, "tom")
    assert (await api(tom, *LIST))["openings"] == []
    assert len((await api(tom, *LIST, query={"state": "all"}))["openings"]) == 1
    with pytest.raises(Problem, match="reviewed already"):
        await api(tom, *REVIEW, words, id=name)
    (event,) = house.events(EventKind.BREAK_GLASS_REVIEWED)
    assert (event.header["reviewer"], event.header["subject"]) == ("tom", "dora")


async def test_reviews_and_lists_are_read_strictly(api, someone):
    tom = someone("tom", ("audit",))
    for body, status in (({}, 400), ({"words": "x", "more": 1}, 400), ({"words": "x"}, 404)):
        with pytest.raises(Problem) as caught:
            await api(tom, *REVIEW, body, id="bg-1")
        assert caught.value.status == status
    for query in ({"state": "some"}, {"who": "dora"}):
        with pytest.raises(Problem, match="state is one of"):
            await api(tom, *LIST, query=query)
    with pytest.raises(Problem) as caught:
        await api(someone("eve", ("dba",)), *LIST)
    assert caught.value.status == 403
