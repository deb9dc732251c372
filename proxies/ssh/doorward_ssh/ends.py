"""The two channels of one session, the client's and the target's, and what stands between them.

What it is: `ClientEnd` and `TargetEnd`, which are asyncssh's session callbacks; `Ends`, which joins them; and `Relay`,
the interface of what sees every byte on its way (`channels` chooses one for each request).
What it will not do: wait, decide, or know what the bytes mean. All of this runs in callbacks of asyncio.

Invariants:
- Nothing of the client's reaches the target before there is a `Relay`, and there is one only under a Permit.
- Reading an end stops for as long as there is a reason to: the other does not read, or a relay holds it.
- The end of a stream goes after the last of its bytes; the exit status after both, when all of it has left.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import asyncssh

from doorward_core.shell.environment import harmless_variable
from doorward_ssh.inside_channels import ClientChannel
from doorward_ssh.operations import ChannelRequest, Kind, Pty
from doorward_ssh.sides import Side

STDERR: Final = asyncssh.EXTENDED_DATA_STDERR
STATUS_S: Final = 0.2  # how long the end of the output waits for the exit status
MODES: Final = range(1, 160)  # RFC 4254 section 8: opcodes that have an argument
# Why an end is not read.
DECIDING: Final = "deciding"
FULL: Final = "the other end is full"
WIRE: Final = "the other leg is full"
BUSY: Final = "the relay is busy"


class Relay(Protocol):
    """What stands between the two ends of one channel, and owns what is said in both directions.

    Its methods are callbacks of asyncio: they do not wait. What it has to say it says with `Ends.to_client`,
    `Ends.to_target`, `Ends.end_client` and `Ends.end_target`, then or later; to wait for the gate it starts a task with
    `Channel.start`, and stops reading an end meanwhile with `Side.stop`. An exception ends the connection.
    """

    def from_client(self, data: bytes) -> None:
        """The client sent this."""

    def from_target(self, data: bytes, *, stderr: bool) -> None:
        """The target sent this."""

    def client_ended(self) -> None:
        """The client will send no more."""

    def target_ended(self) -> None:
        """The target will send no more. May come twice: at the end of its output, and when its channel is gone."""

    @property
    def masked(self) -> Mapping[str, int]:
        """How many values it hid, by label."""

    @property
    def coverage(self) -> tuple[str, ...]:
        """What it could not see or mask, for the session's coverage statement."""


class Ends:
    """Both ends of one channel. `seen` is told what the client is sent; counts are of bytes on the wire."""

    def __init__(self, client: "ClientEnd") -> None:
        self.client = client
        self.target = TargetEnd(self)
        self.relay: Relay | None = None
        self.seen: Callable[[bytes, bool], None] | None = None
        self.bytes_up = 0
        self.bytes_down = 0
        self._ending: asyncio.TimerHandle | None = None

    def to_client(self, data: bytes, *, stderr: bool = False) -> None:
        """Send output; on a terminal there is only one kind."""
        channel = self.client.channel
        if not data or channel is None or channel.is_closing():
            return
        self.bytes_down += len(data)
        if self.seen is not None:
            self.seen(data, stderr)
        channel.write(data, STDERR if stderr else None)

    def to_target(self, data: bytes) -> None:
        """Send input."""
        channel = self.target.channel
        if not data or channel is None or channel.is_closing():
            return
        self.bytes_up += len(data)
        channel.write(data)

    def end_client(self) -> None:
        """No more output. The client hears of it together with the exit status, where that comes soon.

        A client that has said and heard everything closes the channel, and what comes after that is lost on it.
        """
        if self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(STATUS_S, self._end_client)

    def _end_client(self) -> None:
        if self.client.channel is not None:
            self.client.channel.write_eof()

    def leave_client_open(self) -> None:
        """The target's channel is gone: its status, or that it was lost, is still to be said; the end follows."""
        if self._ending is not None:
            self._ending.cancel()

    def finish_client(self) -> None:
        """All output has left: the end of it, how the target's session ended, and the end of the channel."""
        if self._ending is not None:
            self._ending.cancel()
        channel = self.client.channel
        if channel is None:
            return
        channel.write_eof()
        if self.target.signal is not None:
            channel.exit_with_signal(*self.target.signal)
        elif self.target.status is not None:
            channel.exit(self.target.status)
        else:
            channel.close()

    def end_target(self) -> None:
        """No more input."""
        if self.target.channel is not None:
            self.target.channel.write_eof()

    def begin(self, relay: Relay) -> None:
        """The target's session runs: let the client's bytes through, those first that came too early."""
        self.relay = relay
        self.client.release(relay)


class ClientEnd(asyncssh.SSHServerSession[bytes]):
    """A session channel of the client.

    `on_request` is called once, when it says what it is to be; `on_never` with what it asks for and never gets.
    """

    def __init__(
        self, on_request: Callable[["ClientEnd", ChannelRequest], None], on_never: Callable[[str], None]
    ) -> None:
        self.on_never = on_never
        self.not_text = False  # the command that was asked for is not UTF-8
        self.channel: ClientChannel | None = None
        self.side = Side()
        self.ends: Ends | None = None
        self.on_gone: list[Callable[[], None]] = []
        self.on_resize: Callable[[int, int], None] | None = None
        self._on_request = on_request
        self._pty: Pty | None = None
        self._kind: tuple[Kind, str] | None = None
        self._early: list[bytes] = []
        self._early_end = False

    # --- callbacks of asyncssh ---------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is open."""
        assert isinstance(chan, ClientChannel)
        self.channel = chan
        self.side.attach(chan)

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        for told in self.on_gone:
            told()

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        """Take note of the terminal; it is decided with what runs in it."""
        term = term_type if harmless_variable("TERM", term_type) else "dumb"  # some programs read a file of that name
        modes = tuple(sorted((mode, value) for mode, value in term_modes.items() if mode in MODES))
        self._pty = Pty(term, *term_size, modes=modes)
        return True

    def exec_requested(self, command: str) -> bool:
        """Take note; an empty command is a shell to every server."""
        self._kind = (Kind.EXEC, command) if command.strip() else (Kind.SHELL, "")
        return True

    def shell_requested(self) -> bool:
        """Take note."""
        self._kind = (Kind.SHELL, "")
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Take note."""
        self._kind = (Kind.SUBSYSTEM, subsystem)
        return True

    def session_started(self) -> None:
        """Ask for a decision; until there is one, nothing more is read."""
        assert self._kind is not None
        assert self.channel is not None
        kind, text = self._kind
        self.side.stop(DECIDING)
        variables = self.channel.get_environment()
        around = tuple(sorted(variables.items()))
        self._on_request(self, ChannelRequest(kind, text, self._pty, around, not_text=self.not_text))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Pass on; what comes before the decision waits, and nothing more is read."""
        if self.ends is not None and self.ends.relay is not None:
            self.ends.relay.from_client(data)
            return
        self._early.append(data)
        if self.channel is not None:
            self.channel.pause_reading()  # asyncssh begins to read as soon as it has said that the session starts

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open."""
        if self.ends is not None and self.ends.relay is not None:
            self.ends.relay.client_ended()
        else:
            self._early_end = True
        return True

    def pause_writing(self) -> None:
        """The client's window is full: the target is not read."""
        if self.ends is not None:
            self.ends.target.side.stop(FULL)

    def resume_writing(self) -> None:
        """There is room again."""
        if self.ends is not None:
            self.ends.target.side.go(FULL)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Pass on."""
        if self._pty is not None and self.ends is not None and self.ends.target.channel is not None:
            self.ends.target.channel.change_terminal_size(width, height, pixwidth, pixheight)
            if self.on_resize is not None:
                self.on_resize(width, height)

    def signal_received(self, signal: str) -> None:
        """Pass on, once something runs."""
        if self.ends is not None and self.ends.target.channel is not None and len(signal) <= 64:  # noqa: PLR2004 - RFC 4254: a name of a few letters
            self.ends.target.channel.send_signal(signal)

    def break_received(self, msec: int) -> bool:
        """Pass on, once something runs."""
        if self.ends is None or self.ends.target.channel is None:
            return False
        self.ends.target.channel.send_break(msec)
        return True

    # --- for the channel's own task ----------------------------------------------------------------------------------

    def release(self, relay: Relay) -> None:
        """Hand over what came too early, and read on."""
        early, self._early = self._early, []
        for data in early:
            relay.from_client(data)
        self.side.go(DECIDING)
        if self._early_end:
            self._early_end = False
            relay.client_ended()

    def say(self, words: str) -> None:
        """One line of the gateway's own: on stderr, or in the terminal where there is one."""
        if self.channel is None or self.channel.is_closing():
            return
        if self._pty is not None:
            self.channel.write(f"\r\n{words}\r\n".encode())
        else:
            self.channel.write(f"{words}\n".encode(), STDERR)


class TargetEnd(asyncssh.SSHClientSession[bytes]):
    """The session at the target."""

    def __init__(self, ends: Ends) -> None:
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.side = Side()
        self.status: int | None = None
        self.signal: tuple[str, bool, str, str] | None = None
        self.on_gone: Callable[[], None] | None = None
        self._ends = ends

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open."""
        self.channel = chan
        self.side.attach(chan)

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone, and all that it sent has been delivered."""
        if self._ends.relay is not None:
            self._ends.relay.target_ended()
        self._ends.leave_client_open()
        if self.on_gone is not None:
            self.on_gone()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Pass on."""
        assert self._ends.relay is not None
        self._ends.relay.from_target(data, stderr=datatype == STDERR)

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open."""
        assert self._ends.relay is not None
        self._ends.relay.target_ended()
        return True

    def exit_status_received(self, status: int) -> None:
        """Keep it until everything has been sent."""
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Keep it until everything has been sent."""
        self.signal = (signal, core_dumped, msg, lang)

    def pause_writing(self) -> None:
        """The target's window is full: the client is not read."""
        self._ends.client.side.stop(FULL)

    def resume_writing(self) -> None:
        """There is room again."""
        self._ends.client.side.go(FULL)
