import pytest

from doorward_core.model import Action, Effect, Resource

COLUMNS = """
rules:
  - {id: some, effect: allow, resource: app-db, do: [read], columns: ["public.customer.id", "public.customer.name"]}
  - {id: more, effect: allow, resource: app-db, do: [read], columns: ["public.customer.country"]}
  - {id: orders, effect: allow, resource: app-db, do: [read], tables: [public.orders]}
  - {id: secret, effect: block, resource: app-db, do: [read], columns: ["public.orders.margin"]}
"""


@pytest.mark.parametrize(
    ("table", "columns", "effect"),
    [
        ("public.customer", ["id"], "permit"),
        ("public.customer", ["id", "country"], "permit"),
        ("public.customer", ["id", "email"], "deny"),
        ("public.customer", [], "deny"),
        ("public.customer", ["margin"], "deny"),
        ("public.orders", ["id"], "permit"),
        ("public.orders", ["id", "margin"], "deny"),
        ("public.orders", [], "deny"),
    ],
)
def test_columns_are_decided_one_by_one_and_a_whole_row_is_all_of_them(asking, table, columns, effect):
    ask = asking(COLUMNS)
    assert ask.effect(ask.who(), ask.atom("read", table, columns)) == effect


def test_a_column_rule_does_not_speak_of_other_kinds(asking):
    function = ("execute", "public.f", (), "function")
    ask = asking('rules: [{id: a, effect: allow, resource: app-db, do: [any], columns: ["*"]}]')
    assert ask.effect(ask.who(), ask.atom(*function)) == "deny"
    ask = asking(
        "rules:\n"
        "  - {id: a, effect: allow, resource: app-db, do: [any]}\n"
        '  - {id: b, effect: block, resource: app-db, do: [any], columns: ["*.margin"]}\n'
    )
    assert ask.effect(ask.who(), ask.atom(*function)) == "permit"
    assert ask.effect(ask.who(), ask.atom("read", "public.orders")) == "deny"


def test_a_block_on_a_column_does_not_block_whole_rows_of_other_tables(asking):
    ask = asking(
        "rules:\n"
        "  - {id: a, effect: allow, resource: app-db, do: [read]}\n"
        '  - {id: b, effect: block, resource: app-db, do: [read], columns: ["public.orders.margin"]}\n'
    )
    assert ask.effect(ask.who(), ask.atom("read", "public.customer")) == "permit"
    assert ask.effect(ask.who(), ask.atom("read", "public.orders")) == "deny"
    assert ask.effect(ask.who(), ask.atom("read", "public.orders", ["id"])) == "permit"


ANYTHING = "rules:\n  - {id: all, effect: allow, resource: app-db, do: [any]}"


def test_a_probe_in_words_that_no_pattern_knows_answers_to_every_mask(asking, design, analyst, design_text):
    through_view = design.atom("probe", "public.customer_view", ["mail"], detail="other")
    assert design.effect(analyst, through_view) == "deny"
    opened = asking(design_text.replace("rules:", ANYTHING, 1))
    assert opened.effect(analyst, through_view) == "deny"
    assert opened.effect(analyst, design.atom("probe", "public.customer", detail="other")) == "deny"
    assert opened.effect(analyst, design.atom("probe", "public.customer", detail="equality")) == "permit"


def test_a_probe_where_nothing_is_masked_is_a_read(design):
    officer = design.who("crew-analysts", "privacy-office")
    assert design.effect(officer, design.atom("probe", "public.customer", ["email"], detail="other")) == "permit"
    assert design.effect(officer, design.atom("probe", "audit.trail", ["x"], detail="other")) == "deny"


def test_no_allow_of_a_rule_lifts_what_a_mask_holds(asking):
    ask = asking(
        "rules: [{id: all, effect: allow, resource: app-db, do: [any]}]\n"
        "masks: [{id: m, resource: app-db, columns: ['*.email'], probe: {approve: {by: {groups: [dba]}}}}]\n"
    )
    decision = ask.decide(ask.who(), ask.atom("probe", "public.c", ["email"], detail="other"))
    assert decision.effect is Effect.HOLD
    (approve,) = decision.approvals
    assert approve.rule == "m"
    granted = frozenset({(approve.rule, approve.rule_hash)})
    assert ask.effect(ask.who(), ask.atom("probe", "public.c", ["email"], detail="other"), granted=granted) == "permit"


def test_an_allow_or_a_hold_lets_one_in_and_do_session_things(asking):
    ask = asking(
        "rules:\n"
        "  - {id: r, effect: allow, who: {groups: [a]}, resource: app-db, do: [read]}\n"
        "  - {id: w, effect: hold, who: {groups: [b]}, resource: app-db, do: [write], approve: {by: {groups: [c]}}}\n"
    )
    begin = ask.atom("session", "begin", kind="transaction")
    for group, expected in (("a", "permit"), ("b", "permit"), ("c", "deny")):
        assert ask.policy.connect(ask.who(group), ask.resource, 0).effect.value == expected
        assert ask.effect(ask.who(group), begin) == expected
    assert ask.policy.connect(ask.who("a"), Resource("other", "postgres"), 0).effect is Effect.DENY


def test_a_rule_may_say_otherwise_of_session_and_connect(asking):
    ask = asking(
        "rules:\n"
        "  - {id: r, effect: allow, resource: app-db, do: [read]}\n"
        "  - {id: s, effect: block, resource: app-db, do: [session], channels: ['*']}\n"
        "  - {id: c, effect: block, who: {kind: human}, resource: app-db, do: [connect]}\n"
    )
    assert ask.effect(ask.who(), ask.atom("session", "jobs", kind="channel")) == "deny"
    assert ask.effect(ask.who(), ask.atom("session", "begin", kind="transaction")) == "permit"
    assert ask.policy.connect(ask.who(), ask.resource, 0).effect is Effect.PERMIT
    assert ask.policy.connect(ask.who(kind="human"), ask.resource, 0).effect is Effect.DENY


def test_could_tells_what_posture_needs(design, analyst):
    def could(identity, *actions):
        return design.policy.could(identity, design.resource, frozenset(Action(item) for item in actions))

    assert could(analyst, "write")
    assert could(analyst, "connect")
    assert could(analyst, "probe")
    assert not could(analyst, "define", "admin", "execute")
    assert not could(design.who("nobody"), "write", "connect")
    assert could(design.who("nobody"), "read")  # the catalogue


def test_could_is_false_where_a_block_covers_everything(asking):
    ask = asking(
        "rules:\n"
        "  - {id: a, effect: allow, resource: app-db, do: [any]}\n"
        "  - {id: b, effect: block, resource: app-db, do: [write]}\n"
        "  - {id: c, effect: block, resource: app-db, do: [define], tables: [public.x]}\n"
    )
    assert not ask.policy.could(ask.who(), ask.resource, frozenset({Action.WRITE}))
    assert ask.policy.could(ask.who(), ask.resource, frozenset({Action.DEFINE}))
