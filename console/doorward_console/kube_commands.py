"""`doorward kubeconfig`: what kubectl needs to go through the gateway, with nothing secret in it.

The kubeconfig names a credential plugin: kubectl runs `doorward token --exec-credential` whenever it needs a token, and
keeps that until it ends. Nothing is asked over a network here, and nothing is written but to output.

Implements: the `client.authentication.k8s.io/v1` credential plugins and the `v1` Config of the Kubernetes clients.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from doorward_console import output

API = "client.authentication.k8s.io/v1"
MAX_CA_BYTES = 1 << 20
_PADDING = 4


def kubeconfig(
    *,
    cluster: Annotated[str, typer.Option(help="What the cluster is called in the kubeconfig: the resource's name.")],
    server: Annotated[
        str, typer.Option(help="Where the gateway offers it, such as https://gateway.example:8443/prod.")
    ],
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="The authority of the gateway's certificate.", dir_okay=False)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file that holds your token, kept fresh by others.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Whose token to ask the development issuer for.")] = "",
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", envvar="DOORWARD_ISSUER_SECRETS", help="The development issuer's client secrets."),
    ] = None,
    namespace: Annotated[str, typer.Option(help="The namespace to begin in.")] = "",
) -> None:
    """Print a kubeconfig for a cluster behind the gateway. It holds no token: kubectl asks this program for one."""
    with output.failing(OSError, ValueError):
        parts = urlsplit(server)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{server}: expected an address such as https://gateway.example:8443/prod")
        arguments = _arguments(token_file, subject, secrets)
        authority = _authority(ca_file)
    output.say(json.dumps(_config(cluster, server, authority, arguments, namespace), indent=2))


def _arguments(token_file: Path | None, subject: str, secrets: Path | None) -> list[str]:
    """How `doorward token` is to be asked; ValueError where nobody could give one."""
    if token_file is not None and not subject:
        return ["token", "--token-file", str(token_file.absolute()), "--exec-credential"]
    if subject and secrets is not None and token_file is None:
        return ["token", subject, "--secrets", str(secrets.absolute()), "--exec-credential"]
    raise ValueError(
        "say where tokens come from: --token-file FILE, or --subject and --secrets of a development issuer"
    )


def _authority(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    data = file.read_bytes()[:MAX_CA_BYTES]
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise ValueError(f"{file} holds no certificate")
    return {"certificate-authority-data": base64.b64encode(data).decode("ascii")}


def _config(
    name: str, server: str, authority: dict[str, str], arguments: list[str], namespace: str
) -> dict[str, object]:
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    plugin = {
        "apiVersion": API,
        "command": "doorward",
        "args": arguments,
        "interactiveMode": "Never",
        "provideClusterInfo": False,
        "installHint": "doorward is the command of the access gateway; ask who runs it",
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, **authority}}],
        "contexts": [{"name": name, "context": context}],
        "users": [{"name": name, "user": {"exec": plugin}}],
    }


def exec_credential(token: str) -> dict[str, object]:
    """A token as a credential plugin gives it, with its end where it tells one."""
    status: dict[str, object] = {"token": token}
    ends = _ends(token)
    if ends is not None:
        status["expirationTimestamp"] = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"apiVersion": API, "kind": "ExecCredential", "status": status}


def _ends(token: str) -> int | None:
    """When a token ends, as it says of itself; the gateway is who checks it."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % _PADDING)))
        ends = claims["exp"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return ends if isinstance(ends, int) and 0 < ends < 1 << 40 else None
