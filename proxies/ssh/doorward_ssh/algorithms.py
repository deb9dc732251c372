"""Which algorithms the gateway speaks, to clients and to targets.

What it is: the lists that both legs offer, best first, as RFC 4253 section 7.1 has them.
What it will not do: negotiate (asyncssh does).

Invariants (threat model SSH-01, SSH-15): no SHA-1, no `ssh-rsa`, no CBC, no RC4, no NIST curve in a key exchange, no
compression. AES-GCM alone: it has an integrity check of its own, is not among what a broken hand-shake (CVE-2023-48795)
weakens, and is several times quicker here than a cipher with a separate MAC; and the client's order is what counts, so
that whatever else stood here would be chosen by most of them.
`strict kex` is asyncssh's own and cannot be switched off.
"""

from typing import Final

# Post-quantum first. sntrup761 takes part where the library that computes it (liboqs) is installed.
_HYBRID: Final = ("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com")
_CURVE: Final = ("curve25519-sha256", "curve25519-sha256@libssh.org")
KEX_CLIENTS: Final = (*_HYBRID, *_CURVE)
# Targets may be older than the clients that we let in: a large group with SHA-2 is still sound.
KEX_TARGETS: Final = (*_HYBRID, *_CURVE, "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256")

CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
CIPHERS_TARGETS: Final = (*CIPHERS, "aes256-ctr", "aes128-ctr")
# Not used with GCM; a list may not be empty.
MACS: Final = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")

# With which people's keys may sign, and targets' host keys: ECDSA because many have such a key.
SIGNATURES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


def known(wanted: tuple[str, ...], available: frozenset[str]) -> list[str]:
    """Those that this installation can compute, in our order."""
    return [name for name in wanted if name in available]
