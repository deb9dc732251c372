"""Revocation through the gate: who may, whom it ends, what never runs, and until when."""

import pytest
import trio

from doorward_core.asking import access_routes
from doorward_core.errors import AdmissionRefused, StoreError
from doorward_core.event import EventKind
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Denial, Peer, ReasonCode, Secret
from doorward_core.net.control import Problem
from doorward_core.revocations import revocation_routes

REVOKE, LIST, LIFT = (
    ("POST", "/v1/revocations"),
    ("GET", "/v1/revocations"),
    ("POST", "/v1/revocations/{id}/lift"),
)
GROUPS = frozenset({"on-call"})


@pytest.fixture
def house(houses, standing_policy):
    return houses(standing_policy)


@pytest.fixture
def api(house, register, calling):
    return calling(*revocation_routes(house.gate, register, GROUPS))


@pytest.fixture
def operator(someone):
    return someone("olga", ("on-call",))


@pytest.fixture
def revoke(api, operator, nursery, house):
    """Revoke, while each live session's proxy ends it as soon as it is told to."""

    async def proxy(door):
        await door.live.over(2**62)
        door.close("revoked")

    async def make(what, value="", reason="it runs wild"):
        for door in house.gate.sessions.values():
            nursery.start_soon(proxy, door)
        return await api(operator, *REVOKE, {"what": what, "value": value, "reason": reason})

    return make


@pytest.mark.parametrize("route", [REVOKE, LIST, LIFT])
@pytest.mark.parametrize(("groups", "kind"), [((), "human"), (("dba",), "human"), (("on-call",), "agent")])
async def test_others_are_refused_and_nothing_happens(house, api, someone, route, groups, *, kind):
    body = {"what": "everything", "reason": "x"}
    with pytest.raises(Problem) as caught:
        await api(someone("eve", groups, kind), *route, body, id="rv-1")
    assert caught.value.status == 403
    assert not house.gate.ledger.revocations


@pytest.mark.parametrize(
    ("what", "value"),
    [("subject", "crew-7"), ("sponsor", "sam"), ("everything", ""), ("token", None), ("session", None)],
)
async def test_live_sessions_that_it_means_end_and_others_go_on(house, revoke, what, value):
    meant = await house.admit("writers", sponsor="sam")
    other = await house.admit("readers", subject="crew-8")
    if value is None:
        value = meant.session.id.hex() if what == "session" else meant.session.identity.credential_id
    answer = await revoke(what, value)
    ended = 2 if what == "everything" else 1
    assert (answer["sessions"], answer["gone"], answer["problem"]) == (ended, ended, "")
    assert meant.live.ended == "an operator has revoked this access: it runs wild"
    assert bool(other.live.ended) is (what == "everything")
    (event,) = house.events(EventKind.ACCESS_REVOKED)
    assert (event.header["operator"], event.header["what"], event.header["sessions"]) == ("olga", what, ended)


async def test_it_is_durable_before_anything_ends(house, api, operator, nursery):
    door = await house.admit("writers")
    house.log.hold_durability = True
    nursery.start_soon(api, operator, *REVOKE, {"what": "everything", "reason": "x"})
    await house.until(lambda: house.events(EventKind.ACCESS_REVOKED))
    await trio.testing.wait_all_tasks_blocked()
    assert not door.live.ended
    house.log.hold_durability = False
    await door.live.over(2**62)
    door.close("revoked")


async def test_without_a_record_nothing_is_revoked(house, api, operator):
    door = await house.admit("writers")
    house.log.fail("disk full")
    with pytest.raises(Exception, match="disk full"):
        await api(operator, *REVOKE, {"what": "everything", "reason": "x"})
    assert not door.live.ended
    assert not house.gate.ledger.revocations


async def test_what_is_held_never_runs_even_where_it_was_approved(house, revoke, nursery, op):
    door = await house.admit("writers")
    held = await house.hold(nursery, door, op("write"))
    await revoke("subject", "crew-7")
    await house.vote(held.request_id)
    await held.done.wait()
    assert isinstance(held.verdict, Denial)
    assert held.verdict.reason is ReasonCode.REVOKED
    assert "revoked this access: it runs wild" in held.verdict.advice


async def test_a_proxy_that_goes_on_gets_nothing_decided_not_even_again(house, revoke, op):
    door = await house.admit("readers")
    permit = await house.ask(door, op("read", pure=True))
    again = door.standing(permit)
    memo = {}
    await house.ask(door, op("read"), memo=memo)
    await revoke("subject", "crew-7")
    assert again.run(b"x" * 16, 2, "read", ()) == -1
    verdict = await house.ask(door, op("read"), memo=memo)
    assert (type(verdict), verdict.reason) == (Denial, ReasonCode.REVOKED)


async def test_nobody_whom_it_means_comes_in_until_it_is_lifted(house, api, operator, revoke):
    await house.admit("writers")
    answer = await revoke("subject", "crew-7")
    with pytest.raises(AdmissionRefused, match="an operator has revoked this access"):
        await house.admit("writers")
    assert house.events(EventKind.SESSION_REFUSED)[-1].header["reason"] == f"revoked: subject ({answer['id']})"
    await house.admit("writers", subject="crew-8")
    assert [one["id"] for one in (await api(operator, *LIST))["revocations"]] == [answer["id"]]
    assert (await api(operator, *LIFT, {"reason": "mended"}, id=answer["id"]))["lifted"]
    await house.admit("writers")
    (event,) = house.events(EventKind.ACCESS_RESTORED)
    assert (event.header["revocation"], event.payload["reason"]) == (answer["id"], "mended")


async def test_a_token_that_was_checked_before_and_is_remembered_is_refused_all_the_same(house, revoke):
    token = house.issuer.issue("crew-7", "agent", ("writers",))
    first = await admit_with(house, token)
    await revoke("token", first.session.identity.credential_id)
    with pytest.raises(AdmissionRefused):
        await admit_with(house, token)
    await house.admit("writers")


async def test_who_is_just_coming_in_does_not_slip_through(house, revoke, nursery):
    house.log.hold_durability = True
    doors = []

    async def enter():
        doors.append(await house.admit("writers"))

    nursery.start_soon(enter)
    await house.until(lambda: house.events(EventKind.SESSION_OPENED))
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(revoke, "subject", "crew-7")
    await house.until(lambda: house.events(EventKind.ACCESS_REVOKED))
    house.log.hold_durability = False
    await house.until(lambda: doors)
    await house.until(lambda: doors[0].live.ended)
    assert doors[0].expired()


async def test_what_its_people_have_besides_goes_with_it(house, revoke, calling, someone, op):
    who = someone("crew-7", ("writers",), "agent", issuer=house.issuer.url)
    asking = calling(*access_routes(house.gate, frozenset()))
    wish = {"resource": "app-db", "actions": ["write"], "reason": "x"}
    for seconds in (60, 120):
        asked = await asking(who, "POST", "/v1/access", {**wish, "seconds": seconds})
        house.later(1)
    await house.vote(asked["request"]["id"])
    assert house.desk.standing
    await revoke("subject", "crew-7")
    assert not house.desk.standing
    assert await house.states() == ["withdrawn", "withdrawn"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"what": "subject", "value": "crew-7"}, 400),
        ({"what": "subject", "value": "crew-7", "reason": " "}, 400),
        ({"what": "subject", "value": "crew-7", "reason": "x" * 1001}, 400),
        ({"what": "subject", "value": " ", "reason": "x"}, 400),
        ({"what": "subject", "value": 7, "reason": "x"}, 400),
        ({"what": "nobody", "value": "crew-7", "reason": "x"}, 400),
        ({"what": ["subject"], "value": "crew-7", "reason": "x"}, 400),
        ({"what": "everything", "value": "x", "reason": "x"}, 400),
        ({"what": "session", "value": "ab" * 16, "reason": "x"}, 404),
        ({"what": "session", "value": "it", "reason": "x"}, 404),
        ({"what": "everything", "reason": "x", "more": 1}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(house, api, operator, body, status):
    with pytest.raises(Problem) as caught:
        await api(operator, *REVOKE, body)
    assert caught.value.status == status
    assert not house.gate.ledger.revocations


async def test_what_is_not_revoked_cannot_be_lifted(api, operator):
    with pytest.raises(Problem) as caught:
        await api(operator, *LIFT, {"reason": "x"}, id="rv-1")
    assert caught.value.status == 404


async def test_where_it_cannot_be_kept_it_is_in_force_and_says_so(house, register, revoke, monkeypatch):
    def spoilt(_body):
        raise StoreError("no room")

    monkeypatch.setattr(register._file, "save", spoilt)
    door = await house.admit("writers")
    answer = await revoke("subject", "crew-7")
    assert "a restart of this gateway will have forgotten it" in answer["problem"]
    assert door.live.ended


async def admit_with(house, token):
    return await house.gate.admit(BearerToken(Secret(token)), "app-db", "app", Peer("10.0.0.7"))
