"""Weather: when it is bad, and that isolated requests meet it as if it had always been there."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import ndtri

from sim.kernel.choices import WORLD, Script
from sim.kernel.draws import Draws
from sim.laws.distributions import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    Law,
    LogNormal,
    Normal,
    Pareto,
    Uniform,
)
from sim.world import weather as module
from sim.world.weather import OnOff, Outage, Weather, WeatherPath, WeatherTooFine

S = 1_000_000_000
adapter: TypeAdapter[Any] = TypeAdapter(Weather)


def constant(seconds: int) -> Constant:
    return Constant(value_ns=seconds * S)


def shared(*sources: Outage | OnOff, draws: Draws | None = None) -> WeatherPath:
    return WeatherPath(sources, draws or Draws(1), WORLD, random_phase=False)


class NoChoices:
    """A `Choices` that may not be asked."""

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        raise AssertionError((stream, entity, index, rerun))

    def delays(self, law: object, stream: str) -> Any:
        raise AssertionError((law, stream))


def test_without_sources_none_is_down() -> None:
    assert shared().down(0) == 0


@pytest.mark.parametrize(("at_ns", "expected"), [(0, 0), (29, 0), (30, 1), (44, 1), (45, 0), (10**18, 0)])
def test_an_outage_holds_from_its_beginning_to_before_its_end(at_ns: int, expected: int) -> None:
    assert shared(Outage(from_ns=30, to_ns=45, fail=0.3)).down(at_ns) == expected


def test_each_source_that_is_down_is_told() -> None:
    path = shared(Outage(from_ns=0, to_ns=9), Outage(from_ns=3, to_ns=9), Outage(from_ns=5, to_ns=6))
    assert [path.down(at_ns) for at_ns in (1, 4, 5, 9)] == [0b001, 0b011, 0b111, 0]


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ({}, 1.0),
        ({"fail": 0.3}, 0.3),
        ({"outcomes": {}}, 0.0),
        ({"outcomes": {"fail": 0.5, "ack_lost": 0.1, "hang": 0.2}}, 0.8),
        ({"fail": [{"kind": "throttled", "share": 0.5}, {"kind": "invalid", "share": 0.25}]}, 0.75),
    ],
)
def test_a_source_spoils_the_shares_of_all_its_outcomes(written: dict[str, Any], share: float) -> None:
    assert Outage.model_validate({"from": "0s", "to": "1s", **written}).share == pytest.approx(share)


def test_a_source_says_for_its_failures_what_they_do_not_say_themselves() -> None:
    source = Outage.model_validate(
        {
            "from": "0s",
            "to": "1s",
            "latency": constant(3),
            "final": 1.0,
            "retry_after": constant(2),
            "outcomes": {
                "fail": [
                    {"kind": "plain", "share": 0.1},
                    {"kind": "own", "share": 0.1, "final": 0.0, "retry_after": constant(9), "latency": constant(8)},
                ],
                "ack_lost": 0.1,
            },
        }
    )
    told = [(branch.latency, *branch.says) for branch in source.branches(constant(5)) if branch.share]
    assert told == [
        (constant(3), "failed.plain", 1.0, constant(2)),
        (constant(8), "failed.own", 0.0, constant(9)),
        (constant(3), "failed", 0.0, None),
    ]


def test_a_source_without_a_latency_has_that_of_the_action() -> None:
    (branch, *_) = Outage(from_ns=0, to_ns=1).branches(constant(5))
    assert branch.latency == constant(5)


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [(0, 0), (2, 0), (3, 1), (4, 1), (5, 0), (7, 0), (8, 1), (1003, 1), (1000, 0)],
)
def test_a_shared_source_starts_up_and_takes_turns(at_s: int, expected: int) -> None:
    assert shared(OnOff(up=constant(3), down=constant(2), fail=0.9)).down(at_s * S) == expected


def test_the_last_nanosecond_of_a_turn_belongs_to_it() -> None:
    path = shared(OnOff(up=constant(3), down=constant(2)))
    assert [path.down(at_ns) for at_ns in (3 * S - 1, 3 * S, 5 * S - 1, 5 * S)] == [0, 1, 1, 0]


def test_a_source_that_is_never_up_is_always_down() -> None:
    path = shared(OnOff(up=constant(0), down=constant(2)))
    assert [path.down(at * S) for at in range(6)] == [1] * 6


def test_a_source_that_is_never_down_is_always_up() -> None:
    path = shared(OnOff(up=constant(2), down=constant(0)))
    assert [path.down(at * S) for at in range(6)] == [0] * 6


def test_earlier_instants_may_be_asked_again() -> None:
    path = shared(OnOff(up=Exponential(mean_ns=S), down=Exponential(mean_ns=S)))
    instants = range(0, 100 * S, S // 3)
    forwards = [path.down(at_ns) for at_ns in instants]
    assert [path.down(at_ns) for at_ns in reversed(instants)] == forwards[::-1]


def test_what_was_asked_before_changes_nothing() -> None:
    source = OnOff(up=Exponential(mean_ns=S), down=Exponential(mean_ns=S))
    asked_late = WeatherPath([source], Draws(5), 7, random_phase=True)
    asked_late.down(300 * S)
    asked_early = WeatherPath([source], Draws(5), 7, random_phase=True)
    instants = range(0, 100 * S, S // 3)
    assert [asked_late.down(at) for at in instants] == [asked_early.down(at) for at in instants]


def test_a_new_path_draws_nothing() -> None:
    source = OnOff(up=constant(1), down=constant(1))
    assert isinstance(WeatherPath([source], NoChoices(), 0, random_phase=True), WeatherPath)


def test_outages_draw_nothing() -> None:
    path = WeatherPath([Outage(from_ns=2, to_ns=3)], NoChoices(), 0, random_phase=True)
    assert [path.down(at_ns) for at_ns in range(4)] == [0, 0, 1, 0]


def test_two_sources_do_not_share_their_numbers() -> None:
    source = OnOff(up=Exponential(mean_ns=S), down=Exponential(mean_ns=S))
    both = shared(source, source).intervals(100 * S)
    assert len({from_ns for from_ns, _, _ in both}) == len(both)


@pytest.mark.parametrize("random_phase", [False, True])
def test_two_requests_meet_weather_of_their_own(random_phase: bool) -> None:  # noqa: FBT001  # parametrized
    source, draws = OnOff(up=Exponential(mean_ns=S), down=Exponential(mean_ns=S)), Draws(1)
    one, other = (WeatherPath([source], draws, entity, random_phase=random_phase) for entity in (0, 1))
    assert one.intervals(100 * S) != other.intervals(100 * S)


def test_the_addresses_are_the_documented_ones() -> None:
    asked: list[tuple[str, int, int]] = []

    class Spy:
        def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
            del rerun
            asked.append((stream, entity, index))
            return 0.9

        def delays(self, law: object, stream: str) -> Any:
            del law

            def delay(entity: int, index: int, rerun: int) -> int:
                del rerun
                asked.append((stream, entity, index))
                return 10

            return delay

    sources = (Outage(from_ns=0, to_ns=1), OnOff(up=constant(1), down=constant(1)))
    WeatherPath(sources, Spy(), 4, random_phase=True).down(15)
    WeatherPath(sources, Spy(), WORLD, random_phase=False).down(15)
    assert asked == [
        ("phase", 4, 3),
        ("phase", 4, 4),
        ("phase", 4, 5),
        ("weather.1", 4, 1),
        ("weather.1", 4, 2),
        ("weather.1", WORLD, 0),
        ("weather.1", WORLD, 1),
    ]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0.39, 0.5, 0.75], [(0, 1 * S), (7 * S, 11 * S)]),  # down with share 4/10; 3/4 of it has passed
        ([0.41, 0.5, 0.75], [(3 * S // 2, 11 * S // 2), (23 * S // 2, 12 * S)]),
        ([0.39, 0.5, 0.0], [(0, 4 * S), (10 * S, 12 * S)]),
    ],
)
def test_at_a_random_phase_the_running_interval_is_entered_in_the_middle(
    numbers: list[float], expected: list[tuple[int, int]]
) -> None:
    source = OnOff(up=constant(6), down=constant(4))
    path = WeatherPath([source], Script([*numbers, 0.5]), 0, random_phase=True)
    assert [(from_ns, to_ns) for from_ns, to_ns, _ in path.intervals(12 * S)] == expected


PAIRS: dict[str, tuple[Law, Law]] = {
    "exponential": (Exponential(mean_ns=30 * S), Exponential(mean_ns=10 * S)),
    "constant": (constant(30), constant(10)),
    "uniform": (Uniform(low_ns=0, high_ns=40 * S), Uniform(low_ns=5 * S, high_ns=9 * S)),
    "normal": (Normal(location_ns=30 * S, sd_ns=10 * S), Normal(location_ns=2 * S, sd_ns=8 * S)),
    "lognormal": (LogNormal(median_ns=20 * S, sigma=1), LogNormal(median_ns=3 * S, sigma=1.2)),
    "gamma": (Gamma(shape=0.5, mean_ns=30 * S), Gamma(shape=3, mean_ns=12 * S)),
    "pareto": (Exponential(mean_ns=50 * S), Pareto(shape=2.2, scale_ns=4 * S)),
    "empirical": (
        constant(10),
        Empirical(file="a.csv", column="x_s").with_values((0, 2 * S, 3 * S, 20 * S), "0" * 64),
    ),
}
REQUESTS = 8000


@pytest.mark.parametrize("at_s", [0, 20])
@pytest.mark.parametrize("laws", PAIRS.values(), ids=PAIRS)
def test_the_share_of_requests_that_meet_it_down_is_its_share_of_time(laws: tuple[Law, Law], at_s: int) -> None:
    up, down = laws
    source, draws = OnOff(up=up, down=down), Draws(20261123)
    paths = [WeatherPath([source], draws, request, random_phase=True) for request in range(REQUESTS)]
    got = sum(path.down(at_s * S) for path in paths) / REQUESTS
    expected = down.mean_ns / (up.mean_ns + down.mean_ns)
    # The normal interval of 99.99 %; the seed is fixed.
    assert abs(got - expected) < -ndtri(0.00005) * np.sqrt(expected * (1 - expected) / REQUESTS)


def test_the_remaining_time_of_an_exponential_interval_is_exponential() -> None:
    source, draws = OnOff(up=constant(0), down=Exponential(mean_ns=S)), Draws(20261123)
    paths = [WeatherPath([source], draws, request, random_phase=True) for request in range(REQUESTS)]
    remaining_s = np.array([path.intervals(3 * S)[0][1] / S for path in paths])
    got = [float(np.mean(remaining_s > at_s)) for at_s in (0.5, 1.0, 2.0)]
    assert got == pytest.approx([np.exp(-0.5), np.exp(-1.0), np.exp(-2.0)], abs=4 * 0.5 / np.sqrt(REQUESTS))


def test_intervals_are_cut_at_the_end_and_in_order() -> None:
    path = shared(OnOff(up=constant(3), down=constant(2), fail=0.9), Outage(from_ns=4 * S, to_ns=6 * S, fail=0.5))
    assert path.intervals(9 * S) == [
        (3 * S, 5 * S, 0.9),
        (4 * S, 6 * S, 0.5),
        (8 * S, 9 * S, 0.9),
    ]


def test_intervals_of_no_length_are_left_out() -> None:
    assert shared(OnOff(up=constant(1), down=constant(0))).intervals(5 * S) == []


@given(st.integers(0, 10**6), st.integers(0, 100 * S))
def test_intervals_and_instants_agree(seed: int, at_ns: int) -> None:
    path = WeatherPath(
        [OnOff(up=Exponential(mean_ns=9 * S), down=Uniform(low_ns=0, high_ns=S))], Draws(seed), 0, random_phase=True
    )
    inside = any(from_ns <= at_ns < to_ns for from_ns, to_ns, _ in path.intervals(101 * S))
    assert path.down(at_ns) == int(inside)


def test_weather_that_changes_too_often_is_a_named_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EPOCH_INTERVALS", 100)
    path = shared(OnOff(up=Constant(value_ns=1), down=Constant(value_ns=1)))
    with pytest.raises(WeatherTooFine, match="far too often"):
        path.down(400)


@pytest.mark.slow
def test_the_weather_of_a_far_day_is_as_likely_to_be_bad_as_today() -> None:
    source = OnOff(up=Exponential(mean_ns=9 * S), down=constant(1))
    years_ns = 50 * 365 * 86_400 * S
    draws = Draws(3)
    down = sum(WeatherPath([source], draws, entity, random_phase=True).down(years_ns) for entity in range(1000))
    # Binomial with p = 0.1: four standard deviations are 38.
    assert abs(down - 100) < 38


def test_the_weather_of_a_day_does_not_depend_on_which_days_were_asked_for_before() -> None:
    source = OnOff(up=Exponential(mean_ns=2 * S), down=Exponential(mean_ns=S))
    days_ns = [day * 86_400 * S + hour * 3600 * S for day in range(5) for hour in range(24)]
    forwards, backwards = (WeatherPath([source], Draws(4), 7, random_phase=True) for _ in range(2))
    asked = [forwards.down(at_ns) for at_ns in days_ns]
    assert [backwards.down(at_ns) for at_ns in reversed(days_ns)] == asked[::-1]


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ({"outage": {"from": "30s", "to": "45s", "fail": 1.0}}, Outage(from_ns=30 * S, to_ns=45 * S, fail=1.0)),
        ({"outage": {"from": "30s", "to": "45s"}}, Outage(from_ns=30 * S, to_ns=45 * S)),
        (
            {"on_off": {"up": {"exponential": {"mean": "5m"}}, "down": {"constant": "10s"}, "fail": 0.95}},
            OnOff(up=Exponential(mean_ns=300 * S), down=constant(10), fail=0.95),
        ),
    ],
)
def test_a_source_is_written_as_one_key(written: dict[str, Any], source: Outage | OnOff) -> None:
    assert (adapter.validate_python(written), adapter.dump_python(source, mode="json")) == (source, written)


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        ({"outtage": {}}, ("outtage",), "the names are: outage, on_off"),
        ({"outage": {"from": "5s", "to": "5s"}}, ("outage", "to"), "must end after it begins"),
        (
            {"outage": {"from": "5s", "to": "9s", "fail": 1.5}},
            ("outage", "fail", "(one)", "share"),
            "must be at most 1",
        ),
        (
            {"outage": {"from": "5s", "to": "9s", "fail": 0.5, "outcomes": {"hang": 0.1}}},
            ("outage",),
            "write one of them",
        ),
        (
            {"outage": {"from": "5s", "to": "9s", "outcomes": {"fail": 0.9, "hang": 0.2}}},
            ("outage", "outcomes"),
            "sum to 1.1, more than 1",
        ),
        (
            {"outage": {"from": "5s", "to": "9s", "outcomes": {"hang": {"share": 0.2, "latency": constant(1)}}}},
            ("outage", "outcomes"),
            "a hang never ends",
        ),
        ({"outage": {"from": "5s"}}, ("outage", "to"), "Field required"),
        ({"outage": {"from": "5s", "to": "9s", "fial": 1}}, ("outage", "fial"), "Extra inputs"),
        (
            {"on_off": {"up": {"pareto": {"shape": 1, "scale": "1s"}}, "down": {"constant": "1s"}}},
            ("on_off", "up"),
            "infinite mean",
        ),
        ({"on_off": {"up": {"constant": "0s"}, "down": {"constant": "0s"}}}, ("on_off",), "cannot both last 0"),
        ({"on_off": {"up": {"constant": "x"}, "down": {"constant": "0s"}}}, ("on_off", "up", "constant"), "duration"),
    ],
)
def test_a_wrong_source_is_one_error_at_its_place(written: object, place: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(written)
    (error,) = caught.value.errors()
    assert (error["loc"], reason in error["msg"]) == (place, True)


def test_an_empirical_source_is_judged_when_its_values_are_there() -> None:
    unread = Empirical(file="a.csv", column="x_s")
    zeros = unread.with_values((0, 0), "0" * 64)
    assert OnOff(up=unread, down=unread).up == unread
    with pytest.raises(ValidationError, match="cannot both last 0"):
        OnOff(up=zeros, down=zeros)
