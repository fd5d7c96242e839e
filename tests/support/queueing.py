"""Services as textbook queues: simulate replications, cut the warm-up, and compare with what theory says.

Every replication that is simulated here is held to the laws that need no distribution: Little's law as an identity over
what was observed, never more work than servers, and no call that waits beside a free server.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtrit

from sim.engine.event import simulate_replication
from sim.history.traffic import CallEnd, Calls
from sim.history.vocabulary import NEVER
from sim.scenario.load import parse

SECOND = 1_000_000_000
WARM_UP = 0.15
"""The share of a replication's calls that is cut off at its start."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Observed:
    """The calls of one replication at one service, in order of arrival, with the window in which they count."""

    calls: Calls
    from_ns: int
    to_ns: int
    classes: NDArray[Any]
    """Of each request, the place of its class."""

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which calls arrived in the window."""
        return (self.calls.arrived_ns >= self.from_ns) & (self.calls.arrived_ns <= self.to_ns)

    @property
    def waits_s(self) -> NDArray[np.float64]:
        """How long the calls of the window that were worked on had waited."""
        worked = self.counted & (self.calls.began_ns != NEVER)
        waited: NDArray[np.float64] = (self.calls.began_ns - self.calls.arrived_ns)[worked] / SECOND
        return waited

    @property
    def sojourns_s(self) -> NDArray[np.float64]:
        """How long the calls of the window were there."""
        return (self.calls.ended_ns - self.calls.arrived_ns)[self.counted] / SECOND

    def share(self, *ends: CallEnd) -> float:
        """Return the share of the calls of the window that ended so."""
        return float(np.isin(self.calls.end[self.counted], ends).mean())

    @property
    def mean_inside(self) -> float:
        """The average over time of how many calls are there."""
        return number_over_time(self.calls.arrived_ns, self.calls.ended_ns, self.from_ns, self.to_ns)

    @property
    def mean_in_progress(self) -> float:
        """The average over time of how many calls are worked on."""
        worked = self.calls.began_ns != NEVER
        return number_over_time(self.calls.began_ns[worked], self.calls.ended_ns[worked], self.from_ns, self.to_ns)

    @property
    def found(self) -> Ints:
        """How many calls those of the window find on arrival."""
        arrived = np.sort(self.calls.arrived_ns)
        present = np.arange(len(arrived)) - np.searchsorted(np.sort(self.calls.ended_ns), arrived, side="right")
        return present[(arrived >= self.from_ns) & (arrived <= self.to_ns)]

    def of_class(self, place: int) -> "Observed":
        """Return the calls of the requests of one class, by its place among the classes."""
        mine = self.classes[self.calls.request] == place
        return Observed(self.calls.select(mine), self.from_ns, self.to_ns, self.classes)


def number_over_time(arrived_ns: Ints, left_ns: Ints, from_ns: int, to_ns: int) -> float:
    """Integrate a number of calls over a window, from the times at which they come and go."""
    inside = np.minimum(left_ns, to_ns) - np.maximum(arrived_ns, from_ns)
    return float(inside.clip(0).sum()) / (to_ns - from_ns)


Runs = tuple[Observed, ...]


@cache
def observe(
    text: str,
    replications: int,
    count: int,
    servers: tuple[int | None, ...],
) -> tuple[Runs, ...]:
    """Simulate replications of a world whose services have these numbers of servers; return the runs of each service.

    Each is held to what any queue obeys.
    """
    scenario = parse(f"world: shared\nretrier: none\n{text}", overrides=[("requests.count", str(count))])
    made: list[list[Observed]] = [[] for _ in servers]
    for replication in range(replications):
        requests, traffic = simulate_replication(scenario, replication)
        calls = traffic.calls
        calls = calls.select(np.argsort(calls.arrived_ns, kind="stable"))
        for position, limit in enumerate(servers):
            part = calls.select(calls.service == position)
            obeys_littles_law(part)
            loses_no_work(part, limit)
            arrived = part.arrived_ns
            from_ns, to_ns = int(arrived[int(WARM_UP * len(arrived))]), int(arrived[-1])
            made[position].append(Observed(part, from_ns, to_ns, requests.caller_class))
    return tuple(map(tuple, made))


def path(came_ns: Ints, left_ns: Ints) -> tuple[Ints, Ints]:
    """Return instants and how many are there from each instant on."""
    instants = np.concatenate([came_ns, left_ns])
    steps = np.concatenate([np.ones_like(came_ns), -np.ones_like(left_ns)])
    order = np.argsort(instants, kind="stable")
    instants, levels = instants[order], np.cumsum(steps[order])
    last = np.append(instants[1:] != instants[:-1], True)  # the last of its instant
    return instants[last], levels[last]


def obeys_littles_law(calls: Calls) -> None:
    """Assert L = lambda W over the whole observation, in nanoseconds: J. D. C. Little, Operations Research 9 (1961)."""
    instants, levels = path(calls.arrived_ns, calls.ended_ns)
    area = int((levels[:-1] * np.diff(instants)).sum())
    assert levels.min() >= 0
    assert levels[-1] == 0
    assert area == int((calls.ended_ns - calls.arrived_ns).sum())


def loses_no_work(calls: Calls, servers: int | None) -> None:
    """Assert that no more calls are worked on than there are servers, and that none waits while one is free."""
    worked = calls.began_ns != NEVER
    left_queue = np.where(worked, calls.began_ns, calls.ended_ns)
    if servers is None:
        assert np.array_equal(left_queue, calls.arrived_ns)
        return
    instants, busy = path(calls.began_ns[worked], calls.ended_ns[worked])
    assert busy.max() <= servers
    waits = left_queue > calls.arrived_ns
    if not waits.any():
        return
    turns, waiting = path(calls.arrived_ns[waits], left_queue[waits])
    for moment, number in zip(turns[waiting > 0], waiting[waiting > 0], strict=True):
        assert busy[np.searchsorted(instants, moment, side="right") - 1] == servers, (moment, number)


def holds(values: Sequence[float], expected: float) -> bool:
    """Whether the t-interval of independent replications, 99.9 %, holds a number."""
    half = float(stdtrit(len(values) - 1, 0.9995)) * float(np.std(values, ddof=1)) / sqrt(len(values))
    return abs(float(np.mean(values)) - expected) <= half


sizes = pytest.mark.parametrize(
    "size", [pytest.param((10, 600), id="small"), pytest.param((20, 12_000), id="large", marks=pytest.mark.slow)]
)
"""Replications, and requests of each."""


def queue(
    size: tuple[int, int],
    rate: float,
    options: str,
    servers: int | None = 1,
    *,
    arrivals: str = "poisson",
) -> Runs:
    """Simulate calls that come at some rate to a service with these options."""
    there = "" if servers is None else f"servers: {servers}, "
    text = f"""
seed: 1917
requests: {{arrivals: {{{arrivals}: {{rate: {rate}/s}}}}}}
action: {{service: db}}
services: {{db: {{{there}{options}}}}}
"""
    return observe(text, *size, (servers,))[0]


def agree(runs: Sequence[Observed], value: Callable[[Observed], Any], expected: float) -> None:
    """Assert that the mean over the replications of a value is as expected."""
    values = [float(value(run)) for run in runs]
    assert np.std(values) > 0, "replications that all agree say nothing"
    assert holds(values, expected), f"{np.mean(values):.5g} +- {np.std(values):.2g} per replication, not {expected:.5g}"
