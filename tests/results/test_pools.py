"""Statuses, backlog and slots of a pool of works in the results of a run."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sim.api.run import run
from sim.cli.main import cli
from sim.engine.world import World
from sim.history.deployment_events import DocumentWritten
from sim.history.recorder import Recorder
from sim.history.traffic import CallLog
from sim.kernel.durations import NS_PER_S
from sim.measure.paths import UnknownMetric
from sim.results.reading import open_results
from sim.results.result import Result
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

SCENARIO = """
name: pooled
seed: 7
world: shared
requests: {count: 60, arrivals: {poisson: {rate: 8/s}}}
replications: 2
timeline: {every: 5s}
action: {latency: {exponential: {mean: 900ms}}, outcomes: {fail: 20%}}
retrier: {kind: workpool, max_parallelism: 4}
faults: [{restart: {at: [6s]}}]
expect: [pool.slots.max <= 4, pool.workpool.held.max > 5m]
"""


@pytest.fixture(scope="module")
def result() -> Result:
    return run(parse(SCENARIO))


def value(result: Result, path: str) -> float:
    found = result.cells[0].metrics.value(path).value
    assert found is not None
    return found


def statuses_by_documents() -> tuple[World, list[tuple[int, dict[str, int]]]]:
    """Simulate one replication; return how many works had each status after each instant, by the pool's documents."""
    cell = parse(SCENARIO)
    recorder = Recorder()
    world = World(cell, recorder=recorder, calls=CallLog())
    world.shared()
    tables: dict[str, dict[str, Any]] = {}
    found: list[tuple[int, dict[str, int]]] = []
    for event in recorder.history():
        if not isinstance(event, DocumentWritten):
            continue
        rows = tables.setdefault(event.document_id.rpartition(":")[0], {})
        if event.document is None:
            del rows[event.document_id]
        else:
            rows[event.document_id] = event.document
        works = tables.get("workpool/work", {})
        waiting = {one["workId"] for one in tables.get("workpool/pendingStart", {}).values()}
        retried = {one["workId"] for one in tables.get("workpool/pendingCompletion", {}).values() if one["retry"]}
        pending = sum(work in waiting or work in retried for work in works)
        state = next(iter(tables.get("workpool/internalState", {}).values()), {"running": ()})
        counts = {"pending": pending, "running": len(works) - pending, "slots": len(state["running"])}
        if found and found[-1][0] == event.t_ns:
            found[-1] = (event.t_ns, counts)
        else:
            found.append((event.t_ns, counts))
    return world, found


def test_statuses_over_time_are_what_status_answers() -> None:
    world, told = statuses_by_documents()
    turns = world.traffic().pools.turns

    def number(begun: Any, ended: Any, at_ns: int) -> int:
        return int(((begun >= 0) & (begun <= at_ns) & ((ended < 0) | (ended > at_ns))).sum())

    for at_ns, counts in told:
        retried = turns.end == 4
        stopped = turns.started_ns.copy()
        stopped[stopped < 0] = turns.over_ns[stopped < 0]
        reported_ns = turns.reported_ns.copy()
        reported_ns[~retried] = -1
        assert {
            "pending": number(turns.planned_ns, stopped, at_ns) + number(reported_ns, turns.freed_ns, at_ns),
            "running": number(turns.started_ns, turns.reported_ns, at_ns),
            "slots": number(turns.started_ns, turns.freed_ns, at_ns),
        } == counts, at_ns
    assert len(told) > 100


def test_a_slot_is_held_for_minutes_after_a_death(result: Result) -> None:
    assert 5 * 60 * NS_PER_S < value(result, "pool.held.max") < 7 * 60 * NS_PER_S


def test_without_a_death_a_slot_is_free_within_two_looks() -> None:
    calm = run(
        parse(SCENARIO.replace("faults: [{restart: {at: [6s]}}]", "").replace(", pool.workpool.held.max > 5m", ""))
    )
    assert 0 < value(calm, "pool.held.max") < NS_PER_S


def test_a_pool_never_holds_more_slots_than_it_may(result: Result) -> None:
    assert value(result, "pool.slots.max") == 4
    assert 0 < value(result, "pool.utilization.mean") <= 1


def test_every_work_is_finished_at_the_end(result: Result) -> None:
    assert value(result, "pool.finished.max") == 60


def test_expectations_name_a_pool(result: Result) -> None:
    assert [verdict.ruling.name for verdict in result.cells[0].verdicts] == ["met", "met"]


def test_a_pool_that_is_not_there_is_refused() -> None:
    with pytest.raises(ScenarioError, match="there is no pool 'workpol'; did you mean 'workpool'"):
        parse(SCENARIO.replace("pool.workpool.held", "pool.workpol.held"))


def test_a_world_without_a_pool_has_no_metrics_of_one() -> None:
    with pytest.raises(ScenarioError, match="kind: workpool"):
        parse(SCENARIO.replace("{kind: workpool, max_parallelism: 4}", "component"))


def test_an_isolated_world_has_no_metrics_of_a_pool() -> None:
    alone = run(parse("requests: {count: 2}\nretrier: workpool\n"))
    with pytest.raises(UnknownMetric, match="world: shared"):
        alone.cells[0].metrics.value("pool.backlog.mean")


def test_the_timeline_has_the_pool(result: Result) -> None:
    timeline = result.cells[0].timeline
    assert timeline is not None
    assert timeline["pool.workpool.finished"].mean[-1] == pytest.approx(60)
    assert timeline["pool.workpool.parallelism"].mean[0] == 4
    assert 0 <= timeline["pool.workpool.awake"].mean.min() < timeline["pool.workpool.awake"].mean.max() == 1


def test_saved_results_have_the_pool(tmp_path: Path, result: Result) -> None:
    (tmp_path / "pooled.yaml").write_text(SCENARIO)
    done = CliRunner().invoke(cli, ["run", str(tmp_path / "pooled.yaml"), "--out", str(tmp_path / "out"), "--no-plots"])
    assert done.exit_code == 0, done.output
    assert "works waited on average although they were due" in " ".join(done.output.split())
    again = open_results(tmp_path / "out").cells[0].metrics
    for path in ("pool.backlog.mean", "pool.wait.p99", "pool.held.max", "pool.workpool.awake.share"):
        assert again.value(path) == result.cells[0].metrics.value(path)
    timeline = (tmp_path / "out" / "timeline.csv").read_text()
    assert "pool.workpool" in timeline
