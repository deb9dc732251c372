"""Observe mode, from the client's side: it is told at login, and what would have been blocked goes on and is recorded."""

import pytest
from gateway_stack import CONFIG
from raw_client import RawClient

from doorward_core.record.reader import LogReader
from doorward_postgres.wire import Backend

pytestmark = pytest.mark.need_embedded_postgres

OBSERVED = CONFIG + "    mode: {{observe: {{until: 2099-12-31}}}}\n"


def test_a_client_is_told_at_login_that_nothing_is_enforced(own_gateway):
    gateway = own_gateway(config=OBSERVED)
    client = RawClient.login(gateway)
    (warning,) = [one for one in client.hello if one.kind == Backend.NoticeResponse]
    assert warning.sqlstate == "01000"
    assert "observe mode" in warning.text
    assert client.query("create table public.observed (id integer)").errors == []
    assert client.query("drop table public.observed").errors == []
    client.close()
    driver = gateway.connect()
    assert driver.execute("select 1").fetchone() == (1,)
    driver.close()
    gateway.stop()
    entries = list(LogReader(gateway.log).entries())
    opened = [one for one in entries if one.kind == "session.opened"]
    assert [one.header["observe"] for one in opened] == [True, True]
    assert {one.header["observed"] for one in entries if one.kind == "operation.decided"} >= {"deny"}


def test_a_client_of_an_enforced_resource_is_told_nothing(gateway):
    assert [one.kind for one in RawClient.login(gateway).hello if one.kind == Backend.NoticeResponse] == []
