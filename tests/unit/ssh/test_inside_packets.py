"""The quick way of data through asyncssh's packets, for the version that is pinned."""

import asyncssh
import pytest
from asyncssh import channel, connection, encryption
from asyncssh.constants import MSG_CHANNEL_DATA
from asyncssh.logging import logger
from asyncssh.packet import Boolean, String, UInt32
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_ssh import inside_packets
from doorward_ssh.inside_channels import Bounded
from doorward_ssh.inside_packets import Gcm, Lean

KEY, NONCE = bytes(range(16)), bytes(range(200, 212))


def theirs():
    return encryption.get_encryption(b"aes128-gcm@openssh.com", KEY, NONCE)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (
            connection.SSHConnection,
            [
                "send_newkeys",
                "send_packet",
                "_send",
                "_force_close",
                "_recv_data",
                "_recv_pkthdr",
                "_recv_packet",
                "_reset_keepalive_timer",
            ],
        ),
        (channel.SSHChannel, ["_accept_data", "process_open", "process_open_confirmation", "write"]),
    ],
)
def test_what_is_narrowed_is_still_there(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


def test_asyncssh_s_own_cipher_is_the_one_that_is_taken_over():
    assert type(theirs()) is encryption.GCMEncryption
    assert type(inside_packets._ready(theirs())) is Gcm
    other = encryption.get_encryption(b"aes128-ctr", KEY, bytes(16), b"hmac-sha2-256", bytes(32))
    assert inside_packets._ready(other) is other
    assert inside_packets._ready(None) is None


def test_what_one_cipher_seals_the_other_opens_packet_by_packet():
    here, there = theirs(), theirs()
    packets = [bytes([count]) * (16 * count) for count in range(1, 6)]
    for count, plain in enumerate(packets):
        if count == 2:
            here = Gcm(here)  # takes over between two packets
        if count == 3:
            there = Gcm(there)
        header = UInt32(len(plain))
        sealed, mac = here.encrypt_packet(count, header, plain)
        wire = sealed + mac
        assert wire[:4] == header
        assert there.decrypt_packet(count, wire[:16], wire[16:-16], 4, wire[-16:]) == plain


@pytest.mark.parametrize("at", [0, 3, 4, 20, -1])
def test_a_packet_that_was_changed_is_not_opened(at):
    header, plain = UInt32(32), bytes(32)
    wire = bytearray(b"".join(Gcm(theirs()).encrypt_packet(0, header, plain)))
    wire[at] ^= 1
    with pytest.raises(asyncssh.MACError):
        Gcm(theirs()).open(memoryview(wire)[:4], memoryview(wire)[4:])


def test_a_packet_that_is_open_is_opened_once():
    cipher = Gcm(theirs())
    cipher.opened = b"plain"
    assert cipher.decrypt_packet(0, b"x" * 16, b"", 4, bytes(16)) == b"plain"
    with pytest.raises(asyncssh.MACError):
        cipher.decrypt_packet(0, b"x" * 16, b"", 4, bytes(16))


# --- two connections without their transports ----------------------------------------------------------------------


class Wire:
    """What one of the two writes to."""

    def __init__(self):
        self.sent = []

    def write(self, data):
        self.sent.append(data)


class Loop:
    """Runs what is due when it is told to."""

    def __init__(self):
        self.due = []

    def call_soon(self, call, *arguments):
        self.due.append((call, arguments))

    def time(self):
        return 0.0

    def run(self):
        while self.due:
            call, arguments = self.due.pop(0)
            call(*arguments)


class Channel(Bounded):
    """One that only takes what comes."""

    def __init__(self, window=1 << 30):
        self._recv_state = "open"
        self._send_state = "open"
        self._recv_window = self._init_recv_window = window
        self._recv_paused = True
        self._recv_buf = []
        self._logger = logger

    def got(self):
        return b"".join(data for data, _ in self._recv_buf)


class Bare(Lean):
    """A connection in the state that a transfer is in, without what led to it."""

    def __init__(self, quick=True):
        self._loop, self._transport = Loop(), Wire()
        self._together, self._together_bytes, self._sending, self._padding, self._heard = [], 0, False, b"", 0.0
        cipher = Gcm if quick else lambda of: of
        self._send_encryption, self._recv_encryption = cipher(theirs()), cipher(theirs())
        self._send_enchdrlen, self._send_blocksize = 1, 16
        self._recv_blocksize, self._recv_macsize, self._max_recv_pktlen = 16, 16, 40_000
        self._send_seq = self._recv_seq = 0xFFFFFFFE  # it turns over soon
        self._compressor = self._decompressor = self._kex = self._auth = None
        self._auth_complete = self._kex_complete = self._strict_kex = self._compress_after_auth = True
        self._auth_final = self._decompress_after_auth = False
        self._rekey_bytes, self._rekey_bytes_sent, self._rekey_seconds, self._rekey_time = 1 << 40, 0, 0, float("inf")
        self._inpbuf, self._packet, self._pktlen = b"", b"", 0
        self._recv_handler = self._recv_pkthdr
        self._channels = {7: Channel()}
        self.failed = None

    def wire(self):
        self._loop.run()
        return b"".join(self._transport.sent)

    def internal_error(self, exc_info=None, error_logger=None):
        raise AssertionError

    def _send_disconnect(self, code, reason, lang):
        self.failed = reason

    def _force_close(self, exc):
        self._transport = None

    def _reset_keepalive_timer(self):
        pass


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 200), max_size=30),
    ways=st.tuples(st.booleans(), st.booleans()),
)
def test_data_comes_through_whole_however_the_wire_cuts_it_and_whoever_is_at_the_other_end(pieces, cuts, ways):
    near, far = Bare(quick=ways[0]), Bare(quick=ways[1])
    for piece in pieces:
        if not near.send_data(7, piece):
            near.send_packet(MSG_CHANNEL_DATA, UInt32(7), String(piece))
    wire = near.wire()
    while wire:
        cut = cuts.pop() if cuts else len(wire)
        far.data_received(wire[:cut])
        wire = wire[cut:]
    assert far.failed is None
    assert far._channels[7].got() == b"".join(pieces)
    assert far._recv_seq == near._send_seq == (0xFFFFFFFE + len(pieces)) & 0xFFFFFFFF
    assert far._inpbuf == b""


def test_the_lengths_and_the_padding_are_those_of_the_standard():
    near = Bare()
    far = theirs()
    for size in range(1, 70):
        assert near.send_data(7, bytes(size))
        wire = near.wire()
        near._transport.sent.clear()
        length = int.from_bytes(wire[:4], "big")
        assert length % 16 == 0
        assert len(wire) == 4 + length + 16
        plain = far.decrypt_packet(0, wire[:16], wire[16:-16], 4, wire[-16:])
        assert 4 <= plain[0] <= 19
        assert plain[1 : -plain[0]] == bytes([MSG_CHANNEL_DATA]) + UInt32(7) + String(bytes(size))
    assert near._rekey_bytes_sent == sum(
        10 + size + next(p for p in range(4, 20) if (10 + size + p) % 16 == 0) for size in range(1, 70)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_auth_complete", False),
        ("_kex_complete", False),
        ("_compressor", object()),
        ("_rekey_bytes", 0),
        ("_rekey_time", 0.0),
        ("_send_encryption", theirs()),
        ("_send_encryption", None),
    ],
)
def test_in_any_other_state_asyncssh_sends(name, value):
    near = Bare()
    setattr(near, name, value)
    assert not near.send_data(7, b"data")
    assert near.wire() == b""


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (UInt32(8) + String(b"data"), "Invalid channel number"),
        (UInt32(7) + UInt32(5) + b"data", "Incomplete packet"),
        (UInt32(7) + UInt32(3) + b"data", "Unexpected data"),
        (UInt32(7) + String(bytes(65)), "Window exceeded"),
        (b"\0\0", "Incomplete channel request"),
    ],
)
def test_data_that_is_not_plainly_right_is_asyncssh_s_to_refuse(payload, words):
    near, far = Bare(), Bare()
    far._channels = {7: Channel(window=64)}
    near.send_packet(MSG_CHANNEL_DATA, payload)
    far.data_received(near.wire())
    assert words in far.failed
    assert far._channels[7].got() == b""


def test_before_a_login_no_data_is_taken():
    near, far = Bare(), Bare()
    far._auth_complete = False
    near.send_packet(MSG_CHANNEL_DATA, UInt32(7), String(b"data"))
    far.data_received(near.wire())
    assert far._channels[7].got() == b""
    assert "before authentication" in far.failed


def test_what_follows_a_fault_is_not_looked_at():
    near, far = Bare(), Bare()
    near.send_packet(MSG_CHANNEL_DATA, UInt32(8), String(b"nobody's"))
    near.send_data(7, b"data")
    far.data_received(near.wire())
    assert far._channels[7].got() == b""


def test_what_is_said_in_one_step_is_sent_together_and_before_the_end():
    near = Bare()
    near.send_data(7, b"one")
    near.send_packet(MSG_CHANNEL_DATA, UInt32(7), String(b"two"))
    assert near._transport.sent == []
    wire = near._transport
    near._loop.run()
    assert len(wire.sent) == 1
    near.send_data(7, b"three")
    near._send_together()
    near._force_close(None)
    near._loop.run()
    assert len(wire.sent) == 2


def test_what_waits_to_be_sent_is_bounded():
    near = Bare()
    for _ in range(5):
        near.send_data(7, bytes(32_768))
    assert len(near._transport.sent) == 1
    assert near._together_bytes < inside_packets.TOGETHER_BYTES


def test_a_packet_that_says_nothing_is_not_sent():
    near = Bare()
    near.send_packet(inside_packets.MSG_IGNORE, String(b""))
    near.send_packet(MSG_CHANNEL_DATA, UInt32(7), String(b"x"), Boolean(False))
    assert near._send_seq == 0xFFFFFFFF
