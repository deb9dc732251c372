"""Where a response sends its client: mapped to the gateway, or not passed on.

What it is: `Way`, which maps the addresses in Location, Content-Location and Link to where the gateway offers the same.
What it will not do: follow a redirect, or look into bodies.

Source: RFC 9110 section 10.2.2 (Location), RFC 8288 (Link), RFC 3986 section 5 (relative references).
Invariant: pure; an address that leaves in a header lies on the gateway, or on a host that the operator named: whoever
follows a redirect does so with its token (threat model H-10).
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from doorward_core.http.authority import canonical_authority
from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_core.http.routes import Destination, Found

_PLAIN: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]+\Z")
_LINK: Final = re.compile(r"<([^<>]*)>")
MAX_ADDRESS_CHARS: Final = 8192


@dataclass(frozen=True, slots=True)
class Way:
    """The way from one target to one place of the gateway; `elsewhere` are hosts that clients may be sent to."""

    destination: Destination
    found: Found
    elsewhere: tuple[str, ...] = ()

    def address(self, value: str) -> str | None:
        """The address as the client may have it; None where it is not to have it."""
        if len(value) > MAX_ADDRESS_CHARS or not _PLAIN.match(value):
            return None
        there = self.destination
        try:
            whole = urlsplit(urljoin(f"{there.scheme}://{there.authority}{there.base}{self.found.path}", value))
            if whole.scheme not in {"http", "https"} or "@" in whole.netloc:
                return None
            authority = canonical_authority(whole.netloc.encode("ascii"), whole.scheme)
            if authority == there.authority:
                return self._here(whole.path or "/", whole.query, whole.fragment)
        except (ValueError, BadRequest):
            return None
        return whole.geturl() if self._allowed(authority) else None

    def _here(self, path: str, query: str, fragment: str) -> str | None:
        base = self.destination.base
        path = canonical(path.encode("ascii"), encoded_slash=True).path  # one reading, or none
        if not (path == base or path.startswith(base + "/")):
            return None  # on the target's host, and not in what is offered of it
        mapped = self.found.place[self.found.place.find("/") :] if "/" in self.found.place else ""
        rest = path[len(base) :] or "/"
        return mapped + rest + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")

    def _allowed(self, authority: str) -> bool:
        return any(
            authority == host or (host.startswith("*.") and authority.endswith(host[1:])) for host in self.elsewhere
        )

    def link(self, value: str) -> str | None:
        """A Link header without the links that lead elsewhere; None where nothing is left."""
        kept = []
        for one in re.split(r",\s*(?=<)", value):
            match = _LINK.match(one.strip())
            address = self.address(match[1]) if match else None
            if match and address is not None and one.count('"') % 2 == 0:
                kept.append(f"<{address}>{one.strip()[match.end() :]}")
        return ", ".join(kept) or None
