"""The masks of a policy that `doorward init` writes, as text: what was chosen, and what was left in clear.

Invariants: pure; as in `init_text`; a name that the pattern language could misread is widened (`?` for the character):
it hides too much rather than nothing.
"""

from doorward_console.init_doors import Gateway
from doorward_console.init_proposals import Proposal
from doorward_console.init_text import comment, listing, quoted


def masks_text(gateway: Gateway, kept: tuple[Proposal, ...], *, probes: bool) -> str:
    """The rules of `masks:`. `probes`: there are conditions on hidden values, and they have rules of their own."""
    groups: dict[str, list[Proposal]] = {}
    for one in kept:
        groups.setdefault(one.id, []).append(one)
    return "".join(_mask(gateway, group, probes=probes) for group in groups.values()) or " []\n"


def _mask(gateway: Gateway, group: list[Proposal], *, probes: bool) -> str:
    first = group[0]
    lines = ["", f"  - id: {first.id}", f"    resource: {quoted(gateway.resource)}"]
    if first.detect:
        lines += [
            "    # Looked for in every text that leaves, at a cost on large results; take out what you can do without.",
            f"    # {comment(first.why)}",
            f"    detect: {listing(first.detect)}",
        ]
    else:
        lines += ["    columns:", *(f"      - {quoted(pattern(one.name))}  # {comment(one.why)}" for one in group)]
    lines.append(f"    with: {first.transform}")
    if probes and first.id == "secret":
        lines.append("    probe: {equality: block, other: block}")
    elif probes and not first.detect:
        approve = f"{{by: {{groups: {listing((gateway.approvers,))}}}}}"
        lines.append(f"    probe: {{equality: allow, limit: 20/h, other: hold, approve: {approve}}}")
    return "\n".join(lines) + "\n"


def pattern(name: str) -> str:
    """A name as a pattern that matches it, and perhaps a little more: for what is hidden."""
    safe = "".join(char if char.isprintable() and char not in "*?[" else "?" for char in name)
    return f"?{safe[1:]}" if safe.startswith("!") else safe


def left_clear(left_out: tuple[Proposal, ...]) -> str:
    """What was proposed and not chosen, as a comment."""
    if not left_out:
        return ""
    told = "".join(f"#   {comment(one.name)} ({comment(one.why)})\n" for one in left_out)
    return f"\n# Proposed for hiding, and left in clear by whoever ran `doorward init`:\n{told}"
