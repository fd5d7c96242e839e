"""The options of a pool and of the works that are put into it, as a scenario gives them.

Upstream checks little: it takes numbers with which the pool stops, or makes other attempts than it seems. What a
scenario refuses is told with what upstream does instead.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from sim.kernel.durations import NS_PER_MS, format_duration
from sim.options.model import DurationNs, Options
from sim.retriers.backoff import power
from sim.retriers.ports.workpool.config import MAX_POSSIBLE_PARALLELISM
from sim.retriers.ports.workpool.lib import INLINE_METADATA_THRESHOLD, MAX_DOC_SIZE
from sim.retriers.ports.workpool.shared import LARGEST_SEGMENT, SEGMENT_NS

FunctionType = Literal["action", "mutation", "query"]
Kind = Literal["success", "failed", "canceled"]
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
WORDS_OF_ON_COMPLETE: Final = {"runs": "ok", "throws": "throw", "counts": "counts", "none": "none"}
MOST_JITTER: Final = 1.5


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and (isinstance(value, int) or isfinite(value))
    )


def _parallelism(value: Any) -> Any:
    """Refuse a number of slots with what upstream does about it."""
    if not _is_number(value):
        return value
    if value > MAX_POSSIBLE_PARALLELISM:
        raise ValueError(
            f"at most {MAX_POSSIBLE_PARALLELISM}: upstream throws at every enqueue, so that no work comes into the pool"
        )
    if value < 0:
        raise ValueError("at least 0: upstream throws at every enqueue, so that no work comes into the pool")
    if value != int(value):
        raise ValueError(
            "a whole number: upstream takes the work, but then every run of its loop throws, for ever; the monitor "
            "starts the loop again each time two minutes later"
        )
    return value


def _attempts(value: Any) -> Any:
    """Refuse a number of attempts with what upstream does about it."""
    if not _is_number(value):
        return value
    if value < 1:
        raise ValueError(
            "at least 1, the first attempt: upstream takes 0 and less for no retry, as it takes 1; write 1 for that"
        )
    if value != int(value):
        raise ValueError(f"a whole number: upstream goes on while there were fewer, so it makes {int(value) + 1}")
    return value


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a pool's name has up to 64 letters, digits, '_' and '-', and starts with a letter")
    return name


def _base(value: Any) -> Any:
    """Refuse a base with what upstream does about it."""
    if not _is_number(value):
        return value
    if value < 0:
        raise ValueError(
            "at least 1: upstream takes it; every other retry is then due in the past and comes at once, but if that "
            "is more than 15 s ago the loop does not see it, and the work waits until something else needs recovery"
        )
    if value < 1:
        raise ValueError("at least 1: upstream takes it, and each retry then comes sooner than the one before")
    return value


def _not_negative(what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str) and value.strip().startswith("-"):
            raise ValueError(f"a duration cannot be negative; upstream takes it, and {what}")
        return value

    return BeforeValidator(check)


def _size(what: str) -> Any:
    def check(value: Any) -> Any:
        if _is_number(value) and value > MAX_DOC_SIZE:
            raise ValueError(f"at most {MAX_DOC_SIZE:,} bytes: upstream throws at every enqueue with larger {what}")
        return value

    return BeforeValidator(check)


class WorkpoolOptions(Options):
    """The options of `new Workpool(...)` and of an enqueue, with upstream's defaults for `retry: true`."""

    pool: Annotated[
        str,
        Field(
            json_schema_extra={"pattern": f"^{NAME.pattern}$", "maxLength": 64},
            description="The pool's name: classes whose retriers name the same pool share its slots.",
        ),
        AfterValidator(_name),
    ] = "workpool"
    max_parallelism: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_POSSIBLE_PARALLELISM,
            description="Slots: works that the pool runs at the same time, at most. With 0 it runs none, and notices "
            "no end of a running one either.",
        ),
        BeforeValidator(_parallelism),
    ] = 10
    function: Annotated[FunctionType, Field(description="What the work is; mutations and queries take no time.")] = (
        "action"
    )
    attempts: Annotated[
        int,
        Field(ge=1, le=10_000, description="Attempts of a work, the first one included; only actions are retried."),
        BeforeValidator(_attempts),
    ] = 5
    initial_backoff: Annotated[
        DurationNs,
        Field(description="Backoff after the first failure."),
        _not_negative(
            "retries at once, unless that is more than 15 s ago: the loop does not see such a start, and the work "
            "waits until something else needs recovery"
        ),
    ] = 250 * NS_PER_MS
    base: Annotated[
        float, Field(ge=1, le=1000, description="Base of the exponential backoff."), BeforeValidator(_base)
    ] = 2.0
    run_after: Annotated[
        DurationNs,
        Field(description="Delay before the first attempt."),
        _not_negative("starts the work at once"),
    ] = 0
    on_complete: Annotated[
        Literal["runs", "throws", "counts", "none"],
        Field(
            description="The caller's onComplete: it runs, it throws, or it adds one to a document that all works "
            "share; `none`: the caller has none."
        ),
    ] = "runs"
    on_complete_excludes: Annotated[
        tuple[Kind, ...],
        Field(strict=False, max_length=3, description="Results for which onComplete is not called."),
    ] = ()
    args_size: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_DOC_SIZE,
            description=f"Bytes of a work's arguments; from {INLINE_METADATA_THRESHOLD} on they have a document of "
            "their own.",
        ),
        _size("arguments"),
    ] = 100
    context_size: Annotated[
        int,
        Field(ge=0, le=MAX_DOC_SIZE, description="Bytes of the context that onComplete is given."),
        _size("contexts"),
    ] = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.on_complete_excludes)) < len(self.on_complete_excludes):
            raise ValueError("on_complete_excludes names a result twice")
        longest_ns = self.initial_backoff * power(self.base, max(self.attempts - 2, 0)) * MOST_JITTER
        if longest_ns / SEGMENT_NS >= LARGEST_SEGMENT:
            raise ValueError(
                f"the backoff before attempt {self.attempts} ends in no segment that 64 bits can hold "
                f"({format_duration(self.initial_backoff)} * {self.base:g}^{self.attempts - 2}): upstream's loop "
                "throws at it, again after every restart by the monitor, and the whole pool stands still"
            )
        return self

    @model_serializer(mode="wrap")
    def _unsaid_slots(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the slots if they were not written: a client that names them sets them at every enqueue."""
        said = "max_parallelism" in self.model_fields_set
        return {name: value for name, value in handler(self).items() if said or name != "max_parallelism"}

    def upstream(self) -> dict[str, Any]:
        """Return the options as upstream names them, delays in ms."""
        behavior = {
            "maxAttempts": self.attempts,
            "initialBackoffMs": self.initial_backoff / NS_PER_MS,
            "base": self.base,
        }
        return {
            # A client that names no number leaves what `config.update` has set.
            "maxParallelism": self.max_parallelism if "max_parallelism" in self.model_fields_set else None,
            "retry": behavior if self.function == "action" and self.attempts > 1 else False,
            "runAfter": self.run_after / NS_PER_MS,
            "fnType": self.function,
            "onComplete": WORDS_OF_ON_COMPLETE[self.on_complete],
            "onCompleteExcludeKinds": self.on_complete_excludes,
            "fnArgsSize": self.args_size,
            "contextSize": self.context_size,
        }
