"""`doorward http`: what helps to write the configuration and the policy of an HTTP resource.

Nothing is asked over a network, and nothing is written but to output.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_core.http.openapi import Api, ApiRequest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write configurations and policies for HTTP.")


@app.callback()
def group() -> None:
    """Write configurations and policies for HTTP."""


@app.command("import-openapi")
def import_openapi(
    file: Annotated[Path, typer.Argument(help="The API's description: OpenAPI 3, or Swagger 2.", dir_okay=False)],
    *,
    resource: Annotated[str, typer.Option(help="What the resource is called.")] = "api",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was read, as JSON.")] = False,
) -> None:
    """Print routes and a policy for an API. Made of its own description; status 1 if that cannot be read."""
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - pydantic takes a while to load
    from doorward_core.http.openapi import read_api  # noqa: PLC0415 - as above

    with output.failing(ConfigError, OSError, UnicodeError):
        api = read_api(file.read_text(encoding="utf-8"), str(file))
    if as_json:
        output.emit({"title": api.title, "requests": list(api.patterns()), "actions": api.actions()})
        return
    for line in _proposal(api, file, resource):
        output.say(output.line(line))


def _proposal(api: "Api", file: Path, resource: str) -> list[str]:
    reads = [item for item in api.requests if _action(item) == "read"]
    others = [item for item in api.requests if _action(item) != "read"]
    unsure = [item for item in others if item.perhaps_reads]
    return [
        f"# {api.title or file.name}: {len(reads)} requests read, {len(others)} change something",
        "",
        "# Into the configuration, beside `url` and `send` of the resource's target.",
        "# What the description does not have is then unknown, and refused.",
        f"openapi: {file}",
        *(["# By their names these only read; where that is so, say it:", "# actions:", "#   read:"] if unsure else []),
        *(f'#     - "{item.text}"  # {item.name}' for item in unsure),
        "",
        "# Into the policy, to begin with: whoever is in `agents` reads, and people decide on the rest.",
        "rules:",
        *_rule(f"{resource}-reads", "allow", resource, "[read]", reads),
        *_rule(f"{resource}-changes", "hold", resource, "[write, execute]", others),
    ]


def _rule(name: str, effect: str, resource: str, do: str, requests: "list[ApiRequest]") -> list[str]:
    if not requests:
        return []
    lines = [
        f"  - id: {name}",
        f"    effect: {effect}",
        "    who: {groups: [agents]}",
        f"    resource: {resource}",
        f"    do: {do}",
        "    requests:",
        *(f'      - "{item.text}"' for item in requests),
    ]
    return [*lines, "    approve: {by: {groups: [approvers]}}"] if effect == "hold" else lines


def _action(request: "ApiRequest") -> str:
    return request.action or ("read" if request.method in {"GET", "HEAD", "OPTIONS"} else "write")
