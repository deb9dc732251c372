"""The `target` block of a PostgreSQL resource, as an operator writes it (docs/config.md)."""

from typing import Annotated

from pydantic import Field, model_validator

from doorward_core.config import Port
from doorward_core.config_types import ExistingFile, NotEmptyText, Seconds, Strict, fault
from doorward_postgres.upstream import Target, TlsMode


class TargetTls(Strict):
    """How the connection to the target is protected: verified against the name that is dialled, or not at all."""

    mode: Annotated[TlsMode, Field(strict=False)] = TlsMode.VERIFY_FULL
    ca: ExistingFile | None = None
    server_name: str = ""

    @model_validator(mode="after")
    def _meant(self) -> "TargetTls":
        if self.mode is TlsMode.DISABLE and (self.ca is not None or self.server_name):
            raise fault("`ca` and `server_name` have no meaning with `mode: disable`")
        return self


class PostgresTarget(Strict):
    """Where the PostgreSQL server is. A `host` that begins with "/" is the folder of its Unix socket."""

    host: NotEmptyText
    port: Annotated[Port, Field(ge=1)] = 5432
    database: NotEmptyText
    tls: TargetTls = TargetTls()
    connect_timeout: Seconds = 15.0
    previews: bool = False
    preview_timeout: Seconds = 3.0

    def target(self) -> Target:
        """The same, as `upstream` takes it."""
        return Target(
            host=self.host,
            port=self.port,
            database=self.database,
            tls=self.tls.mode,
            authorities=self.tls.ca,
            server_name=self.tls.server_name,
            within_s=self.connect_timeout,
        )

    @property
    def unprotected(self) -> bool:
        """Tell whether the leg to the target crosses a network without TLS."""
        return self.tls.mode is TlsMode.DISABLE and not self.host.startswith("/")
