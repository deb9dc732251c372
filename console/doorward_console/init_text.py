"""What the files of every `doorward init` share: the quoting, and the part of `doorward.yaml` that is the gateway's.

Invariants: pure; every name of a target or an operator stands in double quotes (JSON's, which YAML reads) or, within a
comment, without anything that could end the line.
"""

import json

from doorward_console.init_doors import Gateway
from doorward_core.approvals.flags import visible


def common(gateway: Gateway, target: object, policy: str, *, clients: str, tls: bool) -> str:
    """Everything but the resources. `tls` says that clients need it, `clients` what they connect with."""
    own = f"tls: {{certificate: {quoted(gateway.certificate)}, key: {quoted(gateway.key)}}}"
    return f"""\
# A Doorward gateway before {comment(target)}, made by `doorward init` on {gateway.made_on}.
# Every key: docs/config.md. Check a change with: doorward config check doorward.yaml
# There is no secret in this file, and none belongs here. Paths are relative to it.
version: 1

# The gateway's name in its log, for ever.
origin: {quoted(gateway.origin)}

# Where clients connect, {clients}.
{_about_certificate(gateway) if tls else "# SSH encrypts by itself: no certificate is needed here."}
listen:
  - {{{_at(gateway.listen_at)}{f", {own}" if tls else ""}}}

# /healthz, /readyz and /metrics; they show no content.
admin: {{{_at(gateway.admin_at)}}}

# What is held waits here, and here people decide it: doorward approvals list --gateway https://...
{"" if tls else f"{_about_certificate(gateway)}{chr(10)}"}approvals:
  store: state/approvals.sqlite
  listen: {{{_at(gateway.approvals_at)}, {own}}}

# Whose tokens are believed, and for whom they must be meant. Groups, kinds and sponsors: docs/identity.md.
identity:
  issuers:
    - issuer: {quoted(gateway.issuer)}
      audience: {listing(gateway.audiences)}

# The log. Keys are made at the first start; keep them as safe as the log, and apart from it.
# mirror: a folder on another machine, so that nobody can rewrite the log unseen.
record:
  folder: state/log
  keys: state/keys
  level: shape  # what was asked, and the beginning of each answer as it was shown, masked; or: decision

policy: {policy}
"""


def _about_certificate(gateway: Gateway) -> str:
    if not gateway.self_signed:
        return "# The certificate is the one that was given to `doorward init`."
    return (
        f"# The certificate is SELF-SIGNED, made by `doorward init`: {comment(gateway.self_signed)}.\n"
        f"# No authority stands behind it: whoever connects is given the file itself: {comment(gateway.certificate)}.\n"
        "# It will do for a first try; put one of your own authority here before others connect."
    )


def _at(where: tuple[str, int]) -> str:
    return f"address: {quoted(where[0])}, port: {where[1]}"


def listing(items: tuple[str, ...]) -> str:
    """A list on one line."""
    return f"[{', '.join(quoted(item) for item in items)}]"


def quoted(text: str) -> str:
    """A text in double quotes that YAML reads back as it was; what does not print is never handed in."""
    return json.dumps(text, ensure_ascii=False)


def comment(text: object) -> str:
    """A text within a comment."""
    return visible(str(text), lines=False)
