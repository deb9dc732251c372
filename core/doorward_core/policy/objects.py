"""Object patterns: what `objects: ["shop/apps/deployments/*", "delete shop/core/pods/web-*"]` matches.

    NAMESPACE/GROUP/RESOURCE/NAME                  an object
    NAMESPACE/GROUP/RESOURCE/SUBRESOURCE/NAME      a part of it, with a meaning of its own (`exec`, `scale`)

What it is: patterns over verbs and places, segment by segment, for targets of kind `object`: their name is spelt as
above, with `-` for no namespace and nothing for a name that is not said (all of them); their detail is the verb.
What it will not do: look at an object, or know what a verb does.

Invariants: pure; linear in the length of the name. In an allow a pattern speaks of what it writes out and of nothing
else, and never of Secrets by a wildcard in place of their resource. In a hold or a block it speaks of the same, of all
parts of the object, of everything that is asked of without its namespace or name and so may contain it, and of the same
objects under another group. So a doubt never loosens.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from doorward_core.policy.glob import Names, compile_names

OBJECT = "object"
NOWHERE = "-"
"""In place of a namespace: there is none, or every one is meant."""
CORE = "core"
"""In place of the group that has no name."""
REST = "**"
_VERBS = re.compile(r"[a-z]{1,32}(?:,[a-z]{1,32})*\Z")
VERBS = frozenset({"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "connect"})
_WILD = re.compile(r"[*?]")
_PLAIN, _PART = 4, 5
_SECRETS = (CORE, "secrets")
# The same objects, served under two groups.
_ALIASES = {
    (CORE, "events"): ("events.k8s.io", "events"),
    ("events.k8s.io", "events"): (CORE, "events"),
}
_SHOWN = "such as `shop/apps/deployments/*`, `delete shop/core/pods/web-*` or `shop/**`"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is. `sub` is empty for the object itself, `name` where all are meant."""

    namespace: str
    group: str
    resource: str
    sub: str
    name: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern: verbs (None is any), the segments before a `**`, and whether there is one."""

    verbs: frozenset[str] | None
    segments: tuple[Names, ...]
    texts: tuple[str, ...]
    rest: bool

    def match(self, place: Place, verb: str, *, broadly: bool) -> bool:
        """Whether it speaks of this verb on what is there."""
        if self.verbs is not None and verb not in self.verbs:
            return False
        if broadly:
            other = _ALIASES.get((place.group, place.resource))
            places = [place, Place(place.namespace, *other, place.sub, place.name)] if other else [place]
            return any(self._broad(one) for one in places)
        return self._exact(place)

    def _exact(self, place: Place) -> bool:
        values = _spelt(place)
        if not (len(values) > len(self.segments) if self.rest else len(values) == len(self.segments)):
            return False
        if (place.group, place.resource) == _SECRETS and (len(self.texts) < 3 or _WILD.search(self.texts[2])):  # noqa: PLR2004 - where the resource stands
            return False
        # A name that is not said is every name; only `*` says as much.
        return all(
            names.match(value) and (bool(value) or names.everything)
            for names, value in zip(self.segments, values, strict=False)
        )

    def _broad(self, place: Place) -> bool:
        """All that it may reach: what has no namespace or no name is everything that has one."""
        values = _spelt(place)
        if len(self.segments) == _PLAIN:
            values = (place.namespace, place.group, place.resource, place.name)  # its parts too
        elif not self.rest and len(values) != _PART:
            return False
        free = {NOWHERE: 0, "": len(values) - 1}
        return all(
            names.match(value) or free.get(value) == at
            for at, (names, value) in enumerate(zip(self.segments, values, strict=False))
        )


@dataclass(frozen=True, slots=True)
class Objects:
    """A compiled list of object patterns; those that began with `!` take away again."""

    positive: tuple[_Pattern, ...]
    negative: tuple[_Pattern, ...]
    listed: tuple[str, ...] = ()

    def match(self, name: str, verb: str, *, allows: bool) -> bool:
        """Whether a rule with these patterns speaks of a verb on an object; `allows` tells an allow from the others."""
        place = place_of(name)
        if place is None:
            return False
        return any(item.match(place, verb, broadly=not allows) for item in self.positive) and not any(
            item.match(place, verb, broadly=allows) for item in self.negative
        )


def spell(place: Place) -> str:
    """The name of a target."""
    return "/".join(_spelt(place))


def place_of(name: str) -> Place | None:
    """The place that a target's name spells; None for what is none."""
    values = name.split("/")
    if len(values) == _PLAIN:
        return Place(values[0], values[1], values[2], "", values[3])
    return Place(*values) if len(values) == _PART else None


def _spelt(place: Place) -> tuple[str, ...]:
    sub = (place.sub,) if place.sub else ()
    return (place.namespace, place.group, place.resource, *sub, place.name)


def split_object(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The verbs (empty for any) and the segments of a pattern. Raises ValueError, for people."""
    verbs, blank, path = pattern.removeprefix("!").rpartition(" ")
    if blank and not _VERBS.match(verbs):
        message = f"expected verbs in small letters, a blank and a place, {_SHOWN}"
        raise ValueError(message)
    unknown = sorted(set(verbs.split(",")) - VERBS) if blank else ()
    if unknown:
        message = (
            f"`{unknown[0]}` is no verb of the API; there are {', '.join(sorted(VERBS))}, of which `connect` is that of"
            " exec, attach, portforward and proxy"
        )
        raise ValueError(message)
    segments = tuple(path.split("/"))
    if not path.isprintable() or "[" in path or "\\" in path or "" in segments:
        message = f"expected a namespace, a group, a resource and a name, {_SHOWN}"
        raise ValueError(message)
    if any(REST in one and one != REST for one in segments) or REST in segments[:-1]:
        message = f"`**` stands alone at the end: whatever is below, {_SHOWN}"
        raise ValueError(message)
    if any(segment.startswith("!") for segment in segments):
        message = "a segment cannot begin with `!` here; an exception is a pattern of its own"
        raise ValueError(message)
    if segments[-1] != REST and len(segments) not in {_PLAIN, _PART}:
        message = f"expected NAMESPACE/GROUP/RESOURCE/NAME, with a subresource before the name if it is one, {_SHOWN}"
        raise ValueError(message)
    if len(segments) > _PART:
        message = f"a place has five segments at most, {_SHOWN}"
        raise ValueError(message)
    return verbs, segments


def compile_objects(patterns: Iterable[str]) -> Objects:
    """Compile a list of patterns that `rules` has checked."""
    listed = list(patterns)
    return Objects(
        tuple(_compile(item) for item in listed if not item.startswith("!")),
        tuple(_compile(item) for item in listed if item.startswith("!")),
        tuple(listed),
    )


def _compile(pattern: str) -> _Pattern:
    verbs, segments = split_object(pattern)
    rest = segments[-1] == REST
    texts = segments[:-1] if rest else segments
    return _Pattern(
        frozenset(verbs.split(",")) if verbs else None,
        tuple(compile_names([segment]) for segment in texts),
        texts,
        rest,
    )
