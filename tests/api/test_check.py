"""A run whose every history is held against what retriers and the platform owe."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sim.api.check import Checked, check
from sim.api.replay import replayed
from sim.api.run import run
from sim.clients.client import Call, CallFailed, ClientContext
from sim.contracts.catalogue import INVARIANTS, PLATFORM
from sim.engine.world import World
from sim.experiment.checker import Checker
from sim.experiment.terms import terms_of
from sim.history.records import Requests
from sim.history.vocabulary import Outcome
from sim.promises.invariant import Invariant, Violation, breach, invariant
from sim.promises.view import View
from sim.retriers.base import LoopRetrier
from sim.retriers.ports import PORTS
from sim.retriers.registry import retrier_class
from sim.scenario.cells import cells
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

CRASHES = """
seed: 1
requests: {count: 120}
action:
  latency: {constant: 300ms}
  outcomes: {crash_before_effect: 0.15, crash_after_effect: 0.15}
retrier: component
"""
SHARED = """
seed: 3
world: shared
requests: {count: 30, arrivals: {constant: {rate: 20/s}}}
replications: 3
action: {outcomes: {crash_before_effect: 0.1, crash_after_effect: 0.1}}
retrier: component
"""
FLAKY = "{retrier: none, seed: 5, requests: {count: 60}, action: {outcomes: {fail: 0.4}}}"


class Forgetful(LoopRetrier):
    """Counts its failures over all requests, and gives up after every fifth."""

    kind = "forgetful"

    def __init__(self, tries: list[None]) -> None:
        super().__init__()
        self.tries = tries

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        while True:
            try:
                return await call()
            except CallFailed:
                self.tries.append(None)
                if len(self.tries) % 5 == 0:
                    raise
                await ctx.sleep(100)


def forgetful() -> Callable[[], Forgetful]:
    tries: list[None] = []
    return lambda: Forgetful(tries)


@invariant()
def no_second_attempt(view: View) -> Iterator[Violation]:
    """No request is attempted twice."""
    for request in view.requests.values():
        for attempt in request.attempts[1:]:
            yield breach(request.number, f"{request} is attempted again", attempt.start)


@invariant(owed_by="platform")
def nothing_happens(view: View) -> Iterator[Violation]:
    """Nothing ever happens."""
    yield breach(-1, "something happens", view.events[0])


@invariant("sometimes")
def somebody_gives_up(view: View) -> Iterator[Violation]:
    """Some request is given up."""
    for request in view.requests.values():
        if request.outcome == Outcome.gave_up.name:
            yield breach(request.number, f"{request} is given up", request.settled)


@invariant("sometimes")
def somebody_sleeps(view: View) -> Iterator[Violation]:
    """Some client sleeps."""
    for request in view.requests.values():
        if request.sleeps:
            yield breach(request.number, f"{request} sleeps", request.sleeps[0][1])


def columns(requests: Requests) -> dict[str, list[Any]]:
    return {field.name: getattr(requests, field.name).tolist() for field in fields(Requests)}


def found(checked: Checked) -> list[tuple[Any, ...]]:
    """Everything that a check says."""
    return [
        (cell.cell.id, cell.histories, cell.events, cell.broken, broken.request, broken.violation, broken.outcome)
        for cell in checked.cells
        for broken in cell.firsts.values()
    ]


# What is simulated.


def test_what_comes_out_is_what_a_run_finds_and_progress_is_told(mixed: str) -> None:
    scenario = parse(mixed)
    told: list[tuple[int, int, str]] = []
    checked = check(scenario, progress=lambda *said: told.append(said))
    said = checked.result.summary()
    assert said.pop("checked")["histories"] == sum(cell.histories for cell in checked.cells)
    assert said == run(scenario, engine="event").summary()
    last = max(done for done, _, _ in told)
    assert told == sorted(told, key=lambda one: one[0])
    assert {total for _, total, _ in told} == {last}
    assert list(dict.fromkeys(name for _, _, name in told)) == [cell.name for cell in cells(scenario)]


@pytest.mark.parametrize("text", [CRASHES, SHARED])
def test_two_checks_find_the_same(text: str) -> None:
    one, other = (found(check(parse(text))) for _ in range(2))
    assert len(one) > 1
    assert one == other


def test_an_isolated_world_is_checked_request_by_request() -> None:
    scenario = parse(FLAKY)
    (cell,) = check(scenario).cells
    assert cell.histories == 60
    assert cell.events == sum(len(replayed(scenario, number).history) for number in range(60))


def test_a_shared_world_is_checked_replication_by_replication() -> None:
    (cell,) = check(parse(SHARED)).cells
    assert cell.histories == 3


def test_only_the_first_requests_are_simulated_where_that_is_asked_for() -> None:
    for text, all_of_them in ((FLAKY, 1), (SHARED, 3)):
        scenario = parse(text)
        some = check(scenario, at_most=7).result.requests()
        assert sorted(set(some.number.tolist())) == list(range(7))
        assert len(some) == 7 * all_of_them
    assert len(check(parse(FLAKY), at_most=1000).result.requests()) == 60


def test_a_run_beyond_its_limit_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"limits\.events"):
        check(parse("{retrier: none, requests: {count: 1000000}, limits: {events: 1000}}"))


def test_another_retrier_takes_the_place_of_the_scenarios_own() -> None:
    checked = check(parse(FLAKY), invariants=(), retrier=forgetful(), at_most=3)
    assert checked.result.requests().attempts.max() > 1


# What it is held against.


def test_all_holds_where_nothing_is_broken() -> None:
    checked = check(parse("{retrier: helpers, requests: {count: 50}, action: {outcomes: {fail: 0.3}}}"))
    (cell,) = checked.cells
    assert (checked.holds, checked.first, cell.broken, cell.held) == (True, None, {}, INVARIANTS)


def test_a_scenario_says_itself_what_each_cell_is_held_against() -> None:
    text = CRASHES + "variants: {a: {check: [legal-job-steps]}, b: {check: all}, c: {}}\n"
    checked = check(parse(text), invariants=())
    assert [[one.name for one in cell.held] for cell in checked.cells] == [
        ["legal-job-steps"],
        [one.name for one in INVARIANTS],
        [],
    ]
    assert [cell.histories for cell in checked.cells] == [120, 120, 0]


def test_what_a_scenario_asks_for_joins_what_else_it_is_held_against() -> None:
    checked = check(parse(CRASHES + "check: [effect-once, legal-job-steps]\n"), invariants=PLATFORM)
    assert [one.name for one in checked.cells[0].held] == [*(one.name for one in PLATFORM), "effect-once"]


def test_a_sometimes_that_no_history_shows_is_told() -> None:
    held: tuple[Invariant, ...] = (somebody_gives_up, somebody_sleeps)
    checked = check(parse(FLAKY), invariants=held)
    assert [cell.unseen for cell in checked.cells] == [(somebody_sleeps,)]
    assert (checked.holds, checked.first) == (False, None)


def test_an_eventually_is_not_asked_of_a_world_that_was_cut() -> None:
    text = "{retrier: helpers, requests: {count: 20}, until: 150ms, action: {latency: {constant: 1s}}}"
    assert check(parse(text)).holds


def test_terms_are_those_of_the_world() -> None:
    text = (
        "{retrier: component, action: {idempotency: {window: 5s}}, until: 9s,"
        " platform: {profile: convex, action_time_limit: 7s}}"
    )
    world = World(parse(text))
    world.isolated([0])
    terms = terms_of(world)
    assert (terms.idempotency_ns, terms.action_time_limit_ns, terms.end_ns) == (5 * 10**9, 7 * 10**9, 9 * 10**9)
    assert (terms.parallelism, terms.drained, terms.promises.callback) == (8, False, True)
    world = World(parse("retrier: none"))
    world.isolated([0])
    terms = terms_of(world)
    assert (terms.idempotency_ns, terms.drained, terms.promises.attempts_at_most) == (0, True, 1)


# What it finds.


def test_requests_that_break_an_invariant_are_counted_once_each() -> None:
    checked = check(parse(CRASHES))
    stuck = checked.result.requests().outcome == Outcome.stuck
    assert stuck.sum() > 1
    assert checked.cells[0].broken["settles"] == stuck.sum()
    attempts = check(parse(CRASHES), invariants=(no_second_attempt,))
    assert attempts.cells[0].broken == {"no-second-attempt": (attempts.result.requests().attempts > 1).sum()}


def test_the_first_violation_comes_with_the_history_that_replay_gives() -> None:
    scenario = parse(CRASHES)
    checked = check(scenario)
    first = checked.cells[0].firsts["settles"]
    again = replayed(scenario, first.request)
    assert first.request == np.flatnonzero(checked.result.requests().outcome == Outcome.stuck)[0]
    assert (first.history.digest(), first.outcome) == (again.history.digest(), Outcome.stuck)
    assert [event for event in first.violation.events if event not in first.history.events] == []


def test_the_first_of_a_shared_world_has_the_number_that_replay_takes() -> None:
    scenario = parse(SHARED)
    checked = check(scenario, invariants=(no_second_attempt,))
    records = checked.result.requests()
    (row, *_) = np.flatnonzero(records.attempts > 1)
    first = checked.first
    assert first is not None
    assert (first.request, first.violation.request) == (row, records.number[row])
    last = parse(SHARED, seed=7)
    late = check(last).cells[0].firsts["settles"]
    assert late.request >= 60
    assert replayed(last, late.request).history.digest() == late.history.digest()


def test_the_first_of_several_is_that_of_the_lowest_request() -> None:
    checked = check(parse(CRASHES, seed=2), invariants=(*INVARIANTS, no_second_attempt))
    requests = {name: broken.request for name, broken in checked.cells[0].firsts.items()}
    assert len(set(requests.values())) > 1
    assert checked.first is not None
    assert checked.first.request == min(requests.values())


def test_what_belongs_to_no_request_is_found_too() -> None:
    checked = check(parse(SHARED), invariants=(nothing_happens,))
    assert checked.cells[0].broken == {"nothing-happens": 3}
    first = checked.first
    assert first is not None
    assert (first.request, first.violation.request, first.outcome) == (0, -1, None)
    assert {event.request for event in first.history} >= set(range(30))


# State that leaks from request to request.


def test_what_retriers_share_is_found_and_does_not_replay() -> None:
    scenario = parse(FLAKY)
    first = check(scenario, retrier=forgetful()).cells[0].firsts["no-leak"]
    assert not first.replays
    again = check(scenario, retrier=forgetful(), at_most=first.requests_needed).cells[0].firsts["no-leak"]
    assert again.violation == first.violation


def test_what_breaks_alone_as_well_replays() -> None:
    first = check(parse(CRASHES)).first
    assert first is not None
    assert first.replays


@pytest.mark.parametrize("retrier", PORTS)
def test_the_ports_are_stateless_as_they_say(retrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    whole: Callable[..., Any] = Checker._alone  # noqa: SLF001  # to see that it is asked

    def alone(self: Any, world: World) -> Any:
        ask = whole(self, world)
        assert ask is not None
        return lambda number: (compared.append(number), ask(number))[1]

    assert retrier_class(retrier).stateless
    monkeypatch.setattr(retrier_class(retrier), "stateless", False)
    monkeypatch.setattr(Checker, "_alone", alone)
    text = CRASHES.replace("component", retrier).replace("outcomes: {", "outcomes: {fail: 0.3, ")
    (cell,) = check(parse(text.replace("count: 120", "count: 60"))).cells
    assert "no-leak" not in cell.broken
    assert sorted(set(compared)) == list(range(60))


# Retriers whose requests depend on more than scenario and seed.

OWN = "{retrier: none, seed: 5, requests: {count: 300}, action: {outcomes: {fail: 0.4}}}"
REPLICATIONS = """
{world: shared, retrier: none, replications: 4, action: {outcomes: {fail: 0.4}},
 requests: {count: 300, arrivals: {constant: {rate: 2/s}}}}
"""
ONE_REPLICATION = REPLICATIONS.replace("replications: 4", "replications: 1")


@pytest.mark.parametrize("text", [OWN, REPLICATIONS, ONE_REPLICATION], ids=["isolated", "shared", "one"])
@pytest.mark.parametrize("kind", ["GlobalChance", "SystemChance", "Clock", "ClassBudget", "ModuleBudget"])
def test_nothing_holds_if_requests_do_not_repeat(leaking: ModuleType, text: str, kind: str) -> None:
    checked = check(parse(text), invariants=(), retrier=getattr(leaking, kind))
    assert not checked.holds
    assert not checked.result.repeats


@pytest.mark.parametrize("text", [OWN, REPLICATIONS, ONE_REPLICATION], ids=["isolated", "shared", "one"])
@pytest.mark.parametrize("kind", ["Steady", "Remembers"])
def test_what_is_the_same_every_time_holds(leaking: ModuleType, text: str, kind: str) -> None:
    assert check(parse(text), retrier=getattr(leaking, kind)).holds


def test_a_retrier_that_wrongly_says_that_it_keeps_nothing_is_found(leaking: ModuleType) -> None:
    checked = check(parse(OWN), retrier=leaking.SaysItKeepsNothing)
    assert (checked.holds, checked.cells[0].broken) == (False, {})
    assert checked.result.cells[0].unrepeated


def test_a_leak_from_one_replication_into_a_later_one_is_found(leaking: ModuleType) -> None:
    leaking.Tires.requests = 997  # so that the last replication alone has a tired retrier
    found = check(parse(REPLICATIONS), invariants=(), retrier=leaking.Tires).result.cells[0].unrepeated
    assert {one.request // 300 for one in found} == {0}
