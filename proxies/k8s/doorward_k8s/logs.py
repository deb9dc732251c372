"""Logs of containers on their way to a client: masked line by line, and let go when their reader cannot wait.

What it will not do: hold more than a window, or know whether a log is followed.
Invariant: a line leaves when it is whole, when it is longer than a window, or when its reader has waited; never the
last of these where a mask is `strict`.
"""

from doorward_core.mask.detect import Detectors
from doorward_core.mask.stream import TextWindow
from doorward_core.terminal import CUT, FLUSH_S, TIMED


class LogText(TextWindow):
    """One log, as the content of a `Recoder`."""

    def __init__(self, detectors: Detectors, key: bytes, *, strict: bool = False) -> None:
        super().__init__(detectors, key)
        self._strict = strict

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to leave."""
        return FLUSH_S if self.holding and not self._strict else None

    @property
    def coverage(self) -> tuple[str, ...]:
        """What the masks could not promise here."""
        return (*((TIMED,) if self.flushes else ()), *((CUT,) if self.cuts else ()))
