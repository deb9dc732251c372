"""Hostile bundles: whatever the bytes, verify.py ends with words and status 1, and raises nothing."""

import contextlib
import io
import json

import pytest
from evidence_stand import LOG, Stand, bundle, problems, said, sealed_again, story, unpacked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward_console.evidence.container import canonical
from doorward_console.evidence.verify import Bundle, Entry, Note, Refused, value_at

SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    bundle(story(Stand(root / "a")).close(), root / "e.zip")
    return (root / "e.zip").read_bytes(), unpacked(root / "e.zip")


@SETTINGS
@given(st.binary(max_size=400))
def test_any_bytes_are_a_value_or_refused(data):
    for read in (lambda: value_at(data, 0), lambda: Entry(data), lambda: Note(data), lambda: Bundle(io.BytesIO(data))):
        with contextlib.suppress(Refused, IndexError):
            read()


@SETTINGS
@given(data=st.data())
def test_a_bundle_with_bytes_changed_anywhere_is_refused(good, tmp_path, data):
    bad = bytearray(good[0])
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    if bytes(bad) == good[0]:
        return
    (tmp_path / "b.zip").write_bytes(bad)
    status, words = said(tmp_path / "b.zip", "--quiet")
    assert status == 1
    assert "PROBLEM" in words


def _change(value, path, new):
    """`value` with what stands at a path of keys and places exchanged."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, dict) and value:
        key = sorted(value)[first % len(value)]
        return value | {key: _change(value[key], rest, new)}
    if isinstance(value, list) and value:
        place = first % len(value)
        return [*value[:place], _change(value[place], rest, new), *value[place + 1 :]]
    return new


@SETTINGS
@given(
    member=st.sampled_from(["report.json", f"{LOG}/log.json", "keys/keys.json"]),
    path=st.lists(st.integers(0, 80), max_size=4),
    new=JSON,
)
def test_any_value_in_the_place_of_another_is_refused_or_means_nothing(good, member, path, new):
    members = good[1]
    before = json.loads(members[member])
    after = _change(before, path, new)
    found = problems(members | {member: canonical(after)})
    stated = member == "keys/keys.json" or before.get("made") != after.get("made") if isinstance(after, dict) else False
    words = {"behind", "made", "controls", "policies", "recordings"}
    told = isinstance(after, dict) and all(before.get(key) == after.get(key) for key in before if key not in words)
    assert found or after == before or stated or told


@pytest.mark.parametrize("member", ["recordings", "policies", "report.html"])
def test_content_that_is_anything_is_refused(good, tmp_path, member):
    members = good[1]
    name = next(name for name in members if name.startswith(member) and not name.endswith(".txt"))
    for data in (
        b"",
        b"\xff" * 100,
        b"[" * 50_000,
        b"{}\n[1,2,3]\n",
        b'{}\n[0, "o", "\\ud800"]\n',
        b"{}\n[1" + b"0" * 9000,
    ):
        status, words = said(sealed_again(members | {name: data}, tmp_path / "b.zip"), "--quiet")
        assert status == 1
        assert "PROBLEM" in words
