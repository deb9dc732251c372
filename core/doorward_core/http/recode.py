"""One masked body from end to end: codings and charset undone, its content masked, and both put back.

It knows no content: what masks is handed in, and sees UTF-8.
Implements: RFC 9110 section 8.4 around whatever masks.

Invariants:

- The output, once decoded, does not depend on how the input was cut; a flush by timer is the exception, and told.
- A byte that was not masked leaves in the charset it came in, under the codings it came in.
- A body of no bytes stays one.
"""

from functools import lru_cache
from typing import Protocol, cast

from doorward_core.http.charsets import Charset
from doorward_core.http.codings import CodingLimits, Decoder, Encoder


class Content(Protocol):
    """What masks one kind of content. `masked` counts by label."""

    @property
    def masked(self) -> dict[str, int]:
        """How much was masked so far."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk of UTF-8, and give what may leave now."""
        ...

    def end(self) -> bytes:
        """The content is over: the rest."""
        ...


class Patient(Protocol):
    """Content that holds back what it has not seen the end of, and lets it go when its reader cannot wait."""

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to leave; None where nothing is, or where it has to stay."""
        ...

    @property
    def coverage(self) -> tuple[str, ...]:
        """What could not be promised because of it."""
        ...

    def flush(self) -> bytes:
        """What is held back, masked as far as it can be seen."""
        ...


@lru_cache(maxsize=64)
def _is_patient(kind: type) -> bool:
    """Whether content of this kind is `Patient`; kinds are few, and to look costs as much as to mask a short body."""
    return all(hasattr(kind, name) for name in ("coverage", "flush", "flush_after_s"))


class Recoder:
    """One body: `feed` and `end` as its content's, for bytes as they are on the wire."""

    def __init__(
        self, codings: tuple[str, ...], charset: Charset, content: Content, limits: CodingLimits | None = None
    ) -> None:
        self._decoder = Decoder(codings, self._take, limits)
        self._encoder = Encoder(codings)
        self._charset = charset
        self._content = content
        self._patient = cast("Patient", content) if _is_patient(type(content)) else None
        self._out: list[bytes] = []
        self._any = False
        self._coded = bool(codings)

    @property
    def masked(self) -> dict[str, int]:
        """How much was masked so far, by label."""
        return self._content.masked

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to leave; None where nothing is, or where it has to stay."""
        return None if self._patient is None else self._patient.flush_after_s

    @property
    def coverage(self) -> tuple[str, ...]:
        """What could not be promised."""
        return () if self._patient is None else self._patient.coverage

    def flush(self) -> bytes:
        """Let what is held back leave."""
        if self._patient is not None:
            self._give(self._charset.encode(self._patient.flush()))
        return self._given()

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now. Raise UnreadableBody for what cannot be masked."""
        self._any = self._any or bool(chunk)
        self._decoder.feed(chunk)
        return self._given()

    def end(self) -> bytes:
        """The body is over: the rest. Raise UnreadableBody where it ends within something."""
        if not self._any:
            return b""
        self._decoder.end()
        last = self._charset.decode(b"", final=True)
        shown = (self._content.feed(last) if last else b"") + self._content.end()
        self._give(self._charset.encode(shown, final=True))
        return self._given() + self._encoder.end()

    def _take(self, piece: bytes) -> None:
        """A decoded piece: it is masked and coded again at once, so that a body that unfolds is never held whole."""
        text = self._charset.decode(piece)
        if text:
            self._give(self._charset.encode(self._content.feed(text)))

    def _give(self, shown: bytes) -> None:
        if shown:
            self._out.append(self._encoder.feed(shown))

    def _given(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)
