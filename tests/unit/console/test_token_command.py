"""`doorward token`: a token from the development issuer, to standard output alone."""

import json

import pytest

from doorward_demo.issuer import DevelopmentIssuer, write_secrets


@pytest.fixture
def issuer():
    with DevelopmentIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture
def secrets(issuer, tmp_path):
    return write_secrets(issuer, tmp_path)


def test_a_known_subject_gets_a_token(run, issuer, secrets):
    subject = next(iter(issuer.principals))
    done = run("token", subject, "--secrets", secrets)
    assert (done.exit_code, done.output.count("."), done.stderr) == (0, 2, "")


def test_audience_and_lifetime_are_passed_on(run, issuer, secrets):
    subject = next(iter(issuer.principals))
    answer = json.loads(run("token", subject, "--secrets", secrets, "--lifetime", 60, "--json").output)
    assert answer["expires_in"] == 60


def test_a_stranger_is_told_who_is_known(run, issuer, secrets):
    done = run("token", "stranger", "--secrets", secrets)
    assert (done.exit_code, next(iter(issuer.principals)) in done.stderr) == (1, True)


def test_a_refusal_of_the_issuer_is_said(run, issuer, secrets):
    subject = next(iter(issuer.principals))
    document = json.loads(secrets.read_text())
    document["clients"][subject] = "wrong"
    secrets.write_text(json.dumps(document))
    done = run("token", subject, "--secrets", secrets)
    assert (done.exit_code, "invalid_client" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"token_endpoint": "https://id.example/token", "clients": {"a": "b"}}']
)
def test_a_file_of_another_kind_or_a_real_issuer_is_refused(run, tmp_path, text):
    (tmp_path / "secrets").write_text(text)
    assert run("token", "a", "--secrets", tmp_path / "secrets").exit_code == 2
