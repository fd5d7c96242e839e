"""Traffic made by hand: rows say only what differs from a call of one second that succeeds and is heard."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sim.history.records import COLUMNS, Requests
from sim.history.traffic import CALL_COLUMNS, CAPACITY_COLUMNS, NO_SERVICE, CallEnd, Calls, Capacities, Traffic
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.measure.paths import Named
from sim.measure.recovery import RecoveryTerms
from sim.measure.traffic import EVERYTHING, TrafficMetrics, Window

S = 1_000_000_000
Row = Mapping[str, Any]


def ns(seconds: float) -> int:
    """Turn seconds into ns; `NEVER` stays."""
    return NEVER if seconds == NEVER else round(seconds * S)


def calls(*rows: Row) -> Calls:
    """Make calls of rows whose instants are seconds: `sent`, `arrived`, `began`, `ended`, `over`, `given_up`, `effect`.

    Unless a row says otherwise a call arrives and begins when it is sent, and is over when it has ended.
    """
    made: list[dict[str, Any]] = []
    for row in rows:
        sent = row["sent"]
        arrived = row.get("arrived", sent)
        began = row.get("began", arrived)
        ended = row.get("ended", arrived + 1)
        moments = {
            "sent": sent,
            "arrived": arrived,
            "began": began,
            "ended": ended,
            "over": row.get("over", ended),
            "given_up": row.get("given_up", NEVER),
            "effect": row.get("effect", NEVER),
            "slept": row.get("slept", NEVER),
        }
        made.append(
            {
                "replication": row.get("replication", 0),
                "request": row.get("request", 0),
                "service": row.get("service", NO_SERVICE),
                "caller": row.get("caller", NO_SERVICE),
                "number": row.get("number", 1),
                "end": CallEnd[row.get("end", "success")],
                **{f"{name}_ns": ns(at) for name, at in moments.items()},
            }
        )
    return Calls(*(np.array([row[name] for row in made], dtype) for name, dtype in CALL_COLUMNS.items()))


def requests(*rows: Row) -> Requests:
    """Make requests of rows whose instants are seconds: `submitted`, `settled`; numbered in their replications."""
    counts: dict[int, int] = {}
    made: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        replication = row.get("replication", 0)
        number = counts[replication] = counts.get(replication, -1) + 1
        settled = row.get("settled", NEVER)
        given = {
            "replication": replication,
            "number": number,
            "submitted_ns": ns(row["submitted"]),
            "settled_ns": ns(settled),
            "outcome": Outcome[row.get("outcome", "open" if settled == NEVER else "success")],
            "effects": row.get("effects", 0),
            "attempts": row.get("attempts", 1),
            "caller_class": row.get("caller_class", 0),
            "client": row.get("client", 0),
            "duplicates": [0] * len(Cause),
        }
        for name, of in COLUMNS.items():
            made[name].append(given.get(name, of.blank))
    return Requests(
        **{
            name: np.array(made[name], of.dtype).reshape(len(rows), *of.width)  # type: ignore[arg-type]
            for name, of in COLUMNS.items()
        }
    )


def traffic(made: Calls, *, observed: Sequence[float] = (10,), capacities: Sequence[Row] = ()) -> Traffic:
    """Make traffic of calls; `observed` has an end for each replication, `capacities` rows with `at` in seconds."""
    levels = [
        (row.get("replication", 0), row.get("service", 0), ns(row.get("at", 0)), row["servers"]) for row in capacities
    ]
    columns = zip(*levels, strict=True) if levels else ([],) * len(CAPACITY_COLUMNS)
    return Traffic(
        np.arange(len(observed), dtype=np.int32),
        np.array([ns(end) for end in observed], np.int64),
        made,
        Capacities(
            *(np.array(list(column), of) for column, of in zip(columns, CAPACITY_COLUMNS.values(), strict=True))
        ),
    )


def measured(
    asked: Requests,
    met: Traffic,
    named: Named = Named(),  # noqa: B008  # frozen
    *,
    window: tuple[float, float | None] | None = None,
    recovery: RecoveryTerms | None = None,
) -> TrafficMetrics:
    """Measure traffic; `window` is in seconds."""
    at = EVERYTHING if window is None else Window(ns(window[0]), None if window[1] is None else ns(window[1]))
    return TrafficMetrics(asked, met, named, window=at, recovery=recovery)
