"""One call of the API as its URL says it: which kind, whose, which part, and how it is meant.

What it is: the API's own reading of a path and its query, and who is calling, from a bearer token and impersonation.
What it will not do: answer.
Implements: the resource URLs of the Kubernetes API, authentication by static tokens, user impersonation.
"""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from doorward_core.http.messages import Head, get, get_all
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import BY_PATH, Kind, Subresource
from doorward_demo.cluster_protobuf import MEDIA, read_object
from doorward_demo.cluster_store import Selection

_IMPERSONATE: Final = b"impersonate-"
_FALSE: Final = frozenset({"", "false", "0"})  # as the API converts them: `True`, as Python writes it, is true
_PARTS: Final = 2  # of `Bearer TOKEN`


@dataclass(frozen=True, slots=True)
class User:
    """Who is calling. `by` is who impersonates them, if anybody does."""

    name: str
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    by: str = ""

    def info(self) -> dict[str, Any]:
        """As `userInfo` says it."""
        extra: dict[str, list[str]] = {}
        for name, value in self.extra:
            extra.setdefault(name, []).append(value)
        return {"username": self.name, "groups": list(self.groups), **({"extra": extra} if extra else {})}


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `name` is empty for a whole collection."""

    kind: Kind
    namespace: str
    name: str
    subresource: Subresource | None
    verb: str
    query: dict[str, list[str]]
    user: User
    head: Head
    body: bytes = b""

    def one(self, name: str) -> str:
        """A parameter of the query."""
        return self.query.get(name, [""])[0]

    def said(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return self.one(name).lower() not in _FALSE

    @property
    def key(self) -> tuple[str, str]:
        """The object's place in the store."""
        return (self.namespace if self.kind.namespaced else ""), self.name

    @property
    def selection(self) -> Selection:
        """What a list or watch is about."""
        fields = self.one("fieldSelector")
        if self.name:
            fields = f"metadata.name={self.name}"
        return Selection(self.kind, self.namespace, self.one("labelSelector"), fields)

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be kept, as the query or the options in the body say."""
        return self.one("dryRun") == "All" or (
            self.verb.startswith("delete") and self.document().get("dryRun") == ["All"]
        )

    def document(self) -> dict[str, Any]:
        """The body as an object. Raises ApiError."""
        if self.header(b"content-type").startswith(MEDIA):
            return read_object(self.body)
        try:
            document = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError(400, "BadRequest", "the object provided is unrecognized: it is no JSON") from error
        if not isinstance(document, dict):
            raise ApiError(400, "BadRequest", "the object provided is unrecognized")
        return document

    def header(self, name: bytes) -> str:
        """A header's value."""
        return ",".join(value.decode("latin-1") for value in get_all(self.head.headers, name))


def split(target: bytes) -> tuple[str, dict[str, list[str]]]:
    """Path, not decoded, and query."""
    path, _, query = target.decode("ascii").partition("?")
    return path, parse_qs(query, keep_blank_values=True)


def read_call(head: Head, body: bytes, user: User) -> Call | None:
    """The call that this request is; None where its path is no resource. Raises ApiError."""
    path, query = split(head.target)
    parts = [unquote(part) for part in path.strip("/").split("/")]
    watching = False
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    if rest[:1] == ["watch"]:
        rest, watching = rest[1:], True
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > _PARTS and (group, version, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    kind = BY_PATH.get((group, version, rest[0]))
    name, part = (*rest[1:], "", "")[:2]
    subresource = next((sub for sub in kind.subresources if sub.name == part), None) if kind and part else None
    if kind is None or len(rest) > 3 or (part and subresource is None):  # noqa: PLR2004 - plural, name, subresource
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    watching = watching or query.get("watch", [""])[0].lower() not in _FALSE
    verb = _verb(head.method, name, watching=watching, upgrade=bool(head.upgrade))
    allowed = subresource.verbs if subresource else kind.verbs
    if verb not in allowed:
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    return Call(kind, namespace, name, subresource, verb, query, user, head, body)


def _verb(method: str, name: str, *, watching: bool, upgrade: bool) -> str:
    match method:
        case "GET" | "HEAD":
            if watching:
                return "watch"
            return ("get" if name else "list") if not upgrade else "create"
        case "DELETE":
            return "delete" if name else "deletecollection"
        case "POST":
            return "create"
        case "PUT":
            return "update"
    return "patch"


def who(head: Head, tokens: dict[str, User], impersonators: frozenset[str]) -> User:
    """Who is calling. Raises ApiError for a token that nobody has, and where somebody may not impersonate."""
    scheme, _, token = (get(head.headers, b"authorization") or b"").decode("latin-1").partition(" ")
    user = tokens.get(token.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        raise ApiError(401, "Unauthorized", "Unauthorized")
    asked = [(name, value) for name, value in head.headers if name.startswith(_IMPERSONATE)]
    if not asked:
        return user
    if user.name not in impersonators:
        raise ApiError(403, "Forbidden", f'users is forbidden: User "{user.name}" cannot impersonate')
    name = get(head.headers, b"impersonate-user")
    if name is None:
        raise ApiError(400, "BadRequest", "groups or extra are impersonated, and no user")
    groups = tuple(value.decode() for key, value in asked if key == b"impersonate-group")
    extra = tuple(
        (unquote(key.removeprefix(b"impersonate-extra-").decode()), value.decode())
        for key, value in asked
        if key.startswith(b"impersonate-extra-")
    )
    return User(name.decode(), (*groups, "system:authenticated"), extra, by=user.name)
