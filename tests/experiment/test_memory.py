"""What is kept of a request takes few bytes, from its simulation to its metrics."""

import tracemalloc

import pytest

from sim.api.run import run
from sim.history.packed import PackedRequests
from sim.scenario.load import parse

TEXT = """
retrier: helpers
requests: {{count: {count}}}
action: {{latency: {{lognormal: {{median: 120ms, p99: 900ms}}}}, outcomes: {{fail: 0.3}}}}
"""
FEW, MANY = 2**16, 3 * 2**16
"""One chunk, and three: what a chunk needs while it is simulated is in both."""


def peak(count: int, folder: object) -> int:
    scenario = parse(TEXT.format(count=count))
    tracemalloc.start()
    try:
        result = run(scenario, out=folder if folder is None else str(folder))
        result.table()
        result.summary_json()
        result.plot.data.time_to_effect()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "in memory"])
def test_a_request_takes_less_than_90_bytes_with_all_its_metrics(stored: bool, tmp_path: object) -> None:  # noqa: FBT001
    folders = [f"{tmp_path}/few", f"{tmp_path}/many"] if stored else [None, None]
    few, many = peak(FEW, folders[0]), peak(MANY, folders[1])
    assert (many - few) / (MANY - FEW) < 90


def test_requests_stay_packed_until_a_column_is_asked_for() -> None:
    result = run(parse(TEXT.format(count=3000)))
    result.summary_json()
    requests = result.requests()
    assert isinstance(requests, PackedRequests)
    with pytest.raises(AttributeError):
        object.__getattribute__(requests, "settled_ns")
    assert requests.settled_ns.shape == (3000,)
