"""The ssh-agent, asked directly: put a certificate with its key in, see what is there, take one out.

It implements as much of draft-ietf-sshm-ssh-agent as that needs: messages 11, 18 and 25, and their answers.
ssh-add would do the same, from a file with the private key in it; this way there is none.
It runs once and blocks; each answer is bounded in time and size.
"""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

TIMEOUT_S = 30.0
"""An agent may ask its owner before it answers."""
MAX_ANSWER_BYTES = 256 * 1024
"""OpenSSH's own bound for a message."""

_SUCCESS = 6
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_REMOVE_IDENTITY = 18
_ADD_ID_CONSTRAINED = 25
_CONSTRAIN_LIFETIME = 1


class NoAgent(Exception):
    """There is no agent, or it will not; the message says why."""


@dataclass(frozen=True, slots=True)
class Held:
    """One key or certificate in the agent: its public bytes, and the words beside it."""

    blob: bytes
    comment: str


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """An Ed25519 certificate with its key; `seed` is the private half (32 bytes)."""

    blob: bytes
    public: bytes
    seed: bytes = field(repr=False)
    comment: str
    lifetime_s: int


class Agent:
    """The agent of SSH_AUTH_SOCK. Use it as a context."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path if path is not None else os.environ.get("SSH_AUTH_SOCK", "")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)

    def __enter__(self) -> Self:
        if not self._path:
            self._socket.close()
            raise NoAgent(
                'there is no ssh-agent (SSH_AUTH_SOCK is not set): eval "$(ssh-agent)" starts one; or use --out'
            )
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise NoAgent(f"the ssh-agent at {self._path} cannot be reached: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def add(self, new: NewCertificate) -> None:
        """Put a certificate in; the agent forgets it by itself after its lifetime."""
        body = b"".join(
            (
                _string(b"ssh-ed25519-cert-v01@openssh.com"),
                _string(new.blob),
                _string(new.public),
                _string(new.seed + new.public),
                _string(new.comment.encode()),
                struct.pack(">BI", _CONSTRAIN_LIFETIME, new.lifetime_s),
            )
        )
        if self._ask(_ADD_ID_CONSTRAINED, body)[0] != _SUCCESS:
            raise NoAgent("the ssh-agent did not take the certificate (is it locked, or does it take no lifetimes?)")

    def held(self) -> tuple[Held, ...]:
        """What is in it."""
        kind, body = self._ask(_REQUEST_IDENTITIES, b"")
        if kind != _IDENTITIES_ANSWER:
            raise NoAgent("the ssh-agent does not say what it holds")
        try:
            return tuple(_identities(body))
        except (struct.error, ValueError) as error:
            raise NoAgent("the ssh-agent's answer cannot be read") from error

    def remove(self, blob: bytes) -> None:
        """Take one out; that it is not there any more is as good."""
        self._ask(_REMOVE_IDENTITY, _string(blob))

    def _ask(self, kind: int, body: bytes) -> tuple[int, bytes]:
        try:
            self._socket.sendall(struct.pack(">IB", len(body) + 1, kind) + body)
            (length,) = struct.unpack(">I", self._read(4))
            if not 1 <= length <= MAX_ANSWER_BYTES:
                raise NoAgent("the ssh-agent's answer has no sensible length")
            answer = self._read(length)
        except OSError as error:
            raise NoAgent(f"the ssh-agent does not answer: {error.strerror or error}") from error
        return answer[0], answer[1:]

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                raise NoAgent("the ssh-agent hung up")
            data += piece
        return bytes(data)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _identities(body: bytes) -> Iterator[Held]:
    (count,) = struct.unpack_from(">I", body)
    place = 4
    for _ in range(count):
        blob, place = _take(body, place)
        comment, place = _take(body, place)
        yield Held(blob, comment.decode("utf-8", "replace"))


def _take(body: bytes, place: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">I", body, place)
    end = place + 4 + length
    if end > len(body):
        raise ValueError("cut short")
    return body[place + 4 : end], end
