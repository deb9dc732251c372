from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from doorward_console.settings import Login
from doorward_console.web import oidc
from doorward_core.errors import AuthenticationError
from doorward_core.identity.keys import parse_jwks
from doorward_core.identity.token import verify_token
from doorward_demo.issuer import DevelopmentIssuer

NOW = 1_800_000_000 * 10**9


@pytest.fixture(scope="module")
def issuer():
    with DevelopmentIssuer(clock=lambda: NOW) as made:
        yield made


@pytest.fixture
def login(issuer):
    return Login(issuer=issuer.url, client_id="desk")


@pytest.mark.parametrize("path", ["/", "/requests/pg/ap-1?x=1&y=%20", "/a//b"])
def test_a_local_path_stays(path):
    assert oidc.local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "//evil.test",
        "/\\evil",
        "https://evil.test",
        "/\n/evil",
        "/ü",
        "/login",
        "/logout",
        "/" + "a" * 600,
        "/a b",
    ],
)
def test_anything_else_is_the_front_page(path):
    assert oidc.local_path(path) == "/"


def test_id_04_a_login_asks_with_pkce_state_and_nonce(login):
    started = oidc.begin("/", NOW, fresh=True)
    endpoints = oidc.Endpoints("https://id.test/authorize?tenant=1", "https://id.test/token")
    url = oidc.authorization_url(endpoints, login, "https://desk.test", started)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert (query["code_challenge_method"], query["state"], query["nonce"]) == ("S256", started.state, started.nonce)
    assert query["redirect_uri"] == "https://desk.test/login/callback"
    assert (query["prompt"], query["max_age"], query["tenant"]) == ("login", "0", "1")
    assert started.verifier not in url


def test_a_note_is_opened_by_the_process_that_sealed_it_and_in_time():
    notes, started = oidc.Notes(), oidc.begin("/", NOW, fresh=False)
    note = notes.seal(started)
    assert started.verifier not in note
    assert notes.open(note, NOW + 10**9) == started
    assert notes.open(note, NOW + 601 * 10**9) is None
    assert notes.open(note, NOW - 10**9) is None
    assert oidc.Notes().open(note, NOW) is None
    assert all(notes.open(bad, NOW) is None for bad in ("", "x", note[:-2], "\udcff"))


@pytest.mark.parametrize(
    "query", [{}, {"state": "x", "code": "c"}, {"code": "c"}, {"error": "access_denied"}, {"state": "", "code": "c"}]
)
def test_id_04_an_answer_with_another_state_is_none(query):
    with pytest.raises(AuthenticationError):
        oidc.returned_code(query, oidc.begin("/", NOW, fresh=False), "https://id.test")


def test_an_answer_of_another_provider_is_none():
    started = oidc.begin("/", NOW, fresh=False)
    good = {"state": started.state, "code": "c", "iss": "https://id.test"}
    assert oidc.returned_code(good, started, "https://id.test") == "c"
    for bad in ({"iss": "https://evil.test"}, {"error": "x"}, {"code": ""}, {"code": "c" * 5000}):
        with pytest.raises(AuthenticationError):
            oidc.returned_code({**good, **bad}, started, "https://id.test")


@pytest.mark.parametrize(
    "changed",
    [{"issuer": "https://evil.test"}, {"token_endpoint": "http://id.test/token"}, {"authorization_endpoint": 7}],
)
def test_endpoints_are_the_issuers_own_and_over_tls(changed):
    good = {
        "issuer": "https://id.test",
        "authorization_endpoint": "https://id.test/a",
        "token_endpoint": "https://id.test/t",
    }
    assert oidc.read_endpoints(good, "https://id.test").site == "https://id.test"
    with pytest.raises(AuthenticationError):
        oidc.read_endpoints({**good, **changed}, "https://id.test")


def test_id_04_an_id_token_is_of_this_login_this_client_and_this_person(issuer, login):
    started = oidc.begin("/", NOW, fresh=True)
    keys = parse_jwks(issuer.jwks())
    person = verify_token(issuer.issue("tom", "human"), keys, oidc.access_settings(login), NOW)
    s = NOW // 10**9
    good = {
        "iss": issuer.url,
        "sub": "tom",
        "aud": "desk",
        "iat": s,
        "exp": s + 60,
        "nonce": started.nonce,
        "auth_time": s,
    }

    def check(claims, fresh=True):
        token = issuer.sign_claims(claims, {"typ": "JWT"})
        oidc.check_id_token(token, keys, login, started=replace(started, fresh=fresh), person=person, now_unix_ns=NOW)

    check(good)
    check({**good, "auth_time": s - 4000}, fresh=False)
    for bad in (
        {"nonce": "another"},
        {"nonce": 7},
        {"aud": "another"},
        {"aud": ["desk", "another"]},
        {"azp": "another"},
        {"sub": "tina"},
        {"iss": "https://evil.test"},
        {"exp": s - 3600},
        {"auth_time": s - 3600},
        {"auth_time": "now"},
    ):
        with pytest.raises(AuthenticationError):
            check({**good, **bad})
