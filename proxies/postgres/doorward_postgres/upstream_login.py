"""Login at the target, from its first answer to ReadyForQuery: a pure machine.

What it will not do: dial, shake hands, derive keys (slow: the shell does it in a thread), or make random numbers.
Implements: PostgreSQL documentation, "Frontend/Backend Protocol", "Start-up", "SASL Authentication".

Invariants:

- A password in the clear goes out only where nobody else can read it.
- Once the server has begun SCRAM, it is not let off proving itself: Ok without a verified signature is refused.
- A hostile server costs a bounded amount: of bytes, of messages, of iterations.
- What the target says in an error is not repeated, but for its SQLSTATE: it may carry names and values.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_postgres import scram
from doorward_postgres.wire import AuthCode, Backend, FrameReader, Side
from doorward_postgres.wire_decode import (
    decode_authentication,
    decode_backend_key_data,
    decode_error_fields,
    decode_negotiate_protocol_version,
    decode_parameter_status,
    decode_ready_for_query,
    decode_sasl_mechanisms,
)
from doorward_postgres.wire_encode import (
    PROTOCOL_3_0,
    encode_password,
    encode_sasl_initial_response,
    encode_sasl_response,
    encode_startup,
)

# A real login is under twenty messages of under 2 KB together; notices of login hooks come on top.
_MAX_MESSAGES: Final = 300
_MAX_MESSAGE_BYTES: Final = 64 * 1024
_SALT_BYTES: Final = 4
_SQLSTATE = re.compile(r"[0-9A-Z]{5}\Z")
_MINOR: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """Who logs in, where, and what may be said on this channel.

    `confidential`: TLS or a local socket. `binding`: the server certificate's tls-server-end-point value, if any.
    `parameters`: settings for the start-up packet, besides user and database.
    """

    user: str
    database: str
    password: Secret | None
    parameters: Mapping[str, str]
    confidential: bool
    binding: bytes | None = None
    protocol: int = PROTOCOL_3_0
    max_iterations: int = scram.MAX_ITERATIONS


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to the target. `last`: if it lets us in, nothing more is asked before it is ready for queries."""

    data: bytes
    last: bool = False


@dataclass(frozen=True, slots=True)
class NeedKeys:
    """Derive the SCRAM keys for this challenge, then call `keys`."""

    challenge: scram.Challenge


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """ReadyForQuery has come. `leftover` are bytes behind it, `method` is how the target was convinced."""

    parameters: Mapping[str, str]
    pid: int
    key: bytes
    status: str
    protocol: int
    method: str
    leftover: bytes


Event: TypeAlias = Send | NeedKeys | LoggedIn


class LoginRefused(UpstreamUnavailable):
    """The target answered with an error. `sqlstate` is its own, or empty where it gave none that is one."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"the target refused the login (SQLSTATE {sqlstate or 'missing'})")
        self.sqlstate = sqlstate


class UpstreamLogin:
    """One login. Raises UpstreamUnavailable where it cannot succeed, UpstreamProtocolError where the target lies."""

    def __init__(self, settings: LoginSettings, nonce: bytes) -> None:
        self._settings = settings
        self._nonce = nonce
        self._reader = FrameReader(Side.UPSTREAM, max_message_bytes=_MAX_MESSAGE_BYTES)
        self._messages = 0
        self._parameters: dict[str, str] = {}
        self._pid = 0
        self._key = b""
        self._protocol = settings.protocol
        self._scram: scram.ScramClient | None = None
        self._step = AuthCode.SASL
        self._verified = False
        self._method = "trust"
        self._authenticated = False

    def start(self) -> bytes:
        """The StartupMessage."""
        settings = self._settings
        names = {"user": settings.user, "database": settings.database}
        return encode_startup(names | dict(settings.parameters), settings.protocol)

    def receive(self, data: bytes) -> tuple[Event, ...]:
        """Take bytes from the target; give what to do, in order. The end of the bytes is the shell's to notice."""
        self._reader.receive(data)
        events: list[Event] = []
        for kind, start, end in self._reader:
            self._messages += 1
            if self._messages > _MAX_MESSAGES:
                raise UpstreamProtocolError(f"more than {_MAX_MESSAGES} messages before the session was ready")
            body = self._reader.body(start, end)
            self._reader.consume(end)
            event = self._message(kind, body)
            if event is not None:
                events.append(event)
            if isinstance(event, LoggedIn):
                break
        return tuple(events)

    def keys(self, keys: scram.Keys) -> bytes:
        """The client's final SCRAM message, as bytes to send."""
        if self._scram is None or self._step != AuthCode.SASLContinue:
            message = "keys were given out of turn"
            raise LocalProtocolError(message)
        self._step = AuthCode.SASLFinal
        return encode_sasl_response(self._scram.final(keys))

    def _message(self, kind: int, body: bytes) -> Event | None:
        if kind == Backend.ErrorResponse:
            sqlstate = decode_error_fields(body).get("C", "")
            raise LoginRefused(sqlstate if _SQLSTATE.match(sqlstate) else "")
        if kind == Backend.NoticeResponse:
            decode_error_fields(body)  # malformed is malformed; what it says is nobody's before the session is there
            return None
        if kind == Backend.Authentication and not self._authenticated:
            return self._authentication(*decode_authentication(body))
        if kind == Backend.NegotiateProtocolVersion and not self._authenticated:
            self._negotiate(body)
            return None
        if self._authenticated:
            return self._ready(kind, body)
        raise UpstreamProtocolError(f"message type 0x{kind:02x} before authentication")

    def _ready(self, kind: int, body: bytes) -> Event | None:
        """Between AuthenticationOk and ReadyForQuery."""
        if kind == Backend.ParameterStatus:
            name, value = decode_parameter_status(body)
            self._parameters[name] = value
        elif kind == Backend.BackendKeyData and not self._key:
            self._pid, self._key = decode_backend_key_data(body)
        elif kind == Backend.ReadyForQuery:
            leftover = self._reader.buffer[self._reader.consumed :]
            status = decode_ready_for_query(body)
            return LoggedIn(self._parameters, self._pid, self._key, status, self._protocol, self._method, leftover)
        else:
            raise UpstreamProtocolError(f"message type 0x{kind:02x} before the session was ready")
        return None

    def _negotiate(self, body: bytes) -> None:
        """The server speaks an older minor version, or does not know our options (we send none)."""
        newest, _ = decode_negotiate_protocol_version(body)
        # Servers before 18 send the minor version alone.
        version = newest if newest > _MINOR else PROTOCOL_3_0 | newest
        if not PROTOCOL_3_0 <= version <= self._protocol:
            raise UpstreamProtocolError("the server negotiated a protocol version that was not asked for")
        self._protocol = version

    # --- authentication ----------------------------------------------------------------------------------------------

    def _authentication(self, code: int, rest: bytes) -> Event | None:
        if code == AuthCode.Ok:
            if self._scram is not None and not self._verified:
                raise UpstreamProtocolError("the server left out its own proof")
            self._authenticated = True
            return None
        if self._scram is not None:
            return self._sasl_goes_on(code, rest)
        if self._method != "trust":
            raise UpstreamProtocolError("the server asked for a second credential")
        if code == AuthCode.CleartextPassword:
            return self._cleartext()
        if code == AuthCode.MD5Password:
            return self._md5(rest)
        if code == AuthCode.SASL:
            return self._sasl(decode_sasl_mechanisms(rest))
        raise UpstreamUnavailable(f"the target asks for an authentication that is not spoken here (code {code})")

    def _password(self) -> str:
        if self._settings.password is None:
            raise UpstreamUnavailable("the target asks for a password, and the account has none")
        return self._settings.password.reveal()

    def _cleartext(self) -> Send:
        if not self._settings.confidential:
            raise UpstreamUnavailable("the target asks for the password in the clear, without TLS")
        self._method = "password"
        return Send(encode_password(self._password()), last=True)

    def _md5(self, salt: bytes) -> Send:
        """`"md5" hex(md5(hex(md5(password user)) salt))`: weak, the server's choice, and said in the documentation."""
        if len(salt) != _SALT_BYTES:
            raise UpstreamProtocolError("malformed MD5 salt")
        self._method = "md5"
        inner = _md5_hex(self._password().encode() + self._settings.user.encode())
        return Send(encode_password("md5" + _md5_hex(inner.encode("ascii") + salt)), last=True)

    def _sasl(self, mechanisms: tuple[str, ...]) -> Send:
        settings = self._settings
        plus = settings.binding is not None and scram.MECHANISM_PLUS in mechanisms
        if not plus and scram.MECHANISM not in mechanisms:
            raise UpstreamUnavailable("the target offers no SASL mechanism that is spoken here")
        self._password()
        # "y" claims that the server offers no binding: it must not be said where it does.
        unused = settings.binding is not None and scram.MECHANISM_PLUS not in mechanisms
        binding = settings.binding if plus else None
        self._scram = scram.ScramClient(self._nonce, binding=binding, binding_unused=unused)
        self._method = scram.MECHANISM_PLUS if plus else scram.MECHANISM
        return Send(encode_sasl_initial_response(self._method, self._scram.first()))

    def _sasl_goes_on(self, code: int, rest: bytes) -> Event | None:
        assert self._scram is not None
        if code == AuthCode.SASLContinue and self._step == AuthCode.SASL:
            challenge = self._scram.challenge(rest)
            if not scram.MIN_ITERATIONS <= challenge.iterations <= self._settings.max_iterations:
                raise UpstreamUnavailable(
                    f"the target asks for {challenge.iterations} SCRAM iterations; "
                    f"{scram.MIN_ITERATIONS} to {self._settings.max_iterations} are accepted"
                )
            self._step = AuthCode.SASLContinue
            return NeedKeys(challenge)
        if code == AuthCode.SASLFinal and self._step == AuthCode.SASLFinal and not self._verified:
            self._scram.verify(rest)
            self._verified = True
            return None
        raise UpstreamProtocolError("SCRAM: message out of turn")


def _md5_hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()  # the protocol's own, where the server asks for it
