"""asyncssh's packets, at less cost: what a transfer consists of is neither copied nor looked at more than it must be.

What it is: `Lean`, which both legs are; the quick way of the one message that carries bytes, MSG_CHANNEL_DATA under
AES-GCM; and `Gcm`, asyncssh's cipher with its state kept ready. For the pinned version 2.24.1 alone
(tests/unit/ssh/test_inside_packets.py fails where a name that is used here has gone).
What it will not do: anything else of SSH. Every other message, every other cipher, every message that is not plainly
right, and every time that keys are about to be exchanged, goes asyncssh's own way, which has the words for faults.

Source: RFC 4253 section 6, RFC 5647 (AES-GCM in SSH).

Invariants:
- A packet is taken once, in its order, and counted as asyncssh counts; so is what is sent, and no nonce is used twice.
- What waits to be sent together is bounded, and leaves before a connection is closed.
"""

import asyncio
import os
import time
from contextlib import suppress
from struct import Struct
from typing import Any, Final

import asyncssh
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.encryption import Encryption, GCMEncryption
from asyncssh.packet import SSHPacketLogger
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_ssh.inside_channels import Bounded

TOGETHER_BYTES: Final = 128 * 1024  # sent by one call of the kernel; more would only wait for its own end
_LENGTH_BYTES: Final = 4  # of a packet's length (RFC 4253 section 6), which AES-GCM leaves plain
_TAG_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_HEAD: Final = Struct(">BBII")  # padding, message, channel, bytes of data: what stands before the data of a packet
_PADDING_BYTES: Final = 4096  # drawn at a time; a packet takes 4 to 19
_SEQUENCE: Final = 0xFFFFFFFF
_COUNT: Final = (1 << 64) - 1


class _Silent(SSHPacketLogger):
    """Writes no packet into a log: the record is elsewhere, and what passes here is content."""

    def log_sent_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""

    def log_received_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing."""


_SILENT: Final = _Silent()


class Gcm(GCMEncryption):
    """AES-GCM of one direction, taking over from asyncssh's own: the same key, and the nonce that comes next."""

    def __init__(self, of: GCMEncryption) -> None:
        cipher = of._cipher  # noqa: SLF001 - its state is what is taken over
        super().__init__(cipher)
        nonce = cipher._iv  # noqa: SLF001 - the same
        self._aead = AESGCM(cipher._key)  # noqa: SLF001 - the same
        self._fixed = nonce[:4]
        self._count = int.from_bytes(nonce[4:], "big")
        self.opened: bytes | None = None  # a packet that is open already, when asyncssh is given it

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._count.to_bytes(8, "big")
        self._count = (self._count + 1) & _COUNT
        return nonce

    def seal(self, header: bytes, plain: bytes) -> bytes:
        """Encrypt a packet; its tag is at the end."""
        return self._aead.encrypt(self._nonce(), plain, header)

    def open(self, header: memoryview, sealed: memoryview) -> bytes:
        """Decrypt a packet with its tag. Raises asyncssh.MACError."""
        try:
            return self._aead.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            raise asyncssh.MACError("MAC verification failed") from None

    def encrypt_packet(self, seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        """Encrypt, as asyncssh asks."""
        return header, self.seal(header, packet)

    def decrypt_packet(self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes) -> bytes:
        """Decrypt, as asyncssh asks."""
        opened, self.opened = self.opened, None
        if opened is not None:
            return opened
        return self.open(memoryview(first[:header_len]), memoryview(first[header_len:] + rest + mac))


class Lean(SSHConnection):
    """Both legs: no packets in logs, none that says nothing, and each of data by the quick way.

    asyncssh sends an MSG_IGNORE before each packet, against an attack on ciphers that chain blocks across packets
    (RFC 4251 section 9.3.1). None that we offer does, and it doubles the work of a transfer.
    """

    log_sent_packet = _SILENT.log_sent_packet
    log_received_packet = _SILENT.log_received_packet

    def __init__(self, loop: asyncio.AbstractEventLoop, *arguments: Any, **how: Any) -> None:
        self._together: list[bytes] = []
        self._together_bytes = 0
        self._sending = False  # `_send_together` is due
        self._padding = b""
        self._heard = 0.0
        super().__init__(loop, *arguments, **how)

    def send_newkeys(self, k: bytes, h: bytes) -> None:
        """Take new keys into use; AES-GCM with its state kept ready."""
        super().send_newkeys(k, h)
        self._send_encryption = _ready(self._send_encryption)
        self._next_recv_encryption = _ready(self._next_recv_encryption)

    # --- what is sent ------------------------------------------------------------------------------------------------

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        """Send a packet that says something."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=_SILENT)

    def send_data(self, number: int, data: bytes | memoryview) -> bool:
        """Send data of a channel, numbered as the peer does; False where asyncssh must do it.

        That is in every state but the one that a transfer is in: logged in, under AES-GCM, no exchange of keys due.
        """
        gcm = self._send_encryption
        if (
            not isinstance(gcm, Gcm)
            or self._compressor
            or not (self._auth_complete and self._kex_complete)
            or self._rekey_bytes_sent >= self._rekey_bytes
            or time.monotonic() >= self._rekey_time
        ):
            return False
        size = _HEAD.size + len(data)
        padding = -size % _BLOCK_BYTES
        if padding < 4:  # noqa: PLR2004 - RFC 4253 section 6
            padding += _BLOCK_BYTES
        header = (size + padding).to_bytes(_LENGTH_BYTES, "big")
        plain = b"".join((_HEAD.pack(padding, MSG_CHANNEL_DATA, number, len(data)), data, self._some_padding(padding)))
        self._put(header, gcm.seal(header, plain))
        self._send_seq = (self._send_seq + 1) & _SEQUENCE
        self._rekey_bytes_sent += size + padding
        return True

    def _some_padding(self, size: int) -> bytes:
        if len(self._padding) < size:
            self._padding = os.urandom(_PADDING_BYTES)
        some, self._padding = self._padding[:size], self._padding[size:]
        return some

    def _send(self, data: bytes) -> None:
        self._put(data)

    def _put(self, *pieces: bytes) -> None:
        """Have something sent with whatever else is said in this step of the loop."""
        if self._transport is None:
            return
        self._together += pieces
        self._together_bytes += sum(map(len, pieces))
        if self._together_bytes >= TOGETHER_BYTES:
            self._send_together()
        elif not self._sending:
            self._sending = True
            self._loop.call_soon(self._send_due)

    def _send_due(self) -> None:
        self._sending = False
        self._send_together()

    def _send_together(self) -> None:
        pieces, self._together, self._together_bytes = self._together, [], 0
        if pieces and self._transport is not None:
            with suppress(ConnectionError):  # as asyncssh has it: the transport tells its end by itself
                self._transport.write(b"".join(pieces))

    def _force_close(self, exc: Exception | None) -> None:
        self._send_together()
        super()._force_close(exc)

    # --- what has arrived --------------------------------------------------------------------------------------------

    def _recv_pkthdr(self) -> bool:
        """Take all packets that are there. asyncssh calls this between two packets, and raises what it raises."""
        received, at = self._inpbuf, 0
        view = memoryview(received)
        while len(received) - at >= _LENGTH_BYTES and self._transport is not None:
            gcm = self._recv_encryption
            length = int.from_bytes(view[at : at + _LENGTH_BYTES], "big")
            if not isinstance(gcm, Gcm) or self._decompressor or length > self._max_recv_pktlen:
                self._inpbuf = received[at:]
                return super()._recv_pkthdr()
            end = at + _LENGTH_BYTES + length + _TAG_BYTES
            if end > len(received):
                break
            plain = gcm.open(view[at : at + _LENGTH_BYTES], view[at + _LENGTH_BYTES : end])
            begin, at = at, end
            if not self._took(plain) and not self._given(gcm, plain, received[begin:end], length):
                break
        self._inpbuf = received[at:]
        return False

    def _took(self, plain: bytes) -> bool:
        """Give a channel its data, if that is what a packet is, and all that it is."""
        if not self._auth_complete or len(plain) < _HEAD.size:
            return False
        padding, kind, number, size = _HEAD.unpack_from(plain)
        end = _HEAD.size + size
        if kind != MSG_CHANNEL_DATA or end + padding != len(plain):
            return False
        channel = self._channels.get(number)
        if not isinstance(channel, Bounded) or not channel.take(plain[_HEAD.size : end]):
            return False
        self._recv_seq = (self._recv_seq + 1) & _SEQUENCE
        self._auth_final = True
        return True

    def _given(self, gcm: Gcm, plain: bytes, packet: bytes, length: int) -> bool:
        """Give asyncssh one packet, as if it had just read its length; False while it is being worked on."""
        gcm.opened = plain
        self._packet, self._pktlen = packet[: self._recv_blocksize], length
        self._inpbuf = packet[self._recv_blocksize :]
        return self._recv_packet()

    def _reset_keepalive_timer(self) -> None:
        now = self._loop.time()
        if now - self._heard > 1:  # a timer for each packet is what asyncssh would make
            self._heard = now
            super()._reset_keepalive_timer()


def _ready(encryption: Encryption | None) -> Encryption | None:
    return Gcm(encryption) if type(encryption) is GCMEncryption else encryption
