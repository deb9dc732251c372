"""Which members of API objects are masked: an operator's patterns, compiled for one resource.

    secrets:$.data.*              a path from the object's root, for objects of one resource
    deployments.apps:$.spec.x     the same with its group; `*` and `?` are a glob's
    serviceaccounts/token:$.x     what one subresource answers
    $..password                   a path for objects of every resource
    secrets, configmaps, env, tokens    sets of such patterns, by name

What it will not do: read JSON (`core.mask.json_scan` does), or know what becomes of a value (`object_masker` does).
Implements: docs/k8s-masks.md, "What a mask names"; the shapes of answers in the API conventions (objects, lists, watch
events, tables, Status).

Invariants:

- A path means the same wherever its object stands: alone, in a list, in a watch event, in a row of a table.
- A pattern without a group is of every group, one without a subresource of each that answers with objects.
- Where a mask and a marker meet, the mask is in force: markers say how a value is spelt, never that it may leave.
"""

import fnmatch
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from doorward_core.mask.json_paths import PathError, Paths, Segment, is_path, parse_path
from doorward_core.model import Mask, Transform

SETS: Final = {
    "secrets": (
        "secrets:$.data",
        "secrets:$.stringData",
        # Tools that keep what they applied in an annotation of their own, packed: nobody can look into it.
        "secrets:$.metadata.annotations['objectset.rio.cattle.io/applied']",
        "secrets:$.metadata.annotations['banzaicloud.com/last-applied']",
    ),
    "configmaps": ("configmaps:$.data", "configmaps:$.binaryData"),
    "env": (),  # see `_environments`
    "tokens": ("serviceaccounts/token:$.status.token", "tokenreviews:$.spec.token"),
}
"""What a name alone stands for, in `columns`."""

# Where a pod's specification stands in the kinds that have one.
_POD_SPECS: Final = {
    ("", "pods"): "$.spec",
    ("", "podtemplates"): "$.template.spec",
    ("", "replicationcontrollers"): "$.spec.template.spec",
    ("apps", "deployments"): "$.spec.template.spec",
    ("apps", "replicasets"): "$.spec.template.spec",
    ("apps", "statefulsets"): "$.spec.template.spec",
    ("apps", "daemonsets"): "$.spec.template.spec",
    ("batch", "jobs"): "$.spec.template.spec",
    ("batch", "cronjobs"): "$.spec.jobTemplate.spec.template.spec",
}

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# Where an object stands in an answer: alone, in a list, in a watch event, in a row of a table, in a watched row.
ROOTS: Final = ("$", "$.items[*]", "$.object", "$.rows[*].object", "$.object.rows[*].object")
_CELLS: Final = ("$.rows[*].cells", "$.object.rows[*].cells")
# Subresources that answer with a program's bytes and no object.
ELSEWHERE: Final = "url"  # in the place of one: what is no object at all, as `/metrics`
STREAMS: Final = frozenset({"log", "proxy", "exec", "attach", "portforward", ELSEWHERE})
# Groups whose tables are printed by code that we know; any other group may print any member in its columns.
_PRINTED: Final = frozenset({
    "", "apps", "batch", "autoscaling", "policy", "admissionregistration.k8s.io", "apiextensions.k8s.io",
    "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "networking.k8s.io",
    "node.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
})  # fmt: skip
# What controllers make, by the thousand, and no tool applies.
_MADE_BY_OTHERS: Final = frozenset({("", "pods"), ("", "events"), ("events.k8s.io", "events"), ("apps", "replicasets")})
_UNPRINTED: Final = frozenset({"data", "stringdata", "binarydata"})
_UNPRINTED_METADATA: Final = frozenset({"annotations", "managedfields"})
_PATTERN: Final = re.compile(r"(?P<name>[A-Za-z0-9*?-]+)(?:\.(?P<group>[A-Za-z0-9.*?-]*))?(?:/(?P<sub>[A-Za-z*?-]+))?:")


class How(StrEnum):
    """What a value is, apart from JSON: it decides how one is hidden, and where detectors have to look."""

    VALUE = "value"
    """What it seems: a mask hides it."""
    ENCODED = "encoded"
    """A mask hides it, and base64 has to stand in its place."""
    BASE64 = "base64"
    """Base64: detectors look at what it says."""
    TEXT = "text"
    """Somebody's text, which may be base64 all the same: detectors look at both."""
    OBJECT = "object"
    """The same object once more, as text."""
    COPY = "copy"
    """That, if it is an object at all: what tools keep in annotations of their own."""
    MESSAGE = "message"
    """An error's words, which may repeat a value."""
    KEPT = "kept"
    """The server's own number, without which a client cannot go on."""


@dataclass(frozen=True, slots=True)
class Treated(Mask):
    """A mask at a place whose spelling is known; with an empty rule, that spelling alone."""

    how: How = How.VALUE


@dataclass(frozen=True, slots=True)
class Resource:
    """What a request is about, as its URL says. All three are empty for discovery, which holds nobody's values."""

    group: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern of a mask: for which resources, and the path from an object's root."""

    mask: Mask
    name: str
    group: str
    subresource: str | None
    path: str
    segments: tuple[Segment, ...]
    but: frozenset[tuple[str, str]] = frozenset()
    """Resources, by group and name, of which it does not speak whatever its globs say."""

    def matches(self, resource: Resource) -> bool:
        """Whether it speaks of the objects that this resource answers with."""
        if self.subresource is None:
            wanted = resource.subresource not in STREAMS
        else:
            wanted = fnmatch.fnmatchcase(resource.subresource, self.subresource)
        return (
            wanted
            and (resource.group.lower(), resource.name.lower()) not in self.but
            and fnmatch.fnmatchcase(resource.name.lower(), self.name)
            and fnmatch.fnmatchcase(resource.group.lower(), self.group)
        )

    @property
    def unprinted(self) -> bool:
        """Whether it names only what no built-in table has a column for."""
        first, *rest = self.segments
        if not first.deep and first.name is not None and not first.glob:
            if first.name.lower() in _UNPRINTED:
                return True
            if first.name.lower() == "metadata" and rest and not rest[0].deep and not rest[0].glob:
                return (rest[0].name or "").lower() in _UNPRINTED_METADATA
        return any(segment.name == "env" for segment in self.segments)


def patterns_of(masks: tuple[Mask, ...]) -> tuple[Pattern, ...]:
    """Every pattern that speaks of API objects. Raise PathError for one that means to and cannot."""
    found: list[Pattern] = []
    for mask in masks:
        for column in mask.columns:
            if column == "env":
                found += _environments(mask)
            for spelt in SETS.get(column, (column,)):
                pattern = _pattern(mask, spelt)
                if pattern is not None:
                    found.append(pattern)
    return tuple(found)


def _environments(mask: Mask) -> list[Pattern]:
    """The variables of containers: where kinds that are known have them, and at any depth in every other kind.

    A path from the root costs far less than one at any depth: whatever it does not lead to is stepped over.
    """
    exact = [
        f"{name}.{group}:{root}.{listed}[*].env[*].value"
        for (group, name), root in _POD_SPECS.items()
        for listed in ("containers", "initContainers", "ephemeralContainers")
    ]
    anywhere = "$..env[*].value"
    return [
        *(found for text in exact if (found := _pattern(mask, text)) is not None),
        Pattern(mask, "*", "*", None, anywhere, parse_path(anywhere), frozenset(_POD_SPECS)),
    ]


def is_foreign(column: str) -> bool:
    """Whether a pattern of a mask is another protocol's."""
    return column not in SETS and not is_path(column) and ":$" not in column  # a name of SQL may hold a colon


def _pattern(mask: Mask, text: str) -> Pattern | None:
    """One pattern; None where it is another protocol's."""
    if is_path(text):
        return Pattern(mask, "*", "*", None, text, parse_path(text))
    if is_foreign(text):
        return None
    found = _PATTERN.match(text)
    if found is None or not is_path(text[found.end() :]):
        raise PathError(f"{text!r}: a pattern for objects is `resource[.group][/subresource]:` and a path")
    group = found["group"]
    path = text[found.end() :]
    sub = found["sub"]
    return Pattern(
        mask,
        found["name"].lower(),
        "*" if group is None else group.lower(),
        sub and sub.lower(),
        path,
        parse_path(path),
    )


class ObjectPaths(Paths):
    """The patterns that speak of one resource, and the markers of its objects; immutable, and shared.

    `owed` says whether some pattern does; `tables` whether a table of these objects can show nothing that is masked.
    """

    def __init__(self, patterns: tuple[Pattern, ...], resource: Resource, *, detecting: bool) -> None:
        mine = [pattern for pattern in patterns if pattern.matches(resource)]
        self._detecting = detecting
        self.owed = bool(mine)
        self.tables = not mine or (resource.group in _PRINTED and all(pattern.unprinted for pattern in mine))
        masks: list[Mask] = [replace(one.mask, columns=_placed(one.path)) for one in mine]
        if not self.tables:
            masks += [replace(one.mask, columns=_CELLS) for one in mine]
        if (mine or detecting) and resource.subresource not in STREAMS:
            masks += _markers(resource, owed=bool(mine), detecting=detecting)
        super().__init__(masks)

    def in_force(self, masks: list[Mask]) -> Mask | None:
        """The strictest mask, with what is known of the place; a marker alone where something may be found there."""
        marked = {mask.how for mask in masks if isinstance(mask, Treated)}
        owed = super().in_force([mask for mask in masks if not isinstance(mask, Treated)])
        if owed is not None:
            how = How.ENCODED if How.BASE64 in marked else How.VALUE
            return Treated(owed.rule, (), (), owed.transform, owed.label, owed.strict, how)
        for how in (How.OBJECT, How.COPY, How.MESSAGE, How.KEPT, How.BASE64, How.TEXT):
            if how in marked and (how not in {How.BASE64, How.TEXT} or self._detecting):
                return _marker(how, ())
        return None


def _placed(path: str) -> tuple[str, ...]:
    """A path from each place where an object stands; one that looks at any depth finds them all by itself."""
    return (path,) if path.startswith("$..") else tuple(root + path[1:] for root in ROOTS)


def _markers(resource: Resource, *, owed: bool, detecting: bool) -> list[Treated]:
    found = [_marker(How.OBJECT, _placed(f"$.metadata.annotations['{LAST_APPLIED}']"))]
    if resource.name == "secrets":
        found.append(_marker(How.BASE64, _placed("$.data.*")))
    if resource.name == "configmaps":
        found.append(_marker(How.BASE64, _placed("$.binaryData.*")))
        found.append(_marker(How.TEXT, _placed("$.data.*")))
    if owed:
        if (resource.group, resource.name) not in _MADE_BY_OTHERS:
            found.append(_marker(How.COPY, _placed("$.metadata.annotations.*")))
        messages = [
            f"{root}{path}" for root in ("$", "$.object") for path in (".message", ".details.causes[*].message")
        ]
        found.append(_marker(How.MESSAGE, tuple(messages)))
    if detecting:
        numbers = ("$.metadata.resourceVersion", "$.metadata.uid", "$.metadata.continue")
        found.append(_marker(How.KEPT, tuple(placed for path in numbers for placed in _placed(path))))
    return found


def _marker(how: How, columns: tuple[str, ...]) -> Treated:
    return Treated("", columns, (), Transform.REDACT, "value", how=how)
