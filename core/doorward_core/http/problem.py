"""Refusals that a program can act on: problem details in JSON.

What it will not do: decide what is refused, or say more than its caller says.
Implements: RFC 9457 (problem details for HTTP APIs).
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from doorward_core.http.messages import Headers, ResponseHead

CONTENT_TYPE: Final = b"application/problem+json"


def reason(status: int) -> bytes:
    """The phrase that goes with a status; empty where it has none."""
    return _REASONS.get(status, b"")


_REASONS: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    title: str = "",
    extra: Mapping[str, object] | None = None,
    headers: Headers = (),
) -> tuple[ResponseHead, bytes]:
    """A response's head and body. `extra` are members of the problem's own, as a request id."""
    document = {
        "type": kind,
        "title": title or reason(status).decode("ascii"),
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    body = json.dumps(document, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
    fields = (
        (b"content-type", CONTENT_TYPE),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
        *headers,
    )
    return ResponseHead(status, fields, reason(status)), body
