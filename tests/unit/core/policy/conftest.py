"""What the policy's tests share: people, a resource, and short ways to say atoms and operations."""

from dataclasses import dataclass
from types import MappingProxyType

import pytest

from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Decision,
    Identity,
    Limit,
    Mask,
    Operation,
    PrincipalKind,
    Record,
    Resource,
    Target,
)
from doorward_core.policy.decide import Policy
from doorward_core.policy.load import parse_policy

ALL = frozenset({Mask, Approve, Record, Limit})


APP_DB = Resource("app-db", "postgres", MappingProxyType({"env": "prod"}))


@dataclass
class Asking:
    """Asks a policy, with everything that is not said at its plainest."""

    policy: Policy
    resource: Resource = APP_DB
    now: int = 0

    @staticmethod
    def who(*groups, subject="crew-7", issuer="https://idp.example", kind=PrincipalKind.AGENT, **attributes):
        return Identity(
            subject,
            issuer,
            kind,
            frozenset(groups),
            AuthMethod.JWT,
            "jti",
            0,
            0,
            attributes=MappingProxyType(attributes),
        )

    @staticmethod
    def atom(action, name, columns=(), kind="relation", detail=""):
        return Atom(Action(action), Target(kind, name, tuple(columns), detail))

    @staticmethod
    def operation(*atoms, complete=True, action="session", problem=""):
        action = atoms[0].action if atoms else Action(action)
        attributes = {"problem": problem} if problem else {}
        return Operation(b"id", 0, action, "SELECT", atoms, "", b"digest", complete, attributes=attributes)

    def decide(self, identity, *atoms, granted=frozenset(), discharges=ALL, **more) -> Decision:
        operation = self.operation(*atoms, **more)
        return self.policy.decide(identity, self.resource, operation, self.now, granted, discharges=discharges)

    def effect(self, identity, *atoms, **more) -> str:
        return self.decide(identity, *atoms, **more).effect.value


@pytest.fixture
def asking():
    return lambda text, **more: Asking(parse_policy(text, "policy.yaml"), **more)


DESIGN = """
include: [safe-catalog]
rules:
  - id: analysts-read
    effect: allow
    who: {groups: [crew-analysts]}
    resource: app-db
    do: [read]
    tables: ["public.*"]
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: app-db
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, quorum: 2, within: 10m, grant: 5m, in_transaction: 60s}
  - id: no-ddl
    effect: block
    resource: app-db
    do: [define, admin, unknown]
    unless: {groups: [migrations]}
    reason: Schema changes go through migrations.
masks:
  - id: pii
    resource: app-db
    columns: ["public.customer.email", "*.iban"]
    detect: [email, card, iban]
    with: partial
    except: {groups: [privacy-office]}
    probe: {equality: allow, limit: 20/h}
"""


@pytest.fixture
def design(asking):
    return asking(DESIGN)


@pytest.fixture
def analyst(design):
    return design.who("crew-analysts")


@pytest.fixture
def design_text():
    return DESIGN
