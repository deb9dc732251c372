"""The course of `doorward init desk`: check what was asked, read the gateways' configurations, write.

What it will not do: ask a gateway or the identity provider anything, change a gateway's configuration (it prints the
lines to add), start the desk, or write a secret.

Invariants: nothing is written before everything that was asked for is checked, and the settings have loaded.
"""

import re
import shlex
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from doorward_console import output
from doorward_console.init_certificate import names_for, self_signed
from doorward_console.init_desk_files import DESK, JUDGED, PASSKEYS, WantedDesk, callback, desk_text, to_add
from doorward_console.init_desk_gateways import EVERYWHERE, HERE, Before, read_all
from doorward_console.init_doors import CannotInit, endpoint, fit_name, shown_path
from doorward_console.init_folder import in_the_way, put_checked, would_not_load
from doorward_console.init_talk import program
from doorward_core.config_identity import Issuer, Url
from doorward_core.errors import ConfigError
from doorward_core.net.tls import ServerTls

CERTIFICATE = "tls/desk.crt"
KEY = "tls/desk.key"
AUDITORS = ("auditors",)
OPERATORS = ("ops",)
HTTPS_PORT = 443
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Door:
    """Where people reach the desk, and what it is called; empty words are chosen here."""

    url: str
    listen: str
    origin: str
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class Login:
    """The identity provider, and the desk as its client."""

    issuer: str
    client: str
    secret_env: str
    secret_file: Path | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Groups, by role; empty ones are taken from the gateways."""

    approvers: tuple[str, ...]
    auditors: tuple[str, ...]
    operators: tuple[str, ...]


def make(
    folder: Path,
    places: tuple[str, ...],
    door: Door,
    login: Login,
    roles: Roles,
    *,
    authority: Path | None,
    force: bool,
) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put_checked` raises."""
    _check(folder, door, login, authority, force=force)
    gateways = read_all(places, authority)
    issuer, audiences, odd = believed(gateways, login.issuer)
    listen_at = endpoint(door.listen)
    url = _url(door, listen_at)
    files, certificate, key, told = _certificate(folder, door, listen_at[0], url)
    wanted = WantedDesk(
        url=url,
        origin=door.origin or f"desk.{fit_name(socket.gethostname())}",
        listen_at=listen_at,
        certificate=certificate,
        key=key,
        self_signed=told,
        client=login.client,
        secret=_secret(login, folder),
        scopes=login.scopes,
        issuer=issuer,
        audiences=audiences,
        approvers=roles.approvers or _all(one.approvers for one in gateways),
        auditors=roles.auditors or AUDITORS,
        operators=roles.operators or _all(one.operators for one in gateways) or OPERATORS,
        gateways=gateways,
        made_on=datetime.now(UTC).date(),
    )
    files[DESK] = desk_text(wanted).encode()
    put_checked(folder, files, (certificate, key) if certificate else (), _loads)
    _tell(folder, wanted, sorted(files), odd)


def _check(folder: Path, door: Door, login: Login, authority: Path | None, *, force: bool) -> None:
    """What was asked for, as far as it can be judged without the gateways."""
    if (door.certificate is None) != (door.key is None):
        raise CannotInit("--certificate and --key go together")
    if login.secret_env and login.secret_file is not None:
        raise CannotInit("--secret-env and --secret-file: one of them")
    if login.secret_env and not _VARIABLE.match(login.secret_env):
        raise CannotInit("--secret-env is the name of a variable, never the secret itself")
    absent = [str(path) for path in (door.certificate, door.key, login.secret_file, authority) if path]
    absent = [path for path in absent if not Path(path).is_file()]
    if absent:
        raise CannotInit(f"there is no file {' and no '.join(absent)}")
    if not force and in_the_way(folder, (DESK,)):
        raise CannotInit(f"{folder}: {DESK} would be overwritten; use --force, or another --folder")


def _url(door: Door, listen_at: tuple[str, int]) -> str:
    """Where people reach it: as told, else by the place where it listens."""
    if door.url:
        try:
            return str(TypeAdapter(Url).validate_python(door.url)).rstrip("/")
        except ValidationError as error:
            raise CannotInit(f"--url: {error.errors()[0]['msg']}") from None
    address, port = listen_at
    if address in EVERYWHERE:
        raise CannotInit("--url: where will people reach the desk? Such as https://desk.example")
    host = "localhost" if address in HERE else address
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}" if port == HTTPS_PORT else f"https://{host}:{port}"


def _certificate(folder: Path, door: Door, address: str, url: str) -> tuple[dict[str, bytes], str, str, str]:
    """(files to write, the certificate's and the key's path in the settings, what to say if it is self-signed)."""
    if not url.startswith("https:"):
        if door.certificate is not None or address not in HERE:
            raise CannotInit(
                "--url: without TLS it is for a try on this machine: --listen on loopback, no --certificate"
            )
        return {}, "", "", ""
    if door.certificate is not None and door.key is not None:
        return {}, shown_path(door.certificate, folder), shown_path(door.key, folder), ""
    if all((folder / name).is_file() for name in (CERTIFICATE, KEY)):
        return {}, CERTIFICATE, KEY, "made at an earlier run, and left as it was"
    known = names_for((address, urlsplit(url).hostname or ""))
    made, key, ends = self_signed(known)
    return {CERTIFICATE: made, KEY: key}, CERTIFICATE, KEY, f"for {', '.join(known)}, until {ends:%Y-%m-%d}"


def believed(gateways: tuple[Before, ...], wanted: str) -> tuple[Issuer, tuple[str, ...], tuple[str, ...]]:
    """(the provider that all gateways believe, the audiences that all take, gateways that judge its tokens otherwise).

    One token goes to all of them: where they have no provider or no audience in common, one desk cannot serve them.
    """
    shared = set.intersection(*({item.issuer for item in one.issuers} for one in gateways))
    chosen = wanted or (next(iter(shared)) if len(shared) == 1 else "")
    if not shared or (wanted and wanted not in shared):
        raise CannotInit(
            f"the gateways do not all believe {wanted or 'one identity provider'}: each group needs a desk"
        )
    if not chosen:
        raise CannotInit(f"--issuer: which of {', '.join(sorted(shared))}?")
    issuers = [next(item for item in one.issuers if item.issuer == chosen) for one in gateways]
    audiences = [name for name in issuers[0].audience if all(name in item.audience for item in issuers)]
    if not audiences:
        raise CannotInit("the gateways have no `audience` in common, so no token would do for all of them")
    keys = (*JUDGED, "max_age", "kind_values")
    judged = [tuple(getattr(item, key) for key in keys) for item in issuers]
    odd = tuple(one.name for one, how in zip(gateways, judged, strict=True) if how != judged[0])
    return issuers[0], tuple(audiences), odd


def _secret(login: Login, folder: Path) -> dict[str, str]:
    if login.secret_file is not None:
        # Where it is used may be another folder than this one: a path of the desk's own folder stays short.
        return {"file": shown_path(login.secret_file, folder)}
    return {"env": login.secret_env} if login.secret_env else {}


def _all(groups: Iterable[frozenset[str]]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*groups)))


def _loads(draft: Path) -> tuple[str, ...]:
    """Load a draft as the desk would."""
    from doorward_console.settings import load_settings  # noqa: PLC0415 - only once everything else is good

    try:
        listen = load_settings(draft / DESK).listen
        if listen.tls is not None:
            ServerTls(listen.tls.certificate, listen.tls.key)
    except ConfigError as error:
        raise would_not_load(draft, error.problems) from None
    return ()


def _tell(folder: Path, wanted: WantedDesk, written: list[str], odd: tuple[str, ...]) -> None:
    output.table(("gateway", "control port", "log"), [(one.name, one.control, str(one.log)) for one in wanted.gateways])
    output.say(f"written to {output.line(str(folder))}: {', '.join(written)}")
    if wanted.self_signed:
        output.say(
            f"! the certificate is self-signed, {output.line(wanted.self_signed)}: browsers warn of it, and use no\n"
            "  passkeys on such a page; put one of your own authority in its place before others come; for a try on\n"
            f"  this machine say --url http://localhost:{wanted.listen_at[1]}"
        )
    for name in odd:
        output.say(
            f"! {output.line(name)} judges tokens otherwise than {output.line(wanted.gateways[0].name)}: compare"
        )
    output.say(
        f"\nAt {output.line(wanted.issuer.issuer)}, make a client {output.line(wanted.client)}: code flow with PKCE"
    )
    output.say(f"  redirect address: {output.line(callback(wanted))}")
    output.say(f"  its access tokens: signed (JWT), for {output.line(', '.join(wanted.audiences))}, with the groups")
    for one in wanted.gateways:
        _tell_lines(wanted, one)
    command = f"{program('doorward')} desk --config {shlex.quote(str(folder / DESK))}"
    output.say("\nStart it:")
    if "env" in wanted.secret:
        output.say(f"  export {wanted.secret['env']}=...   # the client's secret")
    output.say(f"  {command} --check")
    output.say(f"  {command}")
    output.say(f"Open {output.line(wanted.url)} as a member of {output.line(', '.join(wanted.approvers))}")


def _tell_lines(wanted: WantedDesk, one: Before) -> None:
    """What this gateway's configuration lacks for a desk, as it is to stand there, to be added by its operator."""
    below, own = to_add(wanted, one)
    if not (below or own):
        return
    output.say(f"\nIn {output.line(str(one.config))}, then start {output.line(one.name)} again:")
    if below:
        output.say("below `approvals:`, so that who waits is told where to look, and passkeys count:")
        output.say("\n".join(output.line(line) for line in below))
    if own:
        output.say("at the end, so that operators may watch and end sessions:")
        output.say("\n".join(output.line(line) for line in own))
    if any(PASSKEYS in line for line in below):
        output.say(f"and once: touch {shlex.quote(str(one.config.parent / PASSKEYS))}")
