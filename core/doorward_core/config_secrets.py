"""Where a secret is to be had, as an operator's file says it: never the secret itself.

What it is: the model `SecretSource`, which `doorward_core.net.secrets` resolves.
What it will not do: resolve it, or repeat what somebody wrote in its place.
"""

import re

from pydantic import model_validator

from doorward_core.config_types import FilePath, Seconds, Strict, fault, frozen_lists

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SecretSource(Strict):
    """Where a secret is to be had: never the secret itself."""

    env: str | None = None
    file: FilePath | None = None
    exec: tuple[str, ...] | None = None
    ttl: Seconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_secret_here(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise fault(
                "a secret is never written here; say where it is: `{env: NAME}`, `{file: PATH}` or `{exec: [PROGRAM]}`"
            )
        return frozen_lists(value)

    @model_validator(mode="after")
    def _one_source(self) -> "SecretSource":
        if sum(item is not None for item in (self.env, self.file, self.exec)) != 1:
            raise fault("exactly one of `env`, `file` and `exec` says where the secret is")
        if self.env is not None and not _VARIABLE.match(self.env):
            raise fault("`env` names an environment variable: letters, digits and `_` alone, no `$`")
        if self.exec is not None and (not self.exec or not self.exec[0]):
            raise fault("`exec` needs a program, and its arguments one by one: `[vault, read, ...]`")
        if self.ttl is not None and self.env is not None:
            raise fault("`ttl` has no meaning beside `env`: a process's environment does not change")
        return self
