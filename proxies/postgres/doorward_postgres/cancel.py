"""Cancel keys: the gateway's own, so that the target's is never shown to a client.

What it is: random keys, one for each session in its query phase, and the look-up of a CancelRequest.
What it will not do: cancel anything itself; the session that a key names decides what that means just now.

Source: PostgreSQL protocol, "Canceling Requests in Progress", BackendKeyData (4 bytes in 3.0, up to 256 in 3.2).
CancelRequest comes in plaintext from libpq before 17, even to a TLS-only port, and is never answered.

Invariants: keys are compared in constant time; a request that matches nothing is dropped and counted.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

SHORT_KEY_BYTES: Final = 4
LONG_KEY_BYTES: Final = 32
PID_BITS: Final = 31  # libpq reads the process id as a signed 32-bit number

Cancel = Callable[[], Awaitable[None]]
"""Has a session cancel what it runs, and returns once the target was told: whoever asked for it is to wait for that."""


class CancelKeys:
    """The keys of the sessions of one process. `unmatched` counts requests that named nobody."""

    def __init__(self) -> None:
        self._sessions: dict[int, tuple[bytes, Cancel]] = {}
        self.unmatched = 0

    def issue(self, on_cancel: Cancel, *, long_key: bool) -> tuple[int, bytes]:
        """Make a process id and a key for a session."""
        key = secrets.token_bytes(LONG_KEY_BYTES if long_key else SHORT_KEY_BYTES)
        while True:
            pid = secrets.randbits(PID_BITS)
            if pid and pid not in self._sessions:
                break
        self._sessions[pid] = (key, on_cancel)
        return pid, key

    def revoke(self, pid: int) -> None:
        """The session has ended."""
        self._sessions.pop(pid, None)

    def request(self, pid: int, key: bytes) -> Cancel | None:
        """A CancelRequest arrived; give what the session that it names is to do, if there is one."""
        found = self._sessions.get(pid)
        # The comparison runs whether or not there is such a session: its time says nothing.
        same = hmac.compare_digest(found[0] if found else bytes(len(key)), key)
        if found is None or not same:
            self.unmatched += 1
            return None
        return found[1]
