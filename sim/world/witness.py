"""What can look on while a world runs: the explorer of small worlds does.

A world is composed with one witness or with none. All its parts tell the same witness.
"""

from typing import Any, Protocol


class ServerDied(BaseException):
    """The server is gone, so nothing of the step under way goes on. No handler may catch it."""


class Witness(Protocol):
    """Hears of durable events inside a step, and of all that handlers and loops learn."""

    def durable(self) -> None:
        """Note a durable event of this step: a commit, a job's new state, an effect."""
        ...

    def before_durable(self) -> None:
        """Come to the next durable event of this step. Raises ServerDied if the server dies before it."""
        ...

    def learned(self, learner: object, what: str, value: Any) -> None:
        """Note what an execution's handler or a client's loop learns: these go on by nothing else."""
        ...
