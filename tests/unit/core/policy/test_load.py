import pytest

from doorward_core.errors import ConfigError
from doorward_core.policy.load import load_policy, parse_policy

RULE = "  - {id: ID, effect: allow, resource: app-db, do: [read]}\n"


def faults(text, resolver=None):
    with pytest.raises(ConfigError) as raised:
        parse_policy(text, "p.yaml", resolver)
    return list(raised.value.problems)


def rules(*lines):
    return "rules:\n" + "".join(f"  - {line}\n" for line in lines)


def test_an_empty_policy_allows_nothing_and_loads():
    assert parse_policy("", "p.yaml").rules == ()
    assert parse_policy("version: 1\n", "p.yaml").rules == ()


def test_every_fault_of_a_file_is_told_at_once_in_order_of_lines():
    text = (
        "include: [safe-catalogue]\n"
        "rules:\n"
        "  - id: a\n"
        "    efect: allow\n"
        "    resource: app-db\n"
        "    do: [raed]\n"
        "  - {id: b, effect: hold, resource: x, do: [write], approve: {by: {groups: [dba]}, quorum: two}}\n"
        "  - {id: c, effect: block, resource: x, do: [read], tables: []}\n"
        "masks:\n"
        "  - {id: m, resource: x, columns: ['*.a'], with: partially, probe: {limit: often}}\n"
        "ruls: []\n"
    )
    found = faults(text)
    assert [item.split(": ")[:2] for item in found] == [
        ["p.yaml:1", "include[0]"],
        ["p.yaml:3", "rules[0].effect"],
        ["p.yaml:4", "rules[0].efect"],
        ["p.yaml:6", "rules[0].do[0]"],
        ["p.yaml:7", "rules[1].approve.quorum"],
        ["p.yaml:8", "rules[2].tables"],
        ["p.yaml:10", "masks[0].with"],
        ["p.yaml:10", "masks[0].probe.limit"],
        ["p.yaml:11", "ruls"],
    ]
    assert "did you mean `effect`?" in found[2]
    assert "did you mean `read`?" in found[3]
    assert "did you mean `rules`?" in found[8]


def test_of_a_file_that_cannot_be_read_that_alone_is_told():
    (found,) = faults("rules: [*]\n")
    assert found.startswith("p.yaml:1: rules[0]: not valid YAML: put text that begins with `*` or `&` in quotes")


def test_a_word_that_is_no_slip_of_an_action_is_not_taken_for_one():
    (found,) = faults(rules("{id: a, effect: allow, resource: x, do: [select]}"))
    assert found.endswith("`forward` or `unknown`, found text")


def test_an_id_stands_once_over_rules_masks_and_includes():
    text = (
        "include: [b.yaml]\n"
        + rules("{id: a, effect: allow, resource: x, do: [read]}")
        + ("masks:\n  - {id: a, resource: x, columns: ['*']}\n")
    )
    other = rules("{id: a, effect: block, resource: x, do: [read]}")
    found = faults(text, lambda _including, what: (what, other))
    assert found == [
        "p.yaml:3: rules[0].id: `a` is already the id at b.yaml:2",
        "p.yaml:5: masks[0].id: `a` is already the id at b.yaml:2",
    ]


def test_faults_of_included_files_are_told_with_their_own_names():
    found = faults("include: [b.yaml]\nx: 1\n", lambda _including, what: (what, "y: 1\n"))
    assert [item.split(":")[0] for item in found] == ["p.yaml", "b.yaml"]
    found = faults("include: [b.yaml]\n", lambda _including, what: (what, "y: 1\n"))
    assert found == ["b.yaml:1: y: unknown key; known: include, masks, rules, version"]


def test_includes_are_relative_and_count_once(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "p.yaml").write_text("include: [sub/b.yaml, sub/c.yaml, safe-catalog]\n")
    (tmp_path / "sub/b.yaml").write_text("include: [c.yaml]\n" + "rules:\n" + RULE.replace("ID", "b"))
    (tmp_path / "sub/c.yaml").write_text("rules:\n" + RULE.replace("ID", "c"))
    policy = load_policy(tmp_path / "p.yaml")
    assert sorted(rule.id for rule in policy.rules) == [
        "b",
        "c",
        "safe-catalog",
        "safe-catalog-roles",
        "safe-catalog-settings",
    ]
    assert len(policy.texts) == 4
    assert policy.texts["safe-catalog"].startswith("# safe-catalog")


def test_a_cycle_of_includes_is_a_fault(tmp_path):
    (tmp_path / "a.yaml").write_text("include: [b.yaml]\n")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\n")
    with pytest.raises(ConfigError, match="includes itself"):
        load_policy(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("safe-catalogue", "`safe-catalogue` is no shipped rule set; did you mean `safe-catalog`?"),
        ("nowhere.yaml", "cannot be read: No such file"),
    ],
)
def test_an_include_that_is_not_there_is_a_fault(tmp_path, include, said):
    (tmp_path / "a.yaml").write_text(f"include: [{include}]\n")
    with pytest.raises(ConfigError) as raised:
        load_policy(tmp_path / "a.yaml")
    assert said in raised.value.problems[0]


def test_too_many_files_are_refused():
    def endless(_including, what):
        number = int(what.removesuffix(".yaml"))
        return what, f"include: [{number + 1}.yaml]\n"

    assert "more than 64 files" in faults("include: [1.yaml]\n", endless)[0]


def test_the_digest_depends_on_meaning_alone():
    one = rules("{id: a, effect: allow, resource: x, do: [read]}", "{id: b, effect: block, resource: x, do: [write]}")
    same = (
        "# a remark\nversion: 1\nrules:\n"
        "  - do: [write]\n    resource: [x]\n    id: 'b'\n    effect: block\n"
        "  - id: a\n    effect: allow\n    resource: {names: [x]}\n    do:\n      - read\n    connect: true\n"
    )
    digest = parse_policy(one, "p.yaml").digest
    assert parse_policy(same, "other.yaml").digest == digest
    assert len(digest) == 32
    for old, new in (("[read]", "[write]"), ("effect: allow", "effect: block"), ("id: a", "id: c"), ("x,", "y,")):
        assert parse_policy(one.replace(old, new, 1), "p.yaml").digest != digest


def test_a_line_end_that_editors_hide_is_refused_in_files_too(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"# allow nobody\rrules: []\n")
    with pytest.raises(ConfigError, match=r"U\+000D"):
        load_policy(tmp_path / "p.yaml")


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_policy(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_policy(tmp_path / "latin.yaml")
