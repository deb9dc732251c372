"""Who may look at sessions and end them: people of the named groups; each time on record first."""

import base64
import json

import pytest
import trio

from doorward_core.event import EventKind
from doorward_core.model import AuthMethod, Identity, Peer, PrincipalKind
from doorward_core.net.control import Call, Problem
from doorward_core.operators import is_operator, session_routes

GROUPS = frozenset({"on-call"})


def person(*groups, kind=PrincipalKind.HUMAN) -> Identity:
    return Identity("dora", "https://id.example", kind, frozenset(groups), AuthMethod.JWT, "jti-9", 0, 2**62)


@pytest.fixture
def api(house):
    routes = {(route.method, route.path): route for route in session_routes(house.gate, GROUPS)}
    assert not any(route.public for route in routes.values())

    async def call(method, path, *, who=None, query=None, body=None, **parameters):
        asked = Call(
            method, path, query or {}, json.dumps(body).encode(), Peer("::1"), parameters, who or person("on-call")
        )
        with trio.fail_after(60):
            return json.loads((await routes[method, path].handler(asked)).body)

    return call


LIST, STREAM, END = ("GET", "/v1/sessions"), ("GET", "/v1/sessions/{id}/stream"), ("POST", "/v1/sessions/{id}/end")


@pytest.mark.parametrize("groups", [frozenset(), GROUPS])
@pytest.mark.parametrize(
    "who", [person(), person("dba"), person("on-call", kind=PrincipalKind.AGENT)], ids=["none", "other", "agent"]
)
def test_nobody_is_an_operator_unless_named_and_no_agent_ever(who, groups):
    assert not is_operator(who, groups)


@pytest.mark.parametrize("route", [LIST, STREAM, END])
async def test_others_are_refused_and_learn_nothing(api, house, route):
    door = await house.admit("readers")
    with pytest.raises(Problem) as caught:
        await api(*route, who=person("dba"), id=door.session.id.hex(), body={"reason": "x"})
    assert caught.value.status == 403
    assert not door.live.ended


async def test_open_sessions_are_listed_oldest_first(api, house):
    first = await house.admit("readers", sponsor="sam@example.com")
    house.later(5)
    second = await house.admit("readers", subject="crew-8")
    listed = (await api(*LIST))["sessions"]
    assert [item["session"] for item in listed] == [first.session.id.hex(), second.session.id.hex()]
    assert (listed[0]["subject"], listed[0]["sponsor"], listed[0]["account"]) == ("crew-7", "sam@example.com", "reader")
    assert listed[0]["attributes"] == dict(first.session.identity.attributes)
    first.close("done")
    assert len((await api(*LIST))["sessions"]) == 1


async def test_a_session_is_ended_with_words_after_it_is_on_record(api, house, nursery):
    door = await house.admit("readers")

    async def proxy():
        words = await door.live.over(2**62)
        assert [event.payload["reason"] for event in house.events(EventKind.SESSION_ENDED)] == ["it runs wild"]
        assert words == "an operator ended this session: it runs wild"
        door.close("ended by an operator")

    nursery.start_soon(proxy)
    answer = await api(*END, id=door.session.id.hex().upper(), body={"reason": " it runs wild "})
    assert answer == {"session": door.session.id.hex(), "gone": True}
    (event,) = house.events(EventKind.SESSION_ENDED)
    assert (event.session_id, event.header["operator"], event.header["subject"]) == (door.session.id, "dora", "crew-7")


async def test_without_a_record_nothing_is_ended(api, house):
    door = await house.admit("readers")
    house.log.fail("disk full")
    with pytest.raises(Exception, match="disk full"):
        await api(*END, id=door.session.id.hex(), body={"reason": "x"})
    assert not door.live.ended


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": 5}, {"reason": "x", "more": 1}, {"reason": "x" * 1001}]
)
async def test_an_end_needs_a_reason_and_nothing_else(api, house, body):
    door = await house.admit("readers")
    with pytest.raises(Problem) as caught:
        await api(*END, id=door.session.id.hex(), body=body)
    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["00" * 16, "xyz", "", "é"])
async def test_what_is_no_open_session_is_not_there(api, name):
    with pytest.raises(Problem) as caught:
        await api(*STREAM, id=name)
    assert caught.value.status == 404


async def test_a_watcher_sees_what_the_client_is_sent_from_then_on(api, house):
    door = await house.admit("readers")
    door.live.show(b"op", "stdout", b"before", house.clock())
    begun = await api(*STREAM, id=door.session.id.hex())
    assert (begun["pieces"], begun["ended"]) == ([], "")
    door.live.show(b"op", "stdout", b"\xff after", house.clock())
    answer = await api(*STREAM, id=door.session.id.hex(), query={"after": str(begun["from"])})
    assert [base64.b64decode(piece["data"]) for piece in answer["pieces"]] == [b"\xff after"]
    assert len(house.events(EventKind.SESSION_WATCHED)) == 1


async def test_a_watcher_is_on_record_before_it_sees_anything(api, house):
    """Also one that claims to have begun before."""
    door = await house.admit("readers")
    house.log.fail("disk full")
    for query in ({}, {"after": "0"}):
        with pytest.raises(Exception, match="disk full"):
            await api(*STREAM, id=door.session.id.hex(), query=query)
    assert not door.live.watched(house.clock())


@pytest.mark.parametrize("query", [{"after": "-1"}, {"after": "x"}, {"after": "9" * 30}, {"from": "1"}])
async def test_a_place_in_the_stream_is_a_number(api, house, query):
    door = await house.admit("readers")
    with pytest.raises(Problem) as caught:
        await api(*STREAM, id=door.session.id.hex(), query=query)
    assert caught.value.status == 400
