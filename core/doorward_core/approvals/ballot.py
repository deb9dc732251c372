"""Making a vote out of what an approver sent, and saying why it may not count.

It is pure: the identity was verified before, the time and the keys are arguments.
`votes` has the rules of who may vote; here they meet the proof.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

from doorward_core.approvals import sshsig
from doorward_core.approvals.request import NS_PER_S, Case, Verdict, Vote
from doorward_core.approvals.votes import (
    MAX_REASON_CHARACTERS,
    PROOF_SSHSIG,
    PROOF_TOKEN,
    SSHSIG_NAMESPACE,
    check_vote,
    statement,
)
from doorward_core.model import Identity

SIGNED_SKEW_S = 300
"""How far an approver's clock may differ from the gateway's: five minutes, as Kerberos allows (RFC 4120)."""
_UNFIT_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, invisible and direction-changing characters: a reason is shown to others."""


@dataclass(frozen=True, slots=True)
class SshProof:
    """An SSH signature over the statement of a vote, and the time that the statement names."""

    armour: bytes
    cast_unix_ns: int


Proof: TypeAlias = SshProof
"""What an approver may send beside a verdict."""


def cast(
    identity: Identity,
    case: Case,
    verdict: Verdict,
    reason: str,
    proof: SshProof | None,
    *,
    signers: tuple[sshsig.Signer, ...],
    now_unix_ns: int,
) -> tuple[Vote, str]:
    """Make the vote, and say why it may not count ("" if it may)."""
    signed_unix_ns = proof.cast_unix_ns if proof else now_unix_ns
    said, by = reason[:MAX_REASON_CHARACTERS], {"subject": identity.subject, "issuer": identity.issuer}
    vote = Vote(
        request_id=case.request.id,
        approver_subject=identity.subject,
        approver_issuer=identity.issuer,
        approver_groups=identity.groups,
        approver_kind=identity.kind,
        verdict=verdict,
        reason=said,
        cast_unix_ns=now_unix_ns,
        proof_kind=PROOF_SSHSIG if proof else PROOF_TOKEN,
        proof=proof.armour if proof else hashlib.sha256(identity.credential_id.encode("utf-8")).digest(),
        statement=statement(case.request, verdict, **by, reason=said, cast_unix_ns=signed_unix_ns),
        approver_display=identity.display,
        approver_chain=identity.actor_chain,
    )
    refusal = _unfit(reason) or check_vote(case.request, vote, case.votes) or ""
    if not refusal and now_unix_ns >= identity.expires_unix_ns:
        refusal = "your credential has expired"
    if not refusal and proof:
        refusal = _signature_refusal(vote, signed_unix_ns, signers, now_unix_ns)
    return vote, refusal


def _unfit(reason: str) -> str:
    if len(reason) > MAX_REASON_CHARACTERS:
        return f"the reason is longer than {MAX_REASON_CHARACTERS} characters"
    if any(unicodedata.category(character) in _UNFIT_CATEGORIES for character in reason):
        return "the reason has line breaks, control characters or invisible ones"
    return ""


def _signature_refusal(vote: Vote, signed_unix_ns: int, signers: tuple[sshsig.Signer, ...], now_unix_ns: int) -> str:
    if abs(now_unix_ns - signed_unix_ns) > SIGNED_SKEW_S * NS_PER_S:
        return "the signature was not made just now; look at your clock and sign again"
    try:
        sshsig.verify(
            vote.proof,
            vote.statement,
            principal=vote.approver_subject,
            namespace=SSHSIG_NAMESPACE,
            signers=signers,
            now_unix_ns=now_unix_ns,
        )
    except sshsig.BadSignature as error:
        return str(error)
    return ""
