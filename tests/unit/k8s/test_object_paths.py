"""Patterns for API objects: for which resources they are, what they name, and which tables they allow."""

import pytest
from pydantic import TypeAdapter, ValidationError

from doorward_core.mask.json_paths import PathError
from doorward_core.model import Mask, Transform
from doorward_core.policy.patterns import Columns
from doorward_k8s.object_paths import ObjectPaths, Resource, is_foreign, patterns_of

SECRETS = Resource("", "secrets")


def paths(resource: Resource, *columns: str) -> ObjectPaths:
    masks = (Mask("rule", columns, (), Transform.REDACT, "label"),)
    return ObjectPaths(patterns_of(masks), resource, detecting=False)


@pytest.mark.parametrize(
    ("column", "resource"),
    [
        ("secrets:$.data.*", SECRETS),
        ("secrets", SECRETS),
        ("SECRETS:$.data", SECRETS),
        ("deployments:$.spec.x", Resource("apps", "deployments")),
        ("deployments.apps:$.spec.x", Resource("apps", "deployments")),
        ("deployments.apps:$.spec.x", Resource("apps", "deployments", "status")),
        ("*.example.com:$..x", Resource("example.com", "dumps")),
        ("serviceaccounts/token:$.status.token", Resource("", "serviceaccounts", "token")),
        ("tokens", Resource("authentication.k8s.io", "tokenreviews")),
        ("env", Resource("example.com", "apps")),
        ("$..password", Resource("example.com", "databases")),
    ],
)
def test_a_pattern_speaks_of_its_resource(column: str, resource: Resource) -> None:
    assert paths(resource, column).owed


@pytest.mark.parametrize(
    ("column", "resource"),
    [
        ("secrets:$.data.*", Resource("", "configmaps")),
        ("deployments.apps:$.x", Resource("example.com", "deployments")),
        ("serviceaccounts/token:$.x", Resource("", "serviceaccounts")),
        ("pods:$..x", Resource("", "pods", "log")),
        ("env", Resource("", "pods", "exec")),
        ("public.customer.email", Resource("", "pods")),
        ("header.x-customer", Resource("", "pods")),
    ],
)
def test_a_pattern_speaks_of_no_other(column: str, resource: Resource) -> None:
    assert not paths(resource, column).owed


@pytest.mark.parametrize("column", ["a b:$.x", "secrets:$", "secrets:$.data[0]", "x/y/z:$.a"])
def test_a_pattern_that_means_an_object_and_cannot_be_read_is_refused(column: str) -> None:
    with pytest.raises(PathError):
        patterns_of((Mask("rule", (column,), (), Transform.REDACT, "label"),))


@pytest.mark.parametrize(
    "before", ["secrets", "*", "deployments.apps", "serviceaccounts/token", "a.b/c", "a b", "x/y/z", "", "a_b"]
)
def test_what_may_stand_before_a_path_is_what_a_policy_takes(before: str) -> None:
    column, fault = f"{before}:$.a", None
    try:
        TypeAdapter(Columns).validate_python((column,))
    except ValidationError as error:
        fault = error
    try:
        patterns_of((Mask("rule", (column,), (), Transform.REDACT, "label"),))
    except PathError:
        assert fault is not None
    else:
        assert fault is None


def test_patterns_of_other_protocols_are_told_apart() -> None:
    assert is_foreign("public.customer.email")
    assert is_foreign("header.authorization")
    assert is_foreign("public.notes.a:b")
    assert not is_foreign("secrets")
    assert not is_foreign("pods:$.x")
    assert not is_foreign("$..x")


@pytest.mark.parametrize(
    ("columns", "resource", "tables"),
    [
        (("secrets",), SECRETS, True),
        (("env",), Resource("", "pods"), True),
        (("pods:$.metadata.annotations['x']",), Resource("", "pods"), True),
        (("pods:$.status.podIP",), Resource("", "pods"), False),
        (("pods:$..podIP",), Resource("", "pods"), False),
        (("pods:$.metadata.labels.*",), Resource("", "pods"), False),
        (("pods:$.dat*",), Resource("", "pods"), False),
        (("env",), Resource("example.com", "databases"), False),
        (("secrets",), Resource("", "pods"), True),
    ],
)
def test_a_table_is_allowed_only_where_no_column_can_show_what_is_masked(
    columns: tuple[str, ...], resource: Resource, tables: bool
) -> None:
    assert paths(resource, *columns).tables is tables


def test_the_strictest_mask_is_in_force() -> None:
    masks = (
        Mask("one", ("secrets:$.data.*",), (), Transform.PARTIAL, "weak"),
        Mask("two", ("secrets:$.data.password",), (), Transform.NULL, "strong"),
    )
    root = ObjectPaths(patterns_of(masks), SECRETS, detecting=False).root
    found = root.member("data").member("password").mask
    assert found is not None
    assert found.label == "strong"
    other = root.member("data").member("user").mask
    assert other is not None
    assert other.label == "weak"
