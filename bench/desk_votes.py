"""From a vote to its result: how long after an approver's POST a held statement is done at the client that waits."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench.desk_places import APPROVER, WAIT_S, Browser, Control, Gate, waiting
from bench.desk_places import field as field_of

Vote = Callable[[str], Callable[[], object]]
"""Of a request: gets everything ready, as far as the clock is not to run, and gives what casts the vote."""
WARM = 3


@dataclass
class Held:
    """One statement at a time, in a thread that waits for it as a client does."""

    client: psycopg.Connection[tuple[object, ...]]
    done_at: float = 0.0
    _thread: threading.Thread = field(default_factory=threading.Thread)

    def ask(self) -> None:
        """Send a change, which is then held."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.client.execute("UPDATE customer SET note = 'changed by leave' WHERE id = 42")
        self.done_at = time.perf_counter()

    def released(self) -> float:
        """When it was done."""
        self._thread.join(WAIT_S)
        if self._thread.is_alive():
            raise SystemExit("bench: what was approved was not released")
        return self.done_at


def by_token(control: Control) -> Vote:
    """Over the control port, with the approver's token alone."""

    def ready(name: str) -> Callable[[], object]:
        return lambda: control.call("POST", f"/v1/approvals/{name}/vote", {"verdict": "approve", "reason": ""})

    return ready


def by_passkey(control: Control, gate: Gate) -> Vote:
    """Over the control port, with a passkey's assertion over the statement."""

    def ready(name: str) -> Callable[[], object]:
        ballot = {"verdict": "approve", "reason": ""}
        drafted = control.call("POST", f"/v1/approvals/{name}/statement", ballot)
        body = {**ballot, "proof": gate.passkey.proof(drafted)}
        return lambda: control.call("POST", f"/v1/approvals/{name}/vote", body)

    return ready


def by_form(browser: Browser) -> Vote:
    """By the form of the request's page at the desk."""

    def ready(name: str) -> Callable[[], object]:
        path = f"/requests/bench/{name}"
        page = browser.get(path)
        form = {"csrf": field_of(page, "csrf"), "content": field_of(page, "content"), "verdict": "approve"}
        return lambda: browser.post(f"{path}/vote", form)

    return ready


def measure(gate: Gate, count: int) -> dict[str, dict[str, float]]:
    """Each way so many times, in milliseconds; a desk must be running before the gateway."""
    control = Control(gate.home / "approvals.sock", gate.approver())
    browser = Browser(gate.url)
    browser.log_in(APPROVER)
    ways = {"token": by_token(control), "passkey": by_passkey(control, gate), "desk's form": by_form(browser)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    with gate.connect() as client:
        held = Held(client)
        for round_ in range(-WARM, count):
            for name, ready in ways.items():
                held.ask()
                cast = ready(waiting(control))
                begun = time.perf_counter()
                cast()
                took = held.released() - begun
                if round_ >= 0:
                    times[name].append(took * 1000)
    control.close()
    browser.close()
    return {name: spread(took) for name, took in times.items()}


def spread(times: list[float]) -> dict[str, Any]:
    """The median and the 99th percentile of milliseconds."""
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 1),
        "count": len(ordered),
    }
