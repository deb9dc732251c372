"""What a statement does to its session: a closed union that the tracker of session state must match whole.

Names are as the server stores them. Nothing here says that the statement succeeded: apply an effect when it has.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction block opens. `read_write` is None where the statement does not say."""

    read_write: bool | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """The block ends and keeps its work; `chain` opens the next at once."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """The block ends and loses its work; `chain` opens the next at once."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A savepoint is set."""

    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo:
    """Work since a savepoint is lost, the savepoint stays."""

    name: str


@dataclass(frozen=True, slots=True)
class Release:
    """A savepoint is forgotten."""

    name: str


@dataclass(frozen=True, slots=True)
class SetSetting:
    """A setting changes; `value` is None for its reset value.

    A list is one text of quoted parts (`doorward_core.sql.names.split_path` reads it back). `local` lasts for the
    transaction.
    """

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class ResetAll:
    """Every setting returns to its start-up value, but for those that RESET ALL leaves alone."""


@dataclass(frozen=True, slots=True)
class Discard:
    """DISCARD: `what` is ALL, PLANS, SEQUENCES or TEMP."""

    what: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """A name now stands for a statement; `text` is the whole PREPARE."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """A prepared name is gone; None for all of them."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor opens; `text` is the whole DECLARE. `hold` outlives the transaction."""

    cursor: str
    text: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """A cursor is closed; None for all of them."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Listen:
    """A channel is listened to."""

    channel: str


@dataclass(frozen=True, slots=True)
class Unlisten:
    """A channel is left; None for all of them."""

    channel: str | None


@dataclass(frozen=True, slots=True)
class MakeTemporary:
    """A temporary relation by this name now hides others."""

    name: str


@dataclass(frozen=True, slots=True)
class ChangeCatalog:
    """The catalogue is behind from here on: something was defined."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Code ran that was not seen through: any state of the session may have changed."""


SessionEffect: TypeAlias = (
    Begin | Commit | Rollback | Savepoint | RollbackTo | Release | SetSetting | ResetAll | Discard | Prepare
    | Deallocate | Declare | CloseCursor | Listen | Unlisten | MakeTemporary | ChangeCatalog | Opaque
)  # fmt: skip
