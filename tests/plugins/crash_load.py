"""Load whose every effect and every result can be counted, and what a log says of it afterwards."""

import contextlib
import http.client
import itertools
import os
import re
import threading
import time
from pathlib import Path

import psycopg

from doorward_core.errors import RecordError
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify

POLICY_RETRY = ("in_transaction: 60s}", "in_transaction: 60s, retry: true}")
TABLES = """
drop table if exists effects; drop table if exists counters;
create table effects (n bigint primary key);
create table counters (k bigint primary key, n bigint not null);
insert into counters select k, 0 from generate_series(1, 5000) k
"""
_MARK = re.compile(r"(read|effect|counter)-(\d+)")
GIVE_UP_S = 120


def writer_of(pid):
    """The log's writer process of a gateway; any of its threads may have started it."""
    end = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end:
        for child in _children(pid):
            with contextlib.suppress(OSError):
                if b"record.process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        time.sleep(0.01)
    raise AssertionError("the gateway has no writer")


def _children(pid):
    """What the threads of a process have started; threads come and go while they are looked at."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += (task / "children").read_text().split()
    return found


def succeeded(gateway, writer):
    """Wait until another writer has taken its place; that the gateway is not ready meanwhile may be too short to see."""
    end = time.monotonic() + GIVE_UP_S
    while writer_of(gateway.process.pid) == writer:
        assert time.monotonic() < end, gateway.said()[-2000:]
        time.sleep(0.01)


class Load:
    """Clients that go on whatever happens to the gateway: readers, writers, and one whose changes are held."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.seen = set()  # marks of results that a client was given
        self.approved = set()  # requests for which a vote was cast, by counter
        self.done = 0
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._stop_voting = threading.Event()
        self._threads = []

    def __enter__(self):
        with self.gateway.target.connect("app") as direct:
            direct.execute(TABLES)
        for work in (self._read, self._read, self._write, self._write, self._hold, self._hold):
            self._start(work, self._stop)
        self._start(self._approve, self._stop_voting)
        return self

    def _start(self, work, stop):
        thread = threading.Thread(target=self._forever, args=(work, stop))
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *_):
        self._stop.set()
        *clients, approver = self._threads
        for thread in clients:
            thread.join(GIVE_UP_S)  # what is held goes on being voted on
        self._stop_voting.set()
        approver.join(GIVE_UP_S)

    def after(self, count):
        """Wait until so many more things were done."""
        wanted, end = self.done + count, time.monotonic() + GIVE_UP_S
        while self.done < wanted:
            assert time.monotonic() < end, (self.done, self.gateway.said()[-2000:])
            time.sleep(0.002)

    def until(self, kind, more_than):
        """Wait until more than so many results of a kind were given out."""
        end = time.monotonic() + GIVE_UP_S
        while sum(one == kind for one, _ in set(self.seen)) <= more_than:
            assert time.monotonic() < end, (kind, self.gateway.said()[-2000:])
            time.sleep(0.01)

    def _forever(self, work, stop):
        while not stop.is_set():
            try:
                work()
            except (psycopg.Error, OSError, http.client.HTTPException, AssertionError, ValueError):
                stop.wait(0.02)  # the gateway is down just now

    def _pause(self):
        """Count one more thing done. Not all of the machine for the load: what is checked grows with it."""
        self.done += 1
        self._stop.wait(0.01)

    def _client(self, subject, group):
        client = psycopg.connect(
            self.gateway.conninfo(tls=False, subject=subject, groups=(group,)), autocommit=True, connect_timeout=10
        )
        return contextlib.closing(client)

    def _read(self):
        with self._client("reader-1", "readers") as client:
            while not self._stop.is_set():
                number = next(self._numbers)
                client.execute(f"select /* read-{number} */ id, email from customer where id < 5").fetchall()
                self.seen.add(("read", number))
                self._pause()

    def _write(self):
        with self._client("writer-1", "writers") as client:
            while not self._stop.is_set():
                number = next(self._numbers)
                client.execute(f"insert into effects values ({number}) /* effect-{number} */")
                self.seen.add(("effect", number))
                self._pause()

    def _hold(self):
        """One held change, tried again where its answer was lost: the grant that is left may be used, once."""
        number = next(self._numbers) % 5000 + 1
        for _ in range(3):
            with contextlib.suppress(psycopg.OperationalError), self._client("crew-1", "crew-analysts") as client:
                client.execute(f"update counters set n = n + 1 where k = {number} /* counter-{number} */")
                self.seen.add(("counter", number))
                self.done += 1
                return
            if self._stop.wait(0.05):
                return

    def _approve(self):
        """Approve the first request for each counter, and no second one."""
        status, answer = self.gateway.call("GET", "/v1/approvals?state=pending", self.gateway.approver())
        if status != 200:
            raise OSError
        for request in answer["approvals"]:
            number = int(_MARK.search(request["text"])[2])
            verdict = "reject" if number in self.approved else "approve"
            self.approved.add(number)  # before it is asked: the answer may be lost, and the vote count all the same
            self.gateway.vote(request["id"], verdict, **({"retry": True} if verdict == "approve" else {}))
        self._stop_voting.wait(0.02)


class Ledger:
    """Holds a gateway's log against what happened."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.checkpoint = None
        self.size = 0
        self._permitted = set()  # in entries that a checkpoint covers, and that are therefore looked at once
        self._from = 0

    def check(self, load):
        """Every effect at the target and every result that was given out has its record; a grant has one effect."""
        seen = set(load.seen)
        with self.gateway.target.connect("app") as direct:
            effects = {("effect", n) for (n,) in direct.execute("select n from effects")}
            counters = dict(direct.execute("select k, n from counters where n > 0"))
        self.verify()
        permitted = self._read()
        assert effects <= permitted, sorted(effects - permitted)[:5]
        assert seen <= permitted, sorted(seen - permitted)[:5]
        assert {("counter", k) for k in counters} <= permitted
        assert set(counters.values()) <= {1}, {k: n for k, n in counters.items() if n > 1}
        assert set(counters) <= load.approved
        return len(effects), len(counters)

    def _read(self):
        """The marks of all operations that the log permits."""
        fresh = set()
        for entry in LogReader(self.gateway.log).entries(self._from):
            marks = set()
            if entry.kind == "operation.decided" and entry.header["verdict"] == "permit" and entry.payload:
                marks = {(kind, int(number)) for kind, number in _MARK.findall(str(entry.payload["text"]))}
            if entry.protected and not fresh:
                self._permitted |= marks
                self._from = entry.index + entry.parts
            fresh |= marks - self._permitted
        return self._permitted | fresh

    def verify(self):
        """The log verifies, and goes on from the checkpoint that was kept before."""
        kept = (self.gateway.log / "checkpoint").read_bytes()
        vkey = (self.gateway.state / "keys/log.vkey").read_text()
        report = verify(self.gateway.log, public_key=vkey, outside_checkpoint=self.checkpoint)
        assert report.ok, report.problems
        assert report.size >= self.size
        self.size, self.checkpoint = report.size, kept

    def resting(self):
        """Whether the last thing on record is that a session is over, and a checkpoint covers it."""
        try:
            last = list(LogReader(self.gateway.log).entries(self._from))[-1:]
        except (RecordError, OSError):  # it is being written to
            return False
        return any(one.kind == "session.closed" and one.protected for one in last)

    def kinds(self):
        return [entry.kind for entry in LogReader(self.gateway.log).entries()]


def ready(gateway, status=200):
    """Wait until the gateway is ready, or is not."""
    end = time.monotonic() + GIVE_UP_S
    while True:
        with contextlib.suppress(OSError):
            if gateway.probe("/readyz")[0] == status:
                return
        assert time.monotonic() < end, gateway.said()[-2000:]
        time.sleep(0.01)


def kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
