"""Rows AP-01, AP-02, AP-03 and AP-06 of the attack corpus, through a real gateway, its control API and its target."""

import signal
import socket
import struct
import threading
import time

import pytest
from gateway_stack import POLICY
from raw_client import RawClient, bound, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import SYNC, encode_execute, encode_parse, encode_query

pytestmark = pytest.mark.need_embedded_postgres

WRITE = "insert into audit (what) values ('{}')"


@pytest.fixture
def rows(fortress):
    """What the attacks have written, at the target itself."""
    fortress.truth("truncate audit")
    return lambda: [what for (what,) in fortress.truth("select what from audit order by what")]


def hold(client, text):
    client.send(encode_query(text))
    answer = client.until(Backend.NoticeResponse, Backend.ReadyForQuery)
    assert answer[-1].kind == Backend.NoticeResponse, answer.said
    return answer


def test_ap_01_nobody_approves_what_they_asked_for(fortress, rows):
    client = fortress.client(subject="crew-9")
    hold(client, WRITE.format("x"))
    request = fortress.card()
    gateway = fortress.gateway
    tokens = {
        "the requester": gateway.token("crew-9", ("crew-analysts",)),
        "the requester as a human": gateway.token("crew-9", ("dba",), "human"),
        "another agent": gateway.token("crew-10", ("dba",), "agent"),
        "a human of another group": gateway.token("eve", ("crew-analysts",), "human"),
        "a human of no group": gateway.token("eve", (), "human"),
    }
    for who, token in tokens.items():
        status, answer = gateway.vote(request["id"], token=token)
        assert status >= 400, who
        assert answer.get("state") != "granted", who
    for token in (
        "",
        "x",
        gateway.token("tom", ("dba",), "human", lifetime_s=-120),
        gateway.token("tom", ("dba",), "human", audience="other"),
    ):
        assert gateway.vote(request["id"], token=token or "none")[0] == 401
    assert rows() == []
    fortress.reject()
    assert client.until(Backend.ReadyForQuery).errors == ["42501"]
    assert rows() == []


def test_ap_01_the_human_behind_the_agent_does_not_approve_for_it(fortress, rows):
    gateway = fortress.gateway
    token = gateway.token("crew-9", ("crew-analysts",), sponsor="ann")
    client = RawClient.login(gateway, token=token)
    hold(client, WRITE.format("x"))
    request = fortress.card()
    assert request["sponsor"] == "ann"
    status, answer = gateway.vote(request["id"], token=gateway.token("ann", ("dba",), "human"))
    assert status >= 400
    assert answer.get("state") != "granted"
    fortress.reject()
    client.until(Backend.ReadyForQuery)
    assert rows() == []


def test_ap_01_nothing_is_approved_through_sql(fortress, rows):
    client = fortress.client()
    hold(client, WRITE.format("x"))
    request = fortress.card()
    other = fortress.client(subject="crew-2")
    for text in (f"notify approvals, '{request['id']}'", f"select set_config('doorward.approve', '{request['id']}', false)",
                 f"set doorward.approve = '{request['id']}'"):  # fmt: skip
        assert fortress.gateway.waiting()
        other.query(text)
    fortress.reject()
    client.until(Backend.ReadyForQuery)
    assert rows() == []


def test_ap_02_what_was_shown_is_what_runs_to_the_byte(fortress, rows):
    client = fortress.client()
    text = WRITE.format("a") + "  -- \u202e;'x"
    hold(client, text)
    assert fortress.approve()["text"] == text
    assert client.until(Backend.ReadyForQuery).errors == []
    assert text.encode() in fortress.sent
    assert rows() == ["a"]


@pytest.mark.parametrize("change", ["text", "parameters", "path", "types"])
def test_ap_02_anything_that_changes_meaning_asks_again(fortress, rows, change):
    client = fortress.client()
    client.turn(encode_parse(Parse("w", b"insert into audit (what) values ($1)", ())) + SYNC)
    client.turn(encode_parse(Parse("v", b"insert into audit (what) values  ($1)", ())) + SYNC)
    client.turn(encode_parse(Parse("t", b"insert into audit (what) values ($1)", (25,))) + SYNC)
    client.send(bound(b"a", name="w") + encode_execute() + SYNC)
    fortress.approve()
    client.until(Backend.ReadyForQuery)
    if change == "path":
        client.query("set search_path = public, attic")
    frames = bound(b"b" if change == "parameters" else b"a", name={"text": "v", "types": "t"}.get(change, "w"))
    verdict, _ = fortress.attack(client, frames + encode_execute() + SYNC)
    assert verdict == "held"
    assert rows() == ["a"]


def test_ap_02_definitions_that_change_while_people_decide_do_not_unmask(fortress, rows):
    client = fortress.client()
    fortress.truth("create view public.shifty as select country from public.customer")
    try:
        for query in ("select country from shifty", "select country || '' as country from shifty"):
            fortress.truth("create or replace view public.shifty as select country from public.customer")
            while client.query("select country from shifty limit 1").errors:
                pass  # a name that is new at the target is looked for once a second at most
            hold(client, f"with w as ({WRITE.format('w')} returning 1) {query}, w")
            fortress.truth("create or replace view public.shifty as select email || '' as country from public.customer")
            fortress.approve()
            answer = client.until(Backend.ReadyForQuery)
            assert not fortress.leaked(answer)
            assert answer.rows or answer.errors
    finally:
        fortress.truth("drop view public.shifty")


def test_ap_02_masks_that_come_while_people_decide_are_owed(own_gateway):
    before = POLICY.replace('"public.customer.email", ', "")
    gateway = own_gateway(policy=before)
    client = RawClient.login(gateway)
    (email,) = client.query("select email from customer where id = 1").rows[0]
    assert b"@" in email
    assert b"*" not in email
    hold(
        client, "update orders set status = status where id = -1; select email, email || '' from customer where id = 1"
    )
    (request,) = gateway.waiting()
    (gateway.state / "policy.yaml").write_text(POLICY)
    gateway.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 120
    other = RawClient.login(gateway, subject="crew-2")
    while other.query("select email from customer where id = 1").rows == [[email]]:
        assert time.monotonic() < end
    gateway.vote(request["id"])
    answer = client.until(Backend.ReadyForQuery)
    assert answer.rows
    assert email not in answer.bytes


def test_ap_02_a_rule_that_changes_while_people_decide_voids_the_grant(own_gateway):
    gateway = own_gateway()
    client = RawClient.login(gateway)
    hold(client, "update orders set status = status where id = -1")
    (request,) = gateway.waiting()
    (gateway.state / "policy.yaml").write_text(POLICY.replace("quorum: 1", "quorum: 2"))
    gateway.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 120
    while "policy.loaded" not in gateway.said() and "policy" not in gateway.said().split("gateway.ready")[1]:
        assert time.monotonic() < end, gateway.said()
        time.sleep(0.05)
    gateway.recorder.mark()
    gateway.vote(request["id"])
    answer = client.until(Backend.ReadyForQuery)
    assert answer.errors == ["42501"]
    assert b"update" not in bytes(gateway.recorder.sent)


def test_ap_03_a_grant_is_used_once_by_whoever_asked(fortress, rows):
    text = WRITE.format("once")
    first, same, other = fortress.client(), fortress.client(), fortress.client(subject="crew-2")
    hold(first, text)
    fortress.approve()
    assert first.until(Backend.ReadyForQuery).errors == []
    for client in (first, same, other):
        verdict, _ = fortress.say(client, text)
        assert verdict == "held"
    assert rows() == ["once"]


def test_ap_03_votes_that_race_grant_once(fortress, rows):
    client = fortress.client()
    hold(client, WRITE.format("raced"))
    request = fortress.card()
    approvers = [fortress.gateway.approver(f"dba-{number}") for number in range(8)]
    outcomes = []
    threads = [
        threading.Thread(target=lambda token=token: outcomes.append(fortress.gateway.vote(request["id"], token=token)))
        for token in (*approvers, *approvers)
    ]
    for thread in threads:
        thread.start()
    assert client.until(Backend.ReadyForQuery).errors == []
    for thread in threads:
        thread.join()
    assert any(status == 200 for status, _ in outcomes)
    assert rows() == ["raced"]
    assert fortress.say(client, WRITE.format("raced"))[0] == "held"


def test_ap_03_a_vote_on_something_that_is_over_moves_nothing(fortress, rows):
    client = fortress.client()
    hold(client, WRITE.format("no"))
    request = fortress.reject()
    client.until(Backend.ReadyForQuery)
    status, answer = fortress.gateway.vote(request["id"])
    assert status >= 400 or answer["state"] == "rejected"
    for name in ("ap-aaaaaaaaaaaa", "../x", "%00", "ap-' or 1=1", "a" * 5000):
        assert fortress.gateway.vote(name.replace(" ", "%20"))[0] >= 400
    assert rows() == []


def test_ap_03_a_grant_does_not_survive_the_gateway_that_gave_it(own_gateway):
    gateway = own_gateway()
    client = RawClient.login(gateway)
    hold(client, "update orders set status = 'paid' where id = 1")
    (request,) = gateway.waiting()
    gateway.stop(signal.SIGKILL)
    gateway.recorder.mark()
    gateway.start(gateway.environment)
    gateway.vote(request["id"])
    assert b"update" not in bytes(gateway.recorder.sent)
    again = RawClient.login(gateway)
    again.send(encode_query("update orders set status = 'paid' where id = 1"))
    assert again.until(Backend.NoticeResponse, Backend.ReadyForQuery)[-1].kind == Backend.NoticeResponse
    assert b"update" not in bytes(gateway.recorder.sent)


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
def test_ap_06_nothing_runs_for_a_client_that_is_gone(fortress, rows, how):
    client = fortress.client()
    hold(client, WRITE.format("gone"))
    request = fortress.card()
    if how == "half-close":
        client.socket.shutdown(socket.SHUT_WR)
    else:
        if how == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        fortress.gateway.clients.remove(client)
    end = time.monotonic() + 120
    while fortress.gateway.waiting(0):
        assert time.monotonic() < end
    status, answer = fortress.gateway.vote(request["id"])
    assert status >= 400 or answer["state"] == "withdrawn"
    assert b"insert" not in fortress.sent
    assert rows() == []


def test_ap_06_a_hang_up_is_noticed_behind_what_was_not_read(fortress, rows):
    client = fortress.client()
    hold(client, WRITE.format("gone"))
    client.send(*(statement(f"select {number}", sync=True) for number in range(200)))
    client.close()
    fortress.gateway.clients.remove(client)
    end = time.monotonic() + 120
    while fortress.gateway.waiting(0):
        assert time.monotonic() < end
    assert rows() == []


def test_ap_06_a_request_that_nobody_answers_ends(own_gateway):
    gateway = own_gateway(
        policy=POLICY.replace(
            "within: 10m, grant: 5m, in_transaction: 60s", "within: 2s, grant: 2s, in_transaction: 1s"
        )
    )
    client = RawClient.login(gateway)
    hold(client, "update orders set status = status where id = 1")
    answer = client.until(Backend.ReadyForQuery)
    assert answer.errors == ["42501"]
    assert b"update" not in bytes(gateway.recorder.sent)
    assert client.alive()
    client.query("begin")
    hold(client, "update orders set status = status where id = 1")
    assert client.until(Backend.ReadyForQuery).status == "E"


def test_ap_06_a_transaction_that_has_written_is_not_held_open(fortress, rows):
    client = fortress.client()
    client.query("begin")
    hold(client, WRITE.format("first"))
    fortress.approve()
    client.until(Backend.ReadyForQuery)
    answer = client.query(WRITE.format("second"))
    assert answer.errors == ["42501"]
    assert answer.status == "E"
    assert client.query("commit").status == "I"
    assert rows() == []


def test_ap_06_a_flood_of_requests_has_an_end(own_gateway):
    gateway = own_gateway()
    clients, refused = [], []
    for number in range(60):
        client = RawClient.login(gateway)
        clients.append(client)
        if client.hello[-1].kind != Backend.ReadyForQuery:
            break
        client.send(encode_query(f"update orders set status = 'paid' where id = {number}"))
        answer = client.until(Backend.NoticeResponse, Backend.ReadyForQuery)
        if answer[-1].kind == Backend.ReadyForQuery:
            refused.append(answer)
            break
    assert refused, "sixty requests of one agent at once"
    assert refused[0].errors == ["53400"]
    other = RawClient.login(gateway, subject="calm")
    hold(other, "update orders set status = 'paid' where id = 1000")
    assert b"update" not in bytes(gateway.recorder.sent)
