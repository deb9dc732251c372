"""Where an archive lies: a folder, and a bucket whose objects are locked."""

import datetime as dt

import botocore.exceptions
import object_store
import pytest

from doorward_core.record.archive import Archiver, Terms
from doorward_core.record.archive_places import ArchiveError, FolderPlace

DAY = 86_400 * 1_000_000_000


@pytest.fixture(scope="module")
def server():
    with object_store.object_store() as store:
        store.bucket()
        store.bucket("acme-governance", mode="GOVERNANCE", days=30)
        store.bucket("acme-unlocked", lock=False)
        yield store


@pytest.fixture(params=["folder", "store"])
def place(request, tmp_path):
    if request.param == "folder":
        (tmp_path / "archive").mkdir()
        return FolderPlace(tmp_path / "archive")
    server = request.getfixturevalue("server")
    return server.place(prefix=f"gateways/{tmp_path.name}")


def test_an_object_is_put_once_and_read_back(place):
    assert place.put("tile/0/000", b"first")
    assert not place.put("tile/0/000", b"second")
    assert place.get("tile/0/000", 100).data == b"first"
    assert place.get("tile/0/000", 3).data == b"fir"
    assert place.get("tile/0/001", 3) is None


def test_names_come_in_order_and_from_where_one_asks(place):
    for path in ("checkpoint/02", "checkpoint/01", "tile/0/x001/000", "tile/0/000"):
        place.put(path, b"x")
    assert list(place.names("checkpoint")) == ["checkpoint/01", "checkpoint/02"]
    assert list(place.names("checkpoint", "checkpoint/01")) == ["checkpoint/02"]
    assert list(place.names("tile/0")) == ["tile/0/000", "tile/0/x001/000"]
    assert list(place.names("tile/1")) == []


def test_a_folder_that_is_not_there_is_said_to_be_not_there(tmp_path):
    with pytest.raises(ArchiveError, match="there is no folder"):
        FolderPlace(tmp_path / "unmounted").get("tile/0/000", 3)


def test_a_store_locks_what_is_put_there_and_says_so(server):
    place = server.place(prefix="locks")
    place.put("tile/0/000", b"x")
    kept = place.get("tile/0/000", 10)
    assert kept.mode == "compliance"
    expected = (dt.datetime.now(dt.UTC) + dt.timedelta(days=400)).timestamp()
    assert abs(kept.locked_until_unix_ns / 1e9 - expected) < 3600
    key = "locks/tile/0/000"
    version = server.client.head_object(Bucket=object_store.BUCKET, Key=key)["VersionId"]
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        server.client.delete_object(Bucket=object_store.BUCKET, Key=key, VersionId=version)


@pytest.mark.parametrize(
    ("bucket", "words"),
    [("acme-unlocked", "not locked"), ("acme-governance", "governance mode"), ("acme-missing", "cannot be listed")],
)
def test_a_bucket_that_does_not_lock_as_asked_is_refused(server, workshop, bucket, words):
    workshop.fill(3)
    one = Archiver(workshop.folder, server.place(bucket), workshop.origin, Terms("compliance", 400 * 86_400))
    with pytest.raises(ArchiveError, match=words):
        one.resume()
        one.advance(workshop.now)


def test_a_shorter_default_retention_than_asked_is_refused(server, workshop):
    workshop.fill(3)
    place = server.place("acme-governance", "short")
    one = Archiver(workshop.folder, place, workshop.origin, Terms("governance", 400 * 86_400))
    one.resume()
    with pytest.raises(ArchiveError, match="locked for less than 400 days"):
        one.advance(10**18 * 4)


def test_a_store_that_is_down_is_told_without_a_credential(server):
    place = server.place(prefix="down")
    place.put("a", b"x")
    server.down = True
    try:
        for act in (lambda: place.put("b", b"x"), lambda: place.get("a", 9), lambda: list(place.names("a"))):
            with pytest.raises(ArchiveError, match="the archive s3://acme-archive/down") as caught:
                act()
            assert "Signature" not in str(caught.value)
            assert "key" not in str(caught.value).split()
    finally:
        server.down = False
