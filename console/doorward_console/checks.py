"""What `doorward policy` and `doorward config` find out, as values.

It reads files, and asks targets for their catalogues where cases of a test are written in SQL; it prints nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from doorward_console.requests import request_reader
from doorward_core.approvals.sshsig import parse_allowed_signers
from doorward_core.config import Config, load_config
from doorward_core.config_named import KeyPath, authorities, certificates, secrets
from doorward_core.config_types import Strict, nearest
from doorward_core.config_yaml import read_document
from doorward_core.errors import ConfigError, RecordError
from doorward_core.model import Operation, Resource
from doorward_core.net.secrets import missing
from doorward_core.net.tls import ServerTls, aging, client_context
from doorward_core.policy.decide import Policy
from doorward_core.policy.lint import remarks, unmet
from doorward_core.policy.load import load_policy
from doorward_core.policy.test_cases import CaseResult, ReadSql, parse_cases, run_cases

if TYPE_CHECKING:
    from doorward_core.sql.catalog import Catalog

TARGETS = "doorward.targets"
"""The entry-point group under which an installed proxy names, by protocol, the model of its targets."""

WITH_CATALOGUE = frozenset({"postgres"})
"""The protocols whose targets can be asked what they have."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Faults make a file unusable; remarks are worth a second look."""

    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def load(policy: Path | None, config: Path | None) -> tuple[Policy, Config | None]:
    """The policy, and the configuration where one is given. Raises ConfigError with every fault."""
    settings = load_config(config) if config is not None else None
    path = policy or (settings.policy if settings is not None else None)
    if path is None:
        raise ConfigError(("neither a policy nor a configuration was given",))
    loaded = load_policy(path)
    return (loaded.observing(settings.observing()) if settings is not None else loaded), settings


def check_policy(policy: Path | None, config: Path | None, now_unix_ns: int, *, ask: bool = False) -> Findings:
    """A policy's faults, and what its author may not have meant; `ask` compares its names with those of the targets."""
    try:
        loaded, settings = load(policy, config)
    except ConfigError as error:
        return Findings(error.problems)
    resources = settings.nouns() if settings is not None else {}
    spoken = {protocol: model.vocabulary for protocol, model in target_models().items()}
    found = remarks(loaded, resources, now_unix_ns, spoken)
    if not ask:
        return Findings(remarks=found)
    if settings is None or config is None:
        return Findings(("the targets are asked for their names as a configuration says: give --config",))
    try:
        return Findings(remarks=found + _names_not_there(loaded, settings, config.parent))
    except ConfigError as error:
        return Findings(error.problems, found)


def _names_not_there(policy: Policy, config: Config, folder: Path) -> tuple[str, ...]:
    """Tables and columns that a policy names and no target has. Raises ConfigError."""
    found: tuple[str, ...] = ()
    for name, resource in config.nouns().items():
        if resource.protocol in WITH_CATALOGUE:
            catalogue = _catalogue(name, config, folder)
            tables = frozenset(relation.qualified for relation in catalogue.relations)
            columns = frozenset(
                f"{relation.qualified}.{column.name}" for relation in catalogue.relations for column in relation.columns
            )
            found += unmet(policy, resource, tables, columns)
    return found


def _catalogue(name: str, config: Config, folder: Path) -> "Catalog":
    from doorward_console.catalogue import NoCatalogue, read_catalogue  # noqa: PLC0415 - a driver, loaded where used

    try:
        return read_catalogue(config.resources[name], folder)
    except NoCatalogue as error:
        raise ConfigError((f"{name}: {error}",)) from error


def check_config(config: Path, now_unix_ns: int) -> Findings:
    """A configuration's faults, and those of the files that it names: what a start would refuse.

    Remarks are what a start would warn of: secrets that are not there, certificates that end.
    """
    models = target_models()
    try:
        settings = load_config(config, models, others=True)
    except ConfigError as error:
        return Findings(error.problems)
    faults: list[str] = []
    notes: list[str] = []
    unknown = sorted({item.protocol for item in settings.resources.values()} - set(models))
    if unknown:
        near = nearest(unknown[0], models)
        notes.append(f"{config}: `target` was not checked: no proxy for {', '.join(unknown)} is installed here{near}")
    try:
        load_policy(settings.policy)
    except ConfigError as error:
        faults += error.problems
    faults += _recipients(config, settings.record.recipients)
    signers = settings.approvals.signers
    if signers is not None:
        try:
            parse_allowed_signers(signers.read_bytes(), str(signers))
        except ConfigError as error:
            faults += error.problems
        except OSError as error:
            faults.append(f"{signers}:1: cannot be read: {error.strerror}")
    at = read_document(config.read_text(encoding="utf-8"), str(config))
    faults += [at.problem(path, words).render(at.name) for path, words in _tls_faults(settings)]
    notes += [at.problem(path, words).render(at.name) for path, words in _aging(settings, now_unix_ns)]
    return Findings(tuple(faults), tuple(notes))


def _tls_faults(settings: Config) -> Iterator[tuple[KeyPath, str]]:
    """Certificates, keys and authorities that TLS could not use."""
    for shown in certificates(settings):
        try:
            ServerTls(shown.certificate, shown.key)
        except ConfigError as error:
            yield from ((shown.path, problem) for problem in error.problems)
    for path, authority in authorities(settings):
        try:
            client_context(authority)
        except ConfigError as error:
            yield from ((path, problem) for problem in error.problems)


def _aging(settings: Config, now_unix_ns: int) -> Iterator[tuple[KeyPath, str]]:
    """What can be used, and will not do for long, or not for everybody; and secrets that are not there."""
    for shown in certificates(settings):
        yield from ((shown.path, words) for words in aging(shown.certificate, now_unix_ns, shown.address))
    for path, authority in authorities(settings):
        yield from ((path, words) for words in aging(authority, now_unix_ns))
    for path, source in secrets(settings):
        problem = missing(source)
        if problem:
            yield path, f"{problem} here; the gateway needs it where it starts"


def _recipients(config: Path, recipients: tuple[str, ...]) -> list[str]:
    """What a gateway would stop at: keys that nothing can be sealed to."""
    from doorward_core.record.keys import parse_recipient  # noqa: PLC0415 - loads a library that only sealing needs

    faults: list[str] = []
    for recipient in recipients:
        try:
            parse_recipient(recipient)
        except RecordError as error:
            faults.append(f"{config}: record.recipients: {error}")
    return faults


def target_models() -> Mapping[str, type[Strict]]:
    """The models of targets, by protocol, of the proxies that are installed here."""
    return {point.name: point.load() for point in entry_points(group=TARGETS)}


def run_policy_tests(
    cases: Path, policy: Policy, config: Config | None, folder: Path, *, offline: bool, now_unix_ns: int
) -> list[CaseResult]:
    """Run a file of cases. SQL is read against the catalogue of the configured resource of the same name.

    Raises ConfigError if the file cannot be used, or a catalogue that it needs cannot be read.
    """
    parsed = parse_cases(cases.read_text(encoding="utf-8"), str(cases))
    reader = None if offline or config is None else _reader(policy, config, folder)
    return run_cases(policy, parsed, reader, now_unix_ns, read_request=request_reader(policy, config, folder))


def _reader(policy: Policy, config: Config, folder: Path) -> ReadSql:
    from doorward_console.reading import read_sql  # noqa: PLC0415 - the grammar takes a while to load

    catalogues: dict[str, Catalog] = {}
    masks = tuple(rule.mask for rule in policy.mask_rules)

    def read(text: str, resource: Resource) -> Operation:
        if resource.name not in config.resources:
            raise ConfigError((f"a case asks with SQL on {resource.name}, which the configuration does not have",))
        if resource.name not in catalogues:
            catalogues[resource.name] = _catalogue(resource.name, config, folder)
        return read_sql(text, catalogues[resource.name], masks)

    return read
