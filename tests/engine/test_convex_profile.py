"""The `convex` profile bites: slots queue, polls take them, commits conflict and are rerun, restarts lose only memory.

Waiting times of one replication depend on each other, so the intervals are Student's over replications, 99.9 %.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from math import exp, factorial, log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from sim.api.run import run
from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.deployment_events import JobStepped, MutationCommitted
from sim.history.events import EffectMade, Event
from sim.history.recorder import Recorder
from sim.history.records import Requests
from sim.history.request import Request
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

PORTS = ("article", "helpers", "component")
SECOND = 1_000_000_000
CONVEX, EIGHT_SLOTS = "profile: convex", "profile: ideal, parallelism: 8"
LOADS = (2.0, 2.5, 3.0)
"""Requests a second, of 2 s each; eight slots serve four of them a second."""


def busy(platform: str, rate: float, retrier: str = "component", replications: int = 14) -> Scenario:
    return parse(
        f"""
        world: shared
        seed: 77
        requests: {{count: 500, arrivals: {{poisson: {{rate: {rate}/s}}}}}}
        replications: {replications}
        measure: {{from: 20s}}
        platform: {{{platform}}}
        action: {{latency: {{exponential: {{mean: 2s}}}}, effect_at: 0}}
        retrier: {retrier}
        """
    )


@cache
def waits_s(platform: str, rate: float, retrier: str = "component") -> tuple[float, ...]:
    """The mean time from a request to the start of its attempt, for each replication."""
    metrics = run(busy(platform, rate, retrier)).cells[0].metrics
    return tuple(value / SECOND for value in metrics.replication_values("time_to_effect.mean"))


def interval(values: Sequence[float]) -> tuple[float, float]:
    half = float(stdtrit(len(values) - 1, 0.9995)) * float(np.std(values, ddof=1)) / sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def mean_wait_s(servers: int, rate: float, service_s: float) -> float:
    """Erlang C: the mean wait of Poisson arrivals for exponential servers."""
    load = rate * service_s
    full = load**servers / factorial(servers) * servers / (servers - load)
    share = full / (full + sum(load**taken / factorial(taken) for taken in range(servers)))
    return share * service_s / (servers - load)


def lognormal_mean_s(median_ms: float, p99_ms: float) -> float:
    return median_ms / 1000 * exp((log(p99_ms / median_ms) / 2.3263478740408408) ** 2 / 2)


# Slots.


def test_without_its_latencies_the_profile_is_the_ideal_one_with_eight_slots() -> None:
    no_time = "profile: convex, mutation_latency: none, commit_window: none, dispatch_latency: none"
    assert columns(simulate(busy(no_time, 3.0))) == columns(simulate(busy(EIGHT_SLOTS, 3.0)))


def columns(requests: Requests) -> dict[str, list[Any]]:
    return {field.name: getattr(requests, field.name).tolist() for field in fields(requests)}


@pytest.mark.parametrize("rate", LOADS)
def test_slots_queue_as_erlang_c_says_with_the_time_that_the_platform_takes(rate: float) -> None:
    ideal, convex = waits_s(EIGHT_SLOTS, rate), waits_s(CONVEX, rate)
    low, high = interval(ideal)
    assert low <= mean_wait_s(8, rate, 2) <= high
    # Both meet the same arrivals and actions, so that their difference is known far better than either. A slot is taken
    # for a dispatch, the action and its report, and once more for a heartbeat.
    mutation_s = lognormal_mean_s(5, 40) + lognormal_mean_s(4, 20)
    dispatch_s = lognormal_mean_s(10, 100)
    slots_s = 2 + 2 * (dispatch_s + mutation_s)
    more_s = mean_wait_s(8, rate, slots_s) - mean_wait_s(8, rate, 2) + mutation_s + dispatch_s
    low, high = interval([ours - theirs for ours, theirs in zip(convex, ideal, strict=True)])
    assert 0 < low <= more_s <= high


def test_delay_grows_with_the_load() -> None:
    light, middle, heavy = (float(np.mean(waits_s(CONVEX, rate))) for rate in LOADS)
    assert light < middle / 2 < heavy / 4


def test_without_a_limit_of_slots_delay_does_not_grow() -> None:
    light, heavy = (float(np.mean(waits_s(f"{CONVEX}, parallelism: unlimited", rate))) for rate in (LOADS[0], LOADS[2]))
    assert abs(light - heavy) < 0.002


def test_polls_take_slots_from_work() -> None:
    article, component = waits_s(CONVEX, 3.0, "article"), waits_s(CONVEX, 3.0)
    low, _ = interval([ours - theirs for ours, theirs in zip(article, component, strict=True)])
    assert low > 0


# Conflicts.


def faulty(port: str, platform: str = CONVEX, faults: str = "[]", count: int = 150) -> Scenario:
    return parse(
        f"""
        world: shared
        seed: 3
        requests: {{count: {count}, arrivals: {{poisson: {{rate: 20/s}}}}}}
        platform: {{{platform}}}
        action:
          latency: {{lognormal: {{median: 200ms, p99: 2s}}}}
          effect_at: 0.5
          outcomes: {{fail: 0.2, crash_after_effect: 0.05, lost_contact: 0.03}}
        faults: {faults}
        retrier: {port}
        """
    )


def recorded(scenario: Scenario) -> tuple[World, list[Request], list[Event]]:
    recorder = Recorder()
    world = World(scenario, recorder=recorder)
    requests = world.shared()
    return world, requests, recorder.history().events


def test_polls_of_the_article_conflict_with_the_job_they_watch_and_are_rerun() -> None:
    _, requests, events = recorded(faulty("article", count=600))
    refused = Counter(event.job for event in events if event.kind == "conflict")
    committed = {event.job for event in events if event.kind == "commit"}
    assert len(refused) > 20
    assert {event.function for event in events if event.kind == "conflict"} == {"retry"}
    assert refused.keys() <= committed
    assert sum(request.conflicts for request in requests) == refused.total()
    assert {request.outcome for request in requests} <= {Outcome.success, Outcome.gave_up}


def test_a_commit_that_takes_no_time_is_never_refused() -> None:
    _, requests, _ = recorded(faulty("article", "profile: convex, commit_window: none", count=600))
    assert sum(request.conflicts for request in requests) == 0


# Exactly once, at most once.


def run_too_often(events: Iterable[Event]) -> list[str]:
    """Name what happened more often than the platform promises: commits and ends of jobs, starts, effects."""
    counts: Counter[str] = Counter()
    for event in events:
        if event.kind == "commit" and event.job >= 0:
            counts[f"commit of job {event.job}"] += 1
        elif event.kind == "state" and event.after == "inProgress":
            counts[f"start of job {event.job}"] += 1
        elif event.kind == "state":
            counts[f"end of job {event.job}"] += 1
        elif event.kind == "effect":
            counts[f"effect of request {event.request}, attempt {event.attempt}"] += 1
    return [name for name, count in counts.items() if count > 1]


def test_run_too_often_finds_what_it_looks_for() -> None:
    good = [
        JobStepped(0, 0, 1, "execute", "pending", "inProgress"),
        EffectMade(5, 0, 1, "applied"),
        MutationCommitted(5, 0, -1, "finishExecution", 5, 0, 1, (), (), (), 1),
        MutationCommitted(6, 0, -1, "finishExecution", 6, 1, 2, (), (), (), 1),
        JobStepped(6, 0, 1, "execute", "inProgress", "success"),
        MutationCommitted(7, 0, 2, "heartbeat", 7, 2, 3, (), (), (), -1),
        JobStepped(7, 0, 2, "heartbeat", "pending", "success"),
    ]
    assert run_too_often(good) == []
    assert run_too_often([*good, good[0], good[1], good[4], good[5]]) == [
        "start of job 1",
        "effect of request 0, attempt 1",
        "end of job 1",
        "commit of job 2",
    ]


def unfinished(world: World) -> list[int]:
    """The jobs that will never end although nothing is left to happen."""
    return [job.id for job in world.deployment.store.jobs.values() if job.state in ("pending", "inProgress")]


FAULTS = (
    "[restart: {at: [1s, 2s, 3s, 5s, 8s], down: 500ms}]",
    "[restart: {at: [1s, 1s1ms, 4s], down: 0s, inflight: lost}]",
    "[restart: {rate: 6000/h, down: 100ms}, system_error: {share: 0.05}]",
)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("platform", ["profile: convex", "profile: ideal, parallelism: 4"])
@pytest.mark.parametrize("faults", FAULTS)
def test_restarts_leave_no_job_unfinished_and_nothing_runs_twice(port: str, platform: str, faults: str) -> None:
    world, requests, events = recorded(faulty(port, platform, faults))
    assert unfinished(world) == []
    assert run_too_often(events) == []
    struck = [event for event in events if event.kind == "attempt_end" and event.end == "died"]
    assert struck
    assert sum(event.kind == "restart" for event in events) == sum(event.kind == "boot" for event in events) >= 3
    assert [request.number for request in requests] == list(range(150))
    assert Outcome.open not in {request.outcome for request in requests}


def small(port: str, restart: str) -> Scenario:
    return parse(
        f"""
        world: shared
        seed: 6
        requests: {{count: 3, arrivals: {{constant: {{rate: 20/s}}}}}}
        platform: {{profile: convex, parallelism: 2}}
        action: {{latency: {{constant: 60ms}}, effect_at: 0.5, outcomes: {{fail: 0.3}}}}
        faults: {restart}
        retrier: {port}
        """
    )


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("restart", ["down: 0s, inflight: continues", "down: 1s, inflight: lost"])
def test_a_restart_at_any_moment_repeats_nothing_and_leaves_nothing_behind(port: str, restart: str) -> None:
    # Before and after every commit, state and effect: what happens at the instant itself comes after the restart.
    _, _, events = recorded(small(port, "[]"))
    moments = {event.t_ns for event in events if event.kind in {"commit", "state", "effect", "attempt", "submit"}}
    outcomes: Counter[Outcome] = Counter()
    for moment_ns in sorted({later for moment in moments for later in (moment, moment + 1)}):
        world, requests, after = recorded(small(port, f"[restart: {{at: [{moment_ns}ns], {restart}}}]"))
        assert (moment_ns, unfinished(world), run_too_often(after)) == (moment_ns, [], [])
        committed = Counter(event.job for event in after if event.kind == "commit" and event.job >= 0)
        mutations = {job.id: job for job in world.deployment.store.jobs.values() if job.function.kind == "mutation"}
        assert committed == dict.fromkeys(mutations, 1)
        outcomes.update(request.outcome for request in requests)
    assert set(outcomes) == {Outcome.success}
    assert outcomes.total() >= 3 * 2 * 15
