"""Whether anything in a scenario rewards waiting: if nothing does, the best backoff is none, without a search.

A retry succeeds after a wait more often than at once only if failures hang together in time. If each attempt fails by a
draw of its own, a longer backoff changes nothing but how long everything takes, whatever the other options are. Only
certain cases are refused: a retrier of the user's own is searched as asked, since nothing says which of its options are
waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.measure.paths import metric_of
from sim.retriers.ports import PORTS
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.parts.tuning import Values
from sim.scenario.search_space import PLACE
from sim.world.weather import OnOff

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario
    from sim.world.weather import Weather

BACKOFFS = ("retrier.initial_backoff", "retrier.retry_backoff")
"""How long a retry waits."""
WAITS = (*BACKOFFS, "retrier.wait_backoff", "retrier.base")
"""How long something waits: a retry, or a poll."""
POLLING = ("article", "helpers")
SLOTS = "retrier.max_parallelism"
ALONE = 2
"""From so many slots on it makes no difference to a single request how many there are: one is not in use."""
NO_RETRY = {"retrier.max_failures": 0, "retrier.attempts": 1}
"""Options with the value at which nothing is retried."""
OF_POLLS = ("polls", "mutations")
"""Quantities that longer waits between polls make smaller."""


def refuse_pointless(scenario: Scenario) -> None:
    """Raise ScenarioError if waits are searched but nothing rewards them, or slots but each request is alone."""
    tune = scenario.tune
    if tune is None or scenario.retrier.kind not in PORTS or "retrier" in tune.search:
        return
    _refuse_slots(scenario)
    searched = [key for key in tune.search if key in WAITS]
    if not searched:
        return
    never = next((key for key, value in NO_RETRY.items() if _option(scenario, key) == value), None)
    if never is not None and never not in tune.search:
        reason = f"cannot matter: {never} is {NO_RETRY[never]}, so nothing is ever retried"
        backoffs = [key for key in searched if key in BACKOFFS]
        if backoffs:
            raise ScenarioError([Problem((*PLACE, key), reason, at_key=True) for key in backoffs])
    if rewards_waiting(scenario):
        return
    reason = (
        f"nothing in this scenario rewards waiting: {_why_not(scenario)}; the best wait is then always the shortest, "
        "whatever the other parameters; leave this key out, or give the action `weather`: failures that hang together "
        "in time"
    )
    raise ScenarioError([Problem((*PLACE, key), reason, at_key=True) for key in searched])


def _refuse_slots(scenario: Scenario) -> None:
    """Refuse a search of slots that no second request can take."""
    if scenario.world == "shared" or scenario.tune is None or SLOTS not in scenario.tune.search:
        return
    searched = scenario.tune.search[SLOTS]
    values = searched.values if isinstance(searched, Values) else (searched.low, searched.high)
    if all(isinstance(value, int) and value >= ALONE for value in values):
        reason = (
            "cannot matter: each request of an isolated world is alone in its pool, so it finds a slot at once; search "
            "this in a shared world, where requests wait for one another's slots"
        )
        raise ScenarioError([Problem((*PLACE, SLOTS), reason, at_key=True)])


def _option(scenario: Scenario, key: str) -> object:
    return getattr(scenario.retrier.options, key.removeprefix("retrier."), None)


def rewards_waiting(scenario: Scenario) -> bool:
    """Tell whether a longer wait may be better than the shortest, by the objectives and constraints of `tune`."""
    if scenario.world == "shared":
        return True  # requests wait for one another, and faults strike the deployment at some time
    if scenario.until is not None or scenario.cancel is not None:
        return True  # a request that is waiting when it is cut off or canceled has cost fewer attempts
    if _can_fail(scenario) and scenario.heals_at is not None:
        return True
    if any(map(_is_felt, scenario.action.weather)):
        return True
    return scenario.retrier.kind in POLLING and _counts_polls(scenario)


def _why_not(scenario: Scenario) -> str:
    if not _can_fail(scenario):
        return "no attempt fails" + (
            " but those of requests that never succeed" if _some_never_succeed(scenario) else ""
        )
    if scenario.action.script:
        return "the script says how each attempt goes, whenever it starts"
    if scenario.action.weather:
        return "its weather fails no attempt, and each fails on its own, whenever it starts"
    return "there is no weather and nothing that requests share, so each attempt fails on its own, whenever it starts"


def _can_fail(scenario: Scenario) -> bool:
    """Tell whether an attempt may fail, of a request that can succeed."""
    action = scenario.action
    if action.script:
        return any(attempt.outcome != "success" for attempt in action.script)
    return any(branch.share > 0 for branch in action.branches()) or any(map(_is_felt, action.weather))


def _some_never_succeed(scenario: Scenario) -> bool:
    return scenario.action.permanent_failure > 0


def _is_felt(source: Weather) -> bool:
    """Tell whether a source of weather ever spoils an attempt."""
    return source.share > 0 and (not isinstance(source, OnOff) or source.down_share > 0)


def _counts_polls(scenario: Scenario) -> bool:
    tune = scenario.tune
    paths = [] if tune is None else [*tune.objectives, *(one.metric.path for one in tune.constraints)]
    return any(metric_of(path).quantity in OF_POLLS for path in paths)
