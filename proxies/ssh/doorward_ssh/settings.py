"""The `target` block of an SSH resource, as an operator writes it (docs/config.md)."""

from pathlib import Path
from typing import Annotated, ClassVar, Final

import asyncssh
from pydantic import AfterValidator, Field, model_validator

from doorward_core.config import Name, Port
from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import ExistingFile, NotEmptyText, Seconds, Strict, fault

KEY_CHARS: Final = 16 * 1024  # an RSA key of 16,384 bits has 2,800


def _public_key(value: str) -> str:
    """A public key as one line of OpenSSH's format, and nothing else."""
    try:
        asyncssh.import_public_key(value[:KEY_CHARS])
    except asyncssh.KeyImportError:
        raise fault("expected a public key in OpenSSH's format: `ssh-ed25519 AAAA...`") from None
    return value


PublicKey = Annotated[str, AfterValidator(_public_key)]


class SshTarget(Strict):
    """Where the SSH server is, by what it is known, and how the gateway logs in there.

    Exactly one of `host_key` (pinned), `known_hosts` (a file) and `host_ca` says which server it is.
    `keys` are private keys for accounts that log in with one; an account with a password uses that; every other logs in
    with a certificate made for the session, which the target believes by `TrustedUserCAKeys`.
    """

    encrypts_itself: ClassVar[bool] = True  # its listeners need no TLS: SSH is its own
    names_accounts: ClassVar[bool] = True  # `deploy@web1` is that account, and no other stands in for it

    host: NotEmptyText
    port: Annotated[Port, Field(ge=1)] = 22
    host_key: PublicKey | None = None
    known_hosts: ExistingFile | None = None
    host_ca: PublicKey | None = None
    keys: dict[Name, SecretSource] = Field(default_factory=dict)
    connect_timeout: Seconds = 15.0

    @model_validator(mode="after")
    def _one_way_to_know_it(self) -> "SshTarget":
        given: tuple[str | Path | None, ...] = (self.host_key, self.known_hosts, self.host_ca)
        if sum(item is not None for item in given) != 1:
            raise fault("exactly one of `host_key`, `known_hosts` and `host_ca` says which server it is")
        return self
