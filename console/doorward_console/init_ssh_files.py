"""The two files of `doorward init ssh`, as text with comments.

What it is: the templates of what is SSH's; `init_text` has the rest, and the quoting.
What it will not do: read, write, or hold a secret.

What the policy allows to begin with is what looks and changes nothing: programs are allowed with arguments only where
none of their arguments can make them write or run something. `systemctl` and `journalctl` stand there with
`--no-pager`: in a terminal their pager could run anything.

Invariants: pure; as in `init_text`.
"""

from dataclasses import dataclass

from doorward_console.init_doors import Gateway
from doorward_console.init_folder import POLICY
from doorward_console.init_ssh_target import Place
from doorward_console.init_text import comment, common, listing, quoted

LOOKS = (
    "uptime", "whoami", "hostname", "date", "id *", "uname *", "df *", "free *", "ps", "ps aux", "ps -ef", "pwd",
    "ls *", "stat *", "du *", "cat /proc/loadavg", "cat /proc/meminfo", "cat /etc/os-release", "ss -tln", "ss -tlnp",
    "systemctl status --no-pager *", "systemctl --no-pager status *", "systemctl is-active *", "systemctl is-failed *",
    "systemctl list-units --no-pager *", "systemctl --no-pager list-units *", "systemctl --no-pager --failed",
)  # fmt: skip
CHANGES = (
    "systemctl start", "systemctl stop", "systemctl restart", "systemctl reload", "systemctl enable",
    "systemctl disable", "sudo systemctl", "kill", "pkill", "touch", "mkdir", "cp", "mv", "ln", "chmod", "chown", "tee",
    "rm", "rmdir",
)  # fmt: skip
READABLE = ("/*", "!/proc/*", "!/sys/*", "!/etc/shadow*", "!/etc/gshadow*", "!/etc/ssh/*key*", "!*/.ssh/*", "!*/.aws/*",
            "!*/.kube/*", "!*/.gnupg/*", "!*/.netrc", "!*/.pgpass", "!*/.git-credentials", "!*/.env",
            "!*/*_history")  # fmt: skip
WRITABLE = ("/*", "!*/.ssh/*", "!/etc/*", "!*/.bash*", "!*/.profile", "!*/.config/systemd/*")


@dataclass(frozen=True, slots=True)
class WantedSsh(Gateway):
    """What the operator asked for, the server included."""

    place: Place
    host_key: str
    fingerprint: str


def config_text(wanted: WantedSsh) -> str:
    """`doorward.yaml`."""
    place = wanted.place
    clients = f"as {comment(wanted.account)}@{comment(wanted.resource)}, with a certificate (doorward ssh-login)"
    return f"""\
{common(wanted, place, POLICY, clients=clients, tls=False)}
# Whose people may see which sessions are open, watch them and end them.
operators: {{groups: {listing((wanted.approvers,))}}}

resources:
  {quoted(wanted.resource)}:  # what clients write behind the account
    protocol: ssh
    target:
      host: {quoted(place.host)}
      port: {place.port}
      # Its key, as an operator compared it: {comment(wanted.fingerprint)}. Any other is refused.
      host_key: {quoted(wanted.host_key)}
    # The gateway logs in with a certificate made for each session, which the target believes by TrustedUserCAKeys.
    # Otherwise: password: {{env: NAME}} here, or keys: {{{comment(wanted.account)}: {{file: PATH}}}} under target.
    accounts:
      {quoted(wanted.account)}: {{user: {quoted(place.user)}}}  # what clients write before the @
    account: {quoted(wanted.account)}
"""


def policy_text(wanted: WantedSsh) -> str:
    """`policy.yaml`."""
    who, resource = f"{{groups: {listing((wanted.readers,))}}}", quoted(wanted.resource)
    approve = f"{{by: {{groups: {listing((wanted.approvers,))}}}, quorum: 1, within: 10m, grant: 5m}}"
    return f"""\
# Who may do what, what waits for a person, and what is hidden; made by `doorward init` on {wanted.made_on}.
# What no rule allows is blocked: forwards, agents, other subsystems, programs that are not named here, and whatever
# cannot be read (scripts, variables, `bash -c "$x"`). Every key: docs/policy.md.
# Check a change with: doorward policy check {POLICY}. Then send SIGHUP to the gateway.
version: 1

rules:
{_command_rules(who, resource, approve)}{_other_rules(who, resource, approve)}
# Looked for in every output and in every text file that is read, and hidden; in a terminal as far as it goes.
# with: partial, hash, redact, null. strict: true refuses what cannot be masked surely (terminals).
# except: {{groups: [privacy-office]}} shows the values to a group; by itself nobody sees them.
masks:
  - id: content
    resource: {resource}
    detect: [email, card, iban, secrets]
    with: partial
"""


def _command_rules(who: str, resource: str, approve: str) -> str:
    return f"""\
  # Programs that look and change nothing. With a * any plain arguments; without, none but those that stand here.
  - id: looks
    effect: allow
    who: {who}
    resource: {resource}
    do: [execute]
    commands:
{_rows(LOOKS)}

  - id: changes-need-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [execute]
    commands:
{_rows(CHANGES)}
    approve: {approve}
    reason: A person has to approve changes.

"""


def _other_rules(who: str, resource: str, approve: str) -> str:
    return f"""\
  # A shell is one decision: what is typed into it is recorded, and not decided on. See docs/ssh.md.
  - id: shells-need-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [execute]
    targets: {{shell: ["*"]}}
    approve: {approve}
    reason: A person has to approve a shell; a single command may need nobody.

  # sftp and scp: each file is decided, by the path that the target itself resolves it to.
  - id: files-are-read
    effect: allow
    who: {who}
    resource: {resource}
    do: [execute, read]
    targets: {{subsystem: [sftp], path: {listing(READABLE)}}}

  - id: writing-files-needs-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [write]
    targets: {{path: {listing(WRITABLE)}}}
    approve: {approve}
    reason: A person has to approve changes to files.
"""


def _rows(patterns: tuple[str, ...]) -> str:
    return "\n".join(f"      - {quoted(one)}" for one in patterns)
