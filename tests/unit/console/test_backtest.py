"""What another policy would have done: written by the real log, decided by the real policy."""

from dataclasses import replace
from typing import Final

import pytest
import trio

from doorward_console.backtest import UNTOLD_FACTS, UNTOLD_POLICY, UNTOLD_REPEAT, UNTOLD_SEALED, backtest
from doorward_core import entries
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Operation,
    Peer,
    PrincipalKind,
    ReasonCode,
    Resource,
    Session,
    Target,
)
from doorward_core.policy.decide import Policy
from doorward_core.policy.load import parse_policy
from doorward_core.record.reader import LogReader
from doorward_core.record.writer import Log

NOW: Final = 1_800_000_000_000_000_000
MAIN = """\
version: 1
include: [tables.yaml]
rules:
  - {id: changes, effect: hold, resource: shop, do: [write], approve: {by: {groups: [dba]}}}
"""
TABLES = """\
version: 1
rules:
  - {id: reads, effect: allow, who: {groups: [analysts]}, resource: shop, do: [read], tables: ["public.*"]}
"""
AGENT = Identity("crew-7", "https://id", PrincipalKind.AGENT, frozenset({"analysts"}), AuthMethod.JWT, "j", 0, 0)
SHOP = Resource("shop", "postgres", account="app")


def loaded(text: str, tables: str = TABLES) -> Policy:
    return parse_policy(text, "policy.yaml", lambda _including, what: (what, tables))


def operation(number: int, action: Action, table: str) -> Operation:
    atom = Atom(action, Target("relation", f"public.{table}"))
    return Operation(bytes([number]) * 16, number, action, action.upper(), (atom,), f"{action} {table}", b"")


OPERATIONS = (
    operation(1, Action.READ, "orders"),
    operation(2, Action.READ, "salary"),
    operation(3, Action.WRITE, "orders"),
)


def asked(policy: Policy, *, digest: bytes = b"", wrong: bool = False):
    """A session under a policy: the events that its gateway would have written."""
    digest = digest or policy.digest
    session = Session(b"s" * 16, AGENT, SHOP, "app", Peer("10.0.0.7"), "gw", NOW, digest)
    yield entries.policy_loaded(policy.digest, policy.texts)
    yield entries.session_opened(session, read_only=False, observe=False, facts={})
    for one in OPERATIONS:
        decision = policy.decide(AGENT, SHOP, one, NOW, discharges=frozenset())
        if decision.effect is Effect.DENY and decision.reason is ReasonCode.OBLIGATION_UNSUPPORTED:
            decision = replace(decision, effect=Effect.HOLD, reason=ReasonCode.RULE)
        if wrong:
            decision = Decision(Effect.DENY, ReasonCode.RULE, "", digest)
        decision = replace(decision, policy_digest=digest)
        if decision.effect is Effect.HOLD:
            yield entries.held(session, one, decision, request_id="ap-1", expires_unix_ns=NOW, card=b"")
            decision = replace(decision, effect=Effect.DENY, reason=ReasonCode.TIMED_OUT)
            yield entries.decided(session, one, decision, request_id="ap-1")
        else:
            yield entries.decided(session, one, decision)
    expired = Decision(Effect.DENY, ReasonCode.EXPIRED, "", digest)
    yield entries.decided(session, operation(9, Action.READ, "orders"), expired)


@pytest.fixture
def write(tmp_path):
    def written(events, recipients=()):
        async def run():
            async with trio.open_nursery() as nursery:
                log = await Log.open(
                    tmp_path / "log", origin="gw", signer=tmp_path / "key", nursery=nursery,
                    keys=tmp_path / "keys", recipients=recipients,
                )  # fmt: skip
                for event in events:
                    log.append(event, NOW)
                await log.aclose()

        trio.run(run)
        return list(LogReader(tmp_path / "log").entries())

    return written


def test_the_same_policy_decides_the_same(write):
    policy = loaded(MAIN)
    found = backtest(write(asked(policy)), policy, {})
    assert (found.asked, found.same, found.differs) == (4, 4, False)
    assert found.apart == {"the credential had expired": 1}


def test_what_would_be_decided_otherwise_is_counted_and_named(write):
    tried = loaded(
        MAIN.replace("effect: hold", "effect: block").replace(", approve: {by: {groups: [dba]}}", ""),
        TABLES.replace('"public.*"', '"public.orders"'),
    )
    found = backtest(write(asked(loaded(MAIN))), tried, {})
    assert found.changed == {("hold", "block"): 1, ("allow", "block"): 1}
    groups = {(group.was, group.would): group for group in found.groups}
    assert "salary" in groups["allow", "block"].what
    assert groups["hold", "block"].rules == ("changes",)
    assert groups["hold", "block"].subjects == {"crew-7"}
    assert found.asked == found.same + sum(found.changed.values())


def test_sessions_that_would_not_open_and_masks_that_would_be_others_are_told(write):
    written = write(asked(loaded(MAIN)))
    shut = loaded("version: 1\n")
    assert ("allow", "block") in backtest(written, shut, {}).changed
    masked = loaded(MAIN + 'masks:\n  - {id: pii, resource: shop, columns: ["*.email"], with: redact}\n')
    (group,) = backtest(written, masked, {}).masks
    assert (group.gone, group.new, group.sessions) == ((), ("pii (redact of *.email)",), 1)


def test_nothing_is_claimed_where_the_record_says_too_little(write):
    policy = loaded(MAIN)
    written = write(asked(policy, digest=b"x" * 32))
    lost = backtest(written, policy, {})
    assert (lost.same, lost.untold) == (0, {UNTOLD_POLICY: 4})
    other = backtest(written, policy, {}, since_unix_ns=NOW + 1)
    assert other.asked == 0


def test_a_decision_that_its_own_policy_would_not_give_is_not_built_on(write):
    policy = loaded(MAIN)
    assert backtest(write(asked(policy, wrong=True)), loaded("version: 1\n"), {}).untold[UNTOLD_REPEAT] == 3


def test_facts_that_are_not_on_record_are_not_guessed(write):
    tried = loaded(MAIN, TABLES.replace("do: [read]", 'do: [read], when: {query.limit: ["1?"]}'))
    assert backtest(write(asked(loaded(MAIN))), tried, {}).untold == {UNTOLD_FACTS: 2}


def test_sealed_content_is_said_to_be_so(write):
    from pyrage import x25519  # noqa: PLC0415 - here alone

    recipient = str(x25519.Identity.generate().to_public())
    found = backtest(write(asked(loaded(MAIN)), (recipient,)), loaded(MAIN), {})
    assert UNTOLD_SEALED in found.untold
    assert found.same == 0
