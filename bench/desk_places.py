"""What the desk's figures need: a gateway whose updates are held, a desk before it, and people at both.

The gateway and the desk are processes as an operator would start them; people log in at the development issuer.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg

from bench.passkey import SoftPasskey
from bench.places import PASSWORD, ROOT, Place, _process, _wait
from doorward_demo.issuer import DevelopmentIssuer, Principal
from doorward_demo.postgres import free_port

APPROVER, AUDITOR = "tom", "ana"
PEOPLE = (
    Principal(APPROVER, "human", ("dba", "ops"), name="Tom Berger"),
    Principal(AUDITOR, "human", ("privacy-office",), name="Ana Costa"),
)
WAIT_S = 60.0

POLICY = """\
version: 1
include: [safe-catalog]
rules:
  - {id: reads, effect: allow, who: {groups: [crew]}, resource: bench, do: [read], tables: ["public.*"]}
  - id: changes-need-a-human
    effect: hold
    who: {groups: [crew]}
    resource: bench
    do: [write]
    tables: ["public.*"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 30m, grant: 5m}
  - {id: no-ddl, effect: block, resource: bench, do: [define, admin, unknown]}
"""

GATEWAY = """\
version: 1
origin: bench.gateway
listen:
  - {{unix: {home}/.s.PGSQL.{port}}}
admin: {{address: 127.0.0.1, port: {admin}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {home}/approvals.sock}}
  passkeys: {{file: passkeys.jsonl, rp_id: localhost, origins: ['{url}']}}
  quota: {{each: 100, hourly: 100000, total: 5000}}
operators: {{groups: [ops]}}
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
"""

DESK = """\
version: 1
url: {url}
listen: {{address: 127.0.0.1, port: {port}}}
login: {{issuer: {issuer}, client_id: desk}}
roles: {{approver: [dba], auditor: [privacy-office], operator: [ops]}}
gateways:
  bench: {{control: 'unix:{home}/approvals.sock', log: {log}, policy: {home}/policy.yaml}}
record: {{folder: {desk}/log, keys: {desk}/keys, origin: bench.desk}}
index: {desk}/index.sqlite
"""


@dataclass
class Gate:
    """A running gateway: its folder, its issuer, its port, and the passkey of who approves there."""

    home: Path
    port: int
    issuer: DevelopmentIssuer
    passkey: SoftPasskey
    desk_port: int

    @property
    def url(self) -> str:
        """Where its desk is."""
        return f"http://localhost:{self.desk_port}"

    def connect(self, subject: str = "crew-1") -> psycopg.Connection[tuple[object, ...]]:
        """An agent's connection, whose changes are held."""
        token = self.issuer.issue(subject, "agent", ("crew",), lifetime_s=3600)
        return psycopg.connect(
            host=str(self.home), port=self.port, user="app", password=token, dbname="bench", autocommit=True
        )

    def approver(self) -> str:
        """The approver's token."""
        return self.issuer.issue(APPROVER, "human", ("dba", "ops"), lifetime_s=3600)


@contextlib.contextmanager
def gate(home: Path, server: Place, prepare: Callable[[Path], None] = lambda _: None) -> Iterator[Gate]:
    """A gateway that holds every change; `prepare` is given its folder before it starts."""
    home.mkdir(parents=True)
    port, admin, desk_port = free_port(), free_port(), free_port()
    url = f"http://localhost:{desk_port}"
    passkey = SoftPasskey("localhost", url)
    with DevelopmentIssuer(principals=PEOPLE) as issuer:
        (home / "passkeys.jsonl").write_text(passkey.line(APPROVER, issuer.url))
        (home / "policy.yaml").write_text(POLICY)
        (home / "gateway.yaml").write_text(
            GATEWAY.format(
                home=home,
                port=port,
                admin=admin,
                url=url,
                issuer=issuer.url,
                sockets=server.sockets,
                target=server.port,
            )
        )
        prepare(home)
        command = [sys.executable, "-m", "doorward_postgres", "--config", str(home / "gateway.yaml")]
        log = home / "gateway.log"
        with _process(command, log, env={**os.environ, "APP_PASSWORD": PASSWORD}, cwd=ROOT):

            def ready() -> bool:
                with contextlib.suppress(OSError):
                    return bool(urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5).status == 200)
                return False

            _wait("the gateway", ready, log)
            yield Gate(home, port, issuer, passkey, desk_port)


@contextlib.contextmanager
def desk(before: Gate, folder: Path, log: Path) -> Iterator[None]:
    """`doorward desk` before a gateway, its searches over the log at `log`; its index is `folder / "index.sqlite"`."""
    folder.mkdir(exist_ok=True)
    settings, said = folder / "desk.yaml", folder / "desk.log"
    settings.write_text(
        DESK.format(
            url=before.url, port=before.desk_port, issuer=before.issuer.url, home=before.home, log=log, desk=folder
        )
    )
    command = [sys.executable, "-m", "doorward_console", "desk", "--config", str(settings)]
    with _process(command, said, cwd=ROOT):
        _wait("the desk", lambda: "listening on" in said.read_text(), said)
        yield


class Control:
    """Somebody at a gateway's control port, with a token; one connection, which stays."""

    def __init__(self, path: Path, token: str) -> None:
        self._connection = http.client.HTTPConnection("control", timeout=WAIT_S)
        self._connection.sock = socket.socket(socket.AF_UNIX)
        self._connection.sock.connect(str(path))
        self._path, self._headers = path, {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def close(self) -> None:
        """End it."""
        self._connection.close()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask, and give the answer; whatever is not a success ends the bench."""
        if self._connection.sock is None:  # the port closes what has been idle
            self._connection.sock = socket.socket(socket.AF_UNIX)
            self._connection.sock.connect(str(self._path))
        self._connection.request(method, path, json.dumps(body) if body is not None else None, self._headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {data[:500]!r}")
        return json.loads(data)


class Browser:
    """A browser without a screen: cookies, forms, and one connection that is kept."""

    def __init__(self, url: str) -> None:
        self._url, self._cookies = url, dict[str, str]()
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_S)

    def close(self) -> None:
        """End it."""
        self._connection.close()

    def get(self, path: str) -> str:
        """A page, whole; a way to somewhere else is none."""
        status, page, leads = self._ask("GET", path)
        if status != http.HTTPStatus.OK:
            raise SystemExit(f"bench: GET {path}: {status}, on to {leads}")
        return page

    def post(self, path: str, form: Mapping[str, str]) -> tuple[int, str, str]:
        """A form of one of the pages: the status, the page, and where it leads."""
        return self._ask("POST", path, form)

    def log_in(self, subject: str) -> None:
        """Log in at the issuer as somebody: the button, their name, and back."""
        leaving = self.post("/login", {"back": "/"})[1]
        leads = re.search(r'url=(http[^"]+)"', leaving)
        assert leads is not None, leaving[:500]
        provider = urlsplit(unescape(leads[1]))
        asked = dict(pair.split("=", 1) for pair in provider.query.split("&"))
        at_issuer = http.client.HTTPConnection(provider.netloc, timeout=WAIT_S)
        form = "&".join(f"{name}={value}" for name, value in asked.items()) + f"&subject={subject}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        at_issuer.request("POST", "/authorize", form, headers)
        back = urlsplit(at_issuer.getresponse().getheader("location", ""))
        at_issuer.close()
        self._ask("GET", f"{back.path}?{back.query}")

    def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers |= {"content-type": "application/x-www-form-urlencoded", "origin": self._url}
        self._connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        for line in answer.headers.get_all("set-cookie") or ():
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {text[:2000]}")
        return answer.status, text, answer.getheader("location", "")


def field(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    if found is None:
        raise SystemExit(f"bench: the page has no field {name}: {page[:2000]}")
    return unescape(found[1])


def waiting(control: Control) -> str:
    """The id of the one request that waits for a vote, once there is one."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = control.call("GET", "/v1/approvals?state=pending")["approvals"]
        if found:
            return str(found[0]["id"])
        time.sleep(0.005)
    raise SystemExit("bench: nothing was held")
