"""An action and the host it runs in: here the world and the platform meet without knowing each other.

The world plays the user's action (`sim.world.action_model`). An execution of the deployment, or a client outside, hosts
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.request import Request
    from sim.history.vocabulary import End
    from sim.world.fate import Fate


class Host(Protocol):
    """What an attempt runs in: an action's execution in the deployment, or a client outside."""

    deadline_ns: int | None
    """The instant at which the attempt is cut off, or None."""
    strike: float | None
    """The share of its latency after which a system error kills the attempt, or None."""
    job_id: int
    """The job that runs it, or -1 for a client outside."""
    attempt: Any
    """The latest attempt made here."""

    @property
    def is_copy(self) -> bool:
        """Whether it is a further copy of a try, so that its caller waits for the attempt before as well."""
        ...

    @property
    def slept_ns(self) -> int:
        """How long its caller slept since the attempt before; `NEVER` for a first one, or if it does not sleep."""
        ...

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt."""
        ...

    def attempt_lost(self) -> None:
        """Lose contact with the running attempt."""
        ...


class External(Protocol):
    """An action that the world plays; it tells its host how each attempt ended."""

    def begin(self, host: Host, request: Request) -> None:
        """Start one attempt."""
        ...

    def cancel(self, attempt: Any) -> None:
        """Tell the receiver that its caller needs no answer: the work stops, an effect still ahead does not come.

        A service hears of it when the network has carried it there.
        """
        ...


class AtOnce(Protocol):
    """An action of which an attempt can take no time: a mutation's work, done in the mutation's own transaction."""

    def foresee(self, request: Request, now_ns: int) -> Fate:
        """Draw the fate of the next attempt of a request without starting it."""
        ...

    def happen(self, host: Host, request: Request, fate: Fate) -> None:
        """Make an attempt whose fate was foreseen, at once."""
        ...


class ByClass:
    """The action of several classes of callers: each request gets that of its class."""

    def __init__(self, models: Sequence[External]) -> None:
        """Take the models by class."""
        self._models = models

    def begin(self, host: Host, request: Request) -> None:
        """Start one attempt."""
        self._models[request.caller_class].begin(host, request)

    def foresee(self, request: Request, now_ns: int) -> Fate:
        """Draw the fate of the next attempt of a request without starting it."""
        model: AtOnce = self._models[request.caller_class]  # type: ignore[assignment]  # a service is refused before
        return model.foresee(request, now_ns)

    def happen(self, host: Host, request: Request, fate: Fate) -> None:
        """Make an attempt whose fate was foreseen, at once."""
        model: AtOnce = self._models[request.caller_class]  # type: ignore[assignment]  # as above
        model.happen(host, request, fate)

    def cancel(self, attempt: Any) -> None:
        """Tell the receiver that its caller needs no answer."""
        self._models[attempt.request.caller_class].cancel(attempt)
