import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.settings import load_settings
from doorward_core.errors import ConfigError
from doorward_core.model import PrincipalKind
from doorward_core.record.cosign import witness_vkey

GOOD = """\
version: 1
url: https://Desk.example
listen: {unix: desk.sock}
login: {issuer: https://id.example, client_id: desk, secret: {env: DESK_SECRET}}
roles: {approver: [dba], auditor: [audit]}
gateways:
  pg: {control: "unix:pg/control", log: pg/log, keys: pg/keys}
  k8s: {control: https://k8s-gw.example:9465}
record: {folder: log, keys: keys, origin: desk.example}
"""


def load(folder, text):
    path = folder / "desk.yaml"
    path.write_text(text)
    return load_settings(path)


def test_a_file_is_read_with_its_paths_relative_to_it(tmp_path):
    settings = load(tmp_path, GOOD)
    assert settings.url == "https://desk.example"
    assert settings.secure
    assert settings.gateways["pg"].control == f"unix:{tmp_path / 'pg/control'}"
    assert settings.gateways["pg"].log == tmp_path / "pg/log"
    assert settings.gateways["k8s"].control == "https://k8s-gw.example:9465"
    assert (settings.login.session, settings.login.idle, settings.login.kind) == (8 * 3600, 3600, None)
    assert settings.index is None


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("url: https://Desk.example", "url: http://desk.example", "url: expected an https:// address"),
        ("url: https://Desk.example", "url: https://desk.example/x", "url: expected an address without a path"),
        ("{unix: desk.sock}", "{address: 0.0.0.0, port: 80}", "needs `tls:"),
        ("{unix: desk.sock}", "{address: desk.example, port: 80}", "needs `tls:"),
        ("{unix: desk.sock}", "{unix: a, address: 127.0.0.1, port: 1}", "stands alone"),
        ("{unix: desk.sock}", "{unix: a, tls: {certificate: desk.yaml, key: desk.yaml}}", "has no meaning beside"),
        ("{env: DESK_SECRET}", "hunter2", "a secret is never written here"),
        ("client_id: desk", "client_id: desk, scopes: [profile]", "must have `openid`"),
        ("roles: {approver: [dba], auditor: [audit]}", "roles: {}", "names no group"),
        ("roles: {approver: [dba]", "roles: {admin: [dba]", "unknown key"),
        ('"unix:pg/control"', "http://pg.example:1", "expected an https:// address"),
        ('"unix:pg/control"', '"unix:"', "expected the path of a socket"),
        ('"unix:pg/control"', "[1]", "expected `https://HOST:PORT`"),
        ("keys: keys,", "keys: log/keys,", "must lie outside"),
        ("origin: desk.example", "origin: a b", "origin"),
        ("version: 1\n", "", "version: is missing"),
    ],
)
def test_each_fault_is_told_with_its_place(tmp_path, was, becomes, words):
    assert was in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(was, becomes))
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "desk.yaml:" in str(caught.value)


def test_all_faults_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace("client_id: desk", "client: desk").replace("{unix: desk.sock}", "{}"))
    assert len(caught.value.problems) >= 3


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "no.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(tmp_path / "bytes.yaml")


def test_plain_http_is_for_loopback(tmp_path):
    settings = load(
        tmp_path,
        GOOD.replace("https://Desk.example", "http://localhost:8080").replace(
            "client_id: desk", "client_id: d, kind: human"
        ),
    )
    assert not settings.secure
    assert settings.login.kind is PrincipalKind.HUMAN


def test_a_key_s_file_and_an_archive_s_folder_are_beside_the_settings_and_others_are_as_they_are(tmp_path):
    key = "gw.example+0a1b2c3d+AXJlYWxseSBub3Q="
    pg, k8s = (
        "vkey: keys/log.vkey, archive: archive, log: pg/log",
        f'vkey: "{key}", archive: "s3://bucket/k8s", control',
    )
    text = GOOD.replace("log: pg/log", pg).replace("k8s: {control", f"k8s: {{{k8s}")
    found = load(tmp_path, text).gateways
    assert (found["pg"].vkey, found["pg"].archive) == (str(tmp_path / "keys/log.vkey"), str(tmp_path / "archive"))
    assert (found["k8s"].vkey, found["k8s"].archive) == (key, "s3://bucket/k8s")


KEYS = [witness_vkey(f"w{number}.example", Ed25519PrivateKey.generate()) for number in range(2)]


def test_the_witnesses_that_are_believed_are_keys_and_a_quorum(tmp_path):
    found = load(tmp_path, GOOD.replace("log: pg/log", f"log: pg/log, witnesses: {{quorum: 1, vkeys: {KEYS}}}"))
    assert found.gateways["k8s"].witnesses is None
    trusted = found.gateways["pg"].witnesses
    assert (trusted.quorum, list(trusted.vkeys)) == (1, KEYS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{{quorum: 3, vkeys: {KEYS}}}", "a quorum of 3 is never reached by 2 witnesses"),
        (f"{{quorum: 1, vkeys: {[KEYS[0], KEYS[0]]}}}", "named twice"),
        ("{quorum: 1, vkeys: [nonsense]}", "not a witness's vkey"),
        (f"{{quorum: 1, vkeys: ['{KEYS[0].replace('w0.', 'w9.')}']}}", "whose key id is not that of its key"),
        (f"{{quorum: 0, vkeys: {KEYS}}}", "greater than or equal to 1"),
        (f"{{vkeys: {KEYS}}}", "quorum"),
        ("{quorum: 1, vkeys: []}", "vkeys"),
    ],
)
def test_witnesses_that_could_never_be_verified_are_refused(tmp_path, words, told):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace("log: pg/log", f"log: pg/log, witnesses: {words}"))
    assert told in str(caught.value.problems)
