"""Standing access on the control port, through the gate: asked, voted on, used, taken back."""

from dataclasses import replace

import pytest

from doorward_core.access.ledger import Revocation, What
from doorward_core.approvals.store import Quota
from doorward_core.asking import access_routes
from doorward_core.event import EventKind
from doorward_core.model import Denial, Permit, ReasonCode
from doorward_core.net.control import Problem

ASK, LIST, REVOKE = ("POST", "/v1/access"), ("GET", "/v1/access"), ("POST", "/v1/access/{id}/revoke")
WISH = {"resource": "app-db", "actions": ["write"], "seconds": 3600, "reason": "the nightly import"}


@pytest.fixture
def house(houses, standing_policy):
    return houses(standing_policy)


@pytest.fixture
def api(house, calling):
    return calling(*access_routes(house.gate, frozenset({"on-call"})))


@pytest.fixture
def crew(house, someone):
    """The agent as the control port knows it: the same principal as `house.admit` makes."""

    def make(*groups, **changes):
        return someone("crew-7", groups or ("writers",), "agent", **{"issuer": house.issuer.url, **changes})

    return make


@pytest.fixture
def grant(house, api, crew):
    async def make(**wish):
        asked = await api(crew(), *ASK, {**WISH, **wish})
        name = asked["request"]["id"]
        house.later(1)
        await house.vote(name)
        return name

    return make


async def test_it_is_asked_with_a_card_that_says_everything(house, api, crew):
    asked = await api(crew(), *ASK, WISH)
    card = asked["request"]
    assert (asked["state"], card["standing"], card["grant_s"]) == ("pending", True, 3600)
    assert (card["subject"], card["resource"], card["account"]) == ("crew-7", "app-db", "app")
    assert (card["text"], [atom["action"] for atom in card["atoms"]]) == ("the nightly import", ["write"])
    assert asked["missing"] == {"writes-wait": 1}
    assert house.events(EventKind.ACCESS_REQUESTED)[0].header["actions"] == ["write"]


async def test_what_was_granted_goes_on_without_being_asked_and_each_time_on_record(house, api, grant, crew, op):
    door = await house.admit("writers")
    name = await grant()
    for _ in range(2):
        assert not door.holds(op("write"), {})
        permit = await house.ask(door, op("write"))
        assert isinstance(permit, Permit)
        assert (permit.decision.approvals, permit.decision.advice) == ((), "")  # decided anew, not merely let go
    decided = house.events(EventKind.OPERATION_DECIDED)
    assert [event.header["request"] for event in decided] == [name, name]
    assert house.verdicts == ["permit rule", "permit rule"]
    assert house.events(EventKind.OPERATION_HELD) == []
    (listed,) = (await api(crew(), *LIST))["access"]
    assert (listed["id"], listed["actions"], listed["by"]) == (name, ["write"], ["dora"])


async def test_it_goes_on_only_once_its_record_is_durable(house, grant, op, nursery):
    await grant()
    door = await house.admit("writers")
    house.log.hold_durability = True
    done = []

    async def ask():
        done.append(await house.ask(door, op("write")))

    nursery.start_soon(ask)
    await house.until(lambda: house.events(EventKind.OPERATION_DECIDED))
    assert not done
    house.log.hold_durability = False
    await house.until(lambda: done)
    assert not done[0].early


@pytest.mark.parametrize(
    "who",
    [{"subject": "crew-8"}, {"sponsor": "eve"}, {"resource": "other-db"}, {"account": "batch"}],
    ids=lambda one: next(iter(one)),
)
async def test_ap_03_it_is_of_nobody_else_and_nowhere_else(houses, standing_policy, calling, crew, op, *, who):
    house = houses(standing_policy.replace("resource: app-db", 'resource: "*"'))
    api = calling(*access_routes(house.gate, frozenset()))
    asked = await api(crew(), *ASK, WISH)
    house.later(1)
    await house.vote(asked["request"]["id"])
    mine, other = await house.admit("writers"), await house.admit("writers", **who)
    assert not mine.holds(op("write"), {})
    assert other.holds(op("write"), {})


async def test_ap_03_it_lasts_no_longer_than_was_granted(house, grant, op):
    await grant(seconds=600)
    door = await house.admit("writers")
    house.later(599)
    assert not door.holds(op("write"), {})
    house.later(1)
    assert door.holds(op("write"), {})


async def test_ap_02_another_action_or_one_that_cannot_be_read_is_held_as_before(
    houses, standing_policy, calling, crew, op
):
    house = houses(standing_policy.replace("do: [write]", "do: [write, execute, unknown]"))
    asked = await calling(*access_routes(house.gate, frozenset()))(crew(), *ASK, WISH)
    house.later(1)
    await house.vote(asked["request"]["id"])
    door = await house.admit("writers")
    write = op("write")
    assert not door.holds(write, {})
    assert door.holds(op("execute"), {})
    both = replace(op("write", text="both"), atoms=(*write.atoms, *op("read").atoms))
    assert door.holds(both, {})


async def test_ap_02_a_changed_rule_voids_it_and_another_change_does_not(house, grant, op, standing_policy):
    await grant()
    door = await house.admit("writers")
    house.reload(standing_policy.replace("readers-read", "all-read"))
    assert not door.holds(op("write"), {})
    house.reload(standing_policy.replace("within: 10m", "within: 11m"))
    assert door.holds(op("write"), {})


async def test_a_block_stays_a_block(house, grant, op, standing_policy):
    await grant()
    door = await house.admit("writers")
    house.reload(standing_policy.replace("do: [define]", "do: [define, write]"))
    verdict = await house.ask(door, op("write"))
    assert isinstance(verdict, Denial)
    assert verdict.reason is ReasonCode.RULE


@pytest.mark.parametrize("who", ["crew-7", "sam", "CREW-7"])
async def test_ap_01_neither_who_asks_nor_their_sponsor_approves_it(house, api, crew, who):
    asked = await api(crew(sponsor="sam"), *ASK, WISH)
    house.later(1)
    outcome = await house.vote(asked["request"]["id"], subject=who)
    assert "themselves" in outcome.refusal
    assert not house.desk.standing


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"actions": ["define"]}, 403, "no define there, whoever approves"),
        ({"actions": ["read"]}, 403, "no rule that holds"),
        ({"actions": ["unknown"]}, 400, "actions are some of"),
        ({"actions": []}, 400, "actions are some of"),
        ({"actions": [["write"]]}, 400, "actions are some of"),
        ({"seconds": 7201}, 403, "7200 s at most"),
        ({"seconds": 0}, 400, "how many seconds"),
        ({"seconds": True}, 400, "how many seconds"),
        ({"reason": " "}, 400, "and why"),
        ({"reason": "x" * 1001}, 400, "at most 1000"),
        ({"resource": "nowhere"}, 403, "nothing is granted"),
        ({"resource": "other-db"}, 403, "nothing is granted"),
        ({"account": "root"}, 403, "use the account app"),
        ({"more": 1}, 400, "say which"),
    ],
)
async def test_what_may_not_be_asked_is_refused_with_words(api, crew, change, status, words):
    with pytest.raises(Problem, match=words) as caught:
        await api(crew(), *ASK, {**WISH, **change})
    assert caught.value.status == status


async def test_whom_policy_lets_in_nowhere_asks_for_nothing(api, crew):
    with pytest.raises(Problem, match="nothing is granted"):
        await api(crew("strangers"), *ASK, WISH)


async def test_whoever_is_revoked_asks_for_nothing(house, api, crew):
    house.gate.ledger.revocations["rv-1"] = Revocation("rv-1", What.EVERYTHING, "", "x", "dora", "", 0)
    with pytest.raises(Problem, match="nothing is granted"):
        await api(crew(), *ASK, WISH)


async def test_ap_06_asking_has_the_same_quota(houses, standing_policy, calling, crew):
    house = houses(standing_policy, quota=Quota(per_principal=1))
    api = calling(*access_routes(house.gate, frozenset()))
    await api(crew(), *ASK, WISH)
    await api(crew(), *ASK, WISH)
    with pytest.raises(Problem, match="already have 1 requests waiting") as caught:
        await api(crew(), *ASK, {**WISH, "seconds": 60})
    assert caught.value.status == 429


@pytest.mark.parametrize(
    ("subject", "groups", "may"),
    [
        ("crew-7", (), True),
        ("sam", (), True),
        ("tom", ("dba",), True),
        ("olga", ("on-call",), True),
        ("eve", ("sales",), False),
    ],
)
async def test_it_is_taken_back_by_those_whose_it_is_to(house, api, crew, someone, op, *, subject, groups, may):
    asked = await api(crew(sponsor="sam"), *ASK, WISH)
    name = asked["request"]["id"]
    house.later(1)
    await house.vote(name)
    door = await house.admit("writers", sponsor="sam")
    assert not door.holds(op("write"), {})
    who = crew(sponsor="sam") if subject == "crew-7" else someone(subject, groups)
    if may:
        assert (await api(who, *REVOKE, {"reason": "done"}, id=name.upper()))["revoked"]
        (event,) = house.events(EventKind.ACCESS_REVOKED)
        assert (event.header["operator"], event.header["value"]) == (subject, name)
        assert await house.states() == ["withdrawn"]
        assert (await api(who, *LIST))["access"] == []
    else:
        assert (await api(who, *LIST))["access"] == []
        with pytest.raises(Problem) as caught:
            await api(who, *REVOKE, {"reason": "done"}, id=name)
        assert caught.value.status == 404
    assert door.holds(op("write"), {}) is may


async def test_what_waits_can_be_taken_back_too_and_what_is_over_cannot(house, api, crew):
    asked = await api(crew(), *ASK, WISH)
    name = asked["request"]["id"]
    await api(crew(), *REVOKE, {"reason": "not needed"}, id=name)
    assert await house.states() == ["withdrawn"]
    for body, status in (({"reason": "x"}, 409), ({}, 400), ({"reason": ""}, 400)):
        with pytest.raises(Problem) as caught:
            await api(crew(), *REVOKE, body, id=name)
        assert caught.value.status == status
    with pytest.raises(Problem, match="no such access"):
        await api(crew(), *REVOKE, {"reason": "x"}, id="ap-000000000000")


async def test_without_a_record_it_is_not_taken_back(house, api, crew, grant):
    name = await grant()
    house.log.fail("disk full")
    with pytest.raises(Exception, match="disk full"):
        await api(crew(), *REVOKE, {"reason": "x"}, id=name)
    assert house.desk.standing


async def test_an_operations_own_request_is_no_standing_access(house, api, someone, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    with pytest.raises(Problem, match="no such access"):
        await api(someone("tom", ("dba",)), *REVOKE, {"reason": "x"}, id=held.request_id)
    held.scope.cancel()
