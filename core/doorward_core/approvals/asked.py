"""What approvers send to the control API, read strictly: a ballot, its proof, and which part of the list is wanted.

It is pure; whatever is not exactly of that shape is a ValueError, in words for the one who sent it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward_core.approvals.ballot import PasskeyProof, Proof, SshProof
from doorward_core.approvals.passkeys import read_base64url
from doorward_core.approvals.request import RequestState, Verdict, canonical_id
from doorward_core.approvals.votes import PROOF_SSHSIG, PROOF_WEBAUTHN
from doorward_core.approvals.webauthn import (
    MAX_AUTHENTICATOR_BYTES,
    MAX_CLIENT_DATA_BYTES,
    MAX_CREDENTIAL_BYTES,
    MAX_SIGNATURE_BYTES,
    Assertion,
)

MAX_WAIT_S: Final = 20
"""Of one question: the control port gives a handler 30 seconds."""
MAX_DIGITS: Final = 18
MAX_NS: Final = 2**63
"""Later than any time that a gateway can keep."""
_LISTING: Final = (
    f"state is one of all, {', '.join(RequestState)}; after is a version, wait is whole seconds up to {MAX_WAIT_S},"
    " before is what `next` said; there is no other filter"
)
_BALLOT: Final = (
    "a vote has a verdict (approve or reject), a reason, and at most a retry (true or false), a proof and a content"
)
_PROOF: Final = (
    "a proof has a kind, a signature and a cast_unix_ns; one of kind webauthn also has credential, authenticator_data"
    " and client_data, all in base64url"
)
_SSHSIG: Final = frozenset({"kind", "signature", "cast_unix_ns"})
_PARTS: Final = {
    "credential": MAX_CREDENTIAL_BYTES,
    "authenticator_data": MAX_AUTHENTICATOR_BYTES,
    "client_data": MAX_CLIENT_DATA_BYTES,
    "signature": MAX_SIGNATURE_BYTES,
}
"""The parts of an assertion, and how long each may be."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of the list: of one state or of all, older than a place, once it is no longer of this version."""

    state: RequestState | None
    before: tuple[int, str] | None
    after: int | None
    wait_s: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it was sent; `content` is the digest of the card that its caster saw, "" where none was said.

    `retry` is whether an identical retry may use the grant as well, None where that was not said.
    """

    verdict: Verdict
    reason: str
    proof: Proof | None = None
    content: str = ""
    retry: bool | None = None


def read_listing(query: Mapping[str, str]) -> Listing:
    """Read the query of `GET /v1/approvals`."""
    wanted = query.get("state", "pending")
    if set(query) - {"state", "before", "after", "wait"} or (wanted != "all" and wanted not in set(RequestState)):
        raise ValueError(_LISTING)
    state = None if wanted == "all" else RequestState(wanted)
    after, wait = _number(query.get("after")), _number(query.get("wait"))
    if (wait or 0) > MAX_WAIT_S or (wait is not None and after is None):
        raise ValueError(_LISTING)
    return Listing(state, _place(query["before"]) if "before" in query else None, after, wait or 0)


def place(opened_unix_ns: int, request_id: str) -> str:
    """Where a list goes on, for `before`."""
    return f"{opened_unix_ns}.{request_id}"


def read_ballot(body: Mapping[str, object], *, drafted: bool = False) -> Ballot:
    """Read a vote; `drafted` is one that is only asked about, and has neither proof nor content."""
    members = {"verdict", "reason", "retry"} if drafted else {"verdict", "reason", "retry", "proof", "content"}
    verdict, reason, content = body.get("verdict"), body.get("reason", ""), body.get("content", "")
    retry = body.get("retry")
    texts = isinstance(verdict, str) and isinstance(reason, str) and isinstance(content, str)
    chosen = isinstance(retry, bool) if "retry" in body else True
    if set(body) - members or not texts or not chosen or verdict not in set(Verdict):
        raise ValueError("what is asked about has a verdict, a reason, and at most a retry" if drafted else _BALLOT)
    said = retry if isinstance(retry, bool) else None
    return Ballot(Verdict(str(verdict)), str(reason), _proof(body.get("proof")), str(content), said)


def _proof(given: object) -> Proof | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise ValueError(_PROOF)  # noqa: TRY004 - a body of the wrong shape, as all else here
    cast, signature, members = given.get("cast_unix_ns"), given.get("signature"), set(given)
    if type(cast) is not int or not 0 < cast < MAX_NS or not isinstance(signature, str) or not signature.isascii():
        raise ValueError(_PROOF)
    if given.get("kind") == PROOF_SSHSIG and members == _SSHSIG:
        return SshProof(signature.encode("ascii"), cast)
    if given.get("kind") == PROOF_WEBAUTHN and members == _SSHSIG | set(_PARTS):
        return PasskeyProof(Assertion(**{name: _part(given[name], most) for name, most in _PARTS.items()}), cast)
    raise ValueError(_PROOF)


def _part(value: object, most: int) -> bytes:
    if not isinstance(value, str):
        raise ValueError(_PROOF)  # noqa: TRY004 - as above
    return read_base64url(value, most)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError(_LISTING)
    return int(text)


def _place(text: str) -> tuple[int, str]:
    opened, _, name = text.partition(".")
    identifier, number = canonical_id(name), opened.isascii() and opened.isdigit() and len(opened) <= MAX_DIGITS + 1
    if identifier is None or not number:
        raise ValueError(_LISTING)
    return int(opened), identifier
