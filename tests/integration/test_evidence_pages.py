"""The report as a browser shows and prints it.

Set DOORWARD_PICTURES=1 to write docs/images/evidence-report.png anew.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from evidence_stand import HOSTILE, NOW, S, Stand, bundle, ident

pytestmark = pytest.mark.need_chromium
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "evidence-report.png"
MOST_BYTES = 150_000


def _quarter(stand: Stand) -> Stand:
    """Some weeks of a crew, its approvers and a terminal."""
    stand.policy()
    people = ("crew-1", "crew-1", "crew-1", "anna", "olga", "crew-2")
    for number in range(60):
        subject = people[number % len(people)]
        resource = ("shop", "ledger", "crm")[number % 3]
        session = stand.session(number, subject, resource, read_only=number % 2 == 0)
        for place in range(12):
            refused = (number + place) % 29 == 0
            more = {"verdict": "deny", "verb": "DROP", "action": "define"} if refused else {}
            op = stand.operation(
                session, subject, number * 100 + place, HOSTILE if refused else "SELECT 1", resource, **more
            )
            if not refused:
                stand.finished(session, subject, op, resource)
        if number % 12 == 0:
            request, held = f"ap-{number}", ident(90_000 + number)
            verdict = "reject" if number == 36 else "approve"
            stand.approval(session, held, subject, approver="olga", request=request, verdict=verdict)
            if verdict == "approve":
                stand.operation(
                    session, subject, 99, "DELETE", resource, request=request, action="write", verb="DELETE"
                )
        stand.closed(session, subject, resource)
        stand.wait(40_000)
    stand.terminal(500, "berta", (b"$ systemctl restart web\r\n", b"done\r\n"))
    return stand.close()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    stand = _quarter(Stand(root / "a", "gateway.prod"))
    bundle(stand, root / "e.zip", NOW - 3600 * S, stand.now + 3600 * S, now=stand.now + 7200 * S, vkeys=(stand.vkey,))
    with zipfile.ZipFile(root / "e.zip") as archive:
        archive.extractall(root / "x")
    return root / "x"


def _chromium(profile: Path, *arguments: str) -> None:
    """Run it with a profile of its own: one that another has open is handed over to that one, and nothing is written."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text")
    command = [program, f"--user-data-dir={profile}", *fixed, *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def test_it_prints_on_pages_of_a4(opened, tmp_path):
    page = (opened / "report.html").as_uri()
    _chromium(tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/r.pdf", page)
    data = (tmp_path / "r.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594" in data or b"/MediaBox [0 0 595" in data
    assert len(data) < 2_000_000


def test_it_looks_as_the_picture_in_the_readme_says(opened, tmp_path):
    made = tmp_path / "p.png"
    page = (opened / "report.html").as_uri()
    _chromium(tmp_path / "profile", f"--screenshot={made}", "--window-size=940,860", page)
    assert made.read_bytes().startswith(b"\x89PNG")
    assert made.stat().st_size < MOST_BYTES
    if os.environ.get("DOORWARD_PICTURES"):
        PICTURE.parent.mkdir(exist_ok=True)
        shutil.copyfile(made, PICTURE)
    assert PICTURE.exists()
