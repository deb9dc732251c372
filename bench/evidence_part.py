"""Evidence: a bundle of so many entries written, its memory, and verify.py over it beside `doorward verify`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.verify import verify

START_NS: Final = 1_800_000_000_000_000_000
BATCH: Final = 20_000
SESSION_OPERATIONS: Final = 200

_WRITE: Final = """
import resource, sys, time
from pathlib import Path
from doorward_console.evidence.source import Source
from doorward_console.evidence.write import Wanted, write_bundle
begun = time.perf_counter()
made = write_bundle(Path(sys.argv[2]), [Source.of(Path(sys.argv[1]))], Wanted(0, 1 << 62))
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, made.entries)
"""


def _who(number: int) -> dict[str, object]:
    return {
        "subject": f"crew-{number % 40}", "issuer": "https://idp.example", "principal": "agent",
        "sponsor": f"person-{number % 7}", "act": [],
    }  # fmt: skip


def _events() -> Iterator[tuple[str, bytes, bytes, Mapping[str, object], Mapping[str, object]]]:
    """(kind, session, operation, header, body) of sessions, one after the other, as a gateway writes them."""
    policy, number = os.urandom(32), 0
    yield "policy.loaded", b"", b"", {"policy": policy}, {"texts": {"policy.yaml": "version: 1\n" * 200}}
    while True:
        number += 1
        session, about = os.urandom(16), {**_who(number), "resource": f"db-{number % 9}", "account": "app"}
        opened = {
            "groups": ["crew"],
            "encrypted": True,
            "observe": False,
            "read_only": number % 3 == 0,
            "policy": policy,
        }
        yield "session.opened", session, b"", {**about, **opened}, {"software": "psql", "display": ""}
        for seq in range(SESSION_OPERATIONS):
            op, refused = os.urandom(16), seq % 50 == 0
            asked = {
                "seq": seq, "action": "read", "verb": "SELECT", "complete": True, "in_transaction": False, "unseen": [],
                "verdict": "deny" if refused else "permit", "reason": "rule", "rules": ["analysts-read"],
                "policy": policy, "observed": "", "request": "",
            }  # fmt: skip
            text = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"
            body = {"text": text, "text_truncated": False, "parameters": [str(seq)], "atoms": [], "attributes": {}}
            yield "operation.decided", session, op, {**about, **asked}, {**body, "advice": ""}
            if not refused:
                ended = {
                    "seq": seq, "status": "ok", "code": "", "rows": 1, "bytes_up": 70, "bytes_down": 12,
                    "masked": {"email": 1} if seq % 5 == 0 else {}, "duration_ns": 90_000, "decided": seq,
                }  # fmt: skip
                shown = {"columns": ["abalance"], "shown": bytes(15), "shown_format": "postgresql.datarow"}
                yield "operation.finished", session, op, {**about, **ended}, shown
        closed = {"reason": "client", "totals": {"permitted": 196}, "coverage": [], "duration_ns": 10**9}
        yield "session.closed", session, b"", {**about, **closed}, {}


def make_log(folder: Path, count: int) -> None:
    """A log of `count` events in `folder / "log"`, by the log's own writer, without its process."""
    engine = Engine(Settings(folder / "log", "bench", folder / "log.key", folder / "keys"))
    engine.open(START_NS)
    for number, (kind, session, operation, head, body) in enumerate(_events()):
        if number == count - 2:  # the log's own opening and closing
            break
        packed = encode(body) if body else b""  # type: ignore[arg-type]  # values of the log, by construction
        at = START_NS + number * 1_000_000
        engine.add(engine.size, at, kind, session, operation, head=encode(head), body=packed)  # type: ignore[arg-type]  # as above
        if number % BATCH == 0:
            engine.flush()
            engine.publish()
    engine.close(START_NS + count * 1_000_000)


def measure(folder: Path, *, count: int) -> dict[str, float]:
    """Make a log, write its bundle in a process of its own, check it, and verify the log itself on one core."""
    folder.mkdir(exist_ok=True)
    make_log(folder, count)
    bundle = folder / "evidence.zip"
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(folder / "log"), str(bundle)], check=True, capture_output=True, text=True
    )
    took, megabytes, entries = map(float, done.stdout.split())
    begun = time.perf_counter()
    report = verify(folder / "log", jobs=1)
    verified = time.perf_counter() - begun
    from doorward_console.evidence import verify as standalone  # noqa: PLC0415 - run as a file, imported for its place

    begun = time.perf_counter()
    checked = subprocess.run(
        [sys.executable, "-I", "-S", standalone.__file__, str(bundle)], check=False, capture_output=True, text=True
    )
    checking = time.perf_counter() - begun
    if checked.returncode or not report.ok:
        raise SystemExit(f"bench: the bundle does not verify: {checked.stdout[-500:]}")
    return {
        "entries": entries,
        "write_s": round(took, 1),
        "write_mb": round(megabytes),
        "bundle_mb": round(bundle.stat().st_size / 1e6, 1),
        "verified_s": round(report.size / verified),
        "checked_s": round(entries / checking),
    }
