"""What is shown of what is written: a Secret never, whatever the policy says."""

import base64
import json

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import ResponseHead
from doorward_core.model import Decision, Effect, Mask, ReasonCode, Transform
from doorward_k8s.documents import JSON_PATCH
from doorward_k8s.masking import Owing, Withheld
from doorward_k8s.object_paths import Resource

KEY = b"k" * 32
SECRETS = Resource("", "secrets")
MASK = Mask("pii", ("secrets",), ("email",), Transform.REDACT, "pii")


def decision(*masks):
    return Decision(Effect.PERMIT, ReasonCode.RULE, "", b"", masks)


def test_a_secret_is_never_shown_even_where_no_mask_is_in_force():
    body = json.dumps({"data": {"p": base64.b64encode(b"hunter2").decode()}, "stringData": {"q": "hunter3"}}).encode()
    shown = Owing(KEY).show((), SECRETS)(body, "application/json")
    assert b"hunter" not in shown
    assert base64.b64encode(b"hunter2") not in shown
    assert Owing(KEY).show((), Resource("", "configmaps"))(body, "application/json") == body


def test_of_a_patch_that_names_places_in_its_own_way_no_value_is_shown_where_a_mask_is_owed():
    body = b'[{"op":"add","path":"/data/p","value":"aHVudGVyMg=="},{"op":"remove","path":"/data/q"}]'
    shown = json.loads(Owing(KEY).show((), SECRETS)(body, JSON_PATCH))
    assert [(item["op"], item["path"], item.get("value")) for item in shown] == [
        ("add", "/data/p", "(hidden)"),
        ("remove", "/data/q", None),
    ]
    assert Owing(KEY).show((), Resource("apps", "deployments"))(body, JSON_PATCH) == body
    for other in (b'{"data":{"p":"x"}}', b'["x"]', b"no json"):
        with pytest.raises(UnreadableBody):
            Owing(KEY).show((), SECRETS)(other, JSON_PATCH)


def test_an_answer_is_masked_as_it_comes_and_counted():
    masking = Owing(KEY).of(decision(MASK), SECRETS)
    masking.request(((b"accept", b"application/json"),), "GET")
    head = masking.answer(ResponseHead(200, ((b"content-type", b"application/json"),)), "GET")
    assert head.status == 200
    out = masking.feed(b'{"kind":"Secret","data":{"p":"aHVu') + masking.feed(b'dGVyMg=="}}') + masking.end()
    assert b"aHVudGVyMg" not in out
    assert masking.masked == {"pii": 1}
    assert masking.changes_answer
    assert masking.flush_after_s is None
    assert (masking.flush(), masking.coverage, masking.trailers(((b"a", b"b"),))) == (b"", (), ())


def test_what_cannot_be_masked_is_withheld():
    masking = Owing(KEY).of(decision(MASK), SECRETS)
    with pytest.raises(Withheld):
        masking.answer(ResponseHead(200, ((b"content-type", b"application/vnd.kubernetes.protobuf"),)), "GET")
    masking.answer(ResponseHead(200, ((b"content-type", b"application/json"),)), "GET")
    with pytest.raises(Withheld):
        masking.feed(b"no json") + masking.end()


def test_without_a_mask_nothing_is_changed():
    masking = Owing(KEY).of(decision(), SECRETS)
    head = ResponseHead(200, ((b"content-length", b"1"),))
    assert masking.answer(head, "GET").headers == head.headers
    assert masking.feed(b"x") + masking.end() == b"x"
    assert masking.masked == {}
    masking.count({"a": 1})
    assert masking.masked == {"a": 1}
