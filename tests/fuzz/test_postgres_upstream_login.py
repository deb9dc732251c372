"""A garbage server gives events, UpstreamProtocolError or UpstreamUnavailable, and nothing else: whole and byte by byte."""

from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_postgres import scram
from doorward_postgres.upstream_login import LoggedIn, LoginSettings, NeedKeys, UpstreamLogin
from doorward_postgres.wire_encode import (
    AUTHENTICATION_CLEARTEXT_PASSWORD,
    AUTHENTICATION_OK,
    encode_authentication,
    encode_authentication_sasl,
    encode_backend_key_data,
    encode_error_fields,
    encode_negotiate_protocol_version,
    encode_parameter_status,
    encode_ready_for_query,
)

KEYS = scram.Keys(b"c" * 32, b"s" * 32)
sane = st.sampled_from(
    [
        AUTHENTICATION_OK,
        AUTHENTICATION_CLEARTEXT_PASSWORD,
        encode_authentication(5, b"salt"),
        encode_authentication_sasl([scram.MECHANISM]),
        encode_authentication(11, b"r=bm5ubm5ubm5ubm5ubm5ubm5ubm5uxyz,s=AAAA,i=4096"),
        encode_authentication(12, b"v=AAAA"),
        encode_backend_key_data(1, b"abcd"),
        encode_parameter_status("a", "b"),
        encode_ready_for_query("I"),
        encode_negotiate_protocol_version(0, ["_pq_.x"]),
        encode_error_fields({"M": "x"}),
    ]
)
auth = st.builds(encode_authentication, st.sampled_from([0, 3, 5, 10, 11, 12, 99]), st.binary(max_size=30))
streams = st.lists(sane | auth | st.binary(max_size=20), max_size=8)


def _drive(chunks):
    settings = LoginSettings("app", "shop", Secret("pencil"), {}, confidential=True)
    machine = UpstreamLogin(settings, b"n" * 18)
    events = []
    try:
        for chunk in chunks:
            for event in machine.receive(chunk):
                if isinstance(event, LoggedIn):
                    return [*events, (event.pid, event.key, event.status)]
                if isinstance(event, NeedKeys):
                    machine.keys(KEYS)
                events.append(event)
    except (UpstreamProtocolError, UpstreamUnavailable):
        events.append("refused")
    return events


@given(streams)
def test_a_garbage_server_gives_events_or_an_error(stream):
    data = b"".join(stream)
    _drive([data])
    _drive(stream)
    _drive([data[at : at + 1] for at in range(len(data))])
