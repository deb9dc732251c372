"""The two files of `doorward init http`, as text with comments.

What it is: the templates of what is HTTP's; `init_text` has the rest, and the quoting.
What it will not do: read, write, or hold a secret: a credential is a reference, never a value.

Invariants: pure; as in `init_text`.
"""

from dataclasses import dataclass

from doorward_console.init_doors import Gateway
from doorward_console.init_folder import POLICY
from doorward_console.init_http_target import Place, Send
from doorward_console.init_masks import left_clear, masks_text
from doorward_console.init_proposals import Proposal
from doorward_console.init_text import comment, common, listing, quoted


@dataclass(frozen=True, slots=True)
class WantedHttp(Gateway):
    """What the operator asked for, the API included."""

    place: Place
    at: str
    send: Send
    credential: dict[str, str]  # {"env": NAME} or {"file": PATH}; empty where none is shown
    target_ca: str
    openapi: str  # the description's path; empty without one
    perhaps_reads: tuple[str, ...]  # requests of it whose names say that they only read


def config_text(wanted: WantedHttp) -> str:
    """`doorward.yaml`."""
    clients = f"with a token in Authorization, below {comment(wanted.at)}"
    first = common(wanted, wanted.place, POLICY, clients=clients, tls=True)
    return f"{first}\n{_operators(wanted)}{_resources(wanted)}"


def _operators(wanted: WantedHttp) -> str:
    return f"""\
# Whose people may see which sessions are open, watch them and end them.
operators: {{groups: {listing((wanted.approvers,))}}}

"""


def _resources(wanted: WantedHttp) -> str:
    return f"""\
resources:
  {quoted(wanted.resource)}:
    protocol: http
    # Every key of target: docs/http.md. at: beginnings of paths, hosts (crm.gateway.example), or both joined.
    target:
      at: {listing((wanted.at,))}
{_about_tls(wanted)}
      url: {quoted(str(wanted.place))}
{_tls(wanted)}{_about_send(wanted)}
      send: {_send(wanted.send)}
      hold: 25s  # how long a held request waits on its connection: clients give up by themselves
{_openapi(wanted)}    # The credential at the target. Clients never see it, and their own never goes there.
    accounts:
      {quoted(wanted.account)}: {{user: {quoted(wanted.account)}{_credential(wanted.credential)}}}
    account: {quoted(wanted.account)}
"""


def _about_tls(wanted: WantedHttp) -> str:
    if wanted.place.scheme == "https":
        return "      # Its certificate must be for this host, and come from " + (
            "the authorities in `ca`." if wanted.target_ca else "an authority that this machine trusts."
        )
    if wanted.place.loopback:
        return "      # On this machine: no network, no TLS."
    return (
        "      # WITHOUT TLS, as http:// says: who is on the way to the target can read and change what passes, the\n"
        "      # credential included. Write https:// as soon as the target offers it."
    )


def _tls(wanted: WantedHttp) -> str:
    return f"      tls: {{ca: {quoted(wanted.target_ca)}}}\n" if wanted.target_ca else ""


def _about_send(wanted: WantedHttp) -> str:
    return "      # How the credential is shown: bearer, basic, {header: {name: X-Api-Key}}, {oauth: ...}, nothing." + (
        "\n      # Nothing now: the target is not told who the gateway is." if wanted.send.how == "nothing" else ""
    )


def _send(send: Send) -> str:
    return f"{{header: {{name: {quoted(send.header)}}}}}" if send.header else send.how


def _openapi(wanted: WantedHttp) -> str:
    if not wanted.openapi:
        return "      # openapi: FILE  # the API's description: what it does not have is then unknown, and blocked\n"
    text = "      # What this description does not have is unknown, and blocked.\n"
    text += f"      openapi: {quoted(wanted.openapi)}\n"
    if wanted.perhaps_reads:
        rows = "".join(f"      #     - {quoted(one)}\n" for one in wanted.perhaps_reads)
        text += "      # By their names these only read; where that is so, say it:\n      # actions:\n      #   read:\n"
        text += rows
    return text


def _credential(source: dict[str, str]) -> str:
    return "".join(f", password: {{{how}: {quoted(where)}}}" for how, where in source.items())


def policy_text(wanted: WantedHttp, kept: tuple[Proposal, ...], left_out: tuple[Proposal, ...]) -> str:
    """`policy.yaml`."""
    return f"""\
# Who may do what, what waits for a person, and what is hidden; made by `doorward init` on {wanted.made_on}.
# What no rule allows is blocked. Every key: docs/policy.md; requests and facts (`when`): docs/http.md.
# Check a change with: doorward policy check {POLICY}. Then send SIGHUP to the gateway.
version: 1

{_rules(wanted)}
# Hidden in answers, streams and headers. columns: paths of JSON, CSV and forms; $..email is a member at any depth.
# detect: in any text. What owes a mask and cannot be masked is not let through (docs/http-masks.md).
# with: partial (a rest to tell two apart), hash (a token to join on), redact, null. flow: in masks what clients send.
# except: {{groups: [privacy-office]}} in a mask shows its values to a group; by itself nobody sees them.
masks:{masks_text(wanted, kept, probes=False)}
{left_clear(left_out)}"""


def _rules(wanted: WantedHttp) -> str:
    who, resource = f"{{groups: {listing((wanted.readers,))}}}", quoted(wanted.resource)
    return f"""\
# Paths are those below {comment(wanted.at)}; * is one segment, ** is any number of them.
rules:
  - id: reads
    effect: allow
    who: {who}
    resource: {resource}
    do: [read]
    requests: ["GET,HEAD /**"]

  - id: changes-need-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [write]
    requests: ["POST,PUT,PATCH /**"]
    approve: {{by: {{groups: {listing((wanted.approvers,))}}}, quorum: 1, within: 10m, grant: 5m}}
    reason: A person has to approve changes.

  - id: nothing-is-deleted
    effect: block
    resource: {resource}
    do: [write]
    requests: ["DELETE /**"]
    reason: Nothing is deleted through this gateway. Ask the API's owners.

  - id: nothing-unknown
    effect: block
    resource: {resource}
    do: [admin, unknown]
    reason: Nobody can say what this request does. Ask the API's owners.
"""
