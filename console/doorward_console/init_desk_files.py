"""The file that `doorward init desk` writes, as text with comments; and the lines that each gateway needs for a desk.

What it will not do: read, write, or hold a secret: the client's is a reference, never a value.

Invariants: pure; every name stands in double quotes (JSON's, which YAML reads) or, within a comment, without anything
that could end the line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from doorward_console.init_desk_gateways import Before
from doorward_console.init_text import comment, listing, quoted
from doorward_core.config_identity import Issuer

DESK = "desk.yaml"
PASSKEYS = "passkeys.jsonl"
JUDGED = (
    "tolerated_audiences", "algorithms", "subject_claim", "groups_claim", "display_claim", "kind", "kind_claim",
    "human_clients",
)  # fmt: skip
"""What the desk judges tokens by beside the audience and the age, called the same in a gateway's `identity.issuers`."""


@dataclass(frozen=True, slots=True)
class WantedDesk:
    """A desk as it was asked for. Paths are as they are to stand in the file; without a certificate there is no TLS."""

    url: str
    origin: str
    listen_at: tuple[str, int]
    certificate: str
    key: str
    self_signed: str
    client: str
    secret: Mapping[str, str]  # {"env": NAME} or {"file": PATH}; empty for a public client
    scopes: tuple[str, ...]
    issuer: Issuer
    audiences: tuple[str, ...]
    approvers: tuple[str, ...]
    auditors: tuple[str, ...]
    operators: tuple[str, ...]
    gateways: tuple[Before, ...]
    made_on: date


def desk_text(wanted: WantedDesk) -> str:
    """`desk.yaml`."""
    where = f"address: {quoted(wanted.listen_at[0])}, port: {wanted.listen_at[1]}"
    tls = (
        f", tls: {{certificate: {quoted(wanted.certificate)}, key: {quoted(wanted.key)}}}" if wanted.certificate else ""
    )
    return f"""\
# The desk, made by `doorward init desk` on {wanted.made_on}. Every key: docs/desk.md.
# Check a change with: doorward desk --config {DESK} --check
# There is no secret in this file, and none belongs here. Paths are relative to it.
version: 1

# Where people reach it, exactly. {_about_certificate(wanted)}
url: {quoted(wanted.url)}
listen: {{{where}{tls}}}

# The identity provider. The desk is a client of it; redirect address: {comment(callback(wanted))}
# How tokens are judged is as the gateways have it: change it there and here.
login:
{_login(wanted)}
# Groups, for each role. A role opens pages; what somebody may do, each gateway says.
roles:
  approver: {listing(wanted.approvers)}
  auditor: {listing(wanted.auditors)}
  operator: {listing(wanted.operators)}

gateways:
{"".join(_gateway(one) for one in wanted.gateways)}
# Its own log: who logged in, and what was read by whom. Keep the keys apart from the log.
record: {{folder: state/log, keys: state/keys, origin: {quoted(wanted.origin)}}}
index: state/index.sqlite  # for search; made from the logs at will
# identity: {{file: auditors.agekey}}  # the auditors' age key, where gateways seal payloads
"""


def _about_certificate(wanted: WantedDesk) -> str:
    if not wanted.certificate:
        return "WITHOUT TLS: for a try on this machine alone."
    if not wanted.self_signed:
        return "The certificate is the one that was given."
    return f"The certificate is SELF-SIGNED, {comment(wanted.self_signed)}."


def callback(wanted: WantedDesk) -> str:
    """Where the provider sends people back to."""
    return f"{wanted.url}/login/callback"


def _login(wanted: WantedDesk) -> str:
    issuer = wanted.issuer
    lines = [f"issuer: {quoted(issuer.issuer)}", f"client_id: {quoted(wanted.client)}"]
    lines += [f"secret: {{{how}: {quoted(where)}}}" for how, where in wanted.secret.items()]
    lines += [f"scopes: {listing(wanted.scopes)}"] if wanted.scopes else []
    lines += [f"ca: {quoted(str(issuer.ca_file.resolve()))}"] if issuer.ca_file is not None else []
    lines.append(f"audience: {listing(wanted.audiences)}")
    lines += [f"max_age: {issuer.max_age}s"] if issuer.max_age is not None else []
    for key in JUDGED:
        value = getattr(issuer, key)
        if value:
            lines.append(f"{key}: {listing(value) if isinstance(value, tuple) else quoted(str(value))}")
    return "".join(f"  {line}\n" for line in lines)


def _gateway(one: Before) -> str:
    authority = f"    ca: {quoted(str(one.authority))}\n" if one.authority is not None else ""
    return f"""\
  {quoted(one.name)}:
    control: {quoted(one.control)}
{authority}    log: {quoted(str(one.log))}
    vkey: {quoted(str(one.vkey))}
    keys: {quoted(str(one.keys))}
{_elsewhere(one)}    config: {quoted(str(one.config))}  # for its policy, and the names of its resources
"""


def _elsewhere(one: Before) -> str:
    """Where its checkpoints are kept a second time, and whose signatures there are believed."""
    kept = f"    checkpoints: {quoted(str(one.checkpoints))}\n" if one.checkpoints is not None else ""
    if one.witnesses is None:
        return kept
    keys = listing(tuple(entry.vkey for entry in one.witnesses.list))
    return f"""\
{kept}    # The witnesses as the gateway names them: compare each key with what the witness itself says it is.
    witnesses: {{quorum: {one.witnesses.quorum}, vkeys: {keys}}}
"""


def to_add(wanted: WantedDesk, one: Before) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines that a gateway's configuration lacks: those below `approvals:`, and those of its own."""
    below = []
    if not one.link:
        below.append(f"  link: {quoted(f'{wanted.url}/approvals/{{id}}')}")
    if not one.passkeys:
        host = urlsplit(wanted.url).hostname or ""
        below.append(f"  passkeys: {{file: {PASSKEYS}, rp_id: {quoted(host)}, origins: {listing((wanted.url,))}}}")
    own = () if one.operators else (f"operators: {{groups: {listing(wanted.operators)}}}",)
    return tuple(below), own
