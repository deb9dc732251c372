"""K-06 and K-08: answers that are no objects by the API's rules, and owe masks all the same."""

import json
import ssl
import urllib.request

import pytest
from k8s_stack import MASKS, k8s_started

from doorward_core.http.messages import ResponseHead

RULES = """\
version: 1
rules:
  - {id: all, effect: allow, resource: prod, do: [read, write, unknown]}
"""
SECRETS = "/api/v1/namespaces/shop/secrets"
LIST = json.dumps({"kind": "SecretList", "items": [{"data": {"password": "c3VwZXItc2VjcmV0LTEyMw=="}}]}).encode()


class Lax:
    """An API server as it is: a slash at the end of a path means nothing to it; and it has a page of logs."""

    def __init__(self):
        self.asked = []

    async def handle(self, exchange):
        self.asked.append(exchange.head.target)
        exchange.established()
        media, body = b"application/json", LIST
        if exchange.head.target == b"/logs/audit.log":
            media, body = b"text/plain", b"ada@example.com has signed in\n"
        lines = ((b"content-type", media), (b"content-length", str(len(body)).encode()))
        await exchange.respond(ResponseHead(200, lines), body)


@pytest.fixture(scope="module")
def lax(tmp_path_factory):
    """A gateway that lets through what it does not know, and owes masks."""
    with k8s_started(tmp_path_factory.mktemp("lax"), policy=RULES + MASKS) as gateway:
        gateway.cluster.api = Lax()
        yield gateway


@pytest.mark.parametrize("path", [f"{SECRETS}/", f"{SECRETS}/db/", "/api/v1/secrets/", f"{SECRETS}/db/a/b"])
def test_k_06_what_is_not_known_is_not_asked_for_where_masks_are_owed(lax, path):
    """It may be a list of Secrets: nobody knows which masks its answer owes."""
    lax.cluster.api.asked.clear()
    status, _, told = lax.raw("GET", path)
    assert (status, "which masks are owed" in told["message"]) == (403, True)
    assert not lax.cluster.api.asked


def test_k_06_detectors_look_at_what_is_no_object(lax):
    context = ssl.create_default_context(cafile=str(lax.state / "tls/ca.crt"))
    asked = urllib.request.Request(lax.url("/logs/audit.log"), headers={"Authorization": f"Bearer {lax.token()}"})
    with urllib.request.urlopen(asked, timeout=60, context=context) as answer:
        assert answer.read() == b"[masked:email] has signed in\n"
