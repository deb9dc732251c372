"""A kubeconfig for the gateway holds no token; kubectl asks for one, and is told when it ends."""

import base64
import json

import pytest


@pytest.fixture
def authority(tmp_path):
    file = tmp_path / "ca.crt"
    file.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    return file


def test_a_kubeconfig_names_the_gateway_its_authority_and_who_gives_tokens(run, authority, tmp_path):
    done = run("kubeconfig", "--cluster", "prod", "--server", "https://gw:8443/prod", "--ca-file", authority,
               "--token-file", tmp_path / "token", "--namespace", "shop")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    config = json.loads(done.output)
    (cluster,) = config["clusters"]
    assert cluster["cluster"]["server"] == "https://gw:8443/prod"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == authority.read_bytes()
    plugin = config["users"][0]["user"]["exec"]
    assert plugin["args"] == ["token", "--token-file", str(tmp_path / "token"), "--exec-credential"]
    assert (plugin["command"], plugin["interactiveMode"]) == ("doorward", "Never")
    assert config["contexts"][0]["context"] == {"cluster": "prod", "user": "prod", "namespace": "shop"}


def test_tokens_may_come_from_the_development_issuer(run, tmp_path):
    done = run(
        "kubeconfig", "--cluster", "p", "--server", "https://gw", "--subject", "ana", "--secrets", tmp_path / "s"
    )
    assert json.loads(done.output)["users"][0]["user"]["exec"]["args"][:2] == ["token", "ana"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--server", "http://gw", "--token-file", "t"), "expected an address"),
        (("--server", "https://gw"), "where tokens come from"),
        (("--server", "https://gw", "--subject", "ana"), "where tokens come from"),
        (("--server", "https://gw", "--token-file", "t", "--ca-file", "/dev/null"), "holds no certificate"),
    ],
)
def test_what_could_not_work_is_said(run, given, words):
    done = run("kubeconfig", "--cluster", "p", *given)
    assert (done.exit_code != 0, words in done.stderr) == (True, True)


def test_a_token_is_given_as_kubectl_takes_it_with_its_end(run, tmp_path):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_800_000_000}).encode()).rstrip(b"=").decode()
    (tmp_path / "token").write_text(f"e30.{claims}.x\n")
    done = run("token", "--token-file", tmp_path / "token", "--exec-credential")
    assert json.loads(done.output) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": f"e30.{claims}.x", "expirationTimestamp": "2027-01-15T08:00:00Z"},
    }


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "e30.e30.x"])
def test_a_token_that_does_not_say_when_it_ends_has_no_end(run, tmp_path, token):
    (tmp_path / "token").write_text(token)
    done = run("token", "--token-file", tmp_path / "token", "--exec-credential")
    assert json.loads(done.output)["status"] == {"token": token}


def test_nobody_in_particular_has_no_token(run):
    assert "say whose token" in run("token").stderr
