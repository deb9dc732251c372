"""What a write changes, field by field, and nothing of what is hidden."""

import json

from doorward_k8s.changes import HIDDEN, MAX_CHANGES, MAX_VALUE_CHARS, NOTHING, Seen, changes, lines, removed


def seen(raw, shown=None):
    return Seen(raw, raw if shown is None else shown)


def told(before, after):
    found, more = changes(before, after)
    assert not more
    return list(found)


def test_a_field_that_differs_is_told_with_both_values():
    before = {"spec": {"replicas": 1, "paused": False}, "kind": "Deployment"}
    after = {"spec": {"replicas": 7, "paused": False}, "kind": "Deployment"}
    assert told(seen(before), seen(after)) == [("spec.replicas", "1", "7")]


def test_what_comes_and_what_goes_has_nothing_on_its_other_side():
    before = {"metadata": {"labels": {"a": "1"}}}
    after = {"metadata": {"labels": {"b.example/c": "2"}}}
    assert told(seen(before), seen(after)) == [
        ("metadata.labels.a", '"1"', None),
        ('metadata.labels["b.example/c"]', None, '"2"'),
    ]


def test_an_object_that_is_made_or_removed_is_told_field_by_field():
    whole = {"data": {"a": "1"}, "spec": {}, "items": ["x"]}
    assert told(NOTHING, seen(whole)) == [("data.a", None, '"1"'), ("items[0]", None, '"x"'), ("spec", None, "{}")]
    assert told(seen({"data": {"a": "1"}}), NOTHING) == [("data.a", '"1"', None)]


def test_lists_of_named_things_are_compared_by_name():
    before = {"containers": [{"name": "app", "image": "a:1"}, {"name": "side car", "image": "s"}]}
    after = {"containers": [{"name": "new", "image": "n"}, {"name": "app", "image": "a:2"}]}
    assert told(seen(before), seen(after)) == [
        ("containers[app].image", '"a:1"', '"a:2"'),
        ('containers["side car"].image', '"s"', None),
        ('containers["side car"].name', '"side car"', None),
        ("containers[new].image", None, '"n"'),
        ("containers[new].name", None, '"new"'),
    ]
    assert told(seen({"args": ["a", "b"]}), seen({"args": ["a", "c", "d"]})) == [
        ("args[1]", '"b"', '"c"'),
        ("args[2]", None, '"d"'),
    ]


def test_that_something_hidden_has_changed_is_told_and_not_what_it_was():
    hidden = "[masked:secret]"
    before, after = (
        {"data": {"password": "hunter1", "user": "u"}},
        {"data": {"password": "hunter2", "user": "u", "more": "x"}},
    )
    shown = ({"data": {"password": hidden, "user": "u"}}, {"data": {"password": hidden, "user": "u", "more": hidden}})
    found = told(Seen(before, shown[0]), Seen(after, shown[1]))
    assert found == [("data.more", None, HIDDEN), ("data.password", HIDDEN, HIDDEN)]
    assert "hunter" not in repr(found)


def test_what_is_not_where_it_should_be_in_the_shown_object_is_hidden_with_its_name():
    before, after = {"a": {"key-of-value": "hunter1"}}, {"a": {"key-of-value": "hunter2"}}
    for shown in ("[masked]", {}, {"other": "x"}, None):
        found = told(Seen(before, {"a": shown}), Seen(after, {"a": shown}))
        assert "hunter" not in repr(found)
        assert "key-of-value" not in repr(found)
    items = [{"name": "ada", "v": 1}], [{"name": "ada", "v": 2}]
    shown = [{"name": "[masked]", "v": 1}], [{"name": "[masked]", "v": 2}]
    found = told(Seen({"l": items[0]}, {"l": shown[0]}), Seen({"l": items[1]}, {"l": shown[1]}))
    assert found == [(f"l[{HIDDEN}].v", "1", "2")]


def test_the_servers_own_account_of_the_write_is_left_out():
    last = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    before = {"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [], "annotations": last}}
    after = {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [{}], "annotations": {}}}
    assert told(seen(before), seen(after)) == []


def test_it_is_bounded_in_number_length_and_depth():
    many = {str(number): number for number in range(MAX_CHANGES + 5)}
    found, more = changes(NOTHING, seen(many))
    assert (len(found), more) == (MAX_CHANGES, True)
    ((_, _, value),) = told(NOTHING, seen({"a": "x" * 5000}))
    assert len(value) == MAX_VALUE_CHARS + 1
    deep = json.loads('{"a":' * 300 + "1" + "}" * 300)
    ((path, _, _),) = told(NOTHING, seen(deep))
    assert len(path) <= 300


def test_half_a_character_is_told_as_what_utf_8_can_say():
    ((path, _, value),) = told(NOTHING, seen({"\ud800": "\udfff"}))
    assert (path + value).encode()


def test_of_many_that_were_removed_the_names_are_told():
    listed = {"items": [{"metadata": {"namespace": "shop", "name": "a"}}, {"metadata": {"name": "b"}}, "odd"]}
    assert removed(listed) == ((("shop/a", "{…}", None), ("b", "{…}", None), ("", "{…}", None)), False)
    assert removed({"kind": "Status"}) == ((), False)


def test_people_read_a_field_a_line():
    assert lines((("a", "1", None), ("", None, "2")), more=True) == (
        "a: 1 -> (none)\nthe object: (none) -> 2\nand more"
    )
