"""What `doorward init desk` needs of each gateway that it stands before: read from the gateway's own configuration.

What it is: a folder that another `doorward init` made, or a configuration of one's own, made into what the desk's
settings say of a gateway, and who is believed there and may decide.
What it will not do: ask the gateway anything, or read a secret or a key: certificates alone are opened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from doorward_console.init_doors import CannotInit, fit_name
from doorward_console.init_folder import CONFIG
from doorward_core.config import Approvals, Config, load_config
from doorward_core.config_identity import Issuer
from doorward_core.config_witness import WitnessesSettings
from doorward_core.errors import ConfigError
from doorward_core.policy.load import load_policy

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on
HERE = frozenset({"127.0.0.1", "::1"})
CHECKPOINT = "checkpoint"  # in a log's second place, as docs/event-log.md has it


@dataclass(frozen=True, slots=True)
class Before:
    """One gateway, as the desk is to know it. Paths are whole; `authority` is None where the system's will do.

    `checkpoints` is what its log keeps in a second place, and `witnesses` are those that it asks: None where none.
    """

    name: str
    config: Path
    control: str
    authority: Path | None
    log: Path
    vkey: Path
    keys: Path
    checkpoints: Path | None
    witnesses: WitnessesSettings | None
    issuers: tuple[Issuer, ...]
    approvers: frozenset[str]
    operators: frozenset[str]
    link: bool
    passkeys: bool


def read_all(places: Iterable[str], authority: Path | None) -> tuple[Before, ...]:
    """All gateways of `NAME=FOLDER` or `FOLDER`. Raises CannotInit."""
    found = tuple(_read(place, authority) for place in places)
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CannotInit(f"two gateways would be called {twice[0]}: say --gateway NAME=FOLDER")
    return found


def _read(place: str, authority: Path | None) -> Before:
    """One of them."""
    name, separator, folder = place.partition("=")
    given = Path(folder if separator else place)
    path = (given / CONFIG if given.is_dir() else given).resolve()
    if not path.is_file():
        raise CannotInit(f"--gateway {place}: there is no {path}; say NAME=FOLDER, or NAME=FILE of a configuration")
    try:
        config = load_config(path)
        policy = load_policy(config.policy)
    except ConfigError as error:
        raise CannotInit(f"--gateway {place}:\n" + "\n".join(error.problems)) from None
    return Before(
        name=fit_name(name) if separator else _called(config, path),
        config=path,
        control=_control(config.approvals),
        authority=authority.resolve() if authority is not None else _authority(config.approvals),
        log=config.record.folder.resolve(),
        vkey=config.record.keys.resolve() / "log.vkey",
        keys=config.record.keys.resolve() / "payload",
        checkpoints=config.record.mirror.resolve() / CHECKPOINT if config.record.mirror is not None else None,
        witnesses=config.record.witnesses,
        issuers=config.identity.issuers,
        approvers=frozenset().union(*(rule.approve.groups for rule in policy.rules if rule.approve is not None)),
        operators=frozenset(config.operators.groups) if config.operators is not None else frozenset(),
        link=config.approvals.link is not None,
        passkeys=config.approvals.passkeys is not None,
    )


def _called(config: Config, path: Path) -> str:
    """A gateway of one resource is called as that is; another as the folder of its configuration."""
    return next(iter(config.resources)) if len(config.resources) == 1 else fit_name(path.parent.name)


def _control(approvals: Approvals) -> str:
    """Where the desk reaches the control port: by a name that the certificate there is for."""
    listen = approvals.listen
    if listen.unix is not None:
        return f"unix:{listen.unix.resolve()}"
    assert listen.address is not None
    assert listen.tls is not None
    names = _names(_certificate(listen.tls.certificate))
    wanted = [] if listen.address in EVERYWHERE else [listen.address]
    if listen.address in EVERYWHERE | HERE:
        wanted.insert(0, "localhost")
    plain = [name for name in names if "*" not in name]
    host = next((name for name in wanted if name in names), (plain or wanted)[0])
    return f"https://{f'[{host}]' if ':' in host else host}:{listen.port}"


def _authority(approvals: Approvals) -> Path | None:
    """The certificate itself where it is self-signed; another's authority is the system's, or must be said."""
    tls = approvals.listen.tls
    if tls is None:
        return None
    certificate = _certificate(tls.certificate)
    return tls.certificate.resolve() if certificate.issuer == certificate.subject else None


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise CannotInit(f"{path} is no certificate in PEM") from None


def _names(certificate: x509.Certificate) -> list[str]:
    """The names that a certificate is for (RFC 6125: a common name is none)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]
