"""What is asked about a held statement, of a server that answers, does not, or is not there; and of policy, before.

The whole of it, behind a real gate and before a real server, is in tests/integration/postgres/test_previews.py.
"""

import json
import socket
from dataclasses import replace

import pytest
import sql_stand
import trio
import trio.testing

from doorward_core.errors import UpstreamUnavailable
from doorward_core.event import Status
from doorward_core.mask.detect import Detectors
from doorward_core.model import Action, Decision, Denial, Effect, Mask, Permit, ReasonCode, Transform
from doorward_core.net.link import Link
from doorward_postgres import previews
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Phase, Question
from doorward_postgres.names import NameTable
from doorward_postgres.operations import LONG_TEXT_CHARS, Reader, View
from doorward_postgres.previews import AT_ONCE, Asked, Previews, Room
from doorward_postgres.results import MaskDuty
from doorward_postgres.state import SessionState
from doorward_postgres.upstream import Dialer, Target, TlsMode, Upstream
from doorward_postgres.wire_decode import Bind

UPDATE = "update customer set newsletter = true where id = 3"
PLAN = json.dumps([{"Plan": {"Node Type": "Seq Scan", "Relation Name": "jane@example.com", "Plan Rows": 2}}]).encode()
DONE = enc.encode_command_complete("EXPLAIN") + enc.encode_ready_for_query("I")
MASK = Mask("pii", ("public.customer.email",), (), Transform.PARTIAL, "email")


class Door:
    """Policy, as far as it is asked; and the record of how each permitted question ended."""

    def __init__(self, effect=Effect.PERMIT, *, remembered=True):
        self._decision = Decision(effect, ReasonCode.RULE, "", b"p" * 32)
        self._remembered = remembered
        self.asked = []
        self.finished = []

    def holds(self, operation, memo):
        self.asked.append(operation)
        if self._remembered:
            memo[b"p" * 32] = self._decision
        return self._decision.effect is Effect.HOLD

    async def decide(self, operation, waiter, memo):
        assert await waiter.prepare()
        if self._decision.effect is not Effect.PERMIT:
            return Denial(operation, ReasonCode.RULE, "", 1)
        return Permit(operation, self._decision, 1, 2**62)

    def finish(self, permit, outcome):
        self.finished.append((permit.operation, outcome))


class Stand:
    """One session's previews, and the far end of each connection that they opened."""

    def __init__(self):
        self.door = Door()
        self.room = Room(5.0)
        self.duty = MaskDuty(b"k" * 32, hides_columns=False, detectors=None)
        self.state = SessionState("public", "app")
        self.reader = Reader("app", "shop")
        catalog = sql_stand.catalog()
        masked = {oid: dict.fromkeys(columns, MASK) for oid, columns in sql_stand.masked(catalog).items()}
        self.view = View(catalog, masked, 1)
        self.settings = []
        self.ours = []
        self.servers = []
        self.answer = enc.encode_data_row([PLAN]) + DONE

    async def dial(self, settings):
        self.settings.append(settings)
        ours, theirs = socket.socketpair()
        link, server = Link(ours), Link(theirs)
        self.ours.append(link)
        self.servers.append(server)
        if self.answer is None:
            raise UpstreamUnavailable("not there")
        await server.send_all(self.answer)
        dialer = Dialer(Target("127.0.0.1", 5432, "app", tls=TlsMode.DISABLE))
        return Upstream(link, {}, 1, b"key4", "I", 3 << 16, "trust", b"", dialer)

    def held(self, text=UPDATE, *params):
        bind = Bind("", "", (), params, ()) if params else None
        question = Question(Phase.BIND if params else Phase.QUERY, b"", text, bind=bind)
        reading = self.reader.read(question, self.state, NameTable(), self.view)
        operation = self.reader.operation(question, reading, self.state, b"i" * 16)
        return Asked(question, operation, self.state, self.view)

    async def told(self, *asked):
        made = Previews(self.dial, self.door, self.reader, self.duty, self.room)
        held = self.held(*asked)
        shown = await made.shown(held)
        attributes = dict(shown.attributes)
        told = attributes.pop("preview", "")
        assert replace(shown, attributes=attributes) == held.operation
        return told

    def close(self):
        for link in (*self.ours, *self.servers):
            link.close()


@pytest.fixture
async def stand():
    made = Stand()
    yield made
    made.close()


async def test_what_the_server_says_is_told_and_its_connection_closed(stand):
    told = (await stand.told()).splitlines()
    assert told[1] == "  Seq Scan on jane@example.com: about 2 rows, cost unknown"
    assert stand.settings == [
        {
            "search_path": "public",
            "default_transaction_read_only": "on",
            "statement_timeout": "3333",
            "lock_timeout": "3333",
        }
    ]
    asked = await stand.servers[0].receive()
    assert f"EXPLAIN (FORMAT JSON) {UPDATE}".encode() in asked
    assert asked.endswith(enc.SYNC + enc.TERMINATE) or await stand.servers[0].receive() == enc.TERMINATE
    ((operation, outcome),) = stand.door.finished
    assert operation.attributes["for"] == (b"i" * 16).hex()
    assert (operation.verb, outcome.status, outcome.rows) == ("EXPLAIN", Status.OK, 1)
    assert not stand.room.at_once.borrowed_tokens


async def test_what_detectors_find_in_a_name_is_hidden(stand):
    stand.duty.detectors = Detectors(("email",))
    assert "jane@example.com" not in await stand.told()


@pytest.mark.parametrize("door", [Door(Effect.HOLD), Door(Effect.DENY), Door(remembered=False)])
async def test_nothing_is_asked_that_policy_does_not_allow_outright(stand, door):
    stand.door = door
    assert await stand.told() == ""
    assert (stand.settings, door.finished) == ([], [])


@pytest.mark.parametrize(
    "text", ["truncate orders", "select 1; select 2", "not sql", "explain update orders set id = 1"]
)
async def test_what_is_not_one_plain_statement_is_not_asked_about(stand, text):
    assert await stand.told(text) == ""
    assert (stand.settings, stand.door.asked) == ([], [])


async def test_what_the_decision_is_on_reads_what_the_statement_would_write(stand):
    await stand.told()
    actions = {atom.action for atom in stand.door.asked[0].atoms}
    assert actions == {Action.READ, Action.SESSION}


async def test_a_condition_on_a_masked_column_has_no_preview(stand):
    stand.duty.hides_columns = True
    assert await stand.told("delete from customer where email = 'x'") == previews.PROBES
    assert stand.settings == []


async def test_code_that_was_not_read_is_not_planned_where_columns_are_masked(stand):
    stand.duty.hides_columns = True
    assert (
        await stand.told("delete from orders where id = length(query_to_xml('x', true, true, '')::text)")
        == previews.UNREAD_CODE
    )
    assert stand.settings == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("temp_names", {"mine"}, previews.ITS_OWN), ("uncertain", True, "")],
    ids=["temporary tables", "what it means is not known"],
)
async def test_a_session_with_a_state_of_its_own_has_no_preview(stand, name, value, told):
    setattr(stand.state, name, value)
    assert await stand.told() == told
    assert stand.settings == []


async def test_what_is_too_long_has_no_preview(stand):
    assert await stand.told(f"{UPDATE} --{'x' * LONG_TEXT_CHARS}") == previews.TOO_LONG
    assert await stand.told(UPDATE, b"x" * previews.MAX_PARAMETER_BYTES, b"x") == previews.TOO_LONG
    assert stand.settings == []


async def test_only_so_many_are_asked_for_at_once(stand):
    for borrower in range(AT_ONCE):
        stand.room.at_once.acquire_on_behalf_of_nowait(borrower)
    assert await stand.told() == previews.TOO_MANY
    assert (stand.settings, stand.door.finished) == ([], [])
    stand.room.at_once.release_on_behalf_of(0)
    assert "Seq Scan" in await stand.told()


async def test_a_server_that_is_not_there_or_lies_costs_the_preview(stand):
    stand.answer = None
    assert await stand.told() == previews.UNREACHED
    stand.answer = enc.encode_copy_data(b"x")
    assert await stand.told() == previews.UNREADABLE
    stand.answer = enc.encode_data_row([b"{}"]) + DONE
    assert await stand.told() == previews.UNREADABLE
    stand.answer = enc.encode_error_response("ERROR", "25006", "read-only") + enc.encode_ready_for_query("I")
    assert await stand.told() == "none, for the server does not plan it: 25006"
    ended = [(outcome.status, outcome.native_code) for _, outcome in stand.door.finished]
    assert ended == [(Status.ABORTED, ""), (Status.ABORTED, ""), (Status.OK, ""), (Status.ERROR, "25006")]
    assert not stand.room.at_once.borrowed_tokens


async def test_a_server_that_never_answers_is_not_waited_for(stand, autojump_clock):
    stand.answer = enc.frame(ord("1"))
    assert await stand.told() == previews.NO_ANSWER
    assert stand.door.finished[0][1].status is Status.ABORTED
    while await stand.servers[0].receive():
        pass  # until it is closed


async def test_a_client_that_cancels_meanwhile_leaves_nothing_behind(stand):
    stand.answer = enc.frame(ord("1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand.told)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert stand.door.finished[0][1].status is Status.ABORTED
    assert not stand.room.at_once.borrowed_tokens
    while await stand.servers[0].receive():
        pass
