"""Names in the tree, and files that are not what they seem."""

import pytest

from doorward_core.record.tree_files import TileName, TreeFiles


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tile/0/000", TileName(0, 0, 256)),
        ("tile/entries/x001/x234/067.p/9", TileName(-1, 1234067, 9)),
        ("tile/63/999", TileName(63, 999, 256)),
        ("tile/0/x000/001", None),
        ("tile/0/001.p/256", None),
        ("tile/0/001.p/0", None),
        ("tile/00/001", None),
        ("tile/0/1", None),
        ("tile/entries/x1/001", None),
        ("journal/1.journal", None),
        ("checkpoint.old", None),
    ],
)
def test_names_have_one_spelling(tmp_path, path, name):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"")
    assert list(TreeFiles(tmp_path).names()) == [(path, name)]


def test_what_belongs_and_what_a_crash_leaves_is_not_listed(tmp_path):
    for path in ("checkpoint", "lock", "checkpoint.tmp", "journal/00000000000000000000.journal", "tile/0/000.tmp"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert list(TreeFiles(tmp_path).names()) == []


def test_a_link_is_never_read(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    tree = tmp_path / "tree"
    (tree / "journal").mkdir(parents=True)
    (tree / "checkpoint").symlink_to(outside)
    (tree / "journal" / f"{0:020d}.journal").symlink_to(outside)
    (tree / "tile").symlink_to(tmp_path)
    files = TreeFiles(tree)
    assert files.checkpoint() is None
    assert files.segments() == []
    assert sorted(name for name, _ in files.names()) == ["journal/00000000000000000000.journal", "tile"]


def test_a_displaced_partial_tile_is_cut_from_the_full_one(tmp_path):
    (tmp_path / "tile/0").mkdir(parents=True)
    (tmp_path / "tile/0/000").write_bytes(bytes(range(256)) * 32)
    assert TreeFiles(tmp_path).read(TileName(0, 0, 3)) == (bytes(range(256)) * 32)[:96]
    assert TreeFiles(tmp_path).read(TileName(0, 1, 3)) is None


def test_what_a_writer_removes_meanwhile_is_passed_over(tmp_path):
    (tmp_path / "tile/0/001.p").mkdir(parents=True)
    (tmp_path / "tile/0/000").write_bytes(b"")
    (tmp_path / "tile/0/001.p/7").write_bytes(b"")
    names = TreeFiles(tmp_path).names()
    assert next(names)[0] == "tile/0/000"
    (tmp_path / "tile/0/001.p/7").unlink()
    (tmp_path / "tile/0/001.p").rmdir()
    assert list(names) == []
