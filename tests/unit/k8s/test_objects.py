"""What becomes of one answer of the API server: untouched, masked as it streams, or not let through."""

import gzip
import json

import pytest

from doorward_core.http.messages import Headers, ResponseHead, get
from doorward_core.model import Mask, Transform
from doorward_k8s.accept import Asked
from doorward_k8s.object_paths import Resource
from doorward_k8s.objects import Masked, ObjectMasks, Owed, Plan, Unmaskable, Untouched, writes_hidden

KEY = b"k" * 32
HIDE = Mask("hide", ("secrets", "env"), (), Transform.REDACT, "secret")
FIND = Mask("find", (), ("email",), Transform.REDACT, "email")
JSON = (b"content-type", b"application/json")
SECRETS = Resource("", "secrets")
LOG = Resource("", "pods", "log")


def owed(resource: Resource = SECRETS, *masks: Mask) -> Owed:
    return ObjectMasks(masks or (HIDE,), KEY).of(resource)


def plan(item: Owed, *headers: tuple[bytes, bytes], status: int = 200, method: str = "GET") -> Plan:
    return item.plan(ResponseHead(status, headers), method)


def body_of(found: Plan, body: bytes) -> bytes:
    assert isinstance(found, Masked)
    return found.body.feed(body) + found.body.end()


def test_where_nothing_is_owed_everything_leaves_as_it_is() -> None:
    item = owed(Resource("", "configmaps"), Mask("x", ("secrets",), (), Transform.REDACT, "x"))
    headers = ((b"accept", b"application/vnd.kubernetes.protobuf"),)
    assert not item
    assert item.ask(headers, "GET") == Asked(headers)
    assert plan(item, (b"content-type", b"application/vnd.kubernetes.protobuf")) == Untouched(
        ((b"content-type", b"application/vnd.kubernetes.protobuf"),)
    )


def test_discovery_and_the_schema_owe_nothing() -> None:
    assert not owed(Resource(), HIDE, FIND)


def test_an_answer_in_json_is_masked_and_its_length_is_dropped() -> None:
    found = plan(owed(), JSON, (b"content-length", b"99"), (b"etag", b"x"))
    assert json.loads(body_of(found, b'{"stringData":{"a":"hunter2"}}')) == {"stringData": {"a": "[masked:secret]"}}
    assert isinstance(found, Masked)
    assert found.headers == (JSON,)
    assert found.body.masked == {"secret": 1}


def test_a_packed_answer_is_unpacked_masked_and_packed_again() -> None:
    found = plan(owed(), JSON, (b"content-encoding", b"gzip"))
    shown = body_of(found, gzip.compress(b'{"stringData":{"a":"hunter2"}}'))
    assert gzip.decompress(shown) == b'{"stringData":{"a":"[masked:secret]"}}'


def test_json_that_was_asked_for_in_place_of_yaml_is_told_as_yaml() -> None:
    found = owed().plan(ResponseHead(200, (JSON,)), "GET", owed().ask(((b"accept", b"application/yaml"),), "GET"))
    assert isinstance(found, Masked)
    assert get(found.headers, b"content-type") == b"application/yaml"


@pytest.mark.parametrize(
    "headers",
    [
        ((b"content-type", b"application/vnd.kubernetes.protobuf"),),
        ((b"content-type", b"application/cbor"),),
        ((b"content-type", b"application/yaml"),),
        ((b"content-type", b"text/plain"),),
        ((b"content-type", b"application/json"), (b"content-type", b"text/plain")),
        ((b"content-type", b"application/json; charset=utf-7"),),
        ((b"content-type", b"?"),),
        (),
        (JSON, (b"content-encoding", b"lzma")),
        (JSON, (b"content-range", b"bytes 0-9/10")),
    ],
)
def test_an_answer_that_cannot_be_masked_does_not_leave(headers: Headers) -> None:
    assert isinstance(plan(owed(), *headers), Unmaskable)


def test_a_part_of_an_answer_does_not_leave() -> None:
    assert isinstance(plan(owed(), JSON, status=206), Unmaskable)


@pytest.mark.parametrize(("status", "method"), [(204, "DELETE"), (304, "GET"), (200, "HEAD")])
def test_an_answer_without_a_body_leaves(status: int, method: str) -> None:
    assert isinstance(plan(owed(), status=status, method=method), Untouched)
    assert isinstance(plan(owed(), (b"content-length", b"0")), Untouched)


def test_a_log_is_looked_through_line_by_line() -> None:
    found = plan(owed(LOG, HIDE, FIND), (b"content-type", b"text/plain"))
    assert isinstance(found, Masked)
    assert found.body.feed(b"to jane@example.org\nmo") == b"to [masked:email]\n"
    assert found.log is not None
    assert found.log.holding
    assert found.log.flush() == b"mo"


def test_paths_owe_nothing_on_a_log() -> None:
    assert not owed(LOG)


def test_headers_are_looked_at() -> None:
    found = plan(owed(SECRETS, FIND), JSON, (b"warning", b'299 - "jane@example.org is deprecated"'))
    assert isinstance(found, Masked)
    assert get(found.headers, b"warning") == b'299 - "[masked:email] is deprecated"'
    assert found.masked == {"email": 1}


def test_what_names_nothing_here_is_told() -> None:
    mask = Mask("mixed", ("secrets", "public.customer.email"), (), Transform.REDACT, "x")
    assert ObjectMasks((mask,), KEY).foreign() == (("mixed", "public.customer.email"),)


@pytest.mark.parametrize("body", [b'{"data":{"a":"W21hc2tlZDpzZWNyZXRd"}}', b'{"a":"[masked:x]"}', b'["[masked]"]'])
def test_a_masked_value_that_comes_back_is_seen(body: bytes) -> None:
    assert writes_hidden(body)


def test_other_values_may_come() -> None:
    assert not writes_hidden(b'{"data":{"a":"aHVudGVyMg=="},"b":"[masked"}')


def test_every_transform_of_redact_is_recognised_as_it_comes_back() -> None:
    shown = owed().masked_object(b'{"data":{"a":"aHVudGVyMg=="},"stringData":{"b":"hunter2"}}')
    assert writes_hidden(shown)


def test_what_is_compiled_for_one_resource_is_kept() -> None:
    masks = ObjectMasks((HIDE,), KEY)
    assert masks.of(SECRETS) is masks.of(Resource("", "secrets"))
