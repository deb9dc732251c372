"""What a client writes, read strictly: JSON, whole, each key once.

What it is: `read_document`, and `privileges`, the words for what in it gives power over a node or a cluster.
What it will not do: know the schema of a resource. Keys are looked for wherever they stand, and in any case, because
custom resources hold templates of pods as well.

Implements: RFC 8259 (JSON), RFC 6902 (JSON Patch), the Pod Security Standards' "baseline".
Invariants: pure; bounded in depth; a document that two readers could read in two ways is none.
"""

import json
from collections.abc import Iterator
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

JSON_PATCH: Final = "application/json-patch+json"
JSONS: Final = frozenset({
    "application/json", JSON_PATCH, "application/merge-patch+json", "application/strategic-merge-patch+json",
})  # fmt: skip
# JSON is YAML (YAML 1.2.2 section 1.2); what is not JSON under these names is not read.
YAMLS: Final = frozenset({"application/yaml", "application/apply-patch+yaml"})
MAX_DEPTH: Final = 64  # a deployment's deepest member lies at fifteen
_SWITCHES: Final = {"privileged": "privileged", "hostnetwork": "hostNetwork", "hostpid": "hostPID",
                    "hostipc": "hostIPC", "hostprocess": "hostProcess", "adminaccess": "adminAccess"}  # fmt: skip
_HOLDERS: Final = {"hostpath": "hostPath", "sysctls": "sysctls", "hostport": "hostPort"}
_UNCONFINED: Final = "an unconfined profile"
_PROBE: Final = "a probe of another host"
_TOKEN: Final = "a token of a service account"  # noqa: S105 - words
_WORDS: Final = {("procmount", "unmasked"): "procMount", ("type", "unconfined"): _UNCONFINED}
_STATIC: Final = frozenset({"kubernetes.io/config.mirror", "kubernetes.io/config.source"})
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"  # as it was said before it had a field
# https://kubernetes.io/docs/concepts/security/pod-security-standards/, "Capabilities" of the baseline.
_CAPABILITIES: Final = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
# The same document, "SELinux": a type of these or none, and neither a user nor a role.
_SELINUX: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_SELINUX_WORD: Final = "seLinuxOptions"
# The same, "Host Probes": a kubelet that is sent to another host than its pod.
_PROBES: Final = frozenset({"httpget", "tcpsocket"})
_TOKEN_TYPE: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type's name


class Unreadable(ValueError):
    """A body that is not read; the message says why, and repeats none of it."""


def read_document(body: bytes, media: str) -> Json:
    """A body as data; None for no body. Raises Unreadable."""
    if not body:
        return None
    if media and media not in JSONS | YAMLS:
        raise Unreadable(f"its body is {media[:60]}, of a kind or with fields that are read as JSON alone")
    try:
        document: Json = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_none)
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON") from None
    if _deeper(document, MAX_DEPTH):
        raise Unreadable("the body is nested too deeply")
    return document


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key of the body stands twice")
    if "<<" in found:
        raise Unreadable("a key of the body means another thing in YAML")
    return found


def _none(_: str) -> Json:
    raise Unreadable("the body has a number that JSON does not have")


def _deeper(document: Json, depth: int) -> bool:
    level: list[Json] = [document]
    for _ in range(depth):
        level = [item for one in level for item in _below(one)]
        if not level:
            return False
    return True


def _below(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def member(document: Json, *keys: str) -> Json:
    """The value at a path of keys; None where there is none."""
    for key in keys:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def nested(pointer: Json, value: Json) -> Json:
    """What a JSON Patch writes at a place, as the object that it is a part of: a list's places are names as any."""
    names = pointer.split("/")[1:] if isinstance(pointer, str) else []
    for name in reversed(names):
        value = {name.replace("~1", "/").replace("~0", "~"): value}
    return value


def privileges(document: Json, media: str, resource: str, *, workload: bool) -> tuple[str, ...]:
    """What in a document gives power over a node or the cluster, each in a word."""
    found: dict[str, None] = {}
    if media == JSON_PATCH and isinstance(document, list):
        for item in document:
            found |= dict.fromkeys(_operation(item, workload=workload))
    else:
        found |= dict.fromkeys(_within(document, workload=workload))
        if resource == "secrets" and member(document, "type") == _TOKEN_TYPE:
            found[_TOKEN] = None
    return tuple(found)


def _operation(item: Json, *, workload: bool) -> Iterator[str]:
    """One operation of a JSON Patch: what its path leads to, and what its value holds."""
    op = item.get("op") if isinstance(item, dict) else "test"
    if not isinstance(item, dict) or op in ("test", "remove"):  # a list is no member of a set
        return
    written = op in ("add", "replace")
    value = item.get("value") if written else None  # beside any other operation a value means nothing
    yield from _within(value, workload=workload)
    for key in ("path", "from"):
        text = item.get(key)
        steps = text.split("/")[1:] if isinstance(text, str) else []
        names = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        if value is not False:
            yield from (_NAMED[name.casefold()] for name in names if name.casefold() in _NAMED)
        yield from (name for name in names if name in _STATIC)
        if names and written:
            yield from _within(nested(text, value), workload=workload)
        elif names and names[-1].casefold() in _COPIED:
            yield _COPIED[names[-1].casefold()]
        if value == _TOKEN_TYPE:
            yield _TOKEN


# What a value may be copied to, that the patch itself does not say.
_COPIED: Final = {
    "procmount": "procMount", "type": _UNCONFINED, "nodename": "nodeName",
    "host": _PROBE,
}  # fmt: skip
POWERS: Final = frozenset({
    *_SWITCHES.values(), *_HOLDERS.values(), *_WORDS.values(), *_COPIED.values(), *_STATIC, "capabilities",
    _SELINUX_WORD, _TOKEN,
})  # fmt: skip
"""Each word that `privileges` may say."""
_NAMED: Final = _SWITCHES | _HOLDERS | {"capabilities": "capabilities", "selinuxoptions": _SELINUX_WORD}


def _within(document: Json, *, workload: bool) -> Iterator[str]:
    left: list[Json] = [document]
    while left:
        value = left.pop()
        left += _below(value)
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from _told(key, key.casefold(), inner, workload=workload)


def _told(key: str, folded: str, value: Json, *, workload: bool) -> Iterator[str]:
    if folded in _SWITCHES and value is True:
        yield _SWITCHES[folded]
    if folded in _HOLDERS and value not in (None, 0) and not isinstance(value, str):
        yield _HOLDERS[folded]
    if isinstance(value, str) and (folded, value.casefold()) in _WORDS:
        yield _WORDS[folded, value.casefold()]
    if key in _STATIC:
        yield key
    if folded.startswith(_APPARMOR) and isinstance(value, str) and value.casefold() == "unconfined":
        yield _UNCONFINED
    if workload and folded == "nodename" and value:
        yield "nodeName"
    if isinstance(value, dict):
        yield from _options(folded, value)


def _options(folded: str, value: dict[str, Json]) -> Iterator[str]:
    """What a member that holds more says by what it holds."""
    if folded in _PROBES and any(value[name] for name in value if name.casefold() == "host"):
        yield _PROBE
    if folded == "selinuxoptions" and not all(map(_labelled, value, value.values())):
        yield _SELINUX_WORD
    if folded == "capabilities":
        added = [
            item
            for name, items in value.items()
            if name.casefold() == "add" and isinstance(items, list)
            for item in items
        ]
        if any(not isinstance(item, str) or item.upper().removeprefix("CAP_") not in _CAPABILITIES for item in added):
            yield "capabilities"


def _labelled(key: str, value: Json) -> bool:
    """Whether a member of SELinux' options is one that any container may have."""
    folded = key.casefold()
    if folded == "type":
        return value is None or (isinstance(value, str) and value in _SELINUX)
    return folded not in ("user", "role") or not value
