"""The options of a pool and of the works that are put into it, as a scenario gives them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sim.kernel.durations import NS_PER_MS
from sim.options.model import DurationNs, Options
from sim.retriers.ports.workpool.config import MAX_POSSIBLE_PARALLELISM


class WorkpoolOptions(Options):
    """The options of `new Workpool(...)` and of `enqueueAction`, with upstream's defaults for `retry: true`."""

    max_parallelism: Annotated[
        int,
        Field(ge=0, le=MAX_POSSIBLE_PARALLELISM, description="Works that the pool runs at the same time, at most."),
    ] = 10
    attempts: Annotated[int, Field(ge=1, le=10_000, description="Attempts of a work, the first one included.")] = 5
    initial_backoff: Annotated[DurationNs, Field(ge=NS_PER_MS, description="Backoff after the first failure.")] = (
        250 * NS_PER_MS
    )
    base: Annotated[float, Field(ge=1, le=1000, description="Base of the exponential backoff.")] = 2.0
    run_after: Annotated[DurationNs, Field(description="Delay before the first attempt.")] = 0
    function: Annotated[
        Literal["action", "mutation", "query"], Field(description="What kind of function the work is.")
    ] = "action"
    on_complete: Annotated[
        Literal["runs", "throws", "counts", "none"],
        Field(
            description="The caller's onComplete: it runs, it throws, or it adds one to a document that all works "
            "share; `none`: the caller has none."
        ),
    ] = "runs"
    pool: Annotated[
        str,
        Field(
            pattern="^[A-Za-z][A-Za-z0-9_-]{0,63}$",
            description="The pool's name: retriers that name the same pool share its slots.",
        ),
    ] = "workpool"

    def upstream(self) -> dict[str, Any]:
        """Return the options as upstream names them, delays in ms."""
        behavior = {
            "maxAttempts": self.attempts,
            "initialBackoffMs": self.initial_backoff / NS_PER_MS,
            "base": self.base,
        }
        return {
            "maxParallelism": self.max_parallelism,
            "retry": behavior if self.function == "action" and self.attempts > 1 else False,
            "runAfter": self.run_after / NS_PER_MS,
            "fnType": self.function,
            "onComplete": {"runs": "ok", "throws": "throw"}.get(self.on_complete, self.on_complete),
        }
