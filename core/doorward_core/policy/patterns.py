"""How what a rule names is written: names, and patterns over names, commands, requests, objects and columns.

What it is: the types of those fields, each of which refuses a form that could match nothing, or not what it seems to.
What it will not do: match (that is `glob` and the module of each form), or know which rule a field belongs to.

Invariants: pure; a value that passes is kept as it was written.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from doorward_core.config_types import fault, nearest, shown
from doorward_core.policy.commands import split_pattern
from doorward_core.policy.facts import is_fact
from doorward_core.policy.objects import split_object
from doorward_core.policy.requests import split_request

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\Z")
# The part of RFC 9535 that `doorward_core.mask.json_paths` reads. Rooms do not share; a test holds both equal.
_STEP: Final = r"""(?:\.{1,2}[\w*?-]+|(?:\.\.)?\[\s*(?:\*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*\])"""
_JSON_STEP: Final = re.compile(_STEP)
_JSON_PATH: Final = re.compile(rf"\$(?:{_STEP})+\Z")
_MAX_STEPS: Final = 32
# As `doorward_k8s.object_paths` reads what stands before such a path; a test holds both equal.
_OBJECTS_OF: Final = re.compile(r"[A-Za-z0-9*?-]+(?:\.[A-Za-z0-9.*?-]*)?(?:/[A-Za-z*?-]+)?\Z")
_OF_A_RESOURCE: Final = re.compile(r"[a-z]+(?:/[a-z]+)?:")  # a name of SQL may hold a colon, and has a dot before it
_PATH: Final = (
    "expected a JSON path, such as `$.customers[*].email` or `$..iban`; `[*]` is every item, without positions or"
    " filters, and `['a.b/c']` a name with dots or slashes"
)
DETECTORS: Final = frozenset({
    "email", "card", "iban", "phone", "ipv4", "us-ssn", "uk-nino", "fr-nir", "es-dni", "it-cf", "br-cpf", "aws-key",
    "github-token", "jwt", "private-key", "national-id", "secrets",
})  # fmt: skip
"""What `doorward_core.mask.patterns` can find, by name, and its groups. Rooms do not share; a test holds both equal."""


def _pattern(value: str) -> str:
    """One name pattern."""
    if not value or value == "!" or not value.isprintable():
        raise fault("expected a name or a pattern, such as `public.*`")
    if value.startswith("!!") or "[" in value:
        raise fault("a pattern knows `*`, `?` and a leading `!`, nothing else")
    return value


def _command(value: str) -> str:
    """One pattern over a program and its arguments."""
    if not value or not value.isprintable() or value.startswith("!!"):
        raise fault("expected a program and its arguments, such as `systemctl status *`")
    try:
        split_pattern(value)
    except ValueError as error:
        raise fault(f"expected a program and its arguments, such as `systemctl status *`: {error}") from None
    return value


def _request(value: str) -> str:
    """One pattern over a method and a path."""
    if value.startswith("!!"):
        raise fault("a pattern has one leading `!` at most")
    try:
        split_request(value)
    except ValueError as error:
        raise fault(str(error)) from None
    return value


def _object(value: str) -> str:
    """One pattern over verbs and the places of objects."""
    if value.startswith("!!"):
        raise fault("a pattern has one leading `!` at most")
    try:
        split_object(value)
    except ValueError as error:
        raise fault(str(error)) from None
    return value


def _facts(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What `when` names."""
    if not value:
        raise fault("says nothing; leave the key out where it does not matter")
    for key in value:
        if not is_fact(key):
            raise fault(f"`{shown(key)}` is no name of a fact, such as `query.limit` or `header.x-tenant`")
    return value


def _column(value: str) -> str:
    """One pattern over columns, or a JSON path."""
    if value.startswith("!$"):
        raise fault("a JSON path knows no exceptions: what lies below a masked member is masked")
    if value.startswith("$"):
        if not _JSON_PATH.match(value) or len(_JSON_STEP.findall(value)) > _MAX_STEPS:
            raise fault(_PATH)
        return value
    resource, colon, path = value.partition(":$")
    if colon:  # of objects of one resource; which resources there are is their proxy's to know
        if not _OBJECTS_OF.match(resource):
            raise fault(
                "before `:$` stands a resource, with its group and its subresource if they matter, such as"
                " `secrets:$.data` or `deployments.apps/scale:$.spec`"
            )
        return f"{resource}:{_column('$' + path)}"
    if _OF_A_RESOURCE.match(value):
        raise fault("behind `:` stands a JSON path that begins with `$`, such as `secrets:$.data.password`")
    return _pattern(value)


def _detector(value: str) -> str:
    """One name of what is looked for in values."""
    if value not in DETECTORS:
        raise fault(f"no detector is called `{shown(value)}`{nearest(value, DETECTORS)}")
    return value


def _has_positive(value: tuple[str, ...]) -> tuple[str, ...]:
    """A list of patterns that can match something."""
    if not value:
        raise fault("an empty list matches nothing; leave the key out to match everything")
    if all(item.startswith("!") for item in value):
        raise fault('a list of exceptions alone matches nothing; put a `"*"` before them')
    return value


def not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    """A list that names somebody or something, and excepts nothing."""
    if not value:
        raise fault("an empty list matches nobody; leave the key out to match everybody")
    if any(item.startswith("!") for item in value):
        raise fault("exceptions (`!`) have no place here; write `unless: {...}` (in a mask: `except: {...}`)")
    return value


def _identifier(value: str) -> str:
    if not _IDENTIFIER.match(value):
        raise fault("expected a name of letters, digits, `-`, `_` and `.`, at most 80 long")
    return value


Identifier = Annotated[str, AfterValidator(_identifier)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Patterns = Annotated[tuple[Pattern, ...], AfterValidator(_has_positive)]
Columns = Annotated[tuple[Annotated[str, AfterValidator(_column)], ...], AfterValidator(_has_positive)]
Detectors = Annotated[tuple[Annotated[str, AfterValidator(_detector)], ...], AfterValidator(not_empty)]
Commands = Annotated[tuple[Annotated[str, AfterValidator(_command)], ...], AfterValidator(_has_positive)]
Requests = Annotated[tuple[Annotated[str, AfterValidator(_request)], ...], AfterValidator(_has_positive)]
Objects = Annotated[tuple[Annotated[str, AfterValidator(_object)], ...], AfterValidator(_has_positive)]
Facts = Annotated[dict[str, Patterns], AfterValidator(_facts)]
People = Annotated[tuple[Pattern, ...], AfterValidator(not_empty)]
