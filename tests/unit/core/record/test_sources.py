"""A folder as a source: plain files alone, and no more of them than asked for."""

from doorward_core.record.sources import FolderSource


def test_it_reads_no_more_than_it_is_asked_for(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    source = FolderSource(tmp_path)
    assert source.folder == tmp_path
    assert source.read("a", 3) == b"123"
    assert source.read("b", 3) is None


def test_it_lists_in_order_and_tells_links_apart(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c").write_bytes(b"")
    (tmp_path / "a").symlink_to("/etc/passwd")
    source = FolderSource(tmp_path)
    assert list(source.names()) == [("a", False), ("b/c", True)]
    assert list(source.names("b")) == [("b/c", True)]
    assert list(source.names("none")) == []
    assert source.read("a", 10) is None
