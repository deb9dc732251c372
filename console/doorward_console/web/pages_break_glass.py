"""The review that break-glass access owes.

    POST /break-glass/{gateway}/{id}/review    signs it, with words

The form stands on the front page, and stays there until somebody else than who broke the glass has signed.
"""

from http import HTTPStatus

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.web.desk import Desk
from doorward_console.web.reach import GatewayDown, GatewayRefused
from doorward_console.web.visits import Refusal, Visit, action


def routes(desk: Desk) -> list[BaseRoute]:
    """The route of a review."""
    return [action(desk, "/break-glass/{gateway}/{id}/review", _review)]


async def _review(visit: Visit) -> Response:
    gateway = visit.desk.gateways.get(visit.name("gateway"))
    if gateway is None:
        raise Refusal(404, "There is no such gateway.")
    words = " ".join(visit.form.get("words", "").split())
    if not words:
        raise Refusal(400, "Say what you found: a review without words is none.")
    try:
        await gateway.post(visit.person.token, "break-glass", visit.name("id"), "review", body={"words": words})
    except GatewayRefused as error:
        status = error.status if error.status != HTTPStatus.UNAUTHORIZED else HTTPStatus.BAD_GATEWAY
        raise Refusal(status, f"Your review does not count: {error.detail}.") from None
    except GatewayDown as error:
        raise Refusal(502, f"The gateway did not answer ({error}). Look before you do it again.") from None
    return visit.go("/")
