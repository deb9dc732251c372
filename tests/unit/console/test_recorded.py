"""The operations that a log tells of."""

from doorward_console.recorded import Asked, Told, recorded
from doorward_core.model import Effect, PrincipalKind, Resource


def test_each_operation_comes_once_with_what_policy_said(log_entries):
    asked = [item for item in recorded(log_entries, {}) if isinstance(item, Asked)]
    told = [(item.operation.verb if item.operation else "", str(item.was)) for item in asked]
    assert told == [("", "permit"), ("SELECT", "permit"), ("DROP", "deny"), ("UPDATE", "hold")]


def test_who_asked_is_put_together_again(log_entries):
    first = next(iter(recorded(log_entries, {"app-db": Resource("app-db", "postgres", {"env": "prod"})})))
    assert (first.identity.subject, first.identity.sponsor, first.identity.kind) == (
        "crew-7",
        "sam",
        PrincipalKind.AGENT,
    )
    assert first.identity.groups == frozenset({"crew-analysts"})
    assert first.identity.attributes == {"crew": "seven", "task": "mail"}
    assert (first.resource.labels, first.resource.account) == ({"env": "prod"}, "app")


def test_what_it_touched_is_put_together_again(log_entries):
    select = [item for item in recorded(log_entries, {}) if isinstance(item, Asked)][1]
    (atom,) = select.operation.atoms
    assert (atom.action, atom.target.kind, atom.target.name) == ("read", "relation", "public.customer")
    assert (select.was, select.sealed, select.apart) == (Effect.PERMIT, False, "")


def test_a_log_without_a_policy_tells_of_none(log_entries):
    assert not [item for item in recorded(log_entries, {}) if isinstance(item, Told)]
