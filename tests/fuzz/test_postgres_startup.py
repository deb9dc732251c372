"""Garbage at the start of a connection gives events or ClientProtocolError, and nothing else: whole and byte by byte."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import ClientProtocolError
from doorward_postgres.startup import (
    ClientStartup,
    Credentials,
    Reply,
    StartTls,
    StartupOptions,
    bearer_token,
)
from doorward_postgres.startup_settings import StartupRequest
from doorward_postgres.wire_encode import (
    PROTOCOL_3_0,
    encode_cancel_request,
    encode_gssenc_request,
    encode_password,
    encode_sasl_initial_response,
    encode_ssl_request,
    encode_startup,
)

packets = st.builds(
    lambda code, body, lie: (len(body) + 8 + lie).to_bytes(4) + code.to_bytes(4) + body,
    st.sampled_from([PROTOCOL_3_0, PROTOCOL_3_0 + 2, 2 << 16, 80877102, 80877103, 80877104]),
    st.binary(max_size=60) | st.just(b"user\0alice\0\0"),
    st.sampled_from([0, 0, 0, 1]),
)
sane = st.sampled_from(
    [
        encode_ssl_request(),
        encode_gssenc_request(),
        encode_startup({"user": "alice"}),
        encode_startup({"user": "alice", "options": "-c search_path=a"}),
        encode_cancel_request(1, b"abcd"),
        encode_password("token"),
        encode_sasl_initial_response("OAUTHBEARER", b"n,,\x01auth=Bearer t\x01\x01"),
        encode_sasl_initial_response("OAUTHBEARER", b"n,,\x01auth=\x01\x01"),
        b"\x16\x03\x01",
    ]
)
streams = st.lists(packets | sane | st.binary(max_size=20), max_size=6)
options = st.builds(StartupOptions, st.booleans(), st.booleans(), st.sampled_from(Credentials))


def _drive(option, chunks):
    """Feed as the shell does: it stops at what ends the phase, and shakes hands at once."""
    startup = ClientStartup(option)
    events = []
    try:
        for chunk in chunks:
            got = startup.receive(chunk)
            events += got
            for event in got:
                if isinstance(event, StartTls):
                    startup.tls_started("postgresql")
                elif isinstance(event, StartupRequest):
                    startup.ask_for_credential()
                elif not isinstance(event, Reply):
                    return events
    except ClientProtocolError:
        events.append("refused")
    return events


@given(options, streams)
def test_garbage_gives_events_or_a_protocol_error(option, stream):
    _drive(option, stream)
    _drive(option, [b"".join(stream)])
    data = b"".join(stream)
    _drive(option, [data[at : at + 1] for at in range(len(data))])


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda data: b"n,,\x01auth=" + data + b"\x01\x01"))
def test_a_garbage_bearer_response_gives_a_token_or_a_protocol_error(response):
    with suppress(ClientProtocolError):
        assert isinstance(bearer_token(response), str)


@pytest.mark.parametrize("byte", range(256))
def test_every_first_byte_is_answered_or_waited_on(byte):
    with suppress(ClientProtocolError):
        ClientStartup(StartupOptions(tls_offered=True)).receive(bytes([byte]))
