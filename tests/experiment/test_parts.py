"""`keep: histogram`: what a run keeps, says and refuses where it keeps no requests."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from stored_arrays import encode_arrays

from sim.api.check import check
from sim.api.run import run
from sim.experiment import chunks, engines
from sim.experiment.chunks import chunks_of
from sim.experiment.parts import RequestsNotKept
from sim.experiment.payload import BadPayload, decode, encode
from sim.experiment.plan import plan
from sim.history.records import Requests
from sim.measure.tally import Tally
from sim.results.reading import open_results
from sim.results.result import Result
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

TEXT = """
name: kept
seed: 9
requests: {{count: 700}}
keep: {keep}
action:
  latency: {{lognormal: {{median: 120ms, p99: 2s}}}}
  outcomes: {{fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.03, crash_after_effect: 0.05}}
variants:
  article: {{retrier: article}}
  component: {{retrier: component}}
expect: [time_to_effect.p90 <= 2s]
"""


def scenario(keep: str) -> Scenario:
    return parse(TEXT.format(keep=keep))


@pytest.fixture(scope="module")
def requests() -> Result:
    return run(scenario("requests"))


@pytest.fixture(scope="module")
def histogram() -> Result:
    return run(scenario("histogram"))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the engine take 32 requests at a time, and write down how many it is asked for."""
    asked: list[int] = []
    simulate = engines.simulate

    def counting(*args: object, requests: range, **options: object) -> Requests:
        asked.append(len(requests))
        return simulate(*args, requests=requests, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "simulate", counting)
    monkeypatch.setattr(chunks, "CHUNK_REQUESTS", {"event": 32, "vector": 32})
    return asked


def test_all_that_is_counted_is_the_same_and_percentiles_are_within_a_thousandth(
    requests: Result, histogram: Result
) -> None:
    for one, other in zip(requests.cells, histogram.cells, strict=True):
        exact, got = one.summary(), other.summary()
        for key in ("outcomes", "attempts", "duplicates", "examples"):
            assert got[key] == exact[key]
        for path in ("success.rate", "attempts.mean", "polls.mean", "cost.action_ms"):
            assert got["metrics"][path] == exact["metrics"][path]
        for path in ("time_to_effect.p50", "time_to_effect.p99"):
            assert got["metrics"][path]["value"] == pytest.approx(exact["metrics"][path]["value"], rel=1e-3)
        assert [verdict.ruling for verdict in other.verdicts] == [verdict.ruling for verdict in one.verdicts]
        assert (exact["percentiles_within"], got["percentiles_within"]) == (0, 0.001)


def test_requests_are_refused_with_the_reason(histogram: Result) -> None:
    reason = r"cell 'article' keeps only histograms of its requests \(`keep: histogram`\)"
    for ask in (lambda: histogram.requests("article"), lambda: histogram.cells[0].requests):
        with pytest.raises(RequestsNotKept, match=reason):
            ask()
    pytest.importorskip("pandas")
    with pytest.raises(RequestsNotKept, match=reason):
        histogram.to_pandas("requests")


def test_a_cell_is_simulated_block_by_block_and_comes_out_the_same(small_blocks: list[int], histogram: Result) -> None:
    assert run(scenario("histogram")).summary_json() == histogram.summary_json()
    assert max(small_blocks) == 32
    assert sum(small_blocks) == 1400


def test_a_chunk_of_histograms_is_many_blocks(small_blocks: list[int]) -> None:
    del small_blocks
    found = {
        keep: [chunk.count for chunk in chunks_of(plan(scenario(keep), "event")) if chunk.cell == 0]
        for keep in ("requests", "histogram")
    }
    assert found == {"requests": [32] * 21 + [28], "histogram": [512, 188]}


def test_results_in_a_folder_are_those_in_memory(small_blocks: list[int], histogram: Result, tmp_path: object) -> None:
    del small_blocks
    kept = run(scenario("histogram"), out=str(tmp_path))
    opened = open_results(str(tmp_path))
    assert kept.summary_json() == opened.summary_json() == histogram.summary_json()
    assert isinstance(opened.cells[0].part, Tally)


def test_workers_give_the_same(histogram: Result) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert run(scenario("histogram"), executor=pool).summary_json() == histogram.summary_json()


def test_what_is_checked_is_kept_alike(histogram: Result) -> None:
    checked = check(scenario("histogram"), invariants=()).result
    assert [cell.summary() for cell in checked.cells] == [cell.summary() for cell in histogram.cells]


def test_a_tally_survives_its_bytes_and_damaged_ones_are_refused(histogram: Result) -> None:
    tally = histogram.cells[0].part
    assert isinstance(tally, Tally)
    data = encode(tally)
    again = decode(data)
    assert isinstance(again, Tally)
    assert encode(again) == data
    arrays = tally.to_arrays()
    for wrong in ({**arrays, "bins": arrays["bins"][1:]}, {key: arrays[key] for key in ("sizes", "bins")}):
        with pytest.raises(BadPayload, match="no part of a result"):
            decode(encode_arrays(wrong))
