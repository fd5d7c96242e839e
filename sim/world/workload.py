"""The options of requests: how many there are, when they arrive, and which of them are canceled."""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from typing_extensions import TypeAliasType

from sim.history.vocabulary import OF_THE_REQUEST, CancelTarget
from sim.kernel.choices import Choices
from sim.kernel.draws import Draws
from sim.kernel.durations import LONGEST_NS, NS_PER_S, RUNAWAY_NS
from sim.laws.columns import Column
from sim.laws.distributions import Law, exponential_ns
from sim.options.model import Options, Rate, Share
from sim.options.single_key import SingleKey

REQUESTS_MAX = 1_000_000_000


class AtOnce(Options):
    """All requests are submitted at 0."""


class Poisson(Options):
    """Independent callers: the gaps between submissions, the one before the first included, are exponential."""

    rate: Rate


class Steady(Options):
    """A request every 1/rate, the first at 0."""

    rate: Rate


class Recorded(Column):
    """Submission times from a column of a file, counted from the start; of too many the earliest count."""


Arrivals = TypeAliasType(
    "Arrivals",
    Annotated[
        AtOnce | Poisson | Steady | Recorded,
        SingleKey(
            "kind of arrivals",
            "{poisson: {rate: 50/s}}",
            {"at_once": AtOnce, "poisson": Poisson, "constant": Steady, "file": Recorded},
            bare=("at_once",),
        ),
    ],
)
"""When the requests of a shared world are submitted, written as one key and its options, or just `at_once`."""


class RequestsOptions(Options):
    """How many requests a cell has (each replication, in shared worlds), and when they are submitted."""

    count: int = Field(default=10_000, ge=1, le=REQUESTS_MAX)
    arrivals: Arrivals | None = None
    """Only in shared worlds; `at_once` unless stated."""

    @model_validator(mode="after")
    def _arrive_in_time(self) -> Self:
        arrivals = self.arrivals
        if isinstance(arrivals, Poisson | Steady) and self.count / arrivals.rate > LONGEST_NS / NS_PER_S:
            raise ValueError(f"at this rate {self.count} requests take more than 100 years to arrive")
        if isinstance(arrivals, Recorded) and arrivals.rows is not None and arrivals.rows < self.count:
            raise ValueError(f"the file of arrivals has {arrivals.rows} rows, fewer than the {self.count} requests")
        return self


class CancelOptions(Options):
    """Some of the requests are canceled, once each."""

    share: Share
    after: Law
    """From the request's submission."""
    target: CancelTarget = OF_THE_REQUEST
    """The request, by its retrier; or the job of its action or of its poll, by an operator."""


def arrival_times_ns(options: RequestsOptions, choices: Choices) -> list[int]:
    """Return the submission times in ns, ascending, one for each request.

    Poisson gaps come from stream `arrival`, entity the request's number. Raises ValueError if the last request comes
    later than `RUNAWAY_NS`, and if a file of arrivals has too few values.
    """
    arrivals, count = options.arrivals, options.count
    match arrivals:
        case Poisson():
            gaps_ns = np.rint(exponential_ns(_uniforms(choices, count), NS_PER_S / arrivals.rate))
            if gaps_ns.sum() > RUNAWAY_NS:
                raise ValueError("at this rate the last request arrives too late to be simulated")
            times_ns: list[int] = np.cumsum(gaps_ns.astype(np.int64)).tolist()
            return times_ns
        case Steady():
            even_ns: list[int] = np.rint(np.arange(count) * float(NS_PER_S) / arrivals.rate).astype(np.int64).tolist()
            return even_ns
        case Recorded():
            if len(arrivals.values_ns) < count:
                raise ValueError(f"{arrivals.file} has {len(arrivals.values_ns)} arrivals for {count} requests")
            return list(arrivals.values_ns[:count])
        case _:
            return [0] * count


def _uniforms(choices: Choices, count: int) -> NDArray[np.float64]:
    if isinstance(choices, Draws):
        return choices.uniforms("arrival", np.arange(count, dtype=np.int64))
    return np.array([choices.uniform("arrival", number) for number in range(count)])
