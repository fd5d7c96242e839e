"""Promises of waits: what a law gives is what it promised."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from random_delays import ANY_LAW, REQUESTS, one_by_one

from sim.clients.policy.delay_law import STOP, DelayLaw
from sim.clients.policy.delays import DelayField, delay_law
from sim.promises.waits import Decorrelated, Quantiles, Sum, Uniform, Wait

MS = 1_000_000
HALF_NS = 0.5e-6
"""Delays are rounded to whole ns."""
ROUNDING = 1e-12
RUNAWAY_MS = 2**62 / MS


def law_of(written: Any) -> DelayLaw:
    return delay_law(TypeAdapter(DelayField).validate_python(written))


@given(ANY_LAW, REQUESTS)
def test_no_delay_lies_outside_of_its_promise(law: DelayLaw, requests: list[Any]) -> None:
    for row in one_by_one(law, requests, 1):
        for n, delay_ns in enumerate(row, 1):
            promised = law.wait(n)
            assert (promised is None) == (delay_ns == STOP)
            if promised is not None:
                low_ms, high_ms = promised
                slack_ms = HALF_NS + ROUNDING * delay_ns / MS
                assert low_ms - slack_ms <= delay_ns / MS <= high_ms + slack_ms


@given(ANY_LAW, st.integers(1, 4))
def test_shares_of_a_told_law_are_those_of_its_draws(law: DelayLaw, n: int) -> None:
    promised = law.wait(n)
    if not isinstance(promised, Wait) or isinstance(promised, Decorrelated) or not promised.is_told:
        return
    grid = [(k + 0.5) / 40 for k in range(40)]
    found = sorted(law.delay_ns(n, 0, law.start(), draws) / MS for draws in product(grid, repeat=len(law.streams)))
    for share in (0.25, 0.5, 0.75):
        value = found[int(share * len(found))]
        slack = HALF_NS + ROUNDING * value
        below = float(promised.below(np.array([value - slack]))[0])
        up_to = float(promised.up_to(np.array([value + slack]))[0])
        assert below - 0.05 <= share <= up_to + 0.05


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("500ms", Uniform(500, 500)),
        ({"exponential": {"initial": "100ms", "jitter": "full"}}, Uniform(0, 400)),
        ({"exponential": {"initial": "100ms", "jitter": "equal", "cap": "300ms"}}, Uniform(150, 300)),
        ({"exponential": {"initial": "100ms", "jitter": {"spread": 0.5}}}, Uniform(200, 600)),
        ({"table": {"delays": ["1s"], "jitter": {"plus": "3s"}}}, Uniform(1000, 4000)),
        ({"formula": "1000 - 10 * n * u"}, Uniform(970, 1000)),
        ({"decorrelated": {"base": "5ms", "cap": "2s"}}, Decorrelated(5, 3, 2000, 3)),
        (
            {"formula": "min(5 + u * (3 * previous - 5), cap)", "cap": "2s", "start": {"previous": 5}},
            Decorrelated(5, 3, 2000, 3),
        ),
        ({"formula": "u * 100 + 50 * u2"}, Sum(Uniform(0, 100), Uniform(0, 50))),
    ],
    ids=str,
)
def test_the_promise_of_a_plain_law_is_its_distribution(written: Any, expected: Wait) -> None:
    found = law_of(written).wait(3)
    assert (type(found), found) == (type(expected), pytest.approx(expected))


def test_lets_that_double_each_other_are_not_written_out() -> None:
    names = [f"f{k}" for k in range(29)]
    let = {"f0": "u + u"} | {name: f"{before} + {before}" for before, name in pairwise(names)}
    found = law_of({"formula": "f28", "let": let}).wait(1)
    assert (type(found), found) == (Quantiles, (0.0, pytest.approx(2.0**29)))


def test_what_only_grows_with_its_draw_is_told_by_its_quantiles() -> None:
    found = law_of({"formula": "floor(min(u * 100, 70), 10ms)"}).wait(1)
    assert (type(found), found) == (Quantiles, (0.0, 70.0))


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [
        ({"formula": "u * (1 - u) * 100"}, 0, 100),
        ({"formula": "u - u + 5"}, 4, 6),
        ({"formula": "u * u2 * 100"}, 0, 100),
        ({"decorrelated": {"base": "5ms", "cap": "2s", "state": "client"}}, 5, 2000),
        ({"decorrelated": {"base": "5ms", "cap": "2s", "first": "0s"}}, 5, 135),
        ({"formula": "previous * 2 + 1", "state": "client"}, 0, RUNAWAY_MS),
        ({"formula": "100 / (u - u)"}, 0, RUNAWAY_MS),
        ({"formula": "1e300 * n"}, RUNAWAY_MS, RUNAWAY_MS),
        ({"formula": "min(elapsed, 1s) + 1"}, 1, 1001),
        ({"formula": "u + u_previous"}, 0, 2),
    ],
    ids=str,
)
def test_of_any_other_law_bounds_are_promised_alone(written: Any, low: float, high: float) -> None:
    found = law_of(written).wait(3)
    assert not isinstance(found, Wait)
    assert found == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


def test_the_bounds_of_pollys_delays_are_no_wider_than_what_the_one_before_leaves_open() -> None:
    law = law_of(
        {"let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"}, "formula": "(f - last_f) / 1.4 * b", "b": "2s"}
    )
    assert law.wait(1) == (0.0, pytest.approx(2754.364515))
    assert law.wait(2) == (0.0, pytest.approx(5674.499117))


def test_a_first_delay_of_its_own_is_promised() -> None:
    law = law_of({"exponential": {"initial": "100ms", "first": "7ms", "jitter": "full"}})
    assert (law.wait(1), law.wait(2)) == (Uniform(7, 7), Uniform(0, 200))


def test_nothing_is_promised_of_a_retry_that_there_is_not() -> None:
    law = law_of({"table": {"delays": ["1s"], "then": "stop"}})
    assert (law.wait(1), law.wait(2)) == (Uniform(1000, 1000), None)
