"""What the report says: report.json, and the same for its pages.

Implements docs/spec/evidence.md section 8.
It is pure: what was collected comes in, plain values go out; pages are made of them in `pages`.
It will not judge: a section says what was counted, what stands out, and what stays open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorward_console.evidence.asked import Requests
from doorward_console.evidence.casts import Cast
from doorward_console.evidence.cited import Place
from doorward_console.evidence.controls import SECTIONS, Section
from doorward_console.evidence.figures import Counter
from doorward_console.output import moment

FORMAT: Final = "doorward-evidence-report@1"
REQUESTS_CITED: Final = 200
RECORDINGS_CITED: Final = 200
POLICIES_CITED: Final = 200
ROWS_CITED: Final = 25
NOTHING: Final = (
    "Nothing of this kind happened in the period. That is no evidence that it would have been handled well."
)

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class LogFacts:
    """One log as the report tells of it. `data` is its part of report.json; counts beside it are stated."""

    data: Json
    origin: str
    vkey: str
    key_from: str
    witnesses: tuple[str, ...]
    first: int
    end: int
    size: int
    withheld: int
    behind: int
    last_unix_ns: int
    gone: int
    unerased: int
    recordings_left_out: int
    outside_size: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a report is made of."""

    made_unix_ns: int
    made_by: str
    from_unix_ns: int
    to_unix_ns: int
    resources: tuple[str, ...]
    subjects: tuple[str, ...]
    logs: tuple[LogFacts, ...]
    counter: Counter
    requests: Requests
    policies: dict[str, tuple[str, int, int]]
    casts: tuple[Cast, ...]


def report_data(found: Findings) -> Json:
    """report.json."""
    return {
        "format": FORMAT,
        "made": {"by": found.made_by, "unix_ns": found.made_unix_ns},
        "period": {"from_unix_ns": found.from_unix_ns, "to_unix_ns": found.to_unix_ns},
        "scope": {"resources": sorted(found.resources), "subjects": sorted(found.subjects)},
        "logs": [log.data for log in found.logs],
        "figures": {name: figure.data() for name, figure in found.counter.figures.items()},
        "tables": {name: table.data() for name, table in found.counter.tables.items()},
        "policies": [
            {"digest": digest, "file": file, "log": log, "index": index}
            for file, (digest, log, index) in sorted(found.policies.items())
        ],
        "recordings": [cast.data() for cast in found.casts],
        "controls": [
            {"id": section.id, "figures": list(section.figures), "exceptions": list(section.exceptions)}
            for section in SECTIONS
        ],
    }


def cited(found: Findings) -> list[Place]:
    """Every event that the report leads to."""
    places: list[Place] = []
    for figure in found.counter.figures.values():
        places += figure.sample()
    for table in found.counter.tables.values():
        for group, _ in table.rows()[:ROWS_CITED]:
            places += [place for cell in table.cited[group] for place in cell]
    for one in found.requests.found[:REQUESTS_CITED]:
        indexes = [one.index, *(vote.index for vote in one.votes), *one.ran[:3]]
        indexes += [one.ending_index] if one.ending_index is not None else []
        places += [(one.log, index) for index in indexes]
    places += [(log, index) for _, log, index in list(found.policies.values())[:POLICIES_CITED]]
    places += [(cast.log, cast.index) for cast in found.casts[:RECORDINGS_CITED]]
    return places


def state(found: Findings, section: Section) -> str:
    """`open` where nothing of the kind happened, `exceptions` where something stands out, `gap`, else `clean`."""
    figures = found.counter.figures
    if any(figures[name].count for name in section.exceptions):
        return "exceptions"
    if not any(figures[name].count for name in section.figures):
        return "open"
    return "clean" if all(figures[name].count for name, _ in section.needs) else "gap"


def gaps(found: Findings, section: Section) -> list[str]:
    """What a section has nothing to show for."""
    if state(found, section) == "open":
        return [NOTHING]
    return [words for name, words in section.needs if not found.counter.figures[name].count]


def limits(found: Findings) -> list[str]:
    """What this bundle cannot show, and why."""
    said: list[str] = []
    whose: dict[str, list[str]] = {}
    for log in found.logs:
        for words in _limits_of(log):
            whose.setdefault(words, []).append(log.origin)
    said += [f"{', '.join(origins)}: {words}" for words, origins in whose.items()]
    if found.resources or found.subjects:
        said.append(
            "The bundle is limited to a scope: figures count what is in it. All entries of the period are here all the "
            "same, the others without their content."
        )
    sealed = found.counter.figures["content.sealed"].count
    if sealed:
        said.append(f"{sealed:,} contents stay sealed: that they were recorded is proved, what they say is not shown.")
    if found.requests.more:
        said.append(f"{found.requests.more:,} further requests for approval are counted and not listed.")
    return said


def _limits_of(log: LogFacts) -> list[str]:
    said = [
        "whose key signed is known only to who has the vkey from elsewhere; the one used is at the end of this report."
        if log.vkey
        else "no key was given and the log names none."
    ]
    if not log.witnesses:
        said.append(
            "no witness cosigned the checkpoint: that nobody was shown another log under the same key is not proved."
        )
    if log.behind:
        said.append(f"{log.behind:,} entries lay behind the checkpoint: not protected yet, and not here.")
    if log.end == log.size:
        said.append(f"the checkpoint reaches to {moment(log.last_unix_ns)}; what came later is not here.")
    if log.withheld:
        said.append(
            f"{log.withheld:,} entries are given by their hashes; what is said of them, and so "
            "that they are out of scope, is stated and not proved."
        )
    if log.gone:
        said.append(f"{log.gone:,} sealed contents can be opened by nobody any more: their keys are gone.")
    if log.unerased:
        said.append(
            f"of {log.unerased:,} sealed contents the keys are gone, and the period has no erasure of them on record: "
            "they were erased later, or taken away unsaid."
        )
    if log.recordings_left_out:
        said.append(f"{log.recordings_left_out:,} recordings are too large; the entries have them.")
    return said


def exceptions(found: Findings) -> Sequence[str]:
    """Figures that an auditor should see first, largest first."""
    worth = [figure for figure in found.counter.figures.values() if figure.exception and figure.count]
    return [figure.id for figure in sorted(worth, key=lambda figure: (-figure.count, figure.id))]
