import pytest

from doorward_demo.postgres import DemoError
from doorward_demo.story import find_leaks, flip_one_byte


def test_a_leak_is_found_whatever_its_case_and_surroundings():
    assert find_leaks("| x MARIA.K.1@Example.com y |", ["maria.k.1@example.com", "4000"]) == ["maria.k.1@example.com"]
    assert find_leaks("m***@example.com", ["maria.k.1@example.com"]) == []


def test_one_bit_is_flipped_in_the_largest_bundle_of_entries(tmp_path):
    bundles = tmp_path / "tile" / "entries"
    bundles.mkdir(parents=True)
    (bundles / "000").write_bytes(bytes(100))
    (bundles / "001").write_bytes(bytes(10))
    (tmp_path / "tile" / "0").mkdir()
    (tmp_path / "tile" / "0" / "000").write_bytes(bytes(1000))
    path, offset = flip_one_byte(tmp_path)
    assert (path, offset) == (bundles / "000", 50)
    assert path.read_bytes() == bytes(50) + b"\x01" + bytes(49)


def test_a_log_without_entries_cannot_be_flipped(tmp_path):
    with pytest.raises(DemoError):
        flip_one_byte(tmp_path)
