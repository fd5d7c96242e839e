"""The columns of all tables that results give: one list each, which CSV, Parquet and DataFrames share.

Rows of requests and calls are events, so their times are whole nanoseconds of simulated time, as `Requests` and `Calls`
have them, and end in `_ns`. Metrics are measured, so their times are milliseconds and end in `_ms`, as in
`summary.json`. Rates a second end in `_per_s`; shares and counts have no unit. What did not happen is missing.

Every table begins with the cell and what sets it apart:

    cell                         id of the cell
    name                         its name (in the table of cells alone)
    variant                      the name of its variant, if the scenario has variants
    KEY                          a column for each dotted key that sets cells apart (`action.outcomes.fail`), with the
                                 values as the file has them: numbers, yes and no, or else text; missing where a cell
                                 does not set the key

Then, a row a cell, a request, a call, or a bin of time.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from sim.history.records import COLUMNS as RECORDED
from sim.history.records import FLAT_COLUMNS
from sim.history.traffic import CALL_COLUMNS as RECORDED_CALLS
from sim.history.vocabulary import NEVER, Cause

TableName = Literal["requests", "calls", "timeline", "cells"]
TABLES: Final[tuple[TableName, ...]] = ("requests", "calls", "timeline", "cells")

Kind = Literal["whole", "instant", "word", "number"]
"""`whole`: a whole number; `instant`: ns, missing if it never came; `word`: one of a few, missing if there is none;
`number`: missing if it is not known."""


NO_CALLS: Final = "these results have no calls: they come from shared worlds (`world: shared`)"
NO_TIMELINE: Final = "these results have no timeline: write `timeline: {every: 1s}` into the scenario and run it again"


class NotKept(LookupError):
    """The results have no such table."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: Kind
    meaning: str
    recorded: str = ""
    """The column of `Requests` or `Calls` that it is made of."""


def _kind(name: str, *, is_word: bool, can_be_missing: bool) -> Kind:
    if is_word:
        return "word"
    return "instant" if name.endswith("_ns") and can_be_missing else "whole"


_OF_REQUESTS: Final = {
    "replication": "the replication of a shared world, from 0",
    "number": "its number in its replication, in an isolated world in the cell, from 0",
    "client": "the number of the client that asks, from 0",
    "caller_class": "the class of its caller; missing if the scenario has no classes",
    "submitted_ns": "when it was submitted",
    "first_effect_ns": "when its effect was done first",
    "settled_ns": "when its retrier concluded",
    "known_attempt_end_ns": "when the last attempt ended that had ended as it settled",
    "last_attempt_end_ns": "when its last attempt ended",
    "attempts": "attempts",
    "effects": "effects, the first included",
    "suppressed": "effects that the receiver recognized by their idempotency key",
    "polls": "executions of functions that poll",
    "conflicts": "mutations that were refused because of a conflict",
    "mutations": "mutations that committed",
    "actions": "action jobs that started",
    "action_ns": "time during which its action ran, so far if it has not ended",
    "outcome": "open, success, gave_up, canceled, stuck or runaway",
    "submissions": "how often its caller submitted it",
}
_WORDS_OF_REQUESTS: Final = {"outcome", "caller_class"}
RENAMED: Final = {"number": "request"}
"""Columns of `Requests` that have another name in tables, since rows of calls have numbers too."""
DUPLICATES: Final = tuple(f"duplicates_{cause.name}" for cause in Cause)

REQUESTS: Final = (
    *(
        Column(
            RENAMED.get(name, name),
            _kind(name, is_word=name in _WORDS_OF_REQUESTS, can_be_missing=RECORDED[name].blank == NEVER),
            _OF_REQUESTS[name],
            name,
        )
        for name in FLAT_COLUMNS
    ),
    *(
        Column(name, "whole", f"effects after the first, because of {cause.name}", "duplicates")
        for name, cause in zip(DUPLICATES, Cause, strict=True)
    ),
)
"""A row a request that counts."""

_OF_CALLS: Final = {
    "replication": "the replication, from 0",
    "request": "the request that leads to it, by its number in its replication",
    "service": "the service that is called; missing: the action itself",
    "caller": "the service whose work makes the call; missing: the retrier of the request",
    "number": "counts the calls of a request at one receiver, from 1",
    "sent_ns": "when it was sent",
    "arrived_ns": "when it reached the receiver",
    "began_ns": "when the work on it began",
    "ended_ns": "when the receiver was done with it",
    "over_ns": "when the answer reached its caller, or would have",
    "given_up_ns": "when its caller stopped waiting without an answer",
    "effect_ns": "when its effect was applied",
    "slept_ns": "how long its caller slept before it",
    "end": "how it went, a name of `sim.history.traffic.CallEnd`",
}
_WORDS_OF_CALLS: Final = {"service", "caller", "end"}

CALLS: Final = tuple(
    Column(
        name,
        _kind(name, is_word=name in _WORDS_OF_CALLS, can_be_missing=name != "sent_ns"),
        _OF_CALLS[name],
        name,
    )
    for name in RECORDED_CALLS
)
"""A row a call in a shared world, also of requests outside of the measuring window, in the order of sending."""

TIMELINE: Final = (
    Column("part", "word", "`world` for all of it, `service.NAME` or `class.NAME`"),
    Column("from_ns", "whole", "where the bin begins"),
    Column("to_ns", "whole", "where it ends"),
)
"""A row a bin of each part; behind these a column a quantity of `sim.measure.timeline` (`goodput_per_s`, `queue`), the
mean over replications, and `.low` and `.high`, its 95 % interval."""

CELLS: Final = (
    Column("requests", "whole", "how many requests count"),
    Column("replications", "whole", "how many replications they are of; 1 in an isolated world"),
)
"""A row a cell; behind these a column a metric (`time_to_effect.p99_ms`), and `.low` and `.high`, its 95 % interval. A
time that never comes is infinite; what is not known is missing. A largest value has no interval."""

TIDY: Final = (
    Column("metric", "word", "the path of the metric, such as `time_to_effect.p99`"),
    Column("value", "number", "the number; infinite if it never comes, missing if it is not known"),
    Column("low", "number", "where its 95 % interval begins"),
    Column("high", "number", "where it ends; infinite if it has no upper end"),
    Column("unit", "word", "of the three: `ms`, `1`, `1/s`, or a currency"),
    Column("reason", "word", "why there is no interval, if that does not follow from the number of requests"),
)
"""A row a metric of a cell, in `to_pandas(tidy=True)`."""
