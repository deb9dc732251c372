"""Garbage in an operator's file gives faults with lines, and nothing else."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.config import load_config
from doorward_core.config_types import Strict
from doorward_core.config_yaml import read_document
from doorward_core.errors import ConfigError
from doorward_core.policy.load import parse_policy
from doorward_core.policy.test_cases import parse_cases

POLICY = """\
include: [safe-catalog]
rules:
  - {id: r, effect: allow, who: {groups: [g], attributes: {a: ["*"]}}, resource: {labels: {env: [x]}}, do: [read]}
  - {id: w, effect: hold, resource: [a, b], do: [any], tables: ["*", "!x"], approve: {by: {groups: [dba]}, within: 10m}}
masks:
  - {id: m, resource: x, columns: ["*.a"], with: hash, except: {kind: human}, probe: {equality: allow, limit: 20/h}}
"""
CONFIG = """\
version: 1
origin: a.example
listen: [{unix: run/sock}]
approvals: {store: a.sqlite, listen: {unix: b}}
identity: {issuers: [{issuer: "https://i.example", audience: [d], max_age: 1h, kind_values: {x: agent}}]}
record: {folder: log, keys: keys}
policy: nowhere.yaml
resources:
  db:
    protocol: p
    target: {host: h}
    accounts: {a: {user: u, password: {exec: [x], ttl: 5m}}}
"""
CASES = """\
identities: {a: {groups: [g]}}
resources: {db: {}}
cases: [{name: n, must: allow, as: a, on: db, atoms: [{do: read, table: t}]}]
"""
FAULT = re.compile(r"[^:\n]*:[1-9][0-9]*: [^\n]+\Z")
ALPHABET = st.sampled_from([*"aé-:,[]{}'\"#&*!|>%@`?~ \n\t0.x\\\x00\u2028", "\n  ", "- ", ": ", "\\ud800", "---\n"])
garbage = st.lists(ALPHABET, max_size=60).map("".join)


def damaged(text):
    """The text with a few pieces taken out, put in or put elsewhere."""
    place = st.integers(0, len(text))
    piece = st.one_of(garbage, st.sampled_from(text.split()))

    def apply(edits):
        result = text
        for start, length, new in edits:
            result = result[:start] + new + result[start + length :]
        return result

    return st.lists(st.tuples(place, st.integers(0, 20), piece), min_size=1, max_size=3).map(apply)


class Target(Strict):
    host: str


def only_faults(read, *arguments):
    problems = ()
    try:
        read(*arguments)
    except ConfigError as error:
        problems = error.problems or ("nothing said",)
    for problem in problems:
        assert FAULT.match(problem), problem


@given(garbage)
@settings(max_examples=300)
def test_any_text_becomes_a_document_or_faults(text):
    document = read_document(text, "f")
    for problem in document.problems:
        assert FAULT.match(problem.render("f"))
        assert problem.line <= text.count("\n") + 2


@given(damaged(POLICY))
@settings(max_examples=300)
def test_a_damaged_policy_gives_faults(text):
    only_faults(parse_policy, text, "p.yaml")


@given(damaged(CASES))
def test_damaged_cases_give_faults(text):
    only_faults(parse_cases, text, "c.yaml")


@given(text=damaged(CONFIG))
@settings(max_examples=200)
def test_a_damaged_configuration_gives_faults(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "c.yaml"
    path.write_text(text, encoding="utf-8")
    only_faults(load_config, path, {"p": Target})
