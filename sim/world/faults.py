"""The options of faults, which strike the whole deployment: restarts, system errors, jobs that an operator cancels."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator
from typing_extensions import TypeAliasType

from sim.history.vocabulary import CONTINUES, Inflight
from sim.options.model import DurationNs, Options, Rate
from sim.options.share import Share
from sim.options.single_key import SingleKey

MOST_RESTARTS = 10_000
MOST_JOB_NAMES = 20


class Restart(Options):
    """The deployment dies with everything in memory and comes back with everything that was committed."""

    at: Annotated[tuple[DurationNs, ...], Field(strict=False, min_length=1, max_length=MOST_RESTARTS)] | None = Field(
        default=None, description="The instants of the restarts, ascending."
    )
    rate: Rate | None = Field(default=None, description="Or how often they come, as a Poisson process.")
    down: DurationNs = Field(default=0, description="How long nothing runs.")
    inflight: Inflight = Field(
        default=CONTINUES, description="Whether effects that were still ahead of running actions come all the same."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.at is None) == (self.rate is None):
            raise ValueError("give one of at and rate")
        if self.at is not None:
            _must_ascend(self.at)
        return self


class CancelJobs(Options):
    """An operator cancels all pending jobs of these functions, as the dashboard offers."""

    at: Annotated[tuple[DurationNs, ...], Field(strict=False, min_length=1, max_length=MOST_RESTARTS)] = Field(
        description="The instants, ascending; while the deployment is down the operator waits for it."
    )
    jobs: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...],
        Field(strict=False, min_length=1, max_length=MOST_JOB_NAMES),
    ] = Field(description="The names of the functions, such as `loop`: those that a retrier of the scenario schedules.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _must_ascend(self.at)
        if len(set(self.jobs)) < len(self.jobs):
            raise ValueError("the names of jobs must differ")
        return self


def _must_ascend(at: tuple[int, ...]) -> None:
    if any(later <= earlier for earlier, later in pairwise(at)):
        raise ValueError("the instants of at must ascend")


class SystemError(Options):  # noqa: A001  # the platform's own word
    """Executions end with an error that is not the function's own."""

    share: Share = Field(description="Share of the executions.")


Fault = TypeAliasType(
    "Fault",
    Annotated[
        Restart | SystemError | CancelJobs,
        SingleKey(
            "fault",
            "{restart: {at: [10s], down: 2s}}",
            {"restart": Restart, "system_error": SystemError, "cancel_jobs": CancelJobs},
        ),
    ],
)
"""One fault of a plan, written `restart: {...}`, `system_error: {...}` or `cancel_jobs: {...}`."""
