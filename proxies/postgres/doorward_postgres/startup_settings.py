"""The start-up packet: version, user, database, and the settings that a client may bring.

What it will not do: negotiate encryption (`startup`), or set anything at the target (`upstream` does).
Implements: PostgreSQL documentation, "StartupMessage"; the splitting of `options` follows the server's own rules.

Invariants:

- A parameter that is not on the list is refused, not ignored: the target never sees a name that we do not know.
- A name comes once, in `options` or beside it, in any case of letters: two readers can never take two values.
- `client_encoding` is UTF8 and `standard_conforming_strings` is on, or there is no session: our parser relies on both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from doorward_core.errors import ClientProtocolError
from doorward_postgres.wire_encode import PROTOCOL_3_0, PROTOCOL_3_2

# NAMEDATALEN - 1 of PostgreSQL, for user and database. Ours are longer: a resource's name may be, too.
_NAME_CHARACTERS: Final = 255
_VALUE_CHARACTERS: Final = 1024
# No client sends ten; the packet itself is bounded at 10,000 bytes.
_MAX_PARAMETERS: Final = 64
_MAJOR_3: Final = 3

# What a client may set at start-up: how values look, how long things may take, and where names are looked up.
# Nothing here widens what may be read or written.
ALLOWED_SETTINGS: Final = MappingProxyType(
    {
        name.lower(): name
        for name in (
            "application_name",
            "bytea_output",
            "client_min_messages",
            "DateStyle",
            "default_transaction_deferrable",
            "default_transaction_isolation",
            "extra_float_digits",
            "geqo",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
            "IntervalStyle",
            "jit",
            "lc_monetary",
            "lc_numeric",
            "lc_time",
            "lock_timeout",
            "search_path",
            "statement_timeout",
            "TimeZone",
            "transaction_timeout",
            "xmloption",
        )
    }
)
# Settings that must be what we rely on; saying so is allowed, and nothing is passed on.
_ENCODINGS: Final = frozenset({"utf8", "unicode", "sqlascii"})
_ON: Final = frozenset({"on", "true", "yes", "1", "t", "y"})
_OFF: Final = frozenset({"off", "false", "no", "0", "f", "n"})
_SPACES: Final = " \t\n\v\f\r"
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class StartupRefused(Exception):
    """A start-up packet that is well formed and not granted. The message may be shown to the client."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.hint = hint


@dataclass(frozen=True, slots=True)
class StartupRequest:
    """What the client asked for.

    `user` is what it calls itself, `database` the resource. `settings` are allow-listed, by PostgreSQL's own spelling
    of their names. `protocol` is the version in force, `requested_protocol` what was asked for.
    `read_only` is True where the client itself asked for default_transaction_read_only.
    """

    user: str
    database: str
    application_name: str
    settings: Mapping[str, str]
    protocol: int
    requested_protocol: int
    unknown_options: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def long_cancel_key(self) -> bool:
        """Whether BackendKeyData may carry a key longer than 4 bytes."""
        return self.protocol >= PROTOCOL_3_2


def read_startup(version: int, packet: bytes) -> StartupRequest:
    """Read `(name:string value:string) ...  0:u8`, the packet behind length and version.

    Raises StartupRefused for what is not granted and ClientProtocolError for what is malformed.
    """
    if version >> 16 != _MAJOR_3:
        raise StartupRefused("0A000", f"unsupported frontend protocol {version >> 16}.{version & 0xFFFF}: 3.0 to 3.2")
    draft = _Draft()
    for name, value in _pairs(packet):
        draft.add(name, value)
    if not draft.user:
        raise StartupRefused("28000", "no PostgreSQL user name specified in startup packet")
    return StartupRequest(
        user=draft.user,
        database=draft.database or draft.user,
        application_name=draft.settings.get("application_name", ""),
        settings=MappingProxyType(draft.settings),
        protocol=min(max(version, PROTOCOL_3_0), PROTOCOL_3_2),
        requested_protocol=version,
        unknown_options=tuple(draft.unknown),
        read_only=draft.read_only,
    )


def _pairs(packet: bytes) -> Iterator[tuple[str, str]]:
    """Names and values, decoded; the packet ends with one NUL behind the last value."""
    parts = packet.split(b"\0")
    if len(parts) < 2 or parts[-1] or parts[-2] or len(parts) % 2:  # noqa: PLR2004 - the last NUL and what ends it
        raise ClientProtocolError("malformed start-up packet")
    if len(parts) > 2 * _MAX_PARAMETERS + 2:
        raise ClientProtocolError(f"more than {_MAX_PARAMETERS} start-up parameters")
    for raw_name, raw_value in zip(parts[:-2:2], parts[1:-2:2], strict=True):
        try:
            yield raw_name.decode("ascii"), raw_value.decode("utf-8")
        except UnicodeDecodeError:
            raise ClientProtocolError("a start-up parameter that is not UTF-8") from None


class _Draft:
    """Gathers parameters; every name once."""

    def __init__(self) -> None:
        self.user = ""
        self.database = ""
        self.settings: dict[str, str] = {}
        self.unknown: list[str] = []
        self.read_only = False
        self._seen: set[str] = set()

    def add(self, name: str, value: str) -> None:
        """One parameter of the packet."""
        if name.startswith("_pq_."):
            # A protocol extension: not known here, which NegotiateProtocolVersion says.
            self._once(name)
            self.unknown.append(name)
        elif name == "user":
            self._once(name)
            self.user = _checked(name, value, _NAME_CHARACTERS)
        elif name == "database":
            self._once(name)
            self.database = _checked(name, value, _NAME_CHARACTERS)
        elif name == "options":
            self._once(name)
            for option, setting in split_options(value):
                self._setting(option, setting)
        elif name == "replication":
            self._once(name)
            if value.lower() not in _OFF:
                raise StartupRefused(
                    "42501", "replication connections are not relayed", "They would bypass every mask."
                )
        else:
            self._setting(name, value)

    def _once(self, name: str) -> None:
        if name in self._seen:
            raise ClientProtocolError("a start-up parameter came twice")
        self._seen.add(name)

    def _setting(self, name: str, value: str) -> None:
        folded = name.lower()
        self._once(folded)
        value = _checked(name, value, _VALUE_CHARACTERS)
        if folded == "client_encoding":
            if re.sub(r"[^a-z0-9]", "", value.lower()) not in _ENCODINGS:
                raise StartupRefused("22023", "client_encoding must be UTF8 here", "Set PGCLIENTENCODING=UTF8.")
        elif folded == "standard_conforming_strings":
            if value.lower() not in _ON:
                raise StartupRefused("22023", "standard_conforming_strings must be on here")
        elif folded == "default_transaction_read_only":
            self.read_only = value.lower() not in _OFF
        elif folded in ALLOWED_SETTINGS:
            self.settings[ALLOWED_SETTINGS[folded]] = value
        else:
            raise _unlisted(name)


def _unlisted(name: str) -> StartupRefused:
    shown = name if _SETTING_NAME.match(name) else "?"
    near = get_close_matches(shown.lower(), ALLOWED_SETTINGS, n=1)
    hint = f"Did you mean {ALLOWED_SETTINGS[near[0]]}?" if near else "SET it in the session, where policy decides."
    return StartupRefused("42501", f'start-up parameter "{shown[:64]}" is not allowed', hint)


def _checked(name: str, value: str, longest: int) -> str:
    """Bounded and printable: what is here ends up in logs and in the target's own start-up packet."""
    if len(value) > longest or not value.isprintable():
        raise ClientProtocolError(f"start-up parameter {name[:64]!r} is too long or not printable")
    return value


def split_options(options: str) -> Iterator[tuple[str, str]]:
    r"""Settings in `options`, as the server splits it: at white space, with `\` quoting the next character.

    Only `-c name=value`, `-cname=value` and `--name=value` are read; every other switch is refused.
    """
    words = _words(options)
    for word in words:
        if word == "-c":
            setting = next(words, "")
        elif word.startswith("--"):
            setting = word.removeprefix("--")
        elif word.startswith("-c"):
            setting = word.removeprefix("-c")
        else:
            raise StartupRefused("42501", "options may hold -c name=value only")
        name, equals, value = setting.partition("=")
        if not equals:
            raise StartupRefused("42501", "options may hold -c name=value only")
        # The server reads a dash in a name as an underscore (ParseLongOption).
        yield name.replace("-", "_"), value


def _words(options: str) -> Iterator[str]:
    word: list[str] = []
    inside = False
    quoted = False
    for character in options:
        if quoted or (character not in _SPACES and character != "\\"):
            word.append(character)
            inside, quoted = True, False
        elif character == "\\":
            inside = quoted = True
        elif inside:
            yield "".join(word)
            word, inside = [], False
    if inside:
        yield "".join(word)
