"""How a client begins: encryption, start-up packet, credential. A pure machine from bytes to events.

What it will not do: await, verify a token, or decide who may come in; `startup_settings` reads the start-up packet.
Implements: PostgreSQL documentation, "Frontend/Backend Protocol", "Start-up", "SSL Session Encryption",
"Canceling Requests in Progress", "OAUTHBEARER"; RFC 7628; direct TLS as PostgreSQL 17 has it.

The shell's loop: feed `receive`, act on each event; after StartTls call `tls_started`, after StartupRequest send
what `ask_for_credential` gives.

Invariants:

- Bytes that arrive with a request for encryption are refused: they were not protected (CVE-2021-23214).
- Each kind of encryption is negotiated once at most, and nothing is negotiated inside TLS.
- No credential is asked for on a connection that is neither encrypted nor a local socket.
- Garbage gives events or ClientProtocolError and nothing else, whole and byte by byte.
"""

import json
from dataclasses import dataclass
from enum import Enum, auto
from struct import Struct
from typing import Final, TypeAlias

from doorward_core.errors import ClientProtocolError, LocalProtocolError
from doorward_core.model import Secret
from doorward_postgres.startup_settings import StartupRefused, StartupRequest, read_startup
from doorward_postgres.wire import HEADER_BYTES, MAX_AUTH_BYTES, AuthCode, Frontend
from doorward_postgres.wire_decode import decode_password, decode_sasl_initial_response
from doorward_postgres.wire_encode import (
    AUTHENTICATION_CLEARTEXT_PASSWORD,
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    PROTOCOL_3_2,
    SSL_REQUEST,
    encode_authentication,
    encode_authentication_sasl,
    encode_error_response,
    encode_negotiate_protocol_version,
)

# MAX_STARTUP_PACKET_LENGTH of PostgreSQL.
MAX_STARTUP_BYTES: Final = 10_000
# CancelRequest: a key of 4 bytes before protocol 3.2, of at most 256 since.
_CANCEL_BYTES: Final = (16, 12 + 256)
_REQUEST_BYTES: Final = 8
_TLS_HANDSHAKE: Final = 0x16  # ContentType of a TLS record that carries a ClientHello (RFC 8446 section 5.1)
ALPN: Final = "postgresql"
_TWO_U32 = Struct("!II").unpack_from
_SASL_MECHANISM: Final = "OAUTHBEARER"
# The client's answer to a failed exchange (RFC 7628 section 3.2.3).
_DUMMY_RESPONSE: Final = b"\x01"


class Credentials(Enum):
    """How the token is asked for. The two cannot be offered at once: the protocol asks for one method."""

    PASSWORD = "password"  # noqa: S105 - the name of a method, no secret
    OAUTHBEARER = "oauthbearer"


@dataclass(frozen=True, slots=True)
class StartupOptions:
    """What this listener is.

    `tls_offered`: there is a certificate. `local`: a Unix socket, where peers are this machine's own and TLS is not
    asked for. `discovery_url` is told to OAUTHBEARER clients that come without a token.
    """

    tls_offered: bool
    local: bool = False
    credentials: Credentials = Credentials.PASSWORD
    discovery_url: str = ""
    scope: str = "openid"


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this and go on reading."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StartTls:
    """Send `reply`, then start TLS as the server with `early` as its first bytes, then call `tls_started`."""

    reply: bytes
    early: bytes = b""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Somebody wants what this key names to stop. Nothing is answered; the connection is closed."""

    pid: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """What the client brought as its token."""

    token: Secret


@dataclass(frozen=True, slots=True)
class Refused:
    """Send `reply` and close. `reason` is for our own log."""

    reply: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The client said goodbye, as psql does when it has no password to give."""


Event: TypeAlias = Reply | StartTls | CancelRequest | StartupRequest | Credential | Refused | Gone


class _Phase(Enum):
    FIRST = auto()  # nothing has arrived: direct TLS is possible
    PACKET = auto()  # a packet without a type byte
    TLS = auto()  # the shell is shaking hands
    ASKED = auto()  # a start-up packet was given out; the shell must ask for the credential
    CREDENTIAL = auto()
    DUMMY = auto()  # the exchange has failed; the client acknowledges
    OVER = auto()


class ClientStartup:
    """One client's beginning. Raises ClientProtocolError for what no client may send."""

    def __init__(self, options: StartupOptions) -> None:
        self._options = options
        self._phase = _Phase.FIRST
        self._buffer = b""
        self._encrypted = False
        self._direct = False
        self._ssl_asked = False
        self._gss_asked = False
        self._negotiation = b""

    @property
    def leftover(self) -> bytes:
        """Bytes behind the credential: the first of the query phase."""
        return self._buffer

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects the connection."""
        return self._encrypted

    def receive(self, data: bytes) -> tuple[Event, ...]:
        """Take bytes; give what they mean, in order."""
        if self._phase is _Phase.TLS:
            message = "bytes were fed while TLS was being started"
            raise LocalProtocolError(message)
        self._buffer += data
        events: list[Event] = []
        while (event := self._next()) is not None:
            events.append(event)
        return tuple(events)

    def tls_started(self, alpn: str | None) -> None:
        """The handshake is done. Direct TLS must have named the protocol (ALPACA: no other server's bytes)."""
        if self._phase is not _Phase.TLS:
            message = "TLS was started unasked"
            raise LocalProtocolError(message)
        if self._direct and alpn != ALPN:
            raise ClientProtocolError("direct TLS without ALPN postgresql")
        self._encrypted = True
        self._phase = _Phase.PACKET

    def ask_for_credential(self) -> bytes:
        """What to send after a StartupRequest: the version we speak if it is another, and the method."""
        if self._phase is not _Phase.ASKED:
            message = "a credential was asked for out of turn"
            raise LocalProtocolError(message)
        self._phase = _Phase.CREDENTIAL
        if self._options.credentials is Credentials.PASSWORD:
            return self._negotiation + AUTHENTICATION_CLEARTEXT_PASSWORD
        return self._negotiation + encode_authentication_sasl([_SASL_MECHANISM])

    # --- what arrives ------------------------------------------------------------------------------------------------

    def _next(self) -> Event | None:
        if self._phase is _Phase.FIRST and self._buffer:
            self._phase = _Phase.PACKET
            if self._buffer[0] == _TLS_HANDSHAKE:
                return self._direct_tls()
        if self._phase is _Phase.PACKET:
            return self._packet()
        if self._phase in {_Phase.CREDENTIAL, _Phase.DUMMY}:
            return self._message()
        if self._phase is _Phase.ASKED and self._buffer:
            raise ClientProtocolError("the client spoke before it was asked for its credential")
        return None

    def _direct_tls(self) -> Event:
        if not self._options.tls_offered:
            raise ClientProtocolError("direct TLS where none is offered")
        self._direct = self._ssl_asked = True
        self._phase = _Phase.TLS
        early, self._buffer = self._buffer, b""
        return StartTls(b"", early)

    def _packet(self) -> Event | None:
        """`length:u32 (itself included)  code:u32  rest`."""
        if len(self._buffer) < _REQUEST_BYTES:
            # The first byte alone tells a length that no start-up packet may have.
            if self._buffer[:2] > MAX_STARTUP_BYTES.to_bytes(4)[:2]:
                raise ClientProtocolError("the start-up packet is too long")
            return None
        length, code = _TWO_U32(self._buffer)
        if not _REQUEST_BYTES <= length <= MAX_STARTUP_BYTES:
            raise ClientProtocolError(f"the start-up packet declares {length} bytes")
        if code in {SSL_REQUEST, GSSENC_REQUEST}:
            return self._encryption(length, code)
        if len(self._buffer) < length:
            return None
        packet, self._buffer = self._buffer[_REQUEST_BYTES:length], self._buffer[length:]
        if code == CANCEL_REQUEST:
            return self._cancel(length, packet)
        return self._startup(code, packet)

    def _encryption(self, length: int, code: int) -> Event:
        if length != _REQUEST_BYTES or len(self._buffer) != _REQUEST_BYTES:
            raise ClientProtocolError("unprotected bytes came along with a request for encryption")
        asked = self._ssl_asked if code == SSL_REQUEST else self._gss_asked
        if asked or self._encrypted:
            raise ClientProtocolError("encryption was asked for twice")
        self._buffer = b""
        if code == GSSENC_REQUEST:
            self._gss_asked = True
            return Reply(b"N")
        self._ssl_asked = True
        if not self._options.tls_offered:
            return Reply(b"N")
        self._phase = _Phase.TLS
        return StartTls(b"S")

    def _cancel(self, length: int, packet: bytes) -> Event:
        shortest, longest = _CANCEL_BYTES
        if not shortest <= length <= longest or self._buffer:
            raise ClientProtocolError("malformed CancelRequest")
        self._phase = _Phase.OVER
        return CancelRequest(int.from_bytes(packet[:4], signed=True), packet[4:])

    def _startup(self, code: int, packet: bytes) -> Event:
        self._phase = _Phase.OVER
        if not (self._encrypted or self._options.local):
            hint = "Connect with sslmode=require, or better verify-full." if self._options.tls_offered else ""
            return self._refuse("28000", "this gateway takes no connection without TLS", hint)
        try:
            request = read_startup(code, packet)
        except StartupRefused as refusal:
            return self._refuse(refusal.sqlstate, str(refusal), refusal.hint)
        if self._buffer:
            raise ClientProtocolError("the client spoke before it was asked for its credential")
        if request.unknown_options or request.requested_protocol > PROTOCOL_3_2:
            self._negotiation = encode_negotiate_protocol_version(request.protocol, request.unknown_options)
        self._phase = _Phase.ASKED
        return request

    def _message(self) -> Event | None:
        """A typed message, in the phase of the credential: `type:u8  length:u32  body`."""
        if not self._buffer:
            return None
        kind = self._buffer[0]
        if kind not in {Frontend.Password, Frontend.Terminate}:
            raise ClientProtocolError(f"message type 0x{kind:02x} where a credential was expected")
        if len(self._buffer) < HEADER_BYTES:
            return None
        length = int.from_bytes(self._buffer[1:HEADER_BYTES])
        if not HEADER_BYTES - 1 <= length <= MAX_AUTH_BYTES:
            raise ClientProtocolError(f"the credential declares {length} bytes")
        if len(self._buffer) <= length:
            return None
        body, self._buffer = self._buffer[HEADER_BYTES : length + 1], self._buffer[length + 1 :]
        if kind == Frontend.Terminate:
            self._phase = _Phase.OVER
            return Gone()
        return self._credential(body)

    def _credential(self, body: bytes) -> Event:
        if self._phase is _Phase.DUMMY:
            self._phase = _Phase.OVER
            if body != _DUMMY_RESPONSE:
                raise ClientProtocolError("malformed OAUTHBEARER acknowledgement")
            return self._refuse("28000", "no token was sent", "Authenticate with the issuer, then connect again.")
        if self._options.credentials is Credentials.PASSWORD:
            self._phase = _Phase.OVER
            return Credential(Secret(decode_password(body).decode("utf-8", "replace")))
        mechanism, response = decode_sasl_initial_response(body)
        if mechanism != _SASL_MECHANISM or response is None:
            raise ClientProtocolError("a SASL mechanism that was not offered")
        token = bearer_token(response)
        if token:
            self._phase = _Phase.OVER
            return Credential(Secret(token))
        self._phase = _Phase.DUMMY
        return Reply(encode_authentication(AuthCode.SASLContinue, self._discovery()))

    def _discovery(self) -> bytes:
        """RFC 7628 section 3.2.2: where to get a token."""
        status = {"status": "invalid_token"}
        if self._options.discovery_url:
            status |= {"openid-configuration": self._options.discovery_url, "scope": self._options.scope}
        return json.dumps(status).encode("ascii")

    @staticmethod
    def _refuse(sqlstate: str, message: str, hint: str) -> Refused:
        return Refused(encode_error_response("FATAL", sqlstate, message, hint=hint), message)


def bearer_token(response: bytes) -> str:
    """The token of an OAUTHBEARER client response (RFC 7628 section 3.1); empty where the client asks for discovery.

    `gs2-header "," kv...`: `n,,` `^A auth=Bearer TOKEN ^A` ... `^A`; further keys (host, port) are of no use here.
    """
    header, _, rest = response.partition(b"\x01")
    if header != b"n,," or not rest.endswith(b"\x01\x01"):
        # An authzid (`n,a=user,`) would name somebody else than the token does; `y` and `p` bind a channel.
        raise ClientProtocolError("malformed OAUTHBEARER response")
    values: dict[bytes, bytes] = {}
    for pair in rest[:-2].split(b"\x01"):
        key, equals, value = pair.partition(b"=")
        if not equals or key in values or not key.isalpha():
            raise ClientProtocolError("malformed OAUTHBEARER response")
        values[key] = value
    auth = values.get(b"auth")
    if auth is None:
        raise ClientProtocolError("malformed OAUTHBEARER response")
    if not auth:
        return ""
    scheme, _, token = auth.partition(b" ")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not token or not token.isascii():
        raise ClientProtocolError("malformed OAUTHBEARER response")
    return token.decode("ascii")
