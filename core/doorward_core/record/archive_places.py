"""Where an archive lies: a folder, or a bucket of an object store.

Implements the objects of docs/spec/event-log.md section 13: put once, read back, listed.
A shell; synchronous, for worker threads.
It will not replace what is there: an object is put where there is none, and who finds another one there is told.

The library that speaks to stores cannot ask for a lock with a put, so the bucket itself must have a default retention;
each object that is read back shows whether it is locked, how, and until when.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from doorward_core.errors import GatewayError
from doorward_core.record.journal import sync_folder, write_all
from doorward_core.record.sources import FolderSource

if TYPE_CHECKING:
    import httpx2
    from obstore.store import S3Store

TIMEOUT_S: Final = 15.0
_MODE: Final = "x-amz-object-lock-mode"
_UNTIL: Final = "x-amz-object-lock-retain-until-date"
_NOT_THERE: Final = 404
_OK: Final = 200


class ArchiveError(GatewayError):
    """The archive cannot be reached, or holds what it should not; the message names the object, and no credential."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an archive gave back; `mode` is that of its lock, "" where there is none."""

    data: bytes
    mode: str = ""
    locked_until_unix_ns: int = 0


class Place(Protocol):
    """An archive's objects, by their paths (section 13)."""

    @property
    def name(self) -> str:
        """Where it is, for people: no credential is in it."""

    @property
    def locks(self) -> bool:
        """Whether what is in it can be locked."""

    def put(self, path: str, data: bytes) -> bool:
        """Put an object where there is none; where there is one, leave it, and give False. Raises ArchiveError."""

    def get(self, path: str, most_bytes: int) -> Kept | None:
        """An object's first bytes and its lock; None where there is none. Raises ArchiveError."""

    def names(self, below: str, after: str = "") -> Iterator[str]:
        """Paths of objects below a path, in order, those behind `after`. Raises ArchiveError."""


class FolderPlace:
    """An archive in a folder, which has no locks: whoever owns it can change it, and `verify` then says so."""

    locks = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def put(self, path: str, data: bytes) -> bool:
        """Put it durably and at once.

        Crash before the link: a `.tmp` file that means nothing. After it: the whole object.
        """
        at = self._folder / path
        try:
            self._check()
            if at.exists():
                return False
            at.parent.mkdir(parents=True, exist_ok=True)
            fd, temporary = tempfile.mkstemp(dir=at.parent, prefix=at.name, suffix=".tmp")
            try:
                write_all(fd, data)
                os.fchmod(fd, 0o444)
                os.fsync(fd)
                with suppress(FileExistsError):  # another put it there meanwhile: who reads it back sees what it is
                    os.link(temporary, at)
            finally:
                os.close(fd)
                Path(temporary).unlink()
            self._sync(at.parent)
            return True  # noqa: TRY300 - beside what it is true of
        except OSError as error:
            raise ArchiveError(f"the archive cannot be written: {error.strerror}: {path}") from error

    def _check(self) -> None:
        """It is the operator's to make: what is not mounted must not be taken for an archive that is empty."""
        if not self._folder.is_dir():
            raise ArchiveError(f"the archive cannot be reached: there is no folder {self._folder}")

    def _sync(self, folder: Path) -> None:
        """The folder, and those above it, up to the archive's: any of them may be new."""
        while True:
            sync_folder(folder)
            if folder == self._folder:
                return
            folder = folder.parent

    def get(self, path: str, most_bytes: int) -> Kept | None:
        """A plain file."""
        try:
            self._check()
            data = FolderSource(self._folder).read(path, most_bytes)
        except OSError as error:
            raise ArchiveError(f"the archive cannot be read: {error.strerror}: {path}") from error
        return Kept(data) if data is not None else None

    def names(self, below: str, after: str = "") -> Iterator[str]:
        """All of them, but for drafts."""
        try:
            self._check()
            for path, _ in FolderSource(self._folder).names(below):
                if path > after and not path.endswith(".tmp"):
                    yield path
        except OSError as error:
            raise ArchiveError(f"the archive cannot be listed: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A bucket and how it is reached. `key` and `token` are secrets, and shown nowhere."""

    bucket: str
    prefix: str
    region: str
    id: str
    key: str
    token: str = ""
    endpoint: str = ""
    ca_pem: str = ""


class StorePlace:
    """An archive in a bucket of an object store that speaks S3."""

    locks = True

    def __init__(self, settings: StoreSettings) -> None:
        self.name = f"s3://{settings.bucket}/{settings.prefix}".rstrip("/")
        self._store = _open(settings)
        self._client = _client(settings)

    def put(self, path: str, data: bytes) -> bool:
        """Put it unless there is one; its digest travels with it, which stores ask for where a lock is to be put."""
        import obstore  # noqa: PLC0415 - loaded only where an archive is a bucket
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - as above

        try:
            obstore.put(self._store, path, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except _errors() as error:
            raise self._failed("written", path, error) from None
        return True

    def get(self, path: str, most_bytes: int) -> Kept | None:
        """Read it back over an address that the library signs, because the library does not tell of locks."""
        import obstore  # noqa: PLC0415 - loaded only where an archive is a bucket

        try:
            url = obstore.sign(self._store, "GET", path, timedelta(seconds=2 * TIMEOUT_S))
            with self._client.stream("GET", url) as response:
                if response.status_code == _NOT_THERE:
                    return None
                if response.status_code != _OK:
                    raise ArchiveError(f"the archive {self.name} answers {response.status_code}: {path}")
                data = bytearray()
                for chunk in response.iter_raw():
                    data += chunk
                    if len(data) >= most_bytes:
                        break
                mode, until = response.headers.get(_MODE, ""), response.headers.get(_UNTIL, "")
        except _errors() as error:
            raise self._failed("read", path, error) from None
        return Kept(bytes(data[:most_bytes]), mode.lower(), _unix_ns(until))

    def names(self, below: str, after: str = "") -> Iterator[str]:
        """As the store lists them, a thousand at a time."""
        import obstore  # noqa: PLC0415 - loaded only where an archive is a bucket

        try:
            for batch in obstore.list(self._store, prefix=below or None, offset=after or None):
                for one in batch:
                    yield str(one["path"])
        except _errors() as error:
            raise self._failed("listed", below, error) from None

    def _failed(self, what: str, path: str, error: BaseException) -> ArchiveError:
        # The library's message goes on for pages, and repeats what the store said; its first line says what it was.
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return ArchiveError(f"the archive {self.name} cannot be {what}: {path}: {_plain(reason)}")


def _plain(reason: str) -> str:
    """The words of an error without an address that carries a signature."""
    return " ".join(word for word in reason.split() if "X-Amz" not in word)


def _open(settings: StoreSettings) -> "S3Store":
    from obstore.store import S3Store  # noqa: PLC0415 - loaded only where an archive is a bucket

    client: dict[str, Any] = {"timeout": timedelta(seconds=TIMEOUT_S), "connect_timeout": timedelta(seconds=5)}
    if settings.endpoint.startswith("http://"):
        client["allow_http"] = True
    if settings.ca_pem:
        client["root_certificate"] = settings.ca_pem
    config: dict[str, Any] = {
        "bucket": settings.bucket,
        "region": settings.region,
        "access_key_id": settings.id,
        "secret_access_key": settings.key,
        "checksum_algorithm": "sha256",
        "conditional_put": "etag",
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.token:
        config["token"] = settings.token
    retry: dict[str, Any] = {"max_retries": 2, "retry_timeout": timedelta(seconds=TIMEOUT_S)}
    return S3Store(
        prefix=settings.prefix or None,
        config=config,  # type: ignore[arg-type]  # a typed dict, made in steps
        client_options=client,  # type: ignore[arg-type]  # as above
        retry_config=retry,  # type: ignore[arg-type]  # as above
    )


def _client(settings: StoreSettings) -> "httpx2.Client":
    import ssl  # noqa: PLC0415 - loaded only where an archive is a bucket

    import httpx2  # noqa: PLC0415 - as above

    trusted = ssl.create_default_context()
    if settings.ca_pem:
        trusted.load_verify_locations(cadata=settings.ca_pem)
    return httpx2.Client(verify=trusted, timeout=TIMEOUT_S, trust_env=False)


def _errors() -> tuple[type[BaseException], ...]:
    from httpx2 import HTTPError  # noqa: PLC0415 - loaded only where an archive is a bucket
    from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

    return (BaseError, HTTPError, OSError)


def _unix_ns(text: str) -> int:
    """A moment as stores write it; 0 for none."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000
