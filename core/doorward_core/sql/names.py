"""Names: search paths as lists, and identifiers as they are written.

It implements `SplitIdentifierString` of PostgreSQL's `src/backend/utils/adt/varlena.c` and the relation look-up order
of `src/backend/catalog/namespace.c`; threat model PG-05, PG-08.
It resolves nothing by itself.
"""

from collections.abc import Sequence

# Stands in a search path for whatever temporary schema the session has.
TEMPORARY_SCHEMA = "pg_temp"


def quote_identifier(text: str) -> str:
    """Write an identifier so that it reads back as itself."""
    return '"' + text.replace('"', '""') + '"'


def join_path(parts: Sequence[str]) -> str:
    """Write a list of identifiers as one setting's value."""
    return ", ".join(quote_identifier(part) for part in parts)


def split_path(value: str) -> tuple[str, ...] | None:
    """Read a list of identifiers as the server would; None where it is not one."""
    parts: list[str] = []
    position, size = 0, len(value)
    while True:
        position = _skip_space(value, position)
        if position == size:
            return tuple(parts) if not parts else None
        if value[position] == '"':
            read = _read_quoted(value, position + 1)
            if read is None:
                return None
            part, position = read
        else:
            start = position
            while position < size and value[position] not in ', \t\n\r\f\v"':
                position += 1
            part = value[start:position].lower()
            if not part:
                return None
        parts.append(part)
        position = _skip_space(value, position)
        if position == size:
            return tuple(parts)
        if value[position] != ",":
            return None
        position += 1


def expand_path(value: str, user: str) -> tuple[str, ...] | None:
    """Read a search_path setting, with "$user" replaced; None where it cannot be read."""
    parts = split_path(value)
    return None if parts is None else tuple(user if part == "$user" else part for part in parts)


def _skip_space(value: str, position: int) -> int:
    while position < len(value) and value[position] in " \t\n\r\f\v":
        position += 1
    return position


def _read_quoted(value: str, position: int) -> tuple[str, int] | None:
    """Read up to the closing quote; a doubled one stands for itself."""
    part = ""
    while True:
        end = value.find('"', position)
        if end < 0:
            return None
        part += value[position:end]
        if value[end + 1 : end + 2] != '"':
            return part, end + 1
        part += '"'
        position = end + 2
