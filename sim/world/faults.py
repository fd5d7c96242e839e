"""The options of faults, which strike the whole deployment: restarts, system errors, and what operators do.

An operator acts at given instants: on scheduled functions, as in the dashboard of Convex, or on a pool.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import TypeAliasType

from sim.history.vocabulary import CONTINUES, Inflight
from sim.options.model import DurationNs, Options, Rate
from sim.options.share import Share
from sim.options.single_key import SingleKey

MOST_RESTARTS = 10_000
MOST_FUNCTIONS = 100
LONGEST_NAME = 100
MOST_SLOTS: Final = 200
"""Upstream throws for more."""


def _limit(value: object) -> object:
    """Refuse a size of pages with what upstream does about it."""
    if isinstance(value, int | float) and value < 1:
        what = "cancels nothing and throws" if value == 0 else "throws"
        raise ValueError(f"at least 1: upstream {what}")
    return value


def _slots(value: object) -> object:
    """Refuse a number of slots with what upstream does about it."""
    if isinstance(value, int | float) and not 0 <= value <= MOST_SLOTS:
        raise ValueError(f"from 0 to {MOST_SLOTS}: upstream throws, and the pool keeps the slots that it has")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("a whole number: upstream takes it, but then every run of the pool's loop throws, for ever")
    return value


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
        if self.at is not None and any(later <= earlier for earlier, later in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("the instants of at must ascend")
        return self


class SystemError(Options):  # noqa: A001  # the platform's own word
    """Executions end with an error that is not the function's own."""

    share: Share = Field(description="Share of the executions.")


class Operator(Options):
    """Something that an operator does at given instants."""

    at: Annotated[tuple[DurationNs, ...], Field(strict=False, min_length=1, max_length=MOST_RESTARTS)] = Field(
        description="The instants, ascending."
    )

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("the instants of at must ascend")
        return self


class CancelJobs(Operator):
    """An operator cancels all scheduled functions of these names that have not ended."""

    functions: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)], ...],
        Field(strict=False, min_length=1, max_length=MOST_FUNCTIONS),
    ] = Field(description="The names of the functions, such as [loop, monitor].")


class OfPool(Operator):
    """Something that is done to one pool."""

    pool: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = Field(
        default=None, description="The name of the pool; needed if there are several."
    )


class CancelAll(OfPool):
    """All works of a pool are canceled, a page at a time: `cancelAll`."""

    limit: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_limit)] | None = Field(
        default=None,
        description="Works of a page, 64 by default. With 1 it schedules itself again until its last work is gone.",
    )


class SetParallelism(OfPool):
    """The pool's slots become more or fewer: `config.update`.

    A client that names a number of its own sets it again with its next enqueue.
    """

    slots: Annotated[int, Field(ge=0, le=MOST_SLOTS), BeforeValidator(_slots)] = Field(
        description="The new max parallelism."
    )


class ForceKick(OfPool):
    """The pool's loop is stopped and started again: `forceKick`."""


MEMBERS: Final[Mapping[str, type[Options]]] = {
    "restart": Restart,
    "system_error": SystemError,
    "cancel_jobs": CancelJobs,
    "cancel_all": CancelAll,
    "set_parallelism": SetParallelism,
    "force_kick": ForceKick,
}

Fault = TypeAliasType(
    "Fault",
    Annotated[
        Restart | SystemError | CancelJobs | CancelAll | SetParallelism | ForceKick,
        SingleKey("fault", "{restart: {at: [10s], down: 2s}}", MEMBERS),
    ],
)
"""One fault of a plan, written under its name in `MEMBERS`, such as `restart: {...}`."""


def name_of(fault: Options) -> str:
    """Return the name under which a fault is written."""
    return next(name for name, member in MEMBERS.items() if type(fault) is member)
