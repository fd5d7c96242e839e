"""How much work a run is, estimated before it starts; one that is beyond its limit is refused."""

import re

import pytest

from sim.api.run import run
from sim.experiment.plan import plan, request_count
from sim.history.records import Requests
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError


def never_told(done: int, total: int, cell: str) -> None:
    raise AssertionError(f"{done} of {total} requests of {cell} were simulated")


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        run(parse(text), progress=never_told)
    (problem,) = refused.value.problems
    assert problem.keys == ("limits", "events")
    return problem.reason


def events_of(requests: Requests) -> int:
    """Submissions, mutations, starts, and two timers an attempt."""
    each = 1 + requests.mutations + requests.conflicts + requests.actions + 2 * requests.attempts
    return int(each.sum())


def test_a_run_beyond_its_limit_is_refused_before_it_starts_with_the_estimate() -> None:
    assert refusal("{retrier: none, requests: {count: 1000000}, limits: {events: 3999999}}") == (
        "this run is estimated at 4,000,000 events, more than limits.events (3,999,999); "
        "ask for fewer requests, replications or cells, or raise the limit"
    )


def test_a_run_at_its_limit_is_not_refused() -> None:
    scenario = parse("{retrier: none, requests: {count: 100}, limits: {events: 400}}")
    assert plan(scenario).events == (400,)
    assert len(run(scenario).requests()) == 100


def test_all_cells_count_together() -> None:
    text = (
        "{{requests: {{count: 100}}, retrier: none, limits: {{events: {}}}, sweep: {{action.effect_at: [0, 0.5, 1]}}}}"
    )
    assert plan(parse(text.format(1200))).events == (400, 400, 400)
    assert "1,200 events" in refusal(text.format(1199))


def test_all_replications_count_together() -> None:
    text = "{{world: shared, replications: 5, requests: {{count: 100}}, retrier: none, limits: {{events: {}}}}}"
    assert plan(parse(text.format(2000))).requests == 500
    assert "2,000 events" in refusal(text.format(1999))


@pytest.mark.parametrize("retrier", ["none", "article", "helpers", "component"])
@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_where_nothing_is_left_to_chance_the_estimate_is_what_happens(retrier: str, world: str) -> None:
    profile = "" if retrier == "none" else ", platform: {profile: ideal}"
    scenario = parse(
        f"{{retrier: {retrier}, world: {world}, requests: {{count: 200}}{profile},"
        " action: {script: [{outcome: fail, latency: 30ms}, {outcome: success, latency: 50ms}]}}"
    )
    requests = run(scenario).requests()
    if retrier in {"none", "article"}:
        assert plan(scenario).events == (events_of(requests),)
    assert plan(scenario).events[0] == pytest.approx(events_of(requests), rel=0.1)


def test_a_request_that_polls_to_its_limit_is_estimated_by_that_limit() -> None:
    # A poll every millisecond while the action hangs for ever: nobody waits for the million polls to know the number.
    reason = refusal(
        """
        retrier: {kind: article, base: 1, wait_backoff: 1ms}
        requests: {count: 20}
        action: {outcomes: {hang: 1}}
        platform: {action_time_limit: none}
        limits: {polls_per_request: 1000000, events: 10000000}
        """
    )
    (estimate,) = re.findall(r"estimated at ([\d,]+) events", reason)
    assert int(estimate.replace(",", "")) == pytest.approx(20_000_000, rel=0.01)
    assert reason.endswith(
        "Requests of 'scenario' call or poll more than 2,000 times without an end, and may do so up to "
        "limits.polls_per_request (1,000,000): give the retrier a limit, or lower this one"
    )


def test_a_plan_keeps_the_order_of_the_cells() -> None:
    planned = plan(parse("{retrier: none, variants: {b: {seed: 1}, a: {seed: 2}}, requests: {count: 10}}"))
    assert [cell.id for cell in planned.cells] == ["b", "a"]
    assert [request_count(cell.scenario) for cell in planned.cells] == [10, 10]
