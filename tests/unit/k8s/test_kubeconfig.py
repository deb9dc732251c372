"""A kubeconfig is read as far as a gateway needs it; what would make it believe anybody is refused."""

import base64
from pathlib import Path

import pytest

from doorward_core.errors import ConfigError
from doorward_k8s.kubeconfig import Files, files_of, read_kubeconfig

TEXT = """\
apiVersion: v1
kind: Config
current-context: a
clusters:
  - name: c
    cluster: {server: "https://api.example:6443", certificate-authority: ca.crt, tls-server-name: api}
contexts:
  - {name: a, context: {cluster: c, user: u}}
  - {name: b, context: {cluster: c, user: v}}
users:
  - {name: u, user: {token: t0ken}}
  - {name: v, user: {client-certificate-data: Y2VydA==, client-key-data: a2V5, tokenFile: token}}
"""
FOLDER = Path("/etc/k")


def read(text=TEXT, context=""):
    return read_kubeconfig(
        text, "config", context, Files(FOLDER, dict.fromkeys(files_of(text, FOLDER, context), b"PEM"))
    )


def test_the_current_context_says_where_whom_to_believe_and_how_to_be_believed():
    found = read()
    assert (found.server, found.authority, found.server_name) == ("https://api.example:6443", b"PEM", "api")
    assert found.token is not None
    assert found.token.reveal() == "t0ken"
    assert files_of(TEXT, FOLDER, "") == (FOLDER / "ca.crt",)


def test_another_context_can_be_named():
    found = read(context="b")
    assert (found.certificate, found.token, found.token_file) == (b"cert", None, FOLDER / "token")
    assert found.key is not None
    assert found.key.reveal() == "key"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tls-server-name: api", "insecure-skip-tls-verify: true", "verified, always"),
        ("tls-server-name: api", 'proxy-url: "http://p"', "not reached through proxies"),
        ("https://api", "http://api", "over https"),
        ("token: t0ken", "exec: {command: x}", "plugins are not run"),
        ("token: t0ken", "username: x", "no passwords"),
        ("token: t0ken", "as: root", "impersonation"),
        ("token: t0ken", "token: [1]", "expected text"),
        ("certificate-authority: ca.crt", "certificate-authority-data: '!'", "expected base64"),
        ("current-context: a", "current-context: z", "is not there"),
        ("user: u}", "user: z}", "is not there"),
        ("kind: Config", "kind: Config\nkind: Config", "kind"),
    ],
)
def test_what_cannot_be_used_is_a_fault_with_words(old, new, words):
    assert old in TEXT
    with pytest.raises(ConfigError) as refused:
        read(TEXT.replace(old, new, 1))
    assert words in refused.value.problems[0]
    assert "t0ken" not in refused.value.problems[0]
    assert base64.b64encode(b"key").decode() not in refused.value.problems[0]
