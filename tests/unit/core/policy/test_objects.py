"""Object patterns: what they speak of, exactly in an allow and broadly in a hold or a block."""

import pytest

from doorward_core.model import Action, Atom, AuthMethod, Effect, Identity, Operation, PrincipalKind, Resource, Target
from doorward_core.policy.load import parse_policy
from doorward_core.policy.objects import Place, compile_objects, place_of, spell, split_object

ANA = Identity("ana", "idp", PrincipalKind.AGENT, frozenset({"crew"}), AuthMethod.JWT, "1", 0, 1)
CLUSTER = Resource("prod", "k8s")
EXEC = "shop/core/pods/exec/web-0"


def matches(pattern, name, verb="get", *, allows=True):
    return compile_objects([pattern] if isinstance(pattern, str) else pattern).match(name, verb, allows=allows)


@pytest.mark.parametrize(
    ("pattern", "name", "allowed", "blocked"),
    [
        ("shop/apps/deployments/web", "shop/apps/deployments/web", True, True),
        ("shop/apps/deployments/web", "shop/apps/deployments/web2", False, False),
        ("shop/apps/deployments/*", "shop/apps/deployments/", True, True),
        ("shop/apps/deployments/web", "shop/apps/deployments/", False, True),
        ("shop/apps/deployments/web", "-/apps/deployments/", False, True),
        ("*/apps/deployments/*", "-/apps/deployments/", True, True),
        ("shop/core/pods/*", EXEC, False, True),
        ("shop/core/pods/exec/*", EXEC, True, True),
        ("shop/core/pods/exec/*", "shop/core/pods/log/web-0", False, False),
        ("shop/core/pods/exec/*", "shop/core/pods/web-0", False, False),
        ("shop/core/pods/*/*", EXEC, True, True),
        ("shop/**", EXEC, True, True),
        ("shop/**", "store/core/pods/x", False, False),
        ("shop/core/pods/**", "shop/core/pods/x", True, True),
        ("**", "-/core/nodes/n1", True, True),
        ("-/core/nodes/*", "-/core/nodes/n1", True, True),
        ("-/core/nodes/*", "shop/core/pods/p", False, False),
        ("*/core/secrets/*", "shop/core/secrets/db", True, True),
        ("*/core/*/*", "shop/core/secrets/db", False, True),
        ("**", "shop/core/secrets/db", False, True),
        ("shop/**", "shop/core/secrets/", False, True),
        ("*/core/events/*", "shop/events.k8s.io/events/e", False, True),
        ("shop/apps/deployments/w?b", "shop/apps/deployments/web", True, True),
        ("shop/apps/deployments/*", "shop/apps.evil.io/deployments/web", False, False),
    ],
)
def test_an_allow_is_exact_and_a_block_is_broad(pattern, name, allowed, blocked):
    assert matches(pattern, name, allows=True) is allowed
    assert matches(pattern, name, allows=False) is blocked


def test_verbs_narrow_a_pattern():
    assert matches("get,list shop/core/pods/*", "shop/core/pods/a", "list")
    assert not matches("get,list shop/core/pods/*", "shop/core/pods/a", "delete")


def test_an_exception_is_broad_in_an_allow_and_exact_in_a_block():
    patterns = ["*/core/pods/*", "!kube-system/core/pods/*"]
    assert matches(patterns, "shop/core/pods/a")
    assert not matches(patterns, "kube-system/core/pods/a")
    assert not matches(patterns, "-/core/pods/")  # which holds those of kube-system too
    assert matches(patterns, "-/core/pods/", allows=False)


@pytest.mark.parametrize(
    "pattern",
    ["", "pods", "shop/pods/web", "shop//pods/web", "GET shop/core/pods/x", "a/b/c/d/e/f", "shop/**/x", "shop/core/p**/x",
     "shop/core/pods/!x", "shop/core/po[d]s/x", "get  ", "a/b/c/d/e/**"],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_with_words(pattern):
    with pytest.raises(ValueError, match=r".+"):
        split_object(pattern)


def test_a_place_is_read_as_it_is_spelt():
    for place in (Place("shop", "core", "pods", "exec", "web-0"), Place("-", "apps", "deployments", "", "")):
        assert place_of(spell(place)) == place
    assert place_of("a/b/c") is None
    assert not matches("**", "a/b/c")


def decide(rules, *atoms):
    policy = parse_policy(f"version: 1\nrules:\n{rules}", "p.yaml", lambda name: None)
    operation = Operation(b"", 0, atoms[0].action, "exec", atoms, "", b"")
    return policy.decide(ANA, CLUSTER, operation, 0, discharges=frozenset()).effect


def exec_of(program, arguments="", name=EXEC):
    return (
        Atom(Action.EXECUTE, Target("object", name, (), "connect")),
        Atom(Action.EXECUTE, Target("command", program, (), arguments)),
    )


RULE = "  - {{id: {0}, effect: {1}, resource: prod, do: [execute], {2}}}\n"
HERE = RULE.format("a", "allow", 'objects: ["shop/core/pods/exec/*"], commands: ["ls *"]')
THERE = RULE.format("b", "allow", 'objects: ["test/core/pods/exec/*"], commands: ["rm *"]')


def test_an_allow_of_an_object_is_one_of_whatever_runs_in_it():
    rule = RULE.format("a", "allow", 'objects: ["shop/core/pods/exec/*"]')
    assert decide(rule, *exec_of("rm", "-rf /")) is Effect.PERMIT
    assert decide(rule, *exec_of("rm", "-rf /", "test/core/pods/exec/x")) is Effect.DENY


def test_commands_beside_objects_narrow_both_and_two_rules_are_never_added_up():
    assert decide(HERE + THERE, *exec_of("ls", "-l")) is Effect.PERMIT
    assert decide(HERE + THERE, *exec_of("rm", "x", "test/core/pods/exec/x")) is Effect.PERMIT
    assert decide(HERE + THERE, *exec_of("rm", "x")) is Effect.DENY
    assert decide(HERE + THERE, *exec_of("ls", "-l", "test/core/pods/exec/x")) is Effect.DENY


def test_every_command_of_one_exec_must_be_allowed():
    both = (*exec_of("ls"), Atom(Action.EXECUTE, Target("command", "rm", (), "x")))
    assert decide(HERE, *both) is Effect.DENY


def test_a_block_of_commands_in_objects_needs_one_of_each():
    allow = RULE.format("a", "allow", 'objects: ["**"]')
    block = RULE.format("b", "block", 'objects: ["shop/**"], commands: ["rm"]')
    assert decide(allow + block, *exec_of("rm", "x")) is Effect.DENY
    assert decide(allow + block, *exec_of("rm", "x", "test/core/pods/exec/x")) is Effect.PERMIT
    assert decide(allow + block, *exec_of("ls")) is Effect.PERMIT


def test_a_rule_of_commands_alone_speaks_of_them_wherever_they_run():
    allow = RULE.format("a", "allow", 'objects: ["**"]')
    block = RULE.format("b", "block", 'commands: ["rm"]')
    assert decide(allow + block, *exec_of("rm", "x")) is Effect.DENY
