"""A CancelRequest through the gateway: its connection ends when the target's has, so that it means nothing that follows."""

import socket

import pytest
from gateway_load import works_on
from gateway_stack import CONFIG
from raw_client import RawClient

from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend

pytestmark = pytest.mark.need_embedded_postgres

WAIT_S = 120
REQUEST_BYTES = 16


def test_who_cancels_waits_until_the_target_has_taken_it(own_gateway):
    gateway = own_gateway(config=CONFIG.replace("mode: disable}}", "mode: disable}}, connect_timeout: 300s"))
    client, bystander = (RawClient.login(gateway, groups=("anything",)) for _ in range(2))
    client.send(enc.encode_query("select pg_sleep(600), 'cancelled'"))
    works_on(gateway, "cancelled")
    with socket.create_server(("127.0.0.1", 0)) as between:
        between.settimeout(WAIT_S)
        gateway.recorder.lead_to(between.getsockname()[1])
        canceller = RawClient(gateway.sockets / f".s.PGSQL.{gateway.port}")
        gateway.clients.append(canceller)
        canceller.send(enc.encode_cancel_request(*client.cancel_key))
        taken, _ = between.accept()
    with taken, taken.makefile("rb") as stream:
        request = stream.read(REQUEST_BYTES)
        assert bystander.alive()
        canceller.socket.setblocking(False)
        with pytest.raises(BlockingIOError):  # still open: the target has not passed it on
            canceller.socket.recv(1)
        canceller.socket.settimeout(WAIT_S)
        with socket.create_connection(("127.0.0.1", gateway.target.port), timeout=WAIT_S) as target:
            target.sendall(request)
            assert target.recv(1) == b""
    assert canceller.ended() == []
    assert client.until(Backend.ReadyForQuery).errors == ["57014"]
    assert client.alive()
