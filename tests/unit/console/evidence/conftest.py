from pathlib import Path

import pytest
from evidence_stand import Stand, bundle, story


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path / "a")


@pytest.fixture
def told(stand: Stand) -> Stand:
    return story(stand).close()


@pytest.fixture
def made(told: Stand, tmp_path: Path) -> Path:
    bundle(told, tmp_path / "evidence.zip", vkeys=(told.vkey,))
    return tmp_path / "evidence.zip"
