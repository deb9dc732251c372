"""`doorward init desk` as an operator runs it, and every way to be told no."""

import stat

import pytest
import yaml

from doorward_console.init_desk_files import DESK
from doorward_console.settings import load_settings

ISSUER = "https://idp.example"


@pytest.fixture
def gateway(run, tmp_path):
    def make(name, *, issuer=ISSUER, audience="doorward", port=9470):
        folder = tmp_path / name
        done = run(
            "init", "http", "--target", "http://127.0.0.1:9", "--resource", name, "--issuer", issuer, "--yes",
            "--audience", audience, "--folder", folder, "--approvals", f"127.0.0.1:{port}",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        return folder

    return make


@pytest.fixture
def init(run, tmp_path):
    return lambda *words, **how: run("init", "desk", "--folder", tmp_path / "desk", *words, **how)


def test_gateways_become_settings_that_load(init, run, gateway, tmp_path):
    crm, billing = gateway("crm"), gateway("billing", port=9471)
    done = init("--gateway", crm, "--gateway", f"invoices={billing}", "--auditors", "audit", "--operators", "ops")
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path / "desk" / DESK)
    assert settings.url == "https://localhost:8445"
    assert {name: one.control for name, one in settings.gateways.items()} == {
        "crm": "https://localhost:9470",
        "invoices": "https://localhost:9471",
    }
    assert (settings.login.issuer, settings.login.audience) == (ISSUER, ("doorward",))
    roles = settings.roles
    assert (roles.approver, roles.auditor, roles.operator) == (("api-owners",), ("audit",), ("ops",))
    assert "good" in run("desk", "--config", tmp_path / "desk" / DESK, "--check").output
    assert stat.S_IMODE((tmp_path / "desk/tls/desk.key").stat().st_mode) == 0o600
    said = " ".join(done.output.split())
    assert "redirect address: https://localhost:8445/login/callback" in said
    assert "the certificate is self-signed" in said


def test_the_printed_lines_make_the_gateway_ready_for_the_desk(init, run, gateway):
    folder = gateway("crm")
    done = init("--gateway", folder)
    lines = done.output.splitlines()
    below = [line for line in lines if line.startswith(("  link: ", "  passkeys: "))]
    config = folder / "doorward.yaml"
    config.write_text(config.read_text().replace("approvals:\n", "\n".join(["approvals:", *below, ""])))
    assert "approvals.passkeys.file: there is no such file" in run("config", "check", config).output
    touch = next(line for line in lines if line.startswith("and once: touch "))
    assert touch.endswith(f"{folder / 'passkeys.jsonl'}")
    (folder / "passkeys.jsonl").touch()
    assert run("config", "check", config).output.splitlines()[-1] == "ok"
    again = init("--gateway", folder, "--force")
    assert "link: " not in again.output


def test_a_client_with_a_secret_and_certificates_of_ones_own(init, gateway, tmp_path):
    folder = gateway("crm")
    (tmp_path / "desk.secret").write_text("not shown")
    own = ("--certificate", folder / "tls/gateway.crt", "--key", folder / "tls/gateway.key")
    url = ("--url", "https://desk.example/", "--listen", "0.0.0.0:443")
    done = init("--gateway", folder, *own, *url, "--secret-file", tmp_path / "desk.secret", "--scope", "openid")
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path / "desk" / DESK)
    assert (settings.url, settings.login.secret.file) == ("https://desk.example", tmp_path / "desk.secret")
    assert settings.listen.tls.certificate == folder / "tls/gateway.crt"
    assert not (tmp_path / "desk/tls").exists()
    assert "not shown" not in done.output + (tmp_path / "desk" / DESK).read_text()
    assert "self-signed" not in done.output
    done = init("--gateway", folder, "--force", "--secret-env", "DESK_SECRET")
    assert "export DESK_SECRET=" in done.output


def test_a_certificate_that_is_there_is_used_again(init, gateway, tmp_path):
    folder = gateway("crm")
    init("--gateway", folder)
    before = (tmp_path / "desk/tls/desk.crt").read_bytes()
    assert init("--gateway", folder, "--force").exit_code == 0
    assert (tmp_path / "desk/tls/desk.crt").read_bytes() == before


def test_gateways_with_nobody_in_common_need_desks_of_their_own(init, gateway):
    crm = gateway("crm")
    for other, words in (
        (gateway("other", issuer="https://else.example"), "each group needs a desk"),
        (gateway("third", audience="third"), "no `audience` in common"),
    ):
        done = init("--gateway", crm, "--gateway", other)
        assert (done.exit_code, words in " ".join(done.output.split())) == (2, True), done.output


def test_gateways_that_judge_tokens_otherwise_are_named(init, gateway):
    crm, other = gateway("crm"), gateway("other")
    config = other / "doorward.yaml"
    config.write_text(config.read_text().replace(f'- issuer: "{ISSUER}"', f'- issuer: "{ISSUER}"\n      max_age: 5m'))
    done = init("--gateway", crm, "--gateway", other)
    assert "! other judges tokens otherwise than crm" in done.output


def test_of_several_providers_one_is_named(init, gateway, tmp_path):
    folder = gateway("crm")
    config = folder / "doorward.yaml"
    more = '  issuers:\n    - {issuer: "https://else.example", audience: [doorward]}\n'
    config.write_text(config.read_text().replace("  issuers:\n", more))
    assert "--issuer: which of" in init("--gateway", folder).output
    assert "do not all believe" in init("--gateway", folder, "--issuer", "https://third.example").output
    assert init("--gateway", folder, "--issuer", ISSUER).exit_code == 0
    assert load_settings(tmp_path / "desk" / DESK).login.issuer == ISSUER


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "8445"), "where to listen"),
        (("--listen", "0.0.0.0:8445"), "--url: where will people reach the desk"),
        (("--url", "http://desk.example"), "--url: expected"),
        (("--url", "http://localhost", "--listen", "0.0.0.0:80"), "--url: without TLS"),
        (("--secret-env", "A B"), "never the secret itself"),
        (("--secret-env", "A", "--secret-file", "B"), "one of them"),
        (("--certificate", "here"), "go together"),
        (("--gateway-ca", "nowhere.pem"), "there is no file nowhere.pem"),
        (("--gateway", "nowhere"), "there is no"),
        (("--origin", "a b"), "origin"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(init, gateway, tmp_path, options, words):
    done = init("--gateway", gateway("crm"), *options)
    assert (done.exit_code, words in " ".join(done.output.split())) == (2, True), done.output
    assert not (tmp_path / "desk" / DESK).exists()


def test_nothing_is_overwritten_unasked(init, gateway, tmp_path):
    folder = gateway("crm")
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / DESK).write_text("mine")
    assert "would be overwritten" in " ".join(init("--gateway", folder).output.split())
    assert (tmp_path / "desk" / DESK).read_text() == "mine"
    assert init("--gateway", folder, "--force").exit_code == 0
    assert yaml.safe_load((tmp_path / "desk" / DESK).read_text())["version"] == 1


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:443", "https://localhost"),
        ("10.0.0.7:8445", "https://10.0.0.7:8445"),
        ("[::1]:1", "https://localhost:1"),
    ],
)
def test_people_reach_it_where_it_listens(init, gateway, tmp_path, listen, url):
    assert init("--gateway", gateway("crm"), "--listen", listen).exit_code == 0
    assert load_settings(tmp_path / "desk" / DESK).url == url


def test_for_a_try_on_one_machine_there_need_be_no_tls(init, run, gateway, tmp_path):
    done = init("--gateway", gateway("crm"), "--url", "http://localhost:8445")
    assert (done.exit_code, "self-signed" in done.output) == (0, False), done.output
    settings = load_settings(tmp_path / "desk" / DESK)
    assert (settings.url, settings.listen.tls) == ("http://localhost:8445", None)
    assert "WITHOUT TLS" in (tmp_path / "desk" / DESK).read_text()
    assert not (tmp_path / "desk/tls").exists()
