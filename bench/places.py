"""What the bench compares: a PostgreSQL, pgbouncer before it, and Doorward before it, each as a user would start it.

TLS off means Unix sockets on every leg; TLS on means loopback TCP with TLS on every leg, for all three.
The server does not flush (it is only read from); Doorward's log lies on a real disk and does.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from doorward_demo.certificates import write_certificates
from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bench"
PASSWORD = "bench-only"
START_S = 40.0

POLICY = """\
version: 1
include: [safe-catalog]
rules:
  - id: reads
    effect: allow
    who: {groups: [plain, masked, scanned]}
    resource: "bench*"
    do: [read]
    tables: ["public.*"]
  - {id: no-ddl, effect: block, resource: "bench*", do: [define, admin, unknown]}
masks:
  - {id: secrets, resource: "bench*", columns: ["public.secret.*"], with: partial}
  - {id: column, who: {groups: [masked]}, resource: "bench*", columns: ["public.dense.email"], with: partial}
  - {id: content, who: {groups: [scanned]}, resource: "bench*", detect: [email, card, iban], with: partial}
"""

CONFIG = """\
version: 1
origin: bench.gateway
listen:
  - {{unix: {folder}/.s.PGSQL.{port}}}
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: {tls}/server.crt, key: {tls}/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals: {{store: approvals.sqlite, listen: {{unix: {folder}/approvals.sock}}}}
identity:
  issuers: [{{issuer: {issuer}, audience: [doorward], max_age: 1h}}]
record: {{folder: log, keys: keys, level: shape, checkpoint_interval: 1s}}
policy: policy.yaml
resources:
  bench:
    protocol: postgres
    target: {{host: {sockets}, port: {target}, database: bench, tls: {{mode: disable}}}}
    accounts: {{app: {{user: app, password: {{env: APP_PASSWORD}}}}}}
    account: app
  bench-tls:
    protocol: postgres
    target: {{host: localhost, port: {target}, database: bench, tls: {{mode: verify-full, ca: {tls}/ca.crt}}}}
    accounts: {{app: {{user: app, password: {{env: APP_PASSWORD}}}}}}
    account: app
"""


@dataclass(frozen=True)
class Place:
    """Somewhere a client can connect to. `pids` are the processes whose CPU is the proxy's; none for direct."""

    name: str
    sockets: str
    port: int
    pids: tuple[int, ...]
    password: str
    database: str = DATABASE
    database_tls: str = DATABASE

    def environment(self, *, tls: bool, password: str | None = None) -> dict[str, str]:
        """What libpq reads."""
        where = {"PGHOST": "localhost", "PGSSLMODE": "require"} if tls else {"PGHOST": self.sockets}
        return {
            **os.environ,
            **where,
            "PGPORT": str(self.port),
            "PGUSER": "app",
            "PGPASSWORD": password or self.password,
            "PGDATABASE": self.database_tls if tls else self.database,
            "PGGSSENCMODE": "disable",
        }


def programs() -> Path:
    """The newest server of Debian's that has pgbench beside it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise SystemExit("bench: no PostgreSQL server with pgbench under /usr/lib/postgresql; see bench/README.md")
    return found[-1].parent


def unprivileged() -> str | None:
    """As root, servers run as somebody else."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _owned(path: Path) -> None:
    owner = unprivileged()
    if owner:
        shutil.chown(path, owner)


@contextlib.contextmanager
def _process(
    command: list[str],
    log: Path,
    how: signal.Signals = signal.SIGTERM,
    *,
    user: str | None = None,
    cwd: Path | str | None = None,
    env: dict[str, str] | None = None,
) -> Iterator[int]:
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=user, cwd=cwd, env=env)
    try:
        yield child.pid
    finally:
        child.send_signal(how)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(what: str, ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + START_S
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {what} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def postgres(folder: Path, tls: Path) -> Iterator[Place]:
    """A server of its own with SCRAM and TLS, flushing nothing; a role `app` and an empty database."""
    home, owner, port = folder / "postgres", unprivileged(), free_port()
    home.mkdir()
    for name in ("server.crt", "server.key"):
        shutil.copy(tls / name, home / name)
        (home / name).chmod(0o600)
        _owned(home / name)
    (home / "password").write_text(PASSWORD)
    _owned(home)
    _owned(home / "password")
    make = [str(programs() / "initdb"), "-D", str(home / "data"), "-U", "app", "-A", "scram-sha-256", "-E", "UTF8"]
    subprocess.run(
        [*make, "--locale=C", "--no-sync", f"--pwfile={home / 'password'}"],
        user=owner, check=True, stdout=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    settings = {
        "listen_addresses": "localhost",
        "port": port,
        "unix_socket_directories": home,
        "fsync": "off",
        "synchronous_commit": "off",
        "max_connections": 200,
        "shared_buffers": "1GB",
        "max_wal_size": "4GB",
        "ssl": "on",
        "ssl_cert_file": home / "server.crt",
        "ssl_key_file": home / "server.key",
        "max_parallel_workers_per_gather": 0,
        "autovacuum": "off",
    }
    command = [str(programs() / "postgres"), "-D", str(home / "data")]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = folder / "postgres.log"
    place = Place("direct", str(home), port, (), PASSWORD)
    with _process(command, log, signal.SIGINT, user=owner, cwd="/"):

        def ready() -> bool:
            with contextlib.suppress(psycopg.OperationalError), connect(place, "postgres"):
                return True
            return False

        _wait("PostgreSQL", ready, log)
        with connect(place, "postgres") as admin:
            admin.execute("CREATE DATABASE bench")
        yield place


def connect(place: Place, database: str = DATABASE) -> psycopg.Connection[tuple[object, ...]]:
    """A connection for setting up."""
    return psycopg.connect(
        host=place.sockets, port=place.port, user="app", password=place.password, dbname=database, autocommit=True
    )


BOUNCER = """\
[databases]
bench = host={sockets} port={target} dbname=bench
bench-tls = host=localhost port={target} dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {home}
unix_socket_mode = 0777
auth_type = scram-sha-256
auth_file = {home}/users
pool_mode = session
default_pool_size = 100
max_client_conn = 500
client_tls_sslmode = allow
client_tls_key_file = {home}/server.key
client_tls_cert_file = {home}/server.crt
server_tls_sslmode = prefer
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


@contextlib.contextmanager
def pgbouncer(folder: Path, tls: Path, server: Place) -> Iterator[Place]:
    """Start pgbouncer in session mode, as Doorward is: one server connection for each client's."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise FileNotFoundError("pgbouncer")
    home, port = folder / "pgbouncer", free_port()
    home.mkdir()
    for name in ("server.crt", "server.key"):
        shutil.copy(tls / name, home / name)
        (home / name).chmod(0o600)
        _owned(home / name)
    (home / "users").write_text(f'"app" "{PASSWORD}"\n')
    (home / "pgbouncer.ini").write_text(
        BOUNCER.format(sockets=server.sockets, target=server.port, port=port, home=home)
    )
    _owned(home)
    log = folder / "pgbouncer.log"
    with _process([program, str(home / "pgbouncer.ini")], log, user=unprivileged()) as pid:
        _wait("pgbouncer", (home / f".s.PGSQL.{port}").exists, log)
        yield Place("pgbouncer", str(home), port, (pid,), PASSWORD, database_tls="bench-tls")


@dataclass(frozen=True)
class Doorward(Place):
    """A gateway. `tokens` are by group: plain, masked and scanned."""

    state: Path = Path()
    tokens: tuple[tuple[str, str], ...] = ()

    def token(self, group: str) -> str:
        """The token of somebody in that group."""
        return dict(self.tokens)[group]


@contextlib.contextmanager
def doorward(folder: Path, tls: Path, server: Place, issuer: DevelopmentIssuer, *, flushed: bool) -> Iterator[Doorward]:
    """A gateway with policy, masks and record; not `flushed`, it does not wait for its log's flushes."""
    name = "doorward" if flushed else "doorward-unflushed"
    home, port, admin = folder / name, free_port(), free_port()
    home.mkdir()
    (home / "policy.yaml").write_text(POLICY)
    (home / "gateway.yaml").write_text(
        CONFIG.format(
            folder=home, port=port, admin=admin, tls=tls, issuer=issuer.url, sockets=server.sockets, target=server.port
        )
    )
    module = "doorward_postgres" if flushed else "bench.unflushed"
    log = folder / f"{name}.log"
    command = [sys.executable, "-m", module, "--config", str(home / "gateway.yaml")]
    with _process(command, log, env={**os.environ, "APP_PASSWORD": PASSWORD}, cwd=ROOT) as pid:

        def ready() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200)
            return False

        _wait(name, ready, log)
        tokens = tuple((group, issuer.issue(f"crew-{group}", "agent", (group,), lifetime_s=3600)) for group in GROUPS)
        pids = (pid, *_children(pid))
        yield Doorward(name, str(home), port, pids, tokens[0][1], database_tls="bench-tls", state=home, tokens=tokens)


GROUPS = ("plain", "masked", "scanned")


def _children(pid: int) -> tuple[int, ...]:
    # Of every thread: a child belongs to the one that started it.
    return tuple(int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split())


@contextlib.contextmanager
def everything(folder: Path) -> Iterator[list[Place]]:
    """All places, direct first."""
    folder.chmod(0o711)
    tls = folder / "tls"
    write_certificates(tls)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres(folder, tls))
        places = [server]
        try:
            places.append(stack.enter_context(pgbouncer(folder, tls, server)))
        except FileNotFoundError:
            print("bench: pgbouncer is not installed, and could not be; its columns stay empty")
        issuer = stack.enter_context(DevelopmentIssuer())
        places += [stack.enter_context(doorward(folder, tls, server, issuer, flushed=how)) for how in (True, False)]
        yield places


def write_json(path: Path, what: object) -> None:
    """Write results, whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(what, indent=1) + "\n")
    draft.replace(path)
