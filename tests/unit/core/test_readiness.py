"""The admin port's answers: counts and reasons, and nothing about anybody."""

from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.config_witness import WitnessEntry, WitnessesSettings
from doorward_core.readiness import SLOW_S, State
from doorward_core.record.cosign import witness_vkey
from doorward_core.record.limits import Scope
from doorward_core.record.witnessing import Witnessing


@dataclass
class Door:
    """What the listeners count."""

    connected: int = 2
    refused: int = 1


@pytest.fixture
def state(house):
    made = State(house.gate)
    made.listening([Door(), Door(connected=3)])
    return made


def ask(state, path):
    reply = state.probes()[path]()
    return reply.status, reply.body.decode()


def metrics(state):
    lines = ask(state, "/metrics")[1].splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


async def test_it_is_alive_whatever_happens(house):
    made = State(house.gate)
    house.log.fail("the disk is full")
    assert ask(made, "/healthz") == (200, "ok\n")


async def test_it_is_not_ready_before_it_listens(house):
    assert ask(State(house.gate), "/readyz") == (503, "starting\n")


async def test_it_is_ready_once_it_listens(state):
    assert ask(state, "/readyz") == (200, "ready\n")
    assert metrics(state)["doorward_ready"] == 1


async def test_it_is_not_ready_while_it_drains(state):
    state.draining = True
    assert ask(state, "/readyz") == (503, "draining\n")


async def test_it_is_not_ready_once_the_log_has_failed(state, house):
    house.log.fail("the disk is full")
    assert ask(state, "/readyz") == (503, "the log cannot be written: the disk is full\n")
    assert metrics(state)["doorward_ready"] == 0


async def test_the_metrics_are_those_of_now(state, house, op):
    door = await house.admit("writers")
    await house.ask(door, op("read"))
    await house.ask(door, op("define"))
    await house.ask(door, op("define"))
    state.failed_connections = 4
    counted = metrics(state)
    assert {name: counted[f"doorward_{name}"] for name in ("sessions", "connections", "connections_refused")} == {
        "sessions": 1,
        "connections": 5,
        "connections_refused": 2,
    }
    assert counted["doorward_connections_failed"] == 4
    assert counted["doorward_log_durable_entries"] == len(house.log.events)
    assert [counted[f"doorward_operations_{name}"] for name in ("permitted", "denied", "held")] == [1, 2, 0]
    door.close("bye")
    assert metrics(state)["doorward_sessions"] == 0


async def test_the_metrics_name_nobody_and_nothing(state, house, op):
    await house.ask(await house.admit("writers"), op("read", "public.customer"))
    text = ask(state, "/metrics")[1]
    for word in ("crew-7", "app-db", "public.customer", "writers"):
        assert word not in text


async def test_two_gateways_in_one_process_share_no_metric(house):
    State(house.gate)
    State(house.gate)


async def test_a_passed_limit_is_why_it_is_not_ready(state, house):
    house.log.limits.stop("archive", "the archive is 2 h behind")
    assert ask(state, "/readyz") == (503, "the archive is 2 h behind\n")
    house.log.limits.lift("archive")
    assert ask(state, "/readyz") == (200, "ready\n")


async def test_a_disk_that_confirms_nothing_for_long_is_why_it_is_not_ready(state, house):
    house.log.waiting_s = SLOW_S
    assert ask(state, "/readyz") == (200, "ready\n")  # a busy disk
    assert metrics(state)["doorward_log_waiting_seconds"] == SLOW_S
    house.log.waiting_s = SLOW_S + 1
    assert ask(state, "/readyz") == (503, "the log's disk has confirmed nothing for 31 s\n")
    assert ask(state, "/healthz")[0] == 200
    house.log.waiting_s = 0.0
    assert ask(state, "/readyz") == (200, "ready\n")


async def test_how_far_behind_each_witness_is_stands_beside_the_answer(house, tmp_path):
    entry = WitnessEntry(url="https://w.example", vkey=witness_vkey("w.example", Ed25519PrivateKey.generate()))
    witnesses = Witnessing(
        WitnessesSettings(quorum=1, list=(entry,)),
        folder=tmp_path,
        mirror=tmp_path,
        keep=lambda _: None,
        limits=house.log.limits,
        every_s=1.0,
        clock=lambda: 0,
    )
    made = State(house.gate, witnesses)
    made.listening([Door()])
    witnesses.size, witnesses.witnesses[0].size = 12, 5
    assert ask(made, "/readyz") == (200, "ready\nwitness w.example: 7 entries behind\n")
    text = ask(made, "/metrics")[1]
    assert 'doorward_witness_behind_entries{witness="w.example"} 7.0' in text
    house.log.limits.stop("witnesses: conflict", "witness w.example holds another history", Scope.NOTHING)
    status, words = ask(made, "/readyz")
    assert (status, words.splitlines()[0]) == (503, "witness w.example holds another history")
