"""The n-th write, flush, open and rename of the log fails under a whole gateway, for every n; the disk is full, or slow (L-06).

Sessions end with an error, new ones are refused, readiness is red, nothing is released or done without its record;
and once the disk takes writes again the gateway comes back by itself, and its log says so.
"""

import errno
import mmap
import os
import struct
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from crash_load import Ledger, ready
from gateway_stack import CONFIG, started
from raw_client import RawClient
from slow_disk import SlowDisk

from doorward_postgres import wire_encode as enc

pytestmark = [pytest.mark.slow, pytest.mark.need_embedded_postgres]

HERE = Path(__file__).parents[1] / "plugins/faulty_writer"
NO_RECORD = "58030"
GIVE_UP_S = 120
REST_S = 0.1  # for the last calls behind a checkpoint that can be seen; if they come later, one call is not tried


class Faults:
    """The switch of the faulty writer (tests/plugins/faulty_writer)."""

    def __init__(self, folder):
        path = folder / "faults"
        path.write_bytes(bytes(32))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 32)

    @property
    def count(self):
        return struct.unpack_from("q", self._shared)[0]

    def reached(self, number, resting):
        """Whether that many calls come, before the writer rests: those for the checkpoint after a session's end too."""
        end = time.monotonic() + GIVE_UP_S
        while self.count < number and not resting():
            assert time.monotonic() < end, "the writer does not come to rest"
            time.sleep(0.02)
        time.sleep(REST_S)
        return self.count >= number

    def set(self, fail_at=0, code=0, *, stays=False):
        struct.pack_into("4q", self._shared, 0, 0, fail_at, code, stays)


@pytest.fixture
def faulty(own_gateway, tmp_path, monkeypatch):
    faults = Faults(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))))
    return own_gateway(), faults


def work(gateway, number):
    """One session: a read, a write, a goodbye. What came of it: marks of results seen; nothing else can be known."""
    seen = []
    try:
        with psycopg.connect(
            gateway.conninfo(tls=False, subject="writer-1", groups=("writers",)), autocommit=True, connect_timeout=120
        ) as client:
            client.execute(f"select /* read-{number} */ id, email from customer where id < 9").fetchall()
            seen.append(("read", number))
            client.execute(f"insert into effects values ({number}) /* effect-{number} */")
            seen.append(("effect", number))
    except psycopg.Error as error:
        if "cannot write its record" not in str(error):
            raise
    return seen


class Seen:
    """What `Ledger.check` is given: the marks, and no held changes."""

    def __init__(self):
        self.seen = set()
        self.approved = set()


@pytest.mark.parametrize(("code", "first"), [(errno.ENOSPC, 1), (errno.EIO, 2)], ids=["disk full", "bad disk"])
def test_l_06_whichever_call_fails_nothing_passes_without_its_record(faulty, code, first):
    gateway, faults = faulty
    with gateway.target.connect("app") as direct:
        direct.execute("drop table if exists effects; create table effects (n bigint primary key)")
        direct.execute("create table if not exists counters (k bigint primary key, n bigint not null)")
        direct.execute("truncate counters")
    ledger, seen, fired = Ledger(gateway), Seen(), 0
    for number in range(1, 400):
        fail_at = first + 2 * (number - 1)
        faults.set(fail_at, code)
        seen.seen.update(work(gateway, number))
        happened = faults.reached(fail_at, ledger.resting)
        faults.set()
        ready(gateway)
        fired += happened
        if number % 5 == 0 or not happened:
            ledger.check(seen)
        if not happened:
            break
    assert fired > 5
    assert work(gateway, 9999)
    assert gateway.stop() == 0
    ledger.check(seen)
    assert ledger.kinds()[-1] == "log.closed"


def test_l_06_a_disk_that_stays_full_closes_the_gateway_and_space_opens_it(faulty):
    gateway, faults = faulty
    with gateway.target.connect("app") as direct:
        direct.execute("drop table if exists effects; create table effects (n bigint primary key)")
    idle = RawClient.login(gateway, groups=("writers",))
    faults.set(1, errno.ENOSPC, stays=True)
    assert idle.turn(enc.encode_query("insert into effects values (1)")).errors == [NO_RECORD]
    ready(gateway, 503)
    _, words = gateway.probe("/readyz")
    assert "No space left on device" in words
    for _ in range(3):
        refused = RawClient.login(gateway, groups=("writers",))
        assert refused.hello.errors == [NO_RECORD]
    assert not work(gateway, 2)
    with gateway.target.connect("app") as direct:
        assert direct.execute("select count(*) from effects").fetchone() == (0,)
    faults.set()
    ready(gateway)
    assert len(work(gateway, 3)) == 2
    kinds = Ledger(gateway).kinds()
    assert kinds.count("log.repaired") == 1
    assert kinds.count("log.opened") == 2
    assert kinds.index("log.repaired") < len(kinds) - 1


@pytest.fixture
def slow(own_gateway, tmp_path, monkeypatch):
    disk = SlowDisk(tmp_path, monkeypatch)
    yield own_gateway(), disk
    disk.end()


def test_l_06_a_slow_disk_holds_effect_and_answer_back_until_it_has_the_record(slow):
    gateway, disk = slow
    with gateway.target.connect("app") as direct:
        direct.execute("drop table if exists effects; create table effects (n bigint primary key)")
    client = RawClient.login(gateway, groups=("writers",))
    disk.hold()
    client.send(enc.encode_query("insert into effects values (1)"))
    disk.wait()  # the writer is in a flush, and none ends before it is let go
    end = time.monotonic() + GIVE_UP_S
    while waiting_s(gateway) == 0.0:  # until the gateway waits for the statement's record
        assert time.monotonic() < end
        time.sleep(0.02)
    with gateway.target.connect("app") as direct:
        assert direct.execute("select count(*) from effects").fetchone() == (0,)
    client.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.socket.recv(1)  # nothing was answered
    client.socket.settimeout(GIVE_UP_S)
    disk.let_go()
    assert client.turn().errors == []
    with gateway.target.connect("app") as direct:
        assert direct.execute("select count(*) from effects").fetchone() == (1,)
    assert gateway.stop() == 0


def waiting_s(gateway):
    """What the gateway tells of its disk."""
    (line,) = [
        line for line in gateway.probe("/metrics")[1].splitlines() if line.startswith("doorward_log_waiting_seconds ")
    ]
    return float(line.split()[1])


@pytest.mark.need_root
def test_l_06_a_real_disk_that_fills_up(shop_server, tmp_path):
    folder = tmp_path / "gateway/log"
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"may not mount: {mounted.stderr.decode().strip()}")
    try:
        # Without a floor: this is about the disk that is full, and the floor keeps it from becoming so.
        config = CONFIG.replace("checkpoint_interval: 1s}}", "checkpoint_interval: 1s, floor: 1B}}")
        with started(shop_server, folder.parent, config=config) as gateway:
            run_on_a_small_disk(gateway, folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run_on_a_small_disk(gateway, folder):
    with gateway.target.connect("app") as direct:
        direct.execute("drop table if exists effects; create table effects (n bigint primary key)")
        direct.execute("create table if not exists counters (k bigint primary key, n bigint not null)")
        direct.execute("truncate counters")
    ledger, seen = Ledger(gateway), Seen()
    for number in range(1, 1000):
        found = work(gateway, number)
        seen.seen.update(found)
        if len(found) < 2:
            break
    assert len(found) < 2
    ready(gateway, 503)
    subprocess.run(["mount", "-o", "remount,size=40m", str(folder)], check=True)
    ready(gateway)
    seen.seen.update(work(gateway, 9999))
    ledger.check(seen)
    assert gateway.stop() == 0
    ledger.check(seen)
