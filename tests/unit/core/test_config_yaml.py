import pytest

from doorward_core.config_yaml import MAX_DEPTH, read_document, render_path


def data(text):
    document = read_document(text, "f.yaml")
    assert document.problems == []
    return document.data


def problems(text):
    return [item.render("f.yaml") for item in read_document(text, "f.yaml").problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("0600", "0600"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-12-31", "2026-12-31"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("10m", "10m"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("99999999999999999999999", "99999999999999999999999"),
        ("=", "="),
    ],
)
def test_a_scalar_is_what_it_looks_like(text, value):
    found = data(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_nested_data_comes_whole():
    assert data("a: [1, {b: x}]\nc:\n  - d\n  - e: [[]]\n") == {"a": [1, {"b": "x"}], "c": ["d", {"e": [[]]}]}
    assert data("- 1\n- 2\n") == [1, 2]
    assert data("") is None
    assert data("# only a remark\n") is None
    assert data("a: |\n  one\n  two\n") == {"a": "one\ntwo\n"}


def test_every_path_knows_its_line():
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - y:\n        z: 2\n", "f")
    assert document.line(("a",)) == 1
    assert document.line(("a", "b")) == 2
    assert document.line(("a", "c")) == 3
    assert document.line(("a", "c", 1)) == 5
    assert document.line(("a", "c", 1, "y", "z")) == 6
    assert document.line(("a", "c", 1, "missing", "deep")) == 5
    assert document.line(("nowhere",)) == 1


def test_a_value_stands_where_its_key_stands():
    assert read_document("a:\n\n\n  b: 1\n", "f").line(("a",)) == 1


def test_a_duplicate_key_is_a_fault_that_names_both_lines_and_the_first_stays():
    text = "a: 1\nb:\n  c: 1\n  c: {d: 2, d: 3}\n'a': 2\n"
    assert problems(text) == [
        "f.yaml:4: b.c: this key stands here twice (first on line 3)",
        "f.yaml:4: b.c.d: this key stands here twice (first on line 4)",
        "f.yaml:5: a: this key stands here twice (first on line 1)",
    ]
    assert read_document(text, "f").data["a"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x\n", "aliases"),
        ("a: &x 1\n", "anchors"),
        ("a: !!python/object:os.system x\n", "tags"),
        ("a: !!int 3\n", "tags"),
        ("<<: {a: 1}\n? [x]\n: y\n", "a key must be plain text"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: 1\n b: 2\n", "not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("\tа: 1", "not valid YAML"),
        ("a: " + "[" * (MAX_DEPTH + 5), "nested deeper"),
        ("*a : 1\n", "aliases"),
        ('a: "\\ud800"\n', "half a character"),
        ('"\\udfff": 1\n', "half a character"),
    ],
)
def test_what_is_not_plain_is_refused_in_words(text, said):
    assert any(said in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n  b: 1\n   c: 2\n", "f.yaml:3: a: not valid YAML: is this line indented like its neighbours"),
        ("a:\n  - b\n c: 1\n", "f.yaml:3: not valid YAML: is this line indented like its neighbours"),
        ("a:\n\tb: 1\n", "f.yaml:2: a: not valid YAML: indent with blanks, not with tabs"),
        ("a: [*]\n", "f.yaml:1: a[0]: not valid YAML: put text that begins with `*` or `&` in quotes"),
        ("a: @x\n", "f.yaml:1: a: not valid YAML: put text that begins with such a character in quotes"),
        ("a: 1\nb 2\nc: 3\n", "f.yaml:2: not valid YAML: this line has a key without its `: `"),
        ("a: {b: 1\n\nc: 2\n", "f.yaml:1: a: not valid YAML: a bracket that opens here is not closed"),
        ("a: 'x\n\n", "f.yaml:1: a: not valid YAML: a quote that opens here is not closed"),
    ],
)
def test_what_is_no_yaml_is_told_where_it_has_to_be_mended_and_how(text, said):
    (found,) = problems(text)
    assert found.startswith(said)


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\r", "\u202e", "\u2066"])
def test_a_file_that_reads_otherwise_than_it_looks_is_refused(char):
    text = f"a: 1 # harm{char}less\nb: *x\n"
    found = problems(text)
    assert found[0] == f"f.yaml:1: the invisible character U+{ord(char):04X} can make this line read as another"
    assert found[1].startswith("f.yaml:2: b: aliases")
    assert data("a: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


def test_no_document_is_too_deep_for_the_stack():
    assert "nested deeper" in problems("[" * 100_000)[0]


def test_size_and_count_are_bounded(monkeypatch):
    monkeypatch.setattr("doorward_core.config_yaml.MAX_NODES", 10)
    assert "more than 10 values" in problems("[" + "1," * 50 + "]")[0]
    monkeypatch.setattr("doorward_core.config_yaml.MAX_TEXT_CHARS", 10)
    assert "larger than 10" in problems("a: 12345678901")[0]


def test_a_path_reads_as_a_person_would_write_it():
    assert render_path(("rules", 2, "tables", 0)) == "rules[2].tables[0]"
    assert render_path((0, "a")) == "[0].a"
    assert render_path(()) == ""
    assert render_path(("a\nforged", "b" * 999)) == "a?forged." + "b" * 80
