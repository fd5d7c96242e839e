"""Which requests a run simulates, which of them count, and what its watcher is told."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from scipy.special import stdtrit

from sim.api.check import check
from sim.api.run import run
from sim.engine.event import simulate
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

SECOND = 1_000_000_000

SHARED = """
world: shared
seed: 14
requests: {count: 300, arrivals: {poisson: {rate: 6/s}}}
replications: 5
platform: {profile: ideal, parallelism: 8}
action: {latency: {exponential: {mean: 1s}}}
retrier: component
"""


def test_only_requests_submitted_in_the_window_count() -> None:
    text = "{{world: shared, requests: {{count: 100, arrivals: {{constant: {{rate: 10/s}}}}}}, retrier: none, {}}}"
    submitted = {
        window: run(parse(text.format(f"measure: {window}"))).requests().submitted_ns.tolist()
        for window in ("{from: 2s, to: 3s}", "{from: 9500ms}", "{to: 100ms}", "{from: 1h}")
    }
    # From the first instant on, up to but without the last.
    assert submitted == {
        "{from: 2s, to: 3s}": [tenth * SECOND // 10 for tenth in range(20, 30)],
        "{from: 9500ms}": [tenth * SECOND // 10 for tenth in range(95, 100)],
        "{to: 100ms}": [0],
        "{from: 1h}": [],
    }


def test_requests_outside_of_the_window_are_simulated_all_the_same() -> None:
    whole = run(parse(SHARED)).requests()
    cut = run(parse(f"{SHARED}\nmeasure: {{from: 10s, to: 30s}}")).requests()
    inside = (whole.submitted_ns >= 10 * SECOND) & (whole.submitted_ns < 30 * SECOND)
    assert 0 < len(cut) < len(whole)
    assert cut.settled_ns.tolist() == whole.settled_ns[inside].tolist()


def test_a_window_without_requests_measures_nothing() -> None:
    (cell,) = run(parse(f"{SHARED}\nmeasure: {{from: 1d}}")).summary()["cells"]
    assert cell["requests"] == 0
    assert cell["metrics"]["time_to_known.mean"] == {"value": None, "low": None, "high": None, "unit": "ms"}
    assert cell["examples"] == {}


def test_requests_that_never_come_are_not_there() -> None:
    text = "{{world: shared, until: {}, retrier: none, requests: {{count: 10, arrivals: {{poisson: {{rate: 1/s}}}}}}}}"
    assert 0 < len(run(parse(text.format("5s"))).requests()) < 10
    assert len(run(parse(text.format("1ns"))).requests()) == 0


def test_replications_are_told_apart_and_differ() -> None:
    requests = run(parse(SHARED)).requests()
    assert requests.replication.tolist() == [number for number in range(5) for _ in range(300)]
    assert requests.number.tolist() == list(range(300)) * 5
    assert len({tuple(part) for part in requests.submitted_ns.reshape(5, 300).tolist()}) == 5


def test_a_replication_is_the_same_among_more_of_them() -> None:
    five = run(parse(SHARED)).requests()
    (two,) = run(parse(SHARED.replace("replications: 5", "replications: 2"))).cells
    assert two.requests.settled_ns.tolist() == five.settled_ns[:600].tolist()
    alone = simulate(parse(SHARED), 3)
    assert alone.settled_ns.tolist() == five.settled_ns[900:1200].tolist()


def test_replications_give_at_least_a_t_interval_about_the_pooled_mean() -> None:
    (cell,) = run(parse(SHARED)).cells
    known = cell.requests.settled_ns - cell.requests.submitted_ns
    means = known.reshape(5, 300).mean(axis=1)
    half = stdtrit(4, 0.975) * means.std(ddof=1) / sqrt(5)
    estimate = cell.metrics.value("time_to_known.mean")
    assert estimate.value == pytest.approx(known.mean())
    assert (estimate.low or 0) <= known.mean() - half < known.mean() + half <= (estimate.high or 0) * (1 + 1e-12)


def test_one_replication_of_a_shared_world_gives_no_interval() -> None:
    (cell,) = run(parse(SHARED.replace("replications: 5", "replications: 1"))).cells
    estimate = cell.metrics.value("time_to_known.mean")
    assert (estimate.value is not None, estimate.low, estimate.high) == (True, None, None)
    assert cell.metrics.value("success.rate").low is None


def test_an_isolated_world_gives_intervals_at_once() -> None:
    (cell,) = run(parse("{retrier: helpers, requests: {count: 400}, action: {outcomes: {fail: 0.3}}}")).cells
    estimate = cell.metrics.value("time_to_known.p90")
    assert estimate.low is not None
    assert estimate.value is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize(
    ("text", "total", "names"),
    [
        ("{retrier: none, requests: {count: 1000}}", 1000, ["scenario"]),
        ("{retrier: none, requests: {count: 1}}", 1, ["scenario"]),
        (
            "{requests: {count: 600}, sweep: {retrier: [none, article], action.outcomes.fail: [0, 0.5]}}",
            2400,
            ["none, fail=0", "none, fail=0.5", "article, fail=0", "article, fail=0.5"],
        ),
        (SHARED, 1500, ["scenario"]),
    ],
)
def test_the_watcher_is_told_of_steady_progress_up_to_the_end(text: str, total: int, names: list[str]) -> None:
    told: list[tuple[int, int, str]] = []
    told_of = lambda done, all_of_them, cell: told.append((done, all_of_them, cell))  # noqa: E731
    run(parse(text), engine="event", progress=told_of)
    done = [step for step, _, _ in told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)
    assert {all_of_them for _, all_of_them, _ in told} == {total}
    assert list(dict.fromkeys(name for _, _, name in told)) == names
    assert max(np.diff([*done, total])) <= 256


def test_watching_changes_nothing() -> None:
    watched = run(parse(SHARED), progress=lambda done, total, cell: None)  # noqa: ARG005  # the names count
    assert watched.summary_json() == run(parse(SHARED)).summary_json()


@pytest.mark.parametrize("simulates", [run, check])
def test_a_scenario_that_holds_a_course_is_not_simulated_without_it(simulates: Callable[[Scenario], object]) -> None:
    scenario = parse("retrier: helpers\ncourse: {requests: 1}\n")
    with pytest.raises(ScenarioError, match="this is one course of events"):
        simulates(scenario)
