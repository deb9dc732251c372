from doorward_console.evidence.scope import Scope, stated
from doorward_core.record import strict
from doorward_core.record.encode import decode, encode


def test_without_a_filter_everything_is_in_scope():
    assert Scope().has(b"s" * 16, {"resource": "x"})


def test_a_session_is_in_scope_by_its_first_event_that_names_anything():
    scope = Scope(frozenset({"shop"}))
    assert scope.has(b"a" * 16, {})
    assert not scope.has(b"a" * 16, {"resource": "ledger"})
    assert not scope.has(b"a" * 16, {"stream": "stdout"})
    assert scope.has(b"b" * 16, {"resource": "shop"})
    assert scope.has(b"b" * 16, {"resource": "ledger"})


def test_a_subject_is_found_by_whom_it_acts_for():
    scope = Scope(subjects=frozenset({"maria"}))
    assert scope.has(b"", {"subject": "crew-1", "sponsor": "maria"})
    assert not scope.has(b"", {"subject": "crew-2", "sponsor": ""})
    assert scope.has(b"", {"what": "the log's own"})


def test_a_stated_entry_is_the_entry_without_its_payload():
    fields = {
        "at": 1, "commit": bytes(32), "head": {"a": 1}, "index": 3, "key": b"", "kind": "a.b", "op": b"o" * 16,
        "origin": "x", "part": [0, 1], "session": b"s" * 16, "v": 1,
    }  # fmt: skip
    for length in (64, 255, 256, 40_000):
        data = encode({**fields, "payload": bytes(length)})
        item = strict.Strict(3, 1, "a.b", b"s" * 16, b"o" * 16, "x", {}, bytes(32), b"", 0, 1, bytes(length))
        assert decode(stated(item, data)) == {**fields, "payload": b""}
