"""The words that go with a denial or a hold: what an agent or a person can act on.

What it is: pure text from verdicts. First comes what whoever asked can put right (a name that does not exist), then the
operator's own `reason`, for the operator knows what to do instead.
What it will not do: show values, or pass on characters that could forge a line: names come from the client.
"""

from collections.abc import Iterable

from doorward_core.model import Action, Atom, Effect, Mask, MaskInput, Obligation
from doorward_core.policy.commands import COMMAND, plain
from doorward_core.policy.judge import Verdict
from doorward_core.policy.objects import OBJECT
from doorward_core.policy.requests import REQUEST

MAX_NAMED = 3
"""Atoms named in one advice; the rest are counted. SQLSTATE details are read in a terminal."""
MAX_NAME_CHARS = 160
"""Two PostgreSQL identifiers of 63 bytes, a dot and quotes fit."""
WRITE_OUT = "; `$` is what only the target's shell knows (a variable, a pattern, a substitution): write it out"


def readable(text: str) -> str:
    """A name as one line: control, format and bidirectional characters are escaped, length is bounded."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= MAX_NAME_CHARS else text[: MAX_NAME_CHARS - 1] + "…"


def describe(atom: Atom) -> str:
    """`write on relation public.orders`."""
    target = atom.target
    if target.kind == "opaque":
        return f"{atom.action} ({readable(target.name)})" if target.name else str(atom.action)
    if target.kind == COMMAND:
        return f"{atom.action} of command {readable(f'{target.name} {target.detail}'.rstrip())}"
    if target.kind == REQUEST:
        return f"{atom.action} by {readable(target.name)}"
    if target.kind == OBJECT:
        return f"{atom.action} ({readable(target.detail)}) on {readable(target.name)}"
    text = f"{atom.action} on {target.kind} {readable(target.name)}"
    if target.columns:
        text += f" ({', '.join(readable(column) for column in target.columns[:MAX_NAMED])}"
        text += ", …)" if len(target.columns) > MAX_NAMED else ")"
    return text


def advise(blamed: list[Verdict], problem: str = "") -> str:
    """What to tell the client about a denial or a hold."""
    reasons = dict.fromkeys(rule.reason for verdict in blamed for rule in verdict.deciding if rule.reason)
    rules = dict.fromkeys(rule.id for verdict in blamed for rule in verdict.deciding)
    said = list(reasons)
    unread = any(verdict.atom.action is Action.UNKNOWN for verdict in blamed)
    if blamed[0].effect is Effect.HOLD:
        said.append(f"Held for approval by rule {_list(rules)}: {_atoms(v.atom for v in blamed)}.")
        return " ".join(said)
    if rules:
        if problem and unread:
            said.insert(0, f"This could not be read whole: {readable(problem)}.")
        ruled = (verdict.atom for verdict in blamed if not verdict.by_default)
        said.append(f"Blocked by rule {_list(rules)}: {_atoms(ruled)}.")
        return " ".join(said)
    if unread:
        because = f": {readable(problem)}" if problem else ""
        said.append(f"This could not be read whole{because}, and no rule allows what is not understood.")
        known = [verdict.atom for verdict in blamed if verdict.atom.action is not Action.UNKNOWN]
        if not known:
            return " ".join(said)
        said.append(f"Besides, no rule allows {_atoms(known)}.")
        return " ".join(said)
    doubt = any(v.atom.target.kind == COMMAND and not plain(v.atom.target.detail) for v in blamed)
    return f"No rule allows {_atoms(v.atom for v in blamed)}{WRITE_OUT if doubt else ''}."


def advise_unsupported(item: Obligation) -> str:
    """What to tell the client where an obligation cannot be honoured."""
    if isinstance(item, MaskInput):
        return f"Mask `{item.mask.rule}` is owed on what is sent here, and cannot be applied by this gateway."
    if isinstance(item, Mask):
        return f"Mask `{item.rule}` is owed here and cannot be applied to this kind of operation."
    return f"Policy demands `{type(item).__name__.lower()}` here, which this gateway cannot do for this operation."


def _atoms(atoms: Iterable[Atom]) -> str:
    listed = list(dict.fromkeys(describe(atom) for atom in atoms))
    text = ", ".join(listed[:MAX_NAMED])
    return text if len(listed) <= MAX_NAMED else f"{text} and {len(listed) - MAX_NAMED} more"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
