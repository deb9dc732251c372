"""`doorward token`: a token from the development issuer (RFC 6749 section 4.4, client credentials), or from a file.

It is for trying things out: real users and agents get theirs from the organisation's identity provider.
The secrets file is what the development issuer wrote: `{"token_endpoint": ..., "clients": {subject: secret}}`.
The token goes to standard output, and nowhere else.
"""

from pathlib import Path
from typing import Annotated

import typer

from doorward_console import output

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 * 1024


def token(
    subject: Annotated[str, typer.Argument(help="Whose token: a subject that the development issuer knows.")] = "",
    *,
    secrets: Annotated[
        Path | None,
        typer.Option(
            "--secrets", envvar="DOORWARD_ISSUER_SECRETS", help="The issuer's file of client secrets.", dir_okay=False
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="Print the token of this file and ask nobody.", dir_okay=False)
    ] = None,
    audience: Annotated[str, typer.Option(help="For whom the token is; the issuer has a default.")] = "",
    lifetime: Annotated[int, typer.Option(min=0, help="In seconds; 0 takes the issuer's default.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
    exec_credential: Annotated[
        bool, typer.Option("--exec-credential", help="Print it as kubectl takes it from a credential plugin.")
    ] = False,
) -> None:
    """Get a token from the development issuer."""
    with output.failing(OSError, ValueError):
        if token_file is not None:
            _show(token_file.read_text(encoding="utf-8").strip(), exec_credential=exec_credential)
            return
        if not subject or secrets is None:
            raise ValueError("say whose token, and give the issuer's file of secrets (--secrets); or --token-file")
        endpoint, clients = _known(secrets)
        if subject not in clients:
            output.fail(f"the issuer knows no {subject}; it knows {', '.join(sorted(clients))}", output.NO)
        form = {"grant_type": "client_credentials", "client_id": subject, "client_secret": clients[subject]}
        form |= {"audience": audience} if audience else {}
        form |= {"lifetime_s": str(lifetime)} if lifetime else {}
        status, answer = _post(endpoint, form)
    if status != 200 or "access_token" not in answer:  # noqa: PLR2004 - HTTP's OK
        output.fail(f"the issuer refused: {answer.get('error', status)}", output.NO)
    if as_json:
        output.emit(answer)
    else:
        _show(str(answer["access_token"]), exec_credential=exec_credential)


def _show(token: str, *, exec_credential: bool) -> None:
    if not exec_credential:
        output.say(token)
        return
    from doorward_console.kube_commands import exec_credential as credential  # noqa: PLC0415 - loaded when asked for

    output.emit(credential(token))


def _known(secrets: Path) -> tuple[str, dict[str, str]]:
    import json  # noqa: PLC0415 - loaded by this command alone

    document = json.loads(secrets.read_text(encoding="utf-8"))
    endpoint = document.get("token_endpoint") if isinstance(document, dict) else None
    clients = document.get("clients") if isinstance(document, dict) else None
    if not isinstance(endpoint, str) or not isinstance(clients, dict):
        raise ValueError(f"{secrets} is not a development issuer's file of secrets")  # noqa: TRY004 - a wrong file
    return endpoint, {str(name): str(value) for name, value in clients.items()}


def _post(endpoint: str, form: dict[str, str]) -> tuple[int, dict[str, object]]:
    """Post a form to a loopback address; OSError or ValueError otherwise."""
    import http.client  # noqa: PLC0415 - loaded by this command alone
    import json  # noqa: PLC0415 - as above
    from urllib.parse import urlencode, urlsplit  # noqa: PLC0415 - as above

    parts = urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"{endpoint}: a development issuer is on this machine; for any other, use its own ways")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", parts.path, urlencode(form), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read(MAX_ANSWER_BYTES))
    except http.client.HTTPException as error:
        raise ValueError(f"{endpoint} does not answer as an issuer") from error
    finally:
        connection.close()
    return answer.status, dict(document)
