"""What the HTTP rows compare: an origin, and nginx, mitmproxy and Doorward before it, each as a user would start it.

The origin is nginx with files and one short answer; all that it offers it offers below `/crm` too, so that every place
is asked for the same path. Clients reach nginx and Doorward over a Unix socket or with TLS on loopback, mitmproxy over
loopback without TLS or with it; the leg to the origin is loopback without TLS for all.
"""

import contextlib
import json
import os
import shutil
import socket
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.places import ROOT, _children, _owned, _process, _wait, unprivileged
from doorward_demo.certificates import write_certificates
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

SMALL = '{"id": 42, "name": "Grace Hopper", "city": "Arlington", "orders": [17, 23], "newsletter": true}'
SMALL_PATH = "/crm/customers/42"
GROUPS = ("plain", "masked", "scanned")
CONNECTIONS = 1200

POLICY = """\
version: 1
rules:
  - id: reads
    effect: allow
    who: {groups: [plain, masked, scanned]}
    resource: crm
    do: [read]
    requests: ["GET /customers/**", "GET /files/*"]
  - {id: nothing-else, effect: block, resource: crm, do: [write, admin, unknown]}
masks:
  - {id: path, who: {groups: [masked]}, resource: crm, columns: ["$..email"], with: partial}
  - {id: content, who: {groups: [scanned]}, resource: crm, detect: [email, card, iban], with: partial}
"""

CONFIG = """\
version: 1
origin: bench.gateway
listen:
  - {{unix: {folder}/http.sock}}
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: {tls}/server.crt, key: {tls}/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals: {{store: approvals.sqlite, listen: {{unix: {folder}/approvals.sock}}}}
identity:
  issuers: [{{issuer: {issuer}, audience: [doorward], max_age: 1h}}]
record: {{folder: log, keys: keys, level: shape, checkpoint_interval: 1s}}
limits: {{connections: {connections}, sessions_per_identity: {connections}}}
policy: policy.yaml
resources:
  crm:
    protocol: http
    target: {{at: [/crm], url: "http://127.0.0.1:{target}", send: bearer}}
    accounts: {{app: {{user: bench, password: {{env: CRM_TOKEN}}}}}}
"""

NGINX = """\
daemon off;
{user}
pid {home}/nginx.pid;
error_log {home}/error.log;
worker_processes 1;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  {temporary}
  keepalive_requests 1000000000;
  sendfile on;
  {http}
}}
"""
ORIGIN = """\
  access_log off;
  types {{ application/json json; application/octet-stream bin; }}
  server {{
    listen 127.0.0.1:{port};
    root {files};
    location ~ ^(/crm)?/customers/42$ {{ default_type application/json; return 200 '{small}'; }}
  }}
"""
PROXY = """\
  access_log {home}/access.log;
  upstream origin {{ server 127.0.0.1:{target}; keepalive 64; }}
  server {{
    listen unix:{home}/http.sock;
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {home}/server.crt;
    ssl_certificate_key {home}/server.key;
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""


@dataclass(frozen=True)
class HttpPlace:
    """Somewhere to ask. `sockets` is a Unix socket's path, empty where the place has none; `pids` are the proxy's."""

    name: str
    port: int
    pids: tuple[int, ...]
    sockets: str = ""
    tls: bool = True
    tokens: tuple[tuple[str, str], ...] = ()

    def headers(self, group: str = "plain") -> tuple[str, ...]:
        """What a client of that group sends besides."""
        token = dict(self.tokens).get(group)
        return (f"Authorization: Bearer {token}",) if token else ()

    def dial(self) -> socket.socket:
        """A connection without TLS."""
        if self.sockets:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.sockets)
            return connection
        return self._loopback()

    def dial_tls(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """A connection with TLS."""
        return context.wrap_socket(self._loopback(), server_hostname="localhost")

    def _loopback(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def write_files(folder: Path, megabytes: int) -> None:
    """The large answers, each of so many megabytes: bytes, JSON with nothing to find, JSON with an address in each."""
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "crm").symlink_to(".")
    (folder / "files").mkdir()
    with (folder / "files" / "stream.bin").open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    words = "the quarterly order was shipped to its customer in good time and the invoice paid on the agreed day"
    for name in ("clean", "dense"):
        with (folder / "files" / f"{name}.json").open("w", encoding="ascii") as file:
            file.write('{"customers": [')
            number = 0
            while file.tell() < megabytes * 1_000_000:
                mail = f"customer{number}@mail.test" if name == "dense" else f"customer number {number}"
                entry = {"id": number, "name": "Grace Hopper", "email": mail, "note": words, "score": 4.5, "vip": True}
                file.write(f"{', ' if number else ''}{json.dumps(entry)}")
                number += 1
            file.write("]}")


@contextlib.contextmanager
def _nginx(name: str, home: Path, http: str) -> Iterator[tuple[int, ...]]:
    """Run one, of one worker; give the pids of its processes."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise FileNotFoundError("nginx")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n  ".join(f"{kind}_temp_path {home}/{kind};" for kind in kinds)
    owner = unprivileged()
    user = f"user {owner};" if owner else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, user=user, temporary=temporary, http=http))
    log = home / "said.log"
    with _process([program, "-c", str(home / "nginx.conf"), "-p", str(home)], log) as pid:
        _wait(name, lambda: (home / "nginx.pid").exists() and bool(_children(pid)), log)
        yield (pid, *_children(pid))


@contextlib.contextmanager
def origin(folder: Path, megabytes: int) -> Iterator[HttpPlace]:
    """What is behind every place."""
    home, port = folder / "origin", free_port()
    home.mkdir()
    _owned(home)
    write_files(home / "files", megabytes)
    with _nginx("the origin", home, ORIGIN.format(port=port, files=home / "files", small=SMALL)):
        yield HttpPlace("direct", port, (), tls=False)


@contextlib.contextmanager
def nginx(folder: Path, tls: Path, target: HttpPlace) -> Iterator[HttpPlace]:
    """Start nginx with proxy_pass, an access log and one worker."""
    home, port = folder / "nginx", free_port()
    home.mkdir()
    for name in ("server.crt", "server.key"):
        shutil.copy(tls / name, home / name)
    _owned(home)
    with _nginx("nginx", home, PROXY.format(home=home, port=port, target=target.port)) as pids:
        yield HttpPlace("nginx", port, pids, str(home / "http.sock"))


@contextlib.contextmanager
def mitmproxy(folder: Path, target: HttpPlace) -> Iterator[HttpPlace]:
    """Start mitmproxy in reverse mode, streaming what is large; it has no Unix sockets."""
    program = ROOT / ".venv-mitmproxy" / "bin" / "mitmdump"
    if not program.exists():
        raise FileNotFoundError("mitmproxy")
    home, port = folder / "mitmproxy", free_port()
    home.mkdir()
    command = [str(program), "--mode", f"reverse:http://127.0.0.1:{target.port}", "--listen-host", "127.0.0.1"]
    command += ["-p", str(port), "-q", "--set", f"confdir={home}", "--set", "stream_large_bodies=64k"]
    log = folder / "mitmproxy.log"
    with _process(command, log) as pid:
        place = HttpPlace("mitmproxy", port, (pid,))

        def ready() -> bool:
            with contextlib.suppress(OSError):
                place.dial().close()
                return True
            return False

        _wait("mitmproxy", ready, log)
        yield place


@contextlib.contextmanager
def doorward(folder: Path, tls: Path, target: HttpPlace, issuer: DevelopmentIssuer) -> Iterator[HttpPlace]:
    """A gateway with identity, policy, masks and record."""
    home, port, admin = folder / "doorward", free_port(), free_port()
    home.mkdir()
    (home / "policy.yaml").write_text(POLICY)
    (home / "gateway.yaml").write_text(
        CONFIG.format(
            folder=home, port=port, admin=admin, tls=tls, issuer=issuer.url, target=target.port, connections=CONNECTIONS
        )
    )
    log = folder / "doorward.log"
    command = [sys.executable, "-m", "doorward_http", "--config", str(home / "gateway.yaml")]
    with _process(command, log, env={**os.environ, "CRM_TOKEN": "bench-only"}, cwd=ROOT) as pid:

        def ready() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200)
            return False

        _wait("the HTTP gateway", ready, log)
        tokens = tuple((group, issuer.issue(f"crew-{group}", "agent", (group,), lifetime_s=3600)) for group in GROUPS)
        yield HttpPlace("doorward", port, (pid, *_children(pid)), str(home / "http.sock"), tokens=tokens)


@contextlib.contextmanager
def http_places(folder: Path, megabytes: int) -> Iterator[list[HttpPlace]]:
    """All places, direct first; what cannot be had is named and left out."""
    folder.mkdir()
    folder.chmod(0o711)
    tls = folder / "tls"
    write_certificates(tls)
    with contextlib.ExitStack() as stack:
        try:
            places = [stack.enter_context(origin(folder, megabytes))]
        except FileNotFoundError:
            raise SystemExit(
                "bench: the HTTP rows need nginx, as origin and for comparison; see bench/README.md"
            ) from None
        places.append(stack.enter_context(nginx(folder, tls, places[0])))
        try:
            places.append(stack.enter_context(mitmproxy(folder, places[0])))
        except FileNotFoundError:
            print(
                "bench: mitmproxy is not installed (.ci/install-mitmproxy makes its environment); its rows stay empty"
            )
        issuer = stack.enter_context(DevelopmentIssuer())
        places.append(stack.enter_context(doorward(folder, tls, places[0], issuer)))
        yield places
