"""By what exchange clients and the gateway agree on keys: a post-quantum one wherever both have one."""

import asyncio

import asyncssh
import pytest

pytestmark = pytest.mark.need_sshd
ML_KEM = "mlkem768x25519-sha256"


class Told(asyncssh.SSHClient):
    """A client that keeps which exchange was agreed on, and which the gateway offers."""

    def connection_made(self, conn):
        self.chosen, choose = [], conn._choose_alg

        def kept(kind, ours, theirs):
            found = choose(kind, ours, theirs)
            self.chosen.append((kind, found))
            return found

        conn._choose_alg = kept

    @property
    def exchange(self):
        return next(name.decode() for kind, name in self.chosen if kind == "key exchange")


async def exchange(gateway, **how):
    """Which exchange one connection was made by."""
    told = Told()
    async with await gateway.connected(client_factory=lambda: told, **how) as client:
        assert (await client.run("echo on")).stdout == "on\n"
    return told.exchange


def test_a_client_that_has_one_gets_it(ssh_gateway):
    assert asyncio.run(exchange(ssh_gateway)) == ML_KEM
    assert asyncio.run(exchange(ssh_gateway, kex_algs=[ML_KEM])) == ML_KEM


def test_a_client_that_has_none_gets_a_curve(ssh_gateway):
    assert asyncio.run(exchange(ssh_gateway, kex_algs=["curve25519-sha256"])) == "curve25519-sha256"


@pytest.mark.parametrize("name", ["diffie-hellman-group14-sha1", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"])
def test_a_client_that_has_no_sound_one_is_not_talked_to(ssh_gateway, name):
    with pytest.raises(asyncssh.KeyExchangeFailed):
        asyncio.run(exchange(ssh_gateway, kex_algs=[name]))
