"""Making a vote out of what an approver sent, and saying why it may not count.

It is pure: the identity was verified before, the time and the keys are arguments.
`votes` has the rules of who may vote; here they meet the proof.
"""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import TypeAlias

from doorward_core.approvals import sshsig
from doorward_core.approvals.passkeys import Passkeys
from doorward_core.approvals.request import NS_PER_S, Case, Verdict, Vote, canonical_json
from doorward_core.approvals.votes import (
    MAX_REASON_CHARACTERS,
    PROOF_SSHSIG,
    PROOF_TOKEN,
    PROOF_WEBAUTHN,
    SSHSIG_NAMESPACE,
    check_vote,
    statement,
)
from doorward_core.approvals.webauthn import Assertion, BadAssertion, base64url, check_counter
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


@dataclass(frozen=True, slots=True)
class PasskeyProof:
    """A WebAuthn assertion over the statement of a vote, and the time that the statement names."""

    assertion: Assertion
    cast_unix_ns: int


Proof: TypeAlias = SshProof | PasskeyProof
"""What an approver may send beside a verdict."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The keys that approvers may prove a vote with, as the gateway's operator keeps them in files."""

    signers: tuple[sshsig.Signer, ...] = ()
    passkeys: Passkeys = field(default_factory=Passkeys)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of proof that somebody could give."""
        signed = {PROOF_SSHSIG} if self.signers else set()
        return frozenset({PROOF_TOKEN} | signed | ({PROOF_WEBAUTHN} if self.passkeys.known else set()))


def cast(
    identity: Identity,
    case: Case,
    verdict: Verdict,
    reason: str,
    proof: Proof | None,
    *,
    trusted: Trusted,
    now_unix_ns: int,
    last_counter: int = 0,
    retry: bool | None = None,
) -> tuple[Vote, str]:
    """Make the vote, and say why it may not count ("" if it may).

    `last_counter` is what the passkey's sign counter was when it was last seen.
    `retry` is what the approver chose, and None from one who does not know the choice: that is taken for the narrower
    one, and the statement is as they signed it, without.
    """
    signed_unix_ns = proof.cast_unix_ns if proof else now_unix_ns
    said, by = reason[:MAX_REASON_CHARACTERS], {"subject": identity.subject, "issuer": identity.issuer}
    kind, kept = _evidence(identity, proof, trusted)
    vote = Vote(
        request_id=case.request.id,
        approver_subject=identity.subject,
        approver_issuer=identity.issuer,
        approver_groups=identity.groups,
        approver_kind=identity.kind,
        verdict=verdict,
        reason=said,
        cast_unix_ns=now_unix_ns,
        proof_kind=kind,
        proof=kept,
        statement=statement(case.request, verdict, **by, reason=said, cast_unix_ns=signed_unix_ns, retry=retry),
        approver_display=identity.display,
        approver_chain=identity.actor_chain,
        logged_in_unix_ns=identity.logged_in_unix_ns,
        retry=False if retry is None and verdict is Verdict.APPROVE and case.request.retry else retry,
    )
    refusal = _unfit(reason) or check_vote(case.request, vote, case.votes) or ""
    if not refusal and now_unix_ns >= identity.expires_unix_ns:
        refusal = "your credential has expired"
    if not refusal and abs(now_unix_ns - signed_unix_ns) > SIGNED_SKEW_S * NS_PER_S:
        refusal = "the signature was not made just now; look at your clock and sign again"
    return vote, refusal or _disproof(vote, proof, trusted, now_unix_ns, last_counter)


def _disproof(vote: Vote, proof: Proof | None, trusted: Trusted, now_unix_ns: int, last_counter: int) -> str:
    if isinstance(proof, SshProof):
        return _signature_refusal(vote, trusted.signers, now_unix_ns)
    if isinstance(proof, PasskeyProof):
        return _assertion_refusal(vote, proof.assertion, trusted.passkeys, last_counter)
    return ""


def _evidence(identity: Identity, proof: Proof | None, trusted: Trusted) -> tuple[str, bytes]:
    """The kind of a proof, and what is kept of it: enough for an auditor to verify it again, with no file of today."""
    if proof is None:
        return PROOF_TOKEN, hashlib.sha256(identity.credential_id.encode("utf-8")).digest()
    if isinstance(proof, SshProof):
        return PROOF_SSHSIG, proof.armour
    made, party = proof.assertion, trusted.passkeys.party
    mine = trusted.passkeys.of(identity.subject, identity.issuer)
    key = next((item.key for item in mine if item.credential == made.credential), b"")
    document = {
        "credential": base64url(made.credential),
        "authenticator_data": base64url(made.authenticator_data),
        "client_data": base64url(made.client_data),
        "signature": base64url(made.signature),
        "key": base64url(key),
        "rp_id": party.id if party else "",
    }
    return PROOF_WEBAUTHN, canonical_json(document)


def _unfit(reason: str) -> str:
    if len(reason) > MAX_REASON_CHARACTERS:
        return f"the reason is longer than {MAX_REASON_CHARACTERS} characters"
    if any(unicodedata.category(character) in _UNFIT_CATEGORIES for character in reason):
        return "the reason has line breaks, control characters or invisible ones"
    return ""


def _signature_refusal(vote: Vote, signers: tuple[sshsig.Signer, ...], now_unix_ns: int) -> str:
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


def _assertion_refusal(vote: Vote, assertion: Assertion, passkeys: Passkeys, last_counter: int) -> str:
    by = {"subject": vote.approver_subject, "issuer": vote.approver_issuer}
    try:
        _, counter = passkeys.verify(assertion, **by, statement=vote.statement)
        check_counter(counter, last_counter)
    except BadAssertion as error:
        return str(error)
    return ""
