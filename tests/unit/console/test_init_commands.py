"""`doorward init postgres` as an operator runs it, against a real PostgreSQL, and every way to be told no."""

import stat

import pytest

from doorward_console.init_folder import CONFIG, POLICY
from doorward_core.config import load_config
from doorward_core.policy.load import load_policy

ISSUER = "https://idp.example/realms/work"
CANARY = "zz-canary-0451"


@pytest.fixture
def init(run, tmp_path, monkeypatch):
    """Run it in a folder of its own, with nothing of this machine's environment."""
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(target, *options, password="", issuer=ISSUER, folder=None, **how):
        given = {"env": {"PGPASSWORD": password}} if password else {}
        place = folder or tmp_path / "gateway"
        arguments = ("init", "postgres", "--target", target, "--issuer", issuer, "--folder", place, *options)
        return run(*arguments, **given, **how)

    return call


@pytest.fixture
def target(shop):
    return f"postgresql://app@127.0.0.1:{shop.port}/shop"


def refused(done, folder):
    assert (done.exit_code, "Traceback" in done.output) == (2, False)
    assert len(done.output) < 2000
    assert not folder.exists()
    return done.output


@pytest.mark.need_embedded_postgres
def test_it_writes_files_that_load_and_hold_no_secret(init, run, target, shop, tmp_path):
    done = init(target, "--target-tls", "disable", "--yes", password=shop.passwords["app"])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "gateway"
    config = load_config(folder / CONFIG)
    assert config.resources["shop"].accounts["app"].password.env == "DOORWARD_TARGET_PASSWORD"
    masks = {rule.mask.rule: rule.mask.columns for rule in load_policy(folder / POLICY).mask_rules}
    assert masks["email"] == ("public.customer.email",)
    assert {"person-name", "phone", "card", "iban"} <= masks.keys()
    for check in (("config", "check", folder / CONFIG), ("policy", "check", "--config", folder / CONFIG)):
        assert run(*check).output.splitlines()[-1] == "ok"
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert shop.passwords["app"].encode() not in written
    assert shop.passwords["app"] not in done.output
    assert stat.S_IMODE((folder / "tls/gateway.key").stat().st_mode) == 0o600


@pytest.mark.need_embedded_postgres
def test_it_shows_why_and_how_and_says_what_is_weak(init, target, shop):
    said = init(target, "--target-tls", "disable", "--yes", password=shop.passwords["app"]).output
    for words in ("public.customer.email", "100 %", "partial", "self-signed", "without TLS", "Start it:", "psql"):
        assert words in said


@pytest.mark.need_embedded_postgres
def test_no_value_is_printed_or_written(init, shop, tmp_path):
    with shop.connect("app") as app:
        app.execute(f"CREATE TABLE letter (body text); INSERT INTO letter VALUES ('{CANARY} to {CANARY}@example.com')")
    try:
        target = f"postgresql://app@127.0.0.1:{shop.port}/shop"
        done = init(target, "--target-tls", "disable", "--yes", password=shop.passwords["app"])
        assert "letter.body (100 %)" in " ".join(done.output.split())
        written = b"".join(path.read_bytes() for path in (tmp_path / "gateway").rglob("*") if path.is_file())
        assert CANARY not in done.output
        assert CANARY.encode() not in written
        with shop.connect("app") as app:
            value = app.execute("SELECT email FROM customer LIMIT 1").fetchone()[0]
        assert value not in done.output
    finally:
        with shop.connect("app") as app:
            app.execute("DROP TABLE letter")


@pytest.mark.need_embedded_postgres
def test_the_operator_leaves_out_what_they_name(init, target, shop, tmp_path):
    done = init(target, "--target-tls", "disable", password=shop.passwords["app"], input="nonsense\n99\n2, 3\n")
    assert done.exit_code == 0, done.output
    policy = load_policy(tmp_path / "gateway" / POLICY)
    assert {rule.mask.rule for rule in policy.mask_rules} == {"person-name", "card", "iban"}
    assert "#   public.customer.email" in (tmp_path / "gateway" / POLICY).read_text()


@pytest.mark.need_embedded_postgres
@pytest.mark.parametrize("answer", ["q\n", ""])
def test_without_a_yes_nothing_is_written(init, target, shop, tmp_path, answer):
    done = init(target, "--target-tls", "disable", password=shop.passwords["app"], input=answer)
    assert "nothing was written" in refused(done, tmp_path / "gateway")


@pytest.mark.need_embedded_postgres
def test_what_is_there_is_overwritten_only_when_asked_and_the_certificate_never(init, target, shop, tmp_path):
    folder = tmp_path / "gateway"
    options = ("--target-tls", "disable", "--yes")
    init(target, *options, password=shop.passwords["app"])
    certificate = (folder / "tls/gateway.crt").read_bytes()
    (folder / CONFIG).write_text("mine")
    done = init(target, *options, password=shop.passwords["app"])
    assert (done.exit_code, "--force" in done.output, (folder / CONFIG).read_text()) == (2, True, "mine")
    assert init(target, *options, "--force", password=shop.passwords["app"]).exit_code == 0
    assert (folder / CONFIG).read_text() != "mine"
    assert (folder / "tls/gateway.crt").read_bytes() == certificate


@pytest.mark.need_embedded_postgres
def test_a_password_file_is_used_and_named(init, target, shop, tmp_path):
    (tmp_path / "pw").write_text(shop.passwords["app"] + "\n")
    done = init(target, "--target-tls", "disable", "--yes", "--password-file", tmp_path / "pw")
    assert done.exit_code == 0, done.output
    account = load_config(tmp_path / "gateway" / CONFIG).resources["shop"].accounts["app"]
    assert account.password.file == tmp_path / "pw"


@pytest.mark.need_embedded_postgres
def test_the_password_file_of_libpq_is_read(init, target, shop, tmp_path):
    path = tmp_path / ".pgpass"
    path.write_text(f"127.0.0.1:{shop.port}:shop:app:{shop.passwords['app']}\n")
    path.chmod(0o600)
    assert init(target, "--target-tls", "disable", "--yes").exit_code == 0


@pytest.mark.need_embedded_postgres
def test_a_superuser_is_warned_of(init, shop):
    target = f"postgresql://postgres@127.0.0.1:{shop.port}/shop"
    said = init(target, "--target-tls", "disable", "--yes", password=shop.passwords["postgres"]).output
    assert "superuser" in said


@pytest.mark.need_embedded_postgres
def test_what_may_not_be_read_is_named_and_judged_by_its_names(init, shop, target, tmp_path):
    with shop.connect("postgres") as admin:
        admin.execute("CREATE SCHEMA vault; GRANT USAGE ON SCHEMA vault TO app; CREATE TABLE vault.staff (ssn text)")
    try:
        said = init(target, "--target-tls", "disable", "--yes", password=shop.passwords["app"]).output
        assert "vault.staff: no right to read it" in said
        assert '"vault.staff.ssn"' in (tmp_path / "gateway" / POLICY).read_text()
    finally:
        with shop.connect("postgres") as admin:
            admin.execute("DROP SCHEMA vault CASCADE")


@pytest.mark.need_embedded_postgres
@pytest.mark.parametrize(
    ("database", "password", "options", "words"),
    [
        ("shop", "wrong", ("--target-tls", "disable"), "does not accept this password"),
        ("shop", "", ("--target-tls", "disable"), "wants a password"),
        ("shop", "wrong", (), "offers no TLS"),
        ("unheard_of", "app", ("--target-tls", "disable"), "no database of this name"),
        ("closed", "app", ("--target-tls", "disable"), "no right to connect"),
    ],
)
def test_a_target_that_says_no_is_explained(init, shop, tmp_path, *, database, password, options, words):
    with shop.connect("postgres") as admin:
        admin.execute("DROP DATABASE IF EXISTS closed")
        admin.execute("CREATE DATABASE closed")
        admin.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    secret = shop.passwords["app"] if password == "app" else password
    done = init(f"postgresql://app@127.0.0.1:{shop.port}/{database}", "--yes", *options, password=secret)
    assert words in refused(done, tmp_path / "gateway")


def test_a_target_that_is_not_there_is_explained(init, tmp_path):
    done = init("postgresql://app@127.0.0.1:1/shop", "--yes", password="x")
    assert "Connection refused" in refused(done, tmp_path / "gateway")


@pytest.mark.parametrize(
    ("target", "options", "issuer", "words"),
    [
        ("postgresql://app:hunter2@db/shop", (), ISSUER, "PGPASSWORD"),
        ("db", (), ISSUER, "postgresql://user@host:port/database"),
        ("postgresql://app@db/shop", (), "http://idp.example", "https://"),
        ("postgresql://app@db/shop", ("--target-tls", "prefer"), ISSUER, "verify-full, disable"),
        ("postgresql://app@db/shop", ("--target-tls", "disable", "--target-ca", "x"), ISSUER, "no meaning"),
        ("postgresql://app@db/shop", ("--target-ca", "/no/such"), ISSUER, "no file /no/such"),
        ("postgresql://app@db/shop", ("--certificate", "x"), ISSUER, "go together"),
        ("postgresql://app@db/shop", ("--password-env", "hunter 2"), ISSUER, "the name of a variable"),
        ("postgresql://app@db/shop", ("--listen", "6432"), ISSUER, "127.0.0.1:6432"),
        ("postgresql://app@db/shop", ("--listen", "[::1]:0"), ISSUER, "127.0.0.1:6432"),
    ],
)
def test_what_is_asked_for_is_checked_before_anything_is_dialled(init, tmp_path, *, target, options, issuer, words):
    said = refused(init(target, "--yes", *options, issuer=issuer), tmp_path / "gateway")
    assert words in said
    assert "hunter" not in said


@pytest.mark.need_embedded_postgres
def test_a_folder_that_cannot_be_made_is_said(init, target, shop, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "gateway"
    done = init(target, "--target-tls", "disable", "--yes", folder=folder, password=shop.passwords["app"])
    assert "Not a directory" in refused(done, folder)


@pytest.mark.need_embedded_postgres
def test_a_name_that_the_configuration_would_not_take_is_refused_in_its_words(init, target, shop, tmp_path):
    done = init(target, "--target-tls", "disable", "--yes", "--approvers", "a b", password=shop.passwords["app"])
    assert done.exit_code == 2
    assert "policy.yaml:" in done.output
    assert not (tmp_path / "gateway" / POLICY).exists()
