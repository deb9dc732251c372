"""`doorward init`: from a database of one's own to a gateway before it, in one command.

It looks at the target (read only, bounded), proposes what to hide, asks the operator, and writes `doorward.yaml` and
`policy.yaml`, which start at once.
It never starts anything, changes nothing at the target, and neither prints nor keeps a value that it saw there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.options import shared

if TYPE_CHECKING:
    from doorward_console.init_doors import Doors, Names

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make a configuration for a target of your own.")

APPROVALS = "127.0.0.1:9465"
ADMIN = "127.0.0.1:9464"
PASSWORD_VARIABLE = "DOORWARD_TARGET_PASSWORD"  # noqa: S105 - the name of a variable
CREDENTIAL_VARIABLE = "DOORWARD_TARGET_CREDENTIAL"

SshTargetOption = Annotated[str, typer.Option("--target", help="user@host[:port] of the SSH server.")]
FingerprintOption = Annotated[
    str, typer.Option("--fingerprint", help="SHA256:... of its host key, as you got it elsewhere: no other is taken.")
]
TargetOption = Annotated[str, typer.Option("--target", help="postgresql://user@host:port/database, without a password")]
IssuerOption = Annotated[str, typer.Option("--issuer", help="Your identity provider: the `iss` of its tokens, exactly")]
AudienceOption = Annotated[
    list[str] | None, typer.Option("--audience", help="The gateway's name in `aud`, `doorward` if left out; repeatable")
]
FolderOption = Annotated[Path, typer.Option("--folder", help="Where to write.", file_okay=False)]
ReadersOption = Annotated[str, typer.Option(help="The group that may read, and ask for changes.")]
ApproversOption = Annotated[str, typer.Option(help="The group that decides changes.")]
ResourceOption = Annotated[str, typer.Option(help="What clients call it; else from the target's name.")]
OriginOption = Annotated[str, typer.Option(help="The gateway's name in its log; else from this machine's.")]
HttpTargetOption = Annotated[str, typer.Option("--target", help="https://host[:port][/path], without a credential")]
SendOption = Annotated[
    str, typer.Option("--send", help="How its credential is shown: bearer, basic, header:X-Api-Key, nothing.")
]
CredentialVariableOption = Annotated[
    str, typer.Option("--credential-env", help="The variable from which the gateway will take the credential.")
]
CredentialFileOption = Annotated[
    Path | None, typer.Option("--credential-file", help="Instead: a file that holds it and nothing else.")
]
KubeconfigOption = Annotated[
    Path, typer.Option("--kubeconfig", help="A kubeconfig that knows the cluster.", dir_okay=False)
]
ContextOption = Annotated[str, typer.Option("--context", help="Which of its contexts; else the current one.")]
TokenVariableOption = Annotated[
    str,
    typer.Option("--credential-env", help="The variable of the gateway's token; else the kubeconfig's own user is it."),
]
AtPathOption = Annotated[str, typer.Option("--at", help="Where it is offered: /prod; else by the cluster's name.")]
SampleOption = Annotated[
    list[str] | None,
    typer.Option("--sample", help="A path whose JSON may be looked at: /customers?limit=50; repeatable"),
]
OpenApiOption = Annotated[Path | None, typer.Option("--openapi", help="The API's own description.", dir_okay=False)]
AtOption = Annotated[str, typer.Option("--at", help="Where it is offered: /crm, or a host; else by the target's name.")]
TlsOption = Annotated[str, typer.Option("--target-tls", help="verify-full, or disable")]
CaOption = Annotated[Path | None, typer.Option("--target-ca", help="Whose certificates to trust there, in PEM.")]
VariableOption = Annotated[str, typer.Option(help="The variable from which the gateway will take the password.")]
FileOption = Annotated[Path | None, typer.Option(help="Instead: a file that holds the password and nothing else.")]
ListenOption = Annotated[str, typer.Option(help="Where clients connect; else a port that no gateway near it has.")]
ApprovalsOption = Annotated[str, typer.Option(help="Where people decide; else 127.0.0.1:9465, or 10 more.")]
AdminOption = Annotated[str, typer.Option(help="For health and metrics; else 127.0.0.1:9464, or 10 more.")]
CertificateOption = Annotated[Path | None, typer.Option(help="For what listens; else a self-signed one is made.")]
KeyOption = Annotated[Path | None, typer.Option(help="The certificate's key.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Take what is proposed, and ask nothing.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

GatewaysOption = Annotated[
    list[str],
    typer.Option("--gateway", help="NAME=FOLDER of a gateway that `doorward init` made; repeatable"),
]
UrlOption = Annotated[str, typer.Option(help="Where people reach the desk, exactly; else by where it listens.")]
DeskIssuerOption = Annotated[
    str, typer.Option("--issuer", help="Which identity provider; else the gateways' only one.")
]
ClientOption = Annotated[str, typer.Option(help="What the desk is called at the identity provider.")]
SecretVariableOption = Annotated[str, typer.Option("--secret-env", help="The variable of the client's secret.")]
SecretFileOption = Annotated[
    Path | None, typer.Option("--secret-file", help="Instead: a file that holds it and nothing else.")
]
ScopesOption = Annotated[
    list[str] | None, typer.Option("--scope", help="What to ask the provider for; repeatable. Else openid, profile")
]
RoleApproversOption = Annotated[
    list[str] | None, typer.Option("--approvers", help="A group that decides; else those of the gateways' policies")
]
AuditorsOption = Annotated[list[str] | None, typer.Option("--auditors", help="A group that reads what happened.")]
OperatorsOption = Annotated[
    list[str] | None, typer.Option("--operators", help="A group that watches and ends; else the gateways' own")
]
GatewayCaOption = Annotated[
    Path | None,
    typer.Option("--gateway-ca", help="Whose certificates the gateways have, in PEM; else known by itself."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway to be made, whatever it stands before."""

    issuer: IssuerOption
    audience: AudienceOption = None
    folder: FolderOption = Path()
    readers: ReadersOption
    approvers: ApproversOption
    resource: ResourceOption = ""
    origin: OriginOption = ""
    listen: ListenOption = ""
    approvals: ApprovalsOption = ""
    admin: AdminOption = ""
    certificate: CertificateOption = None
    key: KeyOption = None
    force: ForceOption = False

    def doors(self, usual: str) -> "Doors":
        """Where it is reached: as was asked, else where this kind of gateway usually is, or next to there."""
        from doorward_console.init_doors import Doors  # noqa: PLC0415 - pydantic, loaded where used
        from doorward_console.init_ports import proposed, taken  # noqa: PLC0415 - as above

        others = taken(self.folder)
        return Doors(
            self.listen or proposed("--listen", usual, others),
            self.approvals or proposed("--approvals", APPROVALS, others),
            self.admin or proposed("--admin", ADMIN, others),
            self.certificate,
            self.key,
        )

    def names(self) -> "Names":
        """Whom it believes, who may do what, and what things are called."""
        from doorward_console.init_doors import Names  # noqa: PLC0415 - pydantic, loaded where used

        audiences = tuple(self.audience or ("doorward",))
        return Names(self.issuer, audiences, self.readers, self.approvers, self.resource, self.origin)


@contextmanager
def _saying_why(*more: type[Exception]) -> Iterator[None]:
    """Run what makes the files, or end with the reason why it cannot."""
    from doorward_console.init_doors import CannotInit  # noqa: PLC0415 - pydantic, loaded where used
    from doorward_console.init_folder import WouldNotLoad  # noqa: PLC0415 - as above
    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above

    with output.failing(CannotInit, WouldNotLoad, GatewayError, OSError, *more):
        yield


@app.callback()
def init() -> None:
    """Make a configuration for a target of your own."""


@app.command("postgres")
@shared(readers="crew-analysts", approvers="dba")
def postgres(
    *,
    target: TargetOption,
    gateway: Gateway,
    target_tls: TlsOption = "verify-full",
    target_ca: CaOption = None,
    password_env: VariableOption = PASSWORD_VARIABLE,
    password_file: FileOption = None,
    yes: YesOption = False,
) -> None:
    """Before PostgreSQL. Look at columns and a sample of values, propose masks, write files that start at once."""
    from doorward_console import init_run  # noqa: PLC0415 - a driver and pydantic, loaded where used

    with _saying_why():
        way = init_run.Way(target, target_tls, target_ca, password_env, password_file)
        init_run.make(
            gateway.folder, way, gateway.doors("127.0.0.1:6432"), gateway.names(), ask=not yes, force=gateway.force
        )


@app.command("ssh")
@shared(readers="crew-operators", approvers="ops")
def ssh(
    *,
    target: SshTargetOption,
    gateway: Gateway,
    fingerprint: FingerprintOption = "",
    yes: YesOption = False,
) -> None:
    """Before an SSH server. Look at its host key, have it confirmed, write files that start at once."""
    from doorward_console import init_ssh_run  # noqa: PLC0415 - pydantic, loaded where used

    with _saying_why():
        init_ssh_run.make(
            gateway.folder,
            target,
            fingerprint,
            gateway.doors("127.0.0.1:2222"),
            gateway.names(),
            ask=not yes,
            force=gateway.force,
        )


@app.command("http")
@shared(readers="crew-analysts", approvers="api-owners")
def http(
    *,
    target: HttpTargetOption,
    gateway: Gateway,
    sample: SampleOption = None,
    openapi: OpenApiOption = None,
    send: SendOption = "bearer",
    credential_env: CredentialVariableOption = CREDENTIAL_VARIABLE,
    credential_file: CredentialFileOption = None,
    target_ca: CaOption = None,
    at: AtOption = "",
    yes: YesOption = False,
) -> None:
    """Before an HTTP API. Look at a sample of its JSON, propose masks, write files that start at once."""
    from doorward_console import init_http_run  # noqa: PLC0415 - pydantic, loaded where used

    with _saying_why(UnicodeError):
        way = init_http_run.Way(
            target, target_ca, send, credential_env, credential_file, tuple(sample or ()), openapi, at
        )
        init_http_run.make(
            gateway.folder, way, gateway.doors("127.0.0.1:8443"), gateway.names(), ask=not yes, force=gateway.force
        )


@app.command("k8s")
@shared(readers="crew-operators", approvers="platform")
def k8s(
    *,
    kubeconfig: KubeconfigOption,
    gateway: Gateway,
    context: ContextOption = "",
    credential_env: TokenVariableOption = "",
    credential_file: CredentialFileOption = None,
    at: AtPathOption = "",
) -> None:
    """Before a Kubernetes cluster. Read a kubeconfig's context, write files that start at once, print the RBAC."""
    from doorward_console import init_k8s_run  # noqa: PLC0415 - pydantic, loaded where used

    with _saying_why():
        way = init_k8s_run.Way(kubeconfig, context, credential_env, credential_file, at)
        init_k8s_run.make(
            gateway.folder,
            way,
            gateway.doors("127.0.0.1:8443"),
            gateway.names(),
            default_variable=CREDENTIAL_VARIABLE,
            force=gateway.force,
        )


@app.command("desk")
def desk(
    *,
    gateway: GatewaysOption,
    issuer: DeskIssuerOption = "",
    client: ClientOption = "doorward-desk",
    secret_env: SecretVariableOption = "",
    secret_file: SecretFileOption = None,
    scope: ScopesOption = None,
    approvers: RoleApproversOption = None,
    auditors: AuditorsOption = None,
    operators: OperatorsOption = None,
    folder: FolderOption = Path("desk"),
    url: UrlOption = "",
    listen: Annotated[str, typer.Option(help="Where browsers connect.")] = "127.0.0.1:8445",
    origin: Annotated[str, typer.Option(help="The desk's name in its own log; else from this machine's.")] = "",
    gateway_ca: GatewayCaOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    force: ForceOption = False,
) -> None:
    """The desk before gateways of yours. Read their configurations, write settings that start at once."""
    from doorward_console import init_desk_run  # noqa: PLC0415 - pydantic, loaded where used

    with _saying_why():
        door = init_desk_run.Door(url, listen, origin, certificate, key)
        login = init_desk_run.Login(issuer, client, secret_env, secret_file, tuple(scope or ()))
        roles = init_desk_run.Roles(tuple(approvers or ()), tuple(auditors or ()), tuple(operators or ()))
        init_desk_run.make(folder, tuple(gateway), door, login, roles, authority=gateway_ca, force=force)
