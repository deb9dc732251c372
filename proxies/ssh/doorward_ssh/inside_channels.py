"""asyncssh's channels, narrowed: what waits in them is bounded, and nothing is granted that nobody decided.

What it is: subclasses of asyncssh's channels, for the pinned version 2.24.1 alone; `inside` has the connections.
What it will not do: number channels, or know what passes through them.

Invariants (threat model SSH-04, SSH-08, SSH-09):
- What waits unread in a channel never exceeds its window: asyncssh gives the whole window back while bytes wait, so
  that a peer could send without end to somebody who reads slowly.
- It is bounded in objects too: a peer may send a window byte by byte; and nobody can have it sent to him so.
- Nothing of the client's reaches a session but what its owner let through: no agent, no X11, no unlisted variable.
"""

from collections.abc import Callable
from typing import Any, Final

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.constants import MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.packet import SSHPacket, UInt32

from doorward_core.shell.environment import harmless_variable
from doorward_ssh.operations import AGENT, X11

VARIABLES: Final = 64  # of one channel
PACKET_BYTES_LEAST: Final = 1024  # that a peer must take in one piece
SMALL_BYTES: Final = 16 * 1024  # what waits in pieces smaller than this is put together


class Bounded(SSHChannel[bytes]):
    """Any channel. `on_drained` is called when all that was written has been handed to the connection."""

    on_drained: Callable[[], None] | None = None

    def log_received_packet(self, pkttype: int, pktid: int | None, packet: Any, note: str = "") -> None:
        """Say nothing: what passes here is content."""

    def process_open(self, send_chan: int, send_window: int, send_pktsize: int, session: Any) -> None:
        """Open it for a peer."""
        _not_in_crumbs(send_pktsize)
        super().process_open(send_chan, send_window, send_pktsize, session)

    def process_open_confirmation(self, send_chan: int, send_window: int, send_pktsize: int, packet: SSHPacket) -> None:
        """A peer has opened it."""
        _not_in_crumbs(send_pktsize)
        super().process_open_confirmation(send_chan, send_window, send_pktsize, packet)

    def take(self, data: bytes) -> bool:
        """Take data that has arrived; False, and nothing taken, where asyncssh has something to say about it."""
        if self._recv_state != "open" or not data or len(data) > self._recv_window:
            return False
        self._accept_data(data)
        return True

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Send: what the peer has room for goes on as it is, the rest waits for it."""
        sent = 0
        if datatype is None and self._send_state == "open" and not self._send_buf:
            connection: Any = self._conn  # an `inside_packets.Lean`
            while sent < len(data):
                size = min(len(data) - sent, self._send_pktsize, self._send_window)
                piece = data if size == len(data) else memoryview(data)[sent : sent + size]
                if not size or not connection.send_data(self._send_chan, piece):
                    break
                sent += size
                self._send_window -= size
        if sent < len(data) or not data:
            super().write(data[sent:], datatype)

    def _accept_data(self, data: bytes, datatype: int | None = None) -> None:
        super()._accept_data(data, datatype)
        put_together(self._recv_buf)

    def _deliver_data(self, data: bytes, datatype: int | None) -> None:
        if self._recv_window < self._init_recv_window // 2:
            waiting = sum(len(piece) for piece, _ in self._recv_buf)
            more = self._init_recv_window - self._recv_window - waiting
            if more > self._init_recv_window // 2:
                self.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(more))
                self._recv_window += more
        session: Any = self._session  # each kind of session has a `data_received`, and their common base has not
        if session is not None:
            session.data_received(data, datatype)

    def _flush_send_buf(self) -> None:
        super()._flush_send_buf()
        if not self._send_buf and self.on_drained is not None:
            self.on_drained()


class ClientChannel(Bounded, asyncssh.SSHServerChannel[bytes]):
    """A session channel of a client."""

    refused_variables = 0
    _refused: frozenset[str] = frozenset()

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        try:
            harmless = harmless_variable(name.decode("ascii"), value.decode("ascii"))
        except UnicodeDecodeError:
            harmless = False
        # As OpenSSH does with what its AcceptEnv does not name: the request fails, and the session goes on.
        if not harmless or self._session_started or len(self._env) >= VARIABLES:
            self.refused_variables += 1
            return False
        self._env[name] = value
        return True

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        # asyncssh says no without a word, and asks nobody; here it is refused with words, and on record.
        command = packet.get_string()
        packet.check_end()
        text = command.decode("utf-8", "backslashreplace")
        session: Any = self._session
        if session is not None:
            session.not_text = text.encode("utf-8") != command
        return bool(self._start_session(command=text))

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        self._never(X11)
        return False

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> None:
        self._never(AGENT)
        self._loop.call_soon(self._report_response, False)

    def _never(self, kind: str) -> None:
        """Tell once that it was asked for."""
        session: Any = self._session  # a `ends.ClientEnd`, until the channel is gone
        if session is not None and kind not in self._refused:
            self._refused |= {kind}
            session.on_never(kind)

    def _process_pty_req_request(self, packet: SSHPacket) -> bool:
        return not self._session_started and bool(super()._process_pty_req_request(packet))


class TargetChannel(Bounded, asyncssh.SSHClientChannel[bytes]):
    """A session channel at a target."""


class TcpChannel(Bounded, asyncssh.SSHTCPChannel[bytes]):
    """A connection that is carried, of either leg."""


class UnixChannel(Bounded, asyncssh.SSHUNIXChannel[bytes]):
    """The same to a socket in the file system."""


def _not_in_crumbs(size: int) -> None:
    """RFC 4253 section 6.1 asks of everybody to take 32 KiB; who takes a few bytes only makes work for others."""
    if size < PACKET_BYTES_LEAST:
        raise asyncssh.ProtocolError("the largest packet of a channel is too small")


def put_together(waiting: list[tuple[bytes, Any]]) -> None:
    """Join the last two pieces that wait, where both are small."""
    if len(waiting) > 1:
        (first, kind), (second, other) = waiting[-2:]
        if kind == other and len(first) + len(second) <= SMALL_BYTES:
            waiting[-2:] = [(first + second, kind)]
