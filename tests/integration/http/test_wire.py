"""Real clients and real targets around core/http alone: each version on each side, bodies both ways, nothing lost.

What is tested is the wire, so the proxy between is as thin as can be (`http_stand.forwarding`).
"""

import hashlib
import json
from functools import partial

import pytest
import trio
from http_stand import forwarding
from http_targets import running

from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.server import ALPN
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.tls import ServerTls, client_context

pytestmark = [pytest.mark.need_curl, pytest.mark.need_nginx, pytest.mark.need_node]

BIG = bytes(range(256)) * 12_000  # three megabytes


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    with running(tmp_path_factory.mktemp("targets"), BIG) as targets:
        yield targets


@pytest.fixture
def settings(targets):
    trusted = partial(client_context, targets.certificate)
    return {
        "nginx": UpstreamSettings(targets.nginx),
        "node": UpstreamSettings("127.0.0.1", targets.node),
        "node over h2": UpstreamSettings("127.0.0.1", targets.node_h2, trusted(alpn=["h2"]), http2=True),
    }


@pytest.fixture
async def curl(nursery, targets, settings, tmp_path):
    """Put a proxy before one of the targets, and curl before that; gives the last head and the body."""
    pools = []

    async def run(target, how, path, *options, stdin=b""):
        pools.append(UpstreamPool(settings[target]))
        tls = ServerTls(targets.certificate, targets.key, alpn=ALPN) if how != "h1" else None
        stand = await forwarding(nursery, pools[-1], tls=tls)
        where = f"{'http' if how == 'h1' else 'https'}://127.0.0.1:{stand.port}{path}"
        version = "--http2" if how == "h2" else "--http1.1"
        keep = ["-D", tmp_path / "head", "-o", tmp_path / "body", "--cacert", targets.certificate, "--max-time", "100"]
        command = ["curl", "-sS", version, *keep, *options, where]
        done = await trio.run_process(command, stdin=stdin, capture_stderr=True, check=False)
        assert done.returncode == 0, done.stderr
        assert stand.told == []
        heads = (tmp_path / "head").read_bytes().strip().split(b"\r\n\r\n")
        body = tmp_path / "body"
        return heads[-1].lower(), body.read_bytes() if body.exists() else b""

    yield run
    for pool in pools:
        pool.close()


HOWS = ["h1", "h1 over TLS", "h2"]
NODES = ["node", "node over h2"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("target", NODES)
async def test_a_request_arrives_as_it_was_meant(curl, how, target):
    head, body = await curl(target, how, "/a%62c?q=1", "-H", "X-One: 1", "-H", "Connection: x-gone", "-H", "X-Gone: 1")
    assert head.startswith(b"http/2 200" if how == "h2" else b"http/1.1 200 ok")
    seen = json.loads(body)
    assert (seen["method"], seen["url"]) == ("GET", "/abc?q=1")
    assert seen["version"] == ("2.0" if target == "node over h2" else "1.1")
    assert seen["headers"]["x-one"] == "1"
    assert seen["headers"]["x-identity"] == "ours"
    if how != "h2":
        assert "x-gone" not in seen["headers"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("target", NODES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_large_body_arrives_whole(curl, how, target, framing):
    options = ["--data-binary", "@-"] if framing == "length" else ["-T", "-", "-X", "POST"]
    _, body = await curl(target, how, "/up", *options, stdin=BIG)
    seen = json.loads(body)
    assert (seen["size"], seen["sha256"]) == (len(BIG), hashlib.sha256(BIG).hexdigest())


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(("target", "path"), [("nginx", "/big.bin"), ("node", "/big"), ("node over h2", "/big")])
async def test_a_large_answer_arrives_whole(curl, how, target, path):
    _, body = await curl(target, how, path)
    assert hashlib.sha256(body).digest() == hashlib.sha256(BIG).digest()


@pytest.mark.parametrize("how", HOWS)
async def test_answers_without_a_body_have_none(curl, how):
    head, body = await curl("node", how, "/none")
    assert (head.split()[1], body) == (b"204", b"")
    head, _ = await curl("nginx", how, "/big.bin", "-I")
    assert b"content-length: %d" % len(BIG) in head


@pytest.mark.parametrize("how", HOWS)
async def test_what_the_target_refuses_before_it_has_read_is_an_answer(curl, how):
    head, _ = await curl("nginx", how, "/big.bin", "--data-binary", "@-", stdin=BIG)
    assert head.split()[1] == b"405"


@pytest.mark.parametrize("how", ["h1", "h2"])
async def test_an_expectation_is_met_by_the_gateway(curl, how):
    head, body = await curl("node", how, "/up", "-H", "Expect: 100-continue", "--data-binary", "@-", stdin=b"small")
    assert head.split()[1] == b"200"
    assert (json.loads(body)["size"], "expect" in json.loads(body)["headers"]) == (5, False)
