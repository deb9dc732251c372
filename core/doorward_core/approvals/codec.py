"""Requests and votes as JSON: what the store keeps, what the control API shows, and what a signature covers.

It is pure, and it neither decides nor displays: `flags` says what is odd about a text.
Bytes are lower-case hexadecimal, sets are sorted lists, times are integers (nanoseconds since the epoch).

Invariants:

- `decode_x(encode_x(x)) == x`, and decoding refuses (ValueError) whatever is not exactly of that shape.
- `card` is the request without its binding; `content_digest` is the SHA-256 of the card's canonical JSON, so that a
  reader of the card can compute what a signature covers.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from doorward_core.approvals.request import ApprovalRequest, HeldRule, Verdict, Vote, canonical_json
from doorward_core.model import Action, Actor, Atom, PrincipalKind, Target

Json = dict[str, object]
T = TypeVar("T")


def card(request: ApprovalRequest) -> Json:
    """Everything that an approver may see of a request, as JSON values."""
    return {
        "id": request.id,
        "origin": request.origin,
        "session_id": request.session_id.hex(),
        "operation_id": request.operation_id.hex(),
        "subject": request.subject,
        "issuer": request.issuer,
        "sponsor": request.sponsor,
        "kind": request.kind.value,
        "display": request.display,
        "attributes": dict(request.attributes),
        "actor_chain": _chain_out(request.actor_chain),
        "resource": request.resource,
        "account": request.account,
        "verb": request.verb,
        "text": request.text,
        "text_truncated": request.text_truncated,
        "parameters": list(request.parameters),
        "context": dict(request.context),
        "atoms": [_atom_out(atom) for atom in request.atoms],
        "unseen": list(request.unseen),
        "rules": [_rule_out(rule) for rule in request.rules],
        "reason": request.reason,
        "opened_unix_ns": request.opened_unix_ns,
        "expires_unix_ns": request.expires_unix_ns,
        "grant_s": request.grant_s,
        "retry": request.retry,
        **({"standing": True} if request.standing else {}),
    }


def card_bytes(request: ApprovalRequest) -> bytes:
    """The card in canonical JSON: what `operation.held` keeps as its payload, so that an auditor can hash it again."""
    return canonical_json(card(request))


def content_digest(request: ApprovalRequest) -> bytes:
    """SHA-256 of the card: what a vote's statement names."""
    return hashlib.sha256(card_bytes(request)).digest()


def encode_request(request: ApprovalRequest) -> bytes:
    """The whole request, binding included, for the store."""
    return canonical_json({**card(request), "digest": request.digest.hex()})


def decode_request(data: bytes) -> ApprovalRequest:
    """Read back what `encode_request` wrote; ValueError on anything else."""
    fields = _Fields(_object(json.loads(data)))
    digest = bytes.fromhex(fields.take("digest", str))
    return _request(fields, digest)


def read_card(document: object) -> ApprovalRequest:
    """Read a card that a gateway sent; the binding, which is not on it, is empty. ValueError if it is not a card."""
    return _request(_Fields(_object(document)), b"")


def encode_vote(vote: Vote) -> bytes:
    """One vote, for the store."""
    return canonical_json(
        {
            "request_id": vote.request_id,
            "approver_subject": vote.approver_subject,
            "approver_issuer": vote.approver_issuer,
            "approver_groups": sorted(vote.approver_groups),
            "approver_kind": vote.approver_kind.value,
            "approver_display": vote.approver_display,
            "approver_chain": _chain_out(vote.approver_chain),
            "verdict": vote.verdict.value,
            "reason": vote.reason,
            "cast_unix_ns": vote.cast_unix_ns,
            "proof_kind": vote.proof_kind,
            "proof": vote.proof.hex(),
            "statement": vote.statement.hex(),
            "logged_in_unix_ns": vote.logged_in_unix_ns,
            **({} if vote.retry is None else {"retry": vote.retry}),
        }
    )


def decode_vote(data: bytes) -> Vote:
    """Read back what `encode_vote` wrote; ValueError on anything else."""
    fields = _Fields(_object(json.loads(data)))
    vote = Vote(
        request_id=fields.take("request_id", str),
        approver_subject=fields.take("approver_subject", str),
        approver_issuer=fields.take("approver_issuer", str),
        approver_groups=frozenset(fields.items("approver_groups", _text)),
        approver_kind=PrincipalKind(fields.take("approver_kind", str)),
        verdict=Verdict(fields.take("verdict", str)),
        reason=fields.take("reason", str),
        cast_unix_ns=fields.take("cast_unix_ns", int),
        proof_kind=fields.take("proof_kind", str),
        proof=bytes.fromhex(fields.take("proof", str)),
        statement=bytes.fromhex(fields.take("statement", str)),
        approver_display=fields.take("approver_display", str),
        approver_chain=fields.items("approver_chain", _actor_in),
        logged_in_unix_ns=fields.amount("logged_in_unix_ns"),
        retry=fields.choice("retry"),
    )
    fields.done()
    return vote


class _Fields:
    """The members of one JSON object, taken one by one, each of the type it must have, and none left over."""

    def __init__(self, document: Json) -> None:
        self._left = dict(document)

    def take(self, name: str, kind: type[T]) -> T:
        if name not in self._left:
            raise ValueError(f"{name} is missing")
        value = self._left.pop(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ValueError(f"{name} is not of type {kind.__name__}")
        return value

    def items(self, name: str, read: Callable[[object], T]) -> tuple[T, ...]:
        return tuple(read(item) for item in self.take(name, list))

    def amount(self, name: str) -> int:
        """A number that is left out where it is 0, and where an older gateway did not know it."""
        return self.take(name, int) if name in self._left else 0

    def mapping(self, name: str) -> Mapping[str, str]:
        return MappingProxyType({key: _text(value) for key, value in self.take(name, dict).items()})

    def said(self, name: str) -> bool:
        """A member that is there and true, or is not there."""
        if name not in self._left:
            return False
        if not self.take(name, bool):
            raise ValueError(f"{name} is left out where it is false")
        return True

    def choice(self, name: str) -> bool | None:
        """A choice that is left out where there was none, and where an older gateway did not know it."""
        return self.take(name, bool) if name in self._left else None

    def done(self) -> None:
        if self._left:
            raise ValueError(f"unknown members: {', '.join(sorted(self._left))}")


def _request(fields: _Fields, digest: bytes) -> ApprovalRequest:
    request = ApprovalRequest(
        id=fields.take("id", str),
        origin=fields.take("origin", str),
        digest=digest,
        session_id=bytes.fromhex(fields.take("session_id", str)),
        operation_id=bytes.fromhex(fields.take("operation_id", str)),
        subject=fields.take("subject", str),
        issuer=fields.take("issuer", str),
        sponsor=fields.take("sponsor", str),
        kind=PrincipalKind(fields.take("kind", str)),
        display=fields.take("display", str),
        attributes=fields.mapping("attributes"),
        resource=fields.take("resource", str),
        account=fields.take("account", str),
        verb=fields.take("verb", str),
        text=fields.take("text", str),
        text_truncated=fields.take("text_truncated", bool),
        parameters=fields.items("parameters", lambda value: None if value is None else _text(value)),
        atoms=fields.items("atoms", _atom_in),
        unseen=fields.items("unseen", _text),
        rules=fields.items("rules", _rule_in),
        reason=fields.take("reason", str),
        opened_unix_ns=fields.take("opened_unix_ns", int),
        expires_unix_ns=fields.take("expires_unix_ns", int),
        grant_s=fields.take("grant_s", int),
        retry=fields.take("retry", bool),
        actor_chain=fields.items("actor_chain", _actor_in),
        context=fields.mapping("context"),
        standing=fields.said("standing"),
    )
    fields.done()
    return request


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a document of the wrong shape is a bad value, as all else here
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - as above
    return value


def _chain_out(chain: tuple[Actor, ...]) -> list[Json]:
    return [{"subject": actor.subject, "issuer": actor.issuer} for actor in chain]


def _actor_in(value: object) -> Actor:
    fields = _Fields(_object(value))
    actor = Actor(subject=fields.take("subject", str), issuer=fields.take("issuer", str))
    fields.done()
    return actor


def _atom_out(atom: Atom) -> Json:
    target = atom.target
    return {
        "action": atom.action.value,
        "kind": target.kind,
        "name": target.name,
        "columns": list(target.columns),
        "detail": target.detail,
    }


def _atom_in(value: object) -> Atom:
    fields = _Fields(_object(value))
    atom = Atom(
        Action(fields.take("action", str)),
        Target(
            fields.take("kind", str),
            fields.take("name", str),
            fields.items("columns", _text),
            fields.take("detail", str),
        ),
    )
    fields.done()
    return atom


def _rule_out(rule: HeldRule) -> Json:
    return {
        "rule": rule.rule,
        "rule_hash": rule.rule_hash.hex(),
        "groups": sorted(rule.groups),
        "quorum": rule.quorum,
        "proof": rule.proof,
        **({"fresh_s": rule.fresh_s} if rule.fresh_s else {}),
    }


def _rule_in(value: object) -> HeldRule:
    fields = _Fields(_object(value))
    rule = HeldRule(
        fields.take("rule", str),
        bytes.fromhex(fields.take("rule_hash", str)),
        frozenset(fields.items("groups", _text)),
        fields.take("quorum", int),
        fields.take("proof", str),
        fields.amount("fresh_s"),
    )
    fields.done()
    return rule
