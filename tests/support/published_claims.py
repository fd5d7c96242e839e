"""What others published, and what the scenarios of `scenarios/published/` give for it.

A claim is a number of theirs with its error, and how one cell of a scenario measures it. The errors are those that came
with the numbers; one that came without counts as that of a single run, so that its error is the spread of our own
replications; what a number was rounded to is added to its error. `python benchmarks/published.py` prints them all, and
`pytest -m slow tests/published/test_published.py` holds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.api.run import run
from sim.history.vocabulary import Outcome
from sim.measure.paths import metric_of
from sim.scenario.load import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.experiment.cell_result import CellResult
    from sim.results.result import Result

PUBLISHED = Path(__file__).parents[2] / "scenarios" / "published"
EXACT = 0.0
"""The error of a closed form."""
ONE_RUN = -1.0
"""In place of an error: that of one run."""


class Sample(NamedTuple):
    """A number of each replication, or a share of replications."""

    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The mean over replications."""
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """The deviation of one replication."""
        return float(self.values.std(ddof=1))

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / math.sqrt(len(self.values))


Measure = Callable[["CellResult"], Sample]


def _by_replication(cell: CellResult, column: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(cell.requests.replication, weights=column).astype(np.float64)


def _requests(cell: CellResult) -> NDArray[np.float64]:
    return np.bincount(cell.requests.replication).astype(np.float64)


def calls(cell: CellResult) -> Sample:
    """Count the calls of all requests."""
    return Sample(_by_replication(cell, cell.requests.attempts))


def last_known_ms(cell: CellResult) -> Sample:
    """Return when the last request is known to have ended."""
    requests = cell.requests
    return Sample(
        np.array([requests.settled_ns[requests.replication == one].max() / 1e6 for one in range(replications(cell))])
    )


def replications(cell: CellResult) -> int:
    """Return how many replications a cell has."""
    return int(cell.requests.replication.max()) + 1


def amplification(cell: CellResult) -> Sample:
    """Return calls per request."""
    return Sample(_by_replication(cell, cell.requests.attempts) / _requests(cell))


def success(cell: CellResult) -> Sample:
    """Return the share of requests that succeed, in percent."""
    good = (cell.requests.outcome == Outcome.success).astype(np.int64)
    return Sample(100 * _by_replication(cell, good) / _requests(cell))


def recovered(cell: CellResult) -> NDArray[np.bool_]:
    """Tell which replications recover."""
    assert cell.metrics.traffic is not None
    return np.array([bool(one) for one in cell.metrics.traffic.recovered])


def collapsed(cell: CellResult) -> Sample:
    """Return the share of replications that do not recover."""
    return Sample((~recovered(cell)).astype(np.float64))


def goodput_of_collapsed(cell: CellResult) -> Sample:
    """Return the share of requests that succeed, in replications that do not recover."""
    return Sample(success(cell).values[~recovered(cell)] / 100)


def goodput_of_recovered(cell: CellResult) -> Sample:
    """Return the share of requests that succeed, in replications that recover."""
    return Sample(success(cell).values[recovered(cell)] / 100)


def goodput(cell: CellResult) -> Sample:
    """Return the share of requests that succeed."""
    return Sample(success(cell).values / 100)


def mean_of(path: str) -> Measure:
    """Return a measure of a metric of the traffic."""

    def measure(cell: CellResult) -> Sample:
        assert cell.metrics.traffic is not None
        return Sample(np.array(cell.metrics.traffic.replication_values(metric_of(path)), dtype=np.float64))

    return measure


def calls_at_the_bottom(cell: CellResult) -> Sample:
    """Return how many calls reach the last service for one request."""
    assert cell.traffic is not None
    arrived = cell.traffic.calls.service == len(cell.cell.scenario.services) - 1
    return Sample(np.bincount(cell.traffic.calls.replication[arrived]) / _requests(cell))


def wait_s(cell: CellResult) -> Sample:
    """Return how long calls wait whose work begins, on average."""
    return Sample(mean_of("queue_wait.mean")(cell).values / 1e9)


@dataclass(frozen=True)
class Claim:
    """A published number."""

    what: str
    cell: str
    theirs: float
    error: float
    """Its standard error, `EXACT`, or `ONE_RUN`."""
    measure: Measure
    rounded: float = 0.0
    """To how much it was rounded."""
    differs: str = ""
    """Why it is not what its own program gives; such a claim is shown and not held."""


@dataclass(frozen=True)
class Compared:
    """A claim and what was measured for it."""

    claim: Claim
    ours: Sample

    @property
    def errors(self) -> float:
        """The difference in combined standard errors; 0 if both are exact and equal."""
        claim, ours = self.claim, self.ours
        theirs = ours.deviation if claim.error == ONE_RUN else claim.error
        combined = math.hypot(theirs, ours.error, claim.rounded / math.sqrt(12))
        difference = ours.mean - claim.theirs
        if abs(difference) <= 1e-9 * abs(claim.theirs):
            return 0.0
        return difference / combined if combined else math.copysign(math.inf, difference)


@dataclass(frozen=True)
class Study:
    """A scenario with some settings, and the claims that it answers."""

    result: str
    """Which published result."""
    scenario: str
    settings: Mapping[str, str]
    """What differs from the scenario as shipped."""
    claims: tuple[Claim, ...]

    def run(self, workers: int = 1) -> Result:
        """Simulate."""
        return run(load(PUBLISHED / f"{self.scenario}.yaml", tuple(self.settings.items())), workers=workers)

    def compare(self, result: Result) -> list[Compared]:
        """Measure each claim."""
        return [Compared(claim, claim.measure(result[claim.cell])) for claim in self.claims]


# P1: calls and ms, each with its standard error.

_LAWS = ("none", "exponential", "equal", "full", "decorrelated")
_CONTENTION = {
    10: (
        ((50.9, 0.2), (50.6, 0.2), (42.6, 0.2), (39.0, 0.1), (37.7, 0.1)),
        ((380, 2), (3335, 76), (721, 10), (477, 7), (437, 5)),
    ),
    100: (
        ((2420, 3), (1861, 5), (812, 0.7), (796, 0.6), (999, 2)),
        ((2028, 4), (63_670, 350), (6760, 59), (4830, 47), (4631, 53)),
    ),
}


def _contention(clients: int, replications_of_it: int) -> Study:
    written, took = _CONTENTION[clients]
    claims = [Claim("calls", law, *of_law, calls) for law, of_law in zip(_LAWS, written, strict=True)]
    claims += [Claim("ms", law, *of_law, last_known_ms) for law, of_law in zip(_LAWS, took, strict=True)]
    settings = {"requests.count": str(clients), "replications": str(replications_of_it)}
    return Study("P1", "backoff-and-jitter", settings, tuple(claims))


# P2: by strategy success in percent and calls per request, each with what it was rounded to.

_NOT_ITS_OWN = "the original's program gives 99.99, as the closed form"
_BUDGETS = {
    "0.1": {
        "three retries": ((99.96, 0.01), (1.110, 0.001)),
        "adaptive": ((99.0, 0.1), (1.098, 0.001)),
        "breaker": ((92.8, 0.1), (1.031, 0.001)),
        "none": ((90.3, 0.1), (1.0, 0.0)),
    },
    "0.5": {
        "three retries": ((93.7, 0.1), (1.876, 0.001)),
        "adaptive": ((56.5, 0.1), (1.121, 0.001)),
        "breaker": ((50.0, 0.1), (1.0, 0.001)),
        "none": ((50.5, 0.1), (1.0, 0.0)),
    },
}
_WITH_RETRIES = "three retries"


def _budgets(fail: str) -> Study:
    claims = []
    for strategy, ((succeed, percent), (each, unit)) in _BUDGETS[fail].items():
        differs = _NOT_ITS_OWN if succeed == 99.96 else ""
        claims += [
            Claim("success, %", strategy, succeed, ONE_RUN, success, percent, differs),
            Claim("calls per request", strategy, each, ONE_RUN if unit else EXACT, amplification, unit),
        ]
    p = float(fail)
    claims += [
        Claim("success, %, closed form", _WITH_RETRIES, 100 * (1 - p**4), EXACT, success),
        Claim("calls per request, closed form", _WITH_RETRIES, (1 - p**4) / (1 - p), EXACT, amplification),
    ]
    return Study("P2", "retry-budgets", {"services.server.outcomes.fail": fail, "replications": "12"}, tuple(claims))


BUDGET_BY_CLIENTS = Study(
    "P2",
    "budget-by-clients",
    {"replications": "12"},
    tuple(
        Claim("calls per request", f"count={clients}", each, ONE_RUN, amplification, 0.001)
        for clients, each in ((10, 1.104), (100, 1.142), (1000, 1.486))
    ),
)
OPEN_AND_CLOSED = Study(
    "P3",
    "open-and-closed",
    {"replications": "12"},
    (
        Claim("calls per request", "open", 1.869, ONE_RUN, amplification, 0.001),
        Claim("calls per request", "open, backoff", 1.872, ONE_RUN, amplification, 0.001),
        Claim("calls", "open, backoff", 37_200, ONE_RUN, calls, 100),
        Claim("calls", "serial, backoff", 16_100, ONE_RUN, calls, 100),
    ),
)
COLLAPSE = Study(
    "P4",
    "metastable-collapse",
    {"replications": "300"},
    (
        Claim("share that collapses", "no backoff", 0.749, math.sqrt(0.749 * 0.251 / 1000), collapsed),
        Claim("goodput if it collapses", "no backoff", 0.33, EXACT, goodput_of_collapsed, 0.01),
        Claim("goodput if it recovers", "no backoff", 0.98, EXACT, goodput_of_recovered, 0.01),
        Claim("goodput", "no backoff", 0.49, math.sqrt(0.749 * 0.251 / 1000) * (0.98 - 0.33), goodput, 0.01),
        Claim("share that collapses", "full jitter", 0.0, EXACT, collapsed),
        Claim("goodput", "full jitter", 0.978, EXACT, goodput, 0.001),
    ),
)
RAMP = Study(
    "P4",
    "metastable-ramp",
    {"replications": "40"},
    tuple(Claim("share that collapses", cell, 1.0, EXACT, collapsed) for cell in ("no backoff", "full jitter")),
)


@dataclass(frozen=True)
class Bounded:
    """M/M/1/K: one server, exponential work, `most` places with that at the server (Kleinrock, volume 1, 3.6)."""

    rate: float
    most: int
    served: float = 10.0

    @property
    def shares(self) -> list[float]:
        """The shares of time with each number of calls."""
        weights = [(self.rate / self.served) ** number for number in range(self.most + 1)]
        return [weight / sum(weights) for weight in weights]

    @property
    def mean(self) -> float:
        """The mean number of calls."""
        return sum(number * share for number, share in enumerate(self.shares))

    @property
    def wait_s(self) -> float:
        """The mean wait of those that are let in, by Little's law."""
        return self.mean / (self.rate * (1 - self.shares[-1])) - 1 / self.served


def _textbook(rate: float, most: int) -> Study:
    queue = Bounded(rate, most)
    settings = {
        "requests.arrivals.schedule.0.rate": f"{rate:g}/s",
        "services.server.queue.limit": str(most - 1),
        "replications": "16",
    }
    cell = "queue-alone"
    claims = (
        Claim(f"calls in it, {rate:g}/s, K = {most}", cell, queue.mean, EXACT, mean_of("in_flight.mean")),
        Claim("share turned away", cell, queue.shares[-1], EXACT, mean_of("service.server.rejected.rate")),
        Claim("wait, s", cell, queue.wait_s, EXACT, wait_s),
    )
    return Study("P5", cell, settings, claims)


LAYERS = Study(
    "P6",
    "layers",
    {},
    (
        Claim("calls at the bottom", "each layer retries", 243.0, EXACT, calls_at_the_bottom),
        Claim("calls at the bottom", "the top alone retries", 3.0, EXACT, calls_at_the_bottom),
    ),
)
STUDIES: tuple[Study, ...] = (
    _contention(10, 400),
    _contention(100, 40),
    *(_budgets(fail) for fail in _BUDGETS),
    BUDGET_BY_CLIENTS,
    OPEN_AND_CLOSED,
    COLLAPSE,
    RAMP,
    _textbook(8.0, 10),
    _textbook(12.0, 100),
    LAYERS,
)
