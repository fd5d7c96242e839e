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
    assert "tried 5 times at most" in typescript(parse("retrier: {kind: workpool, attempts: 5}"), "a test")
    for kind in ("component", "helpers", "article"):
        assert "tried 5 times at most" in typescript(parse(f"retrier: {{kind: {kind}, max_failures: 4}}"), "a test")


def test_a_pool_is_made_with_its_slots_and_the_retry_behavior_of_its_actions() -> None:
    assert code("{kind: workpool, max_parallelism: 7, attempts: 3, initial_backoff: 1.5s, base: 2.5}") == [
        "export const pool = new Workpool(components.workpool, {",
        "  maxParallelism: 7,",
        "  retryActionsByDefault: true,",
        "  defaultRetryBehavior: { maxAttempts: 3, initialBackoffMs: 1500, base: 2.5 },",
        "});",
    ]


def test_a_pool_comes_with_its_first_backoff_which_is_the_option() -> None:
    text = typescript(parse("retrier: {kind: workpool, initial_backoff: 1s, base: 3}"), "a test")
    assert "500ms to 1.5s" in text
    assert 'import { Workpool } from "@convex-dev/workpool";' in text


def test_a_pool_of_one_attempt_retries_nothing() -> None:
    assert code("{kind: workpool, attempts: 1}")[2:] == ["  retryActionsByDefault: false,", "});"]
    assert "Nothing is retried." in typescript(parse("retrier: {kind: workpool, attempts: 1}"), "a test")


def test_a_pool_of_mutations_has_no_retry_behavior() -> None:
    assert code("{kind: workpool, function: mutation}")[1:] == ["  maxParallelism: 10,", "});"]
    assert "pool.enqueueMutation(ctx, mutation, args);" in typescript(
        parse("retrier: {kind: workpool, function: mutation}"), "a test"
    )


@pytest.mark.parametrize(("name", "member"), [("emails", ".emails"), ("e-mails", '["e-mails"]')])
def test_a_pool_of_another_name_is_found_by_it(name: str, member: str) -> None:
    text = typescript(parse(f"retrier: {{kind: workpool, pool: {name}}}"), "a test")
    assert f"new Workpool(components{member}, {{" in text
    assert f'app.use(workpool, {{ name: "{name}" }});' in text


def test_a_delayed_work_is_enqueued_with_its_delay() -> None:
    text = typescript(parse("retrier: {kind: workpool, run_after: 5s}"), "a test")
    assert "pool.enqueueAction(ctx, action, args, { runAfter: 5000 });" in text
