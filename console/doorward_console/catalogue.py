"""The target's catalogue, asked for once, as the gateway would: read only, with the account that its owner set aside.

It is a plain shell; it never runs a statement of the user's, only the fixed questions of `doorward_core.sql`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pg8000.exceptions
import pg8000.native
import trio

from doorward_core.errors import GatewayError
from doorward_core.net.secrets import resolve_secret
from doorward_core.net.tls import client_context
from doorward_core.sql.catalog_load import load_catalog

if TYPE_CHECKING:
    from doorward_core.config import ResourceSettings
    from doorward_core.sql.catalog import Catalog

TIMEOUT_S = 15


class NoCatalogue(Exception):
    """The target's catalogue cannot be read; the message says why."""


def read_catalogue(resource: "ResourceSettings", folder: Path) -> "Catalog":
    """Read it; paths in the target's block are relative to `folder`. NoCatalogue if the target cannot be asked."""
    target = resource.target
    if resource.protocol != "postgres" or not isinstance(target, Mapping):
        raise NoCatalogue(f"there is no catalogue behind the protocol {resource.protocol}")
    account = resource.accounts[resource.catalogue_account or resource.default_account]

    def connect() -> pg8000.native.Connection:
        password = trio.run(resolve_secret, account.password).reveal() if account.password else None
        host, port = str(target["host"]), int(target.get("port", 5432))
        local = host.startswith("/")
        tls = target.get("tls", {})
        plain = local or tls.get("mode") == "disable"
        authorities = folder / tls["ca"] if tls.get("ca") else None
        return pg8000.native.Connection(
            account.user,
            host="" if local else host,
            port=port,
            unix_sock=f"{host}/.s.PGSQL.{port}" if local else None,
            database=str(target["database"]),
            password=password,
            ssl_context=None if plain else client_context(authorities),
            timeout=TIMEOUT_S,
            application_name="doorward policy",
        )

    try:
        return load_catalog(connect)
    except (pg8000.exceptions.Error, GatewayError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoCatalogue(f"the target's catalogue cannot be read: {error}") from error
