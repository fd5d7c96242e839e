from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.fitting.retries import Delay, delay_of, gaps_of

MS = 1e6
Draw = Callable[[np.random.Generator, int, float | None], float]


def found(draw: Draw, *, requests: int = 1500, most: int = 5, blur_ns: float = 0.0, seed: int = 5) -> Delay:
    """Let half of the requests go on after each retry, and recognize the delay."""
    rng = np.random.default_rng(seed)
    values, numbers, pairs = [], [], []
    for _ in range(requests):
        gaps: list[float] = []
        for number in range(1, most + 1):
            if number > 1 and rng.random() < 0.5:
                break
            gaps.append(draw(rng, number, gaps[-1] if gaps else None) + (rng.exponential(blur_ns) if blur_ns else 0))
            values.append(gaps[-1])
            numbers.append(number)
        if len(gaps) > 1:
            pairs.append(gaps[:2])
    before, after = np.array(pairs).T if pairs else np.zeros((2, 0))
    gaps_found = gaps_of(np.rint(values).astype(np.int64), np.array(numbers, np.int32))
    return delay_of(gaps_found, (before, after), 1)


def decorrelated(rng: np.random.Generator, number: int, before: float | None) -> float:
    del number
    return 100 * MS + rng.random() * (3 * (before or 100 * MS) - 100 * MS)


FORMS: dict[str, tuple[Draw, Any]] = {
    "constant": (lambda _rng, _n, _before: 500 * MS, "500ms"),
    "exponential": (
        lambda _rng, n, _before: 100 * MS * 2 ** (n - 1),
        {"exponential": {"initial": "100ms", "factor": 2.0}},
    ),
    "capped": (
        lambda _rng, n, _before: min(400 * MS, 100 * MS * 2 ** (n - 1)),
        {"exponential": {"initial": "100ms", "factor": 2.0, "cap": "400ms"}},
    ),
    "full": (
        lambda rng, n, _before: rng.random() * 100 * MS * 2 ** (n - 1),
        {"exponential": {"initial": "100ms", "factor": 2.0, "jitter": "full"}},
    ),
    "equal": (
        lambda rng, n, _before: (0.5 + 0.5 * rng.random()) * 200 * MS * 1.5 ** (n - 1),
        {"exponential": {"initial": "200ms", "factor": 1.5, "jitter": "equal"}},
    ),
    "spread": (
        lambda rng, _n, _before: (0.5 + rng.random()) * 1000 * MS,
        {"constant": {"delay": "1s", "jitter": {"spread": 0.5}}},
    ),
    "linear": (
        lambda _rng, n, _before: 100 * MS + 50 * MS * (n - 1),
        {"linear": {"initial": "100ms", "step": "50ms"}},
    ),
    "table": (
        lambda _rng, n, _before: [1, 5, 7, 30, 31][n - 1] * 1000 * MS,
        {"table": ["1s", "5s", "7s", "30s", "31s"]},
    ),
    "decorrelated": (decorrelated, {"decorrelated": {"base": "100ms", "factor": 3.0}}),
    "none": (lambda _rng, _n, _before: 0.0, "none"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("blur_ns", [0.0, 0.3 * MS])
def test_the_delay_of_a_policy_is_recognized(name: str, blur_ns: float) -> None:
    draw, written = FORMS[name]
    assert found(draw, blur_ns=blur_ns).written == written


def test_delays_of_no_form_are_a_table_with_their_spread() -> None:
    delay = found(lambda rng, _n, _before: rng.lognormal(np.log(100 * MS), 0.7))
    assert delay.written["table"]["jitter"] == {"spread": 1.0}
    assert len(delay.written["table"]["delays"]) == 5
    assert delay.distance == 1.0


def test_of_two_delays_a_factor_is_taken_and_not_a_step() -> None:
    delay = found(FORMS["full"][0], most=2)
    assert "exponential" in delay.written


def test_retries_seen_less_than_five_times_say_nothing() -> None:
    assert gaps_of(np.array([1, 2, 3, 4]), np.ones(4, np.int32)) == ()


def test_the_interval_of_a_few_gaps_holds() -> None:
    rng = np.random.default_rng(6)
    holds = 0
    for _ in range(400):
        values_ns = rng.normal(1e9, 1e8, 5)
        (gaps,) = gaps_of(np.rint(values_ns).astype(np.int64), np.ones(5, np.int32))
        holds += gaps.middle.low <= 1e9 <= gaps.middle.high
    assert holds >= 0.9 * 400
