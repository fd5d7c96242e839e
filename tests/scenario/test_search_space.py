"""The space of a search: its axes, its points, and that it changes nothing else of a scenario."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.durations import parse_duration
from sim.scenario.axes import Axis
from sim.scenario.identity import digest, resolved_yaml
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario
from sim.scenario.search_space import changed, search_space, written_value


def scenario(search: str, rest: str = "retrier: component") -> Scenario:
    return parse(f"{rest}\ntune: {{search: {{{search}}}}}\n")


def axis(search: str) -> Axis:
    return search_space(scenario(search)).axes[0]


def test_durations_spread_over_a_logarithmic_scale_unless_said_otherwise() -> None:
    assert axis("retrier.initial_backoff: {from: 10ms, to: 1m}").log
    assert not axis("retrier.initial_backoff: {from: 10ms, to: 1m, scale: linear}").log
    assert not axis("retrier.base: {from: 1, to: 4}").log
    assert axis("retrier.base: {from: 1, to: 4, scale: log}").log


def test_the_kind_of_a_range_is_that_of_the_model() -> None:
    assert axis("retrier.base: {from: 1, to: 4}").kind == "number"
    assert axis("retrier.max_failures: {from: 1, to: 4}").kind == "whole"
    assert axis("retrier.initial_backoff: {from: 1s, to: 2s}").kind == "duration"
    assert axis("retrier.max_failures: [1, 4]").kind == "listed"


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10**9), st.integers(2, 1000), st.booleans())
def test_values_of_durations_stay_within_their_range(at: float, low: int, ratio: int, log: bool) -> None:  # noqa: FBT001  # drawn
    made = Axis("retrier.initial_backoff", "duration", low, low * ratio, log)
    assert low <= parse_duration(made.value(at)) <= low * ratio


def test_a_logarithmic_axis_has_as_much_in_each_decade() -> None:
    made = Axis("retrier.initial_backoff", "duration", 10**7, 10**10, log=True)
    assert [made.value(at) for at in (0, 1 / 3, 2 / 3, 0.9999999)] == ["10ms", "100ms", "1s", "10s"]


@given(st.integers(0, 20), st.integers(0, 20), st.floats(0, 1, exclude_max=True))
def test_whole_numbers_take_both_ends(low: int, more: int, at: float) -> None:
    made = Axis("retrier.max_failures", "whole", low, low + more)
    assert low <= made.value(at) <= low + more
    assert (made.value(0), made.value(1 - 2**-53)) == (low, low + more)


@pytest.mark.parametrize("kind", ["duration", "number"])
def test_a_value_stands_where_it_came_from(kind: str) -> None:
    made = Axis("retrier.x", kind, 1e9, 4e9, log=kind == "duration")  # type: ignore[arg-type]
    place = made.place(made.value(0.25))
    assert place == pytest.approx(0.25, abs=0.02)


def test_a_small_space_is_gone_through_whole() -> None:
    space = search_space(scenario("retrier.max_failures: {from: 0, to: 2}, retrier.base: [1, 2]"))
    assert (space.size, len(space.points(64, 0))) == (6, 6)
    found = {(point["retrier.max_failures"], point["retrier.base"]) for point in space.points(64, 0)}
    assert found == {(failures, base) for failures in (0, 1, 2) for base in (1, 2)}


LARGE = "retrier.initial_backoff: {from: 10ms, to: 1m}, retrier.base: {from: 1, to: 4}"


def test_points_are_as_many_as_wanted_and_all_different() -> None:
    points = search_space(scenario(LARGE)).points(100, 5)
    assert len({repr(point) for point in points}) == 100


def test_points_depend_on_the_seed_alone() -> None:
    space = search_space(scenario(LARGE))
    assert space.points(20, 1) == space.points(20, 1)
    assert space.points(20, 1) != space.points(20, 2)


def test_more_points_keep_those_there_were() -> None:
    space = search_space(scenario(LARGE))
    assert space.points(40, 3)[:20] == space.points(20, 3)


@given(st.integers(0, 2**63 - 1))
def test_points_leave_no_large_hole(seed: int) -> None:
    one, two = search_space(scenario(LARGE)).axes
    points = search_space(scenario(LARGE)).points(64, seed)
    for made in (one, two):
        places = sorted(made.place(point[made.key]) or 0.0 for point in points)
        # Evenly they would be 1/64 apart; 64 random ones leave a hole of 0.15 or more in one seed of seven.
        assert max(after - before for before, after in pairwise([0.0, *places, 1.0])) < 0.08


def test_changed_sets_keys_and_leaves_the_rest() -> None:
    made = changed(scenario(LARGE), {"retrier.base": 3}, seed=7, expect=["success.rate >= 99%"], why=None)
    assert (made.tune, made.seed, [one.text for one in made.expect]) == (None, 7, ["success.rate >= 99%"])
    assert written_value(made, "retrier.base") == 3
    assert written_value(made, "retrier.initial_backoff") == "250ms"


def test_a_combination_that_is_no_scenario_is_told_with_its_values() -> None:
    space = search_space(scenario("retrier: [component, none], retrier.max_failures: [1, 2]"))
    with pytest.raises(ScenarioError, match=r"retrier none, retrier\.max_failures 1") as error:
        changed(scenario("retrier: [component, none], retrier.max_failures: [1, 2]"), space.points(9, 0)[2])
    assert [problem.path for problem in error.value.problems] == ["tune.search"]


def test_the_digest_does_not_know_the_search() -> None:
    assert digest(scenario(LARGE)) == digest(parse("retrier: component"))


def test_the_resolved_form_keeps_the_search() -> None:
    made = scenario(f"{LARGE}, retrier.max_failures: [1, 2]")
    again = parse(resolved_yaml(made))
    assert again.tune == made.tune
    assert search_space(again) == search_space(made)


def test_a_search_that_several_cells_would_share_is_looked_at_when_it_is_asked_for() -> None:
    text = "retrier: component\nvariants: {one: {retrier: helpers}}\ntune: {search: {retrier.initial_backoff: [1s]}}\n"
    assert parse(text).tune is not None


def test_a_search_over_too_many_keys_is_refused() -> None:
    keys = ", ".join(f"platform.key{number}: [1]" for number in range(9))
    with pytest.raises(ScenarioError, match="1 to 8 keys, not 9"):
        scenario(keys)
