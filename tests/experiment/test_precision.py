"""Runs that go on until their intervals are narrow enough."""

import contextlib
import itertools
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.api.check import check
from sim.api.replay import replayed
from sim.api.run import run
from sim.expect.targets import parse_target
from sim.experiment.chunks import chunk_counts, chunks_of, rounds_with
from sim.experiment.plan import plan
from sim.experiment.precision import next_sizes, precision_lines, size_in_round
from sim.measure.estimates import Sample
from sim.measure.means import mean
from sim.measure.summary import cell_summary
from sim.results.reading import open_results
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

TWO = """
seed: 5
requests: {count: 250}
action: {latency: {exponential: {mean: 100ms}}, outcomes: {fail: 0.1}}
variants:
  once: {retrier: none}
  again: {retrier: {kind: helpers, max_failures: 2}}
"""
SHARED = """
world: shared
requests: {count: 20, arrivals: {poisson: {rate: 20/s}}}
replications: 3
action: {latency: {exponential: {mean: 100ms}}}
retrier: none
"""


def scenario(text: str, *intervals: str, **limits: int) -> Scenario:
    return parse(text, overrides=[("precision", json.dumps({"intervals": intervals, **limits}))])


def test_a_run_goes_on_until_every_interval_of_every_cell_is_narrow_enough() -> None:
    result = run(scenario(TWO, "time_to_known.mean +- 4%"))
    sizes = [len(cell.requests) for cell in result.cells]
    assert (sizes, [one.reached for one in result.precision]) == ([4000, 4000], [True, True])


def test_one_round_earlier_they_were_not() -> None:
    fixed = run(parse(TWO, requests=2000))
    target = parse_target("time_to_known.mean +- 4%")
    assert not all(target.is_reached(cell.metrics.value("time_to_known.mean")) for cell in fixed.cells)


def test_what_comes_out_is_what_a_run_of_that_size_gives() -> None:
    grown, fixed = run(scenario(TWO, "time_to_known.mean +- 4%")), run(parse(TWO, requests=4000))
    assert [cell_summary(cell.metrics) for cell in grown.cells] == [cell_summary(cell.metrics) for cell in fixed.cells]


def test_the_limit_ends_a_run_and_is_told() -> None:
    result = run(scenario(TWO, "success.rate +- 0.01%", requests_at_most=700))
    assert {len(cell.requests) for cell in result.cells} == {700}
    assert precision_lines(result.precision, result.size) == [
        (
            "not reached with 700 requests a cell, the limit: success.rate +- 0.01%; "
            "the interval is +- 2.35 pp in 'once' (and 1 more)"
        )
    ]


def test_no_run_stops_below_the_least_size() -> None:
    assert len(run(scenario(TWO, "success.rate +- 50%")).requests("once")) == 1000


def test_shared_worlds_add_replications() -> None:
    result = run(scenario(SHARED, "time_to_effect.mean +- 90%"))
    (cell,) = result.cells
    assert (cell.metrics.replications, len(cell.requests), result.size) == (
        12,
        240,
        "20 requests x 12 replications",
    )


def test_replications_that_are_added_are_those_of_a_larger_run() -> None:
    grown = run(scenario(SHARED, "time_to_effect.mean +- 90%"))
    fixed = run(parse(SHARED, overrides=[("replications", "12")]))
    assert cell_summary(grown.cells[0].metrics) == cell_summary(fixed.cells[0].metrics)


def test_sizes_double_up_to_the_limit() -> None:
    made = scenario(TWO, "success.rate +- 1%", requests_at_most=1700)
    assert [size_in_round(made, number) for number in range(5)] == [250, 500, 1000, 1700, 1700]


def test_without_precision_there_is_one_round() -> None:
    result = run(parse(TWO))
    assert (next_sizes(result.cells, 0), result.precision, "precision" in result.summary()) == (None, [], False)


def test_what_no_request_counts_for_is_never_known_well_enough() -> None:
    result = run(scenario(TWO, "time_to_known.canceled.p50 +- 5%", requests_at_most=300))
    assert [(one.half_width, one.reached) for one in result.precision] == [(math.inf, False)] * 2
    assert precision_lines(result.precision, result.size)[0].endswith(
        "there is no interval, or one without an upper limit, in 'once' (and 1 more)"
    )


def test_the_summary_says_how_narrow_the_intervals_are() -> None:
    told = run(scenario(TWO, "success.rate +- 50%", "time_to_effect.p50 +- 200ms")).summary()["precision"]
    assert [(one["cell"], one["target"], one["reached"]) for one in told] == [
        ("once", "success.rate +- 50%", True),
        ("once", "time_to_effect.p50 +- 200ms", True),
        ("again", "success.rate +- 50%", True),
        ("again", "time_to_effect.p50 +- 200ms", True),
    ]
    assert 0 < told[1]["half_width"] < 200


def test_requests_that_were_added_can_be_replayed() -> None:
    made = scenario(TWO, "time_to_known.mean +- 4%")
    settled = run(made).requests("again").settled_ns[3999]
    assert replayed(made, 3999, "again").requests.settled_ns[0] == settled


# Kept in a folder.


class Stopped(Exception):
    """Somebody has stopped the run."""


def kept_run(folder: Path, stops_after: int | None = None) -> list[tuple[int, int]]:
    """Run TWO, which takes 2 x 4000 requests, in a folder; return how far it was told to be."""
    told: list[tuple[int, int]] = []

    def watch(done: int, total: int, cell: str) -> None:
        del cell
        told.append((done, total))
        if stops_after is not None and done >= stops_after:
            raise Stopped

    with contextlib.suppress(Stopped):
        run(scenario(TWO, "time_to_known.mean +- 4%"), out=folder, progress=watch)
    return told


def test_results_that_are_kept_are_those_of_a_run_in_memory(tmp_path: Path) -> None:
    kept_run(tmp_path)
    opened, made = open_results(tmp_path), run(scenario(TWO, "time_to_known.mean +- 4%"))
    assert opened.summary() == made.summary()
    assert opened.size == "4,000 requests"


@pytest.mark.parametrize("stops_after", [300, 1000, 3000, 7999, 8000])
def test_a_run_that_was_stopped_in_any_round_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, stops_after: int
) -> None:
    kept_run(tmp_path / "whole")
    kept_run(tmp_path / "stopped", stops_after)
    assert not (tmp_path / "stopped" / "results.sqlite").exists()
    told = kept_run(tmp_path / "stopped")
    assert told[0][0] > 0
    files = [(tmp_path / name / "results.sqlite").read_bytes() for name in ("whole", "stopped")]
    assert files[0] == files[1]


def test_a_run_that_is_there_simulates_nothing(tmp_path: Path) -> None:
    kept_run(tmp_path)
    assert kept_run(tmp_path) == []


def test_histograms_grow_as_requests_do(tmp_path: Path) -> None:
    made = scenario(f"{TWO}keep: histogram\n", "time_to_known.mean +- 4%")
    kept, in_memory, fixed = (
        run(made, out=tmp_path),
        run(made),
        run(parse(f"{TWO}keep: histogram", requests=4000)),
    )
    assert kept.summary() == in_memory.summary()
    assert [cell_summary(cell.metrics) for cell in kept.cells] == [cell_summary(cell.metrics) for cell in fixed.cells]


def test_workers_change_no_byte(tmp_path: Path) -> None:
    kept_run(tmp_path / "one")
    with ThreadPoolExecutor(2) as executor:
        run(scenario(TWO, "time_to_known.mean +- 4%"), out=tmp_path / "two", executor=executor)
    files = [(tmp_path / name / "results.sqlite").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]


def test_a_chunk_is_the_same_however_many_rounds_there_are() -> None:
    both = plan(scenario(TWO, "success.rate +- 1%", requests_at_most=9000), "event")
    planned = replace(both, cells=both.cells[:1])
    found = [list(chunks_of(planned, rounds)) for rounds in range(1, 8)]
    assert [len(chunks) for chunks in found] == [1, 2, 3, 4, 5, 6, 7]
    assert all(later[: len(chunks)] == chunks for chunks, later in itertools.pairwise(found))
    assert [(chunk.first, chunk.count) for chunk in found[-1]][-2:] == [(4000, 4000), (8000, 1000)]


@pytest.mark.parametrize("text", [TWO, SHARED])
def test_the_number_of_rounds_is_known_from_that_of_the_chunks(text: str) -> None:
    limits = {"requests_at_most": 60_000} if text is TWO else {"replications_at_most": 50}
    planned = plan(scenario(text, "success.rate +- 1%", **limits), "event")
    counted = [chunk_counts(planned, rounds) for rounds in range(1, 6)]
    assert [rounds_with(planned, counts) for counts in counted] == [1, 2, 3, 4, 5]
    assert rounds_with(planned, [0, *counted[-1][1:]]) is None


def test_a_run_is_refused_where_its_limit_would_be_too_much() -> None:
    made = scenario(TWO, "success.rate +- 0.01%", requests_at_most=1_000_000)
    with pytest.raises(ScenarioError, match="more than limits"):
        plan(made.model_copy(update={"limits": made.limits.model_copy(update={"events": 10_000})}))


def test_a_checked_run_has_a_fixed_size() -> None:
    with pytest.raises(ScenarioError, match="a run whose histories are checked has a fixed size"):
        check(scenario(TWO, "success.rate +- 5%"))


def test_stopping_at_narrow_intervals_hardly_makes_them_miss() -> None:
    # 400 runs that double from 1000 values of a skewed law until the mean is known to 3 %: they stop at 4000 or 8000.
    generator = np.random.default_rng(6)
    target = parse_target("time_to_effect.mean +- 3%")
    hits = 0
    for _ in range(400):
        values = (1e6 * generator.exponential(size=16_000)).astype(np.int64)
        estimates = (mean(Sample.of(values[:size])) for size in (1000, 2000, 4000, 8000, 16_000))
        found = next(estimate for estimate in estimates if target.is_reached(estimate))
        hits += (found.low or 0) <= 1e6 <= (found.high or 0)
    assert hits / 400 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)
