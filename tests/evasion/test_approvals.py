"""Attacks on approvals: over the real control API, the real store, and keys of ssh-keygen.

"Nothing runs" is checked at the one place that lets something run: `use` and `redeem`, as the gate calls them.
"""

import json
import shutil
import sqlite3
import subprocess
from dataclasses import replace

import httpx2
import pytest
import trio

from doorward_core.approvals import codec
from doorward_core.approvals.api import approval_routes
from doorward_core.approvals.ballot import SshProof, Trusted
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import RequestState, Verdict, Vote, binding, request_for
from doorward_core.approvals.sshsig import parse_allowed_signers
from doorward_core.approvals.store import Quota, RequestRefused, SqliteStore
from doorward_core.approvals.votes import SSHSIG_NAMESPACE, objections, statement
from doorward_core.errors import AuthenticationError, StoreError
from doorward_core.event import Event, EventKind
from doorward_core.model import (
    Action,
    Actor,
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
from doorward_core.net.control import ControlServer
from doorward_core.net.listen import open_unix

NS = 1_000_000_000
START = 1_800_000_000 * NS
STORE_KEY = b"s" * 32
BINDING_KEY = b"b" * 32
HOLD = Approve("writes", b"h" * 32, frozenset({"dba"}), 1, 600, 300, 60)


def _person(subject, *groups, **changes) -> Identity:
    human = Identity(
        subject,
        "https://id.example",
        PrincipalKind.HUMAN,
        frozenset(groups),
        AuthMethod.JWT,
        f"jti-{subject}",
        START,
        START + 3600 * NS,
    )
    return replace(human, **changes)


AGENT = _person("crew-7", kind=PrincipalKind.AGENT, sponsor="sam")
SESSION = Session(b"s" * 16, AGENT, Resource("app-db", "postgres"), "app", Peer("::1"), "gw", START, b"p" * 32)
UPDATE = Operation(
    id=b"o" * 16,
    seq=0,
    action=Action.WRITE,
    verb="UPDATE",
    atoms=(Atom(Action.WRITE, Target("relation", "public.customer")),),
    text="UPDATE customer SET name = 'x' WHERE id = 42",
    digest=b"d" * 32,
)
PEOPLE = {
    "dora": _person("dora", "dba"),
    "eve": _person("eve", "dba"),
    "sales": _person("sid", "sales"),
    "agent": AGENT,
    "agent-in-dba": replace(AGENT, groups=frozenset({"dba"})),
    "other-agent-in-dba": replace(AGENT, subject="crew-8", sponsor="eve", groups=frozenset({"dba"})),
    "agent-as-human-elsewhere": _person("crew-7", "dba", issuer="https://other.example"),
    "agent-in-capitals": _person("CREW-7", "dba"),
    "agent-with-a-zero-width-space": _person("crew-7\u200b", "dba"),
    "sponsor": _person("sam", "dba"),
    "sponsor-elsewhere": _person("Sam", "dba", issuer="https://other.example"),
    "doras-token-held-by-an-agent": _person("dora", "dba", actor_chain=(Actor("crew-7", "https://id.example"),)),
}


class House:
    """A desk with everything real around it, on a socket in a folder."""

    def __init__(self, folder, signers=b"", quota=None) -> None:
        self.folder = folder
        self.now = START + NS
        self.events: list[Event] = []
        self.signers = parse_allowed_signers(signers)
        self.quota = quota
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(self.folder / "approvals.sqlite", STORE_KEY, self.quota)
        self.desk = Desk(self.store, clock=lambda: self.now, record=self._record, trusted=Trusted(self.signers))

    def restart(self) -> None:
        self.store.close()
        self.open()

    async def _record(self, event: Event) -> None:
        await trio.lowlevel.checkpoint()
        self.events.append(event)

    async def hold(self, session=SESSION, operation=UPDATE, hold=HOLD):
        """What the gate does when policy holds."""
        request = request_for(
            session,
            operation,
            (hold,),
            name=self.desk.new_id(),
            digest=binding(BINDING_KEY, session, operation),
            reason="why",
            now_unix_ns=self.now,
        )
        await self.desk.open(request)
        return request

    async def runs(self, session=SESSION, operation=UPDATE) -> bool:
        """What the gate does before it holds: is there a grant for exactly this?"""
        found = await self.desk.redeem(binding(BINDING_KEY, session, operation), session.identity, self.now)
        return found is not None

    async def granted(self, session=SESSION, operation=UPDATE, *, retry=True):
        """A request that was granted, and whose requester is gone."""
        request = await self.hold(session, operation, replace(HOLD, retry=True))
        await self.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", retry=retry)
        await self.desk.leave(request)
        return request


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.store.close()


async def _authenticate(token, peer):
    await trio.lowlevel.checkpoint()
    if token.reveal() not in PEOPLE:
        raise AuthenticationError("unknown")
    return PEOPLE[token.reveal()]


@pytest.fixture
async def api(house, nursery):
    """An HTTP client of the control API; the bearer token names the person."""
    path = house.folder / "control"
    failures: list[Exception] = []
    server = ControlServer(approval_routes(house.desk), _authenticate).server(
        [open_unix(path)], lambda error, _: failures.append(error)
    )
    await nursery.start(server.serve)
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:

        async def call(who, method, path, body=None):
            return await client.request(method, path, headers={"authorization": f"Bearer {who}"}, json=body)

        yield call
    await server.drain(0)
    assert failures == []


@pytest.mark.parametrize("who", sorted(set(PEOPLE) - {"dora", "eve"}))
async def test_ap_01_nobody_approves_for_themselves_and_no_agent_for_anyone(house, api, who):
    request = await house.hold()
    answer = await api(who, "POST", f"/v1/approvals/{request.id}/vote", {"verdict": "approve"})
    assert answer.status_code in (403, 404)
    assert (await house.desk.get(request.id)).state is RequestState.PENDING
    assert not await house.desk.use(request.id)
    assert not await house.runs()


async def test_ap_01_an_attempt_is_on_record_with_who_made_it(house, api):
    request = await house.hold()
    await api("sponsor", "POST", f"/v1/approvals/{request.id}/vote", {"verdict": "approve"})
    (event,) = house.events
    assert (event.kind, event.header["approver"], event.header["counted"]) == (EventKind.APPROVAL_VOTED, "sam", False)


async def test_ap_01_one_person_with_two_accounts_is_not_a_quorum(house, api):
    request = await house.hold(hold=replace(HOLD, quorum=2))
    PEOPLE["dora-elsewhere"] = _person("Dora", "dba", issuer="https://other.example")
    try:
        for who in ("dora", "dora-elsewhere"):
            await api(who, "POST", f"/v1/approvals/{request.id}/vote", {"verdict": "approve"})
    finally:
        del PEOPLE["dora-elsewhere"]
    assert not await house.desk.use(request.id)


async def test_ap_01_whoever_writes_the_store_approves_nothing(house):
    request = await house.hold()
    database = sqlite3.connect(house.folder / "approvals.sqlite")
    with database:
        database.execute("UPDATE request SET state = 'granted', granted_until = ?", (2**62,))
        database.execute("INSERT INTO vote VALUES (?, 'dora', ?, ?, ?)", (request.id, START, b"{}", b"m" * 32))
    database.close()
    house.restart()
    assert not await house.runs()
    with pytest.raises(StoreError):
        await house.desk.use(request.id)


async def test_ap_01_a_copied_grant_of_another_request_is_worth_nothing(house):
    await house.granted()
    other = replace(UPDATE, digest=b"e" * 32, text="DELETE FROM customer")
    request = await house.hold(operation=other)
    database = sqlite3.connect(house.folder / "approvals.sqlite")
    with database:
        database.execute(
            "UPDATE request SET (state, changed, granted_until, mac) = "
            "(SELECT state, changed, granted_until, mac FROM request WHERE state = 'granted') WHERE id = ?",
            (request.id,),
        )
    database.close()
    assert not await house.runs(operation=other)


CHANGED = {
    "text or parameters, role, search_path, database": (SESSION, replace(UPDATE, digest=b"e" * 32)),
    "account": (replace(SESSION, account="admin"), UPDATE),
    "resource": (replace(SESSION, resource=Resource("other-db", "postgres")), UPDATE),
    "input that streams in": (SESSION, replace(UPDATE, unseen=("copy-data",))),
    "principal": (replace(SESSION, identity=replace(AGENT, subject="crew-8")), UPDATE),
    "issuer": (replace(SESSION, identity=replace(AGENT, issuer="https://other.example")), UPDATE),
    "sponsor": (replace(SESSION, identity=replace(AGENT, sponsor="tom")), UPDATE),
    "actor chain": (replace(SESSION, identity=replace(AGENT, actor_chain=(Actor("x", "y"),))), UPDATE),
}


@pytest.mark.parametrize("what", CHANGED)
async def test_ap_02_and_ap_03_a_grant_fits_only_what_was_approved(house, what):
    await house.granted()
    assert not await house.runs(*CHANGED[what])
    assert await house.runs()


async def test_ap_02_a_vote_on_a_card_that_was_swapped_does_not_count(house, api):
    seen, swapped = await house.hold(), await house.hold(operation=replace(UPDATE, text="DROP TABLE customer"))
    vote = {"verdict": "approve", "content": codec.content_digest(seen).hex()}
    assert (await api("dora", "POST", f"/v1/approvals/{swapped.id}/vote", vote)).status_code == 409
    assert not await house.desk.use(swapped.id)


async def test_ap_02_a_grant_names_the_rule_it_was_given_for_by_its_content(house):
    request = await house.granted()
    assert request.granted_rules == {("writes", b"h" * 32)}


async def test_ap_03_a_grant_is_used_once_by_whoever_races(house):
    request = await house.hold()
    await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "")
    outcomes = []

    async def race(attempt):
        outcomes.append(await attempt())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(race, lambda: house.desk.use(request.id))
            nursery.start_soon(race, house.runs)
    assert outcomes.count(True) == 1


async def test_ap_03_a_grant_runs_out(house):
    await house.granted()
    house.now += 300 * NS
    assert not await house.runs()


async def test_ap_03_a_used_grant_stays_used_across_a_restart(house):
    await house.granted()
    assert await house.runs()
    house.restart()
    await house.desk.recover()
    assert not await house.runs()


async def test_ap_03_an_older_copy_of_the_file_gives_no_second_use_while_the_gateway_runs(house):
    request = await house.granted()
    house.store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = house.folder / "older.sqlite"
    shutil.copy(house.folder / "approvals.sqlite", copy)
    assert await house.runs()
    house.store.close()
    shutil.copy(copy, house.folder / "approvals.sqlite")
    house.desk._store = house.store = SqliteStore(house.folder / "approvals.sqlite", STORE_KEY)
    assert house.store.get(request.id).state is RequestState.GRANTED
    assert not await house.runs()
    assert not await house.desk.use(request.id)


def _sign(folder, text: bytes) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", SSHSIG_NAMESPACE, "-f", folder / "key"]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout.decode("ascii")


@pytest.fixture
def public_key(tmp_path) -> bytes:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return (tmp_path / "key.pub").read_bytes()


def _says(request, **changes) -> bytes:
    given = {"subject": "dora", "issuer": "https://id.example", "reason": "", "cast_unix_ns": START, **changes}
    return statement(request, given.pop("verdict", Verdict.APPROVE), **given)


@pytest.mark.parametrize("retry", [None, False])
async def test_ap_13_an_approval_once_is_good_for_no_retry(house, retry):
    """Whoever asked hung up between the approval and its use."""
    request = await house.granted(retry=retry)
    assert not await house.runs()
    case = await house.desk.get(request.id)
    assert (case.state, house.events[-1].kind) == (RequestState.WITHDRAWN, EventKind.APPROVAL_WITHDRAWN)


@pytest.mark.parametrize("wide", [0, 1])
async def test_ap_13_of_two_approvals_the_narrower_one_decides(house, wide):
    request = await house.hold(hold=replace(HOLD, quorum=2, retry=True))
    for place, who in enumerate(("dora", "eve")):
        assert not (await house.desk.vote(PEOPLE[who], request.id, Verdict.APPROVE, "", retry=place == wide)).refusal
    await house.desk.leave(request)
    assert not await house.runs()
    both = await house.hold(hold=replace(HOLD, quorum=2, retry=True))
    for who in ("dora", "eve"):
        await house.desk.vote(PEOPLE[who], both.id, Verdict.APPROVE, "", retry=True)
    await house.desk.leave(both)
    assert await house.runs()


async def test_ap_13_nobody_votes_again_to_say_more(house):
    request = await house.hold(hold=replace(HOLD, quorum=2, retry=True))
    await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", retry=False)
    again = await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", retry=True)
    assert again.refusal == "you have already voted on this request"
    await house.desk.vote(PEOPLE["eve"], request.id, Verdict.APPROVE, "", retry=True)
    await house.desk.leave(request)
    assert not await house.runs()


async def test_ap_13_a_choice_that_is_altered_in_the_store_is_a_vote_that_is_not_believed(house):
    request = await house.hold(hold=replace(HOLD, retry=True))
    await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", retry=False)
    database = sqlite3.connect(house.folder / "approvals.sqlite")
    with database:
        ((body,),) = database.execute("SELECT body FROM vote").fetchall()
        assert b'"retry":false' in body
        database.execute("UPDATE vote SET body = ?", (body.replace(b'"retry":false', b'"retry":true'),))
    database.close()
    await house.desk.leave(request)
    assert not await house.runs()
    assert house.store.altered > 0


async def test_ap_13_an_approval_from_before_there_was_a_choice_says_what_its_rule_says(house):
    request = await house.hold(hold=replace(HOLD, quorum=2, retry=True))
    kept = house.desk._clock()
    said = {"subject": "dora", "issuer": "https://id.example", "reason": "", "cast_unix_ns": kept}
    house.store.add_vote(
        Vote(
            request.id, "dora", "https://id.example", frozenset({"dba"}), PrincipalKind.HUMAN, Verdict.APPROVE, "", kept,
            "token", b"p" * 32, statement(request, Verdict.APPROVE, **said),
        )
    )  # fmt: skip
    await house.desk.vote(PEOPLE["eve"], request.id, Verdict.APPROVE, "", retry=True)
    await house.desk.leave(request)
    assert await house.runs()


@pytest.mark.need_ssh_keygen
@pytest.mark.parametrize("signed", [None, False, True])
async def test_ap_13_what_was_signed_of_a_retry_is_what_counts(tmp_path, public_key, signed):
    house = House(tmp_path, b"dora " + public_key)
    request = await house.hold(hold=replace(HOLD, proof="sshsig", retry=True))
    proof = SshProof(_sign(tmp_path, _says(request, retry=signed)).encode("ascii"), START)
    for sent in {None, False, True} - {signed}:
        outcome = await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", proof, retry=sent)
        assert (outcome.state, "does not" in outcome.refusal) == (RequestState.PENDING, True), outcome
    counted = await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "", proof, retry=signed)
    assert counted.state is RequestState.GRANTED
    (vote,) = (await house.desk.get(request.id)).votes
    assert vote.retry is bool(signed)
    house.store.close()


@pytest.mark.need_ssh_keygen
async def test_ap_03_a_signature_counts_for_its_own_request_verdict_person_and_time_only(tmp_path, public_key):
    house = House(tmp_path, b"dora,eve " + public_key)
    signed_hold = replace(HOLD, proof="sshsig")
    request, other = await house.hold(hold=signed_hold), await house.hold(hold=signed_hold)

    async def vote(text, who="dora", name=request.id, cast=START, reason=""):
        proof = SshProof(_sign(tmp_path, text).encode("ascii"), cast)
        return await house.desk.vote(PEOPLE[who], name, Verdict.APPROVE, reason, proof)

    refused = [
        await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, ""),
        await vote(_says(request), name=other.id),
        await vote(_says(request, verdict=Verdict.REJECT)),
        await vote(_says(request), who="eve"),
        await vote(_says(request), reason="something else"),
        await vote(_says(request), cast=START + 1),
        await vote(_says(request, cast_unix_ns=START - 3600 * NS), cast=START - 3600 * NS),
    ]
    assert all(outcome.refusal for outcome in refused)
    assert (await house.desk.get(request.id)).votes == ()
    good = await vote(_says(request))
    assert (good.refusal, good.state) == ("", RequestState.GRANTED)
    recorded = house.events[-2]
    assert recorded.payload["statement"] == _says(request)
    assert recorded.payload["proof"].startswith(b"-----BEGIN SSH SIGNATURE-----")
    house.store.close()


async def test_ap_04_a_card_carries_the_whole_text_and_says_what_is_odd_about_it(house, api):
    text = "SELECT 1 /* " + "x" * 100_000 + " */; DROP TABLE cust\u043emer; --\u202e\x1b[2J\nApproved by: admin"
    request = await house.hold(operation=replace(UPDATE, text=text))
    answer = await api("dora", "GET", f"/v1/approvals/{request.id}")
    assert answer.content.isascii()
    card = json.loads(answer.content)
    assert card["request"]["text"] == text
    assert {flag["kind"] for flag in card["flags"]} == {"control", "bidi", "confusable"}
    (listed,) = json.loads((await api("dora", "GET", "/v1/approvals")).content)["approvals"]
    assert listed["text_characters"] == len(text) > len(listed["text"])


@pytest.mark.parametrize("reason", ["ok\nApproved by: admin", "\x1b]52;c;aGk=\x07", "\u202eko"])
async def test_ap_04_a_reason_cannot_forge_anything_on_the_requesters_screen(house, api, reason):
    request = await house.hold()
    body = {"verdict": "reject", "reason": reason}
    assert (await api("dora", "POST", f"/v1/approvals/{request.id}/vote", body)).status_code == 403
    assert objections((await house.desk.get(request.id)).votes) == ""


async def test_ap_05_a_get_approves_nothing_and_a_form_is_not_read(house, api):
    request = await house.hold()
    assert (await api("dora", "GET", f"/v1/approvals/{request.id}/vote")).status_code == 405
    assert (await api("dora", "GET", f"/v1/approvals/{request.id}?verdict=approve")).status_code == 200
    assert not await house.desk.use(request.id)


async def test_ap_06_a_flood_of_holds_stops_at_the_quota(tmp_path):
    house = House(tmp_path, quota=Quota(per_principal=3, total=4))
    for _ in range(3):
        await house.hold()
    with pytest.raises(RequestRefused, match="already have 3"):
        await house.hold()
    other = replace(SESSION, identity=replace(AGENT, subject="crew-8"))
    await house.hold(other)
    with pytest.raises(RequestRefused, match="too many"):
        await house.hold(replace(SESSION, identity=replace(AGENT, subject="crew-9")))
    house.store.close()


async def test_ap_06_what_nobody_decides_is_refused_in_time(house):
    request = await house.hold()
    house.now = request.expires_unix_ns
    assert await house.desk.wait(request.id) is RequestState.EXPIRED
    late = await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "")
    assert late.refusal == "the request is already expired"
    assert not await house.runs()


async def test_ap_06_a_restart_withdraws_what_was_held_and_nothing_runs(house):
    request = await house.hold()
    house.restart()
    await house.desk.recover()
    late = await house.desk.vote(PEOPLE["dora"], request.id, Verdict.APPROVE, "")
    assert late.refusal == "the request is already withdrawn"
    assert not await house.runs()
    assert [event.kind for event in house.events] == [EventKind.APPROVAL_WITHDRAWN]


async def test_ap_06_a_client_that_is_gone_before_the_vote_withdraws_and_after_it_may_come_back_once(house):
    undecided, granted = await house.hold(), await house.granted()
    await house.desk.leave(undecided)
    assert (await house.desk.vote(PEOPLE["dora"], undecided.id, Verdict.APPROVE, "")).refusal
    assert (await house.desk.get(granted.id)).state is RequestState.GRANTED
    assert await house.runs()
    assert not await house.runs()
