"""What a kubeconfig says, and what a gateway could not use of it."""

import base64

import pytest
import yaml

from doorward_console.init_doors import CannotInit
from doorward_console.init_k8s_target import read_target

AUTHORITY = b"-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
SECRET = "hunter2-not-shown"


def text(cluster=None, user=None, **more):
    place = {"server": "https://10.0.0.1:6443", "certificate-authority-data": base64.b64encode(AUTHORITY).decode()}
    return yaml.safe_dump(
        {
            "current-context": "work",
            "contexts": [
                {"name": "work", "context": {"cluster": "prod", "user": "ada"}},
                {"name": "play", "context": {"cluster": "prod", "user": "bob"}},
            ],
            "clusters": [{"name": "prod", "cluster": place | (cluster or {})}],
            "users": [{"name": "ada", "user": user or {"token": SECRET}}, {"name": "bob", "user": {}}],
        }
        | more
    )


def read(config, context="", file=lambda _: b""):
    return read_target(config, "config", context, file)


def test_the_current_context_is_taken_or_the_one_that_is_named():
    found = read(text())
    assert (found.context, found.name, found.server, found.user) == ("work", "prod", "https://10.0.0.1:6443", "ada")
    assert found.authority == AUTHORITY
    assert read(text(), "play").user == "bob"


@pytest.mark.parametrize(
    ("user", "usable"),
    [
        ({"token": SECRET}, True),
        ({"tokenFile": "token"}, True),
        ({"client-certificate-data": "eA=="}, True),
        ({"client-certificate": "a.crt"}, True),
        ({"exec": {"command": "aws"}}, False),
        ({"exec": {"command": "aws"}, "token": SECRET}, False),
        ({"auth-provider": {"name": "oidc"}}, False),
        ({"username": "a", "password": SECRET}, False),
        ({"token": SECRET, "as": "root"}, False),
    ],
)
def test_whose_user_the_gateway_could_be(user, usable):
    found = read(text(user=user))
    assert found.usable is usable
    assert SECRET not in repr(found)


def test_an_authority_in_a_file_is_read():
    config = text({"certificate-authority-data": "", "certificate-authority": "ca.crt"})
    assert read(config, file={"ca.crt": AUTHORITY}.__getitem__).authority == AUTHORITY


@pytest.mark.parametrize(
    ("config", "context", "words"),
    [
        (text(), "elsewhere", "no context elsewhere (there is: play, work)"),
        (text(**{"current-context": ""}), "", "name one with --context"),
        (text(clusters=[]), "", "no cluster prod (there is: none)"),
        (text(users=[{"name": "eve"}]), "", "no user ada"),
        (text({"insecure-skip-tls-verify": True}), "", "verified, always"),
        (text({"proxy-url": "http://proxy"}), "", "not reached through proxies"),
        (text({"server": "http://10.0.0.1"}), "", "over https"),
        (text({"certificate-authority-data": "%"}), "", "expected base64"),
        (text({"certificate-authority-data": "eA=="}), "", "no certificate"),
        ("a: [", "", "config:1"),
        ("[]", "", "no current context"),
    ],
)
def test_what_cannot_be_used_is_said(config, context, words):
    with pytest.raises(CannotInit) as refused:
        read(config, context)
    assert words in str(refused.value)
    assert SECRET not in str(refused.value)
