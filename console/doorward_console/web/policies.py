"""The policies of the desk's gateways: loaded, explained, and a changed one tried on what is on record.

What it is: files and logs that the settings name, read in threads, bounded in time; questions of pages answered.
What it will not do: change a policy, or ask a gateway what it has in force: `policy` in the settings says which file
that is, and the digest beside it shows whether it is the one that the log has.

Invariants: nothing outside the settings is read; a changed text includes only what the policy in force includes, and
what is shipped.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, TypeVar

import trio

from doorward_console.backtest import Backtest, backtest
from doorward_console.index.build import Source
from doorward_console.review.ledger import ledger
from doorward_console.review.report import Review, review
from doorward_console.settings import GatewaySettings
from doorward_console.web.library import Library, Unreadable
from doorward_core.config import load_config
from doorward_core.errors import ConfigError, RecordError
from doorward_core.model import Resource
from doorward_core.policy.decide import Policy
from doorward_core.policy.load import load_policy, parse_policy
from doorward_core.record.reader import Entry

T = TypeVar("T")

READING_S: Final = 25.0
"""Of one log for one question: some hundred thousand entries; past it the command does it without hurry."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A gateway's policy and the resources that its configuration names; `path` is the policy's file."""

    gateway: str
    path: Path
    policy: Policy
    resources: Mapping[str, Resource]


@dataclass(slots=True)
class Bounded:
    """Entries up to a moment; `stopped` is the index where time was up, and -1 where all were read."""

    entries: Iterable[Entry]
    until_s: float
    stopped: int = -1

    def __iter__(self) -> Iterator[Entry]:
        """The entries, as far as time lasts."""
        for entry in self.entries:
            if not entry.index % 256 and time.monotonic() > self.until_s:
                self.stopped = entry.index
                return
            yield entry


def policy_path(settings: GatewaySettings) -> Path | None:
    """The file of a gateway's policy, as the settings say it: directly, or by its configuration."""
    if settings.policy is not None or settings.config is None:
        return settings.policy
    return load_config(settings.config).policy


async def in_force(name: str, settings: GatewaySettings) -> InForce:
    """Load what a gateway has. Raises Unreadable."""

    def load() -> InForce:
        path = policy_path(settings)
        if path is None:
            raise Unreadable(f"the settings name no `policy` of {name}, and no `config`")
        resources = load_config(settings.config).nouns() if settings.config is not None else {}
        return InForce(name, path, load_policy(path), resources)

    try:
        return await trio.to_thread.run_sync(load)
    except ConfigError as error:
        raise Unreadable("; ".join(error.problems[:3])) from error


def changed(standing: InForce, text: str) -> Policy:
    """The policy with another text in place of its main file. Raises ConfigError with every fault."""
    texts = standing.policy.texts

    def resolve(including: str, what: str) -> tuple[str, str]:
        name = str(PurePath(including).parent / what)
        if name not in texts:
            raise ValueError("is not among the files of the policy in force")
        return name, texts[name]

    return parse_policy(text, str(standing.path), resolve)


async def tried(library: Library, standing: InForce, policy: Policy, *, since_unix_ns: int) -> tuple[Backtest, int]:
    """Try a policy on a gateway's log; with where reading stopped, or -1. Raises Unreadable."""
    source = await _source(library, standing.gateway)

    def run() -> tuple[Backtest, int]:
        entries = Bounded(source.reader().entries(), time.monotonic() + READING_S)
        return backtest(entries, policy, standing.resources, since_unix_ns=since_unix_ns), entries.stopped

    return await _reading(run)


async def reviewed(
    library: Library, standing: InForce, *, since_unix_ns: int, until_unix_ns: int
) -> tuple[Review, int]:
    """Review a gateway's log under its policy; with where reading stopped, or -1. Raises Unreadable."""
    source = await _source(library, standing.gateway)

    def run() -> tuple[Review, int]:
        reader = source.reader()
        mark = reader.checkpoint()
        if mark is None:
            raise Unreadable("this log has no checkpoint yet")
        entries = Bounded(reader.entries(), time.monotonic() + READING_S)
        counted = ledger(entries, since_unix_ns=since_unix_ns, until_unix_ns=until_unix_ns)
        spans = {"since_unix_ns": since_unix_ns, "until_unix_ns": until_unix_ns}
        return review(counted, standing.policy, standing.resources, origin=mark.origin, **spans), entries.stopped

    return await _reading(run)


async def _source(library: Library, gateway: str) -> Source:
    sources, _ = await library.sources()
    found = next((one for one in sources if one.name == gateway), None)
    if found is None:
        raise Unreadable(f"no log of {gateway} can be read here")
    return found


async def _reading(run: Callable[[], T]) -> T:
    try:
        return await trio.to_thread.run_sync(run)
    except RecordError as error:
        raise Unreadable(f"the log cannot be read: {error}") from error
