"""Real clients and real targets around core/http alone: each version on each side, bodies both ways, nothing lost.

What is tested is the wire, so the proxy between is as thin as can be (`http_stand.forwarding`).
"""

import hashlib
import json
import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trio
from http_stand import forwarding, make_certificate

from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.server import ALPN
from doorward_core.http.upstream import UpstreamPool
from doorward_core.net.tls import ServerTls, client_context

pytestmark = [pytest.mark.need_curl, pytest.mark.need_nginx, pytest.mark.need_node]

BIG = bytes(range(256)) * 12_000  # three megabytes

NODE = """
const http = require('http'), http2 = require('http2'), fs = require('fs'), crypto = require('crypto');
const [key, cert] = process.argv.slice(1).map(name => fs.readFileSync(name));
const big = Buffer.concat(Array(12000).fill(Buffer.from([...Array(256).keys()])));
function answer(request, response) {
  const hash = crypto.createHash('sha256');
  let size = 0;
  request.on('data', data => { size += data.length; hash.update(data); });
  request.on('end', () => {
    if (request.url === '/big') { response.setHeader('content-type', 'application/octet-stream'); response.end(big); return; }
    if (request.url === '/none') { response.statusCode = 204; response.end(); return; }
    if (request.url === '/early') return;
    response.setHeader('content-type', 'application/json');
    response.write(JSON.stringify({version: request.httpVersion, method: request.method, url: request.url, size,
      sha256: hash.digest('hex'), headers: request.headers}));
    response.end('\\n');
  });
}
const plain = http.createServer(answer).listen(0, '127.0.0.1', () => {
  const secure = http2.createSecureServer({key, cert}, answer).listen(0, '127.0.0.1', () => {
    console.log(plain.address().port + ' ' + secure.address().port);
  });
});
"""

NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen unix:{folder}/nginx.sock; root {folder}/www; location /ok {{ return 200 "ok\\n"; }} }}
}}
"""


@dataclass
class Targets:
    nginx: str
    node: int
    node_h2: int
    certificate: Path
    key: Path


@contextmanager
def _running(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    certificate, key = make_certificate(folder)
    (folder / "www").mkdir()
    (folder / "www" / "big.bin").write_bytes(BIG)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    with (
        _running("/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"),
        _running("node", "-e", NODE, key, certificate) as node,
    ):
        ports = [int(word) for word in node.stdout.readline().split()]
        while not (folder / "nginx.sock").exists():
            os.sched_yield()
        yield Targets(str(folder / "nginx.sock"), *ports, certificate, key)


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
        keep = ["-D", tmp_path / "head", "-o", tmp_path / "body", "--cacert", targets.certificate, "--max-time", "30"]
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
