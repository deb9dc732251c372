"""What receivers of notifications are sent: bodies for plain JSON, Slack and Teams, and the signature of a body.

It is pure: a notice in, bytes out. `notify_send` sends them.

    Doorward-Signature: t=1800000000,v1=<hex>     HMAC-SHA256 under the receiver's key, over `t`, a full stop, the body

Invariants (threat model AP-04, AP-05):

- A body has one address in it, the desk's, where a person who logs in may decide; nothing in it decides when pressed.
- Statements, which carry values, are sent only where the operator says so (`text`).
- What a requester or an approver wrote is never markup. In Slack it stands in `rich_text` elements of type `text`, in
  Teams in a `TextRun`, which both show as they are: no mention, no link, no emphasis. Whatever cannot be seen, or turns
  the direction of reading, is written out first, and line breaks with it.
- What a phone shows before anything is opened (`text` in Slack, `fallbackText` in Teams) is in our own words alone.
- Everything is bounded in length, and says where it was cut.
"""

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from doorward_core.approvals.flags import flags, visible
from doorward_core.approvals.request import ApprovalRequest, RequestState, Vote
from doorward_core.event import Event, EventKind

SIGNATURE: Final = "Doorward-Signature"
VERSION: Final = 1
MIN_KEY_CHARACTERS: Final = 32
MAX_TEXT_CHARACTERS: Final = 300
"""Of a statement: enough to know which one it is; whoever decides reads it whole at the desk."""
MAX_FLAGGED_CHARACTERS: Final = 20_000
"""As in a list: looking at every character of the longest statement would keep others waiting."""
MAX_NAME_CHARACTERS: Final = 120
MAX_TARGETS: Final = 8
MAX_URL_CHARACTERS: Final = 2048
NS_PER_S: Final = 1_000_000_000

TITLES: Final[Mapping[str, str]] = {
    "held": "A request waits for approval",
    "voted": "Somebody voted on a request",
    "granted": "A request was approved",
    "rejected": "A request was rejected",
    "expired": "A request was not decided in time",
    "withdrawn": "A request was withdrawn",
    "break-glass": "Somebody broke the glass",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `name` is the request's, or the opening's; `more` is what only some events have."""

    event: str
    origin: str
    name: str
    unix_ns: int
    subject: str
    sponsor: str
    resource: str
    account: str = ""
    verb: str = ""
    targets: tuple[str, ...] = ()
    text: str = ""
    rules: tuple[str, ...] = ()
    reason: str = ""
    until_unix_ns: int = 0
    more: tuple[tuple[str, str], ...] = ()
    odd: tuple[str, ...] = ()


def of_request(event: str, request: ApprovalRequest, now_unix_ns: int, *, vote: Vote | None = None) -> Notice:
    """What there is to tell about a request."""
    said = (
        ()
        if vote is None
        else (
            ("voted", f"{vote.approver_subject}: {vote.verdict.value}"),
            ("retry", "" if vote.retry is None else "allowed" if vote.retry else "not allowed"),
            ("said", vote.reason),
        )
    )
    return Notice(
        event=event,
        origin=request.origin,
        name=request.id,
        unix_ns=now_unix_ns,
        subject=request.subject,
        sponsor=request.sponsor,
        resource=request.resource,
        account=request.account,
        verb=request.verb,
        targets=tuple(dict.fromkeys(f"{atom.action.value} {atom.target.name}" for atom in request.atoms)),
        text=request.text,
        rules=tuple(rule.rule for rule in request.rules),
        reason=request.reason,
        until_unix_ns=request.expires_unix_ns,
        more=tuple((name, value) for name, value in said if value),
        odd=tuple(flag.kind.value for flag in flags(request.text[:MAX_FLAGGED_CHARACTERS])),
    )


def of_ending(request: ApprovalRequest, state: RequestState, votes: tuple[Vote, ...], now_unix_ns: int) -> Notice:
    """That a request was decided, or ended otherwise."""
    return of_request(state.value, request, now_unix_ns, vote=votes[-1] if votes else None)


def of_event(event: Event, origin: str, now_unix_ns: int) -> Notice | None:
    """What there is to tell about an event that is no request's: that somebody broke the glass."""
    if event.kind is not EventKind.BREAK_GLASS_OPENED:
        return None
    head = {name: value for name, value in event.header.items() if isinstance(value, str)}
    until, reason = event.header.get("expires_unix_ns"), event.payload.get("reason")
    return Notice(
        event="break-glass",
        origin=origin,
        name=head.get("request", ""),
        unix_ns=now_unix_ns,
        subject=head.get("subject", ""),
        sponsor=head.get("sponsor", ""),
        resource=head.get("resource", ""),
        reason=reason if isinstance(reason, str) else "",
        until_unix_ns=until if isinstance(until, int) else 0,
    )


def body(notice: Notice, style: str, *, link: str, delivery: str, text: bool) -> bytes:
    """One body, in the style of its receiver; `link` is empty where there is no desk, `text` sends statements too."""
    rows = _rows(notice, text=text)
    if style == "slack":
        document = _slack(notice, rows, link)
    elif style == "teams":
        document = _teams(notice, rows, link)
    else:
        document = _plain(notice, link, delivery, text=text)
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def signature(key: bytes, content: bytes, now_unix_s: int) -> str:
    """The header that a receiver verifies."""
    made = hmac.new(key, f"{now_unix_s}.".encode("ascii") + content, hashlib.sha256).hexdigest()
    return f"t={now_unix_s},v1={made}"


def link_to(template: str, name: str) -> str:
    """The address of one request at the desk; a request's id needs no escaping, and anything else has no address."""
    return template.replace("{id}", name) if template and name.replace("-", "").isalnum() and name.isascii() else ""


def address_problem(url: str) -> str:
    """Why nothing is sent to this address; empty where something may be. The address itself is a secret."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "the address cannot be read"
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or len(url) > MAX_URL_CHARACTERS or not host or "@" in parts.netloc:
        return "the address is not a plain URL"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return ""
    return "the address is not https"


def cut(text: str, most: int = MAX_NAME_CHARACTERS) -> str:
    """A stranger's text in one line, with nothing in it that cannot be seen, and no longer than this."""
    shown = visible(text[: most + 1], lines=False)
    return shown if len(shown) <= most else f"{shown[:most]} [...]"


def _rows(notice: Notice, *, text: bool) -> list[tuple[str, str]]:
    """Label and value, in the order in which one wants to read them; labels are ours, values are not."""
    who = f"{cut(notice.subject)}, for {cut(notice.sponsor)}" if notice.sponsor else cut(notice.subject)
    where = f"{cut(notice.resource)} as {cut(notice.account)}" if notice.account else cut(notice.resource)
    targets = [cut(target) for target in notice.targets[:MAX_TARGETS]]
    more = [f"and {len(notice.targets) - MAX_TARGETS} more"] if len(notice.targets) > MAX_TARGETS else []
    rows = [
        ("who", who),
        ("where", where),
        ("does", ", ".join([*targets, *more])),
        ("text", cut(notice.text, MAX_TEXT_CHARACTERS) if text else ""),
        ("careful", f"odd characters: {', '.join(notice.odd)}" if notice.odd else ""),
        ("why", cut(notice.reason, MAX_TEXT_CHARACTERS)),
        *((name, cut(value, MAX_TEXT_CHARACTERS)) for name, value in notice.more),
        ("gateway", cut(notice.origin)),
    ]
    return [(label, value) for label, value in rows if value]


def _plain(notice: Notice, link: str, delivery: str, *, text: bool) -> dict[str, object]:
    return {
        "version": VERSION,
        "delivery": delivery,
        "event": notice.event,
        "unix_ns": notice.unix_ns,
        "gateway": notice.origin,
        "id": notice.name,
        "subject": cut(notice.subject),
        "sponsor": cut(notice.sponsor),
        "resource": cut(notice.resource),
        "account": cut(notice.account),
        "verb": cut(notice.verb),
        "targets": [cut(target) for target in notice.targets[:MAX_TARGETS]],
        "rules": [cut(rule) for rule in notice.rules],
        "reason": cut(notice.reason, MAX_TEXT_CHARACTERS),
        "until_unix_ns": notice.until_unix_ns,
        "odd": list(notice.odd),
        "link": link,
        **{name: cut(value, MAX_TEXT_CHARACTERS) for name, value in notice.more},
        **({"text": cut(notice.text, MAX_TEXT_CHARACTERS)} if text else {}),
    }


def _slack(notice: Notice, rows: list[tuple[str, str]], link: str) -> dict[str, object]:
    """Block Kit: `rich_text`, whose elements of type `text` are shown as they are."""
    title = {"type": "rich_text_section", "elements": [_slack_text(TITLES[notice.event], bold=True)]}
    said = {
        "type": "rich_text_preformatted",
        "elements": [{"type": "text", "text": "\n".join(f"{label:8} {value}" for label, value in rows)}],
    }
    elements: list[object] = [title, said]
    if link:
        pointed = {"type": "link", "url": link, "text": "Look at it at the desk"}
        elements.append({"type": "rich_text_section", "elements": [pointed]})
    return {
        "text": f"{TITLES[notice.event]}.",
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [{"type": "rich_text", "elements": elements}],
    }


def _slack_text(text: str, *, bold: bool) -> dict[str, object]:
    return {"type": "text", "text": text, "style": {"bold": bold}}


def _teams(notice: Notice, rows: list[tuple[str, str]], link: str) -> dict[str, object]:
    """An Adaptive Card: `TextRun` knows no markdown, and its one action opens an address."""
    lines = [
        {
            "type": "RichTextBlock",
            "inlines": [
                {"type": "TextRun", "text": f"{label}: ", "weight": "Bolder"},
                {"type": "TextRun", "text": value},
            ],
        }
        for label, value in rows
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": f"{TITLES[notice.event]}.",
        "body": [{"type": "TextBlock", "text": TITLES[notice.event], "weight": "Bolder", "wrap": True}, *lines],
        "actions": [{"type": "Action.OpenUrl", "title": "Look at it at the desk", "url": link}] if link else [],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
