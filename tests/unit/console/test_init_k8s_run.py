"""`doorward init k8s` as an operator runs it, and every way to be told no."""

import json

import pytest

from doorward_console.init_folder import CONFIG, POLICY
from doorward_console.init_k8s_files import AUTHORITY, RBAC
from doorward_core.config import load_config
from doorward_demo.certificates import write_certificates
from doorward_k8s.settings import K8sTarget

ISSUER = "https://idp.example"
SECRET = "hunter2-not-shown"


@pytest.fixture
def kubeconfig(tmp_path):
    write_certificates(tmp_path / "pki")

    def write(**user):
        cluster = {"server": "https://127.0.0.1:6443", "certificate-authority": "pki/ca.crt"}
        path = tmp_path / "config"
        path.write_text(
            json.dumps(
                {
                    "current-context": "ada@prod:1",
                    "contexts": [{"name": "ada@prod:1", "context": {"cluster": "prod:1", "user": "ada"}}],
                    "clusters": [{"name": "prod:1", "cluster": cluster}],
                    "users": [{"name": "ada", "user": user}],
                }
            )
        )
        return path

    return write


@pytest.fixture
def init(run, tmp_path, kubeconfig):
    def call(*options, user=None, **how):
        config = kubeconfig(**({"token": SECRET} if user is None else user))
        words = ("init", "k8s", "--kubeconfig", config, "--issuer", ISSUER, "--folder", tmp_path / "gw")
        return run(*words, *options, **how)

    return call


def test_a_kubeconfig_becomes_files_that_load_and_lines_to_try(init, run, tmp_path):
    done = init("--resource", "prod")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "gw"
    resource = load_config(folder / CONFIG, {"k8s": K8sTarget}).resources["prod"]
    assert (resource.target.at, resource.target.kubeconfig.context) == (("/prod",), "ada@prod:1")
    assert resource.accounts["gateway"].password is None
    assert not (folder / AUTHORITY).exists()
    assert run("config", "check", folder / CONFIG).output == "ok\n"
    assert run("policy", "check", "--config", folder / CONFIG).output == "ok\n"
    assert run("policy", "check", folder / POLICY).output == "ok\n"
    assert "remark" not in done.output
    said = " ".join(done.output.split())
    assert "kubeconfig --cluster prod --server https://localhost:8443/prod" in said
    assert "verbs: [impersonate]" in said
    assert "! the gateway will be ada of this kubeconfig" in said
    written = "".join(path.read_text() for path in folder.glob("*.yaml"))
    assert "impersonate" in (folder / RBAC).read_text()
    assert SECRET not in written + done.output


@pytest.mark.parametrize(
    ("options", "user", "source"),
    [
        ((), {"exec": {"command": "aws"}}, "DOORWARD_TARGET_CREDENTIAL"),
        (("--credential-env", "GATEWAY_TOKEN"), {"token": SECRET}, "GATEWAY_TOKEN"),
    ],
)
def test_where_the_gateway_is_somebody_else_it_has_its_own_token(init, tmp_path, options, user, source):
    done = init(*options, user=user)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "gw"
    resource = load_config(folder / CONFIG, {"k8s": K8sTarget}).resources["prod-1"]
    assert (resource.target.server, resource.target.at) == ("https://127.0.0.1:6443", ("/prod-1",))
    assert resource.target.tls.ca.read_bytes() == (tmp_path / "pki/ca.crt").read_bytes()
    assert resource.accounts["gateway"].password.env == source
    assert f"export {source}=" in done.output
    assert "create token gateway -n doorward" in done.output


def test_a_token_can_be_in_a_file(init, tmp_path):
    (tmp_path / "token").write_text(SECRET)
    done = init("--credential-file", tmp_path / "token", "--at", "/eu/prod")
    assert done.exit_code == 0, done.output
    resource = load_config(tmp_path / "gw" / CONFIG, {"k8s": K8sTarget}).resources["prod-1"]
    assert (resource.accounts["gateway"].password.file, resource.target.at) == (tmp_path / "token", ("/eu/prod",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--context", "other"), "no context other"),
        (("--at", "prod"), "--at is"),
        (("--credential-env", "hunter 2"), "never the credential itself"),
        (("--credential-file", "nowhere"), "there is no file nowhere"),
        (("--credential-env", "A", "--credential-file", "config"), "one of them"),
        (("--listen", "8443"), "where to listen"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(init, tmp_path, options, words):
    done = init(*options)
    assert (done.exit_code, words in " ".join(done.output.split())) == (2, True), done.output
    assert not (tmp_path / "gw").exists()


def test_nothing_is_overwritten_unasked(init, tmp_path):
    (tmp_path / "gw").mkdir()
    (tmp_path / "gw" / RBAC).write_text("mine")
    assert f"{RBAC} would be overwritten" in " ".join(init().output.split())
    assert (tmp_path / "gw" / RBAC).read_text() == "mine"
    assert init("--force").exit_code == 0


def test_what_is_too_long_for_a_kubeconfig_is_refused(init, run, tmp_path):
    (tmp_path / "long").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    done = run("init", "k8s", "--kubeconfig", tmp_path / "long", "--issuer", ISSUER, "--folder", tmp_path / "gw")
    assert (done.exit_code, "too long" in done.output) == (2, True)
