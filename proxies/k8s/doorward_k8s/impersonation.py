"""Who the cluster is told that asks: the verified identity, as impersonation headers of our own.

What it is: `impersonation`, the headers; `claims_identity`, whether a client's header says who asks.
What it will not do: pass on what a client said of itself.

Implements: "User impersonation" of the Kubernetes documentation (Impersonate-User, -Group, -Extra-*).
Invariants: pure; nobody becomes `system:` anything, whatever an identity provider says; what cannot stand in a header
is refused, never changed; in every spelling that some server takes for them, a client's own are seen (K-01).
"""

from typing import Final

from doorward_core.http.fields import look_alike
from doorward_core.http.messages import Header, Headers
from doorward_core.model import Session
from doorward_k8s.settings import SYSTEM, Impersonate

MAX_GROUPS: Final = 200
_CLAIMING: Final = (b"impersonate-", b"x-remote-")


class NotImpersonable(Exception):
    """This identity cannot be told to the cluster. The message is for its client."""


def claims_identity(headers: Headers) -> bool:
    """Whether some header of a client would tell the cluster who asks."""
    return any(look_alike(name).startswith(_CLAIMING) for name, _ in headers)


def impersonation(session: Session, settings: Impersonate) -> Headers:
    """The headers that tell the cluster who asks. Raises NotImpersonable."""
    identity = session.identity
    lines: list[Header] = [(b"impersonate-user", _value(settings.prefix + identity.subject))]
    if settings.groups:
        if len(identity.groups) > MAX_GROUPS:
            raise NotImpersonable("you are in more groups than can be told to the cluster")
        lines += [(b"impersonate-group", _value(settings.prefix + group)) for group in sorted(identity.groups)]
    if settings.extra:
        told = {
            b"issuer": identity.issuer,
            b"kind": str(identity.kind),
            b"sponsor": identity.sponsor,
            b"session": session.id.hex(),
        }
        lines += [(b"impersonate-extra-doorward-" + key, _value(value)) for key, value in told.items() if value]
    return tuple(lines)


def _value(text: str) -> bytes:
    if text.startswith(SYSTEM):
        raise NotImpersonable("your name, or that of a group of yours, is one of the cluster's own (`system:`)")
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise NotImpersonable("your name, or that of a group of yours, cannot be told to the cluster")
    return text.encode("ascii")
