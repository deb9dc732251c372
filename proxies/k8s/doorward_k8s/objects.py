"""What is masked of what the API server answers: the masks of a decision, compiled, and what becomes of one answer.

What it will not do: decide which masks are owed, send anything, or refuse: `proxy` does, with a Status.
Implements: docs/k8s-masks.md.

    masks = ObjectMasks(masks, key)               once for each set of masks
    owed = masks.of(Resource("", "secrets"))      what is owed on the answers of one resource
    asked = owed.ask(headers, "GET")              what to ask the server with; NotAcceptable is a 406
    plan = owed.plan(response_head, "GET", asked) Untouched, Masked or Unmaskable

Invariants:

- Closed world: where a mask is owed, an answer leaves masked or not at all.
- Lists and watches stream: what is held is one string of JSON, one line of a log.
"""

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from doorward_core.errors import UnreadableBody
from doorward_core.http.charsets import Charset
from doorward_core.http.codings import CodingLimits, read_codings
from doorward_core.http.messages import BODILESS, Header, Headers, ResponseHead, get_all, without
from doorward_core.http.recode import Content, Recoder
from doorward_core.mask.detect import Detectors, detectors_for
from doorward_core.mask.json_scan import skip_unknown
from doorward_core.mask.json_stream import MAX_TOKEN_BYTES
from doorward_core.mask.stream import TextWindow
from doorward_core.model import Mask
from doorward_k8s.accept import YAML, Asked, prepare_accept
from doorward_k8s.logs import LogText
from doorward_k8s.object_masker import ObjectMasker
from doorward_k8s.object_paths import ELSEWHERE, STREAMS, ObjectPaths, Resource, is_foreign, patterns_of

_MAX_RESOURCES: Final = 512  # compiled at once; a cluster with many CRDs has as many
_PARTIAL: Final = 206
_FINAL: Final = 200
_COMPUTED: Final = frozenset({
    b"content-length", b"etag", b"accept-ranges", b"content-range", b"content-md5", b"digest", b"content-digest",
    b"repr-digest",
})  # fmt: skip
_FRAMING: Final = frozenset({b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"date"})
_MEDIA: Final = re.compile(rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;(.*))?")
_CHARSET: Final = re.compile(rb"(?:^|;)[ \t]*charset=\"?([A-Za-z0-9_-]+)\"?[ \t]*(?=;|$)", re.IGNORECASE)
# What hides a value that was masked, as it comes back in what a client writes: plain, and as base64.
_HIDDEN: Final = re.compile(rb"\[masked(?::[A-Za-z0-9_-]{0,40})?\]|W21hc2tlZ[A-Za-z0-9+/]{2,}={0,2}")


@dataclass(frozen=True, slots=True)
class Untouched:
    """The body leaves as it is, or there is none. `masked` counts what was masked in headers."""

    headers: Headers
    masked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Masked:
    """The body leaves through `body`, piece by piece, framed anew.

    `log`, where there is one, is a text whose reader may be waiting: flush it by timer while it is `holding`.
    """

    body: Recoder
    headers: Headers
    masked: dict[str, int] = field(default_factory=dict)
    log: TextWindow | None = None


@dataclass(frozen=True, slots=True)
class Unmaskable:
    """The body may not leave. `why` is for the client and the log: it repeats nothing of the body."""

    why: str


Plan: TypeAlias = Untouched | Masked | Unmaskable


class ObjectMasks:
    """The masks of one decision. Raise PathError for a pattern that means an object and cannot be read."""

    def __init__(self, masks: tuple[Mask, ...], key: bytes, coding: CodingLimits | None = None) -> None:
        self.masks = masks
        self.key = key
        self.coding = coding or CodingLimits()
        self.patterns = patterns_of(masks)
        self.detectors = detectors_for(masks)
        self._known: dict[Resource, Owed] = {}

    def of(self, resource: Resource) -> "Owed":
        """What is owed on the answers of this resource."""
        found = self._known.get(resource)
        if found is None:
            if len(self._known) >= _MAX_RESOURCES:
                self._known.clear()
            found = self._known[resource] = Owed(self, resource)
        return found

    def foreign(self) -> tuple[tuple[str, str], ...]:
        """(rule, pattern) of what names nothing here: columns of tables, headers, or a slip."""
        return tuple((mask.rule, column) for mask in self.masks for column in mask.columns if is_foreign(column))


class Owed:
    """What is owed on the answers of one resource; read only, and shared by all of them.

    Discovery and the API's own schema hold nobody's values: on them nothing is owed.
    """

    def __init__(self, masks: ObjectMasks, resource: Resource) -> None:
        self.resource = resource
        somebodys = resource.name or resource.subresource == ELSEWHERE
        self.detectors: Detectors | None = masks.detectors if somebodys else None
        self.paths = ObjectPaths(
            masks.patterns if resource.name else (), resource, detecting=self.detectors is not None
        )
        self._masks = masks
        self._skip = skip_unknown(self.paths) if self.paths else None
        self._objects = resource.subresource not in STREAMS

    def __bool__(self) -> bool:
        return self.paths.owed or self.detectors is not None

    def ask(self, headers: Headers, method: str) -> Asked:
        """What to ask the server with. Raise NotAcceptable where the client takes nothing that can be masked."""
        if not self:
            return Asked(headers)
        return prepare_accept(headers, method, tables=self.paths.tables, objects=self._objects)

    def json(self) -> ObjectMasker:
        """What masks one answer in JSON, or one event after another. It serves bodies of requests as well."""
        return ObjectMasker(
            self.paths, self.detectors, self._masks.key, skip=self._skip, max_token_bytes=MAX_TOKEN_BYTES
        )

    def masked_object(self, body: bytes) -> bytes:
        """A whole object in JSON as it may be shown and recorded. Raise UnreadableBody for what is none."""
        masker = self.json()
        return masker.feed(body) + masker.end()

    def plan(self, head: ResponseHead, method: str, asked: Asked | None = None) -> Plan:
        """What becomes of this answer."""
        counts: dict[str, int] = {}
        if not self:
            return Untouched(head.headers, counts)
        headers = self.mask_headers(without(head.headers, _COMPUTED), counts)
        if method == "HEAD" or head.status in BODILESS or head.status < _FINAL:
            return Untouched(headers, counts)
        if get_all(head.headers, b"content-length") == (b"0",):
            return Untouched((*headers, (b"content-length", b"0")), counts)
        if head.status == _PARTIAL or get_all(head.headers, b"content-range"):
            return Unmaskable("a part of a body was sent, where a mask is owed on the whole")
        try:
            name, charset = _media(head.headers)
            codings = read_codings(get_all(head.headers, b"content-encoding"))
            content, log = self._content(name)
            body = Recoder(codings, Charset(charset, json=log is None), content, self._masks.coding)
        except UnreadableBody as error:
            return Unmaskable(str(error))
        if asked is not None and asked.yaml and name == "application/json":
            headers = (*without(headers, frozenset({b"content-type"})), (b"content-type", YAML))
        return Masked(body, headers, counts, log)

    def _content(self, name: str) -> tuple[Content, TextWindow | None]:
        """What masks a body of this type. Raise UnreadableBody where nothing can."""
        if name == "application/json" or name.endswith("+json"):
            return self.json(), None
        if name == "text/plain" and self.detectors is not None and not self.paths.owed:
            strict = any(mask.strict for mask in self._masks.masks)
            log = LogText(self.detectors, self._masks.key, strict=strict)
            return log, log
        raise UnreadableBody(f"a mask is owed on this answer, and in {name} it cannot be kept to")

    def mask_headers(self, headers: Headers, counts: dict[str, int]) -> Headers:
        """Headers, as Warning and Location, with what detectors find in them replaced."""
        if self.detectors is None:
            return headers
        return tuple(self._header(name, value, counts) for name, value in headers)

    def _header(self, name: bytes, value: bytes, counts: dict[str, int]) -> Header:
        if name in _FRAMING or self.detectors is None:
            return name, value
        shown, labels = self.detectors.mask(value, key=self._masks.key)
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
        return name, shown


def writes_hidden(body: bytes) -> bool:
    """Whether what a client writes holds what stands in place of a masked value, so that it would be written over it.

    `kubectl get -o yaml | kubectl replace` does that. Tokens of `hash`, and values shown in part, cannot be told.
    """
    return _HIDDEN.search(body) is not None


def _media(headers: Headers) -> tuple[str, str]:
    """Type and charset. Raise UnreadableBody where a body does not say one thing."""
    values = set(get_all(headers, b"content-type"))
    found = _MEDIA.fullmatch(values.pop()) if len(values) == 1 else None
    if found is None:
        raise UnreadableBody("the answer does not say what it is (Content-Type)")
    charset = _CHARSET.search(found[2] or b"")
    return found[1].lower().decode("ascii"), charset[1].decode("ascii") if charset else ""
