"""Attacks on standing access, revocation and broken glass, through a real gateway, its control API and its target.

"Nothing reached the target" is checked at the target's own socket, as everywhere in this folder.
"""

import sqlite3
import subprocess
from contextlib import closing, contextmanager

import psycopg
import pytest
from gateway_stack import CONFIG, POLICY, started

pytestmark = pytest.mark.need_embedded_postgres

SETTINGS = """\
operators: {{groups: [on-call]}}
break_glass: {{groups: [fire], reviewers: [audit], longest: 30m}}
policy: policy.yaml"""
STANDING = POLICY.replace("grant: 5m,", "grant: 5m, standing: 2h,").replace(
    "groups: [dba]", "groups: [dba, crew-analysts]"
)
WRITE = "insert into visits (what) values ('{}')"
WISH = {"resource": "shop", "actions": ["write"], "seconds": 3600, "reason": "the import"}


@pytest.fixture(scope="module")
def house(shop_server, tmp_path_factory):
    config = CONFIG.replace("policy: policy.yaml", SETTINGS).replace(
        "account: app\n", "account: app\n  annex:\n    protocol: postgres\n    target: {{host: 127.0.0.1, port: {target},"
        " database: {database}, tls: {{mode: disable}}}}\n    accounts: {{app: {{user: app, password: {{env: APP_PASSWORD}}}}}}\n"
    )  # fmt: skip
    policy = STANDING.replace("resource: shop", "resource: [shop, annex]")
    with started(shop_server, tmp_path_factory.mktemp("access"), config=config, policy=policy) as gateway:
        with gateway.connect(groups=("anything",), subject="truth") as connection:
            connection.execute("drop table if exists visits")
            connection.execute("create table visits (what text)")
        gateway.clients.clear()
        yield gateway


@pytest.fixture
def written(house):
    """What the attacks have written, at the target itself."""

    def rows():
        with house.connect(groups=("anything",), subject="truth") as connection:
            return [what for (what,) in connection.execute("select what from visits order by what")]

    with house.connect(groups=("anything",), subject="truth") as connection:
        connection.execute("delete from visits")
    yield rows
    while house.clients:
        house.clients.pop().close()


def person(house, subject, *groups, kind="human", **how):
    return house.issuer.issue(subject, kind, groups, **how)


@pytest.fixture
def olga(house):
    return person(house, "olga", "on-call")


def ask(house, token, **change):
    return house.call("POST", "/v1/access", token, {**WISH, **change})


def granted(house, token, **change):
    status, asked = ask(house, token, **change)
    assert status == 200, asked
    name = asked["request"]["id"]
    status, answer = house.vote(name)
    assert (status, answer["state"]) == (200, "granted"), answer
    return name


def end(house, name):
    assert house.call("POST", f"/v1/access/{name}/revoke", house.approver(), {"reason": "over"})[0] == 200


def verdict(house, token, text, *, dbname="shop"):
    """`ran`, or `held`: then it is rejected."""
    info = house.conninfo(token=token).replace("dbname=shop", f"dbname={dbname}")
    before = {request["id"] for request in house.waiting(0)}
    client = subprocess.Popen(["psql", "-X", info, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while client.poll() is None:
        for request in house.waiting(0):
            if request["id"] not in before:
                house.vote(request["id"], "reject")
                client.communicate(timeout=120)
                return "held"
    return "ran" if client.communicate()[0].startswith(b"INSERT") else "refused"


@contextmanager
def revoked(house, olga, what, value=""):
    status, one = house.call("POST", "/v1/revocations", olga, {"what": what, "value": value, "reason": "it runs wild"})
    assert status == 200, one
    try:
        yield one
    finally:
        house.call("POST", f"/v1/revocations/{one['id']}/lift", olga, {"reason": "mended"})


def test_ap_01_nobody_grants_themselves_standing_access(house, written):
    agent = house.token("crew-9", sponsor="ann")
    _, asked = ask(house, agent)
    name = asked["request"]["id"]
    for token in (
        agent,
        person(house, "crew-9", "dba"),
        person(house, "CREW-9", "dba"),
        person(house, "ann", "dba"),
        person(house, "crew-10", "dba", kind="agent"),
        person(house, "eve", "sales"),
    ):
        status, answer = house.vote(name, token=token)
        assert status >= 400
        assert answer.get("state") != "granted"
    assert verdict(house, agent, WRITE.format("x")) == "held"
    assert written() == []
    assert house.call("POST", f"/v1/access/{name}/revoke", agent, {"reason": "x"})[0] == 200


def test_ap_02_what_was_asked_for_is_all_that_goes_on(house, written):
    agent = house.token()
    name = granted(house, agent)
    assert verdict(house, agent, WRITE.format("a")) == "ran"
    assert verdict(house, agent, "insert into visits select name from customer limit 1") == "held"
    assert verdict(house, agent, "drop table visits") == "refused"
    assert written() == ["a"]
    end(house, name)


def test_ap_03_standing_access_is_of_one_principal_on_one_resource_until_it_ends(house, written):
    agent = house.token(sponsor="ann")
    name = granted(house, agent)
    for token, dbname in (
        (house.token("crew-2", sponsor="ann"), "shop"),
        (house.token(sponsor="eve"), "shop"),
        (house.token(), "shop"),
        (house.token(kind="human"), "shop"),
        (agent, "annex"),
    ):
        assert verdict(house, token, WRITE.format("x"), dbname=dbname) == "held"
    end(house, name)
    assert verdict(house, agent, WRITE.format("x")) == "held"
    short = granted(house, agent, seconds=1)
    while any(one["id"] == short for one in house.call("GET", "/v1/access", house.approver())[1]["access"]):
        pass
    assert verdict(house, agent, WRITE.format("x")) == "held"
    assert written() == []


def test_ap_03_an_older_copy_of_the_store_revives_nothing(house, written, tmp_path):
    agent = house.token()
    name = granted(house, agent)
    copy = tmp_path / "older.sqlite"
    with closing(sqlite3.connect(house.state / "approvals.sqlite")) as store:
        store.execute("VACUUM INTO ?", (str(copy),))
    end(house, name)
    with closing(sqlite3.connect(house.state / "approvals.sqlite", isolation_level=None)) as store:
        store.execute("ATTACH ? AS older", (str(copy),))
        for table in ("vote", "request"):
            store.execute(f"DELETE FROM {table}")
        for table in ("request", "vote"):
            store.execute(f"INSERT INTO {table} SELECT * FROM older.{table}")
    assert house.call("GET", f"/v1/approvals/{name}", house.approver())[1]["state"] == "granted"
    assert verdict(house, agent, WRITE.format("x")) == "held"
    assert written() == []
    with closing(sqlite3.connect(house.state / "approvals.sqlite", isolation_level=None)) as store:
        store.execute("DELETE FROM request WHERE id = ?", (name,))


def test_ap_06_asking_for_standing_access_is_bounded_and_said(house):
    agent = house.token("crew-flood")
    names = []
    for seconds in range(60, 100):
        status, answer = ask(house, agent, seconds=seconds)
        if status != 200:
            break
        names.append(answer["request"]["id"])
    assert (status, len(names)) == (429, 20)
    assert "already have 20 requests waiting" in answer["detail"]
    for name in names:
        house.call("POST", f"/v1/access/{name}/revoke", agent, {"reason": "over"})


def test_ap_11_revoked_while_held_nothing_runs_and_nobody_is_back(house, written, olga):
    token = house.token("crew-3")
    client = subprocess.Popen(["psql", "-X", house.conninfo(token=token), "-c", WRITE.format("x")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    while not (request := next((one for one in house.waiting() if one["subject"] == "crew-3"), None)):
        pass
    house.recorder.mark()
    with revoked(house, olga, "subject", "CREW-3"):
        house.vote(request["id"])
        assert b"revoked this access" in client.communicate(timeout=120)[0]
        for again in (token, house.token("crew-3"), house.token("crew-3", kind="human")):
            with pytest.raises(psycopg.OperationalError, match="revoked this access"):
                house.connect(token=again)
        assert ask(house, token)[0] == 401
    assert b"insert into visits" not in house.recorder.sent
    assert written() == []


def test_ap_11_whoever_is_no_operator_revokes_and_lifts_nothing(house, olga):
    with revoked(house, olga, "subject", "crew-4") as one:
        for token in (
            person(house, "olga", "on-call", kind="agent"),
            person(house, "tom", "dba"),
            house.token(groups=("on-call",)),
        ):
            body = {"what": "everything", "reason": "x"}
            assert house.call("POST", "/v1/revocations", token, body)[0] == 403
            assert house.call("POST", f"/v1/revocations/{one['id']}/lift", token, {"reason": "x"})[0] == 403
        with pytest.raises(psycopg.OperationalError, match="revoked this access"):
            house.connect(subject="crew-4")


def test_ap_11_a_subject_that_is_revoked_does_not_lift_it_itself(house, olga):
    other = person(house, "otto", "on-call")
    with revoked(house, olga, "subject", "otto") as one:
        assert house.call("POST", f"/v1/revocations/{one['id']}/lift", other, {"reason": "x"})[0] == 401


def test_ap_12_broken_glass_is_one_persons_own_and_opens_no_block(house, written):
    dora = person(house, "dora", "crew-analysts", "fire")
    body = {"resource": "shop", "reason": "orders hang", "seconds": 600}
    for token in (
        person(house, "eve", "crew-analysts"),
        person(house, "crew-5", "crew-analysts", "fire", kind="agent", sponsor="dora"),
        person(house, "dora", "fire"),
    ):
        assert house.call("POST", "/v1/break-glass", token, body)[0] == 403
    status, opened = house.call("POST", "/v1/break-glass", dora, body)
    assert status == 200, opened
    assert verdict(house, dora, WRITE.format("fire")) == "ran"
    assert verdict(house, dora, "drop table visits") == "refused"
    for token, dbname in (
        (person(house, "crew-5", "crew-analysts", kind="agent", sponsor="dora"), "shop"),
        (person(house, "dora", "crew-analysts", kind="agent"), "shop"),
        (person(house, "eve", "crew-analysts"), "shop"),
        (dora, "annex"),
    ):
        assert verdict(house, token, WRITE.format("x"), dbname=dbname) == "held"
    assert written() == ["fire"]


def test_ap_12_nobody_signs_for_what_they_did(house):
    dora = person(house, "dora", "crew-analysts", "fire", "audit")
    body = {"resource": "annex", "reason": "orders hang", "seconds": 1}
    _, opened = house.call("POST", "/v1/break-glass", dora, body)
    path, words = f"/v1/break-glass/{opened['id']}/review", {"words": "fine"}
    for token in (
        dora,
        person(house, "DORA", "audit"),
        person(house, "crew-6", "audit", kind="agent"),
        person(house, "eve", "fire"),
    ):
        assert house.call("POST", path, token, words)[0] == 403
    owed = house.call("GET", "/v1/break-glass?state=owed", person(house, "tom", "audit"))[1]["openings"]
    assert opened["id"] in [one["id"] for one in owed]
