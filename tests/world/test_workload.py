"""How many requests there are, when they come and who is canceled."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import chdtrc, kolmogorov

from sim.kernel.choices import Script
from sim.kernel.draws import Draws
from sim.laws.distributions import Constant, Exponential
from sim.world.arrivals import AtOnce, Poisson, Recorded, Steady
from sim.world.workload import (
    CancelOptions,
    RequestsOptions,
    arrival_times_ns,
)

S = 1_000_000_000
DIGEST = "0" * 64


def poisson_times_ns(count: int, seed: int = 1) -> list[int]:
    return arrival_times_ns(RequestsOptions(count=count, arrivals=Poisson(rate=50.0)), Draws(seed))


@pytest.mark.parametrize("arrivals", [None, AtOnce()])
def test_at_once_is_all_at_0(arrivals: AtOnce | None) -> None:
    assert arrival_times_ns(RequestsOptions(count=3, arrivals=arrivals), Draws(1)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("rate", "expected_ns"),
    [(50.0, [0, 20_000_000, 40_000_000, 60_000_000]), (3.0, [0, 333_333_333, 666_666_667, 1_000_000_000])],
)
def test_constant_arrivals_are_even_and_do_not_drift(rate: float, expected_ns: list[int]) -> None:
    assert arrival_times_ns(RequestsOptions(count=4, arrivals=Steady(rate=rate)), Draws(1)) == expected_ns


def test_poisson_arrivals_ascend() -> None:
    times_ns = poisson_times_ns(5000)
    assert times_ns == sorted(times_ns)


def test_poisson_gaps_are_the_exponential_law_at_its_addresses() -> None:
    draws, law = Draws(1), Exponential(mean_ns=20_000_000)
    expected = np.cumsum(law.sample_ns(draws.uniforms("arrival", np.arange(5000)))).tolist()
    assert poisson_times_ns(5000) == expected


def test_more_requests_do_not_move_the_earlier_ones() -> None:
    assert poisson_times_ns(5000)[:100] == poisson_times_ns(100)


def test_poisson_gaps_follow_the_exponential_law() -> None:
    gaps = np.sort(np.diff([0, *poisson_times_ns(20_000)]) / (S / 50))
    ranks = np.arange(1, len(gaps) + 1) / len(gaps)
    distance = np.max(np.abs(1 - np.exp(-gaps) - ranks))
    assert kolmogorov(distance * np.sqrt(len(gaps))) > 1e-4


def test_poisson_counts_vary_as_much_as_their_mean() -> None:
    times_ns = np.array(poisson_times_ns(50_000))
    counts = np.bincount(times_ns // S)[:900]
    dispersion = float(((counts - 50) ** 2 / 50).sum())
    assert 1e-4 < chdtrc(len(counts), dispersion) < 1 - 1e-4


def test_a_script_serves_arrivals_too() -> None:
    options = RequestsOptions(count=3, arrivals=Poisson(rate=1.0))
    half_life_ns = round(np.log(2) * S)
    assert arrival_times_ns(options, Script([0.5])) == [half_life_ns, 2 * half_life_ns, 3 * half_life_ns]


def test_recorded_arrivals_are_the_earliest_of_the_file() -> None:
    recorded = Recorded(file="arrivals.csv", column="at_ms").with_values((5, 3, 9, 1), DIGEST)
    assert arrival_times_ns(RequestsOptions(count=3, arrivals=recorded), Draws(1)) == [1, 3, 5]


def test_a_file_with_too_few_arrivals_is_refused() -> None:
    recorded = Recorded(file="arrivals.csv", column="at_ms").with_values((5, 3), DIGEST)
    with pytest.raises(ValidationError, match="has 2 rows, fewer than the 3 requests"):
        RequestsOptions(count=3, arrivals=recorded)


def test_a_file_that_was_not_read_has_too_few_arrivals() -> None:
    options = RequestsOptions(count=3, arrivals=Recorded(file="arrivals.csv", column="at_ms"))
    with pytest.raises(ValueError, match=r"arrivals\.csv has 0 arrivals for 3 requests"):
        arrival_times_ns(options, Draws(1))


@pytest.mark.parametrize("arrivals", [Poisson(rate=1e-6), Steady(rate=1e-6)])
def test_requests_that_take_too_long_to_arrive_are_refused(arrivals: Poisson | Steady) -> None:
    with pytest.raises(ValidationError, match="10000 requests take more than 100 years to arrive"):
        RequestsOptions(count=10_000, arrivals=arrivals)


def test_an_arrival_past_the_end_of_time_is_refused() -> None:
    options = RequestsOptions(count=2, arrivals=Poisson(rate=1e-9))
    with pytest.raises(ValueError, match="the last request arrives too late"):
        arrival_times_ns(options, Script([0.999]))


@pytest.mark.parametrize(
    ("written", "arrivals"),
    [
        ({"at_once": {}}, AtOnce()),
        ({"poisson": {"rate": "50/s"}}, Poisson(rate=50.0)),
        ({"constant": {"rate": "2/s"}}, Steady(rate=2.0)),
        ({"file": {"file": "a.csv", "column": "at_ms"}}, Recorded(file="a.csv", column="at_ms")),
    ],
)
def test_arrivals_are_written_as_one_key(written: dict[str, Any], arrivals: Any) -> None:
    options = RequestsOptions.model_validate({"count": 5, "arrivals": written})
    assert (options.arrivals, options.model_dump(mode="json")) == (arrivals, {"count": 5, "arrivals": written})


def test_at_once_may_stand_bare() -> None:
    assert RequestsOptions.model_validate({"count": 5, "arrivals": "at_once"}).arrivals == AtOnce()


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        ({"count": 0}, ("count",), "greater than or equal to 1"),
        ({"count": 1_000_000_001}, ("count",), "less than or equal to 1000000000"),
        ({"count": "5"}, ("count",), "valid integer"),
        ({"count": True}, ("count",), "valid integer"),
        ({"arrivals": {"poison": {}}}, ("arrivals", "poison"), "at_once, poisson, constant, file"),
        ({"arrivals": {"poisson": {"rate": "0/s"}}}, ("arrivals", "poisson", "rate"), "a rate lies above 0"),
        ({"arrivals": {"poisson": {"rate": 50}}}, ("arrivals", "poisson", "rate"), "not a rate"),
        (
            {"arrivals": {"file": {"file": "a", "column": "at_s", "unit": "ms"}}},
            ("arrivals", "file", "column"),
            "says ms",
        ),
        (1000, (), "valid dictionary"),
    ],
)
def test_wrong_requests_are_one_error_at_their_place(written: object, place: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RequestsOptions.model_validate(written)
    (error,) = caught.value.errors()
    assert (error["loc"], reason in error["msg"]) == (place, True)


def test_cancels_aim_at_the_request_unless_told_otherwise() -> None:
    options = CancelOptions.model_validate({"share": 0.01, "after": {"constant": "5s"}})
    assert options == CancelOptions(share=0.01, after=Constant(value_ns=5 * S), target="request")


@pytest.mark.parametrize("target", ["job", "", None, 1])
def test_another_target_is_refused(target: object) -> None:
    with pytest.raises(ValidationError, match="'request', 'action' or 'poll'"):
        CancelOptions.model_validate({"share": 0.01, "after": {"constant": "5s"}, "target": target})
