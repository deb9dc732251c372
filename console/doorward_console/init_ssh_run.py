"""The course of `doorward init ssh`: check what was asked, ask the server for its key, have it confirmed, write.

What it will not do: log in at the target, change it, or start a gateway.

Invariants: what the operator asked for is checked before anything is dialled; a key that nobody compared is not
written down unless they said `--yes`, and one that is not the given `--fingerprint` never is.
"""

import shlex
import time
from pathlib import Path

import typer

from doorward_console import output
from doorward_console.init_doors import CannotInit, Doors, Names, check, endpoint, fields_of, gateway, target_name
from doorward_console.init_folder import CONFIG, POLICY, STATE, put
from doorward_console.init_ssh_files import WantedSsh, config_text, policy_text
from doorward_console.init_ssh_target import BadTarget, CannotScan, HostKey, Place, parse_target, scan
from doorward_console.init_talk import program, tell_written

TRUST_FILE = "/etc/ssh/doorward-user-ca.pub"


def make(folder: Path, target: str, fingerprint: str, doors: Doors, names: Names, *, ask: bool, force: bool) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put` raises."""
    try:
        place = parse_target(target)
    except BadTarget as error:
        raise CannotInit(str(error)) from None
    check(folder, doors, names, (), force=force)
    for text in (doors.listen, doors.approvals, doors.admin):
        endpoint(text)
    key = _known(place, fingerprint, ask=ask)
    made, files = gateway(folder, doors, names, resource=target_name(place.host), account=place.user, kind="ssh")
    wanted = WantedSsh(**fields_of(made), place=place, host_key=key.line, fingerprint=key.fingerprint)
    files |= {CONFIG: config_text(wanted).encode(), POLICY: policy_text(wanted).encode()}
    remarks = put(folder, files, time.time_ns(), needed=(wanted.certificate, wanted.key))
    tell_written(folder, wanted, sorted(files), remarks)
    _tell_next(folder, wanted, _trusted(folder, wanted))


def _known(place: Place, fingerprint: str, *, ask: bool) -> HostKey:
    """The one host key that is to be believed."""
    try:
        keys = scan(place)
    except CannotScan as error:
        raise CannotInit(str(error)) from None
    output.table(("host key", "fingerprint"), [(key.kind, key.fingerprint) for key in keys])
    if fingerprint:
        found = [key for key in keys if key.fingerprint == fingerprint]
        if not found:
            raise CannotInit(f"{place} shows none with the fingerprint {fingerprint}: somebody may stand in between")
        return found[0]
    best = keys[0]
    if not ask:
        output.say(f"! nobody compared the key of {place}: what was shown is believed, as --yes asks")
        return best
    output.say(f"At the server's own console, this shows the same: ssh-keygen -lf {_public_file(best.kind)}")
    try:
        sure = typer.confirm(f"Is {best.fingerprint} its key?", default=False)
    except typer.Abort:
        sure = False
    if not sure:
        raise CannotInit("nothing was written (--fingerprint SHA256:... takes one that you know)")
    return best


def _public_file(kind: str) -> str:
    family = kind.removeprefix("ssh-").partition("-")[0]
    return f"/etc/ssh/ssh_host_{family}_key.pub"


def _trusted(folder: Path, wanted: WantedSsh) -> str:
    """The line of the authority that will sign the gateway's logins; its key is made now, as a first start would."""
    from doorward_core.identity.ssh_keys import public_line  # noqa: PLC0415 - cryptography takes a while to load
    from doorward_core.rooms import authorities  # noqa: PLC0415 - as above

    keys = folder / STATE / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    return public_line(authorities(keys).user.public_key(), f"doorward-user-ca@{wanted.origin}")


def _tell_next(folder: Path, wanted: WantedSsh, trusted: str) -> None:
    config = shlex.quote(str(folder / CONFIG))
    root = shlex.quote(str((folder / wanted.certificate) if wanted.self_signed else Path("YOUR-AUTHORITY.pem")))
    host = "localhost" if wanted.listen_at[0] in ("127.0.0.1", "::1") else wanted.listen_at[0]
    reach = f"--gateway https://{host}:{wanted.approvals_at[1]} --ca-file {root}"
    login = f"{wanted.account}@{wanted.resource}"
    output.say(f"\nAt {output.line(wanted.place.host)}, as root, so that it believes the gateway:")
    output.say(f"  echo {shlex.quote(trusted)} > {TRUST_FILE}")
    output.say(f"  echo 'TrustedUserCAKeys {TRUST_FILE}' > /etc/ssh/sshd_config.d/doorward.conf")
    output.say("  sshd -t && systemctl reload ssh")
    output.say("Start the gateway:")
    output.say(f"  {program('doorward-ssh')} --config {config}")
    output.say(f"Log in, as a member of {output.line(wanted.readers)}, and ask:")
    output.say(f'  DOORWARD_TOKEN="$TOKEN" {program("doorward")} ssh-login {reach}')
    listen = f"{program('doorward')} ssh-config {reach} --host {wanted.listen_at[0]} --port {wanted.listen_at[1]}"
    output.say(f"  {listen} --part known-hosts >> ~/.ssh/known_hosts")
    output.say(f"  ssh -p {wanted.listen_at[1]} {login}@{wanted.listen_at[0]} uptime")
    output.say(f"Decide what waits, as a member of {output.line(wanted.approvers)}:")
    output.say(f'  DOORWARD_TOKEN="$TOKEN" {program("doorward")} approvals list {reach}')
