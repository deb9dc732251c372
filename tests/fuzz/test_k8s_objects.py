"""Whatever the server or the client sends: an answer, a refusal of the body, or 406, and nothing else."""

import json

from hypothesis import given
from hypothesis import strategies as st

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.mask.json_paths import PathError
from doorward_core.model import Mask, Transform
from doorward_k8s.accept import NotAcceptable, prepare_accept
from doorward_k8s.object_paths import LAST_APPLIED, Resource, patterns_of
from doorward_k8s.objects import Masked, ObjectMasks, writes_hidden

KEY = b"k" * 32
MASKS = ObjectMasks(
    (
        Mask("hide", ("secrets", "env", "configmaps"), (), Transform.PARTIAL, "secret"),
        Mask("find", (), ("email", "card", "jwt"), Transform.HASH, "found"),
    ),
    KEY,
)
PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u00", b"1", b"-", b"e5", b"null", b"true", b" ", b"\n",
         b'"data"', b'"stringData"', b'"items"', b'"object"', b'"rows"', b'"metadata"', b'"annotations"', b'"message"',
         b'"uid"', b'"aHVudGVyMg=="', b'"jane@example.org"', json.dumps(LAST_APPLIED).encode(), b'"{\\"data\\":1}"',
         b"\xff", b"\0", b"\xef\xbb\xbf"]
    ),
    max_size=60,
)  # fmt: skip
RESOURCES = st.sampled_from([Resource("", "secrets"), Resource("", "configmaps"), Resource("", "pods"), Resource()])


@given(PIECES, RESOURCES, st.booleans())
def test_any_body_is_masked_or_refused(pieces: list[bytes], resource: Resource, whole: bool) -> None:
    plan = MASKS.of(resource).plan(ResponseHead(200, ((b"content-type", b"application/json"),)), "GET")
    if not isinstance(plan, Masked):
        assert not resource.name
        return
    try:
        for piece in [b"".join(pieces)] if whole else pieces:
            plan.body.feed(piece)
        plan.body.end()
    except UnreadableBody:
        return


@given(st.lists(st.sampled_from([b"a", b"application", b"/", b"json", b"*", b";", b"as=", b"Table", b"q=", b"0.", b"1", b",",
                                 b" ", b"yaml", b"g=meta.k8s.io", b'"', b"=", b"\xff"]), max_size=20))  # fmt: skip
def test_any_accept_is_json_or_406(pieces: list[bytes]) -> None:
    headers: Headers = ((b"accept", b"".join(pieces)),)
    try:
        asked = prepare_accept(headers, "GET", tables=True)
    except NotAcceptable:
        return
    (accept,) = [value for name, value in asked.headers if name == b"accept"]
    assert all(one.startswith(b"application/json") for one in accept.split(b","))


@given(st.text("secrts*?.:/$[]'\"\\ab", max_size=20))
def test_any_pattern_is_read_or_refused(text: str) -> None:
    try:
        patterns_of((Mask("rule", (text,), (), Transform.REDACT, "x"),))
    except PathError:
        return


@given(st.binary(max_size=100))
def test_any_body_can_be_asked_for_hidden_values(body: bytes) -> None:
    assert isinstance(writes_hidden(body), bool)
