"""How a client begins: every event, and every way to be refused."""

import json

import pytest

from doorward_core.errors import ClientProtocolError, LocalProtocolError
from doorward_postgres.startup import (
    CancelRequest,
    ClientStartup,
    Credential,
    Credentials,
    Gone,
    Refused,
    Reply,
    StartTls,
    StartupOptions,
    bearer_token,
)
from doorward_postgres.startup_settings import StartupRequest
from doorward_postgres.wire import AuthCode, Backend, FrameReader, Side
from doorward_postgres.wire_decode import (
    decode_authentication,
    decode_error_fields,
    decode_negotiate_protocol_version,
    decode_sasl_mechanisms,
)
from doorward_postgres.wire_encode import (
    AUTHENTICATION_CLEARTEXT_PASSWORD,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    SYNC,
    TERMINATE,
    encode_cancel_request,
    encode_gssenc_request,
    encode_password,
    encode_sasl_initial_response,
    encode_sasl_response,
    encode_ssl_request,
    encode_startup,
)

REMOTE = StartupOptions(tls_offered=True)
LOCAL = StartupOptions(tls_offered=False, local=True)
ALICE = {"user": "alice", "database": "app-db"}


def secured(options=REMOTE):
    """A machine whose client has TLS."""
    startup = ClientStartup(options)
    assert startup.receive(encode_ssl_request()) == (StartTls(b"S"),)
    startup.tls_started("postgresql")
    return startup


def refusal(events):
    (event,) = events
    assert isinstance(event, Refused)
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(event.reply)
    ((kind, start, end),) = list(reader)
    assert kind == Backend.ErrorResponse
    return decode_error_fields(reader.body(start, end))


def test_a_password_over_tls():
    startup = secured()
    (request,) = startup.receive(encode_startup(ALICE | {"application_name": "crew"}))
    assert request == StartupRequest(
        "alice", "app-db", "crew", {"application_name": "crew"}, PROTOCOL_3_0, PROTOCOL_3_0
    )
    assert startup.encrypted
    assert startup.ask_for_credential() == AUTHENTICATION_CLEARTEXT_PASSWORD
    (credential,) = startup.receive(encode_password("a.b.c") + SYNC)
    assert credential.token.reveal() == "a.b.c"
    assert "a.b.c" not in repr(credential)
    assert startup.leftover == SYNC


def test_the_database_is_the_user_where_none_is_named():
    (request,) = secured().receive(encode_startup({"user": "alice"}))
    assert request.database == "alice"


def test_a_local_socket_needs_no_tls_and_offers_none():
    startup = ClientStartup(LOCAL)
    assert startup.receive(encode_ssl_request()) == (Reply(b"N"),)
    (request,) = startup.receive(encode_startup(ALICE))
    assert isinstance(request, StartupRequest)
    assert not startup.encrypted


def test_gss_is_declined_and_tls_goes_on():
    startup = ClientStartup(REMOTE)
    assert startup.receive(encode_gssenc_request()) == (Reply(b"N"),)
    assert startup.receive(encode_ssl_request()) == (StartTls(b"S"),)


def test_direct_tls_hands_its_first_bytes_on():
    startup = ClientStartup(REMOTE)
    hello = b"\x16\x03\x01\x02\x00\x01"
    assert startup.receive(hello) == (StartTls(b"", hello),)
    startup.tls_started("postgresql")
    assert isinstance(startup.receive(encode_startup(ALICE))[0], StartupRequest)


@pytest.mark.parametrize("options", [REMOTE, LOCAL])
def test_a_cancel_request_is_taken_in_the_clear(options):
    assert ClientStartup(options).receive(encode_cancel_request(-7, b"k" * 32)) == (CancelRequest(-7, b"k" * 32),)


def test_a_goodbye_instead_of_a_password():
    startup = secured()
    startup.receive(encode_startup(ALICE))
    startup.ask_for_credential()
    assert startup.receive(TERMINATE) == (Gone(),)


@pytest.mark.parametrize(
    ("asked", "unknown", "spoken"),
    [
        (PROTOCOL_3_0, [], PROTOCOL_3_0),
        (PROTOCOL_3_2, [], PROTOCOL_3_2),
        (3 << 16 | 9999, [], PROTOCOL_3_2),
        (PROTOCOL_3_0, ["_pq_.report_parameters"], PROTOCOL_3_0),
    ],
)
def test_a_newer_version_or_an_unknown_option_is_negotiated(asked, unknown, spoken):
    startup = secured()
    (request,) = startup.receive(encode_startup(ALICE | dict.fromkeys(unknown, "x"), asked))
    assert request.protocol == spoken
    assert request.long_cancel_key == (spoken == PROTOCOL_3_2)
    reply = startup.ask_for_credential()
    if asked == spoken and not unknown:
        assert reply == AUTHENTICATION_CLEARTEXT_PASSWORD
        return
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(reply)
    (kind, start, end), _ = list(reader)
    assert kind == Backend.NegotiateProtocolVersion
    assert decode_negotiate_protocol_version(reader.body(start, end)) == (spoken, tuple(unknown))


def test_a_refusal_is_an_error_response_that_ends_the_session():
    fields = refusal(secured().receive(encode_startup(ALICE | {"searchpath": "x"})))
    assert (fields["S"], fields["C"]) == ("FATAL", "42501")
    assert "search_path" in fields["H"]


# --- OAUTHBEARER ------------------------------------------------------------------------------------------------------

OAUTH = StartupOptions(
    tls_offered=True, credentials=Credentials.OAUTHBEARER, discovery_url="https://issuer.test/.well-known/x"
)


def _asked():
    startup = secured(OAUTH)
    startup.receive(encode_startup(ALICE))
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(startup.ask_for_credential())
    ((_, start, end),) = list(reader)
    code, rest = decode_authentication(reader.body(start, end))
    assert code == AuthCode.SASL
    assert decode_sasl_mechanisms(rest) == ("OAUTHBEARER",)
    return startup


def test_a_bearer_token():
    response = b"n,,\x01host=db\x01port=5432\x01auth=Bearer a.b.c\x01\x01"
    (credential,) = _asked().receive(encode_sasl_initial_response("OAUTHBEARER", response))
    assert isinstance(credential, Credential)
    assert credential.token.reveal() == "a.b.c"


def test_a_client_without_a_token_is_told_where_to_get_one():
    startup = _asked()
    (reply,) = startup.receive(encode_sasl_initial_response("OAUTHBEARER", b"n,,\x01auth=\x01\x01"))
    code, rest = decode_authentication(reply.data[5:])
    assert code == AuthCode.SASLContinue
    assert json.loads(rest) == {
        "status": "invalid_token",
        "openid-configuration": OAUTH.discovery_url,
        "scope": "openid",
    }
    assert refusal(startup.receive(encode_sasl_response(b"\x01")))["C"] == "28000"


def test_a_false_acknowledgement_is_refused():
    startup = _asked()
    startup.receive(encode_sasl_initial_response("OAUTHBEARER", b"n,,\x01auth=\x01\x01"))
    with pytest.raises(ClientProtocolError):
        startup.receive(encode_sasl_response(b"x"))


@pytest.mark.parametrize(
    "message",
    [
        encode_sasl_initial_response("SCRAM-SHA-256", b"n,,n=,r=abc"),
        encode_sasl_initial_response("OAUTHBEARER", None),
        encode_password("a.b.c"),
    ],
)
def test_another_mechanism_is_refused(message):
    with pytest.raises(ClientProtocolError):
        _asked().receive(message)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"n,,",
        b"n,a=root,\x01auth=Bearer t\x01\x01",
        b"y,,\x01auth=Bearer t\x01\x01",
        b"p=tls-exporter,,\x01auth=Bearer t\x01\x01",
        b"n,,\x01auth=Bearer t\x01",
        b"n,,\x01auth=Bearer t",
        b"n,,\x01auth=Basic t\x01\x01",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Bearer\x01\x01",
        b"n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        b"n,,\x01auth\x01\x01",
        b"n,,\x01host=x\x01\x01",
        b"n,,\x01auth=Bearer \xc3\xa9\x01\x01",
        b"n,,\x01\x01\x01auth=Bearer t\x01\x01",
    ],
)
def test_a_malformed_bearer_response_is_refused(response):
    with pytest.raises(ClientProtocolError):
        bearer_token(response)


# --- our own misuse ---------------------------------------------------------------------------------------------------


def test_misuse_is_our_own_defect():
    startup = ClientStartup(REMOTE)
    with pytest.raises(LocalProtocolError):
        startup.ask_for_credential()
    with pytest.raises(LocalProtocolError):
        startup.tls_started("postgresql")
    startup.receive(encode_ssl_request())
    with pytest.raises(LocalProtocolError):
        startup.receive(b"x")
