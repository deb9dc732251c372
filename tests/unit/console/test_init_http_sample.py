import pytest

from doorward_console import init_http_sample
from doorward_console.init_http_sample import Members, below_any
from doorward_core.mask.json_paths import parse_path

CUSTOMERS = [
    {"id": number, "name": "Ada", "contact": {"eMail": f"ada{number}@mail.test"}, "card": 4111111111111111,
     "notes": ["call", f"write to bo{number}@mail.test please"], "vip": True, "left": None}
    for number in range(10)
]  # fmt: skip


def shown(*documents, path="/customers?limit=10"):
    members = Members()
    for document in documents:
        members.show_sample(document, path)
    return members


def test_members_are_proposed_by_name_and_by_value_at_any_depth():
    found = {one.name: one for one in shown(CUSTOMERS).proposals()}
    assert found["$..eMail"].why == "name, values: 100 % email addresses"
    assert found["$..name"].id == "person-name"  # a name by itself says nothing; that of a customer does
    assert found["$..card"].why == "name, values: 100 % card numbers"
    assert "$..id" not in found
    assert "$..vip" not in found


def test_what_is_found_inside_of_texts_is_looked_for_in_any_text():
    (text,) = [one for one in shown(CUSTOMERS).proposals() if one.detect]
    assert text.detect == ("email",)
    assert "notes" in text.why


def test_a_name_says_nothing_of_a_product():
    assert shown([{"name": "Ada lamp"}], path="/products").proposals() == ()


def test_no_value_is_in_a_proposal():
    assert "ada1@" not in repr(shown(CUSTOMERS).proposals())
    assert "411111" not in repr(shown(CUSTOMERS).proposals())


@pytest.mark.parametrize("name", ["email", "e-mail", "e mail", "a.b", "x'y\"z", "é", "*", "[0]", "\x1b[2J", ".."])
def test_a_path_always_names_its_member(name):
    assert len(parse_path(below_any(name))) == 1


def test_what_is_too_much_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(init_http_sample, "MAX_VALUES", 5)
    assert shown(CUSTOMERS).missed
    assert shown(CUSTOMERS).values == 5
    monkeypatch.setattr(init_http_sample, "MAX_MEMBERS", 2)
    crowded = shown({str(number): "x" for number in range(4)})
    assert (crowded.count, crowded.missed) == (2, True)
    deep = "x"
    for _ in range(init_http_sample.MAX_DEPTH + 2):
        deep = [deep]
    assert shown(deep).missed


def test_a_description_is_read_for_the_names_of_its_properties():
    members = Members()
    members.show_description(
        {
            "openapi": "3.1.0",
            "components": {
                "schemas": {
                    "Customer": {"properties": {"name": {"type": "string"}, "email": {"type": ["string", "null"]}}},
                    "Product": {"properties": {"name": {"type": "object", "properties": {"iban": {}}}}},
                }
            },
        }
    )
    assert [(one.name, one.why) for one in members.proposals()] == [
        ("$..email", "name"),
        ("$..iban", "name"),
        ("$..name", "name"),
    ]
