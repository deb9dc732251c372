"""Votes by passkey, and logins that are too old (docs/threat-model.md, AP-01 to AP-06): through the real routes and desk.

The authenticator is software (`passkey`), its keys and signatures are real, and nothing of the verifier is replaced.
"""

import json
from dataclasses import replace

import pytest
import trio
from passkey import PRESENT, Authenticator

from doorward_core.approvals.api import approval_routes
from doorward_core.approvals.ballot import Trusted
from doorward_core.approvals.counters import SignCounters
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.passkeys import Passkeys
from doorward_core.approvals.request import RequestState, request_for
from doorward_core.approvals.store import SqliteStore
from doorward_core.approvals.webauthn import RelyingParty
from doorward_core.event import Event
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Identity,
    Operation,
    Peer,
    PrincipalKind,
    Resource,
    Session,
    Target,
)
from doorward_core.net.control import Call, Problem

NS = 10**9
START = 1_800_000_000 * NS
KEY = bytes(range(32))
HOLD = Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60, proof="webauthn")
UPDATE = Operation(
    id=b"o" * 16,
    seq=0,
    action=Action.WRITE,
    verb="UPDATE",
    atoms=(Atom(Action.WRITE, Target("relation", "public.customer")),),
    text="UPDATE customer SET name = 'x' WHERE id = 42",
    digest=b"d" * 32,
)


def _person(subject, *groups, **changes):
    human = Identity(
        subject, "https://id.example", PrincipalKind.HUMAN, frozenset(groups), AuthMethod.JWT, "jti", START, 2 * START
    )
    return replace(human, logged_in_unix_ns=START, **changes)


DORA, EVE = _person("dora", "dba"), _person("eve", "dba")
AGENT = _person("crew-7", kind=PrincipalKind.AGENT, sponsor="sam")
SESSION = Session(b"s" * 16, AGENT, Resource("app-db", "postgres"), "app", Peer("::1"), "gw", START, b"p" * 32)


class House:
    """A desk with dora's and eve's passkeys in the operator's file."""

    def __init__(self, folder) -> None:
        self.folder, self.now = folder, START + NS
        self.events: list[Event] = []
        self.dora, self.eve = Authenticator(), Authenticator()
        known = (self.dora.passkey("dora"), self.eve.passkey("eve"))
        party = RelyingParty("desk.example", frozenset({"https://desk.example"}))
        self.trusted = Trusted((), Passkeys(party, known))
        self.open()

    def open(self) -> None:
        path = self.folder / "approvals.sqlite"
        self.store, self.counters = SqliteStore(path, KEY), SignCounters(path, KEY)
        self.desk = Desk(
            self.store, clock=lambda: self.now, record=self._record, trusted=self.trusted, counters=self.counters
        )
        self.routes = {(route.method, route.path): route.handler for route in approval_routes(self.desk)}

    def close(self) -> None:
        self.store.close()
        self.counters.close()

    async def _record(self, event: Event) -> None:
        await trio.lowlevel.checkpoint()
        self.events.append(event)

    async def hold(self, hold=HOLD, operation=UPDATE):
        given = {"name": self.desk.new_id(), "digest": b"b" * 32, "reason": "why", "now_unix_ns": self.now}
        request = request_for(SESSION, operation, (hold,), **given)
        await self.desk.open(request)
        return request

    async def post(self, who, request, what, **body):
        path = f"/v1/approvals/{{id}}/{what}"
        call = Call("POST", path, {}, json.dumps(body).encode(), Peer("::1"), {"id": request.id}, who)
        return json.loads((await self.routes["POST", path](call)).body)

    async def proof(self, who, device, request, verdict="approve", reason="", **changes):
        answer = await self.post(who, request, "statement", verdict=verdict, reason=reason)
        return device.proof(answer, **changes)

    async def refused(self, who, request, words, **body):
        with pytest.raises(Problem, match=words):
            await self.post(who, request, "vote", **{"verdict": "approve", **body})
        assert (await self.desk.get(request.id)).state is RequestState.PENDING


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


async def test_a_vote_by_passkey_grants_and_an_auditor_can_verify_it_again(house):
    request = await house.hold()
    proof = await house.proof(DORA, house.dora, request)
    answer = await house.post(DORA, request, "vote", verdict="approve", proof=proof)
    assert (answer["state"], answer["votes"][0]["proof"]) == ("granted", "webauthn")
    kept = json.loads(house.events[0].payload["proof"])
    assert {kept[name] for name in ("signature", "client_data")} == {proof["signature"], proof["client_data"]}
    assert kept["rp_id"] == "desk.example"
    assert house.events[0].header["proof"] == "webauthn"


async def test_the_statement_says_which_passkeys_one_has_and_until_when_a_login_is_fresh(house):
    request = await house.hold(replace(HOLD, fresh_s=300))
    answer = await house.post(DORA, request, "statement", verdict="approve")
    assert (len(answer["passkeys"]), answer["rp_id"]) == (1, "desk.example")
    assert answer["fresh_until_unix_ns"] == START + 300 * NS


async def test_ap_01_a_token_alone_and_somebody_elses_passkey_approve_nothing(house):
    request = await house.hold()
    await house.refused(DORA, request, "needs a stronger proof: webauthn")
    proof = await house.proof(DORA, house.eve, request)
    await house.refused(DORA, request, "not one of yours", proof=proof)
    mixed = {**proof, "credential": (await house.proof(DORA, house.dora, request))["credential"]}
    await house.refused(DORA, request, "does not hold", proof=mixed)
    assert [event.header["counted"] for event in house.events] == [False, False, False]


async def test_ap_08_a_passkey_that_was_struck_out_votes_no_more(house):
    request = await house.hold()
    proof = await house.proof(DORA, house.dora, request)
    house.desk.trusted = Trusted((), replace(house.trusted.passkeys, known=()))
    await house.refused(DORA, request, "not one of yours", proof=proof)


async def test_ap_09_an_assertion_counts_for_its_own_request_verdict_reason_person_and_time_only(house):
    request = await house.hold()
    other = await house.hold(operation=replace(UPDATE, text="UPDATE customer SET name = 'y'", digest=b"e" * 32))
    proof = await house.proof(DORA, house.dora, request, reason="fine")
    await house.refused(DORA, other, "for something else", proof=proof, reason="fine")
    await house.refused(DORA, request, "for something else", proof=proof, reason="changed")
    rejecting = await house.proof(DORA, house.dora, request, verdict="reject", reason="fine")
    await house.refused(DORA, request, "for something else", proof=rejecting, reason="fine")
    later = {**proof, "cast_unix_ns": proof["cast_unix_ns"] + 1}
    await house.refused(DORA, request, "for something else", proof=later, reason="fine")
    house.now += 301 * NS
    await house.refused(DORA, request, "not made just now", proof=proof, reason="fine")


async def _drafted(house, who, device, request, **said):
    """A proof over the very statement that the gateway drafts for a choice."""
    return device.proof(await house.post(who, request, "statement", verdict="approve", **said))


CHOICES = ({}, {"retry": False}, {"retry": True})


@pytest.mark.parametrize("signed", CHOICES)
@pytest.mark.parametrize("sent", CHOICES)
async def test_ap_13_what_a_passkey_signed_of_a_retry_cannot_be_changed_on_the_way(house, signed, sent):
    request = await house.hold(replace(HOLD, retry=True))
    proof = await _drafted(house, DORA, house.dora, request, **signed)
    if signed != sent:
        await house.refused(DORA, request, "for something else", proof=proof, **sent)
        assert (await house.desk.get(request.id)).votes == ()
    answer = await house.post(DORA, request, "vote", verdict="approve", proof=proof, **signed)
    assert (answer["state"], answer["votes"][0]["retry"]) == ("granted", signed.get("retry", False))
    assert house.events[-2].header["retry"] is signed.get("retry", False)


@pytest.mark.parametrize("proof", ["token", "webauthn"])
@pytest.mark.parametrize("hold", [{}, {"retry": False}])
async def test_ap_13_no_vote_allows_a_retry_that_the_rule_does_not(house, proof, hold):
    request = await house.hold(replace(HOLD, proof=proof, **hold))
    body = {"retry": True}
    if proof == "webauthn":
        body["proof"] = await _drafted(house, DORA, house.dora, request, retry=True)
    await house.refused(DORA, request, "allows no identical retry", **body)
    assert [(one.header["counted"], one.header["retry"]) for one in house.events] == [(False, True)]


async def test_ap_03_an_assertion_is_not_cast_twice(house):
    request = await house.hold(replace(HOLD, quorum=2))
    proof = await house.proof(DORA, house.dora, request)
    await house.post(DORA, request, "vote", verdict="approve", proof=proof)
    await house.refused(DORA, request, "already voted", proof=proof)


@pytest.mark.parametrize("across_a_restart", [False, True])
async def test_ap_09_a_copied_passkey_is_refused_and_the_record_says_so(house, across_a_restart):
    first, second = await house.hold(), await house.hold(operation=replace(UPDATE, digest=b"e" * 32))
    house.dora.counter = 7
    await house.post(DORA, first, "vote", verdict="approve", proof=await house.proof(DORA, house.dora, first))
    if across_a_restart:
        house.close()
        house.open()
    house.dora.counter = 3  # the copy has been used less often
    await house.refused(DORA, second, "may have been copied", proof=await house.proof(DORA, house.dora, second))
    assert house.events[-1].header["alarm"] == "passkey-copied"
    assert not house.events[-1].header["counted"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin": "https://evil.example"}, "not among `origins`"),
        ({"crossOrigin": True}, "page of another site"),
        ({"type": "webauthn.create"}, "not of type"),
        ({"flags": PRESENT}, "did not verify who"),
    ],
)
async def test_ap_09_what_a_page_of_somebody_else_or_a_bare_touch_made_approves_nothing(house, changes, words):
    request = await house.hold()
    await house.refused(DORA, request, words, proof=await house.proof(DORA, house.dora, request, **changes))


@pytest.mark.parametrize("kind", ["token", "webauthn"])
async def test_ap_08_a_login_that_is_too_old_approves_nothing_with_any_proof_and_may_still_reject(house, kind):
    request = await house.hold(replace(HOLD, proof=kind, fresh_s=300))
    house.now = START + 301 * NS
    proof = {"proof": await house.proof(DORA, house.dora, request)} if kind == "webauthn" else {}
    await house.refused(DORA, request, "log in again", **proof)
    again = replace(DORA, logged_in_unix_ns=house.now)
    more = {"proof": await house.proof(again, house.dora, request)} if kind == "webauthn" else {}
    assert (await house.post(again, request, "vote", verdict="approve", **more))["state"] == "granted"
    other = await house.hold(replace(HOLD, fresh_s=300), replace(UPDATE, digest=b"f" * 32))
    assert (await house.post(DORA, other, "vote", verdict="reject"))["state"] == "rejected"


async def test_ap_08_a_login_of_which_nobody_knows_when_it_was_is_too_old(house):
    request = await house.hold(replace(HOLD, proof="token", fresh_s=86_400))
    await house.refused(replace(DORA, logged_in_unix_ns=0), request, "log in again")


async def test_a_rule_may_name_several_kinds_of_proof(house):
    request = await house.hold(replace(HOLD, proof="sshsig or webauthn"))
    await house.refused(DORA, request, "stronger proof: sshsig or webauthn")
    proof = await house.proof(DORA, house.dora, request)
    assert (await house.post(DORA, request, "vote", verdict="approve", proof=proof))["state"] == "granted"


async def test_ap_06_without_a_place_for_counters_no_passkey_counts(house):
    bare = Desk(house.store, clock=lambda: house.now, record=house._record, trusted=house.trusted)
    request = await house.hold()
    proof = await house.proof(DORA, house.dora, request)
    house.routes = {(route.method, route.path): route.handler for route in approval_routes(bare)}
    with pytest.raises(Exception, match="nowhere to keep"):
        await house.post(DORA, request, "vote", verdict="approve", proof=proof)
    assert (await house.desk.get(request.id)).state is RequestState.PENDING
