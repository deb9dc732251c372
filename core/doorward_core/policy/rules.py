"""The policy file, key by key.

What it is: the strict models of rules, masks and their parts, as `docs/policy.md` describes them to operators.
What it will not do: decide, or read files.

Invariants: pure; unknown keys, empty lists and rules that could never mean what they say are faults, not surprises;
`content_hash` is SHA-256 over a rule's meaning, in canonical JSON, so that comments, order of keys and spacing change
nothing, and any change of meaning changes it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from doorward_core.config_types import Bytes, Strict, UnixNs, WholeSeconds, fault, frozen_lists
from doorward_core.model import Action, PrincipalKind, RecordLevel, Transform
from doorward_core.policy.commands import COMMAND
from doorward_core.policy.objects import OBJECT
from doorward_core.policy.patterns import (
    Columns,
    Commands,
    Detectors,
    Facts,
    Identifier,
    Objects,
    Patterns,
    People,
    Requests,
    not_empty,
)
from doorward_core.policy.requests import REQUEST

ANY = "any"
"""In `do`: every action, `unknown` included."""

FILTER_KINDS: Mapping[str, str] = {
    "tables": "relation",
    "functions": "function",
    "settings": "setting",
    "channels": "channel",
    "roles": "role",
}
"""The keys of a rule that narrow it by target, and the kind of target each speaks of."""

PROOFS = ("token", "sshsig", "webauthn")
"""What an approver can prove a vote with: first the weakest, which asks for nothing; the others are equally good."""
_MAX_QUORUM = 16
"""More distinct people than this have never been asked to agree on one statement; it catches a typing error."""
_MAX_STANDING_S = 7 * 86400
"""Whoever needs something for longer than a week needs a rule, which others read before it is in force."""
_MAX_RATE = 10_000
"""Each one counted is remembered for the length of its window."""
_PERIODS_S: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Do: TypeAlias = Literal[
    "any",
    "connect",
    "session",
    "read",
    "probe",
    "write",
    "define",
    "admin",
    "execute",
    "transfer",
    "forward",
    "unknown",
]


def _standing(value: int) -> int:
    if value > _MAX_STANDING_S:
        raise fault("at most 7d; whoever needs something for longer needs a rule that allows it")
    return value


def _proof(value: object) -> str:
    """One kind of proof or a list of them, in the one form that is compared and hashed."""
    names = value if isinstance(value, list | tuple) else (value,)
    if not names or not all(isinstance(name, str) and name in PROOFS for name in names):
        raise fault(f"expected {', '.join(f'`{name}`' for name in PROOFS)}, or a list of them")
    return PROOFS[0] if PROOFS[0] in names else " or ".join(sorted(set(names)))


Standing = Annotated[WholeSeconds, AfterValidator(_standing)]
Proof = Annotated[str, PlainValidator(_proof)]


class Who(Strict):
    """Which identities: every key that is given must match; within a key, any one entry."""

    groups: People | None = None
    subjects: People | None = None
    issuers: People | None = None
    kind: PrincipalKind | None = None
    attributes: dict[str, Patterns] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Who":
        if not any((self.groups, self.subjects, self.issuers, self.kind, self.attributes)):
            raise fault("says nothing; leave the key out to mean everybody")
        return self


class Where(Strict):
    """Which resources, by more than name: every key that is given must match."""

    names: Patterns | None = None
    labels: dict[str, Patterns] | None = None
    protocols: Patterns | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str | list):
            value = {"names": [value] if isinstance(value, str) else value}
        return frozen_lists(value)

    @model_validator(mode="after")
    def _says_something(self) -> "Where":
        if not any((self.names, self.labels, self.protocols)):
            raise fault('says nothing; write `"*"` to mean every resource')
        return self


class Approvers(Strict):
    """Who may approve."""

    groups: Annotated[tuple[Identifier, ...], AfterValidator(not_empty)]


class Approval(Strict):
    """What a hold waits for."""

    by: Approvers
    quorum: Annotated[int, Field(ge=1, le=_MAX_QUORUM)] = 1
    within: WholeSeconds = 600
    grant: WholeSeconds = 300
    in_transaction: WholeSeconds = 60
    retry: bool | None = None
    standing: Standing | None = None
    proof: Proof = "token"
    fresh: WholeSeconds | None = None


class Limits(Strict):
    """Where to stop."""

    rows: Annotated[int, Field(ge=0)] | None = None
    bytes: Bytes | None = None
    seconds: WholeSeconds | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Limits":
        if self.rows is None and self.bytes is None and self.seconds is None:
            raise fault("says nothing; give `rows`, `bytes` or `seconds`")
        return self


class Rule(Strict):
    """One rule."""

    id: Identifier
    effect: Literal["allow", "hold", "block"]
    who: Who | None = None
    unless: Who | None = None
    resource: Where
    accounts: Patterns | None = None
    do: Annotated[tuple[Do, ...], AfterValidator(not_empty)]
    tables: Patterns | None = None
    columns: Patterns | None = None
    functions: Patterns | None = None
    settings: Patterns | None = None
    channels: Patterns | None = None
    roles: Patterns | None = None
    commands: Commands | None = None
    requests: Requests | None = None
    objects: Objects | None = None
    when: Facts | None = None
    targets: dict[str, Patterns] | None = None
    approve: Approval | None = None
    reason: str = ""
    limit: Limits | None = None
    record: RecordLevel | None = None
    until: UnixNs | None = None
    connect: bool = True

    @model_validator(mode="after")
    def _fits_together(self) -> "Rule":
        if self.effect == "hold" and self.approve is None:
            raise fault("a hold needs `approve`, such as `approve: {by: {groups: [dba]}}`")
        if self.effect != "hold" and self.approve is not None:
            raise fault("`approve` belongs to `effect: hold`")
        if self.effect == "block" and (self.limit is not None or self.record is not None):
            raise fault("`limit` and `record` have no meaning beside `effect: block`")
        if self.effect == "block" and not self.connect:
            raise fault("`connect: false` has no meaning beside `effect: block`")
        if self.targets is not None:
            for kind in (COMMAND, REQUEST, OBJECT):
                if kind in self.targets:
                    raise fault(f"write `{kind}s:` instead of `targets: {{{kind}: ...}}`")
            for kind in self.targets:
                if kind in FILTER_KINDS.values():
                    key = next(key for key, value in FILTER_KINDS.items() if value == kind)
                    raise fault(f"write `{key}:` instead of `targets: {{{kind}: ...}}`")
        return self

    @property
    def actions(self) -> frozenset[Action]:
        """The actions that `do` names."""
        return frozenset(Action) if ANY in self.do else frozenset(Action(item) for item in self.do)

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """Patterns by kind of target, those with keys and forms of their own aside; empty where there are no others."""
        found: dict[str, tuple[str, ...]] = dict(self.targets or {})
        for key, kind in FILTER_KINDS.items():
            patterns = getattr(self, key)
            if patterns is not None:
                found[kind] = patterns
        return found


class Rate(Strict):
    """`20/h`: so many within a sliding window of that length."""

    count: Annotated[int, Field(ge=1, le=_MAX_RATE)]
    per_s: int

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if not isinstance(value, str):
            raise fault("expected a rate, such as `20/h`")
        count, _, period = value.partition("/")
        if not (count.isascii() and count.isdigit()) or period not in _PERIODS_S:
            raise fault("expected a rate, such as `20/h`; periods: s, m, h, d")
        return {"count": int(count), "per_s": _PERIODS_S[period]}


class Probe(Strict):
    """What becomes of a condition that looks at a masked column."""

    equality: Literal["allow", "hold", "block"] = "hold"
    other: Literal["allow", "hold", "block"] = "hold"
    limit: Rate | None = None
    approve: Approval | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> "Probe":
        if self.limit is not None and "allow" not in {self.equality, self.other}:
            raise fault("`limit` counts what is allowed; here nothing is")
        return self


class MaskRule(Strict):
    """One mask. `with` and `except` are words of Python, so they have other names inside."""

    id: Identifier
    who: Who | None = None
    unless: Who | None = Field(default=None, alias="except")
    resource: Where
    accounts: Patterns | None = None
    columns: Columns | None = None
    detect: Detectors | None = None
    transform: Transform = Field(default=Transform.REDACT, alias="with")
    label: Identifier | None = None
    flow: Literal["out", "in", "both"] = "out"
    strict: bool = False
    probe: Probe = Probe()

    @model_validator(mode="after")
    def _hides_something(self) -> "MaskRule":
        if self.columns is None and self.detect is None:
            raise fault("hides nothing; give `columns`, `detect` or both")
        return self


class PolicyFile(Strict):
    """One policy file."""

    version: Literal[1] = 1
    include: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    masks: tuple[MaskRule, ...] = ()


def canonical(item: Strict) -> bytes:
    """The meaning of a rule or mask as bytes: JSON with sorted keys and every default written out."""
    content = item.model_dump(mode="json", by_alias=True)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_hash(item: Strict) -> bytes:
    """SHA-256 of a rule's canonical content: what ties a grant to the rule that asked for it."""
    return hashlib.sha256(canonical(item)).digest()
