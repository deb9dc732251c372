"""The rules of a policy in words."""

import pytest

from doorward_console.policy_words import rules_in_words
from doorward_core.policy.load import parse_policy

HEAD = "version: 1\nrules:\n"


def said(line: str) -> str:
    return rules_in_words(parse_policy(f"{HEAD}  - {line}\n", "policy.yaml"))[0].words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{id: a, effect: allow, resource: '*', do: [any]}", "Everybody may do anything at all on every resource."),
        (
            (
                "{id: a, effect: allow, who: {groups: [analysts], kind: agent}, resource: shop, do: [read], "
                "tables: ['public.*', '!public.salary']}"
            ),
            "Agents in analysts may read tables public.* and anything but public.salary on shop.",
        ),
        (
            (
                "{id: a, effect: hold, resource: shop, do: [write, define], approve: {by: {groups: [dba, leads]}, "
                "quorum: 2, within: 10m, proof: webauthn, fresh: 5m, standing: 4h}}"
            ),
            (
                "Everybody may write or change definitions on shop, once 2 of dba or leads approved it within 10 min, by webauthn, "
                "logged in at most 5 min before; standing access for up to 4 h may be asked for."
            ),
        ),
        (
            "{id: a, effect: block, unless: {groups: [ops]}, resource: {labels: {env: [prod]}}, do: [execute]}",
            "Everybody (but not: whoever is in ops) may not execute on what has env prod.",
        ),
        (
            (
                "{id: a, effect: allow, resource: crm, do: [read], requests: ['GET /x'], when: {query.limit: ['1?']}, "
                "limit: {rows: 10}, accounts: [app]}"
            ),
            "Everybody may read requests GET /x on crm as app, where query.limit is 1?, at most 10 rows.",
        ),
    ],
)
def test_whatever_a_rule_says_is_in_its_sentence(rule, words):
    assert said(rule) == words


def test_masks_are_told_too_and_included_files_with_them():
    text = "version: 1\ninclude: [safe-catalog]\nmasks:\n  - {id: pii, resource: shop, columns: ['*.email'], with: partial}\n"
    told = rules_in_words(parse_policy(text, "policy.yaml"))
    assert told[-1].effect == "mask"
    assert told[-1].words.startswith("On shop, columns and members *.email in what comes back become partial;")
    assert len(told) > 3
    assert all(one.source for one in told)
