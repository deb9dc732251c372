"""What a statement's handler hands back besides its notes, and what it may know of the session.

These are plain values between the modules of this room; `doorward_core.sql.analyze` makes the answer of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from doorward_core.sql.analysis import CopyInfo
from doorward_core.sql.session import SessionEffect
from doorward_core.sql.work import Shape, Work


@dataclass(frozen=True, slots=True)
class Found:
    """The result's columns (None where it has none), the effect on the session, and how it was seen through."""

    shape: Shape | None = None
    effect: SessionEffect | None = None
    copy: CopyInfo | None = None
    inner: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """The session's prepared statements and cursors, how deep we already are in them, and this statement's text."""

    prepared: Mapping[str, str]
    cursors: Mapping[str, str]
    text: str
    depth: int
    dispatch: "Callable[[str, Message, Work, Names], Found]"
