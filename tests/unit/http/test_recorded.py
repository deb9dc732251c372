"""What is masked on its way to the target is masked on record, and for whoever approves it."""

import pytest

from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_core.http.routes import Destination, Found
from doorward_core.model import Mask, MaskInput, Transform
from doorward_http.facts import Body
from doorward_http.masking import Owing
from doorward_http.operations import Reader, Request, shown
from doorward_http.recorded import as_sent
from doorward_http.settings import Actions

CARD = b"4111111111111111"
INPUTS = (MaskInput(Mask("going-up", (), ("card",), Transform.PARTIAL, "card")),)
READER = Reader(Destination.of("https://crm.internal"), Actions())


def request(body=b"", media="application/json", path=b"/pay", *more):
    headers = ((b"content-type", media.encode()), *more)
    target = canonical(path)
    head = Head("POST", target.target, "gateway.example", "https", headers, body="length", length=len(body))
    return Request(head, target, Found("crm", "", target.path), headers, Body(body, media))


def sent(asked):
    return as_sent(asked, Owing(b"k" * 32).going_up(INPUTS))


def test_nothing_is_made_where_nothing_is_owed_on_what_is_sent():
    assert Owing(b"k" * 32).going_up(()) is None


@pytest.mark.parametrize(
    "asked",
    [
        request(b'{"pay": "' + CARD + b'"}'),
        request(b"pay=" + CARD, "application/x-www-form-urlencoded"),
        request(b"{}", "application/json", b"/pay?card=" + CARD),
        request(b"{}", "application/json", b"/pay", (b"idempotency-key", CARD)),
    ],
)
def test_what_is_masked_on_its_way_is_masked_where_it_is_told(asked):
    text, _ = shown(sent(asked))
    assert CARD.decode() in shown(asked)[0]
    assert CARD.decode() not in text
    assert "1111" in text


@pytest.mark.parametrize("asked", [request(CARD, "application/pdf"), request(b'{"a": "' + CARD)])
def test_what_cannot_be_masked_is_not_told(asked):
    text, _ = shown(sent(asked))
    assert CARD.decode() not in text
    assert "not sent, and not shown" in text


def test_the_decision_and_its_digest_are_about_the_request_as_it_came():
    asked = request(b'{"pay": "' + CARD + b'"}')
    how = {"identifier": b"", "seq": 0, "account": "app", "wanted": ("body.$.pay",)}
    plain, told = READER.read(asked, **how), READER.read(asked, told=sent(asked), **how)
    assert (told.digest, told.facts, told.atoms) == (plain.digest, plain.facts, plain.atoms)
    assert CARD.decode() in str(plain.facts)
    assert CARD.decode() not in told.text + str(told.attributes)
