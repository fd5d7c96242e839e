"""Searches over waits are refused where nothing rewards waiting, and only there."""

import pytest

from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.tuning.rewards import refuse_pointless
from sim.tuning.tune import tune

WAITS = {
    "component": "retrier.initial_backoff: {from: 1s, to: 2s}",
    "article": "retrier.retry_backoff: {from: 1s, to: 2s}",
    "helpers": "retrier.wait_backoff: {from: 1s, to: 2s}",
}
FAILS = "action: {outcomes: {fail: 0.2}}"


def refused(text: str, search: str = WAITS["component"], kind: str = "component", more: str = "") -> list[str]:
    """Say why a search is refused; nothing where it is not."""
    scenario = parse(f"retrier: {kind}\n{text}\ntune: {{search: {{{search}}}{more}}}\n")
    try:
        refuse_pointless(scenario)
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("kind", WAITS)
def test_independent_failures_do_not_reward_waiting(kind: str) -> None:
    (reason,) = refused(FAILS, WAITS[kind], kind)
    assert "there is no weather and nothing that requests share" in reason
    assert reason.startswith(f"tune.search[{WAITS[kind].partition(':')[0]!r}]")


def test_every_wait_of_a_search_is_named_and_nothing_else() -> None:
    search = f"{WAITS['component']}, retrier.base: [1, 2], retrier.max_failures: [1, 2]"
    assert [line.partition(": ")[0] for line in refused(FAILS, search)] == [
        "tune.search['retrier.initial_backoff']",
        "tune.search['retrier.base']",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("action: {}", "no attempt fails; "),
        ("action: {permanent_failure: 0.1}", "no attempt fails but those of requests that never succeed; "),
        ("action: {script: [{outcome: fail}, {outcome: success}]}", "the script says how each attempt goes"),
        ("action: {outcomes: {fail: 0.1}, weather: [{outage: {from: 1s, to: 2s, fail: 0}}]}", "its weather fails no"),
        ("heals_at: 5s", "no attempt fails; "),
    ],
)
def test_the_reason_is_that_of_the_scenario(text: str, why: str) -> None:
    (reason,) = refused(text)
    assert why in reason


@pytest.mark.parametrize(
    "text",
    [
        "action: {weather: [{outage: {from: 0s, to: 2s}}]}",
        "action: {weather: [{on_off: {up: {constant: 1m}, down: {constant: 1s}, fail: 0.5}}]}",
        "world: shared\nrequests: {count: 10}\nreplications: 2",
        f"{FAILS}\nheals_at: 5s",
        f"{FAILS}\nuntil: 1m",
        f"{FAILS}\ncancel: {{share: 0.1, after: {{constant: 1s}}}}",
    ],
)
def test_what_may_reward_waiting_is_searched(text: str) -> None:
    assert refused(text) == []


@pytest.mark.parametrize("objective", ["polls.mean", "cost.mutations"])
def test_looking_less_often_is_worth_waiting_for_where_looks_cost(objective: str) -> None:
    assert refused(FAILS, WAITS["helpers"], "helpers", f", objectives: [{objective}]") == []
    assert refused(FAILS, WAITS["helpers"], "helpers", f", constraints: [{objective} <= 3]") == []
    assert refused(FAILS, WAITS["component"], "component", f", objectives: [{objective}]") != []


def test_how_often_to_try_is_searched_whatever_the_world() -> None:
    assert refused(FAILS, "retrier.max_failures: {from: 0, to: 16}") == []


def test_backoffs_of_a_retrier_that_never_retries_are_refused() -> None:
    weather = "action: {weather: [{outage: {from: 0s, to: 2s}}]}"
    (reason,) = refused(weather, kind="{kind: component, max_failures: 0}")
    assert "retrier.max_failures is 0" in reason
    both = f"{WAITS['component']}, retrier.max_failures: [1, 2]"
    assert refused(weather, both, "{kind: component, max_failures: 0}") == []


def test_backoffs_of_a_pool_of_one_attempt_are_refused() -> None:
    weather = "action: {weather: [{outage: {from: 0s, to: 2s}}]}"
    (reason,) = refused(weather, kind="{kind: workpool, attempts: 1}")
    assert "retrier.attempts is 1" in reason
    both = f"{WAITS['component']}, retrier.attempts: [2, 3]"
    assert refused(weather, both, "{kind: workpool, attempts: 1}") == []


@pytest.mark.parametrize("values", ["{from: 2, to: 200}", "[2, 10]"])
def test_slots_of_a_request_that_is_alone_are_refused(values: str) -> None:
    search = f"retrier.max_parallelism: {values}"
    (reason,) = refused(FAILS, search, "workpool")
    assert "alone in its pool" in reason
    shared = "world: shared\nrequests: {count: 10}\nreplications: 2"
    assert refused(shared, search, "workpool") == []


@pytest.mark.parametrize("values", ["{from: 1, to: 200}", "[0, 10]"])
def test_slots_too_few_for_one_request_are_searched(values: str) -> None:
    assert refused(FAILS, f"retrier.max_parallelism: {values}", "workpool") == []


def test_tune_refuses_before_it_simulates() -> None:
    scenario = parse(f"retrier: component\n{FAILS}\ntune: {{search: {{{WAITS['component']}}}}}\n")
    with pytest.raises(ScenarioError, match="rewards waiting"):
        tune(scenario, progress=lambda *_: pytest.fail("something was simulated"))
