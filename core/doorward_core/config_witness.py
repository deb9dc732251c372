"""The part of the configuration about witnesses: who is asked to cosign the log, and how long it may do without them.

What it is: the model of `record.witnesses` in `docs/config.md`.
What it will not do: check the keys' own sums (`doorward_core.record` does, before anything listens), or ask anybody.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from doorward_core.config_types import ExistingFile, NotEmpty, Strict, WholeSeconds, fault

_VKEY = re.compile(r"([!-*,-~]{1,128})\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\Z")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_WITNESSES = 16


def _vkey(value: str) -> str:
    if not _VKEY.match(value):
        raise fault("a witness's key is one line, NAME+KEYID+KEY, as `doorward witness init` prints it")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain) or "@" in parts.netloc or parts.query:
        raise fault("expected the https:// address of a witness (http:// is for loopback alone)")
    return value.rstrip("/")


class WitnessEntry(Strict):
    """One witness: where it is asked, and the key that it must sign with; its name is in the key."""

    url: Annotated[str, AfterValidator(_url)]
    vkey: Annotated[str, AfterValidator(_vkey)]
    ca: ExistingFile | None = None

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.vkey.partition("+")[0]


class WitnessesSettings(Strict):
    """Who cosigns the log. `lag`: how long traffic goes on without a quorum of them."""

    quorum: Annotated[int, Field(ge=1)]
    list: Annotated[tuple[WitnessEntry, ...], NotEmpty]
    lag: WholeSeconds = 600

    @model_validator(mode="after")
    def _reachable(self) -> "WitnessesSettings":
        names = [item.name for item in self.list]
        if len(set(names)) != len(names):
            raise fault("a witness stands here twice: each counts once")
        if len({item.vkey.rpartition("+")[2] for item in self.list}) != len(names):
            raise fault("two witnesses have one key: they are one")
        if self.quorum > len(names):
            raise fault(f"a quorum of {self.quorum} is never reached by {len(names)} witnesses")
        if len(names) > MAX_WITNESSES:
            raise fault(f"at most {MAX_WITNESSES} witnesses")
        return self
