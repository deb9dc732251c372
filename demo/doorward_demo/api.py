"""The CRM and the HTTP gateway before it, for the demonstration: their files, their processes, how to reach them.

What it is: what `doorward_demo.stack` is for the shop: written as an operator would write it, and started so.
What it will not do: reach into the gateway, or tell anybody but the gateway the CRM's own token.

Invariant: whatever was started here is stopped here.
"""

import contextlib
import http.client
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from doorward_demo import crm
from doorward_demo.beside import Place, folder_of, guarding
from doorward_demo.postgres import DemoError, free_port
from doorward_demo.stack import POLL_S, READY_WITHIN_S, Stack, choose_port, process

ORIGIN = "demo-http-gateway.example"
RESOURCE = "crm"
PREFERRED_PORT = 8443

CONFIG = """\
# Written by the demonstration; the words are those of docs/config.md and docs/http.md.
version: 1
origin: {origin}
listen:
  - {{address: 127.0.0.1, port: {port}, tls: {{certificate: ../tls/server.crt, key: ../tls/server.key}}}}
admin: {{address: 127.0.0.1, port: {admin_port}}}
approvals:
  store: approvals.sqlite
  listen: {{unix: {sockets}/http-approvals.sock}}
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
policy: policy.yaml
resources:
  {resource}:
    protocol: http
    labels: {{env: demo}}
    target:
      at: [/crm]                       # what lies below this path goes to the target
      url: http://127.0.0.1:{target_port}
      send: bearer                     # the account's password, in place of the client's token
    accounts:
      app: {{user: crm, password: {{env: CRM_TOKEN}}}}
"""

POLICY = """\
# Who may do what with the CRM. Nothing that is not allowed here is let through.
version: 1
rules:
  - id: analysts-look
    effect: allow
    who: {groups: [crew-analysts]}
    resource: crm
    do: [read]
    requests: ["GET,HEAD /customers/**", "GET /customers", "GET /events"]
  - id: notes-need-a-human
    effect: hold
    who: {groups: [crew-analysts]}
    resource: crm
    do: [write]
    requests: ["POST /customers/*/notes"]
    approve: {by: {groups: [dba]}, quorum: 1, within: 10m, grant: 5m}
  - id: nobody-is-deleted
    effect: block
    resource: crm
    do: [write]
    requests: ["DELETE /**"]
    reason: Customers are deleted by the privacy office, on their own request. Open a ticket there and name the id.
masks:
  - id: pii
    resource: crm
    columns: ["$..email", "$..phone", "$..card"]  # in JSON, wherever these members stand
    detect: [email, card]                         # and in any text, wherever such values stand
    with: partial
"""


@dataclass
class Api(Place):
    """What runs, and where."""

    kind = "http"

    target_port: int
    token: str
    """What the CRM knows the gateway by; the agent has never seen it."""

    def url(self, path: str) -> str:
        """Where the agent asks."""
        return f"https://localhost:{self.port}/{RESOURCE}{path}"

    def past_the_gateway(self, path: str) -> tuple[int, str]:
        """Ask the CRM itself."""
        connection = http.client.HTTPConnection(crm.ADDRESS, self.target_port, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Api]:
    """The CRM and the gateway before it, until the end of the block."""
    folder = folder_of(Api.kind, stack)
    api = Api(folder, stack.sockets, choose_port(PREFERRED_PORT), free_port(), secrets.token_urlsafe(24))
    own = {"CRM_TOKEN": api.token}
    serve = [sys.executable, "-m", "doorward_demo.crm", "--port", str(api.target_port)]
    values = {"origin": ORIGIN, "resource": RESOURCE, "target_port": api.target_port}
    # Both start at once; the gateway does not need its target in order to be ready.
    with (
        process(serve, folder / "crm.log", own) as behind,
        guarding(api, stack, CONFIG, values, POLICY, environment=own),
    ):
        _wait_until_answered(api)
        assert behind.poll() is None
        yield api


def _wait_until_answered(api: Api) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if api.past_the_gateway("/customers?limit=1")[0] == http.HTTPStatus.OK:
                return
        if time.monotonic() > end:
            raise DemoError(f"the CRM did not answer within {READY_WITHIN_S:.0f} s; see {api.state / 'crm.log'}")
        time.sleep(POLL_S)
