"""Who is logged in: sessions, kept in this process's memory and nowhere else.

What it is: a bounded table from the digest of a random id, which a cookie carries, to a person and their tokens.
What it will not do: outlive the process, or list what it holds to anybody. A restart logs everybody out, which costs a
click while the identity provider remembers them; nothing that could be stolen lies on a disk.

Invariants: an id is made here at every login and never taken from a browser (session fixation); what is kept cannot be
turned back into an id; a session ends at its absolute limit, when it was idle for too long, or with its owner's logout.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from doorward_console.web.people import Person
from doorward_core.model import Secret

ID_BYTES = 32
MAX_SESSIONS = 4096
"""A desk of several hundred people, each in several browsers. The one that was idle longest makes room."""
MAX_EACH = 16
"""Of one person: more browsers than anybody has open; a script that logs in for ever pushes out its own only."""
_NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class WebSession:
    """One browser that has logged in. `csrf` goes into each of its forms; `lock` is held while tokens are renewed."""

    person: Person
    csrf: str
    opened_unix_ns: int
    seen_unix_ns: int
    refresh: Secret | None = None
    ended: trio.Event = field(default_factory=trio.Event)
    lock: trio.Lock = field(default_factory=trio.Lock)

    def accepts(self, given: str) -> bool:
        """Whether a form came from one of our pages in this session."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.csrf.encode("ascii"))


class Sessions:
    """All who are logged in. `idle_s` and `session_s` are the limits; `clock` gives nanoseconds since the epoch."""

    def __init__(self, *, idle_s: int, session_s: int, clock: Callable[[], int]) -> None:
        self._idle_ns = idle_s * _NS_PER_S
        self._session_ns = session_s * _NS_PER_S
        self._clock = clock
        self._kept: dict[bytes, WebSession] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, person: Person, refresh: Secret | None) -> str:
        """Begin a session and give its id, which is told to one browser and to nobody else."""
        now = self._clock()
        self._make_room(person, now)
        name = secrets.token_urlsafe(ID_BYTES)
        csrf = secrets.token_urlsafe(ID_BYTES)
        self._kept[_digest(name)] = WebSession(person, csrf, now, now, refresh)
        return name

    def find(self, name: str, *, seen: bool = True) -> WebSession | None:
        """The session of an id, if it still stands; it counts as seen now, unless a page asked by itself."""
        digest, now = _digest(name), self._clock()
        session = self._kept.get(digest)
        if session is None:
            return None
        if self._over(session, now):
            self._drop(digest)
            return None
        if seen:
            session.seen_unix_ns = now
        return session

    def close(self, name: str) -> None:
        """End a session; harmless where there is none."""
        self._drop(_digest(name))

    def _over(self, session: WebSession, now: int) -> bool:
        return now - session.seen_unix_ns >= self._idle_ns or now - session.opened_unix_ns >= self._session_ns

    def _make_room(self, person: Person, now: int) -> None:
        for digest in [digest for digest, session in self._kept.items() if self._over(session, now)]:
            self._drop(digest)
        who = (person.identity.issuer, person.identity.subject)
        own = [digest for digest, session in self._kept.items() if _who(session) == who]
        if len(own) >= MAX_EACH:
            self._drop(min(own, key=lambda digest: self._kept[digest].seen_unix_ns))
        if len(self._kept) >= MAX_SESSIONS:
            self._drop(min(self._kept, key=lambda digest: self._kept[digest].seen_unix_ns))

    def _drop(self, digest: bytes) -> None:
        session = self._kept.pop(digest, None)
        if session is not None:
            session.ended.set()


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()


def _who(session: WebSession) -> tuple[str, str]:
    return session.person.identity.issuer, session.person.identity.subject
