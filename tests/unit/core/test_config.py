from dataclasses import fields
from pathlib import Path

import pytest

from doorward_core.config import load_config
from doorward_core.config_identity import Issuer
from doorward_core.config_types import FilePath, Strict
from doorward_core.errors import ConfigError
from doorward_core.identity.token import IssuerSettings
from doorward_core.model import PrincipalKind, RecordLevel, Resource

GOOD = """\
version: 1
origin: pg-gateway.example
listen:
  - {address: 127.0.0.1, port: 6432, tls: {certificate: tls.crt, key: tls.key}}
  - {unix: run/.s.PGSQL.6432}
admin: {address: 127.0.0.1, port: 9464}
approvals: {store: state/approvals.sqlite, listen: {unix: run/approvals.sock}}
identity:
  issuers:
    - {issuer: "https://idp.example", audience: [doorward], max_age: 1h, skew: 60s, kind_values: {bot: agent}}
record: {folder: state/log, keys: state/keys, checkpoint_interval: 500ms}
policy: policy.yaml
resources:
  app-db:
    protocol: postgres
    labels: {env: prod}
    mode: {observe: {until: 2026-12-31}}
    target: {host: db.example, port: 5432, ca: ca.pem}
    accounts:
      app: {user: app, password: {env: APP_PASSWORD}}
      reader: {user: r, password: {file: secrets/r, ttl: 5m}}
    account: app
    read_only_account: reader
limits: {statement_bytes: 8MiB}
"""


class PostgresTarget(Strict):
    host: str
    port: int
    ca: FilePath | None = None


MODELS = {"postgres": PostgresTarget}


@pytest.fixture
def folder(tmp_path):
    for name in ("tls.crt", "tls.key", "policy.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def load(folder, text=GOOD, models=MODELS):
    path = folder / "doorward.yaml"
    path.write_text(text)
    return load_config(path, models)


def faults(folder, text, models=MODELS):
    with pytest.raises(ConfigError) as raised:
        load(folder, text, models)
    prefix = f"{folder}/doorward.yaml:"
    assert all(item.startswith(prefix) for item in raised.value.problems)
    return [item.removeprefix(prefix) for item in raised.value.problems]


def test_a_good_file_becomes_a_config(folder):
    config = load(folder)
    assert config.origin == "pg-gateway.example"
    assert config.listen[0].port == 6432
    assert config.listen[1].unix == folder / "run/.s.PGSQL.6432"
    assert config.record.checkpoint_interval == 0.5
    assert config.record.level is RecordLevel.SHAPE
    assert config.limits.statement_bytes == 8 * 1024 * 1024
    assert config.limits.handshake == 10.0
    resource = config.resources["app-db"]
    assert resource.target == PostgresTarget(host="db.example", port=5432, ca=folder / "ca.pem")
    assert resource.default_account == "app"
    assert resource.accounts["reader"].password.ttl == 300
    assert resource.accounts["reader"].password.file == folder / "secrets/r"
    assert config.nouns() == {"app-db": Resource("app-db", "postgres", {"env": "prod"})}
    assert config.observing() == {"app-db": 1_798_761_600_000_000_000}


def test_an_issuer_gives_what_was_said_and_leaves_the_rest_to_identity(folder):
    assert load(folder).identity.issuers[0].settings() == {
        "issuer": "https://idp.example",
        "audiences": frozenset({"doorward"}),
        "max_age_s": 3600,
        "skew_s": 60,
        "kind_values": {"bot": PrincipalKind.AGENT},
    }


def test_an_issuers_arguments_are_those_of_the_identity_room(folder):
    text = GOOD.replace("kind_values", "typ: [at+jwt], clients: [crew], kind: agent, kind_values")
    settings = IssuerSettings(**load(folder, text).identity.issuers[0].settings())
    assert settings.clients == frozenset({"crew"})


def test_every_key_of_an_issuer_exists_in_the_identity_room():
    renamed = {"audience": "audiences", "max_age": "max_age_s", "skew": "skew_s"}
    known = {item.name for item in fields(IssuerSettings)}
    assert {renamed.get(name, name) for name in Issuer.model_fields} <= known


def test_every_fault_is_told_at_once_with_its_line_and_key(folder):
    text = GOOD
    for old, new in [
        ("version: 1", "version: 2"),
        ("tls.key}", "tlz.key}"),
        ("{unix: run/.s.PGSQL.6432}", "{unix: x, port: 3}"),
        ("https://idp", "http://idp"),
        ("checkpoint_interval", "checkpont_interval"),
        ("port: 5432", "prt: x"),
        ("{env: APP_PASSWORD}", "hunter2"),
        ("8MiB", "8"),
    ]:
        assert old in text
        text = text.replace(old, new)
    found = faults(folder, text)
    assert [item.split(": ")[:2] for item in found] == [
        ["1", "version"],
        ["4", "listen[0].tls.key"],
        ["5", "listen[1]"],
        ["10", "identity.issuers[0].issuer"],
        ["11", "record.checkpont_interval"],
        ["18", "resources.app-db.target.port"],
        ["18", "resources.app-db.target.prt"],
        ["20", "resources.app-db.accounts.app.password"],
        ["24", "limits.statement_bytes"],
    ]
    assert found[4].endswith("unknown key; did you mean `checkpoint_interval`?")
    assert found[6].endswith("unknown key; did you mean `port`?")
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("account: app\n", "account: ap\n", "14: resources.app-db: `account: ap` is not among `accounts`; did you mean `app`"),
        ("    account: app\n", "", "several accounts"),
        ("protocol: postgres", "protocol: postgress", "15: resources.app-db.protocol: this gateway does not speak"),
        ("origin: pg-gateway.example", "origin: a b", "2: origin: an origin names this log"),
        ("origin: pg-gateway.example\n", "", "1: origin: is missing"),
        ("keys: state/keys", "keys: state/log/keys", "11: record: `keys` must lie outside `folder`"),
        ("state/keys,", "state/keys, level: shap,", "level: expected `decision`, `shape` or `payload`, found text"),
        ("state/keys,", "state/keys, recipients: [AGE-SECRET-KEY-1X],", "a secret one"),
        ("policy: policy.yaml", "policy: nowhere.yaml", "12: policy: there is no such file"),
        ("until: 2026-12-31", "until: 2026-13-31", "17: resources.app-db.mode.observe.until: expected a day"),
        ("until: 2026-12-31", "until: 2026-12-31T10:00:00", "with its zone"),
        ("{observe: {until: 2026-12-31}}", "{observe: {}}", "observe.until: is missing"),
        ("{env: APP_PASSWORD}", "{env: A, file: b}", "exactly one of"),
        ("{env: APP_PASSWORD}", "{env: 'hunter2!'}", "names an environment variable"),
        ("{env: APP_PASSWORD}", "{exec: []}", "needs a program"),
        ("{env: APP_PASSWORD}", "{env: A, ttl: 5m}", "`ttl` has no meaning"),
        (", tls: {certificate: tls.crt, key: tls.key}", "", "4: listen[0]: needs `tls"),
        ("{unix: run/.s.PGSQL.6432}", "{unix: x, tls: {certificate: tls.crt, key: tls.key}}", "`tls` has no meaning"),
        ("address: 127.0.0.1, port: 9464", "address: 127.0.0.1", "6: admin: needs `address` and `port`"),
        ("port: 9464", "port: 94640", "must be less than or equal to 65535"),
        ("port: 9464", "port: '9464'", "admin.port: expected a whole number, found text"),
        ("https://idp.example", "https://[::1", "expected an https:// address"),
        ("https://idp.example", "https://me:hunter2@idp.example", "without a user name"),
        ("https://idp.example", "http://idp.example", "expected an https:// address"),
        ("audience: [doorward]", "audience: []", "needs at least one entry"),
        ("audience: [doorward]", "audience: doorward", "audience: expected a list, found text"),
        ("audience: [doorward]", "audience: [no, 1]", "audience[1]: expected text, found a number"),
        ("  app-db:", "  'app db':", "a name has letters"),
        ("resources:\n", "resources: {}\nrsources:\n", "rsources: unknown key; did you mean `resources`?"),
        ("skew: 60s", "skew: 60", "identity.issuers[0].skew: expected a duration with its unit"),
        ("skew: 60s", "skew: 500ms", "at least one whole second"),
        ("skew: 60s", "skew: 60s, skew: 61s", "stands here twice"),
        ("labels: {env: prod}", "labels: {env: 1}", "labels.env: expected text, found a number"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_words(folder, old, new, said):
    assert old in GOOD
    found = faults(folder, GOOD.replace(old, new, 1))
    assert any(said in item for item in found), found
    assert "hunter2" not in "".join(found)
    assert "AGE-SECRET" not in "".join(found)


def test_the_same_issuer_twice_is_a_fault(folder):
    line = '    - {issuer: "https://idp.example", audience: [other]}\n'
    found = faults(folder, GOOD.replace("record:", line + "record:"))
    assert "an issuer stands here twice" in found[0]


def test_without_models_a_target_stays_plain_data(folder):
    config = load(folder, models=None)
    assert config.resources["app-db"].target == {"host": "db.example", "port": 5432, "ca": "ca.pem"}


def test_targets_are_checked_even_where_the_rest_has_faults(folder):
    found = faults(folder, GOOD.replace("version: 1", "version: 7").replace("port: 5432", "port: x"))
    assert [item.split(":")[0] for item in found] == ["1", "18"]


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize("text", ["", "[]", "just text", "12"])
def test_a_file_that_is_no_mapping_is_a_fault(folder, text):
    assert "expected keys with values" in faults(folder, text)[0]


def test_a_config_does_not_change(folder):
    config = load(folder)
    with pytest.raises(Exception, match="frozen"):
        config.origin = "x"


def test_paths_of_a_relative_file_stay_relative_to_it(folder, monkeypatch):
    load(folder)
    monkeypatch.chdir(folder)
    assert load_config(Path("doorward.yaml")).policy == Path("policy.yaml")
