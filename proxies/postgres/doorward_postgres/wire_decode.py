"""Bodies of PostgreSQL messages where meaning hangs on them: one decoder per message, from bytes to a named tuple.

What it will not do: find frames (`wire`), decode values of SQL types (`types`), or judge what a message asks for.
Implements: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
Every decoder takes the body without type and length (`FrameReader.body`) and shows its layout;
integers are big-endian, `string` ends with NUL, `i32 bytes` is a length followed by so many bytes.

Invariants:

- A malformed body gives the side's ProtocolError and nothing else; its message quotes no byte of the body.
- `decode(encode(m)) == m` for every message that `wire_encode` makes; nothing may follow the last field.
"""

import struct
from collections.abc import Callable
from functools import wraps
from struct import Struct
from typing import Final, NamedTuple, ParamSpec, TypeVar

from doorward_core.errors import ClientProtocolError, ProtocolError, UpstreamProtocolError

_P = ParamSpec("_P")
_T = TypeVar("_T")

# --- messages --------------------------------------------------------------------------------------------------------
# Named tuples, not dataclasses: a Bind is decoded per execution, and a frozen dataclass costs three times as much.


class Parse(NamedTuple):
    """`text` stays bytes: whether it is UTF-8 is the statement's affair, not the connection's."""

    name: str
    text: bytes
    oids: tuple[int, ...]


class Bind(NamedTuple):
    """`param_formats` and `result_formats` as sent: none, one for all, or one each."""

    portal: str
    statement: str
    param_formats: tuple[int, ...]
    params: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


class Named(NamedTuple):
    """Describe or Close: `kind` is "S" (prepared statement) or "P" (portal)."""

    kind: str
    name: str


class Execute(NamedTuple):
    """`max_rows` 0 means all of them; PostgreSQL reads negative numbers so as well."""

    portal: str
    max_rows: int


class FunctionCall(NamedTuple):
    """The fast-path call of a function by OID."""

    oid: int
    arg_formats: tuple[int, ...]
    args: tuple[bytes | None, ...]
    result_format: int


class Field(NamedTuple):
    """One column of a RowDescription; `table_oid` and `attnum` are 0 where it is no plain column."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    typlen: int
    typmod: int
    format: int


class CopyResponse(NamedTuple):
    """CopyInResponse, CopyOutResponse, CopyBothResponse: 0 is textual, 1 is binary."""

    format: int
    column_formats: tuple[int, ...]


class Notification(NamedTuple):
    """NotificationResponse."""

    pid: int
    channel: str
    payload: str


# --- pieces ----------------------------------------------------------------------------------------------------------

_U16 = Struct("!H").unpack_from
_I32 = Struct("!i").unpack_from
_U32 = Struct("!I").unpack_from
_TWO_U32 = Struct("!II").unpack_from
_FIELD = Struct("!IhIhiH")
_BINARY: Final = 1


class _Malformed(ValueError):
    """A body that is not what its type says."""


def _guard(error: type[ProtocolError]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Turn every way of being malformed into the side's error."""

    def decorate(decode: Callable[_P, _T]) -> Callable[_P, _T]:
        name = decode.__name__.removeprefix("decode_")

        @wraps(decode)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return decode(*args, **kwargs)
            except (struct.error, ValueError, IndexError):
                # The cause is dropped: it may quote bytes of the body.
                raise error(f"malformed message: {name}") from None

        return guarded

    return decorate


_client = _guard(ClientProtocolError)
_upstream = _guard(UpstreamProtocolError)


def _string(body: bytes, at: int) -> tuple[str, int]:
    """A NUL-terminated string. Undecodable bytes are kept as surrogates, so that two names never become one."""
    end = body.index(0, at)
    return body[at:end].decode("utf-8", "surrogateescape"), end + 1


def _end(body: bytes, at: int) -> None:
    """Nothing may follow."""
    if at != len(body):
        raise _Malformed


def _formats(body: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """`count:u16  count * format:u16`, each 0 (text) or 1 (binary)."""
    count: int = _U16(body, at)[0]
    if not count:
        return (), at + 2
    # One for all is what drivers send most, and it needs no layout of its own.
    formats: tuple[int, ...] = _U16(body, at + 2) if count == 1 else struct.unpack_from(f"!{count}H", body, at + 2)
    if max(formats) > _BINARY:
        raise _Malformed
    return formats, at + 2 + 2 * count


def _values(body: bytes, at: int) -> tuple[tuple[bytes | None, ...], int]:
    """`count:u16  count * (i32 bytes)`; length -1 is NULL."""
    count: int = _U16(body, at)[0]
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        length: int = _I32(body, at)[0]
        at += 4
        if length < 0:
            if length != -1:
                raise _Malformed
            values.append(None)
            continue
        if at + length > len(body):
            raise _Malformed
        values.append(body[at : at + length])
        at += length
    return tuple(values), at


def _oids(body: bytes, at: int) -> tuple[int, ...]:
    """`count:u16  count * oid:u32`, to the end of the body."""
    count: int = _U16(body, at)[0]
    _end(body, at + 2 + 4 * count)
    return struct.unpack_from(f"!{count}I", body, at + 2)


# --- what a client sends ---------------------------------------------------------------------------------------------


@_client
def decode_query(body: bytes) -> bytes:
    """`text:string`. A NUL within the text is refused: nothing may follow the first."""
    _end(body, body.index(0) + 1)
    return body[:-1]


@_client
def decode_parse(body: bytes) -> Parse:
    """`name:string  text:string  count:u16  count * type_oid:u32`."""
    name, at = _string(body, 0)
    end = body.index(0, at)
    return Parse(name, body[at:end], _oids(body, end + 1))


@_client
def decode_bind(body: bytes) -> Bind:
    """`portal:string  statement:string  formats  values  formats` (see `_formats` and `_values`)."""
    portal, at = _string(body, 0)
    statement, at = _string(body, at)
    param_formats, at = _formats(body, at)
    params, at = _values(body, at)
    if len(param_formats) not in {0, 1, len(params)}:
        raise _Malformed
    result_formats, at = _formats(body, at)
    _end(body, at)
    return Bind(portal, statement, param_formats, params, result_formats)


def _named(body: bytes) -> Named:
    """`kind:u8 ("S" or "P")  name:string`."""
    if body[:1] not in {b"S", b"P"}:
        raise _Malformed
    name, at = _string(body, 1)
    _end(body, at)
    return Named(chr(body[0]), name)


@_client
def decode_describe(body: bytes) -> Named:
    """`kind:u8 ("S" or "P")  name:string`."""
    return _named(body)


@_client
def decode_close(body: bytes) -> Named:
    """`kind:u8 ("S" or "P")  name:string`."""
    return _named(body)


@_client
def decode_execute(body: bytes) -> Execute:
    """`portal:string  max_rows:i32`."""
    portal, at = _string(body, 0)
    _end(body, at + 4)
    return Execute(portal, max(0, _I32(body, at)[0]))


@_client
def decode_function_call(body: bytes) -> FunctionCall:
    """`oid:u32  formats  values  result_format:u16`."""
    arg_formats, at = _formats(body, 4)
    args, at = _values(body, at)
    if len(arg_formats) not in {0, 1, len(args)}:
        raise _Malformed
    _end(body, at + 2)
    result_format: int = _U16(body, at)[0]
    if result_format > _BINARY:
        raise _Malformed
    return FunctionCall(_U32(body, 0)[0], arg_formats, args, result_format)


@_client
def decode_copy_fail(body: bytes) -> str:
    """`message:string`."""
    message, at = _string(body, 0)
    _end(body, at)
    return message


@_client
def decode_password(body: bytes) -> bytes:
    """`password:string`."""
    _end(body, body.index(0) + 1)
    return body[:-1]


@_client
def decode_sasl_initial_response(body: bytes) -> tuple[str, bytes | None]:
    """`mechanism:string  i32 bytes`; length -1 means that there is no initial response."""
    mechanism, at = _string(body, 0)
    length: int = _I32(body, at)[0]
    if length == -1:
        _end(body, at + 4)
        return mechanism, None
    _end(body, at + 4 + length)
    return mechanism, body[at + 4 :]


# --- what a server sends ---------------------------------------------------------------------------------------------


@_upstream
def decode_authentication(body: bytes) -> tuple[int, bytes]:
    """`code:i32  rest`: see `AuthCode`."""
    return _I32(body, 0)[0], body[4:]


@_upstream
def decode_sasl_mechanisms(rest: bytes) -> tuple[str, ...]:
    """What follows AuthCode.SASL: `mechanism:string ...  0:u8`."""
    names: list[str] = []
    at = 0
    while rest[at]:
        name, at = _string(rest, at)
        names.append(name)
    _end(rest, at + 1)
    return tuple(names)


@_upstream
def decode_negotiate_protocol_version(body: bytes) -> tuple[int, tuple[str, ...]]:
    """`newest:u32 (the whole version; servers before 18 send the minor alone)  count:u32  count * option:string`."""
    newest, count = _TWO_U32(body, 0)
    at = 8
    options: list[str] = []
    for _ in range(count):  # ends where the body ends, whatever `count` claims
        option, at = _string(body, at)
        options.append(option)
    _end(body, at)
    return newest, tuple(options)


@_upstream
def decode_backend_key_data(body: bytes) -> tuple[int, bytes]:
    """`pid:i32  key (4 bytes before protocol 3.2, up to 256 since)`."""
    return _I32(body, 0)[0], body[4:]


@_upstream
def decode_parameter_status(body: bytes) -> tuple[str, str]:
    """`name:string  value:string`."""
    name, at = _string(body, 0)
    value, at = _string(body, at)
    _end(body, at)
    return name, value


@_upstream
def decode_ready_for_query(body: bytes) -> str:
    """`status:u8`: "I" idle, "T" in a transaction, "E" in a failed one."""
    if body not in {b"I", b"T", b"E"}:
        raise _Malformed
    return body.decode("ascii")


@_upstream
def decode_row_description(body: bytes) -> tuple[Field, ...]:
    """`count:u16  count * (name:string table_oid:u32 attnum:i16 type_oid:u32 typlen:i16 typmod:i32 format:u16)`."""
    count: int = _U16(body, 0)[0]
    at = 2
    fields: list[Field] = []
    for _ in range(count):
        name, at = _string(body, at)
        field = Field(name, *_FIELD.unpack_from(body, at))
        if field.format > _BINARY:
            raise _Malformed
        fields.append(field)
        at += _FIELD.size
    _end(body, at)
    return tuple(fields)


@_upstream
def decode_parameter_description(body: bytes) -> tuple[int, ...]:
    """`count:u16  count * type_oid:u32`."""
    return _oids(body, 0)


@_upstream
def decode_data_row(body: bytes) -> tuple[bytes | None, ...]:
    """`count:u16  count * (i32 bytes)`; length -1 is NULL. For tests and small answers, not for the hot path."""
    values, at = _values(body, 0)
    _end(body, at)
    return values


@_upstream
def decode_command_complete(body: bytes) -> str:
    """`tag:string`, as in `UPDATE 1`."""
    tag, at = _string(body, 0)
    _end(body, at)
    return tag


@_upstream
def decode_error_fields(body: bytes) -> dict[str, str]:
    """ErrorResponse or NoticeResponse: `(code:u8 value:string) ...  0:u8`, in the order sent.

    No field is sure to be there: a hostile server leaves out even the SQLSTATE.
    A code that comes twice is refused, because each reader might take another one.
    """
    fields: dict[str, str] = {}
    at = 0
    while body[at]:
        code = chr(body[at])
        value, at = _string(body, at + 1)
        if code in fields or not code.isascii():
            raise _Malformed
        fields[code] = value
    _end(body, at + 1)
    return fields


@_upstream
def decode_notification(body: bytes) -> Notification:
    """`pid:i32  channel:string  payload:string`."""
    channel, at = _string(body, 4)
    payload, at = _string(body, at)
    _end(body, at)
    return Notification(_I32(body, 0)[0], channel, payload)


@_upstream
def decode_copy_response(body: bytes) -> CopyResponse:
    """`format:u8 (0 textual, 1 binary)  formats` (see `_formats`)."""
    if body[0] > _BINARY:
        raise _Malformed
    formats, at = _formats(body, 1)
    _end(body, at)
    return CopyResponse(body[0], formats)


@_upstream
def decode_function_call_response(body: bytes) -> bytes | None:
    """`i32 bytes`; length -1 is NULL."""
    length: int = _I32(body, 0)[0]
    if length == -1:
        _end(body, 4)
        return None
    _end(body, 4 + length)
    return body[4:]
