"""Cases kept beside a policy: what it must allow, must hold and must block.

What it is: the strict model of a case file, its reader, and a runner that gives one result per case.
What it will not do: read SQL (a caller that can hands in how), touch a target, or change anything.

Invariants: pure; a case that cannot be run fails; identities and resources are made up in the file, so that cases hold
on every machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from doorward_core.config_types import NotEmptyText, Strict, fault, nearest, shown, validate
from doorward_core.config_yaml import Problem, read_document
from doorward_core.errors import ConfigError
from doorward_core.model import Action, Atom, AuthMethod, Identity, Operation, PrincipalKind, Resource, Target
from doorward_core.policy.commands import COMMAND
from doorward_core.policy.decide import Policy
from doorward_core.policy.explain import WORDS, Explanation, explain, explain_connect
from doorward_core.policy.objects import OBJECT
from doorward_core.policy.requests import REQUEST
from doorward_core.policy.rules import FILTER_KINDS, Do


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as a person writes it down: `GET /customers?limit=10`, its headers, its body."""

    line: str
    headers: Mapping[str, str]
    body: str = ""


ReadRequest: TypeAlias = Callable[[Asked, Resource], Operation]
"""A request on a resource to the operation that it is; what cannot be read is an operation that is not complete."""
ReadSql: TypeAlias = Callable[[str, Resource], Operation]
"""SQL text on a resource to the operation that it is; what cannot be read is an operation that is not complete."""

_SINGULAR: Mapping[str, str] = {key.removesuffix("s"): kind for key, kind in FILTER_KINDS.items()}


class Person(Strict):
    """An identity, as a case needs it."""

    subject: str = "somebody"
    issuer: str = "https://issuer.example"
    kind: PrincipalKind = PrincipalKind.AGENT
    groups: tuple[str, ...] = ()
    attributes: dict[str, str] = Field(default_factory=dict)


class Place(Strict):
    """A resource, as a case needs it."""

    protocol: str = "postgres"
    labels: dict[str, str] = Field(default_factory=dict)


class Deed(Strict):
    """One atom: an action, and what it touches."""

    do: Do
    table: str | None = None
    columns: tuple[str, ...] = ()
    function: str | None = None
    setting: str | None = None
    channel: str | None = None
    role: str | None = None
    command: str | None = None
    request: str | None = None
    object: str | None = None
    target: dict[str, str] | None = None
    detail: str = ""

    @model_validator(mode="after")
    def _one_target(self) -> "Deed":
        if self.do == "any":
            raise fault("a case names one action; `any` is for rules")
        if len(self._targets()) != 1:
            known = ", ".join((*_SINGULAR, COMMAND, REQUEST, OBJECT))
            raise fault(f"needs exactly one of {known} and `target: {{kind: name}}`")
        return self

    def _targets(self) -> list[tuple[str, str]]:
        keys = {**_SINGULAR, COMMAND: COMMAND, REQUEST: REQUEST, OBJECT: OBJECT}
        named = [(kind, name) for key, kind in keys.items() if (name := getattr(self, key)) is not None]
        return named + list((self.target or {}).items())

    def atom(self) -> Atom:
        """The atom that it stands for."""
        kind, name = self._targets()[0]
        if kind == COMMAND:
            program, _, arguments = name.partition(" ")
            return Atom(Action(self.do), Target(kind, program, self.columns, self.detail or arguments))
        if kind == OBJECT:
            verb, _, place = name.rpartition(" ")
            return Atom(Action(self.do), Target(kind, place, self.columns, self.detail or verb))
        return Atom(Action(self.do), Target(kind, name, self.columns, self.detail))


class Case(Strict):
    """One case. `by` names rules that must have decided, or masks that must have.

    `account` is the one at the target, which rules may speak of.
    `facts` go with `atoms`, `headers` and `body` with `request`.
    """

    name: NotEmptyText
    must: Literal["allow", "hold", "block"]
    as_: NotEmptyText = Field(alias="as")
    on: NotEmptyText
    account: str = ""
    sql: str | None = None
    request: NotEmptyText | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    atoms: tuple[Deed, ...] | None = None
    facts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    connect: Literal[True] | None = None
    by: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_question(self) -> "Case":
        if sum(item is not None for item in (self.sql, self.request, self.atoms, self.connect)) != 1:
            raise fault("asks exactly one of `sql`, `request`, `atoms` and `connect: true`")
        if (self.headers or self.body) and self.request is None:
            raise fault("`headers` and `body` go with `request`")
        if self.facts and self.atoms is None:
            raise fault("`facts` go with `atoms`")
        if self.atoms == ():
            raise fault("`atoms` needs at least one entry")
        return self


class CaseFile(Strict):
    """A file of cases."""

    version: Literal[1] = 1
    identities: dict[str, Person]
    resources: dict[str, Place]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went. `got` is empty where it could not be run; `problem` says why it failed."""

    name: str
    source: str
    must: str
    got: str
    problem: str = ""
    explanation: Explanation | None = None

    @property
    def passed(self) -> bool:
        """Whether the policy did what the case demands."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Cases:
    """A checked file of cases, with where each stands."""

    file: CaseFile
    sources: tuple[str, ...]


def parse_cases(text: str, name: str) -> Cases:
    """Read a file of cases. Raises ConfigError with every fault."""
    document = read_document(text, name)
    file, problems = validate(CaseFile, document)
    problems += document.problems
    for index, case in enumerate(file.cases if file is not None else ()):
        assert file is not None
        for key, value, known in (("as", case.as_, file.identities), ("on", case.on, file.resources)):
            if value not in known:
                message = f"`{shown(value)}` is not described in this file{nearest(value, known)}"
                problems.append(document.problem(("cases", index, key), message))
    if file is None or problems:
        raise ConfigError(_rendered(problems, name))
    return Cases(file, tuple(f"{name}:{document.line(('cases', index))}" for index in range(len(file.cases))))


def run_cases(
    policy: Policy,
    cases: Cases,
    read_sql: ReadSql | None = None,
    now_unix_ns: int = 0,
    *,
    read_request: ReadRequest | None = None,
) -> list[CaseResult]:
    """Run every case against a policy, in the order of the file."""
    people = {name: _identity(person) for name, person in cases.file.identities.items()}
    places = {name: Resource(name, place.protocol, place.labels) for name, place in cases.file.resources.items()}
    results: list[CaseResult] = []
    for case, source in zip(cases.file.cases, cases.sources, strict=True):
        identity, resource = people[case.as_], replace(places[case.on], account=case.account)
        if case.connect:
            told = explain_connect(policy, identity, resource, now_unix_ns)
        else:
            operation = _operation(case, resource, read_sql, read_request)
            if isinstance(operation, str):
                results.append(CaseResult(case.name, source, case.must, "", operation))
                continue
            told = explain(policy, identity, resource, operation, now_unix_ns=now_unix_ns)
        results.append(_judged(case, source, told))
    return results


def _operation(
    case: Case, resource: Resource, read_sql: ReadSql | None, read_request: ReadRequest | None
) -> Operation | str:
    """What a case asks; or why that cannot be told."""
    if case.sql is not None:
        return read_sql(case.sql, resource) if read_sql else "this case asks with SQL, and SQL cannot be read here"
    if case.request is not None:
        if read_request is None:
            return "this case asks with a request, and requests cannot be read here"
        return read_request(Asked(case.request, case.headers, case.body), resource)
    atoms = tuple(deed.atom() for deed in case.atoms or ())
    return Operation(b"", 0, atoms[0].action, "CASE", atoms, case.name, b"", facts=case.facts)


def _judged(case: Case, source: str, told: Explanation) -> CaseResult:
    got = WORDS[told.decision.effect]
    problem = ""
    if got != case.must:
        problem = f"must {case.must}, but the policy says {got}"
    else:
        decided = {rule.id for atom in told.atoms for rule in atom.matched if rule.decided}
        absent = [rule for rule in case.by if rule not in decided]
        if absent:
            problem = f"decided without {', '.join(absent)}; by {', '.join(sorted(decided)) or 'default'}"
    return CaseResult(case.name, source, case.must, got, problem, told)


def _identity(person: Person) -> Identity:
    return Identity(
        person.subject,
        person.issuer,
        person.kind,
        frozenset(person.groups),
        AuthMethod.JWT,
        "case",
        0,
        0,
        attributes=person.attributes,
    )


def _rendered(problems: list[Problem], name: str) -> tuple[str, ...]:
    return tuple(item.render(name) for item in sorted(problems, key=lambda item: item.line))
