"""What a configuration names outside of itself: where secrets are, which certificates are shown, whom TLS trusts.

What it is: a walk over any of our models, which gives each of them with its key path.
What it will not do: read a file, or have a secret: `net.secrets` and `net.tls` say what is wrong with what is named.

Invariants: nothing that a model names by these types is left out, however deep it lies; a target whose model this
process does not know is plain data, and has nothing to be seen in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import Strict

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate with its key; `address` is where it is shown to clients, "" where it is shown to somebody else."""

    path: KeyPath
    certificate: Path
    key: Path
    address: str


def secrets(model: Strict) -> Iterator[tuple[KeyPath, SecretSource]]:
    """Where each secret is to be had."""
    for path, one in _within(model, ()):
        if isinstance(one, SecretSource):
            yield path, one


def certificates(model: Strict) -> Iterator[Shown]:
    """What is shown to clients, and to targets that want to know us."""
    for path, one in _within(model, ()):
        tls = getattr(one, "tls", None)
        certificate, key = getattr(tls, "certificate", None), getattr(tls, "key", None)
        if isinstance(certificate, Path) and isinstance(key, Path):
            yield Shown((*path, "tls"), certificate, key, getattr(one, "address", None) or "")


def authorities(model: Strict) -> Iterator[tuple[KeyPath, Path]]:
    """The files that say whose certificates are believed."""
    for path, one in _within(model, ()):
        ca = getattr(one, "ca", None)
        if isinstance(ca, Path):
            yield (*path, "ca"), ca


def _within(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, Strict]]:
    if isinstance(value, Strict):
        yield path, value
        for name in type(value).model_fields:
            yield from _within(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _within(one, (*path, str(key)))
    elif isinstance(value, tuple | list):
        for place, one in enumerate(value):
            yield from _within(one, (*path, place))
