"""The listener as ssh-audit sees it, which knows the published weaknesses of key exchanges, ciphers, MACs and keys."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.need_sshd

AUDIT = Path(sys.executable).with_name("ssh-audit")


def _failures(report):
    """Everything that is rated `fail`, and everything that has a known vulnerability."""
    rated = [
        (kind, entry["algorithm"], entry["notes"]["fail"])
        for kind in ("kex", "key", "enc", "mac")
        for entry in report[kind]
        if entry.get("notes", {}).get("fail")
    ]
    return rated + [("cve", entry["name"], [entry["description"]]) for entry in report.get("cves", [])]


def test_the_listener_is_rated_without_failures(ssh_gateway):
    port = str(ssh_gateway.port)
    run = subprocess.run([AUDIT, "--json", "--skip-rate-test", "-p", port, "127.0.0.1"],
                         capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert run.returncode in {0, 2}, run.stdout + run.stderr  # 2: warnings; 3: failures
    report = json.loads(run.stdout)
    assert {"kex", "key", "enc", "mac"} <= set(report)
    assert any("mlkem" in entry["algorithm"] for entry in report["kex"])
    assert _failures(report) == []
