"""The part of the configuration that is about the log: where it is kept, its archive, and how long content lives.

What it is: the models of `record` in `docs/config.md`.
What it will not do: open any of the places that it names.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, model_validator

from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import (
    FOLDER,
    Bytes,
    ExistingFile,
    FilePath,
    NotEmptyText,
    Seconds,
    Strict,
    WholeSeconds,
    fault,
)
from doorward_core.config_witness import WitnessesSettings
from doorward_core.model import RecordLevel

_MIB: Final = 1024 * 1024
_DAY_S: Final = 86_400
S3: Final = "s3://"
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9][A-Za-z0-9._-]*)*/?\Z")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _target(value: object, info: ValidationInfo) -> Path | str:
    """A folder, taken from the folder of the file that names it, or `s3://bucket/prefix`."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\x00" in value:
        raise fault("expected a folder, or `s3://bucket/prefix`")
    if not value.startswith(S3):
        if "://" in value:
            raise fault("expected a folder, or `s3://bucket/prefix`")
        return Path((info.context or {}).get(FOLDER, Path())) / value
    if not _S3_URL.match(value):
        raise fault("expected `s3://bucket/prefix`: the prefix has letters, digits, `-`, `_` and `.` between its `/`")
    return value.rstrip("/")


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain) or parts.username or parts.query or parts.fragment:
        raise fault("expected `https://...`: credentials go there (`http` on this machine alone)")
    return value.rstrip("/")


def _off_or_seconds(value: object) -> int | None:
    if value is False or value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", value) if isinstance(value, str) else None
    if match is None:
        raise fault("expected `false`, or how old archived entries are kept here all the same, such as `30d`")
    return int(match[1]) * {"h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}[match[2]]


class ArchiveCredentials(Strict):
    """What an object store is asked with."""

    id: SecretSource
    key: SecretSource
    token: SecretSource | None = None


class ArchiveSettings(Strict):
    """Where full parts of the log, and its checkpoints, are kept beside it, and how far that may be behind."""

    to: Annotated[Path | str, PlainValidator(_target)]
    retention: WholeSeconds = 400 * _DAY_S
    mode: Literal["compliance", "governance"] = "compliance"
    lag: WholeSeconds = 3600
    interval: Seconds = 60.0
    credentials: ArchiveCredentials | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    region: NotEmptyText = "us-east-1"
    ca: ExistingFile | None = None
    free_local: Annotated[int | None, PlainValidator(_off_or_seconds)] = None

    @model_validator(mode="after")
    def _fits(self) -> "ArchiveSettings":
        if isinstance(self.to, str) and self.credentials is None:
            raise fault("an object store needs `credentials: {id: ..., key: ...}`, each saying where it is to be had")
        if isinstance(self.to, Path) and (self.credentials or self.endpoint or self.ca):
            raise fault("`credentials`, `endpoint` and `ca` have no meaning for a folder")
        if self.interval > self.lag / 2:
            raise fault("`interval` is at most half of `lag`: else one failure would stop traffic")
        return self


class RetentionRule(Strict):
    """How long content of sessions on these resources lives."""

    resource: NotEmptyText | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    content: WholeSeconds

    @model_validator(mode="after")
    def _says_which(self) -> "RetentionRule":
        if (self.resource is None) == (not self.labels):
            raise fault("either `resource` or `labels` says whose content is meant")
        return self


class RetentionSettings(Strict):
    """How long sealed content lives before its keys are erased; what is not said, lives as long as the keys do."""

    content: WholeSeconds | None = None
    gateway: WholeSeconds | None = None
    rules: tuple[RetentionRule, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether anything is to be erased by its age."""
        return self.content is not None or self.gateway is not None or bool(self.rules)


class RecordSettings(Strict):
    """Where the log is kept, and how much of it; `keys` outside `folder`: deleting a key must not touch the tree."""

    folder: FilePath
    keys: FilePath
    level: RecordLevel = RecordLevel.SHAPE
    recipients: tuple[str, ...] = ()
    checkpoint_interval: Seconds = 1.0
    mirror: FilePath | None = None
    floor: Bytes = 256 * _MIB
    archive: ArchiveSettings | None = None
    retention: RetentionSettings = RetentionSettings()
    witnesses: WitnessesSettings | None = None

    @model_validator(mode="after")
    def _apart(self) -> "RecordSettings":
        for name in ("keys", "mirror"):
            path: Path | None = getattr(self, name)
            if path is not None and (path == self.folder or self.folder in path.parents):
                raise fault(f"`{name}` must lie outside `folder`: they are to be kept and lost apart")
        archive = self.archive.to if self.archive is not None else None
        if isinstance(archive, Path) and (archive == self.folder or self.folder in archive.parents):
            raise fault("the folder of `archive` must lie outside `folder`: one is to outlive the other")
        if self.witnesses is not None and self.mirror is None:
            raise fault("`witnesses` needs `mirror`: checkpoints that they have cosigned are kept there")
        if self.retention.asked and not self.recipients:
            raise fault("`retention` erases keys, and without `recipients` there are none: content is in the clear")
        for recipient in self.recipients:
            if recipient.startswith("AGE-SECRET-KEY-"):
                raise fault(
                    "`recipients` takes public keys (`age1...`), and this is a secret one: it is to be replaced"
                )
        return self
