"""Policy files to a `Policy`.

What it is: reads a policy file and what it includes, checks everything, compiles.
What it will not do: keep a half-good policy: any fault, and nothing is loaded.

Invariants: all faults of all files at once, each with file, line and key path; ids are unique across includes; a file
that is included twice counts once; cycles are a fault; the digest depends on meaning alone (not on comments, spacing,
order of keys or of rules, nor on how rules are spread over files).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TypeAlias

from doorward_core.config_types import nearest, shown, validate
from doorward_core.config_yaml import Document, Problem, read_document
from doorward_core.errors import ConfigError
from doorward_core.policy.compile import CompiledMask, CompiledRule, compile_mask, compile_rule
from doorward_core.policy.decide import Policy
from doorward_core.policy.rules import MaskRule, PolicyFile, Rule, canonical

SHIPPED = {"safe-catalog": "safe_catalog.yaml"}
"""Rule sets that come with Doorward, by the name to include them by."""
MAX_FILES = 64
"""More files than this have not been written by hand."""

Resolver: TypeAlias = Callable[[str, str], tuple[str, str]]
"""(name of the including file, what it includes) to (name, text). Raises OSError or ValueError with words to show."""


def load_policy(path: Path) -> Policy:
    """Load a policy from a file, includes relative to it. Raises ConfigError with every fault."""
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError((f"{name}:1: {_unreadable(error)}",)) from None
    return parse_policy(text, name, _from_files)


def parse_policy(text: str, name: str, include_resolver: Resolver | None = None) -> Policy:
    """Load a policy from text. Without a resolver, only shipped rule sets can be included."""
    loading = _Loading(include_resolver or _only_shipped)
    loading.file(name, text)
    if loading.problems:
        raise ConfigError(tuple(loading.problems))
    return loading.policy()


def shipped_text(name: str) -> str:
    """The text of a shipped rule set."""
    return resources.files("doorward_core.policy").joinpath(SHIPPED[name]).read_text(encoding="utf-8")


def _from_files(including: str, what: str) -> tuple[str, str]:
    path = Path(including).parent / what
    return str(path), path.read_bytes().decode("utf-8")


def _only_shipped(_including: str, what: str) -> tuple[str, str]:
    known = nearest(what, SHIPPED)
    raise ValueError(f"no such rule set{known}")


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeError):
        return "cannot be read: not UTF-8 text"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or 'no reason given'}"
    return str(error)


def _included(document: Document) -> list[tuple[int, str]]:
    """What a file includes, read from its data, so that faults elsewhere in it hide none of theirs."""
    listed = document.data.get("include") if isinstance(document.data, dict) else None
    if not isinstance(listed, list):
        return []
    return [(index, what) for index, what in enumerate(listed) if isinstance(what, str)]


@dataclass(slots=True)
class _Loading:
    """One load: everything found so far."""

    resolve: Resolver
    problems: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    rules: list[CompiledRule] = field(default_factory=list)
    masks: list[CompiledMask] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    meanings: list[bytes] = field(default_factory=list)

    def file(self, name: str, text: str) -> None:
        """Take one file, then what it includes."""
        self.texts[name] = text
        document = read_document(text, name)
        if document.data is None and not document.problems:
            document.data = {}
        unread = document.data is None  # nothing could be read, so nothing can be said of what it holds
        content, problems = (None, []) if unread else validate(PolicyFile, document)
        self.open.append(name)
        included, more = self._includes(document)
        faults = document.problems + problems + more
        self.problems += [item.render(name) for item in sorted(faults, key=lambda item: item.line)]
        for inner_name, inner_text in included:
            if inner_name not in self.texts:
                self.file(inner_name, inner_text)
        self.open.pop()
        if content is None:
            return
        for index, rule in enumerate(content.rules):
            if self._unique(document, "rules", index, rule):
                self.rules.append(compile_rule(rule, f"{name}:{document.line(('rules', index))}"))
        for index, mask in enumerate(content.masks):
            if self._unique(document, "masks", index, mask):
                self.masks.append(compile_mask(mask, f"{name}:{document.line(('masks', index))}"))

    def _includes(self, document: Document) -> tuple[list[tuple[str, str]], list[Problem]]:
        """The files that a file includes, by name and text, and what is wrong with the asking."""
        found: list[tuple[str, str]] = []
        faults: list[Problem] = []
        for index, what in _included(document):
            where = ("include", index)
            try:
                name, text = (what, shipped_text(what)) if what in SHIPPED else self._resolved(document.name, what)
            except (OSError, ValueError) as error:
                faults.append(document.problem(where, f"`{shown(what)}` {_unreadable(error)}"))
                continue
            if name in self.open:
                chain = " -> ".join([*self.open[self.open.index(name) :], name])
                faults.append(document.problem(where, f"includes itself: {chain}"))
            elif len(self.texts) + len(found) >= MAX_FILES:
                faults.append(document.problem(where, f"more than {MAX_FILES} files"))
            else:
                found.append((name, text))
        return found, faults

    def _resolved(self, including: str, what: str) -> tuple[str, str]:
        """A bare word is a shipped set's name misspelt; anything with a suffix is a file."""
        if "." not in what:
            raise ValueError(f"is no shipped rule set{nearest(what, SHIPPED)}")
        return self.resolve(including, what)

    def _unique(self, document: Document, section: str, index: int, item: Rule | MaskRule) -> bool:
        here = f"{document.name}:{document.line((section, index))}"
        first = self.sources.setdefault(item.id, here)
        if first is not here:
            problem = document.problem((section, index, "id"), f"`{item.id}` is already the id at {first}")
            self.problems.append(problem.render(document.name))
            return False
        self.meanings.append(section.encode() + b"\0" + canonical(item))
        return True

    def policy(self) -> Policy:
        """What was loaded, its digest over the sorted meanings, each with its length before it."""
        digest = hashlib.sha256(b"doorward-policy-1\0")
        for meaning in sorted(self.meanings):
            digest.update(len(meaning).to_bytes(8, "big") + meaning)
        return Policy(digest.digest(), tuple(self.rules), tuple(self.masks), dict(self.texts))
