import http.client
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from doorward_core.identity.keys import parse_jwks
from doorward_core.identity.token import IssuerSettings, verify_token
from doorward_core.model import PrincipalKind
from doorward_demo.issuer import DEMO_PRINCIPALS, DevelopmentIssuer, make_key, write_secrets

NOW_NS = 1_800_000_000 * 10**9


@pytest.fixture
def issuer() -> Iterator[DevelopmentIssuer]:
    with DevelopmentIssuer(algorithm="ES256", clock=lambda: NOW_NS) as running:
        yield running


def ask(url: str, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def verify(issuer: DevelopmentIssuer, token: str, **more: object):
    settings = IssuerSettings(issuer.url, frozenset({"doorward"}), **more)
    return verify_token(token, parse_jwks(issuer.jwks()), settings, NOW_NS)


def test_it_listens_on_loopback_alone(issuer):
    assert issuer.url.startswith("http://127.0.0.1:")


def test_it_publishes_where_its_keys_are(issuer):
    status, document = ask(issuer.url, "GET", "/.well-known/openid-configuration")
    assert (status, document["issuer"]) == (200, issuer.url)
    status, key_set = ask(issuer.url, "GET", urlsplit(document["jwks_uri"]).path)
    assert (status, key_set) == (200, json.loads(issuer.jwks()))
    assert ask(issuer.url, "GET", "/etc/passwd")[0] == 404


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_what_it_issues_is_accepted(algorithm):
    with DevelopmentIssuer(algorithm=algorithm, clock=lambda: NOW_NS) as issuer:
        token = issuer.issue("crew-7", "agent", ("a", "b"), "maria", {"crew": "q", "pad": "x" * 2048}, "doorward", 600)
        identity = verify(issuer, token, attributes=("crew",))
    assert (identity.subject, identity.sponsor, identity.groups) == ("crew-7", "maria", {"a", "b"})
    assert identity.attributes == {"crew": "q"}
    assert len(token) > 2048


def test_there_is_no_key_for_an_algorithm_that_it_does_not_know():
    with pytest.raises(ValueError, match="HS256"):
        make_key("HS256")


def test_rotation_publishes_the_new_key_beside_the_last(issuer):
    first = issuer.kid
    second = issuer.rotate()
    third = issuer.rotate()
    assert [key.kid for key in parse_jwks(issuer.jwks()).keys] == [second, third]
    issuer.rotate(keep=0)
    assert [key.kid for key in parse_jwks(issuer.jwks()).keys] == [issuer.kid]
    assert first not in issuer.jwks().decode()


def form(issuer: DevelopmentIssuer, **change: str) -> str:
    fields = {
        "grant_type": "client_credentials",
        "client_id": "crew-analyst-7",
        "client_secret": issuer.secrets["crew-analyst-7"],
    }
    return urlencode(fields | change)


def test_a_principal_gets_a_token_for_its_secret(issuer):
    status, answer = ask(issuer.url, "POST", "/token", form(issuer))
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 900)
    identity = verify(issuer, answer["access_token"], attributes=("crew", "task", "agent_role"))
    assert identity.kind is PrincipalKind.AGENT
    assert (identity.subject, identity.sponsor) == ("crew-analyst-7", "maria")
    assert identity.display
    assert set(identity.attributes) == {"crew", "task", "agent_role"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_secret": ""}, 401),
        ({"client_secret": "é"}, 401),
        ({"client_id": "nobody"}, 401),
        ({"client_id": ""}, 401),
        ({"grant_type": "password"}, 400),
        ({"lifetime_s": "0"}, 400),
        ({"lifetime_s": "-1"}, 400),
        ({"lifetime_s": "36000"}, 400),
        ({"lifetime_s": "²"}, 400),
        ({"lifetime_s": "x"}, 400),
    ],
)
def test_nobody_else_gets_one(issuer, change, status):
    assert ask(issuer.url, "POST", "/token", form(issuer, **change))[0] == status


def test_a_request_of_another_shape_is_refused(issuer):
    assert ask(issuer.url, "POST", "/other", form(issuer))[0] == 400
    assert ask(issuer.url, "POST", "/token", "x" * 9000)[0] == 400
    assert ask(issuer.url, "POST", "/token", form(issuer) + "&client_id=dba-tom")[0] == 401


def test_a_token_lives_as_long_as_asked_and_for_whom_asked(issuer):
    _, answer = ask(issuer.url, "POST", "/token", form(issuer, lifetime_s="60", audience="other"))
    settings = IssuerSettings(issuer.url, frozenset({"other"}))
    identity = verify_token(answer["access_token"], parse_jwks(issuer.jwks()), settings, NOW_NS)
    assert identity.expires_unix_ns == NOW_NS + 120 * 10**9


def test_secrets_are_written_for_their_owner_alone(issuer, tmp_path):
    for _ in range(2):
        path = write_secrets(issuer, tmp_path / "state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())["clients"]) == {principal.subject for principal in DEMO_PRINCIPALS}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_as_a_program_and_ends_on_a_signal(tmp_path, end):
    command = [sys.executable, "-m", "doorward_demo.issuer", "--state", str(tmp_path), "--algorithm", "ES256"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as program:
        try:
            told = json.loads(program.stdout.readline())
            clients = json.loads((tmp_path / "issuer-secrets.json").read_text())["clients"]
            body = urlencode(
                {"grant_type": "client_credentials", "client_id": "maria", "client_secret": clients["maria"]}
            )
            assert ask(told["issuer"], "POST", "/token", body)[0] == 200
            program.send_signal(end)
            assert program.wait(120) == 0
        finally:
            program.kill()


def test_a_port_that_is_taken_is_named(issuer, tmp_path):
    port = issuer.url.rpartition(":")[2]
    command = [sys.executable, "-m", "doorward_demo.issuer", "--port", port, "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert f"--port {port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
