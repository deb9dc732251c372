"""What the desk is told: where gateways, logs and the identity provider are, and which groups may do what.

What it is: the models of `docs/desk.md` (Settings), key by key, and `load_settings`.
What it will not do: hold a secret (only where one is to be had), reach anything, or give anybody a right at a gateway:
a role here says which pages somebody sees, and each gateway decides for itself whom it believes.

Invariants: unknown keys are refused; all faults at once, each with file, line and key path; relative paths are relative
to the file; nothing is listened on without TLS but a Unix socket and loopback.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from doorward_core.config import Door, Name
from doorward_core.config_identity import Url, https
from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import (
    FOLDER,
    ExistingFile,
    FilePath,
    NotEmpty,
    NotEmptyText,
    Seconds,
    Some,
    Strict,
    WholeSeconds,
    fault,
    shown,
    validate,
)
from doorward_core.config_yaml import read_document
from doorward_core.errors import ConfigError
from doorward_core.identity.address import is_loopback
from doorward_core.model import PrincipalKind
from doorward_core.record.entry import EntryError, check_origin
from doorward_core.record.proof import ProofError
from doorward_core.record.quorum import Required

DEFAULT_SCOPES = ("openid", "profile")
HOUR_S = 3600
_UNIX = "unix:"
_S3 = "s3://"
_VKEY = re.compile(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+")


def _origin(value: str) -> str:
    try:
        check_origin(value)
    except EntryError as error:
        raise fault(f"`origin` names the desk's own log for ever: {error}") from None
    return value


def _site(value: str) -> str:
    """Where people reach the desk: a scheme, a host and perhaps a port, and nothing behind them."""
    parts = urlsplit(https(value))
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise fault("expected an address without a path, such as `https://desk.example`")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _control(value: object, info: ValidationInfo) -> object:
    """Where a gateway's control port is; the path of a socket is taken from the folder of the file that names it."""
    if not isinstance(value, str):
        raise fault("expected `https://HOST:PORT`, or `unix:PATH`")
    if value.startswith(_UNIX):
        path = value.removeprefix(_UNIX)
        if not path or "\x00" in path:
            raise fault("expected the path of a socket behind `unix:`")
        return f"{_UNIX}{(info.context or {}).get(FOLDER, Path()) / path}"
    return _site(value)


def is_vkey(value: str) -> bool:
    """Whether this has the form of a key, and is not the path of a file with one."""
    return _VKEY.fullmatch(value) is not None


def _vkey(value: str, info: ValidationInfo) -> str:
    """A key's text as it is; the path of a file with it from the folder of the file that names it."""
    return value if is_vkey(value) else str(_beside(info) / value)


def _archive(value: str, info: ValidationInfo) -> str:
    """The address of a bucket as it is; a folder from the folder of the file that names it."""
    return value if value.startswith(_S3) else str(_beside(info) / value)


def _beside(info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get(FOLDER, Path())
    return folder


class Listen(Door):
    """Where browsers arrive. Without TLS only this machine does: a Unix socket, or loopback behind a proxy."""

    @model_validator(mode="after")
    def _protected(self) -> "Listen":
        if self.address is not None and self.tls is None and not is_loopback(self.address):
            raise fault("needs `tls: {certificate: PATH, key: PATH}`, an address of loopback, or `unix: PATH`")
        if self.address is not None and not _is_address(self.address):
            raise fault("`address` is one of this machine's own, such as `127.0.0.1` or `0.0.0.0`")
        return self


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Login(Strict):
    """The identity provider, and how long somebody stays logged in. Its access tokens are what gateways are shown.

    `audience` and what follows it must say what the gateways' own `identity.issuers` say: the same tokens are judged.
    """

    issuer: Url
    client_id: NotEmptyText
    secret: SecretSource | None = None
    scopes: Some = DEFAULT_SCOPES
    ca: ExistingFile | None = None
    session: WholeSeconds = 8 * HOUR_S
    idle: WholeSeconds = HOUR_S
    audience: Some = ("doorward",)
    tolerated_audiences: tuple[str, ...] = ()
    algorithms: Some | None = None
    max_age: WholeSeconds = HOUR_S
    subject_claim: NotEmptyText = "sub"
    groups_claim: NotEmptyText = "groups"
    display_claim: NotEmptyText = "name"
    kind: PrincipalKind | None = None
    kind_claim: NotEmptyText = "doorward_kind"
    human_clients: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _openid(self) -> "Login":
        if "openid" not in self.scopes:
            raise fault("`scopes` must have `openid` in it: the desk learns from an ID token who has logged in")
        return self


class Roles(Strict):
    """Who sees what: approvers decide, auditors read what happened, operators watch and end what is going on."""

    approver: tuple[str, ...] = ()
    auditor: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _somebody(self) -> "Roles":
        if not (self.approver or self.auditor or self.operator):
            raise fault("names no group at all: nobody could see anything")
        return self


class TrustedWitnesses(Strict):
    """The witnesses of a log whose signatures this desk believes, by their public keys, and how many must have signed.

    They are the operator's to name, as those of `doorward verify --witness` are: what a gateway says of its witnesses
    proves nothing about it.
    """

    quorum: Annotated[int, Field(ge=1)]
    vkeys: Annotated[tuple[str, ...], NotEmpty]

    @model_validator(mode="after")
    def _are_keys(self) -> "TrustedWitnesses":
        try:
            Required.of(self.vkeys, self.quorum)
        except ProofError as error:
            raise fault(str(error)) from None
        return self


class GatewaySettings(Strict):
    """One gateway: its control port, and what the desk reads of it beside that.

    `log` is the folder of its log or of a mirror, `vkey` its public key (text or a file), `checkpoints` the checkpoint
    of a mirror kept elsewhere (what witnesses cosigned lies beside it), `witnesses` who of them is believed, `keys` the
    folder of its wrapped payload keys, `archive` where entries are that its log freed (a folder, or
    `s3://bucket/prefix`), `policy` its policy's file, `config` its own configuration, for its policy and the names and
    labels of its resources.
    """

    control: Annotated[str, BeforeValidator(_control)]
    ca: ExistingFile | None = None
    log: FilePath | None = None
    vkey: Annotated[NotEmptyText, AfterValidator(_vkey)] | None = None
    checkpoints: FilePath | None = None
    witnesses: TrustedWitnesses | None = None
    keys: FilePath | None = None
    archive: Annotated[NotEmptyText, AfterValidator(_archive)] | None = None
    policy: ExistingFile | None = None
    config: ExistingFile | None = None


class DeskRecord(Strict):
    """The desk's own log: who logged in, and what was read by whom. `keys` outside `folder`, as a gateway's."""

    folder: FilePath
    keys: FilePath
    origin: Annotated[str, AfterValidator(_origin)]
    recipients: tuple[str, ...] = ()
    checkpoint_interval: Seconds = 1.0
    mirror: FilePath | None = None

    @model_validator(mode="after")
    def _apart(self) -> "DeskRecord":
        for name in ("keys", "mirror"):
            path: Path | None = getattr(self, name)
            if path is not None and (path == self.folder or self.folder in path.parents):
                raise fault(f"`{name}` must lie outside `folder`: they are to be kept and lost apart")
        return self


class Settings(Strict):
    """A whole file of settings."""

    version: Literal[1]
    url: Annotated[str, AfterValidator(_site)]
    listen: Listen
    login: Login
    roles: Roles
    gateways: Annotated[dict[Name, GatewaySettings], NotEmpty]
    record: DeskRecord
    index: FilePath | None = None
    identity: SecretSource | None = None

    @property
    def secure(self) -> bool:
        """Whether people reach the desk over TLS; plain HTTP is for a try on one's own machine."""
        return self.url.startswith("https:")


def load_settings(path: Path) -> Settings:
    """Load a desk's settings. Raises ConfigError with every fault."""
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeError:
        raise ConfigError((f"{shown(name)}:1: cannot be read: not UTF-8 text",)) from None
    except OSError as error:
        raise ConfigError((f"{shown(name)}:1: cannot be read: {error.strerror}",)) from None
    document = read_document(text, name)
    if document.data is None and document.problems:  # nothing could be read, so nothing can be missing
        raise ConfigError(tuple(problem.render(name) for problem in document.problems))
    settings, problems = validate(Settings, document, folder=path.parent)
    problems += document.problems
    if problems or settings is None:
        ordered = sorted(problems, key=lambda problem: (problem.line, str(problem.path)))
        raise ConfigError(tuple(problem.render(name) for problem in ordered))
    return settings
