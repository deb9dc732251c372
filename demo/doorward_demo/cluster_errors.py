"""What the demonstration's API server says no with.

What it is: one exception, and the Status that it becomes.
Implements: `Status` of the Kubernetes API conventions.
"""

from typing import Any


class ApiError(Exception):
    """A request that is refused: HTTP status, reason (a word of the API's), and the words."""

    def __init__(self, code: int, reason: str, message: str, causes: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes

    def status(self) -> dict[str, Any]:
        """As the API says it."""
        details = {"details": {"causes": list(self.causes)}} if self.causes else {}
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, **details, "code": self.code,
        }  # fmt: skip
