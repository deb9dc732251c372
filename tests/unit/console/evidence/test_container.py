import os
import zipfile

import pytest

from doorward_console.evidence.container import MAX_MEMBER, Container, canonical, component
from doorward_core.errors import RecordError


def test_any_program_for_zip_files_reads_it_and_names_are_in_order(tmp_path):
    with Container(tmp_path / "b.zip") as container:
        container.add("verify.py", b"print()\n" * 1000)
        container.add("README.txt", b"")
        container.add("logs/a/checkpoint", b"x")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["README.txt", "logs/a/checkpoint", "manifest.json", "verify.py"]
        assert archive.read("verify.py") == b"print()\n" * 1000


def test_the_same_members_make_the_same_bytes_in_whatever_order_they_come(tmp_path):
    members = {"b/x": os.urandom(5000), "a/y": b"y" * 5000, "c": b""}
    for name, order in (("1.zip", list(members)), ("2.zip", list(reversed(members)))):
        with Container(tmp_path / name) as container:
            for member in order:
                container.add(member, members[member])
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", ".hidden", "a/.b", "", "a b", "x" * 201, "a/b/c/d/e/f/g", "\u00e9"]
)
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
    with Container(tmp_path / "b.zip") as container, pytest.raises(RecordError):
        container.add(name, b"")


def test_a_name_is_given_once_and_a_member_is_bounded(tmp_path):
    with Container(tmp_path / "b.zip") as container:
        container.add("a", b"")
        with pytest.raises(RecordError):
            container.add("a", b"")
        with pytest.raises(RecordError):
            container.add("b", bytes(MAX_MEMBER + 1))


def test_nothing_is_left_behind_where_making_it_failed(tmp_path):
    with pytest.raises(ValueError, match="no"), Container(tmp_path / "b.zip") as container:
        container.add("a", b"")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_names_become_components_that_nothing_else_becomes():
    assert component("gateway.example/a") == "gateway.example~2fa"
    assert component("..") == "~2e."
    assert component("~") == "~7e"
    assert canonical({"b": 1, "a": "\u00e9"}) == b'{\n "a": "\\u00e9",\n "b": 1\n}\n'
