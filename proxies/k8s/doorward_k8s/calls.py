"""What a request means to the Kubernetes API: a verb on a resource, or none that is known.

    /api/v1/namespaces/shop/pods/web-0/exec            connect shop/core/pods/exec/web-0
    /apis/apps/v1/namespaces/shop/deployments          list    shop/apps/deployments/
    /apis/apps/v1/deployments?watch=1                  watch   -/apps/deployments/
    /version, /apis, /openapi/v3                       discovery

What it is: `read_call`, by the rules that the API server itself reads a request by.
What it will not do: know which resources there are, what a verb does (`effects`), or look at a body.

Implements: "API concepts" and `RequestInfo` of the Kubernetes API machinery.
Invariants: pure; what those rules do not name is `unknown`, with the reason in words; the path below `proxy` is not
ours to normalise, and stays what it was.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from doorward_core.policy.objects import CORE, NOWHERE, Place, spell

_GROUP: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_VERSION: Final = re.compile(r"v[0-9]{1,4}(?:(?:alpha|beta)[0-9]{1,4})?\Z")
_RESOURCE: Final = re.compile(r"[a-z][a-z0-9-]{0,252}\Z")
_PART: Final = re.compile(r"[a-z][A-Za-z0-9-]{0,62}\Z")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
MAX_NAME_CHARS: Final = 253
_NAMESPACE_PARTS: Final = frozenset({"status", "finalize"})
_DISCOVERY: Final = frozenset({"version", "openapi", "swagger.json", "swaggerapi", "healthz", "livez", "readyz"})
# The issuer's own words about the tokens of service accounts: public, by their purpose.
_PUBLIC: Final = frozenset({"/.well-known/openid-configuration", "/openid/v1/jwks"})
_READING: Final = frozenset({"GET", "HEAD"})
_GROUP_DEPTH: Final = {"api": 2, "apis": 3}
PROXY: Final = "proxy"
_SCHEMES: Final = frozenset({"", "http", "https"})
STREAMING: Final = frozenset({("pods", "exec"), ("pods", "attach"), ("pods", "portforward")})
CONNECTING: Final = STREAMING | {("pods", PROXY), ("services", PROXY), ("nodes", PROXY)}


class Kind(StrEnum):
    """What kind of thing is asked for."""

    OBJECT = "object"
    DISCOVERY = "discovery"
    URL = "url"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `namespace` and `name` are empty where none is said.

    Of a `proxy`, `rest` is the path below it, `port` the port as it is spelt, and the name is that of the object alone.
    """

    kind: Kind
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    sub: str = ""
    namespace: str = ""
    name: str = ""
    rest: str = ""
    port: str = ""
    path: str = ""
    problem: str = ""

    @property
    def place(self) -> str:
        """How policy spells it; the path where it is no object."""
        if self.kind is not Kind.OBJECT:
            return self.path
        return spell(Place(self.namespace or NOWHERE, self.group or CORE, self.resource, self.sub, self.name))

    @property
    def connects(self) -> bool:
        """Whether it opens a way into something, whatever its method says."""
        return self.verb == "connect"

    @property
    def lasts(self) -> bool:
        """Whether its answer may go on for as long as anybody listens."""
        return self.verb == "watch" or self.sub in {"log", PROXY}

    @property
    def streams(self) -> bool:
        """Whether it leaves HTTP: exec, attach and portforward."""
        return not self.group and (self.resource, self.sub) in STREAMING


class _Unknown(Exception):
    """The rules of the API do not name this. The message says why."""


def read_call(method: str, path: str, query: Sequence[tuple[str, str]]) -> Call:
    """Read a request: its method, its canonical path, the pairs of its query."""
    segments = [unquote(segment) for segment in path[1:].split("/")]
    try:
        depth = _GROUP_DEPTH.get(segments[0], 0)
        if len(segments) > depth and depth:
            return _object(method, segments, depth, query, path)
        return _other(method, segments, path, depth)
    except _Unknown as unknown:
        return Call(Kind.UNKNOWN, method.lower(), path=path, problem=str(unknown))


def _other(method: str, segments: list[str], path: str, depth: int) -> Call:
    """Discovery, and URLs that are no resources."""
    if method not in _READING:
        raise _Unknown("this is no resource, and can only be read")
    if depth:
        names = segments[1:]
        if names[:1] and segments[0] == "apis" and not _GROUP.match(names[0]):
            raise _Unknown("this is no name of a group")
        if names[depth - 2 :] and not _VERSION.match(names[-1]):
            raise _Unknown("this is no version of an API")
        return Call(Kind.DISCOVERY, "get", path=path)
    if path == "/" or segments[0] in _DISCOVERY or path in _PUBLIC:
        return Call(Kind.DISCOVERY, "get", path=path)
    return Call(Kind.URL, "get", path=path)


def _object(method: str, segments: list[str], depth: int, query: Sequence[tuple[str, str]], path: str) -> Call:
    group = segments[1] if segments[0] == "apis" else ""
    version, rest = segments[depth - 1], segments[depth:]
    watched = rest[0] == "watch"
    if watched:  # as the API was before `?watch=1`, and still is
        rest = rest[1:]
    if rest[:1] == [PROXY]:
        raise _Unknown("proxies are subresources")
    if not _VERSION.match(version) or (segments[0] == "apis" and not _GROUP.match(group)):
        raise _Unknown("this is no group and version of an API")
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:  # noqa: PLR2004 - what is in the namespace
            rest = rest[2:]
    resource, name, sub = (*rest[:3], "", "", "")[:3]
    more = rest[3:]
    if not _spelt(resource, sub, namespace):
        raise _Unknown("this is no resource by the rules of the API")
    if "" in rest[:3] or (name and not is_name(name)):
        raise _Unknown("this is no name of an object")
    if more and sub != PROXY:
        raise _Unknown("nothing lies below a subresource but what is proxied")
    verb, found = _verb(method, (group, resource, name, sub), query, watched=watched)
    below, port = "", ""
    if sub == PROXY and verb == "connect":
        below, (found, port) = path.split("/" + PROXY, 1)[1], _proxied(name)
    return Call(Kind.OBJECT, verb, group, version, resource, sub, namespace, found, below, port, path)


def _spelt(resource: str, sub: str, namespace: str) -> bool:
    return bool(
        _RESOURCE.match(resource) and (not sub or _PART.match(sub)) and (not namespace or _LABEL.match(namespace))
    )


def is_object(call: Call) -> bool:
    """Whether a call that was not read from a path could have been."""
    group = not call.group or _GROUP.match(call.group) is not None
    return group and _spelt(call.resource, call.sub, call.namespace) and (not call.name or is_name(call.name))


def _verb(
    method: str, what: tuple[str, str, str, str], query: Sequence[tuple[str, str]], *, watched: bool
) -> tuple[str, str]:
    """The verb, and the name that it is about."""
    group, resource, name, sub = what
    if not group and (resource, sub) in CONNECTING and name:
        return "connect", name
    if method in _READING:
        reading = "get" if name and not watched else "watch" if watched or _true(query, "watch") else "list"
        return reading, name or _selected(query)
    if method == "DELETE" and not (sub or watched):
        return ("delete", name) if name else ("deletecollection", _selected(query))
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method)
    # An object is made in its collection, or by a subresource; it is changed by its name.
    if verb is None or watched or (not name if verb != "create" else name and not sub):
        raise _Unknown("the API has no such method here")
    return verb, name


def is_name(name: str) -> bool:
    """Whether the API takes this for a name in a path."""
    return (
        0 < len(name) <= MAX_NAME_CHARS
        and name.isprintable()
        and name not in {".", ".."}
        and not any(mark in name for mark in "/%\\ ")
    )


def _proxied(name: str) -> tuple[str, str]:
    """The object and the port of `name`, `name:port` or `scheme:name:port`: one object, however it is reached."""
    parts = name.split(":")
    scheme, found, port = parts if len(parts) == 3 else ("", *parts, "")[:3]  # noqa: PLR2004 - as spelt above
    if len(parts) > 3 or not found or scheme not in _SCHEMES:  # noqa: PLR2004
        raise _Unknown("this is no name of what is proxied")
    return found, port


def _true(query: Sequence[tuple[str, str]], key: str) -> bool:
    """As the API converts it: absent, `false` and `0` are false, everything else is true."""
    values = [value for name, value in query if name == key]
    return bool(values) and values[0].lower() not in {"false", "0"}


def _selected(query: Sequence[tuple[str, str]]) -> str:
    """The one name that a field selector leaves, as the API server authorises such a list."""
    selectors = [value for name, value in query if name == "fieldSelector"]
    if len(selectors) != 1 or "\\" in selectors[0]:  # what is escaped, a comma above all, is a server's to read
        return ""
    for term in selectors[0].split(","):
        field, equals, value = term.partition("=")
        value = value.removeprefix("=")
        if field.strip() == "metadata.name" and equals and is_name(value) and not any(mark in value for mark in "!="):
            return value
    return ""
