import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from doorward_demo.issuer import DEMO_PRINCIPALS
from doorward_demo.issuer_login import CODE_S, Logins

NS = 1_000_000_000
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "desk",
    "redirect_uri": "http://localhost:1/login/callback",
    "state": "s",
    "nonce": "n",
    "code_challenge": CHALLENGE,
}


class Clock:
    now = 1_000 * NS

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def logins(clock):
    return Logins(lambda: "http://127.0.0.1:9", clock)


def chosen(logins, subject="dba-tom", **changes):
    place = logins.choose({**ASKED, "subject": subject, **changes}, DEMO_PRINCIPALS)
    return None if place is None else {key: value[0] for key, value in parse_qs(urlsplit(place).query).items()}


def redeemed(logins, code, **changes):
    form = {"code": code, "code_verifier": VERIFIER, "client_id": "desk", "redirect_uri": ASKED["redirect_uri"]}
    return logins.redeem({**form, **changes})


def test_the_page_lists_people_and_no_agents(logins):
    status, page = logins.page({**ASKED, "state": '"><script>'}, DEMO_PRINCIPALS)
    assert status == 200
    assert b"Tom Berger" in page
    assert b"crew-analyst-7" not in page
    assert b"<script>" not in page


def test_a_name_that_is_clicked_becomes_a_code_that_works_once(logins):
    back = chosen(logins)
    assert (back["state"], back["iss"]) == ("s", "http://127.0.0.1:9")
    granted = redeemed(logins, back["code"])
    assert (granted.subject, granted.nonce, granted.auth_time_s) == ("dba-tom", "n", 1_000)
    assert redeemed(logins, back["code"]) is None


@pytest.mark.parametrize(
    "changes", [{"code_verifier": "w" * 43}, {"client_id": "x"}, {"redirect_uri": "http://localhost:2/"}]
)
def test_a_code_is_for_whom_it_was_made(logins, changes):
    assert redeemed(logins, chosen(logins)["code"], **changes) is None


def test_a_code_is_over_after_a_minute(logins, clock):
    code = chosen(logins)["code"]
    clock.now += CODE_S * NS
    assert redeemed(logins, code) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.test/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"response_type": "token"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"client_id": ""},
    ],
)
def test_a_request_that_cannot_be_answered_leads_nowhere(logins, changes):
    assert logins.page({**ASKED, **changes}, DEMO_PRINCIPALS)[0] == 400
    assert chosen(logins, **changes) is None


@pytest.mark.parametrize("subject", ["crew-analyst-7", "nobody", ""])
def test_only_people_who_are_listed_can_be_clicked(logins, subject):
    assert chosen(logins, subject) is None


def test_a_refresh_token_works_once_and_for_its_client(logins):
    granted = redeemed(logins, chosen(logins)["code"])
    token = logins.refresh_token(granted)
    assert logins.renew({"refresh_token": token, "client_id": "desk"}) == granted
    assert logins.renew({"refresh_token": token, "client_id": "desk"}) is None
    other = logins.refresh_token(granted)
    assert logins.renew({"refresh_token": other, "client_id": "another"}) is None
