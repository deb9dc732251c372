from pathlib import Path

import pytest

from doorward_demo.postgres import DemoError
from doorward_demo.story import find_leaks, first_index, flip_one_bit


def test_a_leak_is_found_whatever_its_case_and_surroundings():
    assert find_leaks("| x MARIA.K.1@Example.com y |", ["maria.k.1@example.com", "4000"]) == ["maria.k.1@example.com"]
    assert find_leaks("m***@example.com", ["maria.k.1@example.com"]) == []


def test_one_bit_is_flipped_inside_an_entry_of_the_fullest_bundle(tmp_path):
    bundles = tmp_path / "tile" / "entries"
    bundles.mkdir(parents=True)
    entries = [bytes(10), bytes(100), bytes(300), bytes(5)]
    (bundles / "000").write_bytes(b"".join(len(entry).to_bytes(2) + entry for entry in entries))
    (bundles / "001.p").mkdir()
    (bundles / "001.p" / "1").write_bytes(b"\x00\x01x")
    (tmp_path / "tile" / "0").mkdir()
    (tmp_path / "tile" / "0" / "000").write_bytes(bytes(1000))
    before = (bundles / "000").read_bytes()
    path, index = flip_one_bit(tmp_path)
    after = path.read_bytes()
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert (path, index) == (bundles / "000", 2)
    assert changed == [12 + 102 + 2 + 150]


@pytest.mark.parametrize(
    ("path", "expected"), [("000", 0), ("000.p/34", 0), ("x001/234", 1234 * 256), ("001.p/9", 256)]
)
def test_the_path_of_a_bundle_tells_its_first_entry(path, expected):
    assert first_index(Path(path)) == expected


def test_a_log_without_entries_cannot_be_flipped(tmp_path):
    with pytest.raises(DemoError):
        flip_one_bit(tmp_path)
