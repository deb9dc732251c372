"""Real servers with different parsers, as targets: nginx on a Unix socket, node over HTTP/1.1 and over h2."""

import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from http_stand import make_certificate

NODE = """
const http = require('http'), http2 = require('http2'), fs = require('fs'), crypto = require('crypto');
const [key, cert] = process.argv.slice(1).map(name => fs.readFileSync(name));
const seen = [];
const big = Buffer.concat(Array(12000).fill(Buffer.from([...Array(256).keys()])));
function answer(request, response) {
  const hash = crypto.createHash('sha256');
  let size = 0;
  request.on('data', data => { size += data.length; hash.update(data); });
  request.on('end', () => {
    if (request.url === '/big') { response.setHeader('content-type', 'application/octet-stream'); response.end(big); return; }
    if (request.url === '/none') { response.statusCode = 204; response.end(); return; }
    if (request.url === '/seen') { response.end(JSON.stringify(seen)); seen.length = 0; return; }
    seen.push(request.method + ' ' + request.url);
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
  log_format seen '$request'; access_log {folder}/seen seen; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen unix:{folder}/nginx.sock; root {folder}/www; location /ok {{ return 200 "ok\\n"; }} }}
}}
"""


@dataclass
class Targets:
    """Where they are. nginx writes the request lines that it saw to `seen`; node tells them at /seen."""

    nginx: str
    node: int
    node_h2: int
    certificate: Path
    key: Path
    seen: Path


@contextmanager
def _running(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


@contextmanager
def running(folder, big):
    """Both targets, which serve `big` at /big.bin and /big."""
    certificate, key = make_certificate(folder)
    (folder / "www").mkdir()
    (folder / "www" / "big.bin").write_bytes(big)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    with (
        _running("/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"),
        _running("node", "-e", NODE, key, certificate) as node,
    ):
        ports = [int(word) for word in node.stdout.readline().split()]
        while not (folder / "nginx.sock").exists():
            os.sched_yield()
        yield Targets(str(folder / "nginx.sock"), *ports, certificate, key, folder / "seen")
