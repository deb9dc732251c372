"""What strangers bring about is said now and then, and what was left out is counted."""

from types import SimpleNamespace

import structlog.testing
import trio

from doorward_core.model import Peer
from doorward_core.run import Gateway
from doorward_core.seldom import EVERY_NS, Kinds, Seldom

NOW = 1_700_000_000 * EVERY_NS


def test_the_first_is_said_and_those_right_after_it_are_counted():
    seldom = Seldom()
    assert seldom.left_out(NOW) == 0
    assert [seldom.left_out(NOW + late) for late in (0, 1, EVERY_NS - 1)] == [None] * 3
    assert seldom.left_out(NOW + EVERY_NS) == 3
    assert seldom.left_out(NOW + 2 * EVERY_NS) == 0


def test_a_clock_that_is_set_back_silences_nothing_for_long():
    seldom = Seldom()
    assert seldom.left_out(NOW) == 0
    assert seldom.left_out(NOW - 3600 * EVERY_NS) == 0


def test_each_kind_is_said_and_counted_by_itself():
    kinds = Kinds()
    assert [kinds.left_out(kind, NOW) for kind in ("a", "b", "a", "a", "b")] == [0, 0, None, None, None]
    assert [kinds.left_out(kind, NOW + EVERY_NS) for kind in ("a", "b")] == [2, 1]


async def test_connections_that_fail_without_end_do_not_fill_our_own_log(house):
    """Whoever opens connections and lets them end badly needs no credential for that."""
    room = SimpleNamespace(config=None, gate=house.gate, witnesses=None, archiving=None)
    gateway = Gateway(room, SimpleNamespace(make=lambda _: None))
    with structlog.testing.capture_logs() as said:
        for _ in range(100):
            gateway._on_error(trio.TooSlowError("the handshake was not over in time"), Peer("192.0.2.1"))
        gateway._on_error(KeyError("a value"), Peer("192.0.2.2"))
        house.later(1)
        gateway._on_error(trio.TooSlowError("the handshake was not over in time"), Peer("192.0.2.3"))
    assert [(one["kind"], one["peer"], one["left_out"]) for one in said] == [
        ("TooSlowError", "192.0.2.1", 0),
        ("KeyError", "192.0.2.2", 0),
        ("TooSlowError", "192.0.2.3", 99),
    ]
    assert gateway._state.failed_connections == 102
