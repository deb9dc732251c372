"""Messages of the PostgreSQL protocol as bytes: one encoder per message, type and length included.

What it will not do: decide who may say what when (`machine`, `startup`, `upstream_login`).
Implements: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats"; `wire_decode` shows the layouts.

Invariants:

- `decode(encode(m)) == m`.
- A NUL in a string would end it early and make the rest a field of its own, so it is refused as our own defect.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Final

from doorward_core.errors import LocalProtocolError
from doorward_postgres.wire import AuthCode, Backend, Frontend
from doorward_postgres.wire_decode import Bind, CopyResponse, Field, FunctionCall, Notification, Parse

PROTOCOL_3_0: Final = 3 << 16
PROTOCOL_3_2: Final = 3 << 16 | 2
CANCEL_REQUEST: Final = 1234 << 16 | 5678
SSL_REQUEST: Final = 1234 << 16 | 5679
GSSENC_REQUEST: Final = 1234 << 16 | 5680

_FRAME = Struct("!BI").pack
_U8 = Struct("!B").pack
_U16 = Struct("!H").pack
_I32 = Struct("!i").pack
_U32 = Struct("!I").pack
_FIELD = Struct("!IhIhiH").pack
_NULL: Final = _I32(-1)


def frame(kind: int, *parts: bytes) -> bytes:
    """A whole message of this type."""
    body = b"".join(parts)
    return _FRAME(kind, len(body) + 4) + body


def _string(text: str | bytes) -> bytes:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if 0 in data:
        message = "a string with a NUL inside cannot be sent"
        raise LocalProtocolError(message)
    return data + b"\0"


def _counted(parts: Sequence[bytes]) -> bytes:
    try:
        return _U16(len(parts)) + b"".join(parts)
    except struct.error:
        message = "more than 65,535 items in one message"
        raise LocalProtocolError(message) from None


def _formats(formats: Iterable[int]) -> bytes:
    return _counted([_U16(item) for item in formats])


def _values(values: Iterable[bytes | None]) -> bytes:
    return _counted([_NULL if value is None else _I32(len(value)) + value for value in values])


# --- what a client sends ---------------------------------------------------------------------------------------------


def encode_startup(parameters: Mapping[str, str], protocol: int = PROTOCOL_3_0) -> bytes:
    """StartupMessage: `length:u32  protocol:u32  (name:string value:string) ...  0:u8`; it has no type byte."""
    pairs = b"".join(_string(name) + _string(value) for name, value in parameters.items())
    return _U32(len(pairs) + 9) + _U32(protocol) + pairs + b"\0"


def encode_ssl_request() -> bytes:
    """SSLRequest: `length:u32  code:u32`."""
    return _U32(8) + _U32(SSL_REQUEST)


def encode_gssenc_request() -> bytes:
    """GSSENCRequest: `length:u32  code:u32`."""
    return _U32(8) + _U32(GSSENC_REQUEST)


def encode_cancel_request(pid: int, key: bytes) -> bytes:
    """CancelRequest: `length:u32  code:u32  pid:i32  key`."""
    return _U32(12 + len(key)) + _U32(CANCEL_REQUEST) + _I32(pid) + key


def encode_password(password: str | bytes) -> bytes:
    """PasswordMessage."""
    return frame(Frontend.Password, _string(password))


def encode_sasl_initial_response(mechanism: str, response: bytes | None) -> bytes:
    """SASLInitialResponse."""
    sized = _NULL if response is None else _I32(len(response)) + response
    return frame(Frontend.Password, _string(mechanism), sized)


def encode_sasl_response(response: bytes) -> bytes:
    """SASLResponse."""
    return frame(Frontend.Password, response)


def encode_query(text: str | bytes) -> bytes:
    """Query."""
    return frame(Frontend.Query, _string(text))


def encode_parse(parse: Parse) -> bytes:
    """Parse."""
    oids = _counted([_U32(oid) for oid in parse.oids])
    return frame(Frontend.Parse, _string(parse.name), _string(parse.text), oids)


def encode_bind(bind: Bind) -> bytes:
    """Bind."""
    names = _string(bind.portal) + _string(bind.statement)
    values = _formats(bind.param_formats) + _values(bind.params)
    return frame(Frontend.Bind, names, values, _formats(bind.result_formats))


def encode_describe(kind: str, name: str = "") -> bytes:
    """Describe a statement ("S") or a portal ("P")."""
    return frame(Frontend.Describe, kind.encode("ascii"), _string(name))


def encode_close(kind: str, name: str = "") -> bytes:
    """Close a statement ("S") or a portal ("P")."""
    return frame(Frontend.Close, kind.encode("ascii"), _string(name))


def encode_execute(portal: str = "", max_rows: int = 0) -> bytes:
    """Execute."""
    return frame(Frontend.Execute, _string(portal), _I32(max_rows))


def encode_function_call(call: FunctionCall) -> bytes:
    """FunctionCall."""
    values = _formats(call.arg_formats) + _values(call.args)
    return frame(Frontend.FunctionCall, _U32(call.oid), values, _U16(call.result_format))


def encode_copy_fail(message: str) -> bytes:
    """CopyFail."""
    return frame(Frontend.CopyFail, _string(message))


SYNC: Final = frame(Frontend.Sync)
FLUSH: Final = frame(Frontend.Flush)
TERMINATE: Final = frame(Frontend.Terminate)

# --- what either side sends ------------------------------------------------------------------------------------------


def encode_copy_data(data: bytes) -> bytes:
    """CopyData."""
    return frame(Frontend.CopyData, data)


COPY_DONE: Final = frame(Frontend.CopyDone)

# --- what a server sends ---------------------------------------------------------------------------------------------


def encode_authentication(code: int, rest: bytes = b"") -> bytes:
    """Any Authentication message: see `AuthCode`."""
    return frame(Backend.Authentication, _I32(code), rest)


def encode_authentication_sasl(mechanisms: Iterable[str]) -> bytes:
    """AuthenticationSASL."""
    return encode_authentication(AuthCode.SASL, b"".join(_string(name) for name in mechanisms) + b"\0")


AUTHENTICATION_OK: Final = encode_authentication(AuthCode.Ok)
AUTHENTICATION_CLEARTEXT_PASSWORD: Final = encode_authentication(AuthCode.CleartextPassword)


def encode_negotiate_protocol_version(newest: int, options: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion."""
    return frame(
        Backend.NegotiateProtocolVersion,
        _U32(newest),
        _U32(len(options)),
        *(_string(option) for option in options),
    )


def encode_backend_key_data(pid: int, key: bytes) -> bytes:
    """BackendKeyData."""
    return frame(Backend.BackendKeyData, _I32(pid), key)


def encode_parameter_status(name: str, value: str) -> bytes:
    """ParameterStatus."""
    return frame(Backend.ParameterStatus, _string(name), _string(value))


def encode_ready_for_query(status: str) -> bytes:
    """ReadyForQuery: "I", "T" or "E"."""
    return frame(Backend.ReadyForQuery, status.encode("ascii"))


def encode_error_fields(fields: Mapping[str, str], *, notice: bool = False) -> bytes:
    """ErrorResponse, or NoticeResponse, from its fields in order."""
    parts = [code.encode("ascii") + _string(value) for code, value in fields.items()]
    return frame(Backend.NoticeResponse if notice else Backend.ErrorResponse, *parts, b"\0")


def _said(severity: str, sqlstate: str, message: str, detail: str, hint: str) -> dict[str, str]:
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": message, "D": detail, "H": hint}
    # Text of ours may quote what a client sent; a NUL in it must not become a field.
    return {code: value.replace("\0", "") for code, value in fields.items() if value}


def encode_error_response(severity: str, sqlstate: str, message: str, detail: str = "", hint: str = "") -> bytes:
    """ErrorResponse in our own words: `severity` is ERROR, FATAL or PANIC."""
    return encode_error_fields(_said(severity, sqlstate, message, detail, hint))


def encode_notice_response(severity: str, sqlstate: str, message: str, detail: str = "", hint: str = "") -> bytes:
    """NoticeResponse in our own words: `severity` is WARNING, NOTICE, DEBUG, INFO or LOG."""
    return encode_error_fields(_said(severity, sqlstate, message, detail, hint), notice=True)


def encode_row_description(fields: Iterable[Field]) -> bytes:
    """RowDescription."""
    return frame(Backend.RowDescription, _counted([_string(field.name) + _FIELD(*field[1:]) for field in fields]))


def encode_parameter_description(oids: Iterable[int]) -> bytes:
    """ParameterDescription."""
    return frame(Backend.ParameterDescription, _counted([_U32(oid) for oid in oids]))


def encode_data_row(values: Iterable[bytes | None]) -> bytes:
    """DataRow."""
    return frame(Backend.DataRow, _values(values))


def encode_command_complete(tag: str) -> bytes:
    """CommandComplete."""
    return frame(Backend.CommandComplete, _string(tag))


def encode_notification(notification: Notification) -> bytes:
    """NotificationResponse."""
    names = _string(notification.channel) + _string(notification.payload)
    return frame(Backend.NotificationResponse, _I32(notification.pid), names)


def encode_copy_response(kind: int, copy: CopyResponse) -> bytes:
    """CopyInResponse, CopyOutResponse or CopyBothResponse."""
    return frame(kind, _U8(copy.format), _formats(copy.column_formats))


def encode_function_call_response(value: bytes | None) -> bytes:
    """FunctionCallResponse."""
    return frame(Backend.FunctionCallResponse, _NULL if value is None else _I32(len(value)) + value)


PARSE_COMPLETE: Final = frame(Backend.ParseComplete)
BIND_COMPLETE: Final = frame(Backend.BindComplete)
CLOSE_COMPLETE: Final = frame(Backend.CloseComplete)
NO_DATA: Final = frame(Backend.NoData)
EMPTY_QUERY_RESPONSE: Final = frame(Backend.EmptyQueryResponse)
PORTAL_SUSPENDED: Final = frame(Backend.PortalSuspended)
