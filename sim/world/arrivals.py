"""When the requests of a shared world are submitted: the kinds of arrivals, and their times.

Open arrivals come whatever happens: their times are known before the world begins. Closed ones are the clients' own:
each asks again some time after the end of its last request, so `sim.engine.asking` makes them as the world runs.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypeAliasType

from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S, RATE_PATTERN, RUNAWAY_NS, format_duration, format_rate, parse_rate
from sim.laws.columns import Column
from sim.laws.distributions import Law, exponential_ns
from sim.options.model import DurationNs, Options, Rate, is_of_file
from sim.options.single_key import SingleKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sim.kernel.choices import Choices
    from sim.laws.elementary import Floats

REQUESTS_MAX = 1_000_000_000
MOST_RATES = 10_000
DEVIATIONS = 10.0
"""A schedule has room for this many standard deviations more requests than it has on average."""
ROOM = 100
"""And for this many besides, since few requests do not follow the normal law."""


class AtOnce(Options):
    """All requests are submitted at 0."""


class Poisson(Options):
    """Independent callers: the gaps between submissions, the one before the first included, are exponential."""

    rate: Rate = Field(description="Submissions on average.")


class Steady(Options):
    """A request every 1/rate, the first at 0."""

    rate: Rate = Field(description="Submissions.")


class Recorded(Column):
    """Submission times from a column of a file, in any order; of too many the earliest count.

    Numbers count from the start of the world. Dates, and numbers that are times since 1970, count from the first.
    """

    OF_INSTANTS = True


_NO_RATE = re.compile(r"0+(\.0+)?/(s|m|h)")


def _rate_or_none(value: object, info: ValidationInfo) -> float:
    if isinstance(value, str) and _NO_RATE.fullmatch(value.strip()):
        return 0.0
    if isinstance(value, float) and is_of_file(info.context):
        value = None  # in a file a number without a unit is no rate
    return 0.0 if value == 0.0 and isinstance(value, float) else parse_rate(value)


RateOrNone = Annotated[
    float,
    BeforeValidator(_rate_or_none),
    PlainSerializer(lambda rate: format_rate(rate) if rate else "0/s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN}),
]
"""A rate, or `0/s`: nothing comes."""


class RateFrom(Options):
    """The rate of arrivals from an instant on, up to the next entry of the schedule."""

    from_ns: DurationNs = Field(alias="from", description="From when on the rate holds.")
    rate: RateOrNone = Field(description="Submissions on average from then on; `none`: none come.")
    ramp: bool = Field(default=False, description="Whether the rate goes to that of the next entry in a straight line.")


def _in_order(entries: tuple[RateFrom, ...]) -> tuple[RateFrom, ...]:
    if not entries:
        raise ValueError("a schedule has at least one entry, such as {from: 0s, rate: 40/s}")
    for number, (entry, later) in enumerate(pairwise(entries)):
        if later.from_ns <= entry.from_ns:
            starts, before = format_duration(later.from_ns), format_duration(entry.from_ns)
            raise ValueError(
                f"entry {number + 1} starts at {starts}, but entry {number} before it at {before}: `from` must ascend"
            )
    if entries and entries[-1].ramp:
        raise ValueError("the last entry cannot be a ramp: there is no next rate to which it could go")
    if not any(entry.rate for entry in entries):
        raise ValueError("every rate is 0, so no request ever comes")
    return entries


class Schedule(Options):
    """Independent callers, at a rate that changes: a Poisson process in pieces; before the first entry nothing comes.

    Its times are those of a Poisson process of rate 1, inverted through the integral of the rate (Cinlar, "Introduction
    to Stochastic Processes", 4.7): the sums of exponential gaps, drawn from stream `arrival` by the request's number.
    """

    entries: Annotated[tuple[RateFrom, ...], Field(strict=False, max_length=MOST_RATES), AfterValidator(_in_order)]


class Bursts(Options):
    """Many requests at a time, again and again: the first burst is at 0."""

    every: Annotated[DurationNs, Field(gt=0)] = Field(description="Time from one burst to the next.")
    size: int = Field(ge=1, le=REQUESTS_MAX, description="Requests of one burst.")
    spread: Law | None = Field(
        default=None, description="How long after its burst a request comes; at once unless stated."
    )


def _has_mean(law: Any) -> Any:
    if law is not None and not law.mean_ns < math.inf:
        raise ValueError("its mean is infinite, so a client might never ask again")
    return law


PauseLaw = Annotated[Law | None, AfterValidator(_has_mean)]


class Closed(Options):
    """Each client asks, waits for the end of its request, and asks again: there is one request a client at a time.

    Clients wait before their first request too, as the machines of the machine-repair model work before their first
    failure: a draw of `think`, or of `pace` since time 0.
    """

    think: PauseLaw = Field(default=None, description="From the end of a request to the client's next.")
    pace: PauseLaw = Field(
        default=None,
        description="From the start of a request to the client's next, which comes at once if that is past.",
    )

    @model_validator(mode="after")
    def _one_pause(self) -> Self:
        if (self.think is None) == (self.pace is None):
            raise ValueError("give one of think and pace: the pause after an end, or the time from start to start")
        return self


Arrivals = TypeAliasType(
    "Arrivals",
    Annotated[
        AtOnce | Poisson | Steady | Recorded | Schedule | Bursts | Closed,
        SingleKey(
            "kind of arrivals",
            "{poisson: {rate: 50/s}}",
            {
                "at_once": AtOnce,
                "poisson": Poisson,
                "constant": Steady,
                "file": Recorded,
                "schedule": Schedule,
                "bursts": Bursts,
                "closed": Closed,
            },
            scalars={"schedule": "entries"},
            bare=("at_once",),
        ),
    ],
)
"""When the requests of a shared world are submitted, written as one key and its options, or just `at_once`."""


class Intensity:
    """The expected number of requests of a schedule by an instant, and its inverse."""

    def __init__(self, schedule: Schedule) -> None:
        entries = schedule.entries
        self.starts_ns = np.array([float(entry.from_ns) for entry in entries])
        self.rates = np.array([entry.rate / NS_PER_S for entry in entries])
        """Requests per ns, at the start of each piece."""
        lengths_ns, before, after = np.diff(self.starts_ns), self.rates[:-1], self.rates[1:]
        ramps = np.array([entry.ramp for entry in entries[:-1]], np.bool_)
        self.slopes = np.append(np.where(ramps, (after - before) / lengths_ns, 0.0), 0.0)
        self.masses = np.append(0.0, np.cumsum(np.where(ramps, (before + after) / 2, before) * lengths_ns))
        """Expected requests before each piece."""

    def mean_before(self, at_ns: float) -> float:
        """Return the expected number of requests before an instant, which may be infinite."""
        piece = int(np.searchsorted(self.starts_ns, at_ns, side="right")) - 1
        if piece < 0:
            return 0.0
        rate, slope = float(self.rates[piece]), float(self.slopes[piece])
        if not rate and not slope:
            return float(self.masses[piece])
        since_ns = at_ns - float(self.starts_ns[piece])
        return float(self.masses[piece]) + since_ns * rate + (slope * since_ns * since_ns / 2 if slope else 0.0)

    def instants_ns(self, masses: Floats) -> Floats:
        """Return the instants before which so many requests are expected, shape (n,); infinity if none is."""
        piece = np.searchsorted(self.masses, masses, side="right") - 1
        left, rate, slope = masses - self.masses[piece], self.rates[piece], self.slopes[piece]
        # The root of slope / 2 * t^2 + rate * t = left that does not cancel, whatever the sign of the slope.
        root = np.sqrt(np.maximum(rate * rate + 2.0 * slope * left, 0.0))
        below = np.where(slope == 0.0, rate, (rate + root) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            since_ns = np.where(left == 0.0, 0.0, left / below)
        since_ns = np.where((rate == 0.0) & (slope == 0.0), np.inf, since_ns)
        return self.starts_ns[piece] + since_ns


def most_before(arrivals: Arrivals | None, until_ns: int | None) -> int | None:
    """Return a number of requests that arrivals do not exceed before an instant (None: ever), or None if there is none.

    Exact for bursts. A schedule exceeds it with a probability below 1e-20.
    """
    match arrivals:
        case Bursts(every=every_ns, size=size) if until_ns is not None:
            return size * -(-until_ns // every_ns)
        case Schedule():
            mean = Intensity(arrivals).mean_before(math.inf if until_ns is None else float(until_ns))
            if mean < math.inf:
                return math.ceil(mean + DEVIATIONS * math.sqrt(mean)) + ROOM if mean else 0
    return None


def open_times_ns(  # noqa: PLR0911  # a case each
    arrivals: Arrivals | None, count: int, choices: Choices, until_ns: int | None = None
) -> list[int]:
    """Return the submission times in ns, ascending: `count`, or fewer if no more come; none of closed arrivals.

    Of schedules and bursts only those before `until_ns`. Numbers come by the request's number: gaps from stream
    `arrival`, the spread of bursts from stream `burst`. Raises ValueError if the last request comes later than
    `RUNAWAY_NS`, and if a file of arrivals has too few values.
    """
    match arrivals:
        case Poisson(rate=rate):
            gaps_ns = np.rint(exponential_ns(_uniforms(choices, "arrival", count), NS_PER_S / rate))
            if gaps_ns.sum() > RUNAWAY_NS:
                raise ValueError("at this rate the last request arrives too late to be simulated")
            times_ns: list[int] = np.cumsum(gaps_ns.astype(np.int64)).tolist()
            return times_ns
        case Steady(rate=rate):
            even_ns: list[int] = np.rint(np.arange(count) * float(NS_PER_S) / rate).astype(np.int64).tolist()
            return even_ns
        case Recorded():
            if len(arrivals.values_ns) < count:
                raise ValueError(f"{arrivals.file} has {len(arrivals.values_ns)} arrivals for {count} requests")
            return list(arrivals.values_ns[:count])
        case Schedule():
            masses = np.cumsum(exponential_ns(_uniforms(choices, "arrival", count), 1.0))
            exact_ns = np.maximum.accumulate(np.rint(Intensity(arrivals).instants_ns(masses)))
            return _before(exact_ns[exact_ns < math.inf], until_ns)
        case Bursts():
            return _before(_burst_times_ns(arrivals, count, choices), until_ns)
        case Closed():
            return []
        case _:
            return [0] * count


def _before(times_ns: NDArray[Any], until_ns: int | None) -> list[int]:
    kept = times_ns if until_ns is None else times_ns[times_ns < until_ns]
    if len(kept) and kept[-1] > RUNAWAY_NS:
        raise ValueError("the last request arrives too late to be simulated")
    found: list[int] = kept.astype(np.int64).tolist()
    return found


def _burst_times_ns(bursts: Bursts, count: int, choices: Choices) -> NDArray[np.int64]:
    """Return the first `count` times of all bursts: one of a later burst may come before one of an earlier."""

    def first(number_of_bursts: int) -> NDArray[np.int64]:
        drawn = number_of_bursts * bursts.size
        times_ns = np.repeat(np.arange(number_of_bursts, dtype=np.int64) * bursts.every, bursts.size)
        if bursts.spread is not None:
            times_ns = times_ns + bursts.spread.sample_ns(_uniforms(choices, "burst", drawn))
        return np.sort(times_ns)[:count]

    needed = -(-count // bursts.size)
    times_ns = first(needed)
    while bursts.spread is not None and needed * bursts.every < times_ns[-1]:
        needed *= 2  # with more bursts the last of the first `count` can only come sooner, so this ends
        times_ns = first(needed)
    return times_ns


def _uniforms(choices: Choices, stream: str, count: int) -> Floats:
    if isinstance(choices, Draws):
        return choices.uniforms(stream, np.arange(count, dtype=np.int64))
    return np.array([choices.uniform(stream, number) for number in range(count)])


def planned_ns(arrivals: Arrivals | None, count: int) -> Iterator[int] | None:
    """Yield the instants of arrivals that are not random, by their numbers; None if they are."""
    match arrivals:
        case Poisson() | Schedule() | Closed():
            return None
        case Bursts(spread=spread) if spread is not None:
            return None
        case Steady(rate=rate):
            return (round(number * NS_PER_S / rate) for number in range(count))
        case Bursts(every=every_ns, size=size):
            return (number // size * every_ns for number in range(count))
        case Recorded(values_ns=values_ns):
            return iter(sorted(values_ns)[:count])
        case _:
            return iter((0,) * count)
