"""What a good file becomes."""

import pickle
from pathlib import Path

import pytest

from sim.convex.platform import assumed
from sim.kernel.durations import NS_PER_MS, NS_PER_S
from sim.laws.distributions import Constant, Empirical
from sim.scenario.load import from_dict, load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario
from sim.world.actions import ActionOptions

GOOD = Path(__file__).parent / "good"


@pytest.mark.parametrize("path", sorted(GOOD.glob("*.yaml")), ids=lambda path: path.stem)
def test_good_files_load(path: Path) -> None:
    assert load(path).name in {path.stem, "crash-after-effect"}


def test_the_smallest_scenario_has_the_documented_defaults() -> None:
    scenario = load(GOOD / "smallest.yaml")
    got = (scenario.name, scenario.seed, scenario.schema_version, scenario.world, scenario.until, scenario.why)
    assert got == ("smallest", 0, 1, "isolated", None, "")
    assert (scenario.limits.polls_per_request, scenario.limits.events) == (10**6, 10**9)
    assert scenario.action.latency == Constant(value_ns=100 * NS_PER_MS)
    assert scenario.action.branches()[0][:3] == ("fail", 0.0, scenario.action.latency)


def test_an_isolated_world_is_ideal_and_a_shared_one_convex_unless_said() -> None:
    assert parse("retrier: none").platform.profile == "ideal"
    assert parse("{retrier: helpers, world: shared}").platform.profile == "convex"
    assert parse("{retrier: helpers, world: shared, platform: {profile: ideal}}").platform.profile == "ideal"
    assert parse("{retrier: helpers, platform: {profile: convex}}").platform.profile == "convex"


def test_a_number_of_the_platform_replaces_that_of_the_profile() -> None:
    platform = parse("{retrier: helpers, world: shared, platform: {retention: none, occ_backoff: {max: 5s}}}").platform
    assert (platform.retention, platform.parallelism) == (None, 8)
    assert (platform.occ_backoff.initial, platform.occ_backoff.max) == (100 * NS_PER_MS, 5 * NS_PER_S)


def test_assumed_latencies_are_named_until_they_are_replaced() -> None:
    text = "{{retrier: helpers, world: shared, platform: {{commit_window: {law}}}}}"
    names = ["platform.mutation_latency", "platform.commit_window", "platform.dispatch_latency"]
    assert assumed(parse("{retrier: helpers, world: shared}").platform) == names
    assert assumed(parse(text.format(law="{constant: 3ms}")).platform) == [names[0], names[2]]
    assert assumed(parse(text.format(law="none")).platform) == [names[0], names[2]]
    assert assumed(parse("retrier: helpers").platform) == []


def test_a_law_from_a_file_has_its_values() -> None:
    latency = load(GOOD / "measured.yaml").action.latency
    assert isinstance(latency, Empirical)
    assert latency.values_ns == (1_500_000, 2_000_000, 10_000_000)


def test_the_retrier_is_made_from_its_choice() -> None:
    retrier = parse("retrier: {kind: component, max_failures: 2}").retrier.make()
    assert (retrier.kind, retrier.options.max_failures, retrier.options.base) == ("component", 2, 2.0)


def test_a_name_is_made_of_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "_My Scenario (2).yaml"
    path.write_text("retrier: none")
    assert load(path).name == "my-scenario--2-"


def test_words_of_yaml_1_1_are_text() -> None:
    assert parse("{retrier: none, why: NO}").why == "NO"
    assert parse("{retrier: none, seed: 017}").seed == 17


def test_scenarios_are_made_of_plain_values_too() -> None:
    scenario = from_dict({"retrier": "helpers", "action": {"latency": {"constant": "5ms"}}})
    assert scenario.action.latency == Constant(value_ns=5 * NS_PER_MS)
    assert scenario == parse("{retrier: helpers, action: {latency: {constant: 5ms}}}")


def test_plain_values_obey_the_rules_of_files() -> None:
    with pytest.raises(ScenarioError) as error:
        from_dict({"retrier": "helper", "action": {"latency": {"constant": 5}, "effect_at": 2}})
    assert str(error.value).split("\n") == [
        "action.latency.constant: a duration needs a unit, such as 250ms, 1.5s or 1m30s",
        "action.effect_at: must be at most 1, got 2; did you mean '2%'?",
        "retrier: there is no retrier 'helper'; did you mean 'helpers'?",
    ]


def test_scenarios_are_made_of_models_too() -> None:
    action = ActionOptions(latency=Constant(value_ns=5), script=())
    scenario = Scenario.model_validate({"retrier": "helpers", "world": "shared", "action": action})
    assert (scenario.action, scenario.platform.profile) == (action, "convex")


def test_models_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ScenarioError, match="replications: cannot matter in an isolated world"):
        Scenario.model_validate({"retrier": "helpers", "replications": 2})


def test_values_measured_in_python_need_no_file() -> None:
    law = Empirical(file="measured", column="x_ns").with_values([3, 1, 2], "0" * 64)
    scenario = Scenario.model_validate({"retrier": "none", "action": {"latency": law}})
    assert scenario.action.latency.values_ns == (1, 2, 3)


def test_a_scenario_goes_to_another_process_and_back() -> None:
    scenario = load(GOOD / "measured.yaml")
    assert pickle.loads(pickle.dumps(scenario)) == scenario  # noqa: S301  # our own bytes


def test_until_and_measure_are_in_ns() -> None:
    scenario = parse("{retrier: helpers, world: shared, until: 1m30s, measure: {from: 1s, to: 1m}}")
    assert scenario.until == 90 * NS_PER_S
    assert (scenario.measure.from_ns, scenario.measure.to_ns) == (NS_PER_S, 60 * NS_PER_S)


def test_a_setting_that_needs_no_other_may_stand_alone() -> None:
    text = "{retrier: helpers, replications: 1, faults: [], measure: null, cancel: null, sweep: null, variants: {}}"
    assert parse(text).measure is None
