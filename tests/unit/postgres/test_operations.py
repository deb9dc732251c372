"""From messages to what is being asked: read against a catalogue that a real server gave, digested, and remembered."""

import struct

import pytest
import sql_stand
from postgres_bench import parse

from doorward_core.model import Action, Mask, Transform
from doorward_core.sql import session as sql
from doorward_postgres import operations
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Phase, Question
from doorward_postgres.names import NameTable, Prepared
from doorward_postgres.operations import Reader, View
from doorward_postgres.state import SessionState
from doorward_postgres.wire_decode import Bind, FunctionCall

ID = b"i" * 16
MASK = Mask("pii", ("public.customer.email",), (), Transform.PARTIAL, "email")


def view(version=1, catalog=None):
    known = catalog or sql_stand.catalog()
    masked = {oid: dict.fromkeys(columns, MASK) for oid, columns in sql_stand.masked(known).items()}
    return View(known, masked, version)


def query(text):
    return Question(Phase.QUERY, enc.encode_query(text.replace("\x00", "")), text)


def bound(text, *params, formats=(), oids=()):
    message = Bind("", "", formats, params, ())
    return Question(Phase.BIND, enc.encode_bind(message), text, "", oids, message, Prepared(text, oids))


class Stand:
    """One session's reader, with everything that it reads under."""

    def __init__(self, **account):
        self.reader = Reader(account.get("account", "app"), account.get("database", "shop"))
        self.state = SessionState("public", "app")
        self.prepared = NameTable()
        self.view = view()

    def read(self, question):
        return self.reader.read(question, self.state, self.prepared, self.view)

    def operation(self, question):
        return self.reader.operation(question, self.read(question), self.state, ID)

    def digest(self, question):
        return self.operation(question).digest


@pytest.fixture
def stand():
    return Stand()


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_query_is_its_atoms_and_its_strictest_action(stand):
    asked = stand.operation(query("insert into orders select * from orders"))
    assert (asked.id, asked.seq, asked.action, asked.verb) == (ID, 1, Action.WRITE, "INSERT")
    assert {(atom.action, atom.target.name) for atom in asked.atoms} >= {
        (Action.WRITE, "public.orders"),
        (Action.READ, "public.orders"),
    }
    assert asked.complete
    assert asked.text == "insert into orders select * from orders"


def test_several_statements_are_one_operation_of_all_their_atoms_each_once(stand):
    asked = stand.operation(query("select id from orders; drop table orders; select id from orders"))
    assert asked.verb == "SELECT; DROP TABLE"
    assert {Action.DEFINE, Action.READ} <= {atom.action for atom in asked.atoms}
    assert len(asked.atoms) == len(set(asked.atoms))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\x00select 1", "NUL"),
        ("selekt 1", "syntax error"),
        ("select " + "(" * 10_000 + "1" + ")" * 10_000, "nest"),
        ("select " + "1||" * 10_000 + "1", "nest"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_says_why(stand, text, why):
    asked = stand.operation(query(text))
    assert (asked.complete, asked.pure, asked.action) == (False, False, Action.UNKNOWN)
    assert [atom.action for atom in asked.atoms] == [Action.UNKNOWN]
    assert why in asked.attributes["problem"]


def test_a_name_that_is_not_in_the_catalogue_makes_it_incomplete(stand):
    asked = stand.operation(query("select * from nosuch"))
    assert (asked.complete, asked.action) == (False, Action.UNKNOWN)
    assert "nosuch" in asked.attributes["problem"]


def test_without_a_catalogue_nothing_that_names_something_is_complete(stand):
    stand.view = View(None, {}, 2)
    assert not stand.operation(query("select * from orders")).complete


def test_nothing_at_all_is_a_session_operation(stand):
    asked = stand.operation(query(" -- only a comment"))
    assert (asked.verb, asked.action, asked.complete) == ("EMPTY", Action.SESSION, True)


def test_pg_46_a_function_call_is_never_understood(stand):
    call = FunctionCall(952, (0,), (b"16384",), 0)
    question = Question(Phase.FUNCTION_CALL, enc.encode_function_call(call), "function call 952", call=call)
    asked = stand.operation(question)
    assert (asked.verb, asked.action, asked.complete) == ("FUNCTION CALL", Action.UNKNOWN, False)
    assert asked.parameters == ("16384",)


def test_a_parse_says_that_it_only_prepares(stand):
    text = "delete from orders"
    asked = stand.operation(Question(Phase.PARSE, parse("", text.encode()), text))
    assert asked.verb == "PARSE DELETE"
    assert asked.action is Action.WRITE


def test_operations_are_numbered_within_their_session(stand):
    assert [stand.operation(query("select 1")).seq for _ in range(3)] == [1, 2, 3]


def test_copy_from_stdin_declares_what_will_not_be_seen(stand):
    assert stand.operation(query("copy orders from stdin")).unseen == ("copy-data",)
    assert stand.operation(query("copy orders from '/tmp/x'")).unseen == ()
    assert stand.operation(query("copy orders to stdout")).unseen == ()


def test_the_state_of_the_transaction_and_the_session_is_told(stand):
    stand.state.ready("T")
    asked = stand.operation(query("select 1"))
    assert asked.in_transaction
    assert (asked.attributes["search_path"], asked.attributes["database"]) == ("public", "shop")
    stand.state.ready("I")
    assert not stand.operation(query("select 1")).in_transaction


def test_an_execute_is_read_as_the_statement_that_was_prepared(stand):
    stand.prepared.assign("x", Prepared("prepare x as delete from orders", by_sql=True))
    asked = stand.operation(query("execute x"))
    assert Action.WRITE in {atom.action for atom in asked.atoms}
    assert not stand.operation(query("execute y")).complete


def test_a_fetch_is_read_as_the_query_of_its_cursor(stand):
    stand.state.apply(sql.Declare("c", "declare c cursor for select email from customer"), "DECLARE CURSOR")
    reading = stand.read(query("fetch all from c"))
    assert reading.complete
    assert [one.touches_masked for one in reading.analyses] == [True]


def test_a_later_statement_is_read_under_what_an_earlier_one_of_the_same_text_sets(stand):
    asked = stand.operation(query("set search_path to pg_catalog; select * from customer"))
    assert not asked.complete


# --- pure ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("select id from orders", True),
        ("select count(*) from orders; select 1", True),
        ("select id from orders for update", False),
        ("update orders set id = 1", False),
        ("select nextval('x')", False),
        ("select pg_sleep(1)", False),
        ("select id from orders; delete from orders", False),
        ("select * from nosuch", False),
        ("begin", True),
        ("commit", False),
    ],
)
def test_pure_is_proved_for_reads_alone(stand, text, pure):
    assert stand.operation(query(text)).pure is pure


def test_nothing_is_pure_in_a_transaction_that_has_written(stand):
    stand.state.wrote = True
    assert not stand.operation(query("select id from orders")).pure


# --- the digest ------------------------------------------------------------------------------------------------------


def test_the_digest_is_the_same_for_the_same_operation(stand):
    first, second = Stand(), Stand()
    question = bound("select $1", b"1", oids=(23,))
    assert first.digest(question) == second.digest(question)
    assert len(first.digest(question)) == 32


BASE = ("select * from orders where id = $1", (b"1",), (0,), (23,))


@pytest.mark.parametrize(
    "changed",
    [
        ("select * from orders where id = $1 ", (b"1",), (0,), (23,)),
        (BASE[0], (b"2",), (0,), (23,)),
        (BASE[0], (None,), (0,), (23,)),
        (BASE[0], (b"",), (0,), (23,)),
        (BASE[0], (b"1",), (1,), (23,)),
        (BASE[0], (b"1",), (), (23,)),
        (BASE[0], (b"1",), (0,), (25,)),
        (BASE[0], (b"1", b"1"), (0,), (23,)),
        (BASE[0], (), (0,), (23,)),
    ],
)
def test_the_digest_covers_text_and_parameters_with_their_formats_and_types(stand, changed):
    text, params, formats, oids = BASE
    other_text, other_params, other_formats, other_oids = changed
    assert stand.digest(bound(text, *params, formats=formats, oids=oids)) != stand.digest(
        bound(other_text, *other_params, formats=other_formats, oids=other_oids)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda stand: setattr(stand.reader, "account", "batch"),
        lambda stand: setattr(stand.reader, "database", "other"),
        lambda stand: stand.state.apply(sql.SetSetting("search_path", "other, public"), "SET"),
        lambda stand: stand.state.apply(sql.SetSetting("role", "owner"), "SET"),
        lambda stand: stand.state.apply(sql.SetSetting("session_authorization", "owner"), "SET"),
    ],
    ids=["account", "database", "search_path", "role", "session authorization"],
)
def test_the_digest_covers_who_is_logged_in_and_under_what_names_are_read(change):
    asked, other = query("select 1"), Stand()
    change(other)
    assert Stand().digest(asked) != other.digest(asked)


def test_no_two_lists_of_parameters_run_together(stand):
    digests = {
        stand.digest(bound("select $1, $2", *params))
        for params in ((b"ab", b"c"), (b"a", b"bc"), (b"abc", b""), (b"\x01abc", b""), (None, b"abc"), (b"abc", None))
    } | {stand.digest(bound("select $1", b"ab\x01c"))}
    assert len(digests) == 7


def test_the_digest_covers_the_whole_of_a_text_that_is_cut_for_people(stand):
    long = "select '" + "x" * operations.MAX_TEXT_CHARS
    asked = stand.operation(query(long + "1'"))
    assert asked.text_truncated
    assert len(asked.text) == operations.MAX_TEXT_CHARS
    assert asked.digest != stand.digest(query(long + "2'"))


def test_the_digest_covers_the_arguments_of_a_function_call(stand):
    calls = [FunctionCall(952, (), (value,), 0) for value in (b"1", b"2")]
    asked = [
        Question(Phase.FUNCTION_CALL, enc.encode_function_call(one), "function call 952", call=one) for one in calls
    ]
    assert stand.digest(asked[0]) != stand.digest(asked[1])


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "oid", "form", "shown"),
    [
        (None, 23, 0, None),
        (b"42", 23, 0, "42"),
        (b"", 25, 0, ""),
        ("grün".encode(), 25, 0, "grün"),
        (b"\xff", 25, 0, "\\xff"),
        (struct.pack("!i", -42), 23, 1, "-42"),
        (struct.pack("!h", -2), 21, 1, "-2"),
        (struct.pack("!q", 2**40), 20, 1, str(2**40)),
        (struct.pack("!I", 2**31), 26, 1, str(2**31)),
        (struct.pack("!d", 0.5), 701, 1, "0.5"),
        (struct.pack("!f", 0.5), 700, 1, "0.5"),
        ("grün".encode(), 1043, 1, "grün"),
        (b"\x01\x02", 23, 1, "\\x0102"),
        (b"\x01\x02", 0, 1, "\\x0102"),
    ],
)
def test_a_parameter_is_shown_as_a_person_reads_it(stand, value, oid, form, shown):
    asked = stand.operation(bound("select $1", value, formats=(form,), oids=(oid,)))
    assert asked.parameters == (shown,)
    assert not asked.text_truncated


def test_each_parameter_has_its_own_format(stand):
    one = struct.pack("!i", 1)
    assert stand.operation(bound("select $1", one, b"1", formats=(1, 0), oids=(23, 23))).parameters == ("1", "1")
    assert stand.operation(bound("select $1", one, one, formats=(1,), oids=(23, 23))).parameters == ("1", "1")


def test_what_is_cut_for_people_is_said_to_be_cut(stand):
    long = stand.operation(bound("select $1", b"x" * (operations.MAX_PARAMETER_CHARS + 1)))
    assert (len(long.parameters[0]), long.text_truncated) == (operations.MAX_PARAMETER_CHARS, True)
    binary = stand.operation(bound("select $1", b"x" * (operations.MAX_PARAMETER_CHARS * 2), formats=(1,)))
    assert (len(binary.parameters[0]), binary.text_truncated) == (operations.MAX_PARAMETER_CHARS, True)
    many = stand.operation(bound("select 1", *[b"1"] * (operations.MAX_PARAMETERS + 1)))
    assert (len(many.parameters), many.text_truncated) == (operations.MAX_PARAMETERS, True)
    exact = stand.operation(bound("select 1", *[b"x" * operations.MAX_PARAMETER_CHARS] * operations.MAX_PARAMETERS))
    assert not exact.text_truncated


def test_two_texts_that_are_not_utf_8_are_two_operations(stand, bench):
    """Neither can be read; where policy lets people approve what is not read, a grant for one is not for the other."""
    texts = [b"delete from orders -- \xff", b"delete from customer -- \xff", b"delete from orders -- \xfe"]
    asked = []
    for text in texts:
        asked.append(stand.operation(bench.client(enc.encode_query(text))))
        bench.refuse(Question(Phase.QUERY, b"", ""))
    assert all(not one.complete and "NUL" in one.attributes["problem"] for one in asked)
    assert len({one.digest for one in asked}) == len(texts)
    assert "delete from customer" in asked[1].text


def test_a_query_has_no_parameters(stand):
    assert stand.operation(query("select 1")).parameters == ()


# --- memory ----------------------------------------------------------------------------------------------------------


def test_the_same_text_is_read_once_and_its_decisions_are_kept_with_it(stand):
    first = stand.read(query("select id from orders"))
    first.memo[b"p" * 32] = "decided"
    assert stand.read(query("select id from orders")) is first


@pytest.mark.parametrize(
    "change",
    [
        lambda stand: stand.state.apply(sql.SetSetting("search_path", "other"), "SET"),
        lambda stand: setattr(stand, "view", view(2)),
        lambda stand: setattr(stand.state, "uncertain", True),
        lambda stand: stand.state.temp_names.add("orders"),
    ],
    ids=["search_path", "view", "uncertain", "temporary names"],
)
def test_nothing_is_remembered_past_what_it_depends_on(stand, change):
    first = stand.read(query("select id from orders"))
    change(stand)
    stand.state.ready("I")
    assert stand.read(query("select id from orders")) is not first


def test_a_temporary_name_hides_the_relation_that_was_meant_before(stand):
    assert stand.read(query("select id from orders")).complete
    stand.state.apply(sql.MakeTemporary("orders"), "CREATE TABLE")
    assert not stand.read(query("select id from orders")).complete


def test_what_the_session_is_unsure_of_is_not_proved(stand):
    stand.state.temp_names.add("orders")
    assert not stand.read(query("select id from orders")).complete
    assert stand.read(query("select id from public.orders")).complete
    stand.state.temp_names.clear()
    stand.state.uncertain = True
    assert not stand.read(query("select id from public.orders")).complete
    stand.state.uncertain = False
    assert stand.read(query("commit; select id from orders")).complete
    stand.state.apply(sql.SetSetting("search_path", "public", local=True), "SET")
    assert not stand.read(query("commit; select id from orders")).complete


@pytest.mark.parametrize("text", ["execute x", "fetch c", "begin", "set search_path to a", "prepare x as select 1"])
def test_what_depends_on_names_of_the_session_is_read_each_time(stand, text):
    assert stand.read(query(text)) is not stand.read(query(text))


def test_what_is_read_within_a_change_of_path_is_not_remembered(stand):
    stand.state.apply(sql.SetSetting("search_path", "pg_catalog", local=True), "SET")
    first = stand.read(query("select 1"))
    assert stand.read(query("select 1")) is not first


def neighbours(**account):
    """Two sessions with one view."""
    first, second = Stand(), Stand(**account)
    second.view = first.view
    return first, second


def test_sessions_with_one_view_share_what_they_read_and_nothing_that_was_decided():
    first, second = neighbours()
    mine = first.read(query("select name from customer"))
    mine.memo[b"policy"] = "a decision"
    first.digest(query("select name from customer"))
    yours = second.read(query("select name from customer"))
    assert yours is not mine
    assert yours.analyses is mine.analyses
    assert (yours.memo, yours.digests, yours.repeatable) == ({}, {}, True)
    assert second.read(query("select name from customer")) is yours


def elsewhere(state):
    state.apply(sql.SetSetting("search_path", "attic", local=False), "SET")
    state.ready("I")


def somebody(state):
    state.apply(sql.SetSetting("role", "somebody", local=False), "SET")
    state.ready("I")


@pytest.mark.parametrize(
    "differ",
    [
        lambda one: elsewhere(one.state),
        lambda one: somebody(one.state),
        lambda one: setattr(one, "view", View(one.view.catalog, one.view.masks, 2, shared=one.view.shared)),
        lambda one: setattr(one.state, "user", "another"),
        lambda one: one.state.temp_names.add("customer"),
        lambda one: setattr(one.state, "uncertain", True),
    ],
    ids=["search_path", "role", "view", "login", "a temporary table", "an uncertain catalogue"],
)
def test_nothing_is_shared_with_a_session_to_which_it_might_mean_something_else(differ):
    first, second = neighbours()
    differ(second)
    text = query("select email from customer")
    assert first.read(text).analyses is not second.read(text).analyses
    third = Stand()
    third.view = first.view
    assert third.read(text).analyses is first.read(text).analyses


@pytest.mark.parametrize("text", ["execute p", "fetch c", "select 1 -- " + "x" * operations.LONG_TEXT_CHARS])
def test_what_depends_on_a_session_and_what_is_long_is_not_shared(text):
    first, second = neighbours()
    first.prepared.entries["p"] = Prepared("select 1")
    first.read(query(text))
    second.read(query(text))
    assert first.view.shared.get((text, "public", "", 1, "app")) is None


def test_plain_sessions_share_one_context_a_path_and_their_number_is_bounded():
    made = view()
    assert made.context(("public",)) is made.context(("public",))
    first = made.context(("public",))
    for number in range(operations.MAX_CONTEXTS + 5):
        made.context((f"s{number}",))
    assert len(made._contexts) == operations.MAX_CONTEXTS
    assert made.context(("public",)) is not first


def test_a_bind_is_read_by_the_text_that_was_parsed(stand):
    assert stand.operation(bound("delete from orders where id = $1", b"1")).action is Action.WRITE
