"""Standing access, revocation and broken glass, through real gateways, with real clients and the command."""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from gateway_stack import CONFIG as POSTGRES_CONFIG
from gateway_stack import POLICY
from http_stack import CONFIG as HTTP_CONFIG
from ssh_stack import CONFIG as SSH_CONFIG

from doorward_core.event import EventKind
from doorward_core.record.reader import LogReader

SETTINGS = """\
operators: {{groups: [on-call]}}
break_glass: {{groups: [fire], reviewers: [audit], longest: 1h}}
policy: policy.yaml"""
STANDING = POLICY.replace("grant: 5m,", "grant: 5m, standing: 2h,")
INSERT = "insert into imports (what) values ('{}');\n"


def doorward(gateway, *words, token=None, subject="olga", groups=("on-call",), kind="human"):
    """Run the command as somebody."""
    environment = {
        **os.environ,
        "DOORWARD_GATEWAY": gateway.control,
        "DOORWARD_TOKEN": token or gateway.issuer.issue(subject, kind, tuple(groups)),
        "COLUMNS": "250",
    }
    command = [sys.executable, "-m", "doorward_console", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def answered(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def entries(gateway, kind):
    return [entry for entry in LogReader(gateway.log).entries() if entry.kind == kind]


def recorded(gateway, kind, count=1):
    """Entries of a kind, once there are so many."""
    end = time.monotonic() + 120
    while len(found := entries(gateway, kind)) < count:
        assert time.monotonic() < end, f"no {count} {kind} on record"
        time.sleep(0.02)
    return found


class Psql:
    """A psql that stays: statements go in, and what it says comes out. It is ended with the test."""

    def __init__(self, gateway, **who) -> None:
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", gateway.conninfo(**who)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, statement, *, until):
        """Send a statement and read up to a line that has these words."""
        self.process.stdin.write(f"{statement}select '{until}';\n")
        self.process.stdin.flush()
        said = []
        while not said or until not in said[-1]:
            line = self.process.stdout.readline()
            assert line, f"it ended: {said}"
            said.append(line)
        return said[:-1]

    def end(self):
        """What it said last, once it has ended by itself."""
        self.process.stdin.close()
        said = self.process.stdout.read()
        self.process.wait(120)
        return said


@pytest.fixture
def psql():
    running = []

    def start(gateway, **who):
        running.append(Psql(gateway, **who))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait(120)
        one.process.stdout.close()
        one.process.stdin.close()


@pytest.fixture
def shop(own_gateway):
    gateway = own_gateway(config=POSTGRES_CONFIG.replace("policy: policy.yaml", SETTINGS), policy=STANDING)
    with gateway.connect(groups=("anything",), subject="truth") as connection:
        connection.execute("drop table if exists imports")
        connection.execute("create table imports (what text)")
    end = time.monotonic() + 120
    while gateway.call("GET", "/v1/sessions", gateway.approver("olga", ("on-call",)))[1]["sessions"]:
        assert time.monotonic() < end, "a session whose client has gone stays"
        time.sleep(0.02)
    return gateway


def revoke(gateway, *words):
    return answered(doorward(gateway, "revoke", *words, "--reason", "it runs wild", "--json"))


def told_to_revoke(gateway, what, value, groups=("on-call",)):
    """The same without the time that the command takes to start."""
    body = {"what": what, "value": value, "reason": "it runs wild"}
    return gateway.call("POST", "/v1/revocations", gateway.issuer.issue("olga", "human", groups), body)


def vote(gateway, name):
    status, answer = gateway.vote(name)
    assert (status, answer["state"]) == (200, "granted"), answer


@pytest.mark.need_embedded_postgres
def test_standing_access_is_asked_approved_used_and_revoked_with_the_session(shop, psql):
    token = shop.token()
    one = psql(shop, token=token)
    assert one.run("", until="ready") == []

    asked = answered(doorward(shop, "access", "ask", "shop", "--do", "write", "--for", "2h", "--reason", "the import",
                              "--json", token=token))  # fmt: skip
    name = asked["request"]["id"]
    card = doorward(shop, "approvals", "show", name, subject="tom", groups=("dba",)).stdout
    assert "stands    for 2 h 0 min from the approval" in card
    assert "  | the import" in card
    done = doorward(shop, "approvals", "approve", name, "--yes", subject="tom", groups=("dba",))
    assert "it is granted" in done.stdout, done.stderr

    assert one.run(INSERT.format("a") + INSERT.format("b"), until="both") == []
    decided = [entry for entry in entries(shop, EventKind.OPERATION_DECIDED) if entry.header["verb"] == "INSERT"]
    assert [entry.header["request"] for entry in decided] == [name, name]
    assert entries(shop, EventKind.OPERATION_HELD) == []
    listed = doorward(shop, "access", "list", token=token).stdout
    assert name in listed
    assert "the import" in listed

    status, answer = told_to_revoke(shop, "subject", "crew-1")
    assert (status, answer["sessions"]) == (200, 1), answer
    recorded(shop, EventKind.SESSION_CLOSED, 2)  # the first is that of who made the table
    one.process.stdin.write("select 1;\n")
    assert "an operator has revoked this access: it runs wild" in one.end()
    refused = shop.psql("select 1", token=token, check=False)
    assert "an operator has revoked this access" in refused
    assert "an operator has revoked this access" in shop.psql("select 1", check=False)
    (closed,) = [entry for entry in entries(shop, EventKind.SESSION_CLOSED) if entry.header["subject"] == "crew-1"]
    assert closed.header["reason"] == "ended by an operator"
    assert json.loads(doorward(shop, "access", "list", "--json").stdout) == {"access": []}


@pytest.mark.need_embedded_postgres
def test_standing_access_survives_a_restart_and_can_be_taken_back(shop):
    asked = answered(doorward(shop, "access", "ask", "shop", "--do", "write", "--for", "2h", "-r", "x", "--json",
                              token=shop.token()))  # fmt: skip
    name = asked["request"]["id"]
    vote(shop, name)
    shop.stop()
    shop.start(shop.environment)
    with shop.connect() as connection:
        connection.execute("insert into imports (what) values ('after')")
    assert "stands no more" in doorward(shop, "access", "revoke", name, "-r", "done").stdout
    with shop.connect() as connection:
        connection.execute("set statement_timeout = 0")
        held = subprocess.Popen(["psql", "-X", shop.conninfo(), "-c", INSERT.format("held")],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        (request,) = shop.waiting()
        assert request["verb"] == "INSERT"
        shop.vote(request["id"], "reject", reason="no more")
        assert b"no more" in held.communicate(timeout=120)[0]


@pytest.mark.need_embedded_postgres
def test_who_waits_for_standing_access_is_told_each_step(own_gateway):
    policy = STANDING.replace("quorum: 1", "quorum: 2")
    gateway = own_gateway(config=POSTGRES_CONFIG.replace("policy: policy.yaml", SETTINGS), policy=policy)
    environment = {**os.environ, "DOORWARD_GATEWAY": gateway.control, "DOORWARD_TOKEN": gateway.token()}
    command = [sys.executable, "-m", "doorward_console", "access", "ask", "shop", "--do", "write", "--for", "90s"]
    asking = subprocess.Popen(
        [*command, "-r", "x", "--wait"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    (request,) = gateway.waiting()
    name = request["id"]
    assert asking.stdout.readline() == f"{name} waits for people; 2 needed\n"
    gateway.vote(name)
    assert asking.stdout.readline() == f"{name}: 1 approved, 1 more needed\n"
    gateway.vote(name, token=gateway.approver("eve"))
    assert asking.stdout.readline().startswith(f"{name}: it stands until ")
    assert asking.wait(120) == 0
    asking.stdout.close()


@pytest.mark.need_embedded_postgres
@pytest.mark.need_psql
def test_psql_that_waits_is_told_each_step(own_gateway):
    gateway = own_gateway(policy=POLICY.replace("quorum: 1", "quorum: 2"))
    psql = subprocess.Popen(
        ["psql", "-X", gateway.conninfo(), "-c", "update customer set newsletter = false where id = 2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    (request,) = gateway.waiting()
    assert "held for approval" in psql.stderr.readline()
    gateway.vote(request["id"])
    while "have approved" not in (said := psql.stderr.readline()):
        assert said
    assert re.fullmatch(rf"NOTICE:  doorward: 1 of 2 have approved; waiting at most \d+ s \[{request['id']}\]\n", said)
    gateway.vote(request["id"], token=gateway.approver("eve"))
    out, err = psql.communicate(timeout=120)
    assert (psql.returncode, out, err) == (0, "UPDATE 1\n", "")


@pytest.mark.need_embedded_postgres
def test_what_is_held_when_it_is_revoked_never_runs_and_a_restart_forgets_nothing(shop):
    held = subprocess.Popen(["psql", "-X", shop.conninfo(), "-c", INSERT.format("never")],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    (request,) = shop.waiting()
    answer = revoke(shop, "everything")
    assert answer["sessions"] == 1
    assert b"an operator has revoked this access: it runs wild" in held.communicate(timeout=120)[0]
    shop.vote(request["id"])
    shop.stop()
    shop.start(shop.environment)
    assert "an operator has revoked this access" in shop.psql("select 1", groups=("anything",), check=False)
    assert "everything" in doorward(shop, "revoke", "--list").stdout
    assert "is lifted" in doorward(shop, "revoke", "--lift", answer["id"], "--reason", "mended").stdout
    assert doorward(shop, "revoke", "--list").stdout == "nothing is revoked\n"
    assert "(0 rows)" in shop.psql("select * from imports", groups=("anything",))
    (restored,) = entries(shop, EventKind.ACCESS_RESTORED)
    assert restored.header["operator"] == "olga"


@pytest.mark.need_embedded_postgres
def test_broken_glass_goes_on_at_once_ends_by_itself_and_owes_a_review(shop, psql):
    dora = {"subject": "dora", "kind": "human", "groups": ("crew-analysts", "fire")}

    def broken(lifetime):
        words = ("break-glass", "open", "shop", "--for", lifetime, "-r", "orders hang", "--json")
        return answered(doorward(shop, *words, **dora))

    opened = broken("1s")
    assert '"break_glass.opened"' in shop.said()
    sign = ("break-glass", "review", opened["id"], "--words", "nothing done; fine")
    tom = {"subject": "tom", "groups": ("audit",)}
    end = time.monotonic() + 120
    while (signed := doorward(shop, *sign, **tom)).returncode and "still open" in signed.stderr:
        assert time.monotonic() < end
    assert f"{opened['id']} is reviewed" in signed.stdout, signed.stderr
    assert doorward(shop, "break-glass", "list", **tom).stdout == "no review is owed\n"
    assert "tom: nothing done; fine" in doorward(shop, "break-glass", "list", "--state", "all", **tom).stdout
    held = subprocess.Popen(["psql", "-X", shop.conninfo(token=shop.token(**dora)), "-c", INSERT.format("late")],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    (request,) = shop.waiting()
    shop.vote(request["id"], "reject")
    held.communicate(timeout=120)

    opened = broken("1h")
    one = psql(shop, token=shop.token(**dora))
    assert one.run(INSERT.format("fire"), until="done") == []
    decided = [entry for entry in entries(shop, EventKind.OPERATION_DECIDED) if entry.header["verb"] == "INSERT"]
    (permitted,) = [entry for entry in decided if entry.header["verdict"] == "permit"]
    assert permitted.header["request"] == opened["id"]
    assert "schema" in "".join(one.run("drop table imports;\n", until="blocked")).lower()
    assert opened["id"] in doorward(shop, "break-glass", "list", **tom).stdout


@pytest.mark.need_embedded_postgres
def test_one_command_revokes_at_several_gateways_and_names_the_one_that_is_down(shop, tmp_path):
    both = ("--gateway", shop.control, "--gateway", f"unix:{tmp_path}/none.sock")
    done = doorward(shop, "revoke", "subject", "crew-1", "-r", "it runs wild", *both)
    assert done.returncode == 2
    assert re.fullmatch(rf"{shop.control}: rv-\w+: subject crew-1 is revoked; 0 sessions ended\n", done.stdout)
    assert f"unix:{tmp_path}/none.sock: nothing is done there: the gateway at" in done.stderr
    assert "an operator has revoked this access" in shop.psql("select 1", check=False)
    listed = doorward(shop, "revoke", "--list", *both)
    assert (listed.returncode, "crew-1" in listed.stdout, shop.control in listed.stdout) == (2, True, True)
    (one,) = json.loads(doorward(shop, "revoke", "--list", *both, "--json").stdout)[shop.control]["revocations"]
    twice = ("--gateway", shop.control, "--gateway", "/./".join(shop.control.rsplit("/", 1)))
    lifted = doorward(shop, "revoke", "--lift", one["id"], "-r", "mended", *twice)
    assert lifted.returncode == 0, lifted.stderr  # at the one that has it; the other has nothing of that name any more
    assert doorward(shop, "revoke", "--list").stdout == "nothing is revoked\n"


@pytest.mark.need_embedded_postgres
def test_the_command_says_no_in_words(shop):
    for words, said in (
        (("revoke",), "say what to revoke"),
        (("revoke", "everything"), "say why"),
        (("revoke", "token", "x", "--list"), "say what to revoke"),
        (("access", "ask", "shop", "--do", "read", "--for", "2", "-r", "x"), "no time with its unit"),
        (("access", "ask", "shop", "--do", "read", "--for", "2h", "-r", "x"), "nothing is granted to you"),
        (("access", "revoke", "ap-000000000000", "-r", "x"), "no such access"),
        (("break-glass", "open", "shop", "-r", "x"), "only people in a group of `break_glass`"),
        (("revoke", "--lift", "rv-000000000000", "-r", "x"), "no such revocation"),
    ):
        done = doorward(shop, *words)
        assert done.returncode != 0
        assert said in done.stderr, done.stderr


@pytest.mark.need_embedded_postgres
def test_whoever_is_revoked_is_not_heard_on_the_control_port_either(shop):
    (status, answer) = shop.call("GET", "/v1/whoami", shop.approver())
    assert (status, answer["break_glass"]) == (200, False)
    revoke(shop, "subject", "tom")
    assert shop.call("GET", "/v1/whoami", shop.approver())[0] == 401
    assert shop.call("GET", "/v1/whoami", shop.approver("eve"))[0] == 200


@pytest.mark.need_embedded_postgres
def test_a_gateway_does_not_start_with_a_list_of_revocations_that_was_altered(shop):
    revoke(shop, "subject", "crew-1")
    shop.stop()
    ledger = shop.state / "approvals.sqlite.access"
    ledger.write_bytes(ledger.read_bytes().replace(b"crew-1", b"crew-2"))
    with pytest.raises(AssertionError, match="what it says is revoked cannot be believed"):
        shop.start(shop.environment)


@pytest.mark.need_sshd
def test_a_command_over_ssh_ends_with_the_token_of_its_certificate(own_ssh_gateway):
    gateway = own_ssh_gateway(config=SSH_CONFIG.replace("policy: policy.yaml", SETTINGS))
    running = gateway.popen("sleep 600")
    (opened,) = recorded(gateway, EventKind.SESSION_OPENED)
    recorded(gateway, EventKind.OPERATION_DECIDED)
    status, answer = told_to_revoke(gateway, "token", opened.header["credential"].partition(":")[2])
    assert (status, answer["sessions"]) == (200, 1), answer
    assert running.wait(120) != 0
    assert b"an operator has revoked this access: it runs wild" in running.stderr.read()
    again = gateway.ssh("uptime")
    assert again.returncode != 0
    assert b"load average" not in again.stdout


def test_a_request_over_http_that_is_held_ends_and_the_next_is_refused(own_http):
    gateway = own_http(config=HTTP_CONFIG.replace("policy: policy.yaml", SETTINGS))
    token = gateway.token()
    held = gateway.curling("/crm/orders/7", "-X", "POST", "-d", "{}", token=token)
    gateway.waiting()
    status, answer = told_to_revoke(gateway, "subject", "crew-1")
    assert (status, answer["sessions"]) == (200, 1), answer
    ended = gateway.finished(held)
    assert ended.status == 403
    assert b"an operator has revoked this access" in ended.body
    assert gateway.curl("/crm/customers/42", token=token).status == 403
    assert gateway.curl("/crm/customers/42", subject="crew-2").status == 200


@pytest.mark.need_kubectl
def test_a_watch_on_kubernetes_ends(own_k8s):
    gateway = own_k8s()
    watching = gateway.start_kubectl("get", "pods", "--watch")
    gateway.until_recorded(EventKind.OPERATION_DECIDED, "watch")
    status, answer = told_to_revoke(gateway, "everything", "", groups=("platform",))
    assert (status, answer["sessions"] > 0) == (200, True), answer
    gateway.finished(watching, within_s=120)  # a stream that has begun can only be cut; the next call says why
    again = gateway.kubectl("get", "pods", check=False)
    assert again.code != 0
    assert "an operator has revoked this access" in again.said
