"""Dialling: what is kept, what is bounded, and what an operator is told. Real servers are in tests/integration."""

import threading

import pytest
import trio
import trio.testing

from doorward_core.errors import ConfigError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_core.net.listen import open_tcp, open_unix
from doorward_postgres import upstream
from doorward_postgres.scram import Challenge, Keys
from doorward_postgres.upstream import Account, Dialer, Target, TlsMode


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    listener = open_tcp("127.0.0.1", 0)
    yield Target("127.0.0.1", listener.port, "app", tls=TlsMode.DISABLE)
    listener.socket.close()


async def test_a_target_that_does_not_listen_is_unavailable():
    listener = open_tcp("127.0.0.1", 0)
    target = Target("127.0.0.1", listener.port, "app", tls=TlsMode.DISABLE)
    listener.close()
    with pytest.raises(UpstreamUnavailable, match=f"127.0.0.1:{target.port}"):
        await Dialer(target).connect(Account("app"), {})
    with pytest.raises(UpstreamUnavailable):
        await Dialer(target).cancel(1, b"keys")


async def test_a_socket_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(UpstreamUnavailable, match="No such file"):
        await Dialer(Target(str(tmp_path), 5432, "app")).connect(Account("app"), {})


async def test_a_silent_target_is_given_up_in_time(silent, autojump_clock):
    with pytest.raises(UpstreamUnavailable, match="did not answer within 15 s"):
        await Dialer(silent).connect(Account("app"), {})
    with pytest.raises(UpstreamUnavailable, match="took no cancel request"):
        await Dialer(silent).cancel(1, b"keys")


async def test_a_local_socket_asks_for_no_tls(tmp_path):
    listener = open_unix(tmp_path / ".s.PGSQL.7")
    assert not Dialer(Target(str(tmp_path), 7, "app")).encrypted
    listener.close()


async def test_a_reload_that_fails_keeps_what_is_in_force(tmp_path):
    absent = tmp_path / "absent.pem"
    with pytest.raises(ConfigError):
        Dialer(Target("db", 5432, "app", authorities=absent))
    dialer = Dialer(Target("db", 5432, "app"))
    context = dialer._context
    object.__setattr__(dialer.target, "authorities", absent)
    with pytest.raises(ConfigError):
        dialer.reload()
    assert dialer._context is context


async def test_derived_keys_are_bounded_in_number(monkeypatch):
    monkeypatch.setattr(upstream, "derive_keys", lambda password, _: Keys(password.encode(), b""))
    cache = upstream._KeyCache()
    for salt in range(200):
        await cache.get(Secret("p"), Challenge(bytes([salt]), 4096))
    assert len(cache._kept) == upstream._MAX_KEYS


async def test_each_password_has_keys_of_its_own(monkeypatch):
    monkeypatch.setattr(upstream, "derive_keys", lambda password, _: Keys(password.encode(), b""))
    cache = upstream._KeyCache()
    challenge = Challenge(b"salt", 4096)
    assert (await cache.get(Secret("one"), challenge)).client_key == b"one"
    assert (await cache.get(Secret("two"), challenge)).client_key == b"two"
    assert b"one" not in repr(cache._kept).encode()


async def test_who_comes_during_a_derivation_waits_for_it(monkeypatch):
    go = threading.Event()

    def derive(password, _):
        go.wait()
        return Keys(password.encode(), b"")

    monkeypatch.setattr(upstream, "derive_keys", derive)
    cache = upstream._KeyCache()
    challenge = Challenge(b"salt", 4096)
    got = []

    async def get():
        got.append(await cache.get(Secret("one"), challenge))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(get)
        nursery.start_soon(get)
        await trio.testing.wait_all_tasks_blocked()
        go.set()
    assert len(got) == 2
    assert not cache._making


def test_nothing_shows_a_password():
    assert "canary" not in repr(Account("app", Secret("canary")))
