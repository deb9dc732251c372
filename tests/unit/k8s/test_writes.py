"""What is asked about a write beforehand can only look."""

import json

import pytest

from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_core.http.relay import AsItIs
from doorward_k8s.calls import read_call
from doorward_k8s.documents import Unreadable
from doorward_k8s.operations import Request, read
from doorward_k8s.writes import Copied, changes_one, in_json, is_rehearsal, look_of, rehearsal_of, writes

WEB = "/apis/apps/v1/namespaces/shop/deployments/web"


def request(method, path, body=b"", media="application/json", headers=()):
    target = canonical(path.encode())
    lines = ((b"content-type", media.encode()), (b"user-agent", b"kubectl"), *headers)
    head = Head(method, path.encode(), "host", "https", lines, "1.1", "length" if body else "none", len(body))
    return Request(head, target, read_call(method, target.path, target.query), body, media)


def operation(asked):
    return read(asked, identifier=b"i" * 16, seq=0, account="a", cluster="c", show=lambda body, media: body).operation


@pytest.mark.parametrize(
    ("method", "path", "write", "one"),
    [
        ("PATCH", WEB, True, True),
        ("PUT", f"{WEB}/scale", True, True),
        ("DELETE", WEB, True, True),
        ("POST", "/api/v1/namespaces/shop/pods", True, False),
        ("DELETE", "/api/v1/namespaces/shop/pods", True, False),
        ("POST", "/api/v1/namespaces/shop/pods/web-0/eviction", False, False),
        ("POST", "/api/v1/namespaces/shop/serviceaccounts/x/token", False, False),
        ("POST", "/api/v1/namespaces/shop/pods/web-0/exec", False, False),
        ("DELETE", "/api/v1/namespaces/shop/pods/web-0/proxy/x", False, False),
        ("GET", WEB, False, False),
        ("PATCH", "/api/v1/namespaces/shop/finalize/x/y/z", False, False),
    ],
)
def test_it_is_known_what_writes_and_what_changes_one_object(method, path, write, one):
    call = request(method, path).call
    assert (writes(call), changes_one(call)) == (write, one)


def test_a_look_is_a_get_without_the_bodys_headers_or_the_query():
    asked = request("PATCH", f"{WEB}/scale?fieldManager=x", b"{}", headers=((b"if-match", b"1"), (b"accept", b"*/*")))
    look = look_of(asked)
    assert (look.head.method, look.target.target, look.body) == ("GET", f"{WEB}/scale".encode(), b"")
    assert look.head.headers == ((b"user-agent", b"kubectl"), (b"accept", b"application/json"))
    assert (look.call.verb, look.call.place) == ("get", "shop/apps/deployments/scale/web")


def test_a_rehearsal_is_the_same_write_as_a_dry_run():
    asked = request("PATCH", f"{WEB}?fieldManager=x&force=true", b'{"a":1}', "application/apply-patch+yaml")
    rehearsal = rehearsal_of(asked)
    assert rehearsal.target.query == (("fieldManager", "x"), ("force", "true"), ("dryRun", "All"))
    assert (rehearsal.body, rehearsal.media, rehearsal.call) == (asked.body, asked.media, asked.call)
    assert is_rehearsal(operation(rehearsal))
    assert not is_rehearsal(operation(asked))


def test_a_deletion_says_it_in_its_body_too_where_the_server_reads_that_alone():
    rehearsal = rehearsal_of(request("DELETE", WEB, b'{"propagationPolicy":"Background"}'))
    assert json.loads(rehearsal.body) == {"propagationPolicy": "Background", "dryRun": ["All"]}
    assert rehearsal.head.length == len(rehearsal.body)
    assert rehearsal.target.raw_query == "dryRun=All"
    assert is_rehearsal(operation(rehearsal))
    assert rehearsal_of(request("DELETE", WEB)).body == b""
    with pytest.raises(Unreadable):
        rehearsal_of(request("DELETE", WEB, b"[]"))


def test_answers_are_asked_for_in_json_where_the_client_takes_any():
    protobuf = (b"accept", b"application/vnd.kubernetes.protobuf,application/json")
    asked = dict(in_json((protobuf, (b"accept-encoding", b"gzip")), "POST"))
    assert asked == {b"accept": b"application/json", b"accept-encoding": b"identity"}
    for only in (b"application/vnd.kubernetes.protobuf", b"application/yaml"):
        assert in_json(((b"accept", only),), "POST") == ((b"accept", only),)


def test_an_answer_is_kept_as_it_came_as_far_as_there_is_room():
    copied = Copied(AsItIs(), 4)
    assert copied.feed(b"abcd") + copied.end() == b"abcd"
    assert copied.body == b"abcd"
    assert copied.feed(b"e") == b"e"
    assert copied.body is None
