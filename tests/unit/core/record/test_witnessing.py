"""A log and its witnesses: real logs, real witnesses where it matters, and a clock that the test holds."""

import shutil

import httpx2
import pytest
import trio.testing
from witness_stand import witness_settings, witnessed

from doorward_core.config_witness import WitnessEntry, WitnessesSettings
from doorward_core.errors import ConfigError
from doorward_core.event import EventKind
from doorward_core.record import checkpoint
from doorward_core.record.limits import Limits
from doorward_core.record.quorum import cosigned, witness_key
from doorward_core.record.verify import verify
from doorward_core.record.witness_server import Witness
from doorward_core.record.witnessing import COSIGNED, MOST_RETRY_S, Witnessing

NS = 1_000_000_000


class Stand:
    """Three witnesses without a port, a log, and the gateway's side between them."""

    def __init__(self, workshop, root, count=3):
        self.workshop, self.mirror = workshop, root / "mirror"
        self.events, self.limits, self.now = [], Limits(), workshop.now
        self.down, self.asked = set(), []
        workshop.fill(5)
        self.witnesses = {}
        self.entries = []
        for number in range(count):
            name = f"w{number}"
            settings, vkey = witness_settings(root / name, {workshop.origin: (workshop.vkey,)}, name)
            self.witnesses[f"https://{name}.example"] = Witness(settings)
            self.entries.append(WitnessEntry(url=f"https://{name}.example", vkey=vkey))
        self.keys = [witness_key(entry.vkey) for entry in self.entries]

    def open(self, quorum=2, lag="10m"):
        raw = {"quorum": quorum, "lag": lag, "list": tuple(self.entries)}
        return Witnessing(
            WitnessesSettings.model_validate(raw),
            folder=self.workshop.folder,
            mirror=self.mirror,
            keep=self.events.append,
            limits=self.limits,
            every_s=1.0,
            clock=lambda: self.now,
        )

    async def post(self, url, _ca, body):
        """Straight into the witness's own handler."""
        base, name = url.removesuffix("/add-checkpoint"), url.split("//")[1].split(".")[0]
        self.asked.append(name)
        if name in self.down:
            raise httpx2.ConnectError("down")
        if f"{name} hangs" in self.down:
            await trio.sleep_forever()
        return await answered(self.witnesses[base], body)

    def grow(self, count=10):
        engine = self.workshop.open()
        self.workshop.add(engine, count)
        engine.close(self.workshop.now)

    def note(self):
        return (self.mirror / COSIGNED).read_bytes()

    def close(self):
        for one in self.witnesses.values():
            one.close()


async def answered(witness, body):
    from doorward_core.model import Peer  # noqa: PLC0415 - here alone
    from doorward_core.net.control import Call, Problem  # noqa: PLC0415 - here alone

    try:
        reply = await witness.routes()[0].handler(Call("POST", "/add-checkpoint", {}, body, Peer("test")))
    except Problem as problem:
        return problem.status, b"application/problem+json", b""
    return reply.status, reply.content_type, reply.body


@pytest.fixture
def stand(workshop, tmp_path):
    made = Stand(workshop, tmp_path)
    yield made
    made.close()


async def test_a_quorum_cosigns_each_checkpoint(stand, mock_clock):
    made = stand.open()
    for _ in range(3):
        await made.round(stand.post)
        note = stand.note()
        head = checkpoint.verify(note, stand.workshop.vkey)
        assert head == checkpoint.verify(stand.workshop.checkpoint, stand.workshop.vkey)
        assert cosigned(note, stand.keys).missing == ()
        assert made.cosigned_size == made.size == head.size
        stand.grow()
    assert {one.size for one in made.witnesses} == {made.size}
    assert not stand.limits.problem
    assert not stand.events


async def test_nobody_is_asked_again_about_the_same_checkpoint(stand, mock_clock):
    made = stand.open()
    await made.round(stand.post)
    before = len(stand.asked)
    await made.round(stand.post)
    assert len(stand.asked) == before


async def test_after_a_restart_it_goes_on_from_what_each_witness_holds(stand, mock_clock):
    await stand.open().round(stand.post)
    stand.grow(600)
    again = stand.open()
    await trio.to_thread.run_sync(again._remember)
    assert again.cosigned_size == 7
    await again.round(stand.post)
    assert again.cosigned_size == again.size == 609
    assert len(stand.asked) == 3 + 6  # each is asked once to learn what it holds


async def test_one_witness_down_is_told_and_holds_nobody_up(stand, mock_clock):
    stand.down = {"w1"}
    made = stand.open()
    await made.round(stand.post)
    assert made.cosigned_size == made.size
    assert cosigned(stand.note(), stand.keys).missing == ("w1",)
    assert made.lines()[1] == "witness w1: 7 entries behind: it cannot be reached: ConnectError"
    stand.down = set()
    mock_clock.jump(MOST_RETRY_S)
    await made.round(stand.post)
    assert cosigned(stand.note(), stand.keys).missing == ()
    assert made.lines()[1] == "witness w1: 0 entries behind"


@pytest.fixture
def patient_clock():
    """Jumps only where nothing has happened for a while: threads of the test are at work meanwhile."""
    return trio.testing.MockClock(autojump_threshold=0.5)


async def test_one_witness_that_hangs_costs_a_moment_once_there_is_a_quorum(stand, patient_clock):
    stand.down = {"w2 hangs"}
    made = stand.open()
    begun = trio.current_time()
    await made.round(stand.post)
    assert trio.current_time() - begun < 2
    assert made.cosigned_size == made.size
    assert "did not answer in time" in made.lines()[2]
    stand.grow()
    before = trio.current_time()
    await made.round(stand.post)  # it is not its turn yet
    assert trio.current_time() == before


async def test_without_a_quorum_traffic_goes_on_for_the_limit_then_stops_and_comes_back(stand, mock_clock):
    made = stand.open(lag="60s")
    await made.round(stand.post)
    stand.grow()
    stand.down = {"w0", "w1"}
    await made.round(stand.post)
    stand.now += 60 * NS
    await made.round(stand.post)
    assert not stand.limits.problem
    stand.now += NS
    for _ in range(3):
        await made.round(stand.post)
    assert "fewer than 2 of 3 witnesses" in stand.limits.refusal(EventKind.OPERATION_DECIDED)
    assert not stand.limits.refusal(EventKind.SESSION_CLOSED)
    (event,) = stand.events
    assert (event.kind, event.header["missing"], event.header["size"]) == ("witness.behind", ["w0", "w1"], 7)
    stand.down = set()
    mock_clock.jump(MOST_RETRY_S)
    await made.round(stand.post)
    assert not stand.limits.problem
    assert [event.kind for event in stand.events] == ["witness.behind", "witness.reached"]


async def test_an_idle_log_is_never_behind(stand, mock_clock):
    made = stand.open(lag="60s")
    await made.round(stand.post)
    stand.down = {"w0", "w1", "w2"}
    stand.now += 10**6 * NS
    await made.round(stand.post)
    assert not stand.limits.problem


async def test_a_log_that_was_cut_back_is_named_by_every_witness(stand, mock_clock, tmp_path):
    shutil.copytree(stand.workshop.folder, tmp_path / "older")
    stand.grow()
    made = stand.open()
    await made.round(stand.post)
    shutil.rmtree(stand.workshop.folder)
    (tmp_path / "older").rename(stand.workshop.folder)
    again = stand.open()
    await again.round(stand.post)
    assert "witness w0 has cosigned 19 entries of this log, which has 7" in stand.limits.problem
    assert not stand.limits.refusal(EventKind.OPERATION_DECIDED)  # readiness is red; the limit decides about traffic
    assert [(event.kind, event.header["what"]) for event in stand.events] == [("witness.conflict", "ahead")] * 3


async def test_l_04_a_second_log_of_the_same_name_and_key_is_named(stand, mock_clock, tmp_path):
    """Two auditors shown two logs: the witnesses have seen one of them, and no quorum signs the other."""
    await stand.open().round(stand.post)
    first = stand.note()
    shutil.rmtree(stand.workshop.folder)
    stand.workshop.fill(5)  # as long as the other, with other times
    other = stand.open()
    await other.round(stand.post)
    assert "another log of 7 entries under this name" in stand.limits.problem
    assert stand.note() == first
    assert {event.header["what"] for event in stand.events} == {"forked"}
    stand.grow()
    longer = stand.open()
    stand.events.clear()
    await longer.round(stand.post)
    assert {event.header["what"] for event in stand.events} == {"inconsistent"}
    assert stand.note() == first


async def test_tiles_that_were_changed_on_disk_are_offered_to_nobody(stand, mock_clock):
    made = stand.open()
    tile = next((stand.workshop.folder / "tile" / "0").rglob("*.p/*"))
    tile.write_bytes(bytes(len(tile.read_bytes())))
    await made.round(stand.post)
    assert not stand.asked
    assert "do not make the checkpoint's root" in made.lines()[0]


async def test_a_second_place_that_cannot_be_written_is_no_quorum(stand, mock_clock):
    stand.mirror.parent.mkdir(exist_ok=True)
    stand.mirror.write_text("a file where a folder should be")
    made = stand.open()
    await made.round(stand.post)
    assert made.cosigned_size == 0
    stand.mirror.unlink()
    await made.round(stand.post)
    assert made.cosigned_size == made.size


async def test_without_a_log_there_is_nothing_to_ask(stand, mock_clock):
    shutil.rmtree(stand.workshop.folder)
    made = stand.open()
    await made.round(stand.post)
    assert not stand.asked


def test_a_key_that_is_no_witness_s_is_a_fault_at_start(stand):
    stand.entries[0] = WitnessEntry(url="https://w0.example", vkey="w0+0a1b2c3d+" + "A" * 44)
    with pytest.raises(ConfigError, match="w0"):
        stand.open()


async def test_over_real_connections(workshop, tmp_path, nursery):
    workshop.fill(300)
    logs = {workshop.origin: (workshop.vkey,)}
    async with (
        witnessed(tmp_path / "a", logs, "a.example") as (first, first_vkey, _),
        witnessed(tmp_path / "b", logs, "b.example") as (second, second_vkey, _),
    ):
        entries = (WitnessEntry(url=first, vkey=first_vkey), WitnessEntry(url=second, vkey=second_vkey))
        made = Witnessing(
            WitnessesSettings(quorum=2, list=entries),
            folder=workshop.folder,
            mirror=tmp_path / "mirror",
            keep=lambda _: None,
            limits=Limits(),
            every_s=0.01,
        )
        nursery.start_soon(made.run)
        with trio.fail_after(60):
            while made.cosigned_size < 302:  # noqa: ASYNC110 - a file and two processes' worth of work; nothing to wait on
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    note = (tmp_path / "mirror" / COSIGNED).read_bytes()
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=note)
    assert report.ok
