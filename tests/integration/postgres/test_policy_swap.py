"""A policy that changes while a statement waits for its turn: its results owe what the new policy hides."""

import signal
import time

import pytest
from gateway_stack import POLICY
from raw_client import RawClient

from doorward_postgres.wire import Backend
from doorward_postgres.wire_encode import encode_query

pytestmark = pytest.mark.need_embedded_postgres

MASKED = POLICY.replace("in_transaction: 60s}", "in_transaction: 60s, retry: true}")
OPEN = MASKED[: MASKED.index("masks:")]
CHANGE = "update customer set name = name where id = 3 returning email"
BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%from orders%'"


def eventually(holds, within_s=120):
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_grant_that_is_redeemed_after_a_reload_is_masked_by_the_new_policy(own_gateway):
    gateway = own_gateway(policy=OPEN)
    first = RawClient.login(gateway)
    first.send(encode_query(CHANGE))
    first.until(Backend.NoticeResponse)
    first.close()
    (request,) = gateway.waiting()
    # Only once its requester counts as gone is the grant good for one identical request.
    eventually(lambda: "doorward_sessions 0.0" in gateway.probe("/metrics")[1])
    assert gateway.vote(request["id"], retry=True)[0] == 200
    second = RawClient.login(gateway)
    with gateway.target.connect("app") as owner, gateway.target.connect("app") as witness:
        (secret,) = owner.execute("select email from customer where id = 3").fetchone()
        with owner.transaction():
            owner.execute("lock table orders in access exclusive mode")
            second.send(encode_query("select count(*) from orders"), encode_query(CHANGE))
            eventually(lambda: witness.execute(BLOCKED).fetchone() == (1,))
            (gateway.state / "policy.yaml").write_text(MASKED)
            gateway.process.send_signal(signal.SIGHUP)
            eventually(lambda: "policy.loaded" in gateway.said())
    answer = second.until(Backend.ReadyForQuery) + second.until(Backend.ReadyForQuery)
    rows = [one.values for one in answer if one.kind == Backend.DataRow]
    assert len(rows) == 2, answer
    assert secret.encode() not in rows[1]
