"""The `doorward` command.

It must start quickly (300 ms): each command loads what it needs when it runs, and no sooner.
"""

from typing import Annotated

import typer

from doorward_console import (
    access_commands,
    approvals_commands,
    archive_commands,
    break_glass_commands,
    desk_commands,
    erase_command,
    evidence_commands,
    export_commands,
    find_commands,
    follow_commands,
    http_commands,
    index_commands,
    init_commands,
    kube_commands,
    log_commands,
    passkeys_commands,
    policy_commands,
    proof_commands,
    replay_commands,
    reveal_commands,
    review_commands,
    revoke_command,
    session_commands,
    ssh_commands,
    token_command,
    witness_commands,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Doorward: access gateways for AI agents. Decide what waits, read and prove the record, check the rules.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich and its markdown would take longer to load than everything else
)
app.add_typer(init_commands.app, name="init")
app.add_typer(approvals_commands.app, name="approvals")
app.add_typer(passkeys_commands.app, name="passkeys")
app.add_typer(access_commands.app, name="access")
app.command("revoke")(revoke_command.revoke)
app.add_typer(break_glass_commands.app, name="break-glass")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(policy_commands.config_app, name="config")
app.add_typer(http_commands.app, name="http")
app.add_typer(witness_commands.app, name="witness")
app.command("find")(find_commands.find)
app.add_typer(index_commands.app, name="index")
app.command("verify")(log_commands.verify)
app.add_typer(archive_commands.app, name="archive")
app.command("erase")(erase_command.erase)
app.command("logs")(log_commands.logs)
app.add_typer(proof_commands.app, name="log")
proof_commands.app.command("reveal")(reveal_commands.reveal)
proof_commands.app.command("check-reveal")(reveal_commands.check_reveal)
app.command("replay")(replay_commands.replay)
app.command("evidence")(evidence_commands.evidence)
app.command("export")(export_commands.export)
app.command("follow")(follow_commands.follow)
app.command("review")(review_commands.review)
app.add_typer(session_commands.app, name="sessions")
app.command("desk")(desk_commands.desk)
app.command("token")(token_command.token)
app.command("kubeconfig")(kube_commands.kubeconfig)
app.command("ssh-login")(ssh_commands.ssh_login)
app.command("ssh-config")(ssh_commands.ssh_config)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - beside its only use

        typer.echo(f"doorward {version('doorward-console')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has answered


def main() -> None:
    """Run."""
    app(prog_name="doorward")


if __name__ == "__main__":
    main()
