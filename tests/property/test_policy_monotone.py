"""Block > hold > allow > block by default, whatever the rules: no rule more, and no atom more, does what it should not."""

from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Effect,
    Identity,
    Limit,
    Mask,
    Operation,
    PrincipalKind,
    Record,
    Resource,
    Target,
)
from doorward_core.policy.compile import compile_mask, compile_rule
from doorward_core.policy.decide import Policy
from doorward_core.policy.rules import MaskRule, Rule

ALL = frozenset({Mask, Approve, Record, Limit})
STRICT = {Effect.PERMIT: 0, Effect.HOLD: 1, Effect.DENY: 2}
RESOURCE = Resource("db", "postgres")
NAMES = ["public.a", "public.b", "audit.a"]
COLUMNS = ["x", "y", "z"]
ACTIONS = ["read", "write", "define", "execute", "probe", "unknown", "session"]
# CONNECT and SESSION are implied by allows and holds; that is tested by example.
WEIGHED = [item for item in ACTIONS if item != "session"]


def identity(groups):
    return Identity("s", "i", PrincipalKind.AGENT, frozenset(groups), AuthMethod.JWT, "j", 0, 0)


patterns = st.lists(
    st.sampled_from(["*", "public.*", "*.a", "public.b", "!audit.*", "!public.a"]), min_size=1, max_size=3
)
groups = st.lists(st.sampled_from("gh"), min_size=1, max_size=2)


@st.composite
def rule(draw, effects=("allow", "hold", "block")):
    effect = draw(st.sampled_from(effects))
    content = {
        "id": f"r{draw(st.integers(0, 10**9))}",
        "effect": effect,
        "resource": draw(st.sampled_from(["db", "*", "d*"])),
        "do": draw(st.lists(st.sampled_from(["any", *ACTIONS]), min_size=1, max_size=3)),
    }
    for key in ("who", "unless"):
        if draw(st.booleans()):
            content[key] = {"groups": tuple(draw(groups))}
    if draw(st.booleans()):
        content["tables"] = ("*.a", *draw(patterns))
    if draw(st.integers(0, 3)) == 0:
        content["columns"] = tuple(draw(st.lists(st.sampled_from(["*.x", "public.a.y", "*"]), min_size=1, max_size=2)))
    if effect == "hold":
        content["approve"] = {"by": {"groups": ("dba",)}}
    content["do"] = tuple(content["do"])
    return compile_rule(Rule.model_validate(content), "f:1")


atoms = st.builds(
    lambda action, kind, name, columns: Atom(Action(action), Target(kind, name, tuple(columns))),
    st.sampled_from(WEIGHED),
    st.sampled_from(["relation", "relation", "function"]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(COLUMNS), max_size=3, unique=True),
)
many_atoms = st.lists(atoms, min_size=1, max_size=4)
many_rules = st.lists(rule(), max_size=6, unique_by=lambda item: item.id)
people = st.builds(identity, st.lists(st.sampled_from("gh"), max_size=2))


def decide(rules, who, what, granted=frozenset(), masks=()):
    policy = Policy(b"", tuple(rules), tuple(masks), MappingProxyType({}))
    operation = Operation(b"", 0, what[0].action, "V", tuple(what), "", b"")
    return policy.decide(who, RESOURCE, operation, 0, granted, discharges=ALL)


@given(many_rules, rule(effects=("block",)), people, many_atoms)
def test_one_more_block_never_loosens(rules, more, who, what):
    assert STRICT[decide([*rules, more], who, what).effect] >= STRICT[decide(rules, who, what).effect]


@given(many_rules, rule(effects=("allow",)), people, many_atoms)
def test_one_more_allow_never_tightens_nor_lifts_a_hold_or_a_block(rules, more, who, what):
    before, after = decide(rules, who, what), decide([*rules, more], who, what)
    assert STRICT[after.effect] <= STRICT[before.effect]
    if before.effect is Effect.HOLD:
        assert after.effect is Effect.HOLD


@given(many_rules, rule(effects=("hold",)), people, many_atoms)
def test_one_more_hold_never_lifts_a_hold(rules, more, who, what):
    before, after = decide(rules, who, what), decide([*rules, more], who, what)
    if before.effect is Effect.HOLD:
        assert after.effect is Effect.HOLD
    if before.effect is Effect.DENY:
        assert after.effect is not Effect.PERMIT


@given(many_rules, people, atoms)
def test_a_block_that_matched_an_atom_decides_whatever_else_there_is(rules, who, what):
    blocking = [item for item in rules if item.effect is Effect.DENY]
    alone = decide(blocking, who, [what])
    if alone.matches:
        assert decide(rules, who, [what]).effect is Effect.DENY


@given(many_rules, people, many_atoms, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_atoms_means_nothing(rules, who, what, random):
    before = decide(rules, who, what)
    random.shuffle(rules)
    random.shuffle(what)
    after = decide(rules, who, what)
    assert after.effect is before.effect
    assert set(after.matches) == set(before.matches)
    assert set(after.obligations) == set(before.obligations)


@given(many_rules, people, many_atoms, atoms)
def test_one_more_atom_never_loosens(rules, who, what, more):
    assert STRICT[decide(rules, who, [*what, more]).effect] >= STRICT[decide(rules, who, what).effect]


@given(many_rules, people, many_atoms)
def test_granting_every_hold_leaves_no_hold_and_lifts_no_block(rules, who, what):
    before = decide(rules, who, what)
    granted = frozenset((item.rule, item.rule_hash) for item in before.approvals)
    after = decide(rules, who, what, granted)
    expected = {Effect.HOLD: Effect.PERMIT}.get(before.effect, before.effect)
    assert after.effect is expected
    assert after.approvals == ()


@given(many_rules, people, many_atoms, st.sampled_from(["allow", "hold", "block"]))
def test_a_mask_never_loosens_anything_but_what_it_says_of_probes(rules, who, what, equality):
    content = {"id": "m", "resource": "db", "columns": ("public.a.x",), "probe": {"equality": equality}}
    mask = compile_mask(MaskRule.model_validate(content), "f:1")
    plain = [item for item in what if item.action is not Action.PROBE]
    if plain:
        before, after = decide(rules, who, plain), decide(rules, who, plain, masks=[mask])
        assert after.effect is before.effect
        assert mask.mask in after.obligations
    for item in what:
        if item.action is Action.PROBE:
            # `other` probes default to hold, and nobody is named to approve.
            assert decide(rules, who, [item], masks=[mask]).effect is Effect.DENY


@given(many_rules, people, many_atoms)
@settings(max_examples=50)
def test_could_never_says_no_to_what_is_then_permitted_or_held(rules, who, what):
    policy = Policy(b"", tuple(rules), (), MappingProxyType({}))
    if decide(rules, who, what).effect is not Effect.DENY:
        for item in what:
            assert policy.could(who, RESOURCE, frozenset({item.action}))
