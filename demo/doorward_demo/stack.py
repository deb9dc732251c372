"""Everything that the demonstration runs: a state folder, the issuer, the gateway, and how to reach them.

What it is: the files (certificates, configuration, policy, tokens) as an operator would write them, two processes
started as an operator would start them, and their end.
What it will not do: reach into the gateway. It is configured by its files and asked by its ports, nothing else.

Invariant: whatever was started here is stopped here, in the reverse order, however the story ends.
"""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doorward_demo import children
from doorward_demo.certificates import write_certificates
from doorward_demo.postgres import DATABASE, DemoError, Server, free_port

ORIGIN = "demo-gateway.example"
PID_FILE = "gateway.pid"
RESOURCE = "shop"
AUDIENCE = "doorward"
AGENT = "crew-analyst-7"
APPROVER = "dba-tom"
PREFERRED_PORT = 6432  # what poolers listen on: easy to remember, and not a server's own 5432
DESK_PORT = 8090
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
POLL_S = 0.05
TOKEN_LIFETIME_S = 3600  # the most that the configuration below accepts
STATE_FILE = "state.json"  # marks a folder as ours to make anew

CONFIG = """\
# Written by the demonstration; the words are those of docs/config.md.
version: 1
origin: {origin}
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: tls/server.crt, key: tls/server.key}}}}
  - {{unix: {sockets}/.s.PGSQL.{port}}}
admin: {{address: 127.0.0.1, port: {admin_port}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/approvals.sock}}
  link: "{desk}/approvals/{{id}}"
  passkeys: {{file: passkeys.jsonl, rp_id: localhost, origins: ["{desk}"]}}
operators: {{groups: [ops]}}
break_glass: {{groups: [dba], reviewers: [privacy-office]}}
identity:
  issuers:
    - issuer: {issuer}
      audience: [{audience}]
      max_age: 1h
      attributes: [crew, task, agent_role]
record:
  folder: log
  keys: keys
  level: payload
  checkpoint_interval: 1s
{witnesses}policy: policy.yaml
resources:
  {resource}:
    protocol: postgres
    labels: {{env: demo}}
    # The embedded PostgreSQL is built without TLS, so this has to be asked for; the gateway says so in its banner.
    # Who approves also sees what the server expects of a statement: its plan, which it estimates and does not run.
    target: {{host: 127.0.0.1, port: {target_port}, database: {database}, tls: {{mode: disable}}, previews: true}}
    accounts:
      app: {{user: app, password: {{env: SHOP_APP_PASSWORD}}}}
      reader: {{user: reader, password: {{env: SHOP_READER_PASSWORD}}}}
    account: app
    read_only_account: reader
"""

WITNESSES = """\
  mirror: second
  # On this machine it shows how; it proves something where somebody else runs it.
  witnesses: {{quorum: 1, lag: 1h, list: [{{url: "{url}", vkey: "{vkey}"}}]}}
"""

POLICY = """\
# Who may do what with the shop. Nothing that is not allowed here is let through.
version: 1
include: [safe-catalog]
rules:
  - id: analysts-read
    effect: allow
    who: {groups: [crew-analysts]}
    resource: shop
    do: [read]
    tables: ["public.*"]
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: shop
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m, in_transaction: 60s}
  - id: no-ddl
    effect: block
    resource: shop
    do: [define, admin]
    unless: {groups: [migrations]}
    reason: Schema changes go through migrations, as do roles and settings. Ask the crew's owner to open one.
  - id: nothing-unread
    effect: block
    resource: shop
    do: [unknown]
    reason: This cannot be read whole, so nobody can say what it would do. Write it more plainly.
masks:
  - id: pii
    resource: shop
    columns: ["public.customer.email", "public.customer.phone", "public.customer.card", "public.customer.iban"]
    detect: [email, card, iban]
    with: partial
    except: {groups: [privacy-office]}
    probe: {equality: allow, limit: 20/h} # looking one customer up by a value that one has; not searching for values
"""


@dataclass
class Stack:
    """What runs, and where. Paths are absolute; `sockets` lies outside `state`, for a socket's path must be short."""

    state: Path
    sockets: Path
    port: int
    admin_port: int
    desk_port: int
    issuer_url: str = ""
    witness_url: str = ""
    witness_vkey: str = ""

    @property
    def desk_url(self) -> str:
        """Where people reach the desk."""
        return f"http://localhost:{self.desk_port}"

    @property
    def log(self) -> Path:
        """The folder of the event log."""
        return self.state / "log"

    @property
    def second(self) -> Path:
        """Where the gateway keeps its checkpoints a second time, and what the witness has signed."""
        return self.state / "second"

    @property
    def control(self) -> str:
        """Where approvers and the command line reach the gateway."""
        return f"unix:{self.sockets / 'approvals.sock'}"

    def token_file(self, subject: str) -> Path:
        """The file with this principal's token."""
        return self.state / "tokens" / f"{subject}.token"

    def token(self, subject: str) -> str:
        """This principal's token."""
        return self.token_file(subject).read_text(encoding="ascii").strip()

    def conninfo(self, *, tls: bool) -> str:
        """What an ordinary client is given; the password is the token, and is not in it."""
        if tls:
            server = f"host=localhost port={self.port} sslmode=verify-full sslrootcert={self.state / 'tls/ca.crt'}"
        else:
            server = f"host={self.sockets} port={self.port}"
        return f"{server} dbname={RESOURCE} user=app"


@contextlib.contextmanager
def state_folder(path: Path) -> Iterator[Path]:
    """A state folder of our own, empty; what an earlier demonstration left there is removed first.

    It stays when the demonstration ends: the log is worth looking at.
    """
    path = path.absolute()
    if path.exists() and any(path.iterdir()) and not (path / STATE_FILE).exists():
        raise DemoError(f"{path} holds files that are not the demonstration's; name another folder with STATE=")
    path.mkdir(parents=True, exist_ok=True)
    with (path / STATE_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demonstration uses {path}; name another folder with STATE=") from None
        for item in path.iterdir():
            if item.name == STATE_FILE:
                continue
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        path.chmod(0o700)
        yield path


@contextlib.contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder for Unix sockets with a short path; it goes with the demonstration."""
    folder = Path(tempfile.mkdtemp(prefix="doorward-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_stack(state: Path, sockets: Path) -> Stack:
    """Choose ports, and make the folders and the certificates."""
    stack = Stack(state, sockets, choose_port(PREFERRED_PORT), free_port(), choose_port(DESK_PORT))
    write_certificates(state / "tls")
    (state / "tokens").mkdir(mode=0o700)
    return stack


def choose_port(preferred: int) -> int:
    """This port if it is free, for it is easy to remember; else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return free_port()
    return preferred


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end as a service manager does; what does not end in time is killed."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def issuer(stack: Stack, subjects: tuple[str, ...] = (AGENT, APPROVER)) -> Iterator[None]:
    """Run the development issuer, and take a token for each one who appears in the story."""
    command = [sys.executable, "-m", "doorward_demo.issuer", "--state", str(stack.state)]
    with process(command, stack.state / "issuer.log", speaks=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        if not said:
            raise DemoError(f"the issuer did not start; see {stack.state / 'issuer.log'}")
        stack.issuer_url = json.loads(said)["issuer"]
        take_tokens(stack, subjects)
        yield


def take_tokens(stack: Stack, subjects: tuple[str, ...]) -> None:
    """Ask the issuer for tokens, as each principal would (RFC 6749, section 4.4), into files of mode 0600."""
    clients = json.loads((stack.state / "issuer-secrets.json").read_text(encoding="utf-8"))
    for subject in subjects:
        form = {
            "grant_type": "client_credentials",
            "client_id": subject,
            "client_secret": clients["clients"][subject],
            "audience": AUDIENCE,
            "lifetime_s": str(TOKEN_LIFETIME_S),
        }
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(clients["token_endpoint"], body, timeout=10) as answer:  # noqa: S310 - loopback
            token = json.load(answer)["access_token"]
        path = stack.token_file(subject)
        path.touch(mode=0o600)
        path.write_text(f"{token}\n", encoding="ascii")


@contextlib.contextmanager
def gateway(stack: Stack, target: Server) -> Iterator[None]:
    """Run the PostgreSQL gateway until the end of the block; it is ready when the block begins."""
    config = CONFIG.format(
        origin=ORIGIN,
        port=stack.port,
        sockets=stack.sockets,
        admin_port=stack.admin_port,
        issuer=stack.issuer_url,
        audience=AUDIENCE,
        resource=RESOURCE,
        target_port=target.port,
        database=DATABASE,
        desk=stack.desk_url,
        witnesses=WITNESSES.format(url=stack.witness_url, vkey=stack.witness_vkey) if stack.witness_url else "",
    )
    (stack.state / "passkeys.jsonl").touch(mode=0o600)
    (stack.state / "policy.yaml").write_text(POLICY, encoding="utf-8")
    config_file = stack.state / "gateway.yaml"
    config_file.write_text(config, encoding="utf-8")
    passwords = {f"SHOP_{role.upper()}_PASSWORD": target.passwords[role] for role in ("app", "reader")}
    command = [sys.executable, "-m", "doorward_postgres", "--config", str(config_file)]
    log = stack.state / "gateway.log"
    with process(command, log, passwords) as child:
        (stack.state / PID_FILE).write_text(f"{child.pid}\n", encoding="ascii")
        wait_until_ready(child, stack.admin_port, log)
        yield


@contextlib.contextmanager
def process(
    command: list[str], log: Path, environment: dict[str, str] | None = None, *, speaks: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the length of a block; one that `speaks` is listened to, any other only logs."""
    with log.open("wb") as errors:
        output = subprocess.PIPE if speaks else errors
        child = children.start(command, output=output, errors=errors, environment={**os.environ, **(environment or {})})
        try:
            yield child
        finally:
            _stop(child)
            if child.stdout is not None:
                child.stdout.close()


def wait_until_ready(child: subprocess.Popen[bytes], admin_port: int, log: Path) -> None:
    """Wait for a gateway; raise DemoError with what it said where it ends instead, or takes too long."""
    end = time.monotonic() + READY_WITHIN_S
    while not _is_ready(admin_port):
        if child.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise DemoError(f"the gateway ended with status {child.returncode}:\n{said}")
        if time.monotonic() > end:
            raise DemoError(f"the gateway was not ready within {READY_WITHIN_S:.0f} s; see {log}")
        time.sleep(POLL_S)


def _is_ready(admin_port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
