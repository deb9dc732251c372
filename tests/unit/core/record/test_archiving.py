"""The archive beside a running log: behind, stopped, back again; and what it frees."""

import object_store
import pytest
import trio

from doorward_core.config_record import ArchiveSettings
from doorward_core.event import Event, EventKind
from doorward_core.record.archive_places import ArchiveError, FolderPlace
from doorward_core.record.archive_source import verify_archive
from doorward_core.record.archiving import Archiving, Beside
from doorward_core.record.encode import encode
from doorward_core.record.limits import Limits
from doorward_core.record.verify import verify

S = 1_000_000_000


class Lever(FolderPlace):
    """A folder that can be taken away."""

    down = False

    def put(self, path, data):
        self._up()
        return super().put(path, data)

    def get(self, path, most_bytes):
        self._up()
        return super().get(path, most_bytes)

    def names(self, below, after=""):
        self._up()
        return super().names(below, after)

    def _up(self):
        if self.down:
            raise ArchiveError("the archive cannot be reached")


class Stage:
    """A log made by the engine, its archive, and a clock that stands still."""

    def __init__(self, workshop, root, **settings) -> None:
        (root / "archive").mkdir()
        self.workshop, self.engine = workshop, workshop.open()
        self.place = Lever(root / "archive")
        self.limits, self.said = Limits(), []
        self.now = workshop.now
        given = {"to": root / "archive", "lag": 3600, "interval": 60.0, **settings}
        self.settings = ArchiveSettings.model_construct(**{**ArchiveSettings(to=root / "archive").__dict__, **given})
        self.archiving = Archiving(
            self.settings,
            Beside(workshop.folder, workshop.origin, self.limits, self.keep),
            self.reach,
            lambda: self.now,
        )

    async def reach(self):
        return self.place

    async def keep(self, event: Event) -> int:
        index = self.engine.size
        self.said.append(event)
        self.workshop.now += 1
        self.engine.add(index, self.workshop.now, event.kind, b"", b"", head=encode(event.header), body=b"")
        self.engine.checkpoint()
        return index

    def more(self, count=300):
        self.workshop.add(self.engine, count, payload={"text": "SELECT 1"})
        self.engine.checkpoint()

    def rotated(self):
        """Begin a new segment of the journal."""
        self.engine.close(self.workshop.now)
        self.engine = self.workshop.open()

    @property
    def words(self):
        return [event.header["what"] for event in self.said if event.kind == EventKind.GATEWAY_ERROR]


async def test_it_follows_the_log(workshop, tmp_path):
    stage = Stage(workshop, tmp_path)
    stage.more()
    assert await stage.archiving.step()
    assert stage.archiving.size == 301
    stage.more()
    stage.now += 10 * S
    assert stage.archiving.behind_s == 10
    assert await stage.archiving.step()
    assert (stage.archiving.size, stage.archiving.behind_s) == (601, 0)
    assert stage.words == []
    stage.engine.release()


async def test_an_archive_that_is_down_stops_traffic_after_the_lag_and_not_before_and_it_comes_back(workshop, tmp_path):
    stage = Stage(workshop, tmp_path)
    await stage.archiving.step()
    stage.place.down = True
    stage.more()
    stage.now += 3600 * S
    assert not await stage.archiving.step()
    assert stage.limits.problem == ""
    assert "cannot be reached" in stage.archiving.problem
    stage.now += 1
    assert not await stage.archiving.step()
    assert "more than 1 h behind" in stage.limits.refusal(EventKind.OPERATION_DECIDED)
    assert "cannot be reached" in stage.words[0]
    await stage.archiving.step()
    assert len(stage.words) == 1, "it is told once"
    stage.place.down = False
    assert await stage.archiving.step()
    assert stage.limits.problem == ""
    assert "traffic goes on" in stage.words[-1]
    stage.engine.release()


async def test_an_archive_that_is_down_and_lacks_nothing_stops_nothing(workshop, tmp_path):
    stage = Stage(workshop, tmp_path)
    stage.more()
    await stage.archiving.step()
    stage.place.down = True
    stage.archiving._archiver.advance = lambda _: stage.place._up()
    stage.now += 7200 * S
    assert not await stage.archiving.step()
    assert stage.limits.problem == ""
    stage.engine.release()


async def test_what_is_old_enough_is_freed_once_the_log_says_so(workshop, tmp_path):
    stage = Stage(workshop, tmp_path, free_local=86_400)
    stage.more(600)
    stage.rotated()
    stage.now = workshop.now + 86_401 * S
    assert await stage.archiving.step()
    freed = [event for event in stage.said if event.kind == EventKind.LOG_FREED]
    assert freed[0].header["below"] == 512
    assert freed[0].header["archived"] >= 512
    assert not (workshop.folder / "tile/entries/001").exists()
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert report.ok, report.problems
    assert report.freed == 512
    stage.more(600)
    stage.rotated()
    stage.now = workshop.now + 200_000 * S
    assert await stage.archiving.step()
    assert len([event for event in stage.said if event.kind == EventKind.LOG_FREED]) == 1, "once an hour"
    stage.engine.release()


async def test_what_is_young_stays(workshop, tmp_path):
    stage = Stage(workshop, tmp_path, free_local=86_400)
    stage.more(600)
    stage.rotated()
    assert await stage.archiving.step()
    assert (workshop.folder / "tile/entries/000").exists()
    stage.engine.release()


async def test_what_the_archive_lost_is_told_once(workshop, tmp_path):
    stage = Stage(workshop, tmp_path)
    stage.more(600)
    await stage.archiving.step()
    for folder in (tmp_path / "archive", workshop.folder):
        (folder / "tile/entries/000").unlink()
    stage.archiving._archiver = None
    await stage.archiving.step()
    await stage.archiving.step()
    assert stage.words == ["the archive has lost 1 objects that are not here any more: tile/entries/000"]
    stage.engine.release()


async def test_it_tries_again_sooner_than_its_interval_and_later_each_time(workshop, tmp_path, autojump_clock):
    stage = Stage(workshop, tmp_path)
    steps = []

    async def step():
        steps.append(trio.current_time())
        return len(steps) >= 4

    stage.archiving.step = step
    with trio.move_on_after(70):
        await stage.archiving.run()
    assert [round(at - steps[0]) for at in steps] == [0, 1, 3, 7, 67]
    stage.engine.release()


@pytest.mark.parametrize(("seconds", "words"), [(3600, "1 h"), (90, "90 s"), (120, "2 min"), (7200, "2 h")])
def test_spans_are_said_as_people_say_them(seconds, words):
    from doorward_core.record.archiving import _span  # noqa: PLC0415

    assert _span(seconds) == words


async def test_a_bucket_that_answers_503_is_a_bucket_that_is_down_and_comes_back(workshop, tmp_path):
    with object_store.object_store() as server:
        server.bucket()
        # The store locks for 400 days from the real time on, and the clock of this log stands still.
        stage = Stage(workshop, tmp_path, mode="compliance", retention=1)
        stage.place = server.place()
        stage.more()
        assert await stage.archiving.step(), stage.archiving.problem
        assert verify_archive(stage.place, public_key=workshop.vkey).ok
        server.down = True
        stage.more()
        stage.now += 3601 * S
        assert not await stage.archiving.step()
        assert "more than 1 h behind" in stage.limits.refusal(EventKind.SESSION_OPENED)
        server.down = False
        assert await stage.archiving.step(), stage.archiving.problem
        assert stage.limits.problem == ""
        assert verify_archive(server.place(), public_key=workshop.vkey).checkpoint_size == stage.archiving.size
        stage.engine.release()
