"""What a kubeconfig says of one cluster: where it is, whom to believe, and how to be believed.

What it is: `read_kubeconfig`, pure, from its text to an `Access`.
What it will not do: run credential plugins, or read the files that it names.

Implements: the `v1` Config of the Kubernetes client libraries, as far as a gateway needs it.
Invariants: a cluster whose certificate is not to be verified is refused, and so is a proxy; what is not understood is a
fault with the key that it stands at, and never the value.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_core.config_types import shown
from doorward_core.config_yaml import Data, read_document
from doorward_core.errors import ConfigError
from doorward_core.model import Secret

_REFUSED_CLUSTER: Final = {
    "insecure-skip-tls-verify": "an API server is verified, always; give `certificate-authority`",
    "proxy-url": "API servers are not reached through proxies",
}
_OWN_PASSWORD: Final = frozenset({"exec", "auth-provider"})  # which stands in their place
_PEM: Final = b"-----BEGIN "
_REFUSED_USER: Final = {
    "exec": "credential plugins are not run here; give each account of this resource a `password`, as `{exec: [...]}`",
    "auth-provider": "auth providers are no more; give each account of this resource a `password`",
    "username": "API servers take no passwords any more",
    "as": "impersonation is the gateway's to add",
}


@dataclass(frozen=True, slots=True)
class Access:
    """How a cluster is reached. Certificates and keys are PEM; `token_file` is read again when it is needed."""

    server: str
    authority: bytes = b""
    server_name: str = ""
    token: Secret | None = None
    token_file: Path | None = None
    certificate: bytes = b""
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a kubeconfig names, relative to its folder, and what `read` gives for one."""

    folder: Path
    contents: dict[Path, bytes]

    def path(self, value: str) -> Path:
        """Where a file is that a kubeconfig names."""
        return self.folder / value


class _Faulty(Exception):
    """A fault at a key."""


def files_of(text: str, name: str, folder: Path, context: str) -> tuple[Path, ...]:
    """The files that this context needs, so that a shell can read them. Raises ConfigError."""
    found = _parts(text, name, context)
    keys = ("certificate-authority", "client-certificate", "client-key")
    return tuple(folder / value for part in found for key in keys if isinstance(value := part.get(key), str) and value)


def read_kubeconfig(text: str, name: str, context: str, files: Files, *, own: bool = False) -> Access:
    """What a context says; `own`, that accounts have passwords of their own. Raises ConfigError."""
    cluster, user = _parts(text, name, context)
    try:
        _refuse(cluster, _REFUSED_CLUSTER)
        _refuse(user, {key: words for key, words in _REFUSED_USER.items() if not (own and key in _OWN_PASSWORD)})
        secret = _pem(user, "client-key", files)
        token = _text(user, "token")
        token_file = _text(user, "tokenFile")
        return Access(
            _server(cluster),
            _pem(cluster, "certificate-authority", files),
            _text(cluster, "tls-server-name"),
            Secret(token) if token else None,
            files.path(token_file) if token_file else None,
            _pem(user, "client-certificate", files),
            Secret(secret.decode("ascii", "replace")) if secret else None,
        )
    except _Faulty as fault:
        raise ConfigError((f"{name}:1: {fault}",)) from None


def _refuse(part: dict[str, Data], refused: dict[str, str]) -> None:
    for key, words in refused.items():
        if part.get(key):
            raise _Faulty(f"{key}: {words}")


def _parts(text: str, name: str, context: str) -> tuple[dict[str, Data], dict[str, Data]]:
    document = read_document(text, name)
    if document.problems:
        raise ConfigError(tuple(problem.render(name) for problem in document.problems))
    data = document.data if isinstance(document.data, dict) else {}
    wanted = context or data.get("current-context")
    try:
        chosen = _named(data, "contexts", wanted, "context")
        return (
            _named(data, "clusters", chosen.get("cluster"), "cluster"),
            _named(data, "users", chosen.get("user"), "user"),
        )
    except _Faulty as fault:
        raise ConfigError((f"{name}:1: {fault}",)) from None


def _named(data: dict[str, Data], many: str, wanted: Data, one: str) -> dict[str, Data]:
    listed = data.get(many)
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    for item in items:
        if item.get("name") == wanted and wanted:
            found = item.get(one)
            return found if isinstance(found, dict) else {}
    there = ", ".join(sorted(shown(item.get("name")) for item in items)) or "none"
    asked = f"there is no {one} `{shown(wanted)}`" if wanted else f"no {one} is named, and there is no current one"
    raise _Faulty(f"{many}: {asked} (there is: {there})")


def _server(cluster: dict[str, Data]) -> str:
    server = _text(cluster, "server")
    if not server.startswith("https://"):
        raise _Faulty("server: an API server is spoken to over https")
    return server


def _text(part: dict[str, Data], key: str) -> str:
    value = part.get(key)
    if value is not None and not isinstance(value, str):
        raise _Faulty(f"{key}: expected text")
    return value or ""


def _pem(part: dict[str, Data], key: str, files: Files) -> bytes:
    data, file = _text(part, f"{key}-data"), _text(part, key)
    if data:
        try:
            found = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise _Faulty(f"{key}-data: expected base64") from None
    else:
        found = files.contents[files.path(file)] if file else b""
    if found and _PEM not in found:
        raise _Faulty(f"{key}{'-data' if data else ''}: what it holds is no PEM")
    return found
