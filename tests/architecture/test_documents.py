"""Every link between the documents leads somewhere: to a file that is there, and to a heading that is in it."""

import re
from pathlib import Path

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _prose(document: Path) -> str:
    return FENCED.sub("", document.read_text(encoding="utf-8"))


def _anchor(heading: str) -> str:
    """As those who render Markdown name a heading: its words in small letters, joined by hyphens."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _leads_nowhere(document: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    there = document.parent / path if path else document
    if not there.exists():
        return True
    anchors = {_anchor(item) for item in re.findall(r"^#+ (.*)$", _prose(there), re.MULTILINE)} if heading else {""}
    return heading not in anchors


def test_every_link_in_the_documents_leads_somewhere(root: Path) -> None:
    documents = [
        *root.glob("*.md"),
        *(path for folder in ("docs", "bench", "examples") for path in (root / folder).rglob("*.md")),
    ]
    links = [(document, link) for document in documents for link in re.findall(r"\]\(([^)\s]+)\)", _prose(document))]
    inside = [(document, link) for document, link in links if not re.match(r"[a-z]+:", link)]
    assert len(inside) > 100
    assert [
        f"{document.relative_to(root)}: {link}" for document, link in inside if _leads_nowhere(document, link)
    ] == []


def test_a_link_to_what_is_not_there_is_known(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A `word` and more\n")
    assert [link for link in ("#a-word-and-more", "a.md", "#a-word", "b.md") if _leads_nowhere(page, link)] == [
        "#a-word",
        "b.md",
    ]
