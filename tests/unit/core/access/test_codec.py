"""A ledger is read back as it was written, or not at all."""

import json
from dataclasses import replace

import pytest

from doorward_core.access.codec import decode, encode
from doorward_core.access.ledger import Ledger, Review


@pytest.fixture
def ledger(a_revocation, an_opening):
    reviewed = replace(an_opening(name="bg-2"), review=Review("eve", "https://id.example", "fine", 5))
    return Ledger([a_revocation(), a_revocation("everything", "", "rv-2")], [an_opening(), reviewed])


def test_it_is_read_back_whole(ledger):
    again = decode(encode(ledger))
    assert again.revocations == ledger.revocations
    assert again.openings == ledger.openings
    assert encode(again) == encode(ledger)


def _drop(document, section):
    del document[section][0]["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(version=2),
        lambda document: document.update(more=1),
        lambda document: document.pop("revocations"),
        lambda document: _drop(document, "revocations"),
        lambda document: _drop(document, "openings"),
        lambda document: document["revocations"][0].update(what="nothing"),
        lambda document: document["revocations"][0].update(value=7),
        lambda document: document["revocations"][0].update(made_unix_ns=True),
        lambda document: document["openings"][0].update(until_unix_ns="1"),
        lambda document: document["openings"][0].update(review="yes"),
        lambda document: document["openings"][1]["review"].update(words=None),
    ],
)
def test_anything_else_is_refused(ledger, change):
    document = json.loads(encode(ledger))
    change(document)
    with pytest.raises((ValueError, KeyError)):
        decode(json.dumps(document).encode())
