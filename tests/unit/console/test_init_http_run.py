"""`doorward init http` as an operator runs it, against an API on loopback, and every way to be told no."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doorward_console.init_folder import CONFIG, POLICY
from doorward_core.config import load_config
from doorward_core.policy.load import load_policy
from doorward_http.settings import HttpTarget

ISSUER = "https://idp.example"
SECRET = "hunter2-not-shown"
ANSWERS = {
    "/customers": (200, b'[{"email": "ada@mail.test", "iban": "DE89370400440532013000", "note": "ok"}]'),
    "/plain": (200, b"hello"),
    "/away": (302, b""),
    "/large": (200, b"[" + b" " * (9 * 1024 * 1024) + b"]"),
}


class Answers(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("authorization")))
        known = self.headers.get("authorization") == f"Bearer {SECRET}"
        status, body = ANSWERS.get(self.path.partition("?")[0], (404, b"")) if known else (401, b"")
        self.send_response(status)
        self.send_header("location", "https://else.example/")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def api():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def init(run, tmp_path, api, monkeypatch):
    monkeypatch.setenv("DOORWARD_TARGET_CREDENTIAL", SECRET)
    api.seen.clear()
    url = f"http://127.0.0.1:{api.server_address[1]}"

    def call(*options, target=url, **how):
        return run("init", "http", "--target", target, "--issuer", ISSUER, "--folder", tmp_path / "gw", *options, **how)

    return call


def test_a_sample_becomes_masks_and_files_that_load_and_a_line_to_try(init, api, run, tmp_path):
    done = init("--resource", "crm", "--sample", "/customers?limit=5", "--yes")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "gw"
    config = load_config(folder / CONFIG, {"http": HttpTarget})
    assert config.resources["crm"].target.at == ("/crm",)
    masked = {column for rule in load_policy(folder / POLICY).mask_rules for column in rule.mask.columns}
    assert masked == {"$..email", "$..iban"}
    assert api.seen == [("/customers?limit=5", f"Bearer {SECRET}")]
    assert "-H \"Authorization: Bearer $TOKEN\" 'https://localhost:8443/crm/customers?limit=5'" in done.output
    assert run("config", "check", folder / CONFIG).output == "ok\n"
    written = "".join(path.read_text() for path in folder.glob("*.yaml"))
    for text in (written, done.output):
        assert SECRET not in text
        assert "ada@" not in text


def test_a_second_gateway_beside_the_first_has_ports_of_its_own_and_says_so(init, tmp_path):
    assert "! port" not in init("--yes").output
    done = init("--yes", "--folder", tmp_path / "second", "--admin", "127.0.0.1:9999")
    assert done.exit_code == 0, done.output
    first, second = (load_config(tmp_path / name / CONFIG) for name in ("gw", "second"))
    assert (first.listen[0].port, second.listen[0].port) == (8443, 8453)
    assert (first.approvals.listen.port, second.approvals.listen.port) == (9465, 9475)
    assert (first.admin.port, second.admin.port) == (9464, 9999)
    assert done.output.count("! port") == 2


def test_a_description_becomes_masks_without_asking_the_target(init, api, tmp_path):
    schemas = {"Customer": {"properties": {"email": {"type": "string"}}}}
    paths = {"/customers": {"get": {}}, "/search": {"post": {"operationId": "searchCustomers"}}}
    (tmp_path / "api.json").write_text(
        json.dumps({"openapi": "3.0.0", "paths": paths, "components": {"schemas": schemas}})
    )
    done = init("--openapi", tmp_path / "api.json", "--yes")
    assert done.exit_code == 0, done.output
    assert api.seen == []
    config = (tmp_path / "gw" / CONFIG).read_text()
    assert '#     - "POST /search"' in config
    assert "$..email" in (tmp_path / "gw" / POLICY).read_text()
    assert load_config(tmp_path / "gw" / CONFIG, {"http": HttpTarget}).resources


def test_nothing_is_asked_of_the_target_that_nobody_named(init, api, tmp_path):
    assert init("--yes").exit_code == 0
    assert api.seen == []
    assert "detect" in (tmp_path / "gw" / POLICY).read_text()


def test_the_operator_decides_what_is_hidden_and_may_leave(init, tmp_path):
    assert init("--sample", "/customers", input="q\n").exit_code == 2
    assert not (tmp_path / "gw").exists()
    done = init("--sample", "/customers", input="1\n")
    assert done.exit_code == 0, done.output
    assert "#   $..email (name, values: 100 % email addresses)" in (tmp_path / "gw" / POLICY).read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sample", "/nothing"), "there is nothing at this path"),
        (("--sample", "/plain"), "not JSON"),
        (("--sample", "/away"), "it answered 302"),
        (("--sample", "/large"), "ask for fewer"),
        (("--sample", "customers"), "--sample is a path"),
        (("--sample", "/customers", "--send", "nothing"), "wants a credential: put it into DOORWARD_TARGET_CREDENTIAL"),
        (("--send", "token"), "--send is one of"),
        (("--at", "/"), "--at is"),
        (("--at", "Crm Gateway"), "--at is"),
        (("--target-ca", "nowhere.pem"), "no meaning without TLS"),
        (("--credential-env", "hunter 2"), "never the credential itself"),
        (("--openapi", "nowhere.yaml"), "there is no file nowhere.yaml"),
        (("--listen", "8443"), "where to listen"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(init, tmp_path, options, words):
    done = init(*options, "--yes")
    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert not (tmp_path / "gw").exists()


def test_a_target_that_is_not_there_is_said(init):
    done = init("--sample", "/customers", "--yes", target="https://127.0.0.1:9")
    assert (done.exit_code, "cannot be asked" in done.output) == (2, True)


def test_a_credential_can_be_in_a_file(init, api, tmp_path):
    (tmp_path / "credential").write_text(f"{SECRET}\n")
    done = init("--credential-file", tmp_path / "credential", "--sample", "/customers", "--yes")
    assert done.exit_code == 0, done.output
    account = load_config(tmp_path / "gw" / CONFIG, {"http": HttpTarget}).resources["127.0.0.1"].accounts["app"]
    assert SECRET not in repr(account)
    (tmp_path / "credential").write_text("two\nlines\n")
    done = init("--credential-file", tmp_path / "credential", "--sample", "/customers", "--yes", "--force")
    assert (done.exit_code, "one line" in done.output) == (2, True)
