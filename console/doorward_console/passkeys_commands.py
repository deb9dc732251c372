"""`doorward passkeys`: the file of passkeys that a gateway believes (docs/approvals.md).

It runs where the gateway's files are, as whoever may write them; no gateway is asked, and none can be told.
What it adds it has verified; the gateway reads the file again on SIGHUP.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption

if TYPE_CHECKING:
    from doorward_core.approvals.passkeys import Passkey
    from doorward_core.approvals.webauthn import RelyingParty

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Whose passkeys prove votes: add, list, check.")

MAX_RESPONSE_BYTES = 256 * 1024

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The gateway's configuration, which names file, domain and pages.")
]
FileOption = Annotated[Path | None, typer.Option("--file", help="The file of passkeys, without a configuration.")]


@app.command()
def add(
    *,
    config: ConfigOption = None,
    file: FileOption = None,
    rp_id: Annotated[str, typer.Option("--rp-id", help="The desk's domain, without a configuration.")] = "",
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="The desk's address, without a configuration; may be repeated.")
    ] = None,
    response: Annotated[
        Path | None, typer.Option("--response", help="The document that the desk handed over; without it, input.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Whose it must be.")] = "",
    issuer: Annotated[str, typer.Option(help="Whose issuer it must be.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether the fingerprint is the right one.")
    ] = False,
) -> None:
    """Verify what a browser made, and add the passkey. The gateway reads the file again on SIGHUP."""
    from doorward_core.approvals.passkeys import add_line, enrol  # noqa: PLC0415 - WebAuthn takes a while to load
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    path, party = _where(config, file, rp_id, origin or [])
    if party is None:
        output.fail("for which desk? Give --config, or --rp-id and --origin")
    with output.failing(ValueError, ConfigError, OSError, RecursionError, status=output.NO):
        passkey = enrol(_document(response), party, subject=subject, issuer=issuer)
        output.say(f"subject      {output.line(passkey.subject)}\nissuer       {output.line(passkey.issuer)}")
        output.say(f"label        {output.line(passkey.label)}\nfingerprint  {passkey.fingerprint}")
        if not yes and sys.stdin.isatty() and response is not None:
            typer.confirm("is this their fingerprint, as they read it to you?", abort=True)
        before = path.read_bytes() if path.exists() else b""
        _replace(path, add_line(before, passkey, str(path)))
    output.say(f"added to {path}; send the gateway SIGHUP, and it counts")


@app.command("list")
def list_(*, config: ConfigOption = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the passkeys of the file. The fingerprint is of the public key."""
    found = _read(_where(config, file, "", [])[0])
    if as_json:
        names = ("subject", "issuer", "label", "credential", "fingerprint")
        output.emit([dict(zip(names, _row(item), strict=True)) for item in found])
    elif not found:
        output.say("no passkeys")
    else:
        output.table(("subject", "issuer", "label", "credential", "fingerprint"), [_row(item) for item in found])


@app.command()
def check(*, config: ConfigOption = None, file: FileOption = None) -> None:
    """Check the file. Every fault is said, with its line."""
    path, _ = _where(config, file, "", [])
    found = _read(path)
    people = {(item.subject, item.issuer) for item in found}
    output.say(f"ok: {len(found)} passkeys of {len(people)} people")


def _where(
    config: Path | None, file: Path | None, rp_id: str, origins: list[str]
) -> "tuple[Path, RelyingParty | None]":
    """The file, and the desk that its passkeys are for, as far as it is known."""
    from doorward_core.approvals.webauthn import RelyingParty  # noqa: PLC0415 - WebAuthn takes a while to load
    from doorward_core.config import load_config  # noqa: PLC0415 - as above
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    if (config is None) == (file is None):
        output.fail("which file? Give --config or --file, and not both")
    if config is not None:
        with output.failing(ConfigError):
            settings = load_config(config).approvals.passkeys
        if settings is None:
            output.fail(f"{config} has no `approvals.passkeys`")
        return settings.file, RelyingParty(settings.rp_id, frozenset(settings.origins))
    assert file is not None
    return file, RelyingParty(rp_id, frozenset(origins)) if rp_id and origins else None


def _document(response: Path | None) -> object:
    import json  # noqa: PLC0415 - beside its only use

    data = sys.stdin.buffer.read(MAX_RESPONSE_BYTES + 1) if response is None else response.read_bytes()
    if len(data) > MAX_RESPONSE_BYTES:
        raise ValueError("that is too long for a response")
    return json.loads(data)


def _read(path: Path) -> "tuple[Passkey, ...]":
    from doorward_core.approvals.passkeys import parse_passkeys  # noqa: PLC0415 - WebAuthn takes a while to load
    from doorward_core.errors import ConfigError  # noqa: PLC0415 - as above

    with output.failing(ConfigError, OSError, status=output.NO):
        return parse_passkeys(path.read_bytes(), str(path))


def _row(item: "Passkey") -> tuple[str, ...]:
    from doorward_core.approvals.webauthn import base64url  # noqa: PLC0415 - WebAuthn takes a while to load

    return item.subject, item.issuer, item.label, base64url(item.credential), item.fingerprint


def _replace(path: Path, content: bytes) -> None:
    """Put the new file in place of the old one whole, with its mode: a gateway never reads half of it."""
    draft = path.with_name(f"{path.name}.new")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o640
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
