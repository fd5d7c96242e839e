"""The delays of every preset, number for number.

RETRYSIM_UPDATE_GOLDEN=1 writes `delays.txt` anew, to be read as a diff.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sim.kernel.durations import format_duration, parse_duration
from sim.retriers.presets import PRESETS, Preset, find
from sim.retriers.presets.delays import LAST_BELOW_ONE, SEQUENCES, first_delays_ns, laws, spread_ns

GOLDEN = Path(__file__).parent / "delays.txt"
FIRST = 5
NUMBERS = {"0": 0.0, "0.5": 0.5, "1-": LAST_BELOW_ONE}
MS = 1_000_000


def _lines() -> Iterator[str]:
    yield "# The delays before the first five retries if every draw is U: 0, 0.5 and the largest number below 1 (1-)."
    for preset in PRESETS:
        for law in laws(preset):
            heading = f"{preset.name} after {', '.join(law.after)}" if law.after else preset.name
            numbers = NUMBERS if law.law.streams else {"": 0.0}
            for text, number in numbers.items():
                delays = " ".join(map(format_duration, first_delays_ns(law.law, FIRST, number)))
                yield f"{heading}: {f'U = {text}: ' if text else ''}{delays}"


def test_the_first_delays_of_every_preset_are_those_of_the_golden_file() -> None:
    text = "".join(f"{line}\n" for line in _lines())
    if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "number", "delays"),
    [
        ("resilience4j-exponential", 0.0, "500ms 750ms 1125ms 1687ms 2530ms"),
        ("resilience4j-randomized", LAST_BELOW_ONE, "751ms"),
        ("envoy", LAST_BELOW_ONE, "24ms 49ms 99ms 199ms 249ms 249ms"),
        ("inngest", 0.0, "15s 30s 1m 2m 5m 10m 20m 40m 1h 2h 2h"),
        ("inngest", 0.99999, "44999ms 59999ms"),
        ("sidekiq", 0.0, "15s 16s 31s 96s 271s"),
        ("sidekiq", LAST_BELOW_ONE, "24s 35s"),
        ("celery-backoff", 0.0, "0s 0s 0s"),
        ("celery-backoff", LAST_BELOW_ONE, "1s 2s 4s 8s 16s 32s 64s 128s 256s 512s 600s 600s"),
        ("step-functions", 0.0, "1s 2s 4s"),
        ("grpc-retry", LAST_BELOW_ONE, "120ms 240ms 480ms 960ms 1200ms"),
        ("temporal-activity", 0.0, "1s 2s 4s 8s 16s 32s 64s 100s 100s"),
        ("urllib3-backoff", 0.0, "0s 200ms 400ms"),
    ],
)
def test_delays_that_are_published(name: str, number: float, delays: str) -> None:
    expected = [parse_duration(delay) for delay in delays.split()]
    got = first_delays_ns(laws(find(name))[0].law, len(expected), number)
    # 1 - 2^-53 lies below 1 by less than a nanosecond.
    assert [round(delay / MS, 5) for delay in got] == [delay / MS for delay in expected]


def test_cloud_tasks_doubles_then_grows_by_a_step_then_stays() -> None:
    """10 s, 300 s and 3 doublings, the example of its documentation."""
    preset = find("cloud-tasks")
    delay = {**preset.policy["delay"], "base": "10s", "cap": "300s", "doublings": 3}
    changed = Preset(name="x", policy={"delay": delay}, formula="", counting="tries", library="", version="", source="")
    delays = first_delays_ns(laws(changed)[0].law, 8, 0.0)
    assert [delay // (1000 * MS) for delay in delays] == [10, 20, 40, 80, 160, 240, 300, 300]


def test_a_spread_has_the_quantiles_of_a_law_that_remembers_nothing() -> None:
    """Full jitter of 10 ms: its quarter, its median and its three quarters."""
    first = spread_ns(laws(find("aws-full-jitter"))[0].law, 1)[0]
    assert first.shape == (SEQUENCES,)
    quarters = [first[SEQUENCES * part // 4] / MS for part in (1, 2, 3)]
    assert quarters == pytest.approx([2.5, 5, 7.5], abs=0.003)


def test_a_spread_keeps_what_a_law_remembers() -> None:
    """Decorrelated jitter: the mean of U(5, 3s) is (5 + 3 E[s]) / 2, with E[s] = 10 ms after the first retry."""
    spread = spread_ns(laws(find("aws-decorrelated-jitter"))[0].law, 2)
    assert spread.mean(axis=1) / MS == pytest.approx([10, 17.5], rel=0.01)
    assert np.all(np.diff(spread, axis=1) >= 0)
