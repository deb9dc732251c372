"""The gateway's own configuration: one YAML file to one `Config`.

What it is: the models of `docs/config.md`, key by key, and `load_config`.
What it will not do: hold a secret (only where one is to be had), open a socket, or read the files that it names; that
they are there is checked, so that a gateway fails at start and not at the first connection.

Invariants: unknown keys are refused; all faults at once, each with file, line and key path; a secret written into the
file is refused, and never repeated in a message; relative paths are relative to the file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from doorward_core.config_approvals import Link, PasskeySettings, Receiver
from doorward_core.config_identity import IdentitySettings
from doorward_core.config_record import RecordSettings
from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import (
    Bytes,
    ExistingFile,
    FilePath,
    NotEmpty,
    NotEmptyText,
    Seconds,
    Some,
    Strict,
    UnixNs,
    WholeSeconds,
    fault,
    nearest,
    shown,
    validate,
)
from doorward_core.config_yaml import Document, Problem, read_document
from doorward_core.errors import ConfigError
from doorward_core.model import Resource

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")
_MIB = 1024 * 1024
NEEDS_TLS = "needs `tls: {certificate: PATH, key: PATH}`: credentials arrive here; or use `unix: PATH`"


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise fault("a name has letters, digits, `-`, `_` and `.`, begins with a letter or digit, at most 63 of them")
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.match(value):
        raise fault("an origin names this log for ever, such as `pg-gateway.example`; no spaces, no `+`")
    return value


Name = Annotated[str, AfterValidator(_name)]
Port = Annotated[int, Field(ge=0, le=65535)]


class ServerTls(Strict):
    """What we show to those who connect to us."""

    certificate: ExistingFile
    key: ExistingFile


class Endpoint(Strict):
    """Where to listen: `address` and `port`, or `unix`."""

    address: str | None = None
    port: Port | None = None
    unix: FilePath | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "Endpoint":
        if self.unix is None and (self.address is None or self.port is None):
            raise fault("needs `address` and `port`, or `unix`")
        if self.unix is not None and (self.address is not None or self.port is not None):
            raise fault("`unix` stands alone: a socket file has no `address` and no `port`")
        return self


class Door(Endpoint):
    """Where clients of the protocol arrive: with TLS, on a Unix socket, or by a protocol that encrypts itself."""

    tls: ServerTls | None = None

    @model_validator(mode="after")
    def _no_tls_on_a_file(self) -> "Door":
        if self.unix is not None and self.tls is not None:
            raise fault("`tls` has no meaning beside `unix`")
        return self


class Listener(Door):
    """An endpoint where credentials arrive: TLS, or a Unix socket that only our own user can open."""

    @model_validator(mode="after")
    def _protected(self) -> "Listener":
        if self.unix is None and self.tls is None:
            raise fault(NEEDS_TLS)
        return self


class Quotas(Strict):
    """How much may be asked of people: more tires them, and tired people approve."""

    each: Annotated[int, Field(ge=1)] = 20
    hourly: Annotated[int, Field(ge=1)] = 240
    total: Annotated[int, Field(ge=1)] = 500


class Approvals(Strict):
    """Where held operations wait, and where people vote."""

    store: FilePath
    listen: Listener
    signers: ExistingFile | None = None
    passkeys: PasskeySettings | None = None
    link: Link | None = None
    notify: tuple[Receiver, ...] = ()
    quota: Quotas = Quotas()


class Operators(Strict):
    """Whose people may look at sessions that are open, end them, and revoke; agents never may."""

    groups: Some


class BreakGlass(Strict):
    """Whose people may go on at once with what is held, for a time; and whose then review what they did."""

    groups: Some
    reviewers: Some
    longest: WholeSeconds = 1800


class Privacy(Strict):
    """Whose people may erase recorded content; without it, operators may. Agents never may."""

    groups: Some


class Account(Strict):
    """A login at the target. Without a password the target must trust us by other means."""

    user: NotEmptyText
    password: SecretSource | None = None


class Observe(Strict):
    """Observe mode ends by itself."""

    until: UnixNs


class Mode(Strict):
    """How decisions are enforced on one resource."""

    observe: Observe | None = None


class ResourceSettings(Strict):
    """One target. `target` is the model that the protocol's proxy registered, or plain data where none was."""

    protocol: Name
    labels: dict[str, str] = Field(default_factory=dict)
    mode: Mode = Mode()
    target: object
    accounts: Annotated[dict[Name, Account], NotEmpty]
    account: str | None = None
    read_only_account: str | None = None
    catalogue_account: str | None = None

    @model_validator(mode="after")
    def _known_accounts(self) -> "ResourceSettings":
        for key in ("account", "read_only_account", "catalogue_account"):
            named = getattr(self, key)
            if named is not None and named not in self.accounts:
                raise fault(f"`{key}: {shown(named)}` is not among `accounts`{nearest(named, self.accounts)}")
        if self.account is None and len(self.accounts) > 1:
            raise fault("several accounts: `account` must say which one is used")
        return self

    @property
    def default_account(self) -> str:
        """The account that sessions use, unless they may only read and there is one for that."""
        return self.account or next(iter(self.accounts))


class Limits(Strict):
    """Bounds on what clients can make us hold."""

    connections: Annotated[int, Field(ge=1)] = 1000
    handshake: Seconds = 10.0
    idle: Seconds = 3600.0
    drain: Seconds = 30.0
    statement_bytes: Bytes = 16 * _MIB
    buffer_bytes: Bytes = 16 * _MIB
    bodies: Bytes = 256 * _MIB
    sessions_per_identity: Annotated[int, Field(ge=1)] | None = None

    @property
    def each_identity(self) -> int:
        """The sessions that one identity may have: by itself it can fill half of the gateway, and no more."""
        return self.sessions_per_identity or max(1, self.connections // 2)


class Config(Strict):
    """A whole configuration."""

    version: Literal[1]
    origin: Annotated[str, AfterValidator(_origin)]
    listen: Annotated[tuple[Door, ...], NotEmpty]
    admin: Endpoint = Endpoint(address="127.0.0.1", port=9464)
    approvals: Approvals
    operators: Operators | None = None
    break_glass: BreakGlass | None = None
    privacy: Privacy | None = None
    identity: IdentitySettings
    record: RecordSettings
    policy: ExistingFile
    resources: Annotated[dict[Name, ResourceSettings], NotEmpty]
    limits: Limits = Limits()

    def nouns(self) -> dict[str, Resource]:
        """The resources as the rooms know them, by name."""
        return {name: Resource(name, item.protocol, item.labels) for name, item in self.resources.items()}

    def observing(self) -> dict[str, int]:
        """Which resources are in observe mode, and until when: for `Policy.observing`."""
        modes = {name: item.mode.observe for name, item in self.resources.items()}
        return {name: observe.until for name, observe in modes.items() if observe is not None}


def load_config(path: Path, target_models: Mapping[str, type[Strict]] | None = None, *, others: bool = False) -> Config:
    """Load a configuration. Raises ConfigError with every fault.

    `target_models` are the models of `target`, by protocol, that this process knows; a resource of another protocol is
    then a fault, unless `others` may stand there. Where no model is known, `target` is left as plain data.
    """
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeError:
        raise ConfigError((f"{name}:1: cannot be read: not UTF-8 text",)) from None
    except OSError as error:
        raise ConfigError((f"{name}:1: cannot be read: {error.strerror}",)) from None
    document = read_document(text, name)
    if document.data is None and document.problems:  # nothing could be read, so nothing can be missing
        raise ConfigError(tuple(problem.render(name) for problem in document.problems))
    config, problems = validate(Config, document, folder=path.parent)
    targets: dict[str, Strict] = {}
    if target_models is not None:
        targets, more = _targets(document, target_models, path.parent, others=others)
        problems += [*more, *_doors(document, targets)]
    problems += document.problems
    if problems or config is None:
        ordered = sorted(problems, key=lambda problem: (problem.line, str(problem.path)))
        raise ConfigError(tuple(problem.render(name) for problem in ordered))
    return _with_targets(config, targets)


def _targets(
    document: Document, models: Mapping[str, type[Strict]], folder: Path, *, others: bool
) -> tuple[dict[str, Strict], list[Problem]]:
    """Each resource's target by its protocol's model; from the data, so that faults elsewhere hide none here."""
    found: dict[str, Strict] = {}
    problems: list[Problem] = []
    resources = document.data.get("resources") if isinstance(document.data, dict) else None
    for name, item in resources.items() if isinstance(resources, dict) else ():
        protocol = item.get("protocol") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(protocol, str):
            continue
        model = models.get(protocol)
        if model is None and others:
            continue
        if model is None:
            where = ("resources", name, "protocol")
            known = nearest(protocol, models)
            problems.append(document.problem(where, f"this gateway does not speak `{shown(protocol)}`{known}"))
        elif "target" in item:
            target, more = validate(model, document, ("resources", name, "target"), folder)
            problems += more
            if target is not None:
                found[name] = target
    return found, problems


def _doors(document: Document, targets: Mapping[str, Strict]) -> list[Problem]:
    """Listeners where credentials would arrive in the clear; it is the targets' protocol that may encrypt itself."""
    listen = document.data.get("listen") if isinstance(document.data, dict) and targets else None
    doors = enumerate(listen) if isinstance(listen, list) else ()
    bare = all(target.encrypts_itself for target in targets.values())
    at = [place for place, door in doors if isinstance(door, dict) and "unix" not in door and bare == ("tls" in door)]
    return [document.problem(("listen", place), "needs no `tls`, nor knows any" if bare else NEEDS_TLS) for place in at]


def _with_targets(config: Config, targets: Mapping[str, Strict]) -> Config:
    """The same configuration with checked targets in place of plain data."""
    if not targets:
        return config
    resources = {
        name: item.model_copy(update={"target": targets[name]}) if name in targets else item
        for name, item in config.resources.items()
    }
    return config.model_copy(update={"resources": resources})
