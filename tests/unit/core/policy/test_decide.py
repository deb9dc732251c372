import json

import pytest

from doorward_core.errors import ConfigError
from doorward_core.mask.json_paths import PathError, parse_path
from doorward_core.model import (
    Action,
    Approve,
    Effect,
    Limit,
    Mask,
    MaskInput,
    Operation,
    ReasonCode,
    Record,
    RecordLevel,
    Resource,
)
from doorward_core.policy.load import parse_policy

APP_DB = Resource("app-db", "postgres")


def test_a_read_that_a_rule_allows_goes_on_with_the_masks_in_force(design, analyst):
    decision = design.decide(analyst, design.atom("read", "public.customer"))
    assert (decision.effect, decision.reason) == (Effect.PERMIT, ReasonCode.RULE)
    assert decision.policy_digest == design.policy.digest
    assert [match.rule for match in decision.matches] == ["analysts-read"]
    assert decision.obligations == design.policy.masks(analyst, design.resource, 0)
    assert decision.obligations[0].label == "pii"


def test_what_no_rule_allows_is_blocked_by_default_and_says_so(design, analyst):
    decision = design.decide(analyst, design.atom("read", "audit.trail"))
    assert (decision.effect, decision.reason) == (Effect.DENY, ReasonCode.NO_RULE)
    assert decision.advice == "No rule allows read on relation audit.trail."


def test_a_block_speaks_in_the_operators_words_and_names_what_it_blocked(design, analyst):
    decision = design.decide(analyst, design.atom("define", "public.orders"))
    assert (decision.effect, decision.reason) == (Effect.DENY, ReasonCode.RULE)
    assert decision.advice == (
        "Schema changes go through migrations. Blocked by rule `no-ddl`: define on relation public.orders."
    )


def test_the_strictest_atom_decides_and_every_match_is_told(design, analyst):
    read = design.atom("read", "public.customer")
    write = design.atom("write", "public.orders")
    define = design.atom("define", "public.orders")
    held = design.decide(analyst, read, write)
    assert held.effect is Effect.HOLD
    assert held.blamed == (write,)
    assert {match.rule for match in held.matches} == {"analysts-read", "changes-need-a-human"}
    assert design.decide(analyst, read, write, define).effect is Effect.DENY
    assert design.effect(analyst, write, design.atom("read", "audit.trail")) == "deny"


def test_a_hold_says_who_may_approve_and_how(design, analyst):
    (approve,) = design.decide(analyst, design.atom("write", "public.orders")).approvals
    assert (approve.groups, approve.quorum) == (frozenset({"dba"}), 2)
    assert (approve.within_s, approve.grant_s, approve.in_transaction_s) == (600, 300, 60)
    assert len(approve.rule_hash) == 32
    assert (approve.retry, approve.proof) == (None, "token")


def test_a_grant_lets_through_what_it_was_granted_for_and_no_more(design, analyst):
    write = design.atom("write", "public.orders")
    (approve,) = design.decide(analyst, write).approvals
    granted = frozenset({(approve.rule, approve.rule_hash)})
    permit = design.decide(analyst, write, granted=granted)
    assert permit.effect is Effect.PERMIT
    assert permit.approvals == ()
    assert design.effect(analyst, write, design.atom("define", "public.orders"), granted=granted) == "deny"
    assert design.effect(analyst, write, granted=frozenset({(approve.rule, b"another")})) == "hold"


def test_several_holds_must_all_be_satisfied(asking):
    approve = "approve: {by: {groups: [GROUP]}}"
    rule = "  - {id: ID, effect: hold, resource: app-db, do: [write], " + approve + "}\n"
    text = "rules:\n" + rule.replace("ID", "one").replace("GROUP", "dba")
    text += rule.replace("ID", "two").replace("GROUP", "legal")
    ask = asking(text)
    write = ask.atom("write", "public.orders")
    first, second = ask.decide(ask.who(), write).approvals
    assert {first.rule, second.rule} == {"one", "two"}
    left = ask.decide(ask.who(), write, granted=frozenset({(first.rule, first.rule_hash)}))
    assert left.effect is Effect.HOLD
    assert left.approvals == (second,)
    both = frozenset({(item.rule, item.rule_hash) for item in (first, second)})
    assert ask.effect(ask.who(), write, granted=both) == "permit"


def test_unless_frees_those_it_names(design):
    migrator = design.who("migrations")
    decision = design.decide(migrator, design.atom("define", "public.orders"))
    assert decision.reason is ReasonCode.NO_RULE


def test_what_could_not_be_read_whole_adds_unknown_and_says_why(asking):
    ask = asking('rules: [{id: r, effect: allow, resource: app-db, do: [read], tables: ["public.*"]}]')
    decision = ask.decide(ask.who(), ask.atom("read", "public.a"), complete=False, problem="a DO block")
    assert (decision.effect, decision.reason) == (Effect.DENY, ReasonCode.INDETERMINATE)
    assert decision.advice == "This could not be read whole: a DO block, and no rule allows what is not understood."


def test_any_lets_through_what_is_not_understood(asking):
    ask = asking("rules: [{id: r, effect: allow, resource: app-db, do: [any]}]")
    assert ask.effect(ask.who(), ask.atom("read", "public.a"), complete=False) == "permit"
    assert ask.effect(ask.who(), ask.atom("unknown", "DO", kind="opaque")) == "permit"


def test_an_operation_without_atoms_stands_for_its_own_action(design, analyst):
    assert design.effect(analyst, action="session") == "permit"
    assert design.effect(analyst, action="write") == "deny"
    assert design.effect(analyst, action="session", complete=False) == "deny"


def test_a_rule_with_connect_false_lets_nobody_in(asking):
    ask = asking("include: [safe-catalog]")
    assert ask.policy.connect(ask.who(), ask.resource, 0).effect is Effect.DENY
    assert ask.effect(ask.who(), ask.atom("session", "begin", kind="transaction")) == "deny"
    assert not ask.policy.could(ask.who(), ask.resource, frozenset({Action.CONNECT, Action.SESSION}))


def test_limits_unite_to_the_smallest_and_levels_to_the_highest(asking):
    ask = asking(
        "rules:\n"
        "  - {id: a, effect: allow, resource: app-db, do: [read], limit: {rows: 10, seconds: 60s}, record: payload}\n"
        "  - {id: b, effect: allow, resource: app-db, do: [read], limit: {rows: 99, bytes: 1MiB}, record: decision}\n"
    )
    decision = ask.decide(ask.who(), ask.atom("read", "public.a"))
    assert decision.obligations == (Limit(10, 1048576, 60), Record(RecordLevel.PAYLOAD))


def test_an_obligation_that_cannot_be_honoured_is_a_denial(design, analyst):
    read = design.atom("read", "public.customer")
    decision = design.decide(analyst, read, discharges=frozenset({Approve}))
    assert (decision.effect, decision.reason) == (Effect.DENY, ReasonCode.OBLIGATION_UNSUPPORTED)
    assert "`pii`" in decision.advice
    held = design.decide(analyst, design.atom("write", "public.customer"), discharges=frozenset({Mask}))
    assert held.reason is ReasonCode.OBLIGATION_UNSUPPORTED


def test_a_mask_is_not_in_force_for_those_it_excepts(design):
    officer = design.who("crew-analysts", "privacy-office")
    assert design.policy.masks(officer, design.resource, 0) == ()
    assert design.decide(officer, design.atom("read", "public.customer")).obligations == ()


def test_probes_answer_to_the_mask(design, analyst):
    def probe(name, column, detail):
        return design.decide(analyst, design.atom("probe", name, [column], detail=detail))

    equality = probe("public.customer", "email", "equality")
    assert equality.effect is Effect.PERMIT
    (rate,) = design.policy.rates(equality)
    assert (rate.mask, rate.count, rate.per_s, rate.cost) == ("pii", 20, 3600, 1)
    other = probe("public.customer", "email", "other")
    assert (other.effect, other.reason) == (Effect.DENY, ReasonCode.RULE)
    assert "filter on another column" in other.advice
    assert probe("public.customer", "email", "").effect is Effect.DENY


def test_each_probe_of_one_statement_counts(design, analyst):
    probes = [
        design.atom("probe", "public.customer", ["email"], detail="equality"),
        design.atom("probe", "public.account", ["iban"], detail="equality"),
    ]
    (rate,) = design.policy.rates(design.decide(analyst, *probes))
    assert rate.cost == 2
    assert design.policy.rates(design.decide(analyst, design.atom("read", "public.customer"))) == ()


def test_a_rule_that_has_ended_does_nothing_and_is_not_remembered(asking):
    ask = asking("rules: [{id: r, effect: allow, resource: app-db, do: [read], until: '2026-12-31T00:00:00Z'}]")
    end = 1_798_675_200_000_000_000
    read = ask.atom("read", "public.a")
    ask.now = end - 1
    decision = ask.decide(ask.who(), read)
    assert decision.effect is Effect.PERMIT
    assert not ask.policy.repeatable(decision)
    assert ask.policy.next_change_unix_ns(ask.now) == end
    ask.now = end
    assert ask.effect(ask.who(), read) == "deny"
    assert ask.policy.connect(ask.who(), ask.resource, end).effect is Effect.DENY
    assert ask.policy.next_change_unix_ns(end) is None


def test_observe_mode_permits_says_what_it_would_have_been_and_ends(design, analyst):
    design.policy = design.policy.observing({"app-db": 100})
    define = design.atom("define", "public.orders")
    decision = design.decide(analyst, define)
    assert (decision.effect, decision.reason, decision.observed) == (
        Effect.PERMIT,
        ReasonCode.OBSERVED,
        Effect.DENY,
    )
    assert not design.policy.repeatable(decision)
    assert [type(item) for item in decision.obligations] == [Mask]
    held = design.decide(analyst, design.atom("write", "public.orders"))
    assert (held.effect, held.observed, held.approvals) == (Effect.PERMIT, Effect.HOLD, ())
    allowed = design.decide(analyst, design.atom("read", "public.orders"))
    assert (allowed.observed, allowed.reason) == (None, ReasonCode.RULE)
    nobody = design.policy.connect(design.who(), design.resource, 0)
    assert (nobody.effect, nobody.observed) == (Effect.PERMIT, Effect.DENY)
    assert design.policy.could(design.who(), design.resource, frozenset({Action.WRITE}))
    design.now = 100
    assert design.effect(analyst, define) == "deny"
    assert design.policy.connect(design.who(), design.resource, 100).effect is Effect.DENY


def test_observe_mode_still_refuses_what_cannot_be_read_where_a_mask_is_owed(design, analyst):
    design.policy = design.policy.observing({"app-db": 100})
    assert design.effect(analyst, design.atom("read", "public.customer"), complete=False) == "deny"
    officer = design.who("privacy-office")
    assert design.effect(officer, design.atom("read", "public.customer"), complete=False) == "permit"


def test_observe_mode_of_one_resource_is_not_that_of_another(design, analyst):
    design.policy = design.policy.observing({"other-db": 100})
    assert design.effect(analyst, design.atom("define", "public.orders")) == "deny"


def test_views_are_bounded_and_never_mixed_up(design, monkeypatch):
    monkeypatch.setattr("doorward_core.policy.decide.MAX_VIEWS", 2)
    read = design.atom("read", "public.customer")
    for _ in range(20):
        assert design.effect(design.who("crew-analysts"), read) == "permit"
        assert design.effect(design.who("strangers"), read) == "deny"
    assert len(design.policy._views) == 2


FLOWS = """\
rules: [{id: all, effect: allow, resource: app-db, do: [any]}]
masks:
  - {id: hides-out, resource: app-db, columns: ["$.a[*].b", "$..c", "*.iban"]}
  - {id: hides-in, resource: app-db, detect: [email], flow: in}
  - {id: hides-both, resource: app-db, detect: [card], flow: both}
"""


def test_masks_of_what_is_sent_are_an_obligation_of_their_own(analyst):
    policy = parse_policy(FLOWS, "policy.yaml")
    operation = Operation(b"", 0, Action.READ, "GET", (), "", b"")
    able = frozenset({Mask, MaskInput})
    decision = policy.decide(analyst, APP_DB, operation, 0, discharges=able)
    out = [item.rule for item in decision.obligations if isinstance(item, Mask)]
    into = [item.mask.rule for item in decision.obligations if isinstance(item, MaskInput)]
    assert (out, into) == (["hides-out", "hides-both"], ["hides-in", "hides-both"])
    assert [item.rule for item in policy.masks(analyst, APP_DB, 0)] == out
    unable = policy.decide(analyst, APP_DB, operation, 0, discharges=frozenset({Mask}))
    assert unable.reason is ReasonCode.OBLIGATION_UNSUPPORTED
    assert "`hides-in` is owed on what is sent" in unable.advice


PATHS = (
    "$.a", "$..a", "$.a[*]", "$..[*]", "$.*", "$['a b']", '$["a"].b', "$.a-b?*", "$[ '\\'x' ]", "$.é",
    "$", "$.", "$[x]", "$a", "$.a[", "$...a", "$.a b", "$[0]", "$[?(@.x)]", "$.a[1:2]", "$" + ".a" * 33, "$.a\n",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_json_path_of_a_mask_is_refused_where_it_could_not_be_masked_by(path):
    text = json.dumps({"masks": [{"id": "m", "resource": "r", "columns": [path]}]})
    try:
        parse_path(path)
    except PathError:
        with pytest.raises(ConfigError, match="JSON path"):
            parse_policy(text, "policy.yaml")
    else:
        parse_policy(text, "policy.yaml")


@pytest.mark.parametrize("path", PATHS)
def test_a_path_in_objects_of_one_resource_is_read_alike(path):
    if not path.startswith("$"):
        return
    text = json.dumps({"masks": [{"id": "m", "resource": "r", "columns": [f"deployments.apps:{path}"]}]})
    try:
        parse_path(path)
    except PathError:
        with pytest.raises(ConfigError, match="JSON path"):
            parse_policy(text, "policy.yaml")
    else:
        assert parse_policy(text, "policy.yaml")


def test_a_json_path_knows_no_exceptions():
    with pytest.raises(ConfigError, match="no exceptions"):
        parse_policy('{"masks": [{"id": "m", "resource": "r", "columns": ["$.a", "!$.a.b"]}]}', "policy.yaml")


ACCOUNTS = """
rules:
  - {id: many, effect: allow, resource: app-db, accounts: ["*", "!root"], do: [read]}
  - {id: root, effect: hold, resource: app-db, accounts: [root], do: [read], approve: {by: {groups: [dba]}}}
  - {id: no-batch, effect: block, resource: app-db, accounts: ["batch-*"], do: [any]}
masks:
  - {id: pii, resource: app-db, accounts: [app], columns: ["*.email"]}
"""


@pytest.mark.parametrize(
    ("account", "effect", "enters", "masked"),
    [
        ("app", "permit", "permit", True),
        ("other", "permit", "permit", False),
        ("root", "hold", "permit", False),
        ("batch-1", "deny", "deny", False),
        ("", "permit", "permit", False),
    ],
)
def test_a_rule_speaks_of_accounts_for_everything_that_is_done_as_them(asking, account, effect, enters, masked):
    ask = asking(ACCOUNTS, resource=Resource("app-db", "postgres", account=account))
    assert ask.effect(ask.who(), ask.atom("read", "public.a")) == effect
    assert ask.policy.connect(ask.who(), ask.resource, 0).effect.value == enters
    assert bool(ask.policy.masks(ask.who(), ask.resource, 0)) is masked


def test_one_policy_answers_for_two_accounts_of_a_resource_side_by_side(asking):
    ask = asking(ACCOUNTS)
    who, read = ask.who(), ask.atom("read", "public.a")
    found = []
    for account in ("root", "app", "root"):
        ask.resource = Resource("app-db", "postgres", account=account)
        found.append(ask.effect(who, read))
    assert found == ["hold", "permit", "hold"]


def test_a_list_of_accounts_that_can_match_nothing_is_a_fault():
    for accounts in ("[]", '["!root"]'):
        with pytest.raises(ConfigError):
            parse_policy(f"rules: [{{id: a, effect: allow, resource: b, accounts: {accounts}, do: [read]}}]", "p.yaml")


def test_standing_access_may_be_asked_past_those_holds_alone_whose_rule_says_so(asking, design_text):
    text = design_text.replace("quorum: 2", "quorum: 2, standing: 4h")
    asked = asking(text)
    who = asked.who("crew-analysts")

    def askable(*actions, now=0):
        return asked.policy.askable(who, asked.resource, frozenset(map(Action, actions)), now)

    (hold,) = askable("read", "write")
    assert (hold.rule, hold.standing_s) == ("changes-need-a-human", 4 * 3600)
    assert askable("read", "define") == ()
    assert asking(design_text).policy.askable(who, asked.resource, frozenset(Action), 0) == ()
