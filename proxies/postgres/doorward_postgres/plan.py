"""What a permitted message needs while the server answers it: how its results, errors and state are to be treated.

What it is: the narrow interface between the machine, which knows the order of messages, and `results`, which knows
what columns owe. The machine asks, `results` answers, and neither imports the other.
What it will not do: decide; a plan exists only because a Permit does.
"""

from collections.abc import Mapping
from typing import Protocol

from doorward_core.sql import analysis as sql
from doorward_postgres.wire_decode import CopyResponse, Field


class Masker(Protocol):
    """Masks one result. `clear` is True where nothing is owed, so that rows may pass untouched and in pieces."""

    @property
    def clear(self) -> bool:
        """Tell whether rows may pass untouched, and in pieces."""

    @property
    def width(self) -> int:
        """How many fields a DataRow must have to pass untouched; -1 where nothing hangs on it."""

    @property
    def masked(self) -> Mapping[str, int]:
        """Masked values by label, so far."""

    def frames(self, buffer: bytes, start: int, end: int) -> bytes:
        """Mask a run of whole DataRow (or CopyData) frames at `buffer[start:end]`; give the frames to send instead.

        Raises UpstreamProtocolError for a frame that is not what the description promised.
        """

    def finish(self) -> bytes:
        """End of the result: what was held back, as frames."""


class Plan(Protocol):
    """One permitted message: one statement, or the several of a simple Query."""

    @property
    def analyses(self) -> tuple[sql.StatementAnalysis, ...]:
        """The statements, in order."""

    @property
    def needs_fields(self) -> bool:
        """Tell whether rows may only pass when their RowDescription is known."""

    @property
    def copies_in(self) -> bool:
        """Tell whether the server may ask for COPY data."""

    def rows(self, index: int, fields: tuple[Field, ...] | None) -> Masker:
        """The masker for the result of statement `index`; it masks whole whatever is not proved to owe nothing."""

    def copy_out(self, index: int, response: CopyResponse) -> Masker:
        """The masker for COPY TO STDOUT of statement `index`."""

    def diagnostic(self, index: int, frame: bytes) -> bytes:
        """An ErrorResponse or NoticeResponse as the client may see it."""
