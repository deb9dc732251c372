"""A request as people and the record are shown it: as the target gets it, where a mask is owed on what is sent.

What it is: `as_sent`, a request of which query, headers and body have gone through the masks of `flow: in`.
What it will not do: take part in a decision. What is decided on, and what a grant is bound to, is the request as it
came.

Invariants: pure; what cannot be masked, and so is not sent, is not shown either. The path is: it is what policy names.
"""

from dataclasses import replace
from typing import Final

from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_http.facts import Body
from doorward_http.masking import Masking, Withheld
from doorward_http.operations import Request

WITHHELD: Final = Body(b"(a mask is owed on this request that cannot be applied: it is not sent, and not shown)")


def as_sent(request: Request, masking: Masking) -> Request:
    """The request as it goes on. `masking` is used up by this: sending takes another."""
    body, query = request.body, request.target.raw_query
    try:
        headers = masking.request(request.head, request.headers)
        if body.content:
            body = replace(body, content=masking.up(body.content, last=True))
        target = request.target
        if query:
            masked = canonical(masking.target(b"/?" + query.encode("ascii")))
            target = replace(target, query=masked.query, raw_query=masked.raw_query)
    except (Withheld, BadRequest):
        return replace(request, headers=(), body=WITHHELD, target=replace(request.target, query=(), raw_query=""))
    return replace(request, headers=headers, body=body, target=target)
