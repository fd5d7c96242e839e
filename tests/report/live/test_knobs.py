"""Which numbers of a scenario get a knob, under which key, and that each of them does something."""

from pathlib import Path

import pytest
from live_pages import SMALL, TWO, opened

from sim.report.live.knobs import knobs_of
from sim.scenario.identity import digest
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SHIPPED = [
    "quickstart.yaml",
    "policy.yaml",
    "tuning.yaml",
    "findings/waiting-pays.yaml",
    "published/backoff-and-jitter.yaml",
    "questions/budget-at-two-layers.yaml",
    "questions/retry-after.yaml",
    "published/open-and-closed.yaml",
]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_knob_at_its_own_value_changes_nothing(name: str) -> None:
    scenario = load(SCENARIOS / name)
    knobs = knobs_of(scenario).found
    assert len(knobs) > 5
    again = load(SCENARIOS / name, [(knob.key, knob.value) for knob in knobs])
    assert digest(again) == digest(scenario)


@pytest.mark.parametrize("name", SHIPPED[:4])
def test_a_knob_moved_by_one_stop_makes_another_scenario(name: str) -> None:
    scenario = load(SCENARIOS / name)
    own = digest(scenario)
    for knob in knobs_of(scenario).found[::4]:
        moved = []
        for at in {max(knob.at - 1, 0), min(knob.at + 1, len(knob.stops) - 1)} - {knob.at}:
            try:
                moved.append(digest(load(SCENARIOS / name, [(knob.key, knob.stops[at])])))
            except ScenarioError:
                continue
        assert any(one != own for one in moved), knob.key


def test_defaults_of_the_retrier_and_outcomes_that_are_not_written_have_knobs(tmp_path: Path) -> None:
    found = opened(tmp_path).knobs
    assert {"retrier.base", "retrier.wait_backoff", "action.outcomes.hang", "action.effect_at"} <= {
        knob.key for knob in found.found
    }
    assert found["retrier.max_failures"].value == "3"


def test_a_bare_duration_is_set_as_the_constant_that_it_stands_for() -> None:
    knobs = knobs_of(parse("retrier: {kind: policy, attempts: 3, delay: 500ms}"))
    assert knobs["retrier.delay.constant"].value == "500ms"


def test_a_factor_that_a_policy_does_not_write_out_has_a_knob() -> None:
    scenario = parse("retrier: {kind: policy, attempts: 3, delay: {exponential: {initial: 50ms}}}")
    assert knobs_of(scenario)["retrier.delay.exponential.factor"].value == "2"


def test_variants_have_knobs_of_their_own_for_what_they_set(tmp_path: Path) -> None:
    knobs = opened(tmp_path, TWO).knobs
    assert list(knobs.groups) == ["How attempts end", "short", "article, long"] or list(knobs.groups) == [
        *("Latency", "How attempts end", "short", "article, long")
    ]
    assert knobs["variants.article, long.retrier.max_failures"].variant == "article, long"
    assert "retrier.max_failures" not in knobs


def test_what_a_sweep_sets_has_no_knob(tmp_path: Path) -> None:
    text = SMALL + "sweep: {retrier.max_failures: [1, 2], action.outcomes.fail: [0.1, 0.2]}\n"
    knobs = opened(tmp_path, text).knobs
    assert "retrier.max_failures" not in knobs
    assert "action.outcomes.fail" not in knobs
    assert "retrier.base" in knobs


def test_a_name_that_no_key_can_hold_is_told(tmp_path: Path) -> None:
    text = "action: {outcomes: {fail: 0.1}}\nvariants: {v1.2: {retrier: helpers}, plain: {retrier: helpers}}\n"
    knobs = opened(tmp_path, text).knobs
    assert knobs.unnamed == ("v1.2",)
    assert "variants.plain.retrier.base" in knobs


def test_zero_is_no_stop_where_it_is_no_value() -> None:
    scenario = parse("{retrier: none, action: {latency: {exponential: {mean: 1s}}}}")
    assert "0s" not in knobs_of(scenario)["action.latency.exponential.mean"].stops


def test_services_of_shared_worlds_have_knobs() -> None:
    knobs = knobs_of(load(SCENARIOS / "policy.yaml"))
    assert knobs["services.api.servers"].group == "Service api"
    assert knobs["services.api.outcomes.fail.0.share"].label == "outcomes fail throttled share"
    assert knobs["requests.arrivals.poisson.rate"].value == "40/s"
    assert "requests.count" not in knobs
