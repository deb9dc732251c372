"""The algorithms that are offered (threat model SSH-01, SSH-15)."""

import re

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs

from doorward_ssh import algorithms
from doorward_ssh.inside import available

WEAK = re.compile(r"sha1|cbc|rc4|3des|md5|^ssh-rsa$|ssh-dss|nistp.*kex|^ecdh-")


def test_nothing_weak_is_offered():
    lists = (algorithms.KEX_CLIENTS, algorithms.KEX_TARGETS, algorithms.CIPHERS, algorithms.CIPHERS_TARGETS)
    for name in (*algorithms.MACS, *algorithms.SIGNATURES, *(name for one in lists for name in one)):
        assert not WEAK.search(name), name


def test_clients_get_nothing_that_a_broken_handshake_weakens():
    assert all(name.endswith("-gcm@openssh.com") for name in algorithms.CIPHERS)


def test_everything_that_must_be_there_can_be_computed():
    kex = algorithms.known(algorithms.KEX_CLIENTS, available(get_kex_algs()))
    assert kex[0] == "mlkem768x25519-sha256"
    assert "curve25519-sha256" in kex
    assert set(algorithms.CIPHERS_TARGETS) <= available(get_encryption_algs())
    assert set(algorithms.MACS) <= available(get_mac_algs())
    assert set(algorithms.SIGNATURES) - {"rsa-sha2-256", "rsa-sha2-512"} <= available(get_public_key_algs())


def test_what_this_machine_cannot_compute_is_left_out_in_order():
    assert algorithms.known(("a", "b", "c"), frozenset({"c", "a"})) == ["a", "c"]
