"""What every file that an operator writes has in common: strict models, units, and faults in plain words.

What it is: the base of all configuration models (`Strict`), the units (`Seconds`, `Bytes`), paths that are relative to
the file they stand in (`FilePath`, `ExistingFile`), and `validate`, which turns data into a model or into faults.

What it will not do: show what it was given. A secret pasted where its reference belongs must not reach a log, so faults
name the kind of what was found; only names (of keys, choices, units) are repeated.

Invariants: unknown keys are refused, with the nearest known one; every fault is reported at once.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from doorward_core.config_yaml import Document, KeyPath, Problem

FOLDER = "folder"
"""The key of the validation context that holds the folder of the file."""

_NS_PER_S = 1_000_000_000
_UNITS_S: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNITS_BYTES: Mapping[str, int] = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_AMOUNT = re.compile(r"([0-9]{1,9})([a-zA-Z]{1,3})\Z")
_MAX_SHOWN = 60
_A_SLIP = 0.7
"""How alike a word and a choice are if one was meant as the other: `select` and `execute` are not (0.62)."""
_MAX_KEYS_NAMED = 8
"""Of a model whose keys are named where something else stands; more are for the documents to say."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a protocol says of names in a policy: each gives what is doubtful about one, or nothing.

    Of a pattern over columns; of one over objects; of a fact and the values that a rule wants of it.
    """

    column: Callable[[str], str]
    place: Callable[[str], str]
    fact: Callable[[str, tuple[str, ...]], str]


class Strict(BaseModel):
    """A model that takes exactly what it names, converts nothing silently, and never changes."""

    encrypts_itself: ClassVar[bool] = False
    """Of a target's model: whether its protocol protects credentials by itself, so that its listeners need no TLS."""
    names_accounts: ClassVar[bool] = False
    """Of a target's model: whether its clients name accounts in full, so that none stands in for another."""
    vocabulary: ClassVar[Vocabulary | None] = None
    """Of a target's model: what its protocol has to say of names in a policy; without one, columns are those of SQL."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False, allow_inf_nan=False
    )


ModelT = TypeVar("ModelT", bound=Strict)
CollectionT = TypeVar("CollectionT", bound=Collection[object])


def fault(message: str) -> PydanticCustomError:
    """A fault in our own words, for validators to raise."""
    return PydanticCustomError("doorward", "{said}", {"said": message})


def frozen_lists(value: object) -> object:
    """Data with tuples for lists: what a validator that looks at raw data must hand on (see `validate`)."""
    if isinstance(value, list):
        return tuple(frozen_lists(item) for item in value)
    if isinstance(value, dict):
        return {key: frozen_lists(item) for key, item in value.items()}
    return value


def shown(value: object) -> str:
    """A name that an operator wrote, short and without control characters."""
    text = str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or, where nothing is near, the whole list if that is short; else nothing."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:_MAX_SHOWN], names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(names)}" if names and len(names) <= 24 else ""  # noqa: PLR2004 - a line or two of text


def _seconds(value: object) -> float:
    """`500ms`, `10s`, `5m`, `1h`, `7d`, `2w`. A bare number is refused: nobody remembers which unit it would be."""
    match = _AMOUNT.match(value) if isinstance(value, str) else None
    if match is None or match[2] not in _UNITS_S:
        raise fault("expected a duration with its unit, such as `500ms`, `10s`, `5m`, `1h` or `7d`")
    return int(match[1]) * _UNITS_S[match[2]]


def _whole_seconds(value: object) -> int:
    seconds = _seconds(value)
    if seconds < 1 or seconds != int(seconds):
        raise fault("expected a duration of at least one whole second, such as `10s` or `5m`")
    return int(seconds)


def _some_seconds(value: object) -> float:
    seconds = _seconds(value)
    if seconds <= 0:
        raise fault("expected a duration longer than nothing, such as `10s` or `5m`")
    return float(seconds)


def _bytes(value: object) -> int:
    """`512B`, `64KiB`, `16MiB`, `2GiB`."""
    match = _AMOUNT.match(value) if isinstance(value, str) else None
    if match is None or match[2] not in _UNITS_BYTES or int(match[1]) == 0:
        raise fault("expected a size with its unit, such as `64KiB` or `16MiB`")
    return int(match[1]) * _UNITS_BYTES[match[2]]


def _moment(value: object) -> int:
    """`2026-12-31` (to the end of that day, UTC) or `2026-12-31T18:00:00Z`; nanoseconds since the epoch."""
    problem = "expected a day (`2026-12-31`, to its end in UTC) or a time with its zone (`2026-12-31T18:00:00Z`)"
    if not isinstance(value, str) or not value.isascii():
        raise fault(problem)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            day = date.fromisoformat(value) + timedelta(days=1)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _NS_PER_S
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise fault(problem) from None
    if moment.tzinfo is None:
        raise fault(problem)
    return int(moment.timestamp()) * _NS_PER_S


def _file_path(value: object, info: ValidationInfo) -> Path:
    """A path, taken from the folder of the file that names it; one that is a Path already stays as it is."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\x00" in value:
        raise fault("expected a path")
    folder = (info.context or {}).get(FOLDER, Path())
    return Path(folder) / value


def _existing_file(value: object, info: ValidationInfo) -> Path:
    path = _file_path(value, info)
    try:
        if path.is_file():
            return path
    except OSError:
        raise fault(f"cannot be looked at: {shown(path)}") from None
    raise fault(f"there is no such file: {shown(path)}")


def _not_empty(value: CollectionT) -> CollectionT:
    """A list or mapping with something in it. (Pydantic's own bound counts entries that have faults as missing.)."""
    if not value:
        raise fault("needs at least one entry")
    return value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or "" in value:
        raise fault("needs at least one entry, and no empty one")
    return value


NotEmpty = AfterValidator(_not_empty)
"""For a list or mapping that may not be empty."""
NotEmptyText = Annotated[str, NotEmpty]
"""Text that says something."""
Some = Annotated[tuple[str, ...], AfterValidator(_some)]
"""A list of texts with something in each."""
Seconds = Annotated[float, PlainValidator(_some_seconds)]
"""A duration, in seconds; sub-second ones are allowed."""
WholeSeconds = Annotated[int, PlainValidator(_whole_seconds)]
"""A duration of whole seconds, at least one."""
Bytes = Annotated[int, PlainValidator(_bytes)]
"""A size in bytes, more than none."""
UnixNs = Annotated[int, PlainValidator(_moment)]
"""A moment, in nanoseconds since the Unix epoch, UTC."""
FilePath = Annotated[Path, PlainValidator(_file_path)]
"""A path relative to the file that names it; it need not exist yet."""
ExistingFile = Annotated[Path, PlainValidator(_existing_file)]
"""A path relative to the file that names it; the file must be there."""


def validate(
    model: type[ModelT], document: Document, at: KeyPath = (), folder: Path | None = None
) -> tuple[ModelT | None, list[Problem]]:
    """The part of a document at `at`, as a model; or None and every fault.

    Data passes through JSON because that is pydantic's strict mode in which a list may become a tuple or a set.
    """
    data: object = document.data
    for step in at:
        assert isinstance(data, dict | list)
        data = data[step]  # type: ignore[index]  # the path was made from this very data
    if not isinstance(data, dict):
        return None, [document.problem(at, f"expected keys with values, found {_kind(data)}")]
    context = {FOLDER: folder or Path()}
    try:
        return model.model_validate_json(json.dumps(data), context=context), []
    except ValidationError as error:
        return None, [_translate(document, at, model, item) for item in error.errors(include_url=False)]


def _translate(document: Document, at: KeyPath, model: type[BaseModel], item: ErrorDetails) -> Problem:
    """One of pydantic's faults, in an operator's words."""
    path = at + tuple(step for step in item["loc"] if step != "[key]")
    kind = item["type"]
    found = _kind(item["input"])
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_at(model, item["loc"][:-1])
        message = f"unknown key{nearest(str(path[-1]), known)}"
    elif kind == "missing":
        message = "is missing"
    elif kind in {"literal_error", "enum"}:
        choices = str(context.get("expected", "")).replace("'", "`")
        # Only what is close to a choice is repeated, in the shape of that choice.
        named = re.findall("`([^`]*)`", choices)
        close = difflib.get_close_matches(str(item["input"])[:_MAX_SHOWN], named, n=1, cutoff=_A_SLIP)
        message = f"expected {choices}, found {found}" + (f"; did you mean `{close[0]}`?" if close else "")
    elif kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}, found {found}{_instead(model, item)}"
    elif kind == "doorward":
        message = item["msg"]
    else:
        message = item["msg"].replace("Input should be", "must be")
        message = message[:1].lower() + message[1:]
    return document.problem(path, message)


def _instead(model: type[BaseModel], item: ErrorDetails) -> str:
    """What to write, where something of the wrong form stands; of the value itself nothing is repeated."""
    if _EXPECTED[item["type"]] == "a list" and isinstance(item["input"], str):
        return ": put `[` and `]` around it"
    known = _keys_at(model, item["loc"]) if _EXPECTED[item["type"]] == "keys with values" else ()
    return f"; its keys: {', '.join(known)}" if 0 < len(known) <= _MAX_KEYS_NAMED else ""


_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}


def _kind(value: object) -> str:
    """What was found, without its content."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "keys with values"


def _keys_at(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[str, ...]:
    """The keys that the model at this place knows; empty where no model stands there."""
    annotation: object = model
    for step in loc:
        annotation = _step_into(_plain(annotation), step)
    found = _plain(annotation)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return tuple(item.alias or name for name, item in found.model_fields.items())
    return ()


def _plain(annotation: object) -> object:
    """The one thing that an annotation is about: `Annotated[X, ...]` and `X | None` are about X."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        real = [item for item in get_args(annotation) if item is not NoneType]
        return _plain(real[0]) if len(real) == 1 else None
    return annotation


def _step_into(annotation: object, step: str | int) -> object:
    """What stands under a key or an index."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return next((item.annotation for name, item in fields if step in {name, item.alias}), None)
    arguments = get_args(annotation)
    if not arguments:
        return None
    return arguments[0] if isinstance(step, int) else arguments[-1]
