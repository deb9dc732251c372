"""The configuration of a witness: one YAML file to one `WitnessSettings`.

It has the manners of the gateway's (docs/config.md): unknown keys are refused, all faults at once, each with its line.
What it will not do: read the key, or make one; `record.witness_server` does.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from doorward_core.config import Door
from doorward_core.config_types import FilePath, NotEmpty, Strict, fault, shown, validate
from doorward_core.config_yaml import read_document
from doorward_core.errors import ConfigError
from doorward_core.record.checkpoint import CheckpointError, parse_vkey
from doorward_core.record.entry import EntryError, check_origin


def _name(value: str) -> str:
    try:
        check_origin(value)
    except EntryError:
        raise fault("a witness's name has 1 to 128 printable letters, no space and no `+`") from None
    return value


def _vkeys(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for origin, vkeys in value.items():
        for vkey in vkeys:
            try:
                named = parse_vkey(vkey)[0]
            except CheckpointError as error:
                raise fault(f"{shown(origin)}: {error}; it is the line in the gateway's `log.vkey`") from None
            if named != origin:
                raise fault(f"{shown(origin)}: this is a key of `{shown(named)}`")
    return value


Vkeys = Annotated[tuple[str, ...], NotEmpty]


class WitnessSettings(Strict):
    """A whole configuration. `logs`: the keys that this witness trusts, by origin."""

    version: Literal[1]
    name: Annotated[str, AfterValidator(_name)]
    key: FilePath
    state: FilePath
    listen: Door
    logs: Annotated[dict[str, Vkeys], NotEmpty, AfterValidator(_vkeys)]


def load_witness_settings(path: Path) -> WitnessSettings:
    """Load a configuration. Raises ConfigError with every fault."""
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeError:
        raise ConfigError((f"{name}:1: cannot be read: not UTF-8 text",)) from None
    except OSError as error:
        raise ConfigError((f"{name}:1: cannot be read: {error.strerror}",)) from None
    document = read_document(text, name)
    problems = list(document.problems)
    settings = None
    if document.data is not None or not problems:
        settings, found = validate(WitnessSettings, document, folder=path.parent)
        problems += found
    if problems or settings is None:
        raise ConfigError(tuple(problem.render(name) for problem in sorted(problems, key=lambda item: item.line)))
    return settings
