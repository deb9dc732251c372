"""Which headers go on, in either direction.

What it is: `for_target`, a client's headers without what the gateway answers for itself, and `for_client`, a target's
without what is not the target's to say.
What it will not do: frame a message (`doorward_core.http` does), add a credential, or mask a value.

Invariants: pure. No header by which a target could be told who asks reaches it from a client, in any spelling that some
server takes for it (threat model H-02). No answer leaves that a cache may keep (H-11), that sends its client elsewhere
(H-10), or that speaks for the gateway's host.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from doorward_core.http.fields import end_to_end, look_alike
from doorward_core.http.messages import Headers
from doorward_http.redirects import Way

IDENTITY: Final = b"doorward-identity"
# What is answered here, framed anew, or replaced.
_OURS: Final = frozenset(
    {b"authorization", b"host", b"content-length", b"expect", b"max-forwards", b"forwarded", b"via", b"x-real-ip",
     b"true-client-ip", b"client-ip", b"x-client-ip", b"x-cluster-client-ip", b"remote-user", b"x-remote-user",
     b"x-webauth-user", b"x-user", b"x-user-id", b"x-authenticated-user", b"x-identity", b"x-proxy-user"}
)  # fmt: skip
# Headers by which reverse proxies tell their targets who asks: no client may.
_OURS_BEGIN: Final = (
    b"doorward-", b"x-doorward-", b"x-forwarded-", b"x-original-", b"x-auth-request-", b"x-amzn-oidc-",
    b"x-goog-authenticated-user-", b"x-goog-iap-", b"x-ms-client-principal", b"x-remote-", b"cf-access-",
    b"cf-connecting-", b"tailscale-user-", b"ssl-client-", b"x-ssl-", b"x-client-cert", b"x-client-verify",
    b"x-authentik-", b"x-envoy-", b"x-pomerium-", b"x-vouch-",
)  # fmt: skip
# What a target may not say to a client of the gateway's host, or about it.
_NOT_THEIRS: Final = frozenset(
    {b"alt-svc", b"strict-transport-security", b"public-key-pins", b"public-key-pins-report-only", b"expect-ct",
     b"nel", b"report-to", b"reporting-endpoints", b"clear-site-data", b"refresh", b"age", b"expires", b"pragma",
     b"cache-control", b"surrogate-control", b"cdn-cache-control", b"proxy-status", b"x-sendfile",
     b"proxy-authenticate", b"proxy-authentication-info", b"service-worker-allowed"}
)  # fmt: skip
_NOT_THEIRS_BEGIN: Final = (b"doorward-", b"x-doorward-", b"x-accel-")
_TOO_LATE: Final = frozenset({b"location", b"content-location", b"link", b"set-cookie"})
NO_STORE: Final = (b"cache-control", b"private, no-store")
REDIRECTS: Final = frozenset({300, 301, 302, 303, 305, 307, 308})


def for_target(headers: Headers, *, cookies: bool, taken: Iterable[bytes] = ()) -> Headers:
    """A client's headers as they may go on; `taken` are those that carry our credential, or carried the client's."""
    gone = _OURS | {look_alike(name) for name in taken}
    if not cookies:
        gone |= {b"cookie"}
    kept = []
    for name, value in end_to_end(headers):
        plain = look_alike(name)
        if plain not in gone and not plain.startswith(_OURS_BEGIN):
            kept.append((name, value))
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Answered:
    """A target's headers as they may leave. `astray` is where it would have sent its client, and may not."""

    headers: Headers
    astray: bool = False


def trailers_for_client(trailers: Headers) -> Headers:
    """A target's trailers as they may leave: addresses and cookies, which are mapped in a head, come too late."""
    return tuple(
        [
            (name, value)
            for name, value in trailers
            if name not in _NOT_THEIRS and name not in _TOO_LATE and not name.startswith(_NOT_THEIRS_BEGIN)
        ]
    )


def for_client(status: int, headers: Headers, way: Way, *, cookies: bool) -> Answered:
    """A target's headers as they may leave."""
    kept: list[tuple[bytes, bytes]] = []
    astray = False
    for name, value in end_to_end(headers):
        if name in _NOT_THEIRS or name.startswith(_NOT_THEIRS_BEGIN) or (name == b"set-cookie" and not cookies):
            continue
        if name in {b"location", b"content-location", b"link"}:
            text = value.decode("latin-1")
            mapped = way.link(text) if name == b"link" else way.address(text)
            if mapped is None:
                astray = astray or (name == b"location" and status in REDIRECTS)
                continue
            value = mapped.encode("latin-1")  # noqa: PLW2901 - the same header, mapped
        kept.append((name, value))
    return Answered((*kept, NO_STORE), astray)
