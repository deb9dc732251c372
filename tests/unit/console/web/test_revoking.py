"""Taking away at several gateways: each one's answer is told, and whoever was silent is named."""

import pytest

from doorward_console.web.revoking import Outcome, Revoked, lift, read_entries, revoke, revoke_session
from doorward_console.web.standing import RevokedAt
from doorward_core.net.control import Problem

SECOND = '  k8s: {{control: "unix:{}"}}\n'
GIVEN = {"id": "rv-1", "what": "token", "sessions": 2, "gone": 2, "problem": ""}


@pytest.fixture
async def olga(stand):
    """Olga, at a desk of two gateways; the second is the first again, or nothing."""

    async def at(second="control"):
        stand.configure(more=SECOND.format(stand.folder / second))
        client = await stand.login("olga")
        return stand.desk.sessions.find(client.cookies["__Host-doorward"]).person

    return at


async def test_every_gateway_is_told_and_answers(stand, olga):
    stand.answers["/v1/revocations"] = GIVEN
    who = await olga()
    done = await revoke(stand.desk, who, what="token", value="x", reason="lost")
    assert (done.everywhere, done.failed) == (True, ())
    assert [(one.gateway, one.sessions, one.gone, one.id) for one in done.outcomes] == [
        ("pg", 2, 2, "rv-1"),
        ("k8s", 2, 2, "rv-1"),
    ]
    assert stand.told == [("/v1/revocations", "olga", {"what": "token", "value": "x", "reason": "lost"})] * 2


async def test_one_that_is_down_has_revoked_nothing_and_can_be_told_alone(stand, olga):
    who = await olga("nothing.sock")
    done = await revoke(stand.desk, who, what="subject", value="crew-7", reason="wild")
    assert (done.anywhere, done.everywhere, done.failed) == (True, False, ("k8s",))
    again = await revoke(stand.desk, who, what="subject", value="crew-7", reason="wild", at=done.failed)
    assert [(one.gateway, one.done) for one in again.outcomes] == [("k8s", False)]
    assert "cannot be reached" in again.outcomes[0].why


async def test_a_session_is_only_where_it_is(stand, olga):
    stand.answers["/v1/revocations"] = Problem(404, "there is no such session")
    who = await olga()
    done = await revoke(stand.desk, who, what="session", value="0" * 32, reason="x")
    assert [one.absent for one in done.outcomes] == [True, True]
    assert (done.anywhere, done.failed) == (False, ())


async def test_a_session_takes_its_credential_with_it_everywhere(stand, olga):
    stand.answers["/v1/revocations"] = {**GIVEN, "what": "session", "credential": "jti-1"}
    who = await olga()
    done = await revoke_session(stand.desk, who, stand.desk.gateways["pg"], "0" * 32, "wild")
    assert (done.what, done.value, done.everywhere) == ("token", "jti-1", True)
    assert [(body["what"], body["value"]) for _, _, body in stand.told] == [("session", "0" * 32), ("token", "jti-1")]


async def test_the_session_of_a_certificate_takes_the_token_that_it_was_given_for(stand, olga):
    stand.answers["/v1/revocations"] = {**GIVEN, "what": "session", "credential": "4711:jti-1"}
    who = await olga()
    done = await revoke_session(stand.desk, who, stand.desk.gateways["pg"], "0" * 32, "wild")
    assert (done.what, done.value, [one.gateway for one in done.outcomes]) == ("token", "jti-1", ["pg", "pg", "k8s"])
    assert [(body["what"], body["value"]) for _, _, body in stand.told[1:]] == [("token", "jti-1")] * 2


async def test_a_session_that_has_ended_leaves_the_credential_alone_and_says_so(stand, olga):
    stand.answers["/v1/revocations"] = Problem(404, "there is no such session, or it is over")
    who = await olga()
    done = await revoke_session(stand.desk, who, stand.desk.gateways["pg"], "0" * 32, "wild")
    assert (done.what, done.anywhere, done.failed) == ("session", False, ("pg",))
    assert "it is over" in done.outcomes[0].why
    assert len(stand.told) == 1


async def test_each_entry_is_lifted_at_its_own_gateway(stand, olga):
    who = await olga("nothing.sock")
    entries = read_entries("pg:rv-1 k8s:rv-2 gone:rv-3")
    outcomes = await lift(stand.desk, who, entries, "mended")
    assert [(one.gateway, one.done) for one in outcomes] == [("pg", True), ("k8s", False), ("gone", False)]
    assert stand.told == [("/v1/revocations/rv-1/lift", "olga", {"reason": "mended"})]


@pytest.mark.parametrize("text", ["", " ", "pg", ":rv-1", "pg:", "pg:rv-1 x"])
def test_what_names_no_entry_is_refused(text):
    with pytest.raises(ValueError, match="entry"):
        read_entries(text)


def test_entries_read_back():
    assert read_entries("a:rv-1 b:rv-2") == (RevokedAt("a", "rv-1"), RevokedAt("b", "rv-2"))


def test_nothing_is_everywhere_where_nothing_was_done():
    assert not Revoked("session", "x", "y", (Outcome("pg", done=False, absent=True),)).everywhere
