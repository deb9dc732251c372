"""What somebody looks for, from the query of an address: one box for a question, and plain filters below it.

What it is: the form of the search and of the sessions, read into `index.found.Search`, and written again as an address.
What it will not do: ask (`library`), or trust a value: each is a text, bounded, and the search quotes it.

Invariant: pure; the address of a page has all of its search, so that it can be kept, and sent to a colleague.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from doorward_console.index.found import Search
from doorward_console.index.times import NoTime, since, until

MAX_VALUE: Final = 400
FILTERS: Final = ("who", "sponsor", "resource", "protocol", "table", "action", "verdict", "code", "approver", "rule")
FIELDS: Final = ("q", *FILTERS, "since", "until")
ACTIONS: Final = (
    ("", "anything"),
    ("change", "changes"),
    ("read", "reads"),
    ("write", "writes"),
    ("define", "definitions (DDL)"),
    ("execute", "executions"),
    ("transfer", "transfers"),
    ("admin", "administration"),
)
VERDICTS: Final = (
    ("", "any verdict"),
    ("permit", "permitted"),
    ("deny", "denied"),
    ("held", "held for people"),
    ("hold", "still waiting"),
)
EXAMPLES: Final = (
    "who changed customer 42 yesterday, and who approved it",
    "denied last week",
    "held today",
    "who read customer 24h",
    '"drop table"',
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: the question in its words, the filters, and what is wrong with a time."""

    question: str
    values: Mapping[str, str]
    search: Search
    before: int
    problem: str = ""

    @property
    def anything(self) -> bool:
        """Whether anything was asked at all."""
        return any(self.values.values())

    @property
    def filtered(self) -> bool:
        """Whether anything was said beside the question."""
        return any(value for name, value in self.values.items() if name != "q")

    def address(self, path: str, **changes: object) -> str:
        """The same search at a path, with changes."""
        told = {**self.values, **{name: str(value) for name, value in changes.items()}}
        query = urlencode({name: value for name, value in told.items() if value})
        return f"{path}?{query}" if query else path

    @property
    def words(self) -> str:
        """All of it, for the record of who read what."""
        return "; ".join(f"{name}: {value}" for name, value in self.values.items() if value)


def asked(query: Mapping[str, str], now_unix_ns: int) -> Asked:
    """What the query of an address asks for."""
    values = {name: query.get(name, "").strip()[:MAX_VALUE] for name in FIELDS}
    problem, first, last = "", 0, 0
    try:
        first, last = since(values["since"], now_unix_ns), until(values["until"], now_unix_ns)
    except NoTime as error:
        problem = str(error)
    search = Search(
        identity=values["who"],
        sponsor=values["sponsor"],
        resource=values["resource"],
        protocol=values["protocol"],
        since_unix_ns=first,
        until_unix_ns=last,
        verdict=values["verdict"],
        table=values["table"],
        code=values["code"],
        action=values["action"],
        approver=values["approver"],
        rule=values["rule"],
    )
    before = query.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 20 else 0  # noqa: PLR2004 - 64 bits
    return Asked(values["q"], values, search, number, problem)
