"""Whether the gateway is alive and fit to take traffic, and what it has done: `/healthz`, `/readyz`, `/metrics`.

What it is: the answers of the admin port, each made at once from what is in memory.
What it will not do: name an identity, a resource or a statement; whoever can read the port learns counts only.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import trio.lowlevel
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, ProcessCollector, generate_latest

from doorward_core.approvals.notify_send import Notifier
from doorward_core.gate import Gate
from doorward_core.net.control import Reply
from doorward_core.net.listen import Server
from doorward_core.record.archiving import Archiving
from doorward_core.record.witnessing import Witnessing

TEXT = b"text/plain; charset=utf-8"
# A flush of seconds happens on a busy disk; whoever waits for one longer than this had better come in elsewhere.
SLOW_S = 30.0


class State:
    """What the admin port knows."""

    def __init__(self, gate: Gate, witnesses: Witnessing | None = None, archiving: Archiving | None = None) -> None:
        self._gate = gate
        self._witnesses = witnesses
        self._doors: Sequence[Server] = ()
        self.draining = False
        self.failed_connections = 0
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, descriptors and CPU, under the names that everybody knows
        self._gauge("doorward_tasks", "Tasks of the gateway", lambda: trio.lowlevel.current_statistics().tasks_living)
        self._gauge("doorward_sessions", "Sessions that are open", lambda: len(gate.sessions))
        self._gauge("doorward_connections", "Connections, admitted or not", lambda: _sum(self._doors, "connected"))
        self._gauge("doorward_connections_refused", "Connections over the limit", lambda: _sum(self._doors, "refused"))
        self._gauge("doorward_connections_failed", "Connections that an error ended", lambda: self.failed_connections)
        self._gauge("doorward_log_durable_entries", "Entries on stable storage", lambda: gate.log.durable_size)
        self._gauge("doorward_ready", "1 while traffic is taken", lambda: int(not self.problem()))
        words = "Seconds that somebody has waited for stable storage, which has confirmed nothing"
        self._gauge("doorward_log_waiting_seconds", words, lambda: gate.log.waiting_s)
        for verdict in ("permitted", "denied", "held"):
            words = f"Operations {verdict} since the start"
            self._gauge(f"doorward_operations_{verdict}", words, partial(gate.totals.__getitem__, verdict))
        if witnesses is not None:
            self._watch(witnesses)
        if gate.desk.notifier is not None and gate.desk.notifier.receivers:
            self._count(gate.desk.notifier)
        if archiving is not None:
            self._gauge("doorward_archive_entries", "Entries that the archive has", lambda: archiving.size)
            self._gauge("doorward_archive_behind_seconds", "Since it had all of them", lambda: archiving.behind_s)

    def listening(self, doors: Sequence[Server]) -> None:
        """The listeners are open."""
        self._doors = tuple(doors)

    def problem(self) -> str:
        """Why no traffic is taken; "" while it is."""
        if self._gate.log.failed:
            return f"the log cannot be written: {self._gate.log.failed}"
        if self._gate.log.limits.problem:
            return self._gate.log.limits.problem
        if self._gate.log.waiting_s > SLOW_S:
            return f"the log's disk has confirmed nothing for {self._gate.log.waiting_s:.0f} s"
        if self.draining:
            return "draining"
        if self._gate.desk.problem:
            return f"approvals cannot be kept: {self._gate.desk.problem}"
        return "" if self._doors else "starting"

    def probes(self) -> Mapping[str, Callable[[], Reply]]:
        """The routes of the admin port."""
        return {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    @staticmethod
    def _healthz() -> Reply:
        return Reply(200, b"ok\n", TEXT)

    def _readyz(self) -> Reply:
        problem = self.problem()
        more = "".join(f"{line}\n" for line in self._witnesses.lines()) if self._witnesses is not None else ""
        told = self._gate.desk.notifier
        more += f"notifications fail: {told.problem}\n" if told is not None and told.problem else ""
        return Reply(503 if problem else 200, f"{problem or 'ready'}\n{more}".encode(), TEXT)

    def _metrics(self) -> Reply:
        return Reply(200, generate_latest(self._registry), CONTENT_TYPE_LATEST.encode())

    def _count(self, told: Notifier) -> None:
        """What became of notifications; a receiver that is not there stops nothing."""
        for name in ("sent", "failed", "dropped"):
            counts = Gauge(
                f"doorward_notifications_{name}", f"Notifications {name}", ["receiver"], registry=self._registry
            )
            for one in told.receivers:
                counts.labels(one.name).set_function(partial(getattr, one, name))

    def _watch(self, witnesses: Witnessing) -> None:
        """How far behind each witness is; their names are no secret to who can read the port."""
        words = "Entries of the newest checkpoint that a witness has not cosigned"
        behind = Gauge("doorward_witness_behind_entries", words, ["witness"], registry=self._registry)
        for one in witnesses.witnesses:
            behind.labels(one.name).set_function(partial(witnesses.behind, one))
        words = "Seconds since a quorum of witnesses had cosigned everything"
        self._gauge("doorward_witness_quorum_behind_seconds", words, lambda: witnesses.behind_s)
        words = "Entries that a quorum of witnesses has cosigned"
        self._gauge("doorward_witness_quorum_entries", words, lambda: witnesses.cosigned_size)

    def _gauge(self, name: str, words: str, read: Callable[[], float]) -> None:
        Gauge(name, words, registry=self._registry).set_function(read)


def _sum(doors: Sequence[Server], name: str) -> int:
    return sum(int(getattr(door, name)) for door in doors)
