from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from doorward_console.options import shared


@dataclass(frozen=True, kw_only=True)
class Whose:
    token: Annotated[str, typer.Option("--token", help="Whose.")] = "nobody"


@dataclass(frozen=True, kw_only=True)
class Asked(Whose):
    gateway: Annotated[str, typer.Option("--gateway", envvar="GATEWAY_OF_TEST", help="Which.")]


def program(command):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    return lambda *arguments, **environment: CliRunner().invoke(app, arguments, env=environment)


@shared()
def show(
    name: Annotated[str, typer.Argument()], *, asked: Asked, loud: Annotated[bool, typer.Option("--loud")] = False
) -> None:
    """Show one."""
    typer.echo(f"{name} {asked.gateway} {asked.token} {loud}")


def test_shared_options_reach_the_command_together():
    assert program(show)("a", "--gateway", "g", "--token", "t", "--loud").output == "a g t True\n"
    assert program(show)("a", GATEWAY_OF_TEST="e").output == "a e nobody False\n"


def test_what_must_be_given_must_be_given():
    result = program(show)("a")
    assert result.exit_code == 2
    assert "--gateway" in result.output


def test_help_tells_first_what_is_needed_and_last_what_may_be_left_out():
    said = program(show)("--help").output
    assert "Show one." in said
    assert said.index("--gateway") < said.index("--loud") < said.index("--token")


def test_a_command_may_have_a_default_of_its_own():
    @shared(token="me", gateway="mine")
    def other(*, asked: Asked) -> None:
        typer.echo(f"{asked.gateway} {asked.token}")

    assert program(other)().output == "mine me\n"
    assert program(other)("--token", "t").output == "mine t\n"
