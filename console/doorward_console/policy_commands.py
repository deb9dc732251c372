"""`doorward policy` and `doorward config`: check, explain and test what an operator wrote, before it is in force.

Nothing is changed, and no statement is run: the target is asked for its catalogue, where SQL is to be read, and only
where a configuration says how.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import backtest_commands, output

if TYPE_CHECKING:
    from doorward_core.config import Config
    from doorward_core.model import Identity, Mask, Operation, Resource
    from doorward_core.policy.decide import Policy
    from doorward_core.policy.test_cases import Asked, CaseResult
    from doorward_core.sql.catalog import Catalog

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check, explain and test a policy.")
config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check a configuration.")
app.command("backtest")(backtest_commands.backtest)


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="DOORWARD_CONFIG", help="The gateway's configuration.", dir_okay=False),
]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="A policy file, instead of the configuration's.", dir_okay=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Do not ask the target for its catalogue; names then cannot be resolved.")
]


@config_app.command("check")
def config_check(
    config: Annotated[Path, typer.Argument(envvar="DOORWARD_CONFIG", help="The configuration.", dir_okay=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Name every fault. Of the configuration and of the files it names, with line and key; status 1 if there is one."""
    from doorward_console.checks import check_config  # noqa: PLC0415 - pydantic takes a while to load

    found = check_config(config, time.time_ns())
    _report(found.faults, found.remarks, as_json=as_json)


@app.command("check")
def check(
    policy: Annotated[Path | None, typer.Argument(help="The policy; else that of --config.", dir_okay=False)] = None,
    *,
    config: ConfigOption = None,
    names: Annotated[
        bool, typer.Option("--names", help="Ask the targets: are the tables and columns that it names there?")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Name every fault. Also what the author may not have meant; status 1 if there is a fault."""
    from doorward_console.checks import check_policy  # noqa: PLC0415 - pydantic takes a while to load

    found = check_policy(policy, config, time.time_ns(), ask=names)
    _report(found.faults, found.remarks, as_json=as_json)


@app.command("explain")
def explain(
    *,
    resource: Annotated[str, typer.Option("--resource", help="On which resource.")],
    account: Annotated[str, typer.Option("--account", help="As which account; else its default, if known.")] = "",
    sql: Annotated[str, typer.Option("--sql", help="What is asked; - reads it from input.")] = "",
    request: Annotated[str, typer.Option("--request", help="Instead of SQL: a request (GET /customers/42).")] = "",
    command: Annotated[str, typer.Option("--command", help="Instead of SQL: what ssh is to run (ls -l /srv).")] = "",
    header: Annotated[list[str] | None, typer.Option("--header", help="With --request: name=value.")] = None,
    body: Annotated[str, typer.Option("--body", help="With --request: its body; - reads it from input.")] = "",
    do: Annotated[str, typer.Option("--do", help="Instead of SQL: an action (read, write, define, ...).")] = "",
    on: Annotated[str, typer.Option("--on", help="With --do: what it touches, as kind:name.")] = "",
    connect: Annotated[bool, typer.Option("--connect", help="Instead of SQL: opening a session.")] = False,
    subject: Annotated[str, typer.Option(help="Who asks.")] = "somebody",
    issuer: Annotated[str, typer.Option(help="Who vouches for them; else the configuration's first issuer.")] = "",
    kind: Annotated[str, typer.Option(help="agent or human")] = "agent",
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="A group of theirs; may be repeated.")
    ] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="name=value; may be repeated.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Without --config: the resource's, as name=value.")] = None,
    search_path: Annotated[str, typer.Option(help="The session's search_path.")] = '"$user", public',
    config: ConfigOption = None,
    policy: PolicyOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say why it is decided so. Allowed, held or blocked, atom by atom; nothing is run."""
    if sum((bool(sql), bool(request), bool(command), bool(do), connect)) != 1:
        output.fail("give exactly one of --sql, --request, --command, --do and --connect")
    loaded, settings = _load(policy, config)
    place = _place(resource, settings, label or [], account, protocol=_protocol(command, request))
    identity = _identity(subject, issuer or _known_issuer(settings), kind, group or [], attribute or [])
    operation = _deed(do, on) if do else None
    if request or command:
        asked = _asked(request, command, header or [], _given(body), place)
        operation = _request(asked, loaded, settings, _folder(config), place)
    elif sql:
        source = None if offline else settings
        masks = loaded.masks(identity, place, time.time_ns())
        operation = _read(_given(sql), masks, place.name, source, folder=_folder(config), search_path=search_path)
    _explain(loaded, identity, place, operation, as_json=as_json)


def _known_issuer(config: "Config | None") -> str:
    return config.identity.issuers[0].issuer if config else "https://issuer.example"


def _given(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _explain(
    policy: "Policy", identity: "Identity", place: "Resource", operation: "Operation | None", *, as_json: bool
) -> None:
    """Explain an operation; None is opening a session."""
    from doorward_core.policy.explain import explain as told  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.policy.explain import explain_connect  # noqa: PLC0415 - as above

    now = time.time_ns()
    if operation is None:
        explanation, problem = explain_connect(policy, identity, place, now), ""
    else:
        explanation = told(policy, identity, place, operation, now_unix_ns=now)
        problem = operation.attributes.get("problem", "")
    if as_json:
        output.emit({**explanation.as_data(), "problem": problem})
        return
    output.say(output.shown(explanation.as_text()))
    if problem:
        output.say(f"! it was not read whole: {output.line(problem)}")


@app.command("test")
def run_tests(
    cases: Annotated[Path, typer.Argument(help="The file of cases.", dir_okay=False)],
    *,
    config: ConfigOption = None,
    policy: PolicyOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the cases kept beside a policy. What it must allow, hold and block; status 1 if one fails."""
    from doorward_console.checks import run_policy_tests  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    loaded, settings = _load(policy, config)
    with output.failing(ConfigError, OSError, UnicodeError, status=output.CANNOT):
        results = run_policy_tests(
            cases, loaded, settings, _folder(config), offline=offline, now_unix_ns=time.time_ns()
        )
    _tell_cases(results, as_json=as_json)
    if not all(result.passed for result in results):
        raise typer.Exit(output.NO)


def _tell_cases(results: "list[CaseResult]", *, as_json: bool) -> None:
    failed = [result for result in results if not result.passed]
    passed = len(results) - len(failed)
    if as_json:
        names = ("name", "source", "must", "got", "problem")
        told = [{name: getattr(result, name) for name in names} for result in results]
        output.emit({"passed": passed, "failed": len(failed), "cases": told})
        return
    for result in failed:
        output.say(f"FAILED {output.line(result.source)}: {output.line(result.name)}: {output.line(result.problem)}")
        if result.explanation is not None:
            output.say("\n".join(f"    {text}" for text in output.shown(result.explanation.as_text()).split("\n")))
    output.say(f"{passed} passed, {len(failed)} failed")


def _report(faults: tuple[str, ...], remarks: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        output.emit({"ok": not faults, "faults": list(faults), "remarks": list(remarks)})
    else:
        for fault in faults:
            output.say(output.line(fault))
        for remark in remarks:
            output.say(f"remark: {output.line(remark)}")
        output.say(f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "ok")
    if faults:
        raise typer.Exit(output.NO)


def _load(policy: Path | None, config: Path | None) -> "tuple[Policy, Config | None]":
    from doorward_console.checks import load  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    if policy is None and config is None:
        output.fail("give --config, or --policy")
    with output.failing(ConfigError):
        return load(policy, config)


def _place(name: str, config: "Config | None", labels: list[str], account: str, *, protocol: str) -> "Resource":
    from doorward_core.model import Resource  # noqa: PLC0415 - loaded by the commands that decide

    if config is None:
        return Resource(name, protocol, _pairs(labels), account)
    known = config.nouns()
    if name not in known:
        output.fail(f"the configuration has no resource {name}; it has {', '.join(known)}")
    return replace(known[name], account=account or config.resources[name].default_account)


def _identity(subject: str, issuer: str, kind: str, groups: list[str], attributes: list[str]) -> "Identity":
    from doorward_core.model import AuthMethod, Identity, PrincipalKind  # noqa: PLC0415 - as above

    if kind not in set(PrincipalKind):
        output.fail(f"{kind} is not a kind: agent or human")
    return Identity(
        subject=subject,
        issuer=issuer,
        kind=PrincipalKind(kind),
        groups=frozenset(groups),
        method=AuthMethod.JWT,
        credential_id="explained",
        authenticated_unix_ns=0,
        expires_unix_ns=0,
        attributes=_pairs(attributes),
    )


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for item in given:
        name, separator, value = item.partition("=")
        if not name or not separator:
            output.fail(f"{item} is not name=value")
        pairs[name] = value
    return pairs


def _deed(do: str, on: str) -> "Operation":
    from doorward_core.model import Action, Atom, Operation, Target  # noqa: PLC0415 - as above

    kind, separator, name = on.partition(":")
    if do not in set(Action) or not separator:
        output.fail(f"--do takes one of {', '.join(Action)}, and --on a kind:name such as relation:public.customer")
    program, _, arguments = name.partition(" ") if kind == "command" else (name, "", "")
    atom = Atom(Action(do), Target(kind, program, detail=arguments))
    return Operation(b"", 0, atom.action, do.upper(), (atom,), "", b"")


def _protocol(command: str, request: str) -> str:
    """What a resource is reached by that no configuration describes."""
    return "ssh" if command else "http" if request else "postgres"


def _asked(request: str, command: str, headers: list[str], body: str, place: "Resource") -> "Asked":
    """A request, or a command for a host; anywhere else that would be read as something that it is not."""
    from doorward_core.policy.test_cases import Asked  # noqa: PLC0415 - pydantic takes a while to load

    if command and place.protocol != "ssh":
        output.fail(f"{place.name} is reached by {place.protocol}: --command is for hosts")
    return Asked(command or request, _pairs(headers), body)


def _request(asked: "Asked", policy: "Policy", config: "Config | None", folder: Path, place: "Resource") -> "Operation":
    """Read a request as the gateway of its protocol would."""
    from doorward_console.requests import request_reader  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    with output.failing(ConfigError):
        return request_reader(policy, config, folder)(asked, place)


def _read(
    text: str, masks: "tuple[Mask, ...]", name: str, config: "Config | None", *, folder: Path, search_path: str
) -> "Operation":
    """Read SQL against the catalogue of a configured resource; without a configuration, against none."""
    from doorward_console.reading import read_sql  # noqa: PLC0415 - the grammar takes a while to load

    catalog, user = None, ""
    if config is None:
        typer.echo("doorward: without the target's catalogue: names are not resolved", err=True)
    else:
        catalog = _catalogue(config, name, folder)
        user = config.resources[name].accounts[config.resources[name].default_account].user
    with output.failing(ValueError):
        return read_sql(text, catalog, masks, search_path=search_path, user=user)


def _catalogue(config: "Config", name: str, folder: Path) -> "Catalog":
    from doorward_console.catalogue import NoCatalogue, read_catalogue  # noqa: PLC0415 - a driver, loaded where used

    try:
        return read_catalogue(config.resources[name], folder)
    except NoCatalogue as error:
        output.fail(f"{error} (--offline does without)")


def _folder(config: Path | None) -> Path:
    return config.parent if config is not None else Path()
