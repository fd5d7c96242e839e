"""Settings that cannot matter: told when written, never for a default, and not when one cell has a use for them."""

import pytest

from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError


def idle(text: str) -> list[str]:
    try:
        parse(text)
    except ScenarioError as error:
        assert all("cannot matter" in problem.reason for problem in error.problems)  # noqa: PT017  # else it is []
        return [problem.path for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{retrier: helpers, requests: {arrivals: at_once}}", ["requests.arrivals"]),
        ("{retrier: helpers, replications: 2}", ["replications"]),
        ("{retrier: helpers, measure: {}}", ["measure"]),
        ("{retrier: helpers, faults: [{system_error: {share: 0}}]}", ["faults"]),
        ("{retrier: helpers, platform: {parallelism: unlimited}}", ["platform.parallelism"]),
        ("{retrier: helpers, action: {script: [{outcome: fail}], outcomes: {fail: 0}}}", ["action.outcomes"]),
        ("{retrier: none, platform: {profile: ideal}}", ["platform"]),
        ("{retrier: {kind: none}, world: shared, faults: [{restart: {at: [1s]}}]}", ["faults"]),
        ("{retrier: none, cancel: {share: 0.1, after: {constant: 1s}, target: poll}}", ["cancel.target"]),
        ("{retrier: none, cancel: {share: 0.1, after: {constant: 1s}, target: action}}", ["cancel.target"]),
    ],
)
def test_a_setting_that_cannot_matter_is_a_mistake(text: str, paths: list[str]) -> None:
    assert idle(text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "{retrier: helpers, replications: 1, faults: [], measure: null, requests: {arrivals: null}}",
        "{retrier: helpers, platform: {profile: convex, retention: 7d, action_time_limit: none}}",
        "{retrier: none, platform: {}, cancel: {share: 0.1, after: {constant: 1s}}}",
        "{retrier: helpers, action: {script: [], outcomes: {fail: 0.5}}}",
        "{retrier: helpers, action: {script: [{outcome: fail}], effect_at: 0.5, idempotency: {window: 1h}}}",
        "{retrier: helpers, world: shared, replications: 5, measure: {from: 1s}, platform: {parallelism: 1}}",
    ],
)
def test_what_can_matter_or_says_nothing_is_fine(text: str) -> None:
    assert idle(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "{retrier: none, platform: {profile: convex}, sweep: {retrier: [none, helpers]}}",
        "{retrier: helpers, platform: {parallelism: 2}, variants: {alone: {}, together: {world: shared}}}",
        "{world: shared, retrier: none, sweep: {retrier: [none, helpers], platform.parallelism: [1, 8]}}",
        "{retrier: helpers, action: {outcomes: {fail: 0.5}}, variants: {a: {}, b: {action.script: [{outcome: fail}]}}}",
        "{retrier: none, cancel: {share: 1, after: {constant: 1s}, target: poll}, sweep: {retrier: [none, article]}}",
    ],
)
def test_what_one_cell_has_a_use_for_is_fine(text: str) -> None:
    assert idle(text) == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{retrier: helpers, platform: {parallelism: 2}, sweep: {seed: [1, 2]}}", ["platform.parallelism"]),
        ("{retrier: helpers, sweep: {platform.parallelism: [1, 2]}}", ["sweep['platform.parallelism']"]),
        (
            "{retrier: helpers, variants: {a: {replications: 5}, b: {world: shared, replications: 5}}}",
            ["variants.a.replications"],
        ),
        (
            "{world: shared, retrier: helpers, variants: {a: {retrier: none, platform.parallelism: 5}, b: {}}}",
            ["variants.a['platform.parallelism']"],
        ),
    ],
)
def test_what_no_cell_has_a_use_for_is_a_mistake(text: str, paths: list[str]) -> None:
    assert idle(text) == paths
