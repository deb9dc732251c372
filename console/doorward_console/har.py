"""A session's requests as an HTTP Archive, for browsers' developer tools and whatever else reads one.

What it is: `har`, from what the record keeps (`exchanges`) to HAR 1.2, with secrets cut.
What it will not do: make up what the record does not keep. Headers are those that were kept, sizes are those that
passed, and a request that the gateway refused has the status of a refusal and says so.

Source: HAR 1.2 (Web Performance Working Group, W3C editor's draft of 2012-08-14); fields of our own begin with `_`, as
it asks.

Invariants: pure; what is called a secret, or is found to be one, is in no value of it.
"""

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

from doorward_console.exchanges import Answer, Exchange, Lines
from doorward_core.mask.detect import Detectors
from doorward_core.redaction import CUT, is_secret, without_secret_members, without_secrets

VERSION: Final = "1.2"
HTTP: Final = "HTTP/1.1"  # as the record writes every message, whatever its client spoke
FORM: Final = "application/x-www-form-urlencoded"
REFUSED: Final = 403
_NS_PER_MS: Final = 1_000_000
_TEXTUAL: Final = re.compile(
    r"text/|application/(?:.*[+.-])?(?:json|xml|yaml|javascript|x-www-form-urlencoded|problem)"
)


class Cutter:
    """Takes secrets out of texts: by the names that they stand behind, and by what they look like."""

    def __init__(self) -> None:
        self._detectors = Detectors(("secrets",))

    def text(self, text: str, media: str = "") -> str:
        """A body, or any other text."""
        named = without_secrets(text) if media.startswith(FORM) else without_secret_members(text)
        raw = named.encode("utf-8", "surrogatepass")
        for span in reversed(self._detectors.spans(raw)):
            raw = raw[: span.start] + CUT.encode() + raw[span.end :]
        return raw.decode("utf-8", "replace")

    def target(self, target: str) -> str:
        """A path with its query."""
        path, mark, query = target.partition("?")
        return self.text(path) + mark + self.text(without_secrets(query))

    def lines(self, lines: Lines) -> list[dict[str, str]]:
        """Headers."""
        return [{"name": name, "value": self._value(name, value)} for name, value in lines]

    def _value(self, name: str, value: str) -> str:
        if is_secret(name):
            return CUT
        return self.target(value) if "?" in value else self.text(value)


def har(found: Iterable[Exchange], *, session: str, about: dict[str, str], version: str) -> dict[str, Any]:
    """The archive of one session."""
    cutter = Cutter()
    told = ", ".join(f"{name} {value}" for name, value in about.items() if value)
    return {
        "log": {
            "version": VERSION,
            "creator": {"name": "doorward", "version": version},
            "entries": [_entry(one, cutter, about) for one in found],
            "comment": f"session {session}: {told}; as recorded: masked, and with secrets cut",
        }
    }


def _entry(one: Exchange, cutter: Cutter, about: dict[str, str]) -> dict[str, Any]:
    milliseconds = one.duration_ns / _NS_PER_MS
    waited = max(0, one.decided_unix_ns - one.began_unix_ns) / _NS_PER_MS
    return {
        "startedDateTime": datetime.fromtimestamp(one.began_unix_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "time": milliseconds,
        "request": _request(one, cutter),
        "response": _response(one, cutter),
        "cache": {},
        # The record has one duration; what of it was the wait for people it says apart.
        "timings": {
            "blocked": min(waited, milliseconds),
            "send": 0,
            "wait": max(0.0, milliseconds - waited),
            "receive": 0,
        },
        **({} if one.readable else {"comment": "what was said is sealed, or erased"}),
        "_doorward": {
            "operation": one.operation.hex(),
            "entry": one.index,
            "resource": about.get("resource", ""),
            "verdict": "deny" if one.denied else "permit" if one.decided_unix_ns else "undecided",
            "reason": one.reason,
            "rules": list(one.rules),
            **({"approval": one.held} if one.held else {}),
            "masked": one.masked,
        },
    }


def _request(one: Exchange, cutter: Cutter) -> dict[str, Any]:
    target = cutter.target(one.target)
    query = target.partition("?")[2]
    media = next((value for name, value in one.headers if name == "content-type"), "")
    body = {} if one.body is None else {"postData": {"mimeType": media, "text": cutter.text(one.body, media)}}
    return {
        "method": one.verb,
        "url": _url(one, target),
        "httpVersion": HTTP,
        "cookies": [],
        "headers": cutter.lines(one.headers),
        "queryString": [
            {"name": unquote_plus(name), "value": unquote_plus(value)}
            for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
        ],
        **body,
        "headersSize": -1,
        "bodySize": one.bytes_up if one.finished else -1,
    }


def _url(one: Exchange, target: str) -> str:
    """Where its client asked: the place's path, and what lies below it."""
    prefix = one.place[one.place.index("/") :] if "/" in one.place else ""
    return f"https://{one.authority or 'unknown'}{prefix}{target}"


def _response(one: Exchange, cutter: Cutter) -> dict[str, Any]:
    answer = one.answer
    status = answer.status if answer else int(one.code) if one.code.isdigit() else REFUSED if one.denied else 0
    made: dict[str, Any] = {
        "status": status,
        "statusText": answer.reason if answer else "",
        "httpVersion": HTTP,
        "cookies": [],
        "headers": cutter.lines(answer.headers) if answer else [],
        "content": _content(answer, one, cutter),
        "redirectURL": cutter.target(answer.header("location")) if answer else "",
        "headersSize": -1,
        "bodySize": one.bytes_down if one.finished else -1,
    }
    if one.denied:
        made["comment"] = f"refused by the gateway: {cutter.text(one.advice)}"
    elif not one.finished:
        made["comment"] = "the record has no answer to this"
    return made


def _content(answer: Answer | None, one: Exchange, cutter: Cutter) -> dict[str, Any]:
    if answer is None:
        return {"size": 0, "mimeType": ""}
    media = answer.header("content-type")
    about: dict[str, Any] = {"size": len(answer.body), "mimeType": media}
    if answer.note:
        about["comment"] = answer.note
        about["size"] = max(len(answer.body), one.bytes_down if not answer.header("content-encoding") else 0)
    text = _as_text(answer.body, media)
    if text is None:
        return {**about, "text": base64.b64encode(answer.body).decode("ascii"), "encoding": "base64"}
    return {**about, "text": cutter.text(text, media)}


def _as_text(body: bytes, media: str) -> str | None:
    """A body as text; None for what is none. A character that was cut at the end is left out."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(body) - 3:
            return body[: error.start].decode("utf-8")
        return body.decode("latin-1") if _TEXTUAL.match(media.lower()) else None
