import pytest
from pydantic import TypeAdapter, ValidationError

from doorward_core.mask.patterns import DETECTORS, GROUPS
from doorward_core.policy import patterns


@pytest.mark.parametrize(
    ("form", "written", "said"),
    [
        (patterns.Identifier, "a b", "a name of letters"),
        (patterns.Identifier, "a" * 81, "at most 80 long"),
        (patterns.Patterns, ("",), "a name or a pattern"),
        (patterns.Patterns, ("!",), "a name or a pattern"),
        (patterns.Patterns, ("a\n",), "a name or a pattern"),
        (patterns.Patterns, ("!!a",), "a pattern knows"),
        (patterns.Patterns, ("a[bc]",), "a pattern knows"),
        (patterns.Patterns, (), "leave the key out to match everything"),
        (patterns.Patterns, ("!a", "!b"), "exceptions alone"),
        (patterns.People, (), "leave the key out to match everybody"),
        (patterns.People, ("*", "!a"), "write `unless"),
        (patterns.Commands, ("",), "a program and its arguments"),
        (patterns.Commands, ("!!ls",), "a program and its arguments"),
        (patterns.Requests, ("!!GET /",), "one leading `!`"),
        (patterns.Requests, ("no path",), "path"),
        (patterns.Objects, ("!!get pods",), "one leading `!`"),
        (patterns.Columns, ("!$.a",), "knows no exceptions"),
        (patterns.Columns, ("$",), "a JSON path"),
        (patterns.Columns, ("$.a b",), "a JSON path"),
        (patterns.Columns, ("$" + ".a" * 33,), "a JSON path"),
        (patterns.Columns, ("secrets:$",), "a JSON path"),
        (patterns.Columns, ("pods:$.spec.containers[0].env",), "without positions"),
        (patterns.Columns, ("pods:$.metadata.annotations.a/b",), "a name with dots or slashes"),
        (patterns.Columns, ("secrets:data.password",), "begins with `$`"),
        (patterns.Columns, ("secrets:",), "begins with `$`"),
        (patterns.Columns, ("serviceaccounts/token:status",), "begins with `$`"),
        (patterns.Columns, ("secrets:{.data.password}",), "begins with `$`"),
        (patterns.Columns, ("shop/core/secrets:$.data",), "before `:$` stands a resource"),
        (patterns.Detectors, ("emails",), "no detector is called `emails`; did you mean `email`?"),
        (patterns.Detectors, (), "leave the key out"),
        (patterns.Objects, ("destroy shop/core/pods/*",), "`destroy` is no verb of the API"),
        (patterns.Objects, ("get,exec shop/core/pods/exec/*",), "`connect` is that of exec"),
        (patterns.Facts, {}, "says nothing"),
        (patterns.Facts, {"a b": ("red",)}, "no name of a fact"),
    ],
)
def test_a_form_that_could_not_mean_what_it_says_is_a_fault(form, written, said):
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(form).validate_python(written)
    assert said in raised.value.errors()[0]["msg"]


def test_the_detectors_that_a_policy_may_name_are_those_that_there_are():
    assert set(DETECTORS) | set(GROUPS) == patterns.DETECTORS


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (patterns.Identifier, "readers-1.x_y"),
        (patterns.Patterns, ("public.*", "!public.salaries", "a?")),
        (patterns.People, ("dba", "team-*")),
        (patterns.Commands, ("systemctl status *",)),
        (patterns.Requests, ("GET /v1/*",)),
        (
            patterns.Columns,
            (
                "*.email",
                "$.customers[*].email",
                "$..iban",
                "secrets:$.data['a b']",
                'public.t."a:b"',
                "public.t.a:b",
                "$" + ".a" * 32,
            ),
        ),
        (patterns.Facts, {"query.limit": ("1?",)}),
    ],
)
def test_what_can_match_is_kept_as_it_was_written(form, written):
    assert TypeAdapter(form).validate_python(written) == written
