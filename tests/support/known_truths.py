"""Worlds whose truth is known, and how often the intervals of their metrics contain it.

Each world is simulated once, with so many times the requests (or replications) of one sample, and cut into samples:
requests of an isolated world and replications of a shared one are independent of each other. The truth is exact where a
formula gives it, else that of a far longer run with another seed.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.api.run import run
from sim.experiment.known import known_of
from sim.history.records import Requests
from sim.measure.differences import Differences
from sim.measure.estimates import Estimate, share_limits
from sim.measure.metrics import CellMetrics, measure
from sim.measure.quantities import METRICS, Statistic, Unit
from sim.scenario.load import from_dict

MS = 1e6
MOST_REPLICATIONS = 10_000
"""Of one run."""
LEAST_SEEN = 1_000
"""Of fewer values beyond a quantile in the long run, or of fewer in all, the truth is not known well enough."""
Tree = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Truth:
    """A world, the size of a sample, and what is known of it."""

    name: str
    scenario: Tree
    size: int
    """Requests of a sample of an isolated world; replications of one of a shared world."""
    other: Tree | None = None
    """The changed keys of the cell that it is compared with, if pairs are judged."""
    exact: Mapping[str, float] = field(default_factory=dict)
    """Truths by metric, in its unit, that a formula gives."""
    long_run: int = 2_000_000
    """Requests, or replications, of the run that gives the other truths."""
    is_discrete: bool = False
    """Whether its times have jumps too; counts always have."""


@dataclass
class Coverage:
    """How often the intervals of one metric of one world held."""

    truth: float
    samples: int = 0
    given: int = 0
    below: int = 0
    """How often the truth lay below the interval."""
    above: int = 0
    zero_width: int = 0
    widths: list[float] = field(default_factory=list)
    """Of the intervals without an infinite end."""
    reasons: set[str] = field(default_factory=set)
    is_discrete: bool = False

    @property
    def share(self) -> float:
        """The share of the intervals given that contain the truth; nan if none was given."""
        return 1 - (self.below + self.above) / self.given if self.given else math.nan

    @property
    def wrong(self) -> float:
        """The share of all samples that were given an interval without the truth."""
        return (self.below + self.above) / self.samples

    def add(self, found: Estimate) -> None:
        """Count one sample."""
        self.samples += 1
        if found.low is None or found.high is None:
            self.reasons.add(found.reason or "no value")
            return
        self.given += 1
        slack = 1e-9 * max(1.0, abs(self.truth))
        self.below += self.truth < found.low - slack
        self.above += self.truth > found.high + slack
        self.zero_width += found.low == found.high
        if math.isfinite(found.high - found.low):
            self.widths.append(found.high - found.low)


def rare_loss(share: float, **more: Any) -> Tree:
    """Return a scenario whose requests rarely repeat an effect, and do nothing else that differs."""
    return {
        "retrier": {"kind": "component", "max_failures": 1, **more},
        "action": {"latency": {"constant": "10ms"}, "outcomes": {"ack_lost": share}},
    }


LATENCY = {"lognormal": {"median": "120ms", "p99": "900ms"}}
USUAL: Tree = {"retrier": "helpers", "action": {"latency": LATENCY, "outcomes": {"fail": 0.3, "ack_lost": 0.01}}}
LONGER_WAITS = {"kind": "helpers", "retry_backoff": "200ms"}
SIGMA_2: Tree = {"retrier": "none", "action": {"latency": {"lognormal": {"median": "100ms", "sigma": 2}}}}
PARETO: Tree = {"retrier": "none", "action": {"latency": {"pareto": {"shape": 2.2, "scale": "100ms"}}}}
OF_NONE = ("time_to_effect.mean", "time_to_known.mean", "time_to_known.success.mean", "cost.action_ms")


def weather(up: str, down: str, count: int, rate: str, retrier: Any, **action: Any) -> Tree:
    """Return a shared world with on/off weather, in which all attempts fail while it is down."""
    source = {"on_off": {"up": {"exponential": {"mean": up}}, "down": {"exponential": {"mean": down}}, "fail": 1}}
    return {
        "world": "shared",
        "requests": {"count": count, "arrivals": {"constant": {"rate": rate}}},
        **({} if retrier == "none" else {"platform": {"profile": "ideal"}}),
        "retrier": retrier,
        "action": {"weather": [source], **action},
    }


def share_up(up_s: float, down_s: float, span_s: float) -> float:
    """Return the mean share of [0, span] during which a source that starts up is up (a two-state Markov process)."""
    rate = 1 / up_s + 1 / down_s
    stationary = up_s / (up_s + down_s)
    return stationary + (1 - stationary) * (1 - math.exp(-rate * span_s)) / (rate * span_s)


TRUTHS: tuple[Truth, ...] = (
    Truth("one loss in 1000, n = 400", rare_loss(0.001), 400, exact={"duplicates.effects": 0.001}, is_discrete=True),
    Truth(
        "three losses in 1000, n = 400", rare_loss(0.003), 400, exact={"duplicates.effects": 0.003}, is_discrete=True
    ),
    Truth("one loss in 100, n = 400", rare_loss(0.01), 400, exact={"duplicates.effects": 0.01}, is_discrete=True),
    Truth(
        "losses of losses, n = 2000",
        {**rare_loss(0.004), "retrier": {"kind": "component", "max_failures": 4, "base": 3}},
        2000,
        is_discrete=True,
    ),
    Truth(
        "bad weather strikes 1 in 100, n = 1000",
        {
            "retrier": {"kind": "component", "max_failures": 4},
            "action": {
                "latency": LATENCY,
                "weather": [{"on_off": {"up": {"constant": "99h"}, "down": {"constant": "1h"}, "fail": 1}}],
            },
        },
        1000,
    ),
    Truth("failures and losses, n = 1000", USUAL, 1000),
    Truth(
        "waits that triple, n = 1000",
        {
            "retrier": {"kind": "component", "max_failures": 6, "base": 3},
            "action": {"latency": LATENCY, "outcomes": {"fail": 0.2}},
        },
        1000,
    ),
    Truth("lognormal, sigma 2, n = 1000", SIGMA_2, 1000, exact=dict.fromkeys(OF_NONE, 100 * MS * math.exp(2.0))),
    Truth("Pareto 2.2, n = 1000", PARETO, 1000, exact=dict.fromkeys(OF_NONE, 100 * MS * 2.2 / 1.2)),
    Truth(
        "weather once in 2m, 10 replications of 3s",
        weather("100s", "20s", 60, "20/s", "none", latency={"constant": "0ms"}),
        10,
        exact={"success.rate": share_up(100, 20, 3.0), "gave_up.rate": 1 - share_up(100, 20, 3.0)},
        long_run=10_000,
    ),
    Truth(
        "weather once in 2s, 10 replications of 5s",
        weather("1500ms", "500ms", 25, "5/s", {"kind": "component", "max_failures": 3}, latency=LATENCY),
        10,
        long_run=10_000,
    ),
    Truth(
        "weather once in 2s, 30 replications of 5s",
        weather("1500ms", "500ms", 25, "5/s", {"kind": "component", "max_failures": 3}, latency=LATENCY),
        30,
        long_run=10_000,
    ),
    Truth(
        "pairs: longer waits, n = 1000", USUAL, 1000, other={"retrier": {"kind": "helpers", "retry_backoff": "200ms"}}
    ),
    Truth(
        "pairs: a second try after a loss, n = 400",
        rare_loss(0.003),
        400,
        other={"retrier": {"kind": "component", "max_failures": 2}},
        is_discrete=True,
    ),
    Truth(
        "pairs: another retrier, n = 1000",
        USUAL,
        1000,
        other={"retrier": {"kind": "component", "initial_backoff": "100ms"}},
    ),
    Truth(
        "pairs of 20 replications",
        weather("1500ms", "500ms", 25, "5/s", {"kind": "component", "max_failures": 3}, latency=LATENCY),
        20,
        other={"retrier": {"kind": "component", "max_failures": 3, "initial_backoff": "500ms"}},
        long_run=10_000,
    ),
)


def coverage(truth: Truth, samples: int, seed: int = 1) -> dict[str, Coverage]:
    """Return how often the intervals of each metric held in so many samples; metrics of nothing are left out."""
    trees = [truth.scenario] + ([{**truth.scenario, **truth.other}] if truth.other is not None else [])
    long_runs = [_measured(tree, truth.long_run, seed + 1) for tree in trees]
    cut = [list(_samples(tree, truth.size, samples, seed)) for tree in trees]
    found = {}
    for path, metric in METRICS.items():
        true = truth.exact.get(path) if len(trees) == 1 else None
        values = [one.value(path).value for one in long_runs]
        if true is None and None not in values:
            true = values[0] if len(values) == 1 else _less(values[1], values[0])
        if true is None or not math.isfinite(true) or metric.statistic is Statistic.max:
            continue
        rarest = float(1 - metric.share) if metric.statistic is Statistic.quantile else 1.0
        if min(len(one.sample(path)) for one in long_runs) * rarest < LEAST_SEEN:
            continue
        found[path] = Coverage(true, is_discrete=truth.is_discrete or metric.unit is not Unit.duration)
    for parts in zip(*cut, strict=True):
        metrics = [one for one, _ in parts]
        differences = Differences(*metrics, tuple(of for _, of in parts), paired=True) if len(parts) == 2 else None
        if differences is not None and metrics[0].shared:
            differences = Differences(*metrics, paired=True)
        for path, kept in found.items():
            estimate = metrics[0].value(path) if differences is None else differences.contrast(path)
            if estimate.value is not None and math.isfinite(estimate.value):
                kept.add(estimate)
    return {path: kept for path, kept in found.items() if kept.samples}


def exact_width(share: float, trials: int) -> float:
    """Return the width of the exact interval of a share if about so many of the trials were seen."""
    low, high = share_limits(round(share * trials), trials)
    return high - low


def _less(b: float | None, a: float | None) -> float | None:
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return None
    return b - a


def _tree(tree: Tree, count: int, seed: int) -> dict[str, Any]:
    if tree.get("world") == "shared":
        return {**tree, "seed": seed, "replications": count}
    return {**tree, "seed": seed, "requests": {"count": count}}


def _measured(tree: Tree, count: int, seed: int) -> CellMetrics:
    return run(from_dict(_tree(tree, count, seed))).cells[0].metrics


def _samples(tree: Tree, size: int, samples: int, seed: int) -> Iterator[tuple[CellMetrics, Requests]]:
    a_run = MOST_REPLICATIONS // size if tree.get("world") == "shared" else samples
    for first in range(0, samples, a_run):
        taken = min(a_run, samples - first)
        # Another seed than any that the long runs have.
        scenario = from_dict(_tree(tree, size * taken, seed + 1000 + first))
        known, shared = known_of(scenario), scenario.world == "shared"
        requests = run(scenario).cells[0].requests
        rows = size * (scenario.requests.count if shared else 1)
        for number in range(taken):
            part = requests.select(slice(number * rows, (number + 1) * rows))
            yield measure(part, shared=shared, possible=known), part
