"""Which resource a request is for: by its host, by the beginning of its path, or by both.

What it is: `Routes.find`, from an authority and a canonical target to a resource, and the path below it.
What it will not do: decide, or say whether a resource exists to those who have not said who they are.

Invariants: pure; of several places that fit, a named host goes before any host, and then the longest path; a place is
matched segment by segment, so that `/crm` is not where `/crm2` lies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from doorward_core.http.paths import CanonicalTarget


@dataclass(frozen=True, slots=True)
class Found:
    """The resource of a request: `place` is where it is offered, `path` is what lies below that place."""

    resource: str
    place: str
    path: str


class Routes:
    """The places of every resource of one gateway."""

    def __init__(self, places: Mapping[str, Iterable[str]]) -> None:
        self._hosts: dict[str, list[tuple[str, str]]] = {}
        for resource, offered in places.items():
            for place in offered:
                host, slash, path = place.partition("/")
                self._hosts.setdefault(host, []).append((slash + path, resource))
        for listed in self._hosts.values():
            listed.sort(key=lambda item: len(item[0]), reverse=True)

    def find(self, authority: str, path: str) -> Found | None:
        """The resource; None where nothing is offered at this place."""
        host = authority if authority in self._hosts else _without_port(authority)
        for key in dict.fromkeys((host, "")):
            for prefix, resource in self._hosts.get(key, ()):
                if path == prefix or path.startswith(prefix + "/"):
                    return Found(resource, key + prefix, path[len(prefix) :] or "/")
        return None

    def conflicts(self) -> tuple[str, ...]:
        """Places that two resources claim."""
        seen: dict[str, str] = {}
        found = []
        for host, listed in self._hosts.items():
            for prefix, resource in listed:
                other = seen.setdefault(host + prefix, resource)
                if other != resource:
                    found.append(f"{host}{prefix} is claimed by {other} and by {resource}")
        return tuple(found)


def _without_port(authority: str) -> str:
    """A place that names no port is offered on every port of its host."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a target is: `authority` as its Host header says it, `base` the path that everything lies below."""

    scheme: str
    host: str
    port: int
    authority: str
    base: str

    @classmethod
    def of(cls, url: str) -> "Destination":
        """Read an address that the configuration has checked."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        authority = parts.netloc.lower().removesuffix(f":{443 if parts.scheme == 'https' else 80}")
        return cls(parts.scheme, parts.hostname, port, authority, parts.path.removesuffix("/"))

    def target(self, found: Found, asked: CanonicalTarget) -> bytes:
        """What goes on the request line: our base, what lies below the place, and the query as it was read."""
        path = self.base + found.path
        return (f"{path}?{asked.raw_query}" if asked.raw_query else path).encode("ascii")
