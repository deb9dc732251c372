"""An index of a small story, made by the real writer and the real reader."""

import index_stand
import pytest

from doorward_console.index import build, query
from doorward_console.index.build import Source


@pytest.fixture
def told_log(tmp_path):
    return index_stand.write(tmp_path / "log", index_stand.story())


@pytest.fixture
def index_path(tmp_path, told_log):
    path = tmp_path / "index.sqlite"
    build.update(path, [Source("gw", told_log)])
    return path


@pytest.fixture
def index(index_path):
    with query.Index.open(index_path) as opened:
        yield opened
