import json

from evidence_stand import NOW, S, bundle, unpacked

from doorward_console.evidence.controls import CONTROLS
from doorward_console.evidence.report import NOTHING


def test_the_figures_are_those_of_the_story(made):
    report = json.loads(unpacked(made)["report.json"])
    counts = {name: figure["count"] for name, figure in report["figures"].items() if figure["count"]}
    assert counts["access.opened"] == 3
    assert counts["approvals.ran"] == counts["approvals.granted"] == 1
    assert counts["masked.values"] == 8
    assert "approvals.ungranted" not in counts
    assert [row[0][0] for row in report["tables"]["people"]["rows"]] == ["crew-1", "berta", "crew-2"]
    assert [control["id"] for control in report["controls"]][3:] == [section.id for section in CONTROLS]


def test_a_gap_is_shown_as_a_gap(told, tmp_path):
    bundle(told, tmp_path / "e.zip", NOW + 10 * S, NOW + 11 * S)
    page = unpacked(tmp_path / "e.zip")["report.html"].decode()
    assert page.count(NOTHING) >= len(CONTROLS)
    assert "no exceptions" not in page.replace("No exceptions", "")


def test_rights_that_nobody_reviewed_are_a_gap_in_their_section(made):
    page = unpacked(made)["report.html"].decode()
    section = page.partition('id="A.5.18"')[2].partition("</section>")[0]
    assert '<span class="tag gap">a gap</span>' in section
    assert "No review of access was signed off" in section


def test_what_changed_without_being_held_is_beside_what_was_approved(made):
    """The story has two permitted operations that change or execute: one was approved, the shell was held by no rule."""
    page = unpacked(made)["report.html"].decode()
    section = page.partition('id="first.approvals"')[2].partition("</section>")[0]
    assert 'data-figure="operations.changing">2<' in section
    assert 'data-figure="operations.unasked">1<' in section


def test_what_cannot_be_shown_is_said(told, tmp_path):
    told_again = told
    bundle(told_again, tmp_path / "e.zip", resources=("shop",))
    page = unpacked(tmp_path / "e.zip")["report.html"].decode()
    for words in ("no witness cosigned", "limited to a scope", "known only to who has the vkey", "what came later"):
        assert words in page, words
