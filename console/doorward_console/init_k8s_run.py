"""The course of `doorward init k8s`: check what was asked, read one context of a kubeconfig, write.

What it will not do: ask the cluster anything, change it, start a gateway, or write a secret.

Invariants: nothing is written before everything that was asked for is checked; a kubeconfig's credential is named and
never copied.
"""

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from doorward_console import output
from doorward_console.init_doors import (
    CannotInit,
    Doors,
    Names,
    check,
    endpoint,
    fields_of,
    fit_name,
    gateway,
    shown_path,
)
from doorward_console.init_folder import CONFIG, POLICY, in_the_way, put
from doorward_console.init_k8s_files import AUTHORITY, RBAC, WantedK8s, config_text, policy_text, rbac_text
from doorward_console.init_k8s_target import Cluster, read_target
from doorward_console.init_talk import program, tell_written

MAX_KUBECONFIG_BYTES = 4 * 1024 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_AT = re.compile(r"(?:/[A-Za-z0-9._~-]+)+\Z")


@dataclass(frozen=True, slots=True)
class Way:
    """How the cluster is found, and who the gateway is there; an empty variable and no file: the kubeconfig's user."""

    kubeconfig: Path
    context: str
    credential_env: str
    credential_file: Path | None
    at: str


def make(folder: Path, way: Way, doors: Doors, names: Names, *, default_variable: str, force: bool) -> None:
    """Do all of it. Raises CannotInit, and what `init_folder.put` raises."""
    _check(folder, way, doors, names, force=force)
    cluster = _cluster(way)
    own = way.credential_file is not None or way.credential_env or not cluster.usable
    made, files = gateway(folder, doors, names, resource=cluster.name, account="gateway", kind="k8s")
    wanted = WantedK8s(
        **fields_of(made),
        cluster=cluster,
        at=way.at or f"/{fit_name(made.resource)}",
        kubeconfig="" if own else shown_path(way.kubeconfig, folder),
        credential=_source(way, folder, default_variable) if own else {},
    )
    texts = {CONFIG: config_text(wanted), POLICY: policy_text(wanted), RBAC: rbac_text(wanted)}
    files |= {name: text.encode() for name, text in texts.items()}
    if own and cluster.authority:
        files[AUTHORITY] = cluster.authority
    needed = (wanted.certificate, wanted.key, *((wanted.kubeconfig,) if wanted.kubeconfig else ()))
    remarks = put(folder, files, time.time_ns(), needed=needed)
    tell_written(folder, wanted, sorted(files), remarks)
    _tell_cluster(folder, wanted, way)
    _tell_next(folder, wanted)


def _check(folder: Path, way: Way, doors: Doors, names: Names, *, force: bool) -> None:
    """What was asked for, as far as it can be judged without the kubeconfig's content."""
    if way.credential_env and way.credential_file is not None:
        raise CannotInit("--credential-env and --credential-file: one of them")
    if way.credential_env and not _VARIABLE.match(way.credential_env):
        raise CannotInit("--credential-env is the name of a variable, never the credential itself")
    if way.at and not _AT.match(way.at):
        raise CannotInit("--at is a beginning of paths, such as /prod")
    check(folder, doors, names, (way.kubeconfig, way.credential_file), force=force)
    if not force and in_the_way(folder, (RBAC,)):
        raise CannotInit(f"{folder}: {RBAC} would be overwritten; use --force, or another --folder")
    for text in (doors.listen, doors.approvals, doors.admin):
        endpoint(text)


def _cluster(way: Way) -> Cluster:
    with way.kubeconfig.open("rb") as file:
        data = file.read(MAX_KUBECONFIG_BYTES + 1)
    if len(data) > MAX_KUBECONFIG_BYTES:
        raise CannotInit(f"{way.kubeconfig}: this is too long for a kubeconfig")
    text, beside = data.decode("utf-8", "replace"), way.kubeconfig.parent
    return read_target(text, str(way.kubeconfig), way.context, lambda name: (beside / name).read_bytes())


def _source(way: Way, folder: Path, default_variable: str) -> dict[str, str]:
    """Where the gateway will find its token: a reference, for the configuration."""
    if way.credential_file is not None:
        return {"file": shown_path(way.credential_file, folder)}
    return {"env": way.credential_env or default_variable}


def _tell_cluster(folder: Path, wanted: WantedK8s, way: Way) -> None:
    """What the cluster must be told, whole; and who the gateway will be there."""
    cluster = wanted.cluster
    kubectl = f"kubectl --kubeconfig {shlex.quote(str(way.kubeconfig))} --context {shlex.quote(cluster.context)}"
    if wanted.kubeconfig:
        output.say(
            f"! the gateway will be {output.line(cluster.user)} of this kubeconfig: do as below, and give it\n"
            "  the service account's token (--credential-file, --credential-env) before others connect"
        )
    elif way.credential_file is None and not way.credential_env:
        output.say(f"! {output.line(cluster.user)} of this kubeconfig has no credential that a gateway could show")
    output.say("\nThe cluster lets the gateway say who asks, and the readers' group work, by this:\n")
    output.say("\n".join(f"  {output.line(row)}" for row in rbac_text(wanted).splitlines() if not row.startswith("#")))
    output.say(f"\nas somebody who may: {kubectl} apply -f {shlex.quote(str(folder / RBAC))}")
    if wanted.credential:
        output.say(
            f"The gateway's token, for as long as the cluster gives it: {kubectl} create token gateway -n doorward"
        )


def _tell_next(folder: Path, wanted: WantedK8s) -> None:
    root = shlex.quote(str((folder / wanted.certificate) if wanted.self_signed else Path("YOUR-AUTHORITY.pem")))
    host = "localhost" if wanted.listen_at[0] in ("127.0.0.1", "::1") else wanted.listen_at[0]
    output.say("Start it:")
    if "env" in wanted.credential:
        output.say(f"  export {wanted.credential['env']}=...   # the gateway's token at the cluster")
    output.say(f"  {program('doorward-k8s')} --config {shlex.quote(str(folder / CONFIG))}")
    output.say(f"Ask, as a member of {output.line(wanted.readers)} whose token is kept fresh in a file:")
    own = f'"$HOME/.kube/{wanted.resource}"'
    output.say(
        f"  {program('doorward')} kubeconfig --cluster {wanted.resource}"
        f" --server https://{host}:{wanted.listen_at[1]}{wanted.at} --ca-file {root}"
        f' --token-file "$TOKEN_FILE" > {own}'
    )
    output.say(f"  kubectl --kubeconfig {own} get pods")
    output.say(f"Decide what waits, as a member of {output.line(wanted.approvers)}:")
    control = f"https://{host}:{wanted.approvals_at[1]}"
    output.say(f'  DOORWARD_TOKEN="$TOKEN" {program("doorward")} approvals list --gateway {control} --ca-file {root}')
