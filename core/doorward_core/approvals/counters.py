"""How far the sign counters of passkeys have come, so that a copy of one is noticed (WebAuthn section 6.1.1).

It is a synchronous shell: the desk calls it from its worker thread. They lie in the approvals store's file, in a table
of their own; each row carries an HMAC under a key of the gateway, and one that was altered is an error.
It judges no counter (`webauthn.check_counter`).

Invariant: what it says is never lower than what it was told in this process, whatever becomes of the file; an older
copy of the whole file that is put in place at a restart is what it cannot see.
A crash before `keep` returned leaves the counter as it was: an assertion is good for one vote all the same.
"""

import hmac
import sqlite3
import threading
from pathlib import Path

from doorward_core.approvals.ballot import PasskeyProof, Proof
from doorward_core.approvals.webauthn import sign_counter
from doorward_core.errors import StoreError

BUSY_TIMEOUT_S = 5.0
_TABLE = """
CREATE TABLE IF NOT EXISTS passkey_counter (
  credential BLOB PRIMARY KEY,
  counter INTEGER NOT NULL,
  mac BLOB NOT NULL
) STRICT
"""


class SignCounters:
    """The counters, by credential id. Every method raises StoreError if the file cannot be used."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._key = hmac.digest(key, b"doorward-passkey-counters/1", "sha256")
        self._seen: dict[bytes, int] = {}
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_TABLE)
        except sqlite3.Error as error:
            raise StoreError(f"the passkey counters in {path} cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def last(self, credential: bytes) -> int:
        """How far a passkey's counter had come; 0 for one that was never seen, or keeps none."""
        with self._lock:
            try:
                query = "SELECT counter, mac FROM passkey_counter WHERE credential = ?"
                row = self._database.execute(query, (credential,)).fetchone()
            except sqlite3.Error as error:
                raise StoreError(f"the passkey counters cannot be read: {error}") from error
            if row is not None and not hmac.compare_digest(row[1], self._mac(credential, row[0])):
                raise StoreError("the passkey counters were altered")
            return max(self._seen.get(credential, 0), row[0] if row else 0)

    def keep(self, credential: bytes, counter: int) -> None:
        """Remember a counter that was verified; on stable storage once it returns."""
        if not counter:
            return
        with self._lock:
            try:
                self._database.execute(
                    "INSERT OR REPLACE INTO passkey_counter (credential, counter, mac) VALUES (?, ?, ?)",
                    (credential, counter, self._mac(credential, counter)),
                )
            except sqlite3.Error as error:
                raise StoreError(f"the passkey counters cannot be written: {error}") from error
            self._seen[credential] = max(counter, self._seen.get(credential, 0))

    def _mac(self, credential: bytes, counter: int) -> bytes:
        return hmac.digest(self._key, counter.to_bytes(8, "big") + credential, "sha256")


def last_counter(counters: SignCounters | None, proof: Proof | None) -> int:
    """How far the counter of a vote's passkey had come; 0 where none proves it. StoreError if it is kept nowhere."""
    if not isinstance(proof, PasskeyProof):
        return 0
    if counters is None:
        raise StoreError("there is nowhere to keep the counters of passkeys")
    return counters.last(proof.assertion.credential)


def keep_counter(counters: SignCounters | None, proof: Proof | None) -> None:
    """Remember the counter of a vote that counts, where a passkey proves it."""
    if isinstance(proof, PasskeyProof) and counters is not None:
        made = proof.assertion
        counters.keep(made.credential, sign_counter(made.authenticator_data))
