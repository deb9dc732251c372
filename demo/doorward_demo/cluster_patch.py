"""Patches of API objects: JSON patch, merge patch, strategic merge patch, and server-side apply.

What it is: functions over documents; they change nothing that they are given.
What it will not do: know every list of every kind. The merge keys are those of the kinds that the cluster knows, and
server-side apply tracks who owns what leaf by leaf, lists without a key as one leaf.
Implements: RFC 6902, RFC 7396, the Kubernetes API's strategic merge patch (with its directives) and field management.
"""

import copy
from typing import Any, Final

from doorward_demo.cluster_errors import ApiError

# Lists that are merged by a key of their items, by the list's name.
MERGE_KEYS: Final = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "env": "name", "volumes": "name",
    "volumeMounts": "mountPath", "ports": "containerPort", "conditions": "type", "imagePullSecrets": "name",
    "ownerReferences": "uid", "secrets": "name", "hostAliases": "ip",
}  # fmt: skip
_SETS: Final = frozenset({"finalizers"})
_DIRECTIVES: Final = ("$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch")

Path = tuple[str, ...]


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Any, patch: Any) -> Any:
    """RFC 6902: add, remove, replace, test; move and copy are not asked for by anybody here."""
    document = {"": copy.deepcopy(target)}
    if not isinstance(patch, list):
        raise ApiError(400, "BadRequest", "a JSON patch is a list of operations")
    for operation in patch:
        where = ["", *(_unescaped(part) for part in str(operation["path"]).split("/")[1:])]
        _operate(document, where, str(operation["op"]), operation.get("value"))
    return document[""]


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _operate(document: Any, where: list[str], op: str, value: Any) -> None:
    holder = document
    try:
        for part in where[:-1]:
            holder = holder[int(part)] if isinstance(holder, list) else holder[part]
        last: Any = where[-1]
        if isinstance(holder, list):
            last = len(holder) if last == "-" else int(last)
        if op == "add" and isinstance(holder, list):
            holder.insert(last, value)
        elif op == "add":
            holder[last] = value
        elif op == "replace":
            holder.__getitem__(last)  # there is something to replace
            holder[last] = value
        elif op == "remove":
            del holder[last]
        elif op != "test" or holder[last] != value:
            raise ApiError(422, "Invalid", f"the JSON patch operation {op} failed")
    except (LookupError, ValueError, TypeError) as error:
        raise ApiError(422, "Invalid", "the JSON patch names a place that is not there") from error


# --- strategic merge patch --------------------------------------------------------------------------------------------


def strategic(target: Any, patch: Any, name: str = "", *, service: bool = False) -> Any:
    """A strategic merge patch; `name` is that of the member which holds the value."""
    if isinstance(patch, dict):
        return _strategic_object(target, patch, service=service)
    if isinstance(patch, list):
        key = merge_key(name, service=service)
        if key is not None and all(isinstance(item, dict) for item in patch):
            return _strategic_list(target if isinstance(target, list) else [], patch, key, service=service)
        if name in _SETS and isinstance(target, list):
            return [*target, *(item for item in patch if item not in target)]
    return copy.deepcopy(patch)


def merge_key(name: str, *, service: bool) -> str | None:
    """The key by which the items of this list are told apart."""
    return "port" if service and name == "ports" else MERGE_KEYS.get(name)


def _strategic_object(target: Any, patch: dict[str, Any], *, service: bool) -> Any:
    directive = patch.get("$patch")
    if directive == "delete":
        return None
    merged = copy.deepcopy(target) if isinstance(target, dict) and directive != "replace" else {}
    if "$retainKeys" in patch:
        merged = {name: value for name, value in merged.items() if name in patch["$retainKeys"]}
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            listed = name.partition("/")[2]
            merged[listed] = [item for item in merged.get(listed, []) if item not in value]
        if name.startswith(_DIRECTIVES):
            continue
        if value is None:
            merged.pop(name, None)
            continue
        new = strategic(merged.get(name), value, name, service=service)
        if new is None:
            merged.pop(name, None)
        else:
            merged[name] = new
    _order(merged, patch, service=service)
    return merged


def _order(merged: dict[str, Any], patch: dict[str, Any], *, service: bool) -> None:
    """Put lists into the order that the patch asks for."""
    for name, order in patch.items():
        listed = name.removeprefix("$setElementOrder/")
        if listed != name and listed in merged:
            merged[listed] = _ordered(merged[listed], order, merge_key(listed, service=service))


def _strategic_list(target: list[Any], patch: list[Any], key: str, *, service: bool) -> list[Any]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if item.get("$patch") != "replace"]
    merged = copy.deepcopy(target)
    for item in patch:
        place = next((at for at, old in enumerate(merged) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(key) != item.get(key)]
        elif place is None:
            merged.append(strategic({}, item, service=service))
        else:
            merged[place] = strategic(merged[place], item, service=service)
    return merged


def _ordered(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    def place(item: Any) -> int:
        wanted = [one.get(key) for one in order] if key is not None else order
        value = item.get(key) if key is not None else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=place)


# --- server-side apply ------------------------------------------------------------------------------------------------


def fields_of(value: Any, *, service: bool = False, path: Path = ()) -> set[Path]:
    """The leaves of a document, as `FieldsV1` names them: `f:` members, `k:` items of keyed lists."""
    if isinstance(value, dict) and value:
        return {leaf for name, one in value.items() for leaf in _member(name, one, path, service=service)}
    return {path}


def _member(name: str, value: Any, path: Path, *, service: bool) -> set[Path]:
    here = (*path, f"f:{name}")
    key = merge_key(name, service=service)
    if isinstance(value, list) and value and key is not None and all(isinstance(one, dict) for one in value):
        return {
            leaf
            for one in value
            for leaf in fields_of(one, service=service, path=(*here, _item_name(key, one)))
        }  # fmt: skip
    return fields_of(value, service=service, path=here)


def _item_name(key: str, item: dict[str, Any]) -> str:
    value = item.get(key)
    return f'k:{{"{key}":{value}}}' if isinstance(value, int) else f'k:{{"{key}":"{value}"}}'


def fields_v1(paths: set[Path]) -> dict[str, Any]:
    """The leaves as `FieldsV1` nests them."""
    nested: dict[str, Any] = {}
    for path in sorted(paths):
        holder = nested
        for part in path:
            holder = holder.setdefault(part, {})
    return nested


def from_fields_v1(nested: dict[str, Any], path: Path = ()) -> set[Path]:
    """The same back."""
    if not nested:
        return {path}
    return {leaf for name, below in nested.items() for leaf in from_fields_v1(below, (*path, name))}


def read(document: Any, path: Path) -> Any:
    """What stands at a leaf; None where there is nothing."""
    for part in path:
        if part.startswith("k:"):
            document = next((item for item in document or [] if _named(part, item)), None)
        elif isinstance(document, dict):
            document = document.get(part[2:])
        else:
            return None
    return document


def _named(part: str, item: Any) -> bool:
    return any(part == _item_name(key, item) for key in (*set(MERGE_KEYS.values()), "port") if key in item)


def remove(document: Any, path: Path) -> None:
    """Take a leaf away, and the items and objects that hold nothing without it."""
    *above, last = path
    holder = read(document, tuple(above))
    if isinstance(holder, dict):
        holder.pop(last[2:], None)
    if not above:
        return
    key_left = isinstance(holder, dict) and above[-1].startswith("k:") and len(holder) <= 1
    if key_left:
        items = read(document, tuple(above[:-1]))
        items.remove(holder)
    elif holder == {}:
        remove(document, tuple(above))
