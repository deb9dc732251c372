"""A person's passkeys: which there are at the gateways, and how to make one.

    GET  /passkeys             the page
    POST /passkeys/challenge   what a new passkey has to sign (JSON; changes nothing)
    POST /passkeys/check       whether what the browser made is a passkey that gateways take (JSON; changes nothing)

The ceremony ends in a text that the person hands to the gateway's operator, who adds it (`doorward passkeys add`).
The desk enrols nobody: if it could, whoever broke into it could vote.
"""

import hashlib
import json
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk
from doorward_console.web.reach import Down, ask_all
from doorward_console.web.visits import Visit, action, page
from doorward_core.approvals.passkeys import MAX_LABEL_CHARACTERS, enrol, enrolment
from doorward_core.approvals.webauthn import RelyingParty, base64url


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What one gateway knows of a person's passkeys; without a domain it takes none at all."""

    gateway: str
    rp_id: str
    count: int


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of passkeys."""
    return [
        page(desk, "/passkeys", _show),
        action(desk, "/passkeys/challenge", _challenge),
        action(desk, "/passkeys/check", _check),
    ]


async def _show(visit: Visit) -> Response:
    enrolled, down = await _enrolled(visit)
    domains = sorted({one.rp_id for one in enrolled if one.rp_id})
    return visit.render("passkeys.html", enrolled=enrolled, down=down, domains=domains, longest=MAX_LABEL_CHARACTERS)


async def _challenge(visit: Visit) -> Response:
    who = visit.person.identity
    signed = enrolment(who.subject, who.issuer, visit.form.get("label", "").strip())
    return JSONResponse({"challenge": base64url(hashlib.sha256(signed).digest())})


async def _check(visit: Visit) -> Response:
    who, site = visit.person.identity, visit.desk.settings.url
    party = RelyingParty(visit.form.get("rp_id", ""), frozenset({site}))
    try:
        passkey = enrol(json.loads(visit.form.get("response", "")), party, subject=who.subject, issuer=who.issuer)
    except (ValueError, UnicodeError, RecursionError) as error:
        return JSONResponse({"problem": f"This passkey would not be taken: {error}."}, 400)
    return JSONResponse({"fingerprint": passkey.fingerprint})


async def _enrolled(visit: Visit) -> tuple[list[Enrolled], list[Down]]:
    told, down = await ask_all(tuple(visit.desk.gateways.values()), visit.person.token, "whoami")
    found = []
    for one in told:
        rp_id, passkeys = one.answer.get("rp_id"), one.answer.get("passkeys")
        count = len(passkeys) if isinstance(passkeys, list) else 0
        found.append(Enrolled(one.gateway, rp_id if isinstance(rp_id, str) else "", count))
    return found, down
