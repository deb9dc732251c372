"""The cluster that `doorward init k8s` is pointed at: what one context of a kubeconfig says of it.

What it is: `read_target`, from a kubeconfig's text to a `Cluster`.
What it will not do: ask the cluster anything, run a credential plugin, or keep a credential: of a user it tells only
whether the gateway could be that user.

Implements: the `v1` Config of the Kubernetes client libraries, as far as a gateway takes it (docs/k8s.md).
Invariants: pure; a cluster whose certificate is not to be verified is refused; no value of a user is in any message.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from doorward_console.init_doors import CannotInit
from doorward_core.config_yaml import Data, read_document

PEM: Final = b"-----BEGIN CERTIFICATE-----"
_OF_OUR_OWN: Final = ("exec", "auth-provider", "username", "as")
"""What makes a kubeconfig's user nobody that the gateway could be: it runs no plugins, and impersonates by itself."""
_CREDENTIALS: Final = ("token", "tokenFile", "client-certificate", "client-certificate-data")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as a context names it. `usable` says that the gateway can be the kubeconfig's own user."""

    context: str
    name: str
    server: str
    server_name: str
    authority: bytes
    user: str
    usable: bool


def read_target(text: str, shown: str, context: str, read: Callable[[str], bytes]) -> Cluster:
    """What a context says; `read` gives a file that the kubeconfig names. Raises CannotInit."""
    document = read_document(text, shown)
    if document.problems:
        raise CannotInit(document.problems[0].render(shown))
    data = document.data if isinstance(document.data, dict) else {}
    wanted = context or _text(data, "current-context")
    if not wanted:
        raise CannotInit(f"{shown}: it has no current context: name one with --context")
    chosen = _named(data, shown, "contexts", "context", wanted)
    name, user = _text(chosen, "cluster"), _text(chosen, "user")
    cluster = _named(data, shown, "clusters", "cluster", name)
    who = _named(data, shown, "users", "user", user) if user else {}
    return Cluster(
        context=wanted,
        name=name,
        server=_server(cluster, shown),
        server_name=_text(cluster, "tls-server-name"),
        authority=_authority(cluster, shown, read),
        user=user,
        usable=any(who.get(key) for key in _CREDENTIALS) and not any(who.get(key) for key in _OF_OUR_OWN),
    )


def _named(data: dict[str, Data], shown: str, many: str, one: str, wanted: str) -> dict[str, Data]:
    listed = data.get(many)
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    for item in items:
        if item.get("name") == wanted:
            found = item.get(one)
            return found if isinstance(found, dict) else {}
    there = ", ".join(sorted(str(item.get("name")) for item in items)) or "none"
    raise CannotInit(f"{shown}: there is no {one} {wanted} (there is: {there})")


def _server(cluster: dict[str, Data], shown: str) -> str:
    if cluster.get("insecure-skip-tls-verify"):
        raise CannotInit(f"{shown}: insecure-skip-tls-verify: an API server is verified, always: give its authority")
    if cluster.get("proxy-url"):
        raise CannotInit(f"{shown}: proxy-url: API servers are not reached through proxies")
    server = _text(cluster, "server")
    if not server.startswith("https://"):
        raise CannotInit(f"{shown}: server: an API server is spoken to over https")
    return server


def _authority(cluster: dict[str, Data], shown: str, read: Callable[[str], bytes]) -> bytes:
    """The authority of the API server, in PEM; empty where this machine's own authorities are meant."""
    data, file = _text(cluster, "certificate-authority-data"), _text(cluster, "certificate-authority")
    try:
        found = base64.b64decode(data, validate=True) if data else read(file) if file else b""
    except (binascii.Error, ValueError):
        raise CannotInit(f"{shown}: certificate-authority-data: expected base64") from None
    if (data or file) and PEM not in found:
        raise CannotInit(f"{shown}: the authority of the cluster is no certificate")
    return found


def _text(part: dict[str, Data], key: str) -> str:
    value = part.get(key)
    return value if isinstance(value, str) else ""
