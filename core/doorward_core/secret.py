"""A value that must not show itself: passwords, tokens, keys.

What it is: `Secret`, whose every form but one is blank.
What it will not do: keep the value out of memory, or travel.
"""


class Secret:
    """A value that must not show itself: its repr, its str and its format are blank.

    Read it with `reveal()`, in the one place that sends it to a target.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "…"

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled: a secret does not travel."""
        message = "a Secret is not to be serialised"
        raise TypeError(message)
