"""Generated scenarios: what they hold, that each feature occurs, that files could have them, that they stay cheap."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from sim.engine.world import World
from sim.history.request import Request
from sim.history.vocabulary import Outcome
from sim.kernel.durations import parse_duration
from sim.retriers.ports import PORTS
from sim.scenario.identity import digest, resolved_yaml
from sim.scenario.load import from_dict, parse
from sim.scenario.schema import Scenario
from sim.testing import features
from sim.testing.features import ALL
from sim.testing.parts import actions, cancels, faults, laws, platforms, retriers, weather
from sim.testing.strategies import as_yaml, scenario_values, scenarios

Values = dict[str, Any]
KINDS = ("none", *(kind for kind in PORTS if kind != "none"))


def examples(strategy: st.SearchStrategy[Any], count: int = 200) -> list[Any]:
    """Return some examples, the same ones every time."""
    found: list[Any] = []

    @settings(max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


def smallest(strategy: st.SearchStrategy[Any], wanted: Callable[[Any], bool]) -> Any:
    """Return the smallest example with a property."""
    # Without the phase that explains a failure, which takes as long as all others and finds nothing smaller.
    calm = settings(max_examples=1000, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
    return find(strategy, wanted, settings=calm)


# Every example is a scenario that a file could have.


@settings(max_examples=60)
@given(scenarios())
def test_the_yaml_of_an_example_is_the_same_scenario(scenario: Scenario) -> None:
    again = parse(as_yaml(scenario))
    assert (again.written, digest(again)) == (scenario.written, digest(scenario))


@settings(max_examples=60)
@given(scenarios())
def test_an_example_resolves_to_itself(scenario: Scenario) -> None:
    assert digest(parse(resolved_yaml(scenario))) == digest(scenario)


def test_the_yaml_says_no_more_than_what_was_drawn() -> None:
    values = {"retrier": {"kind": "none"}, "requests": {"count": 1}}
    assert as_yaml(from_dict(values)) == "retrier: {kind: none}\nrequests: {count: 1}\n"


@settings(max_examples=50)
@given(st.tuples(laws(), actions(), cancels(), st.tuples(faults(), platforms(), retriers(KINDS[1:]))))
def test_parts_can_be_put_together_by_hand(parts: tuple[Any, ...]) -> None:
    law, action, cancel, (planned, platform, retrier) = parts
    values = {
        "world": "shared",
        "retrier": retrier,
        "action": action if "script" in action else {**action, "latency": law},
        "platform": platform,
        "faults": planned,
        "cancel": cancel,
    }
    assert digest(from_dict(values))


# What can be fixed.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_the_retrier_and_the_world_are_those_asked_for(kind: str, world: str) -> None:
    found = examples(scenarios(kind, world), 30)
    assert {(scenario.retrier.kind, scenario.world) for scenario in found} == {(kind, world)}


def test_several_kinds_of_retriers_all_occur() -> None:
    found = examples(scenarios(["article", "component"]), 50)
    assert {scenario.retrier.kind for scenario in found} == {"article", "component"}


def test_by_default_all_retriers_and_both_worlds_occur() -> None:
    found = {(scenario.retrier.kind, scenario.world) for scenario in examples(scenarios(), 150)}
    assert found == {(kind, world) for kind in KINDS for world in ("isolated", "shared")}


def test_given_options_of_a_retrier_stay_as_they_are() -> None:
    given_options = {"kind": "helpers", "max_failures": 7}
    assert all(values["retrier"] == given_options for values in examples(scenario_values(given_options), 30))


def test_requests_are_at_most_those_asked_for() -> None:
    assert {scenario.requests.count for scenario in examples(scenarios(requests=2), 50)} == {1, 2}


def test_without_features_nothing_varies_but_the_number_of_requests_and_the_seed() -> None:
    found = examples(scenario_values("helpers", "isolated", features=()), 30)
    assert {frozenset(values) for values in found} <= {
        frozenset({"retrier", "requests", "limits"}),
        frozenset({"retrier", "requests", "limits", "seed"}),
    }


def test_a_world_without_limits_has_none() -> None:
    assert all("limits" not in values for values in examples(scenario_values(limits={}), 20))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"features": ["crash_after"]}, "no feature is called 'crash_after'; did you mean 'crash_after_effect'"),
        ({"always": ["x"]}, "no feature is called 'x'; the features are: options, fail"),
        ({"world": "lonely"}, "a world is isolated or shared, not 'lonely'"),
        ({"requests": 0}, "at least one request, not 0"),
        ({"retrier": "helper"}, "no retrier of kind 'helper'"),
    ],
)
def test_what_does_not_exist_is_named(arguments: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises((ValueError, LookupError), match=complaint):
        scenarios(**arguments)


def test_a_law_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="no law is called 'bell'; the laws are: constant"):
        laws(kinds=["bell"])


@pytest.mark.parametrize(
    "kind", ["constant", "uniform", "exponential", "normal", "lognormal", "gamma", "weibull", "pareto"]
)
def test_laws_are_of_the_kinds_asked_for(kind: str) -> None:
    assert {key for law in examples(laws(kinds=[kind]), 20) for key in law} == {kind}


# Each feature, by what shows that it is on.


def outcomes_of(values: Values) -> Values:
    action = values.get("action", {})
    written = {entry["outcome"]: entry for entry in action.get("script", ())}
    return {**action.get("outcomes", {}), **written}


def sources_of(values: Values) -> list[Values]:
    return [options for source in values.get("action", {}).get("weather", ()) for options in source.values()]


def kinds_of(values: Values) -> list[Values]:
    fail = values.get("action", {}).get("outcomes", {}).get("fail")
    return fail if isinstance(fail, list) else []


def says(values: Values, what: str) -> bool:
    entries = [*outcomes_of(values).values(), *values.get("action", {}).get("script", ()), *kinds_of(values)]
    return any(isinstance(entry, dict) and what in entry for entry in [*entries, *sources_of(values)])


def in_action(key: str) -> Callable[[Values], bool]:
    return lambda values: key in values.get("action", {})


def in_platform(key: str) -> Callable[[Values], bool]:
    return lambda values: key in values.get("platform", {})


def restarts_of(values: Values) -> list[Values]:
    return [fault["restart"] for fault in values.get("faults", ()) if "restart" in fault]


DEFAULT_PROFILES = {"isolated": "ideal", "shared": "convex"}
SHOWS: dict[str, Callable[[Values], bool]] = {
    **{name: lambda values, name=name: name in outcomes_of(values) for name in features.OUTCOMES},
    **{name: lambda values, name=name: says(values, name) for name in features.ERRORS},
    **{key: in_action(key) for key in ("script", "effect_at", "permanent_failure", "idempotency")},
    "latency": lambda values: (
        "latency" in values.get("action", {})
        or any("latency" in entry for entry in values.get("action", {}).get("script", ()))
    ),
    "own_latencies": lambda values: any(
        "latency" in outcome
        for outcome in [*values.get("action", {}).get("outcomes", {}).values(), *kinds_of(values), *sources_of(values)]
        if isinstance(outcome, dict)
    ),
    "own_outcomes": lambda values: any("outcomes" in source for source in sources_of(values)),
    "kinds": lambda values: bool(kinds_of(values)),
    **{
        name: lambda values, name=name: any(name in source for source in values.get("action", {}).get("weather", ()))
        for name in features.WEATHER
    },
    "convex_profile": lambda values: (
        values["retrier"]["kind"] != "none"
        and values.get("platform", {}).get("profile", DEFAULT_PROFILES[values.get("world", "isolated")]) == "convex"
    ),
    **{key: in_platform(key) for key in features.PLATFORM if key != "convex_profile"},
    "restart": lambda values: bool(restarts_of(values)),
    "lost_effects": lambda values: any(restart.get("inflight") == "lost" for restart in restarts_of(values)),
    "system_error": lambda values: any("system_error" in fault for fault in values.get("faults", ())),
    **{
        f"cancel_{target}": lambda values, target=target: values.get("cancel", {}).get("target") == target
        for target in ("request", "action", "poll")
    },
    "arrivals": lambda values: "arrivals" in values["requests"],
    "options": lambda values: len(values["retrier"]) > 1,
}
SOMETIMES_NOT_SEEN = {
    *("final", "retry_after", "own_latencies", "own_outcomes", "kinds", "lost_effects", "latency"),
    *features.OUTCOMES,
}
"""Features that an example may have on without a place to show them: no failure that could be final."""


def test_every_feature_has_something_that_shows_it() -> None:
    assert sorted(SHOWS) == sorted(ALL)


@pytest.fixture(scope="module")
def in_deployments() -> list[Values]:
    return examples(scenario_values(("article", "helpers", "component"), "shared"), 200)


@pytest.mark.parametrize("name", ALL)
def test_each_feature_is_on_in_some_examples_and_off_in_others(name: str, in_deployments: list[Values]) -> None:
    assert {SHOWS[name](values) for values in in_deployments} == {True, False}


@pytest.mark.parametrize("name", ALL)
def test_a_feature_that_is_not_asked_for_is_off(name: str) -> None:
    others = [other for other in ALL if other != name]
    found = examples(scenario_values(("helpers", "component"), "shared", features=others), 15)
    assert not any(SHOWS[name](values) for values in found)


@pytest.mark.parametrize("name", [name for name in ALL if name not in SOMETIMES_NOT_SEEN])
def test_a_feature_that_is_asked_for_always_is_on(name: str) -> None:
    found = examples(scenario_values("helpers", "shared", features=(), always=[name]), 8)
    assert all(SHOWS[name](values) for values in found)


@pytest.mark.parametrize("name", features.OUTCOMES)
def test_an_outcome_that_alone_is_on_befalls_some_attempts(name: str) -> None:
    found = examples(scenario_values("helpers", features=(), always=[name]), 8)
    assert all(values["action"]["outcomes"][name] > 0 for values in found)


# What cannot matter is left out: such a scenario would be refused. So it is enough to have built them.


@pytest.mark.parametrize(("kind", "world"), [("none", "isolated"), ("none", "shared"), ("helpers", "isolated")])
def test_features_without_a_place_in_a_world_stay_off(kind: str, world: str) -> None:
    possible = features.possible(ALL, shared=world == "shared", outside=kind == "none")
    found = examples(scenario_values(kind, world, always=ALL), 20)
    shown = {name for name in ALL for values in found if SHOWS[name](values)}
    assert shown <= set(possible)


# Healing.


def trouble_ends_ms(values: Values) -> list[float]:
    """Return the instants of restarts and ends of outages, in ms."""
    restarts = [at for restart in restarts_of(values) for at in restart["at"]]
    sources = values.get("action", {}).get("weather", ())
    ends = [source["outage"]["to"] for source in sources if "outage" in source]
    return [parse_duration(text) / 1e6 for text in (*restarts, *ends)]


def is_troubled(values: Values) -> bool:
    return bool(
        values.get("faults") or values.get("action", {}).get("weather") or set(outcomes_of(values)) - {"success"}
    )


@given(scenario_values())
def test_a_troubled_world_heals_after_its_last_planned_fault(values: Values) -> None:
    assert ("heals_at" in values) == is_troubled(values)
    for at_ms in trouble_ends_ms(values) if "heals_at" in values else []:
        assert at_ms + 10_000 <= parse_duration(values["heals_at"]) / 1e6


@given(scenario_values(heals=False))
def test_a_world_heals_only_where_it_is_asked_to(values: Values) -> None:
    assert "heals_at" not in values


def test_without_permanent_failures_every_request_of_a_patient_retrier_succeeds_in_the_end() -> None:
    patient = {"kind": "helpers", "max_failures": 1000, "base": 1.0, "wait_backoff": "2s", "retry_backoff": "2s"}
    harmless = [name for name in ALL if name not in {"permanent_failure", "retention", *features.CANCELS}]
    usual = [name for name in harmless if name not in {"action_time_limit", "script"}]
    for scenario in examples(scenarios(patient, "shared", usual), 30):
        assert {request.outcome for request in World(scenario).shared()} == {Outcome.success}


# Small worlds.


def requests_of(scenario: Scenario) -> list[Request]:
    world = World(scenario)
    return world.shared() if scenario.world == "shared" else world.isolated(range(scenario.requests.count))


def has(outcome: Outcome) -> Callable[[Scenario], bool]:
    return lambda scenario: any(request.outcome == outcome for request in requests_of(scenario))


LIMITS = {"polls_per_request": 2000, "events": 100_000}


def test_the_smallest_scenario_has_one_request_and_nothing_else() -> None:
    assert smallest(scenario_values(), lambda _: True) == {
        "retrier": {"kind": "none"},
        "requests": {"count": 1},
        "limits": LIMITS,
    }


def test_the_smallest_shared_scenario_takes_no_time() -> None:
    assert smallest(scenario_values("helpers", "shared"), lambda _: True) == {
        "retrier": {"kind": "helpers"},
        "requests": {"count": 1},
        "world": "shared",
        "platform": {"profile": "ideal"},
        "limits": LIMITS,
    }


def test_the_smallest_scenario_in_which_a_component_request_is_stuck_has_nothing_but_deaths() -> None:
    deadly = [*features.OUTCOMES, "latency", "effect_at", "cancel_request", "retention"]
    stuck = smallest(scenarios("component", features=deadly), has(Outcome.stuck)).written
    ((_, action),) = stuck["action"].items()
    assert (stuck["retrier"], stuck["requests"], action) in [
        ({"kind": "component"}, {"count": 1}, {death: 1.0})
        for death in ("crash_before_effect", "crash_after_effect", "hang")
    ]
    assert set(stuck) - {"seed"} == {"name", "retrier", "requests", "action", "heals_at", "limits"}


def test_the_smallest_stuck_helpers_request_needs_one_feature() -> None:
    stuck = smallest(scenarios("helpers", features=["cancel_poll", *features.ACTION]), has(Outcome.stuck))
    assert stuck.written == {
        "name": "scenario",
        "retrier": {"kind": "helpers"},
        "requests": {"count": 1},
        "cancel": {"share": 1.0, "after": {"constant": "0ms"}, "target": "poll"},
        "limits": LIMITS,
    }


@pytest.mark.parametrize("feature", ["system_error", "restart", "commit_window", "outage", "latency", "options"])
def test_what_is_needed_for_one_feature_brings_no_other(feature: str) -> None:
    found = smallest(scenario_values("component", "shared"), SHOWS[feature])
    implied = {"outage": "heals_at", "restart": "heals_at", "system_error": "heals_at"}
    extra = {implied[feature]} if feature in implied else set()
    shown = {name for name in ALL if SHOWS[name](found)}
    assert shown == {feature}
    assert found["requests"] == {"count": 1}
    assert ("heals_at" in found) == bool(extra)


# Cheap worlds.


@pytest.mark.parametrize("kind", KINDS)
def test_no_world_runs_away(kind: str) -> None:
    ended = [request for scenario in examples(scenarios(kind), 50) for request in requests_of(scenario)]
    most = max(request.polls for request in ended)
    assert has_run_away(ended) == []
    assert most < 2000


def has_run_away(requests: list[Request]) -> list[Request]:
    return [request for request in requests if request.outcome == Outcome.runaway]


def test_weather_has_at_most_one_source_of_each_kind() -> None:
    found = examples(weather(), 40)
    assert {tuple(key for source in sources for key in source) for sources in found} == {
        (),
        ("outage",),
        ("on_off",),
        ("outage", "on_off"),
    }
