"""The sections of the report: what auditors ask for first, then one for each control.

What it is: those controls of ISO/IEC 27001:2022, Annex A, that an access gateway has something to say about; what each
asks for is told in our own words, and not quoted.
What it will not do: count, or say that a control is fulfilled: that is for whoever audits.

Invariant: pure; each figure of docs/spec/evidence.md is in some section (a test holds that).
"""

from dataclasses import dataclass
from typing import Final

WORDS: Final = {
    "access.opened": "sessions opened",
    "access.human": "sessions of people",
    "access.agent": "sessions of agents",
    "access.sponsored": "sessions of agents whose token names the person they act for",
    "access.unsponsored": "sessions of agents for whom no person answers",
    "access.plain": "sessions that came to the gateway without TLS",
    "access.observe": "sessions in observe mode: nothing was enforced in them",
    "access.readonly": "sessions fixed at login to reading",
    "access.closed": "sessions ended",
    "access.covered": "sessions with the statement that all of it was seen and enforced",
    "access.uncovered": "sessions of which something was not seen or not enforced, as they state",
    "access.refused": "logins refused",
    "access.anonymous": "logins refused before it was known who asked",
    "access.credentials": "short-lived certificates issued for a token",
    "access.watched": "times an operator watched a session",
    "access.ended": "sessions ended by an operator",
    "access.requested": "requests for standing access",
    "access.revoked": "revocations of access",
    "access.restored": "revocations lifted",
    "glass.broken": "times somebody broke the glass",
    "glass.used": "held operations that went on because somebody broke the glass",
    "glass.reviewed": "uses of the glass reviewed afterwards",
    "reviews.signed": "reviews of access signed off",
    "operations.decided": "operations decided on, each before it began",
    "operations.permitted": "operations permitted",
    "operations.refused": "operations refused",
    "operations.observed": "operations that only observe mode let through",
    "operations.unread": "operations that could not be read whole, and were decided on as unknown",
    "operations.unseen": "operations with input that streamed in later and was not decided on",
    "operations.changing": "permitted operations that change or execute something",
    "operations.unasked": "of these, operations that ran, or were only prepared, without an approval",
    "operations.privileged": "permitted operations that define or administer something",
    "operations.transfers": "permitted transfers and forwards",
    "operations.finished": "operations ended",
    "operations.failed": "operations that ended with an error of the target",
    "operations.aborted": "operations cut off",
    "operations.masked": "operations whose answers had values masked",
    "approvals.held": "operations held until somebody decided",
    "approvals.voted": "votes cast",
    "approvals.approving": "votes for, that counted",
    "approvals.rejecting": "votes against, that counted",
    "approvals.signed": "counted votes with a signature or passkey of the voter",
    "approvals.uncounted": "votes that did not count",
    "approvals.granted": "requests granted",
    "approvals.rejected": "requests rejected",
    "approvals.expired": "requests or grants that ran out",
    "approvals.withdrawn": "requests withdrawn",
    "approvals.ran": "operations that ran under an approval",
    "approvals.ungranted": "operations under an approval whose grant is not before them in this bundle",
    "approvals.own": "votes for one's own request that counted",
    "policy.loaded": "times a policy came into force",
    "policy.refused": "times a changed policy was refused, and the old one stayed",
    "record.entries": "events in the period and scope",
    "record.recordings": "pieces of recorded output",
    "record.opened": "times the log was opened",
    "record.unclean": "times the log was opened after a stop that was not clean",
    "record.repaired": "repairs of a torn end of the log",
    "record.rotated": "changes of the signing key",
    "record.clock": "events at which the clock had gone back",
    "record.erased": "erasures of content",
    "record.freed": "times entries were freed here, after the archive had proved to hold them",
    "record.errors": "faults of the gateway, or of its targets",
    "record.witness": "times witnesses were behind, or in conflict",
    "content.clear": "contents that stand in the log in the clear",
    "content.revealed": "sealed contents revealed in this bundle",
    "content.sealed": "contents that stay sealed: provable, and not readable here",
    "desk.logins": "logins at the desk",
    "desk.refused": "logins at the desk refused",
    "desk.read": "readings of the record at the desk, each recorded",
    "masked.values": "values masked",
    "rows.shown": "rows shown",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One section. `tables` and `parts` name further content; `check` are commands; `limit` is what it cannot show.

    `needs` are figures without which it has little to show, and what is said where one of them is zero.
    """

    id: str
    title: str
    asks: str
    does: str
    figures: tuple[str, ...]
    exceptions: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    limit: str = ""
    needs: tuple[tuple[str, str], ...] = ()


_LIST: Final = "python3 verify.py evidence.zip --list {}"
FIRST: Final = (
    Section(
        "first.access", "Access is tied to individuals",
        "Who got in, proved by what, and which person answers for it.",
        "Nobody reaches a target without a token or certificate of the identity provider. "
        "The verified subject, and for an agent its sponsor, stand in every event.",
        ("access.opened", "access.human", "access.agent", "access.sponsored"),
        ("access.unsponsored", "access.refused", "access.observe"),
        ("people",), (), (_LIST.format("access.opened"),),
    ),
    Section(
        "first.approvals", "Risky operations were approved before they ran",
        "For what a rule calls risky: who asked, who decided, and that the decision came first.",
        "A held operation waits on its own connection. Votes are recorded before they count, and the operation after "
        "them, so that the order of entries is the order of events.",
        (
            "approvals.held", "approvals.granted", "approvals.rejected", "approvals.ran", "operations.changing",
            "operations.unasked",
        ),
        ("approvals.ungranted", "approvals.own", "approvals.uncounted", "approvals.expired"),
        ("approvers",), ("requests",), (_LIST.format("approvals.ran"),),
        "Of a request that was granted before the period, the grant and its votes are in the bundle; they are not "
        "counted in it. What is risky is what a rule holds: changes that no rule held ran without anybody's leave.",
        (("approvals.held", "No rule held anything in the period: nobody was asked before an operation ran."),),
    ),
    Section(
        "first.recordings", "Sessions can be replayed",
        "What was seen and done in a terminal, at the pace at which it happened.",
        "What a terminal or command was sent is kept after masking, in pieces with their times. "
        "The recordings here are made of these pieces, and verify.py compares them.",
        ("record.recordings", "operations.finished"), ("content.sealed",), (), ("recordings",),
        ("asciinema play recordings/.../....cast",),
    ),
)  # fmt: skip
CONTROLS: Final = (
    Section(
        "A.5.3", "Duties are kept apart",
        "Tasks that conflict are not in one hand: who asks does not approve, who operates does not rewrite the record.",
        "A vote for one's own request is refused, as is any vote of an agent; whoever can write the store of requests "
        "can approve nothing.",
        ("approvals.voted", "approvals.approving", "approvals.rejecting", "approvals.signed"),
        ("approvals.own", "approvals.uncounted"),
        ("approvers",), (), (_LIST.format("approvals.own"),), "",
        (("approvals.voted", "Nobody voted in the period: that duties are kept apart was not put to the test."),),
    ),
    Section(
        "A.5.15", "Access follows rules",
        "Rules for access exist, follow the need of the business, and are enforced.",
        "Each operation is decided on by a policy in files: blocked over held over allowed, and blocked where no rule "
        "speaks. The policies that were in force are in this bundle.",
        ("policy.loaded", "operations.decided", "operations.permitted"),
        ("operations.refused", "operations.observed", "policy.refused"),
        ("rules",), ("policies",), (_LIST.format("operations.refused"), "doorward policy explain ..."),
    ),
    Section(
        "A.5.16", "Identities are managed",
        "Each identity belongs to one person or one thing, through its whole life.",
        "Identities are the provider's. The gateway keeps none of its own, and refuses what it cannot verify.",
        ("access.opened", "access.agent", "access.sponsored"), ("access.unsponsored", "access.anonymous"),
        ("people",), (), (_LIST.format("access.unsponsored"),),
        "That accounts at the provider are created and removed in time is shown by the provider, not here.",
    ),
    Section(
        "A.5.17", "Secrets for logging in are handled safely",
        "What people and programs log in with is given out and kept so that others cannot use it.",
        "Tokens are short-lived and are not recorded; targets' own secrets stay with the gateway. "
        "SSH certificates are issued for a token and end with it.",
        ("access.credentials",), ("access.plain",), (), (), (_LIST.format("access.credentials"),),
        "How the provider guards passwords and second factors is shown by the provider.",
    ),
    Section(
        "A.5.18", "Rights are given, reviewed and taken away",
        "Access is granted by who may, looked at again, changed, and ended.",
        "Rights are rules in the policy, or grants that somebody approved and that end by themselves. "
        "Each change of the policy is an event with its text.",
        ("policy.loaded", "access.requested", "approvals.granted", "reviews.signed"),
        ("access.revoked", "access.ended", "approvals.expired"),
        ("accounts",), ("policies",), (_LIST.format("access.revoked"),),
        "Reviews of rights stand in the desk's own log: give that log as well, if they are to be counted.",
        (("reviews.signed", "No review of access was signed off in the logs of this bundle, in this period."),),
    ),
    Section(
        "A.5.28", "Evidence is collected so that it holds",
        "What may be needed as evidence is identified, gathered and kept unaltered.",
        "This bundle: entries, proofs up to a signed checkpoint, and a verifier that needs nothing else.",
        ("record.entries", "content.clear", "content.revealed"), ("content.sealed", "record.erased"),
        (), ("logs",), ("python3 verify.py evidence.zip --key VKEY",),
    ),
    Section(
        "A.5.33", "Records are protected",
        "Records are safe from loss, change, forgery and unwanted eyes, for as long as they must be kept.",
        "Entries form one tree whose head is signed; contents can be sealed for auditors alone, and erased by deleting "
        "a key, after which everything still verifies.",
        ("record.opened", "record.rotated", "record.freed", "content.revealed"),
        ("record.repaired", "record.unclean", "record.erased", "record.witness"),
        (), ("logs",), (_LIST.format("record.erased"),),
    ),
    Section(
        "A.8.2", "Privileged access is restricted",
        "Rights beyond the ordinary are few, known, and used for what they were given for.",
        "What defines or administers is a class of its own in the policy, usually held for approval; logins at targets "
        "are the gateway's, not the user's.",
        ("operations.privileged", "operations.changing", "operations.unasked", "approvals.ran", "glass.reviewed"),
        ("glass.broken", "glass.used", "access.observe"),
        ("accounts",), (), (_LIST.format("operations.privileged"),),
    ),
    Section(
        "A.8.3", "Information is not open to everyone",
        "Access to data and functions is limited to what the rules give.",
        "Policy names tables, columns, commands, paths and objects. What it does not name is refused.",
        ("operations.permitted", "access.readonly", "rows.shown"), ("operations.refused", "operations.unread"),
        ("resources",), (), (_LIST.format("operations.unread"),),
    ),
    Section(
        "A.8.5", "Logging in is secure",
        "Who logs in is verified by means that fit the risk, and failures do not help an attacker.",
        "Tokens are verified against the provider's keys, answers to failures are the same for everyone, and failures "
        "are limited and recorded.",
        ("access.opened", "access.human", "access.agent", "desk.logins"),
        ("access.refused", "access.plain", "desk.refused"),
        ("reasons",), (), (_LIST.format("access.refused"),),
    ),
    Section(
        "A.8.11", "Data is masked",
        "Personal and secret values are hidden from who need not see them.",
        "Masks are rules; what cannot be proved to owe no mask is hidden or refused. What is counted here are values "
        "that were hidden, never the values.",
        ("operations.masked", "masked.values"), ("operations.unseen", "access.uncovered"),
        ("labels",), (), (_LIST.format("operations.masked"),),
    ),
    Section(
        "A.8.12", "Data does not leak",
        "Measures find and stop data leaving by ways it should not take.",
        "Results, errors, copies and transfers pass the same masks and detectors; transfers and forwards are decided "
        "on as such.",
        ("operations.transfers", "rows.shown", "masked.values"), ("operations.unseen",), (), (),
        (_LIST.format("operations.transfers"),),
        "Ways around the gateway, if a target can be reached without it, are not visible here.",
    ),
    Section(
        "A.8.15", "Activity is logged",
        "Events are recorded, kept, protected and looked at.",
        "No result is released before its record is on stable storage; if the record cannot be written, traffic stops.",
        ("record.entries", "operations.finished", "desk.read"),
        ("operations.failed", "operations.aborted", "record.errors", "access.uncovered"),
        ("kinds", "coverage"), (), (_LIST.format("record.entries"),), "",
        (
            (
                "desk.read",
                "Nobody is on record here as having looked at the record: readings stand in the desk's own log.",
            ),
        ),
    ),
    Section(
        "A.8.16", "Activity is watched",
        "Networks, systems and applications are watched for what is out of the ordinary.",
        "Operators can watch and end sessions, and each watching is an event. What was refused is listed here.",
        ("access.watched", "access.restored", "access.closed", "access.covered"),
        ("operations.refused", "access.refused", "record.errors"), ("reasons",), (),
        (_LIST.format("access.watched"),), "",
        (("access.watched", "No operator watched a session in the period. Alarms elsewhere are not seen here."),),
    ),
    Section(
        "A.8.17", "Clocks agree",
        "Clocks of what is logged are kept in step with one source.",
        "Times in a log never go back; where the machine's clock did, the event says by how much.",
        ("record.entries",), ("record.clock",), (), ("logs",), (_LIST.format("record.clock"),),
        "That the machine's clock was right is shown by its time service; the log shows order, and steps back. "
        "A witness's cosignature carries the witness's own time.",
    ),
    Section(
        "A.8.32", "Changes are controlled",
        "Changes to systems go through a procedure: assessed, approved, recorded.",
        "Operations that change something are a class of their own; those that a rule holds waited for approval. "
        "Changes of the policy itself are recorded with their text.",
        (
            "operations.changing", "operations.unasked", "approvals.held", "approvals.voted", "approvals.withdrawn",
            "policy.loaded",
        ),
        ("policy.refused", "approvals.ungranted"),
        ("rules",), ("policies",), (_LIST.format("operations.changing"),),
    ),
)  # fmt: skip
SECTIONS: Final = FIRST + CONTROLS

TABLE_WORDS: Final = {
    "people": (
        "Who had access",
        ("subject", "issuer", "kind", "sponsor"),
        ("sessions", "permitted", "refused", "held"),
    ),
    "resources": ("What was accessed", ("resource",), ("sessions", "permitted", "refused", "held", "masked")),
    "accounts": ("Logins at targets", ("resource", "login"), ("sessions", "privileged", "changing")),
    "approvers": ("Who voted", ("approver", "issuer", "kind"), ("for", "against", "not counted", "own")),
    "rules": ("Rules that decided", ("rule",), ("permitted", "refused", "held")),
    "kinds": ("Kinds of event", ("kind",), ("events",)),
    "labels": ("What was masked", ("label",), ("values",)),
    "coverage": ("What was not covered", ("statement",), ("sessions",)),
    "reasons": ("Why it was refused", ("reason",), ("operations", "logins")),
}
