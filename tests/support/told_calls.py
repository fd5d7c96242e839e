"""A guest's `call` whose answers are told beforehand, for transports without a simulation."""

from typing import Any

from sim.clients.failures import CallFailed, CallTimedOut


def failure(kind: str = "failed", retry_after_ms: float | None = None) -> CallFailed:
    """Return what a call raises that ends as this answer."""
    error = CallTimedOut() if kind == "timed_out" else CallFailed()
    error.kind, error.retry_after_ms = kind, retry_after_ms
    return error


class ToldCall:
    """A `call` that ends as it is told: None for success, the name of an answer, or an error. Then it succeeds."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self.timeouts: list[float | None] = []
        self._answers = list(answers)

    def __call__(self, timeout: float | None = None) -> int:
        self.timeouts.append(timeout)
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            return len(self.timeouts)
        raise failure(answer) if isinstance(answer, str) else answer

    @property
    def calls(self) -> int:
        return len(self.timeouts)


class ToldLater(ToldCall):
    """The same for asynchronous guests."""

    def __call__(self, timeout: float | None = None) -> Any:
        async def called() -> int:
            return ToldCall.__call__(self, timeout)

        return called()
