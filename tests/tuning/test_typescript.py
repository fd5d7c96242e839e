"""TypeScript to paste: upstream's names and units, and the numbers of the scenario."""

import pytest

from sim.scenario.load import parse
from sim.tuning.typescript import code_lines, no_code, typescript


def code(retrier: str) -> list[str]:
    return code_lines(typescript(parse(f"retrier: {retrier}"), "a test"))


def test_the_component_is_made_with_its_options_in_ms() -> None:
    assert code("{kind: component, initial_backoff: 1.5s, base: 2.5, max_failures: 6}") == [
        "export const retrier = new ActionRetrier(components.actionRetrier, {",
        "  initialBackoffMs: 1500,",
        "  base: 2.5,",
        "  maxFailures: 6,",
        "});",
    ]


def test_the_component_comes_with_its_first_backoff_which_is_not_the_option() -> None:
    text = typescript(parse("retrier: {kind: component, initial_backoff: 1s, base: 3}"), "a test")
    assert "1.5s to 4.5s" in text
    assert 'from "@convex-dev/action-retrier"' in text


def test_a_delayed_start_is_told() -> None:
    text = typescript(parse("retrier: {kind: component, run_after: 5s}"), "a test")
    assert "retrier.runAfter(ctx, 5000, action, args)" in text


def test_helpers_are_made_by_makeactionretrier() -> None:
    assert code("{kind: helpers, retry_backoff: 12.5ms, max_failures: 3}") == [
        'export const { runWithRetries, retry } = makeActionRetrier("retries:retry", {',
        "  waitBackoff: 100,",
        "  retryBackoff: 12.5,",
        "  base: 2,",
        "  maxFailures: 3,",
        "});",
    ]


def test_the_article_takes_arguments() -> None:
    assert code("article")[0] == "export const retryOptions = {"
    assert code("article")[1:-1] == ["  waitBackoff: 10,", "  retryBackoff: 10,", "  base: 2,", "  maxFailures: 16,"]


@pytest.mark.parametrize("kind", ["none", "component-repaired"])
def test_what_has_no_code_says_so(kind: str) -> None:
    scenario = parse(f"retrier: {kind}")
    assert no_code(scenario) != ""
    with pytest.raises(ValueError, match=kind):
        typescript(scenario, "a test")


def test_the_code_says_how_often_an_action_is_tried() -> None:
    for kind in ("component", "helpers", "article"):
        assert "tried 5 times at most" in typescript(parse(f"retrier: {{kind: {kind}, max_failures: 4}}"), "a test")
