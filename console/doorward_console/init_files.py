"""The two files that `doorward init` writes, as text with comments: `doorward.yaml` and `policy.yaml`.

What it is: the templates of what is PostgreSQL's; `init_text` has the rest, and the quoting.
What it will not do: read, write, or hold a secret: a password is a reference, never a value.

Invariants: pure; every name of a database or an operator stands in double quotes (JSON's, which YAML reads) or, within
a comment, without anything that could end the line; a name that the pattern language could misread is widened where it
hides (`?` for the character) and left out, with a word, where it would allow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from doorward_console.init_doors import Gateway
from doorward_console.init_folder import POLICY
from doorward_console.init_masks import left_clear, masks_text
from doorward_console.init_proposals import Proposal
from doorward_console.init_target import Place
from doorward_console.init_text import comment, common, listing, quoted


@dataclass(frozen=True, slots=True)
class Wanted(Gateway):
    """What the operator asked for, the database included."""

    place: Place
    target_tls: str
    target_ca: str
    password: dict[str, str]  # {"env": NAME} or {"file": PATH}; empty where the target asks for none
    schemas: tuple[str, ...]


def config_text(wanted: Wanted) -> str:
    """`doorward.yaml`."""
    clients = "with a token as the password"
    return f"{common(wanted, wanted.place, POLICY, clients=clients, tls=True)}\n{_resources(wanted)}"


def policy_text(wanted: Wanted, kept: tuple[Proposal, ...], left_out: tuple[Proposal, ...]) -> str:
    """`policy.yaml`."""
    return f"""\
# Who may do what, what waits for a person, and what is hidden; made by `doorward init` on {wanted.made_on}.
# What no rule allows is blocked. Every key: docs/policy.md.
# Check a change with: doorward policy check {POLICY}. Then send SIGHUP to the gateway.
version: 1
include: [safe-catalog]  # what psql, drivers and ORMs ask of PostgreSQL's own catalogue

{_rules(wanted)}
# Hidden wherever the values flow: aliases, expressions, views, COPY, errors.
# with: partial (a rest to tell two apart), hash (a token to join on), redact, null.
# probe: what becomes of a condition on a hidden column. Equality with a given value is allowed so many times an hour
# for each principal; what could feel its way to a value (LIKE, <, ORDER BY) waits for a person.
# except: {{groups: [privacy-office]}} in a mask shows its values to a group; by itself nobody sees them.
masks:{masks_text(wanted, kept, probes=True)}
{left_clear(left_out)}"""


def _resources(wanted: Wanted) -> str:
    place = wanted.place
    target = f"host: {quoted(place.host)}, port: {place.port}, database: {quoted(place.database)}"
    login = f"{{user: {quoted(place.user)}{_password(wanted.password)}}}"
    return f"""\
resources:
  {quoted(wanted.resource)}:  # what clients call dbname
    protocol: postgres
{_about_tls(wanted)}
    # Add `previews: true` to `target`, and approvers see what the server expects of a statement that waits for them,
    # where policy allows its EXPLAIN: docs/postgres.md.
    target: {{{target}{_tls(wanted)}}}
    # The login at the target that sessions use. Give it no more rights than they need, and never a superuser's.
    accounts:
{_about_password(wanted)}
      {quoted(wanted.account)}: {login}  # what clients call user
    account: {quoted(wanted.account)}
"""


def _rules(wanted: Wanted) -> str:
    tables, unnamed = _tables(wanted.schemas)
    resource, readers, approvers = quoted(wanted.resource), listing((wanted.readers,)), listing((wanted.approvers,))
    notes = "".join(
        f"    # not allowed, for its name means more than itself in a pattern: {comment(one)}\n" for one in unnamed
    )
    return f"""\
rules:
  - id: reads
    effect: allow
    who: {{groups: {readers}}}
    resource: {resource}
    do: [read]
    tables: {tables}
{notes}
  - id: changes-need-a-human
    effect: hold
    who: {{groups: {readers}}}
    resource: {resource}
    do: [write]
    tables: {tables}
    approve: {{by: {{groups: {approvers}}}, quorum: 1, within: 10m, grant: 5m, in_transaction: 60s}}
    reason: A person has to approve changes.

  - id: no-ddl
    effect: block
    resource: {resource}
    do: [define, admin, unknown]
    reason: The schema, rights and settings are not changed through this gateway. Ask the database's owners.
"""


def _tables(schemas: Iterable[str]) -> tuple[str, list[str]]:
    """The patterns of every table in these schemas, and the schemas that cannot be written as one."""
    listed: list[str] = []
    unnamed: list[str] = []
    for schema in schemas:
        plain = schema.isprintable() and not set(schema) & set('*?[."') and not schema.startswith("!")
        (listed if plain else unnamed).append(schema)
    return listing(tuple(f"{schema}.*" for schema in listed) or ("public.*",)), unnamed


def _about_tls(wanted: Wanted) -> str:
    if wanted.place.local:
        return "    # Over the server's Unix socket: no network, no TLS."
    if wanted.target_tls == "disable":
        return (
            "    # WITHOUT TLS, as --target-tls disable asked: who is on the way to the target can read and change\n"
            "    # what passes. Take it out (the default is verify-full) as soon as the server offers TLS."
        )
    return "    # Its certificate must be for this host, and come from " + (
        "the authorities in `ca`." if wanted.target_ca else "an authority that this machine trusts."
    )


def _tls(wanted: Wanted) -> str:
    if wanted.place.local:
        return ""
    if wanted.target_tls == "disable":
        return ", tls: {mode: disable}"
    return f", tls: {{mode: verify-full{f', ca: {quoted(wanted.target_ca)}' if wanted.target_ca else ''}}}"


def _password(source: dict[str, str]) -> str:
    return "".join(f", password: {{{how}: {quoted(where)}}}" for how, where in source.items())


def _about_password(wanted: Wanted) -> str:
    if "env" in wanted.password:
        variable = comment(wanted.password["env"])
        return f"      # Its password: set {variable} where the gateway starts; or {{file: PATH}}, {{exec: [PROGRAM]}}."
    if "file" in wanted.password:
        return "      # Its password is the content of this file."
    return "      # The target asked for no password; else: password: {env: NAME}, {file: PATH} or {exec: [PROGRAM]}."
