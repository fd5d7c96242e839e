"""The options of requests: how many there are, when they arrive, and which of them are canceled."""

from typing import Self

from pydantic import Field, model_validator

from sim.history.vocabulary import OF_THE_REQUEST, CancelTarget
from sim.kernel.choices import Choices
from sim.kernel.durations import LONGEST_NS, NS_PER_S
from sim.laws.distributions import Law
from sim.options.model import Options
from sim.options.share import Share
from sim.world.arrivals import REQUESTS_MAX, Arrivals, Bursts, Poisson, Recorded, Steady, open_times_ns


class RequestsOptions(Options):
    """How many requests a cell has (each replication, in shared worlds), and when they are submitted."""

    count: int = Field(
        default=10_000, ge=1, le=REQUESTS_MAX, description="Requests of a cell; in shared worlds of each replication."
    )
    """Of a schedule or of bursts that have an end, all that come before it unless stated."""
    arrivals: Arrivals | None = Field(default=None, description="Shared worlds: when requests are submitted.")
    """Only in shared worlds; `at_once` unless stated."""

    @model_validator(mode="after")
    def _arrive_in_time(self) -> Self:
        arrivals = self.arrivals
        if isinstance(arrivals, Poisson | Steady) and self.count / arrivals.rate > LONGEST_NS / NS_PER_S:
            raise ValueError(f"at this rate {self.count} requests take more than 100 years to arrive")
        if isinstance(arrivals, Bursts) and "count" in self.model_fields_set and arrivals.size > self.count:
            raise ValueError(f"a burst has {arrivals.size} requests, but there are only {self.count} (requests.count)")
        if isinstance(arrivals, Recorded) and arrivals.rows is not None and arrivals.rows < self.count:
            raise ValueError(f"the file of arrivals has {arrivals.rows} rows, fewer than the {self.count} requests")
        return self


class CancelOptions(Options):
    """Some of the requests are canceled, once each."""

    share: Share = Field(description="Share of the requests that are canceled.")
    after: Law = Field(description="Time from the submission to the cancel.")
    """From the request's submission."""
    target: CancelTarget = Field(
        default=OF_THE_REQUEST, description="What is canceled: the request, or only its action or its poll."
    )
    """The request, by its retrier; or the job of its action or of its poll, by an operator."""


def arrival_times_ns(options: RequestsOptions, choices: Choices, until_ns: int | None = None) -> list[int]:
    """Return when requests are submitted, ascending, as `sim.world.arrivals.open_times_ns` does."""
    return open_times_ns(options.arrivals, options.count, choices, until_ns)
