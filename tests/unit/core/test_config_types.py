from pathlib import Path

import pytest

from doorward_core.config_types import (
    Bytes,
    ExistingFile,
    FilePath,
    Seconds,
    Strict,
    UnixNs,
    WholeSeconds,
    frozen_lists,
    nearest,
    shown,
    validate,
)
from doorward_core.config_yaml import read_document


class Inner(Strict):
    size: Bytes | None = None
    names: tuple[str, ...] = ()


class Outer(Strict):
    duration: Seconds | None = None
    whole: WholeSeconds | None = None
    until: UnixNs | None = None
    path: FilePath | None = None
    there: ExistingFile | None = None
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    named: dict[str, Inner] | None = None


def read(text, folder=None):
    document = read_document(text, "f.yaml")
    model, problems = validate(Outer, document, folder=folder)
    return model, [item.render("f.yaml") for item in problems]


def good(text, folder=None):
    model, problems = read(text, folder)
    assert problems == []
    return model


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10.0), ("5m", 300.0), ("1h", 3600.0), ("7d", 604800.0), ("2w", 1209600.0)],
)
def test_a_duration_has_its_unit(text, seconds):
    assert good(f"duration: {text}").duration == seconds


@pytest.mark.parametrize(
    "text", ["10", "s", "10 s", "-1s", "1.5s", "10S", "0s", "1y", "٣s", "[]", "true", "9999999999s"]
)
def test_a_duration_without_a_unit_or_sense_is_refused(text):
    _, problems = read(f"duration: {text}")
    assert problems[0].startswith("f.yaml:1: duration: expected a duration")


def test_whole_seconds_are_whole():
    assert good("whole: 2m").whole == 120
    assert "at least one whole second" in read("whole: 500ms")[1][0]


@pytest.mark.parametrize(("text", "size"), [("1B", 1), ("64KiB", 65536), ("16MiB", 16777216), ("2GiB", 2**31)])
def test_a_size_has_its_unit(text, size):
    assert good(f"inner: {{size: {text}}}").inner.size == size


@pytest.mark.parametrize("text", ["10", "10KB", "0B", "1mib", "-1B"])
def test_a_size_without_a_unit_or_sense_is_refused(text):
    assert read(f"inner: {{size: {text}}}")[1][0].startswith("f.yaml:1: inner.size: expected a size")


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("1970-01-01", 86_400),
        ("2026-12-31", 1_798_761_600),
        ("2026-12-31T18:00:00Z", 1_798_740_000),
        ("2026-12-31T18:00:00+02:00", 1_798_732_800),
    ],
)
def test_a_day_lasts_to_its_end_and_a_time_has_its_zone(text, unix_s):
    assert good(f"until: {text}").until == unix_s * 1_000_000_000


@pytest.mark.parametrize(
    "text", ["2026-02-30", "9999-12-31", "2026-12-31T18:00:00", "tomorrow", "2026", "20261231", "''"]
)
def test_a_moment_that_is_none_is_refused(text):
    assert "expected a day" in read(f"until: {text}")[1][0]


def test_paths_are_relative_to_the_file_and_may_be_absolute(tmp_path):
    assert good("path: a/b", tmp_path).path == tmp_path / "a/b"
    assert good("path: /a/b", tmp_path).path == Path("/a/b")
    assert Outer(path=Path("x")).path == Path("x")
    (tmp_path / "x").touch()
    assert good("there: x", tmp_path).there == tmp_path / "x"
    assert "there is no such file" in read("there: y", tmp_path)[1][0]
    assert "expected a path" in read("path: ''", tmp_path)[1][0]
    assert "expected a path" in read("path: 3", tmp_path)[1][0]
    assert "cannot be looked at" in read(f"there: {'x' * 5000}", tmp_path)[1][0]


def test_an_unknown_key_is_told_with_the_nearest_at_any_depth():
    _, problems = read("inner: {sise: 1B}\nseveral: [{}, {nams: []}]\nnamed: {x: {zzz: 1}}\ndurations: 1s\n")
    assert problems == [
        "f.yaml:1: inner.sise: unknown key; did you mean `size`?",
        "f.yaml:2: several[1].nams: unknown key; did you mean `names`?",
        "f.yaml:3: named.x.zzz: unknown key; known: names, size",
        "f.yaml:4: durations: unknown key; did you mean `duration`?",
    ]


def test_what_was_found_is_told_by_kind_and_never_shown():
    _, problems = read("inner: hunter2\nseveral: {hunter2: 1}\nnamed: [hunter2]\n")
    assert problems == [
        "f.yaml:1: inner: expected keys with values, found text; its keys: size, names",
        "f.yaml:2: several: expected a list, found keys with values",
        "f.yaml:3: named: expected keys with values, found a list",
    ]
    assert read("several: hunter2")[1] == ["f.yaml:1: several: expected a list, found text: put `[` and `]` around it"]
    assert "found true or false" in read("inner: {names: [true]}")[1][0]
    assert "found nothing" in read("inner: {names: [~]}")[1][0]


def test_a_model_does_not_change():
    model = good("duration: 1s")
    with pytest.raises(ValueError, match="frozen"):
        model.duration = 2.0


def test_names_are_shown_short_and_plain():
    assert shown("a\nb") == "a?b"
    assert len(shown("x" * 200)) == 60


def test_nothing_near_lists_what_is_known_if_that_is_short():
    assert nearest("alfa", ["alpha", "beta"]) == "; did you mean `alpha`?"
    assert nearest("zzz", ["alpha", "beta"]) == "; known: alpha, beta"
    assert nearest("zzz", [f"k{number}" for number in range(40)]) == ""


def test_lists_become_tuples_all_the_way_down():
    assert frozen_lists({"a": [1, {"b": [2]}]}) == {"a": (1, {"b": (2,)})}
