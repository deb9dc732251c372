"""A kubeconfig is read as far as a gateway needs it; what would make it believe anybody is refused."""

import base64
from pathlib import Path

import pytest

from doorward_core.errors import ConfigError
from doorward_k8s.kubeconfig import Files, files_of, read_kubeconfig

PEM = b"-----BEGIN SOMETHING-----"
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
  - {name: v, user: {client-certificate-data: PEM, client-key-data: PEM, tokenFile: token}}
""".replace("PEM", base64.b64encode(PEM).decode())
FOLDER = Path("/etc/k")


def read(text=TEXT, context=""):
    return read_kubeconfig(
        text, "config", context, Files(FOLDER, dict.fromkeys(files_of(text, "config", FOLDER, context), PEM))
    )


def test_the_current_context_says_where_whom_to_believe_and_how_to_be_believed():
    found = read()
    assert (found.server, found.authority, found.server_name) == ("https://api.example:6443", PEM, "api")
    assert found.token is not None
    assert found.token.reveal() == "t0ken"
    assert files_of(TEXT, "config", FOLDER, "") == (FOLDER / "ca.crt",)


def test_another_context_can_be_named():
    found = read(context="b")
    assert (found.certificate, found.token, found.token_file) == (PEM, None, FOLDER / "token")
    assert found.key is not None
    assert found.key.reveal() == PEM.decode()


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
        ("current-context: a", "current-context: z", "config:1: contexts: there is no context `z` (there is: a, b)"),
        ("current-context: a", "preferences: {}", "no context is named, and there is no current one (there is: a, b)"),
        ("user: u}", "user: z}", "users: there is no user `z` (there is: u, v)"),
        (
            "certificate-authority: ca.crt",
            "certificate-authority-data: eA==",
            "certificate-authority-data: what it holds",
        ),
        ("kind: Config", "kind: Config\nkind: Config", "kind"),
    ],
)
def test_what_cannot_be_used_is_a_fault_with_words(old, new, words):
    assert old in TEXT
    with pytest.raises(ConfigError) as refused:
        read(TEXT.replace(old, new, 1))
    assert words in refused.value.problems[0]
    assert "t0ken" not in refused.value.problems[0]
    assert base64.b64encode(PEM).decode() not in refused.value.problems[0]


@pytest.mark.parametrize("plugin", ["exec: {command: x}", "auth-provider: {name: x}"])
def test_a_users_plugin_does_not_matter_where_accounts_have_passwords_of_their_own(plugin):
    text = TEXT.replace("token: t0ken", plugin, 1)
    found = read_kubeconfig(text, "config", "", Files(FOLDER, {FOLDER / "ca.crt": PEM}), own=True)
    assert (found.token, found.token_file, found.certificate) == (None, None, b"")
    with pytest.raises(ConfigError, match="impersonation"):
        read_kubeconfig(
            TEXT.replace("token: t0ken", "as: root", 1), "config", "", Files(FOLDER, {FOLDER / "ca.crt": PEM}), own=True
        )
