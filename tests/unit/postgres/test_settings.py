"""The `target` block as an operator writes it: what it means, and every way in which it can be wrong."""

from pathlib import Path

import pytest

from doorward_core.config import load_config
from doorward_core.errors import ConfigError
from doorward_postgres.settings import PostgresTarget
from doorward_postgres.upstream import TlsMode

CONFIG = """\
version: 1
origin: gw.example
listen: [{{unix: run/.s.PGSQL.6432}}]
admin: {{address: 127.0.0.1, port: 9464}}
approvals: {{store: a.sqlite, listen: {{unix: a.sock}}}}
identity: {{issuers: [{{issuer: "https://id.example", audience: [doorward]}}]}}
record: {{folder: log, keys: keys}}
policy: policy.yaml
resources:
  shop:
    protocol: postgres
    target: {target}
    accounts: {{app: {{user: app, password: {{env: APP_PASSWORD}}}}}}
    account: app
"""


@pytest.fixture
def load(tmp_path):
    """The target of a whole configuration, or the problems with it."""

    def one(target):
        path = tmp_path / "gateway.yaml"
        path.write_text(CONFIG.format(target=target))
        (tmp_path / "ca.pem").write_text("")
        (tmp_path / "policy.yaml").write_text("version: 1\n")
        found = load_config(path, {"postgres": PostgresTarget}).resources["shop"].target
        assert isinstance(found, PostgresTarget)
        return found

    return one


def test_the_leg_to_the_target_is_verified_unless_somebody_says_otherwise(load):
    found = load("{host: db.internal, database: shop}")
    assert (found.tls.mode, found.unprotected) == (TlsMode.VERIFY_FULL, False)
    target = found.target()
    assert (target.host, target.port, target.database) == ("db.internal", 5432, "shop")
    assert (target.tls, target.within_s, target.authorities) == (TlsMode.VERIFY_FULL, 15.0, None)


def test_everything_that_is_written_arrives(load, tmp_path):
    target = load(
        "{host: 10.0.0.5, port: 6000, database: shop, connect_timeout: 3s,"
        " tls: {mode: verify-full, ca: ca.pem, server_name: db.example}}"
    ).target()
    assert (target.port, target.within_s, target.server_name) == (6000, 3.0, "db.example")
    assert target.authorities == tmp_path / "ca.pem"


def test_nothing_is_asked_beforehand_unless_it_is_switched_on(load):
    assert not load("{host: db, database: shop}").previews
    found = load("{host: db, database: shop, previews: true, preview_timeout: 500ms}")
    assert (found.previews, found.preview_timeout) == (True, 0.5)


@pytest.mark.parametrize(
    ("target", "unprotected"),
    [
        ("{host: db, database: shop, tls: {mode: disable}}", True),
        ("{host: /run/postgresql, database: shop, tls: {mode: disable}}", False),
        ("{host: /run/postgresql, database: shop}", False),
    ],
)
def test_an_operator_is_told_of_a_leg_that_crosses_a_network_unprotected(load, target, unprotected):
    assert load(target).unprotected is unprotected


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("{database: shop}", "host"),
        ("{host: db}", "database"),
        ('{host: "", database: shop}', "host"),
        ('{host: db, database: ""}', "database"),
        ("{host: db, database: shop, port: 0}", "port"),
        ("{host: db, database: shop, port: 65536}", "port"),
        ("{host: db, database: shop, port: '5432'}", "port"),
        ("{host: db, database: shop, tls: {mode: prefer}}", "mode"),
        ("{host: db, database: shop, tls: {mode: disable, ca: ca.pem}}", "have no meaning"),
        ("{host: db, database: shop, tls: {mode: disable, server_name: x}}", "have no meaning"),
        ("{host: db, database: shop, tls: {ca: nowhere.pem}}", "there is no such file"),
        ("{host: db, database: shop, sslmode: require}", "sslmode"),
        ("{host: db, database: shop, connect_timeout: soon}", "connect_timeout"),
        ("{host: db, database: shop, previews: 3s}", "previews"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_key(load, target, word):
    with pytest.raises(ConfigError) as refused:
        load(target)
    (problem,) = refused.value.problems
    assert word in problem
    assert ":12: resources.shop.target" in problem
    assert Path(problem.partition(":")[0]).name == "gateway.yaml"
