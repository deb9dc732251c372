"""What is begun beside the log: its archive is reached with credentials that are had each time."""

from types import SimpleNamespace

import object_store
import pytest

from doorward_core.config_record import ArchiveSettings
from doorward_core.config_secrets import SecretSource
from doorward_core.errors import UpstreamUnavailable
from doorward_core.keeping import opening
from doorward_core.record.archive_places import FolderPlace


async def test_a_folder_is_a_folder(tmp_path):
    place = await opening(ArchiveSettings(to=tmp_path))()
    assert isinstance(place, FolderPlace)


async def test_a_bucket_is_reached_with_what_the_sources_give_now(monkeypatch):
    with object_store.object_store() as server:
        server.bucket()
        sources = SimpleNamespace(id=SecretSource(env="ARCHIVE_ID"), key=SecretSource(env="ARCHIVE_KEY"), token=None)
        settings = ArchiveSettings.model_construct(
            to=f"s3://{object_store.BUCKET}/pg", credentials=sources, endpoint=server.url, region="us-east-1", ca=None
        )
        reach = opening(settings)
        with pytest.raises(UpstreamUnavailable, match="ARCHIVE_KEY is not set"):
            await reach()
        monkeypatch.setenv("ARCHIVE_ID", "id")
        monkeypatch.setenv("ARCHIVE_KEY", "key")
        place = await reach()
        assert place.put("a", b"x")
        assert [path for _, path in server.seen if path.endswith("/pg/a")]
