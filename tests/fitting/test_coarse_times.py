"""Logs that tell times in whole seconds, as most servers do: what stands in one second stands in no order of starts."""

from pathlib import Path

import numpy as np
import pytest
from made_logs import log_of

from sim.fitting.asked import Asked
from sim.fitting.clustering import clustering_of
from sim.fitting.fit import fit_log
from sim.fitting.log import Log
from sim.fitting.order import mixed_in_steps, step_of
from sim.fitting.reading import read_log

S = 10**9


def access_log(folder: Path, rows: list[tuple[float, float, str, str]]) -> Log:
    """A log of (end in s, latency in s, status, key), written at the ends, with the ends in whole seconds."""
    lines = [
        f"2026-11-27T10:{int(end) // 60:02d}:{int(end) % 60:02d}Z,{latency:.3f},{status},{key}"
        for end, latency, status, key in sorted(rows)
    ]
    (folder / "log").write_text("\n".join(["time_iso8601,request_time,status,request_id", *lines]), encoding="utf-8")
    return read_log(folder / "log", Asked(key="request_id"))


def independent(seed: int) -> list[tuple[float, float, str, str]]:
    """Calls that fail independently, 30 of a second, the failures faster than the others."""
    rng = np.random.default_rng(seed)
    starts, failed = np.cumsum(rng.exponential(1 / 30, 6000)), rng.random(6000) < 0.05
    latencies = np.where(failed, 0.005, 0.1) * rng.lognormal(0, 0.5, 6000)
    return [
        (float(start + latency), float(latency), "503" if bad else "200", str(number))
        for number, (start, latency, bad) in enumerate(zip(starts, latencies, failed, strict=True))
    ]


@pytest.mark.parametrize("seed", range(3))
def test_failures_that_are_fast_do_not_hang_together_for_it(tmp_path: Path, seed: int) -> None:
    fitted = fit_log(access_log(tmp_path, independent(seed)))
    assert fitted.clustering is not None
    assert not fitted.clustering.is_found
    assert fitted.weather is None


def test_calls_of_one_step_sorted_by_their_ends_would_look_so() -> None:
    rng = np.random.default_rng(1)
    starts_ns = np.repeat(np.arange(200), 30) * S
    failed = np.sort((rng.random(6000) < 0.05).reshape(200, 30), axis=1).reshape(-1)
    assert clustering_of(failed).is_found
    mixed = mixed_in_steps(failed, starts_ns)
    assert mixed.reshape(200, 30).sum(axis=1).tolist() == failed.reshape(200, 30).sum(axis=1).tolist()
    assert not clustering_of(mixed).is_found


def test_failures_of_one_second_hang_together_though_they_are_mixed() -> None:
    failed = np.zeros(6000, np.bool_)
    failed[300:330] = True
    assert clustering_of(mixed_in_steps(failed, np.repeat(np.arange(200), 30) * S)).is_found


def test_attempts_keep_the_order_of_their_ends(tmp_path: Path) -> None:
    rows = [(10.3, 0.1, "503", "a"), (10.9, 0.4, "200", "a"), (11.5, 0.2, "503", "b"), (14.1, 1.4, "200", "b")]
    log = access_log(tmp_path, rows)
    assert log.attempt is not None
    assert [log.statuses[code] for code in log.status] == ["503", "200", "503", "200"]
    assert log.attempt.tolist() == [1, 2, 1, 2]
    assert log.started_ns is not None
    assert log.started_ns.tolist() == [0, 0, S, 3 * S]


def test_delays_shorter_than_the_steps_of_times_are_not_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for number in range(300):
        at = float(number + rng.random())
        rows += [(at + 0.1, 0.1, "503", str(number)), (at + 0.5, 0.1, "200", str(number))]
    fitted = fit_log(access_log(tmp_path, rows))
    assert fitted.policy is not None
    assert fitted.policy.delay is None
    assert fitted.policy.overlapping == 0
    assert any("tells them too coarsely" in sentence for sentence in fitted.sentences())


def test_delays_much_longer_than_the_steps_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for number in range(300):
        at = float(number + rng.random())
        rows += [(at + 0.1, 0.1, "503", str(number)), (at + 30.2, 0.1, "200", str(number))]
    policy = fit_log(access_log(tmp_path, rows)).policy
    assert policy is not None
    assert policy.delay is not None
    assert policy.delay.written == "30s"


@pytest.mark.parametrize(
    ("times_ns", "step_ns"),
    [([0, S, 3 * S], S), ([60 * S, 180 * S], 60 * S), ([1_500_000_000, S], 10**8), ([7], 1), ([0], 1), ([], 1)],
)
def test_the_step_of_times_is_one_that_logs_have(times_ns: list[int], step_ns: int) -> None:
    assert step_of(np.array(times_ns, np.int64)) == step_ns


def test_calls_of_one_start_are_no_load_to_each_other() -> None:
    rng = np.random.default_rng(4)
    latency_ns = np.sort(rng.lognormal(0, 0.5, (200, 30)), axis=1).reshape(-1) * 1e8
    load = fit_log(log_of(latency_ns, started_ns=np.repeat(np.arange(200.0), 30) * S)).load
    assert load is None or abs(load.in_progress) < 0.1
