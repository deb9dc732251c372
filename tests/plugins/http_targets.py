"""Real servers with different parsers, as targets: nginx on a Unix socket, node over HTTP/1.1 and over h2."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
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


_LAST = "/was-that-all"


@dataclass
class Targets:
    """Where they are. nginx writes the request lines that it saw to `seen`; node tells them at /seen."""

    nginx: str
    node: int
    node_h2: int
    certificate: Path
    key: Path
    seen: Path

    def nginx_saw(self, count):
        """The requests that nginx has written down since it was last asked, once there are so many.

        It writes when an answer has left, which may be after its client has read it; and what came before a request
        that is only to be read here is written down before that one, for one process does it all.
        """
        end = time.monotonic() + 300
        while True:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(300)
                client.connect(self.nginx)
                client.sendall(f"GET {_LAST} HTTP/1.0\r\n\r\n".encode())
                while client.recv(65536):
                    pass
            lines = self.seen.read_text().splitlines()
            seen = [line.rpartition(" ")[0] for line in lines if _LAST not in line]
            if len(lines) > len(seen) and len(seen) >= count:
                self.seen.write_bytes(b"")
                return seen
            assert time.monotonic() < end, lines


@contextmanager
def _running(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def _until_it_listens(path):
    """A socket's file is there before anybody listens on it."""
    while True:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            return client.connect(str(path))
        time.sleep(0.01)


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
        _until_it_listens(folder / "nginx.sock")
        yield Targets(str(folder / "nginx.sock"), *ports, certificate, key, folder / "seen")
