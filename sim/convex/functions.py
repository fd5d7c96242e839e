"""Functions of a deployment, and how they fail.

A mutation's handler is a plain function of (context, arguments): it runs against one snapshot and waits for nothing.
An action's handler is a coroutine function of (context, arguments). The user's own action, which retriers retry, is an
*external* function: the world plays it (`sim.world.action_model`).

A handler raises `FunctionError` for an error of its own, as a Convex function throws. Any other exception counts as a
mistake in the handler and stops the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sim.history.vocabulary import FAILED
from sim.kernel.durations import format_duration, ms_of_ns
from sim.kernel.foreign import HOW_TO_WAIT, is_foreign

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.failure import Failure
    from sim.history.request import Request
    from sim.world.hosts import External

MUTATION: Final = "mutation"
ACTION: Final = "action"
FunctionKind = Literal["mutation", "action"]


class FunctionError(Exception):
    """A function of the deployment threw: an outcome of the model, not a mistake of it."""


class ActionFailed(FunctionError):
    """An action called by an action threw; its error has a `kind`, `final`, and `retry_after_ms` or None."""

    kind: str = FAILED
    """The answer, such as `failed`, `failed.NAME` or `rejected.queue`."""
    final: bool = False
    retry_after_ms: float | None = None

    @classmethod
    def of(cls, failure: Failure | None) -> ActionFailed:
        """Make the error of a failed attempt."""
        error = cls("the action failed")
        if failure is not None:
            error.kind = failure.kind
            error.final = failure.final
            error.retry_after_ms = None if failure.retry_after_ns < 0 else ms_of_ns(failure.retry_after_ns)
        return error


class ConflictsExhausted(FunctionError):
    """A mutation lost against other commits as often as its caller lets it run again."""


class SystemFailure(FunctionError):
    """The deployment failed, not the function."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the deployment; executions of a function with `poll` count as polls of their request."""

    name: str
    kind: FunctionKind
    handler: Callable[..., Any] | None = None
    external: External | None = None
    poll: bool = False


def mutation(name: str, handler: Callable[..., Any], *, poll: bool = False) -> Function:
    """Declare a mutation (or, called through `run_query`, a query): `handler(ctx, args)`."""
    return Function(name, MUTATION, handler, poll=poll)


def action(name: str, handler: Callable[..., Any]) -> Function:
    """Declare an action: `async def handler(ctx, args)`."""
    return Function(name, ACTION, handler)


def note_mistake(error: Exception, function: Function, request: Request, now_ns: int) -> None:
    """Add to a handler's exception where in the model it was raised, and its most frequent cause."""
    error.add_note(f"raised by '{function.name}' for request {request.number} at {format_duration(now_ns)}")
    if is_foreign(error):
        error.add_note(f"{HOW_TO_WAIT}.")
    if isinstance(error, AttributeError) and error.obj is None and error.name == "state":
        error.add_note(
            "ctx.get_job(...) returns None for a row that is gone: the platform collects the rows of jobs that have "
            "been over for its retention. Test for None before you read the state."
        )
