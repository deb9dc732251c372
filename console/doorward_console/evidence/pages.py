"""The report as pages: report.html, a page for each figure, and the entries that they lead to.

What it is: templates filled with what `report` and `cited` give.
What it will not do: load anything from elsewhere, run a script, or let a value of the log be markup.

Invariant: every value that a template prints is made harmless first (threat model SSH-14, AP-04), and then escaped.
"""

from collections.abc import Iterator
from typing import Final

import jinja2

from doorward_console.evidence.cited import Cited, Place, Told
from doorward_console.evidence.controls import CONTROLS, FIRST, TABLE_WORDS, WORDS
from doorward_console.evidence.report import Findings, exceptions, gaps, limits, state
from doorward_console.output import moment, shown

ROWS: Final = 12
REQUESTS: Final = 25
RECORDINGS: Final = 25
_STATES: Final = {
    "clean": "no exceptions",
    "exceptions": "exceptions to look at",
    "open": "nothing happened",
    "gap": "a gap",
}


def _harmless(value: object) -> object:
    """What a template prints; its own markup is left alone."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def environment() -> jinja2.Environment:
    """The templates; a name that is not there is a fault, never an empty text."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("doorward_console.evidence"),
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def pages(found: Findings, cited: Cited, entries: list[list[Told]]) -> Iterator[tuple[str, str]]:
    """(member, text) of each page."""
    templates = environment()
    common: dict[str, object] = {
        "period": f"{moment(found.from_unix_ns)[:16]}Z to {moment(found.to_unix_ns)[:16]}Z",
        "figures": found.counter.figures,
        "tables": found.counter.tables,
        "words": WORDS,
        "table_words": TABLE_WORDS,
        "logs": found.logs,
        "moment": moment,
        "many": len(found.logs) > 1,
    }
    yield "report.html", _report(templates, common, found, cited)
    inside = {**common, "base": "", "href": lambda place: cited.href(place, "")}
    figure_page, entries_page = templates.get_template("figure.html"), templates.get_template("entries.html")
    for figure in found.counter.figures.values():
        if figure.count:
            sample = [(place, cited.told.get(place)) for place in sorted(figure.sample())]
            listed = len(figure.entries)
            yield f"report/{figure.id}.html", figure_page.render(inside, figure=figure, sample=sample, listed=listed)
    for number, page in enumerate(entries, start=1):
        yield f"report/entries-{number:03d}.html", entries_page.render(inside, page=page)


def _report(templates: jinja2.Environment, common: dict[str, object], found: Findings, cited: Cited) -> str:
    scope = [f"resource {name}" for name in found.resources] + [f"subject {name}" for name in found.subjects]
    here: dict[str, object] = {
        **common,
        "base": "report/",
        "href": cited.href,
        "state": lambda section: state(found, section),
        "state_words": _STATES,
        "gaps": lambda section: gaps(found, section),
        "requests": found.requests.found,
        "recordings": found.casts,
        "most_rows": ROWS,
        "most_requests": REQUESTS,
        "most_recordings": RECORDINGS,
    }

    return templates.get_template("report.html").render(
        here,
        first=FIRST,
        controls=CONTROLS,
        odd=exceptions(found),
        limits=limits(found),
        policies=_policies(found, cited),
        scope=", ".join(scope),
        made=moment(found.made_unix_ns),
        made_by=found.made_by,
    )


def _policies(found: Findings, cited: Cited) -> list[dict[str, object]]:
    """Policies in the order in which they came into force, each with its texts."""
    by_digest: dict[tuple[str, Place], list[tuple[str, str]]] = {}
    for file, (digest, log, index) in found.policies.items():
        name = file.rpartition("/")[2].rpartition("~2f")[2]  # the last part of its path: ~2f is /
        by_digest.setdefault((digest, (log, index)), []).append((file, name))
    return [
        {
            "digest": digest,
            "place": place,
            "when": told.when if (told := cited.told.get(place)) else f"entry {place[1]}",
            "files": files,
        }
        for (digest, place), files in by_digest.items()
    ]
