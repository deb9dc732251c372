"""How much reading a message may cost: names that multiply are given up before they hold up everyone else.

A text of a kilobyte can nest recursive queries so that reading it takes for ever, whatever the server would do with it.
Steps are counted, not time, so that the same message always gets the same answer; threat model PG-09.
"""

# What one message may cost: each step is a query read, or sixteen row sources looked through for a name.
# A step took about 50 µs; a text that is long has a right to more of them.
FEWEST_STEPS = 5_000
CHARACTERS_PER_STEP = 8
# What one view's definition may cost: an owner's view is read once for a catalogue's lifetime.
VIEW_STEPS = 50_000


# More constants than this that one message holds against masked columns are a guess list, however they are spread over
# IN lists, branches of a UNION, and statements: policy counts a message's equalities as one.
MOST_EQUALITIES = 10


class TooIntricate(RecursionError):
    """The statement would take too long to read: nested names multiply."""


class Budget:
    """How many steps are left for a message."""

    __slots__ = ("_guesses", "_left")

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._guesses = MOST_EQUALITIES

    def spend(self, steps: int = 1) -> None:
        """Take steps; raises TooIntricate where none are left."""
        self._left -= steps
        if self._left < 0:
            raise TooIntricate

    def guess(self, constants: int) -> bool:
        """Take so many comparisons of a masked column with a constant; False once there were too many."""
        self._guesses -= constants
        return self._guesses >= 0


def message_budget(characters: int) -> Budget:
    """The budget of a message of this length."""
    return Budget(FEWEST_STEPS + characters // CHARACTERS_PER_STEP)
