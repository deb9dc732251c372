"""What is owed on results, errors and notices, by a closed world: real statements over a catalogue of a real server."""

from dataclasses import replace

import pytest
import sql_stand

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Action, Atom, Mask, Target, Transform
from doorward_core.sql.analysis import Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.parse import parse
from doorward_postgres import wire_encode as enc
from doorward_postgres.operations import View
from doorward_postgres.results import MaskDuty, MessagePlan, Rows, SessionMessages, lookup
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import (
    CopyResponse,
    Field,
    Notification,
    decode_data_row,
    decode_error_fields,
    decode_notification,
)

KEY = b"k" * 32
MASK = Mask("pii", ("public.customer.email",), (), Transform.REDACT, "email")
STRICT = Mask("pii", ("public.customer.email",), (), Transform.REDACT, "email", strict=True)
SECRET = "jane@example.com"
TEXT, INT = 25, 23


@pytest.fixture
def catalog():
    return sql_stand.catalog()


def view(mask=MASK, catalog=None):
    known = catalog or sql_stand.catalog()
    return View(known, {oid: dict.fromkeys(columns, mask) for oid, columns in sql_stand.masked(known).items()}, 1)


def message(text, *, mask=MASK, hides=True, detectors=None, **parameters):
    duty = MaskDuty(KEY, hides_columns=hides, detectors=detectors, parameters=parameters)
    return MessagePlan(sql_stand.looks(text), view(mask), duty)


def column(table, name, schema="public", shown=None):
    """The field that a server describes for a plain column."""
    relation = sql_stand.catalog().relation(schema, table)
    found = next(one for one in relation.columns if one.name == name)
    return Field(shown or name, relation.oid, found.attnum, found.type_oid, -1, -1, 0)


def computed(name, type_oid=TEXT):
    return Field(name, 0, 0, type_oid, -1, -1, 0)


def through(masker, *values):
    row = enc.encode_data_row([None if value is None else value.encode() for value in values])
    out = masker.frames(row, 0, len(row))
    return tuple(None if cell is None else cell.decode() for cell in decode_data_row(bytes(out)[5:]))


def passes(plan, fields, value=SECRET, index=0):
    """Whether a value of the first column reaches the client."""
    cells = through(plan.rows(index, fields), value, *["0"] * (len(fields) - 1))
    return cells[0] == value


# --- the closed world ------------------------------------------------------------------------------------------------


def test_a_masked_column_is_masked_and_its_neighbour_is_not():
    plan = message("select email, country from customer")
    masker = plan.rows(0, (column("customer", "email"), column("customer", "country")))
    assert through(masker, SECRET, "NL")[1] == "NL"
    assert SECRET not in through(masker, SECRET, "NL")
    assert masker.masked == {"email": 2}
    assert not masker.clear


def test_a_statement_that_reaches_nothing_masked_is_not_even_looked_at():
    masker = message("select id, note from orders").rows(0, (column("orders", "id"), column("orders", "note")))
    assert masker.clear


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("select upper(email) as x from customer", (computed("x"),)),
        ("select email || '' as x from customer", (computed("x"),)),
        ("select c as x from customer c", (computed("x", 2249),)),
        ("select row_to_json(c) as x from customer c", (computed("x", 114),)),
        ("select max(email) as x from customer", (computed("x"),)),
        ("select email as x from customer union select note from orders", (computed("x"),)),
        ("select contact as x from customer_view", (column("customer_view", "contact", shown="x"),)),
        ("select m as x from mat", (column("mat", "m", shown="x"),)),
        ("select email_lower as x from customer", (column("customer", "email_lower", shown="x"),)),
        ("select evil()::text as x, country from customer", (computed("x"), column("customer", "country"))),
        ("select * from nosuch", (computed("x"),)),
    ],
)
def test_what_a_masked_column_may_flow_into_is_hidden_whatever_the_server_calls_it(text, fields):
    assert not passes(message(text), fields)


@pytest.mark.parametrize(
    ("text", "fields", "value"),
    [
        ("select count(*) as x from customer", (computed("x", 20),), "7"),
        ("select country as x from customer where email = $1", (column("customer", "country", shown="x"),), "NL"),
        ("select upper(country) as x from customer", (computed("x"),), "NL"),
        ("select 'constant' as x, email from customer", (computed("x"), column("customer", "email")), "constant"),
        ("select note as x from orders", (column("orders", "note", shown="x"),), "a note"),
        ("select country as x from customer_view", (column("customer_view", "country", shown="x"),), "NL"),
    ],
)
def test_what_is_proved_to_owe_nothing_passes(text, fields, value):
    assert passes(message(text), fields, value)


def test_what_the_tree_proved_counts_only_for_the_columns_that_the_server_describes():
    """Another name, or another number of columns: the tree spoke of something else."""
    plan = message("select upper(country) as x, email from customer")
    email = column("customer", "email")
    assert passes(plan, (computed("x"), email), "NL")
    assert not passes(plan, (computed("y"), email), "NL")
    assert not passes(plan, (computed("x"), computed("z"), email), "NL")


def test_a_column_that_the_catalogue_does_not_know_yet_is_hidden():
    orders = sql_stand.catalog().relation("public", "orders")
    assert not passes(message("select * from orders"), (Field("added", orders.oid, 99, TEXT, -1, -1, 0),))
    assert not passes(message("select * from orders"), (Field("made", 999_999, 1, TEXT, -1, -1, 0),))


@pytest.mark.parametrize(
    "doubt",
    [
        {"touches_masked": True},
        {"complete": False},
        {"atoms": (Atom(Action.EXECUTE, Target("function", "public.evil")),)},
        {"atoms": (Atom(Action.UNKNOWN, Target("opaque", "DO")),)},
    ],
    ids=["masked within reach", "not read whole", "code not seen through", "not understood"],
)
def test_each_doubt_alone_closes_the_world(doubt):
    plain = sql_stand.look("select 1 as x")
    duty = MaskDuty(KEY, hides_columns=True, detectors=None)
    field = (computed("other"),)
    assert passes(MessagePlan((plain,), view(), duty), field)
    doubted = MessagePlan((replace(plain, **doubt),), view(), duty)
    assert not passes(doubted, field)
    assert SECRET.encode() not in doubted.diagnostic(0, ERROR)


def test_what_was_not_read_whole_may_return_rows_after_all():
    silent = replace(sql_stand.look("begin"), complete=False)
    assert MessagePlan((silent,), view(), MaskDuty(KEY, hides_columns=True, detectors=None)).needs_fields


def test_a_result_that_no_statement_announced_is_hidden():
    """A rule (CREATE RULE ... DO ALSO SELECT) can add results."""
    plan = message("select 1 as x")
    assert not passes(plan, (computed("x"),), index=1)


def test_each_statement_of_a_message_has_its_own_result():
    plan = message("select 'a' as x; select upper(email) as x from customer")
    assert passes(plan, (computed("x"),), "a", index=0)
    assert not passes(plan, (computed("x"),), index=1)


def test_without_a_catalogue_everything_is_hidden_where_columns_are_masked():
    duty = MaskDuty(KEY, hides_columns=True, detectors=None)
    statements = analyze(parse("select id from orders"), Context(None, ("public",)))
    assert not passes(MessagePlan(statements, View(None, {}, 1), duty), (column("orders", "id"),), "1")


def test_whoever_owes_no_mask_sees_what_the_server_sends():
    plan = message("select email from customer", hides=False)
    assert plan.rows(0, (column("customer", "email"),)).clear
    assert plan.rows(0, None).clear
    assert not plan.needs_fields


def test_a_strict_mask_on_a_derived_column_hides_the_whole_result():
    plan = message("select upper(email) as x, country from customer", mask=STRICT)
    masker = plan.rows(0, (computed("x"), column("customer", "country")))
    assert through(masker, SECRET, "NL") == (None, None)


def test_null_stays_null():
    assert through(message("select email from customer").rows(0, (column("customer", "email"),)), None) == (None,)


def test_a_date_is_masked_in_the_style_of_the_session():
    iso = message("select 1", DateStyle="ISO, MDY").duty
    german = message("select 1", DateStyle="German, DMY").duty
    assert (iso.iso_dates, german.iso_dates, message("select 1").duty.iso_dates) == (True, False, True)


# --- descriptions ----------------------------------------------------------------------------------------------------


def test_rows_without_a_description_end_the_session_where_anything_may_be_owed():
    for plan in (
        message("select email from customer"),
        message("select id from orders"),
        message("select id from orders", hides=False, detectors=Detectors({"email"}, {})),
    ):
        assert plan.needs_fields
        with pytest.raises(UpstreamProtocolError):
            plan.rows(0, None)


def test_what_is_known_to_return_no_rows_needs_no_description():
    assert not message("update orders set note = ''").needs_fields
    assert not message("begin").needs_fields
    assert message("update orders set note = '' returning note").needs_fields
    assert message("begin; select 1").needs_fields


def test_rows_must_have_the_width_of_their_description():
    fields = (column("orders", "id"), column("orders", "note"))
    masker = message("select id, note from orders", detectors=Detectors({"email"}, {})).rows(0, fields)
    assert isinstance(masker, Rows)
    assert masker.width == 2
    with pytest.raises(UpstreamProtocolError):
        through(masker, "1", SECRET, "b")


# --- content ---------------------------------------------------------------------------------------------------------


def test_detectors_look_into_what_is_clear_by_column():
    plan = message("select note from orders", hides=False, detectors=Detectors({"email"}, {}))
    masker = plan.rows(0, (column("orders", "note"),))
    (note,) = through(masker, f"write to {SECRET} now")
    assert SECRET not in note
    assert note.startswith("write to ")
    assert masker.masked == {"email": 1}


# --- errors and notices ----------------------------------------------------------------------------------------------

ERROR = enc.encode_error_fields(
    {"S": "ERROR", "V": "ERROR", "C": "22P02", "M": f'invalid input syntax for type integer: "{SECRET}"'}
)


@pytest.mark.parametrize(
    ("text", "withheld"),
    [
        ("select email::int from customer", True),
        ("insert into customer (email) values ($1)", True),
        ("select evil()", True),
        ("select * from nosuch", True),
        ("select note::int from orders", False),
    ],
)
def test_an_error_of_a_statement_that_can_reach_masked_values_is_withheld(text, withheld):
    shown = message(text).diagnostic(0, ERROR)
    assert (SECRET.encode() in shown) is not withheld
    assert decode_error_fields(shown[5:])["C"] == "22P02"


def test_an_error_of_one_statement_says_nothing_of_the_others():
    plan = message("select note from orders; select email::int from customer")
    assert SECRET.encode() in plan.diagnostic(0, ERROR)
    assert SECRET.encode() not in plan.diagnostic(1, ERROR)
    assert SECRET.encode() not in plan.diagnostic(2, ERROR)


def test_without_masks_an_error_is_the_servers_own_frame():
    assert message("select email::int from customer", hides=False).diagnostic(0, ERROR) is ERROR


def test_detectors_look_into_errors_and_a_notice_stays_a_notice():
    notice = enc.encode_notice_response("NOTICE", "00000", f"about {SECRET}")
    shown = message("select 1", hides=False, detectors=Detectors({"email"}, {})).diagnostic(0, notice)
    assert shown[0] == Backend.NoticeResponse
    assert SECRET.encode() not in shown


def test_what_belongs_to_no_statement_is_withheld_wherever_a_column_is_masked():
    ambient = SessionMessages(MaskDuty(KEY, hides_columns=True, detectors=None))
    assert SECRET.encode() not in ambient.diagnostic(ERROR)
    heard = decode_notification(ambient.notification(notification(SECRET))[5:])
    assert heard == Notification(7, "jobs", "[masked]")
    assert decode_notification(ambient.notification(notification(""))[5:]).payload == ""


def notification(payload):
    return enc.encode_notification(Notification(7, "jobs", payload))


def test_notifications_pass_or_are_looked_into_where_no_column_is_masked():
    plain = SessionMessages(MaskDuty(KEY, hides_columns=False, detectors=None))
    assert plain.notification(notification(SECRET)) == notification(SECRET)
    assert plain.diagnostic(ERROR) is ERROR
    looking = SessionMessages(MaskDuty(KEY, hides_columns=False, detectors=Detectors({"email"}, {})))
    heard = decode_notification(looking.notification(notification(f"to {SECRET}"))[5:])
    assert SECRET not in heard.payload
    assert heard.payload.startswith("to ")


# --- COPY ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        ("copy orders from stdin", True),
        ("copy orders from '/tmp/x'", False),
        ("copy orders from program 'cat'", False),
        ("copy orders to stdout", False),
        ("select 1; copy orders from stdin", True),
        ("select 1", False),
    ],
)
def test_the_server_asks_for_data_only_where_they_come_from_the_client(text, copies):
    """For any other COPY it would be waited for in vain: the server says nothing before Sync."""
    assert message(text).copies_in is copies


def test_copy_out_is_masked_by_the_columns_of_the_tree():
    plan = message("copy customer (country, email) to stdout")
    assert plan.objection() == ""
    masker = plan.copy_out(0, CopyResponse(0, (0, 0)))
    data = enc.encode_copy_data(f"NL\t{SECRET}\n".encode())
    out = masker.frames(data, 0, len(data)) + masker.finish()
    assert b"NL\t" in out
    assert SECRET.encode() not in out


def test_copy_of_nothing_masked_passes_as_it_is():
    assert message("copy orders to stdout").copy_out(0, CopyResponse(0, (0,) * 4)).clear


def test_copy_data_from_a_statement_that_is_no_copy_ends_the_session():
    with pytest.raises(UpstreamProtocolError):
        message("select email from customer").copy_out(0, CopyResponse(0, (0,)))
    with pytest.raises(UpstreamProtocolError):
        message("copy customer (email) to stdout").copy_out(1, CopyResponse(0, (0,)))


def test_a_copy_that_cannot_be_masked_is_refused_before_it_is_sent():
    assert "cannot be masked" in message("copy customer (email) to stdout (encoding 'latin1')").objection()
    assert message("copy orders to stdout (encoding 'latin1')").objection() == ""
    assert message("copy customer (email) to stdout (encoding 'latin1')", hides=False).objection() == ""


def test_a_strict_mask_refuses_a_copy_of_what_is_derived_before_it_is_sent():
    assert "'x'" in message("copy (select upper(email) as x from customer) to stdout", mask=STRICT).objection()
    assert message("copy (select upper(email) as x from customer) to stdout").objection() == ""
    assert message("copy customer (email) to stdout", mask=STRICT).objection() == ""


# --- looking up ------------------------------------------------------------------------------------------------------


def test_a_column_owes_what_its_table_and_its_parent_owe(catalog):
    made = view()

    def owes(table, name):
        relation = catalog.relation("public", table)
        return lookup(made, relation.oid, next(one.attnum for one in relation.columns if one.name == name))

    assert owes("customer", "email") is MASK
    assert owes("customer", "country") == "clear"
    assert owes("part_1", "email") is MASK
    assert owes("part_1", "y") == "clear"
    assert owes("customer_view", "contact") is None
    assert owes("customer_view", "country") == "clear"
    assert lookup(made, 999_999, 1) is None
    assert lookup(View(None, {}, 1), catalog.relation("public", "orders").oid, 1) is None
