"""Same scenario and seed, same bytes: whatever the process, the order, the rest of the run, who watches."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.api.run import run
from sim.engine.event import simulate
from sim.engine.world import World
from sim.history.events import AttemptEnded, AttemptStarted
from sim.history.recorder import Recorder
from sim.history.records import Requests
from sim.history.request import table
from sim.results.result import Result
from sim.scenario.cells import cells
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

Columns = Callable[[Requests], dict[str, list[Any]]]
MODULE = [sys.executable, "-m", "sim"]
ROOT = Path(__file__).parents[2]


@cache
def result_of(text: str) -> Result:
    """Run a scenario, once for all claims about one run of it."""
    return run(parse(text))


def test_the_mixed_scenarios_have_what_they_are_meant_to_have(isolated: str, shared: str) -> None:
    outcomes = {name for cell in result_of(isolated).cells for name, count in cell.metrics.outcomes.items() if count}
    assert outcomes == {"success", "gave_up", "stuck", "canceled"}
    result = result_of(shared)
    assert sum(cell.requests.conflicts.sum() for cell in result.cells) > 0
    assert sum(cell.requests.duplicates.sum() for cell in result.cells) > 0
    assert {cell.metrics.replications for cell in result.cells} == {3}


def test_two_runs_give_the_same_bytes_wherever_they_run(
    mixed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = result_of(mixed).summary_json()
    monkeypatch.chdir(tmp_path)
    assert run(parse(mixed)).summary_json() == here
    assert [place for place in (str(ROOT), str(tmp_path)) if place in here] == []


def test_two_processes_at_once_write_what_each_alone_would(isolated: str, tmp_path: Path) -> None:
    text = isolated.replace("count: 150", "count: 30")
    (tmp_path / "mix.yaml").write_text(text)
    processes = [
        subprocess.Popen(  # noqa: S603  # this interpreter
            [*MODULE, "run", "mix.yaml", "--no-plots", "--out", folder],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for folder in ("one", "two")
    ]
    told = [process.communicate() for process in processes]
    expected = run(parse(text)).summary_json()
    assert {(tmp_path / folder / "summary.json").read_text() for folder in ("one", "two")} == {expected}
    of_one = told[0][0].replace(b"saved in one", b"saved in two").replace(b"--out one", b"--out two")
    assert of_one == told[1][0]
    assert [err for _, err in told] == [b"", b""]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.yaml", "one", "two"]


# A part alone is as in the whole.


def test_a_cell_alone_is_as_among_the_others(mixed: str) -> None:
    whole = result_of(mixed)
    for cell, found in zip(cells(whole.scenario), whole.summary()["cells"], strict=True):
        (alone,) = run(cell.scenario).summary()["cells"]
        places = ("id", "name", "params")
        assert {key: value for key, value in alone.items() if key not in places} == {
            key: value for key, value in found.items() if key not in places
        }


def test_a_cell_is_the_same_whatever_else_is_swept() -> None:
    text = "{{requests: {{count: 200}}, retrier: helpers, sweep: {{action.outcomes.fail: [{}]}}}}"
    several = run(parse(text.format("0.1, 0.4, 0.7"))).summary()["cells"]
    fewer = run(parse(text.format("0.7, 0.4"))).summary()["cells"]
    assert fewer == [several[2], several[1]]


@pytest.mark.parametrize("retrier", ["article", "helpers", "component", "none"])
def test_the_requests_of_a_small_run_are_the_first_of_a_large_one(
    retrier: str, isolated: str, columns: Columns
) -> None:
    one = {cell.scenario.retrier.kind: cell.scenario for cell in cells(parse(isolated))}[retrier]
    large = simulate(one, numbers=range(1000))
    small = simulate(one, numbers=range(100))
    assert columns(small) == columns(large.select(np.arange(100)))


def test_requests_of_an_isolated_world_do_not_depend_on_their_order(isolated: str, columns: Columns) -> None:
    for cell in cells(parse(isolated)):
        backwards = simulate(cell.scenario, numbers=range(99, -1, -1))
        forwards = simulate(cell.scenario, numbers=range(100))
        assert columns(backwards.select(np.arange(99, -1, -1))) == columns(forwards)


def test_what_is_recorded_changes_nothing(mixed: str, columns: Columns) -> None:
    for cell in cells(parse(mixed)):
        recorder = Recorder()
        watched = simulate(cell.scenario, recorder=recorder)
        assert columns(watched) == columns(simulate(cell.scenario))
        assert len(recorder.history()) > len(watched)


def test_histories_of_two_runs_have_one_digest(mixed: str) -> None:
    for cell in cells(parse(mixed)):
        digests = set()
        for _ in range(2):
            recorder = Recorder()
            simulate(cell.scenario, recorder=recorder)
            digests.add(recorder.history().digest())
        assert len(digests) == 1


def test_a_world_used_again_is_as_new(isolated: str, columns: Columns) -> None:
    for cell in cells(parse(isolated)):
        world = World(cell.scenario)
        first, again = table(world.isolated(range(30))), table(world.isolated(range(30)))
        assert columns(first) == columns(again)


# Common random numbers.


def attempts_of(scenario: Scenario) -> dict[tuple[int, int], tuple[str, int | None]]:
    """Outcome in store and time taken of each attempt, by request and attempt."""
    recorder = Recorder()
    simulate(scenario, recorder=recorder)
    met: dict[tuple[int, int], tuple[str, int | None]] = {}
    begun: dict[tuple[int, int], tuple[str, int]] = {}
    for event in recorder.history():
        if isinstance(event, AttemptStarted):
            key = (event.request, event.attempt)
            begun[key] = (event.outcome, event.t_ns)
            met[key] = (event.outcome, None)
        elif isinstance(event, AttemptEnded):
            key = (event.request, event.attempt)
            met[key] = (event.end, event.t_ns - begun[key][1])
    return met


def test_every_retrier_meets_the_same_attempts() -> None:
    text = """
    requests: {{count: 400}}
    seed: 9
    action:
      latency: {{lognormal: {{median: 100ms, p99: 1s}}}}
      outcomes:
        {{fail: {{share: 0.4, latency: {{exponential: {{mean: 30ms}}}}}}, ack_lost: 0.1, crash_after_effect: 0.1}}
    retrier: {}
    """
    met = {
        name: attempts_of(parse(text.format(name)))
        for name in ("none", "article", "helpers", "component", "{kind: component, initial_backoff: 1m}")
    }
    most = met["article"]
    assert len(most) > 900
    for others in met.values():
        common = sorted(others.keys() & most.keys())
        assert len(common) >= 400
        assert [others[key] for key in common] == [most[key] for key in common]


def test_every_retrier_meets_the_same_weather() -> None:
    # The first attempt of every request starts at 0, whoever makes it; a request that it fails is under bad weather.
    text = (
        "{{requests: {{count: 500}}, seed: 9, retrier: {}, action: {{weather:"
        " [{{on_off: {{up: {{exponential: {{mean: 3s}}}}, down: {{exponential: {{mean: 3s}}}}}}}}]}}}}"
    )
    first_failed = [
        [number for number in range(500) if met[number, 1][0] == "threw"]
        for met in (attempts_of(parse(text.format(name))) for name in ("none", "article", "component"))
    ]
    assert 150 < len(first_failed[0]) < 350
    assert first_failed == [first_failed[0]] * 3


def test_another_seed_gives_other_numbers(mixed: str) -> None:
    results = (result_of(mixed), run(parse(mixed, seed=2**63 - 1)))
    one, other = (json.loads(result.summary_json())["cells"] for result in results)
    times = [
        [{path: one for path, one in cell["metrics"].items() if path.startswith("time_to_known")} for cell in found]
        for found in (one, other)
    ]
    assert all(ours != theirs for ours, theirs in zip(*times, strict=True))
    assert [ours["id"] for ours in one] == [theirs["id"] for theirs in other]
