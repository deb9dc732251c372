"""The approver's side of the control API: who sees what, and what a vote must look like."""

import base64
import hashlib
import json

import pytest
import trio
import trio.testing

from doorward_core.approvals import api as api_module
from doorward_core.approvals import codec
from doorward_core.approvals.api import approval_routes
from doorward_core.approvals.changes import MAX_WAITING
from doorward_core.approvals.request import HeldRule, RequestState, request_id
from doorward_core.model import Peer, PrincipalKind
from doorward_core.net.control import Call, Problem

NAME = "ap-0123456789ab"
PEER = Peer("::1")
START = 1_800_000_000 * 10**9


class Api:
    """The routes, called without a socket."""

    def __init__(self, room, **more) -> None:
        self.routes = {(route.method, route.path): route.handler for route in approval_routes(room.desk, **more)}

    async def __call__(self, who, method, path, name="", *, query=None, body=None):
        call = Call(method, path, query or {}, json.dumps(body).encode(), PEER, {"id": name}, who)
        reply = await self.routes[method, path](call)
        return json.loads(reply.body)

    async def vote(self, who, body, name=NAME):
        return await self(who, "POST", "/v1/approvals/{id}/vote", name, body=body)

    async def show(self, who, name=NAME):
        return await self(who, "GET", "/v1/approvals/{id}", name)

    async def list(self, who, **query):
        return await self(who, "GET", "/v1/approvals", query=query)


@pytest.fixture
def api(room) -> Api:
    return Api(room)


async def _refused(status, words, awaited):
    with pytest.raises(Problem, match=words) as caught:
        await awaited
    assert caught.value.status == status


async def test_everyone_is_told_who_they_are_taken_for(api, person):
    answer = await api(person(), "GET", "/v1/whoami")
    assert (answer["subject"], answer["kind"], answer["groups"]) == ("dora", "human", ["dba"])


async def test_a_card_shows_everything_but_the_binding(api, room, a_request, person):
    await room.desk.open(a_request(text="SELECT '\u202e'"))
    shown = await api.show(person(), NAME.upper())
    assert shown["request"]["text"] == "SELECT '\u202e'"
    assert shown["flags"][0]["kind"] == "bidi"
    assert "digest" not in shown["request"]
    assert codec.content_digest(codec.read_card(shown["request"])).hex() == shown["content"]
    assert (shown["state"], shown["missing"], shown["votes"]) == ("pending", {"writes": 1}, [])


async def test_odd_characters_in_parameters_are_flagged_too(api, room, a_request, person):
    await room.desk.open(a_request(parameters=(None, "\x1b[2J")))
    assert (await api.show(person()))["flags"][0]["kind"] == "control"


async def test_a_list_cuts_long_texts_and_says_how_long_they_are(api, room, a_request, person):
    await room.desk.open(a_request(text="x" * 1000))
    (only,) = (await api.list(person()))["approvals"]
    assert (len(only["text"]), only["text_characters"]) == (400, 1000)


async def test_a_list_has_the_state_that_was_asked_for(api, room, a_request, person):
    await room.desk.open(a_request())
    await room.desk.withdraw(NAME)
    assert (await api.list(person()))["approvals"] == []
    assert len((await api.list(person(), state="all"))["approvals"]) == 1
    assert len((await api.list(person(), state="withdrawn"))["approvals"]) == 1


@pytest.mark.parametrize(
    "query", [{"state": "unheard-of"}, {"filter": "x"}, {"after": "-1"}, {"wait": "5"}, {"before": "1"}]
)
async def test_a_list_has_no_other_filters(api, person, query):
    await _refused(400, "no other filter", api.list(person(), **query))


async def test_what_is_none_of_ones_business_does_not_exist(api, room, a_request, person):
    await room.desk.open(a_request())
    agent = person("crew-8", ("dba",), kind=PrincipalKind.AGENT)
    for stranger in (agent, person(groups=("sales",))):
        assert (await api.list(stranger))["approvals"] == []
        await _refused(404, "no such request", api.show(stranger))
        await _refused(404, "no such request", api.vote(stranger, {"verdict": "reject"}))
    assert (await api.show(person("crew-7", (), kind=PrincipalKind.AGENT)))["state"] == "pending"


@pytest.mark.parametrize("name", ["ap-000000000000", "x", "ap-..", ""])
async def test_what_is_not_there_is_not_found(api, person, name):
    await _refused(404, "no such request", api.show(person(), name))


async def test_an_approval_grants_and_the_answer_shows_it(api, room, a_request, person):
    await room.desk.open(a_request())
    answer = await api.vote(person(), {"verdict": "approve", "reason": "fine"})
    assert (answer["state"], answer["votes"][0]["reason"]) == ("granted", "fine")


async def test_a_refused_vote_is_a_problem_that_says_why(api, room, a_request, person):
    await room.desk.open(a_request(rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),)))
    await api.vote(person(), {"verdict": "approve"})
    await _refused(403, "already voted", api.vote(person(), {"verdict": "approve"}))
    await room.desk.withdraw(NAME)
    await _refused(409, "already withdrawn", api.vote(person("eve"), {"verdict": "approve"}))


async def test_a_vote_about_another_content_is_refused_and_not_recorded(api, room, a_request, person):
    await room.desk.open(a_request())
    await _refused(409, "another content", api.vote(person(), {"verdict": "approve", "content": "00" * 32}))
    assert room.events == []
    good = codec.content_digest(a_request()).hex()
    assert (await api.vote(person(), {"verdict": "approve", "content": good}))["state"] == RequestState.GRANTED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "yes"},
        {"verdict": ["approve"]},
        {"verdict": "approve", "reason": 1},
        {"verdict": "approve", "as": "root"},
        {"verdict": "approve", "content": 1},
        {"verdict": "approve", "proof": "x"},
        {"verdict": "approve", "proof": {"kind": "webauthn", "signature": "x", "cast_unix_ns": 1}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": 1, "cast_unix_ns": 1}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": "ä", "cast_unix_ns": 1}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": "x", "cast_unix_ns": "1"}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": "x", "cast_unix_ns": True}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": "x", "cast_unix_ns": -1}},
        {"verdict": "approve", "proof": {"kind": "sshsig", "signature": "x"}},
    ],
)
async def test_a_vote_of_another_shape_is_refused(api, room, a_request, person, body):
    await room.desk.open(a_request())
    await _refused(400, "a (vote|proof) has", api.vote(person(), body))
    assert room.events == []


async def test_a_list_goes_on_where_it_left_off(api, room, a_request, person, monkeypatch):
    monkeypatch.setattr(api_module, "MAX_LISTED", 4)
    names = [request_id(number.to_bytes(8, "big")) for number in range(15)]
    for at, name in enumerate(names):
        await room.desk.open(a_request(name, opened_unix_ns=START + at // 2))
    seen, query = [], {}
    while not seen or query:
        answer = await api.list(person(), **query)
        seen += [item["id"] for item in answer["approvals"]]
        query = {"before": answer["next"]} if answer["next"] else {}
    assert len(seen) == len(set(seen)) == 15
    assert set(seen) == set(names)
    assert seen[0] == names[14]


async def test_who_waits_is_told_of_an_opening_a_vote_and_an_end(api, room, a_request, person):
    version = (await api.list(person()))["version"]
    seen = []

    async def watch():
        nonlocal version
        for _ in range(3):
            answer = await api.list(person(), after=str(version), wait="20", state="all")
            assert answer["changed"]
            assert answer["version"] != version
            version = answer["version"]
            seen.append((answer["approvals"][0]["state"], answer["approvals"][0]["voted"]))

    two = (HeldRule("writes", b"h" * 32, frozenset({"dba"}), 2),)

    async def waiting():
        while not room.desk.changes.waiting:
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await waiting()
        await room.desk.open(a_request(rules=two))
        await waiting()
        await api.vote(person(), {"verdict": "approve"})
        await waiting()
        await room.desk.withdraw(NAME)
    assert seen == [("pending", []), ("pending", ["dora"]), ("withdrawn", ["dora"])]


async def test_who_waits_in_vain_is_told_that_nothing_changed(api, room, person, autojump_clock):
    version = room.desk.changes.version
    assert await api.list(person(), after=str(version), wait="20") == {"version": version, "changed": False}
    assert room.desk.changes.waiting == 0


@pytest.mark.parametrize("after", ["0", "1"])
async def test_who_comes_with_another_version_is_answered_at_once(api, person, after):
    assert (await api.list(person(), after=after, wait="20"))["changed"]


async def test_a_restart_has_another_version(api, room, person):
    before = room.desk.changes.version
    room.now += 10**9
    room.restart()
    assert room.desk.changes.version != before


async def test_one_more_waiter_than_may_wait_is_told_to_come_again(api, room, person):
    room.desk.changes.waiting = MAX_WAITING
    await _refused(429, "in a few seconds", api.list(person(), after=str(room.desk.changes.version), wait="1"))


async def test_ap_06_one_person_does_not_take_every_place_to_wait(api, room, person, autojump_clock):
    version = str(room.desk.changes.version)
    async with trio.open_nursery() as nursery:
        for _ in range(api_module.MAX_EACH):
            nursery.start_soon(lambda: api.list(person(), after=version, wait="20"))
        await trio.testing.wait_all_tasks_blocked()
        await _refused(429, "in a few seconds", api.list(person(), after=version, wait="20"))
        answer = await api.list(person("eve"), after=version, wait="5")
        assert not answer["changed"]
    assert not await _changed_at_all(api, person, version)


async def _changed_at_all(api, person, version):
    return (await api.list(person(), after=version, wait="1"))["changed"]


async def test_a_statement_is_what_the_vote_will_have_to_sign(api, room, a_request, person):
    await room.desk.open(a_request())
    path = "/v1/approvals/{id}/statement"
    answer = await api(person(), "POST", path, NAME, body={"verdict": "approve", "reason": "fine"})
    text = answer["statement"].encode()
    assert base64.urlsafe_b64decode(answer["challenge"] + "=") == hashlib.sha256(text).digest()
    assert (b'approver: "dora"' in text, b"verdict: approve" in text, b'reason: "fine"' in text) == (True,) * 3
    assert f"cast_unix_ns: {answer['cast_unix_ns']}" in answer["statement"]
    assert f"sha256:{answer['content']}" in answer["statement"]
    assert room.events == []


async def test_the_time_of_a_statement_survives_the_numbers_of_a_browser(api, room, a_request, person):
    await room.desk.open(a_request())
    room.now += 123_456_789
    answer = await api(person(), "POST", "/v1/approvals/{id}/statement", NAME, body={"verdict": "approve"})
    assert int(float(answer["cast_unix_ns"])) == answer["cast_unix_ns"] == START
    assert room.desk.changes.version < 2**53


async def test_no_statement_is_made_of_what_is_none_of_ones_business_or_of_a_vote(api, room, a_request, person):
    await room.desk.open(a_request())
    path = "/v1/approvals/{id}/statement"
    for body in ({"verdict": "yes"}, {"verdict": "approve", "proof": {}}, {}):
        await _refused(400, "verdict", api(person(), "POST", path, NAME, body=body))
    stranger = person(groups=("sales",))
    await _refused(404, "no such", api(stranger, "POST", path, NAME, body={"verdict": "approve"}))


async def test_what_a_gateway_says_of_somebody_is_in_whoami(room, person):
    room_api = Api(room, facts=lambda who: {"operator": "dba" in who.groups})
    assert (await room_api(person(), "GET", "/v1/whoami"))["operator"] is True
