"""K-06 and K-07 by JSON Patch, which moves values about: out from under a mask, and into what gives power."""

import base64
import json
import re
import socket
import ssl

import pytest
from k8s_stack import MASKS, k8s_started

from doorward_core.event import EventKind

JSON_PATCH = {"content-type": "application/json-patch+json"}
SECRET = "/api/v1/namespaces/shop/secrets/db"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
CONTAINER = "/spec/template/spec/containers/0"
RULES = """\
version: 1
rules:
  - id: work
    effect: allow
    resource: prod
    do: [read, write]
    objects: ["shop/**", "shop/core/secrets/*"]
"""


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A gateway whose crew may write Secrets that it may not see."""
    with k8s_started(tmp_path_factory.mktemp("masked"), policy=RULES + MASKS, level="payload") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """The same, whose crew sees them."""
    with k8s_started(tmp_path_factory.mktemp("clear"), policy=RULES, level="payload") as gateway:
        yield gateway


def patched(k8s, path, *operations, headers=JSON_PATCH):
    """A JSON Patch: its status, what was said, and what reached the cluster."""
    k8s.cluster.requests.clear()
    status, _, told = k8s.raw("PATCH", path, headers=headers, body=json.dumps(operations))
    return status, told["message"] if status >= 400 else "", list(k8s.cluster.requests)


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
@pytest.mark.parametrize("op", ["copy", "move"])
def test_k_06_a_patch_does_not_carry_a_masked_value_to_where_no_mask_is(masked, op, query):
    out = {"op": op, "from": "/data/password", "path": "/metadata/annotations/x"}
    status, said, reached = patched(
        masked, SECRET + query, {"op": "add", "path": "/metadata/annotations", "value": {}}, out
    )
    assert (status, reached) == (403, [])
    assert "may not copy, move or test what is masked" in said
    env = {"op": op, "from": f"{CONTAINER}/env/0/value", "path": "/metadata/annotations/x"}
    assert patched(masked, WEB + query, env)[0] == 403


def test_k_06_a_patch_does_not_guess_at_a_masked_value(masked):
    for guess in ("c3VwZXItc2VjcmV0LTEyMw==", "eA=="):
        assert patched(masked, SECRET, {"op": "test", "path": "/data/password", "value": guess})[0] == 403


def test_k_06_a_patch_carries_no_secret_into_the_record_whatever_the_masks(clear):
    out = {"op": "copy", "from": "/data/password", "path": "/metadata/annotations/x"}
    assert patched(clear, SECRET, out)[0] == 403
    for entry in clear.until_recorded(EventKind.OPERATION_DECIDED):
        assert "c3VwZXItc2VjcmV0" not in str(entry.payload)


def test_k_06_a_patch_that_only_writes_is_let_through(masked):
    value = base64.b64encode(b"new").decode()
    write = {"op": "replace", "path": "/data/password", "value": value}
    same = {"op": "test", "path": "/metadata/name", "value": "db"}
    try:
        assert patched(masked, SECRET, same, write)[0] == 200
    finally:
        patched(masked, SECRET, {"op": "replace", "path": "/data/password", "value": "c3VwZXItc2VjcmV0LTEyMw=="})


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "copy", "from": "/a/readOnlyRootFilesystem", "path": f"{CONTAINER}/securityContext/privileged", "value": False},
        {"op": "replace", "path": "", "value": {"spec": {"template": {"spec": {"hostNetwork": True}}}}},
        {"op": "copy", "from": "/metadata/annotations/x", "path": "/spec/template/spec/nodeName"},
        {"op": "copy", "from": "/metadata/annotations/x", "path": f"{CONTAINER}/securityContext/procMount"},
        {"op": "move", "from": "/metadata/annotations/x", "path": "/spec/template/spec/securityContext/seccompProfile/type"},
    ],
)  # fmt: skip
def test_k_07_power_that_a_patch_moves_into_place_is_no_plain_write(clear, operation):
    status, said, reached = patched(clear, WEB, operation)
    assert (status, reached) == (403, [])
    assert re.search(r"No rule allows .*\badmin \(", said), said


def test_k_07_a_body_is_of_one_type(clear):
    """Of two the API server reads the first, and would find a patch where nothing of one was seen."""
    both = [("content-type", "application/json-patch+json"), ("content-type", "application/merge-patch+json")]
    for lines in (both, both[::-1]):
        status, said, reached = raw(
            clear, WEB, lines, [{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}]
        )
        assert (status, reached) == (400, [])
        assert "two types" in said


def raw(k8s, path, lines, operations):
    """`patched`, with headers that may stand twice."""
    k8s.cluster.requests.clear()
    body = json.dumps(operations).encode()
    head = [f"PATCH /prod{path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {k8s.token()}"]
    head += [
        *(f"{name}: {value}" for name, value in lines),
        f"Content-Length: {len(body)}",
        "Connection: close",
        "",
        "",
    ]
    context = ssl.create_default_context(cafile=str(k8s.state / "tls/ca.crt"))
    with (
        socket.create_connection(("127.0.0.1", k8s.port), timeout=60) as link,
        context.wrap_socket(link, server_hostname="localhost") as tls,
    ):
        tls.sendall("\r\n".join(head).encode("ascii") + body)
        out = b""
        while data := tls.recv(65536):
            out += data
    return int(out.split(b" ", 2)[1]), out.decode(), list(k8s.cluster.requests)
