"""Which key signs from where on, as a log's entries say."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.encode import encode
from doorward_core.record.entry import Builder
from doorward_core.record.key_chain import key_chain
from doorward_core.record.proof import Key
from doorward_core.record.strict import entry

ORIGIN = "gateway.example/a"


def vkey_of(key):
    return checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))


def item(index, kind, head):
    (data,) = Builder(ORIGIN).event(index, 1, kind, b"", b"", head=encode(head), commit=b"", key=b"", blob=b"")
    return entry(data)


def opened(index, key):
    return item(index, "log.opened", {"vkey": vkey_of(key)})


def rotated(index, old, new):
    signature = old.sign(checkpoint.rotation_statement(ORIGIN, index, vkey_of(new)))
    return item(index, "key.rotated", {"vkey": vkey_of(new), "signature": signature})


@pytest.fixture
def keys():
    return [Ed25519PrivateKey.generate() for _ in range(4)]


@pytest.fixture
def items(keys):
    return [opened(0, keys[0]), rotated(5, keys[0], keys[1]), opened(7, keys[1]), rotated(9, keys[1], keys[2])]


@pytest.mark.parametrize("pin", [None, 0, 1, 2])
def test_every_key_of_the_chain_leads_to_all_of_it(keys, items, pin):
    pinned = None if pin is None else Key.parse(vkey_of(keys[pin]))
    chain = key_chain(pinned, ORIGIN, items, 0)
    assert [since for since, _ in chain.keys] == [0, 6, 10]
    for size, number in ((0, 0), (5, 0), (6, 1), (9, 1), (10, 2), (99, 2)):
        assert chain.at(size).public == checkpoint.public_bytes(keys[number].public_key())
    assert not chain.problems


def test_a_key_that_is_none_of_them_stands_alone(keys, items):
    chain = key_chain(Key.parse(vkey_of(keys[3])), ORIGIN, items, 0)
    assert len(chain.keys) == 1


def test_a_change_that_the_old_key_did_not_sign_is_none(keys):
    items = [opened(0, keys[0]), rotated(5, keys[3], keys[1])]
    assert len(key_chain(None, ORIGIN, items, 0).keys) == 1


@pytest.mark.parametrize("head", [{}, {"vkey": "x", "signature": bytes(64)}, {"vkey": 1}])
def test_a_change_that_names_no_key_is_a_problem(keys, head):
    chain = key_chain(None, ORIGIN, [opened(0, keys[0]), item(5, "key.rotated", head)], 0)
    assert chain.problems[0].index == 5


def test_a_log_that_names_no_key_needs_one(keys):
    assert key_chain(None, ORIGIN, [opened(3, keys[0])], 0).problems
    assert key_chain(None, ORIGIN, [], 0).at(5) is None
