"""Presets in scenarios: named, changed, swept, in classes, and what is wrong with them."""

import pytest

from sim.clients.policy.options import PolicyOptions
from sim.options.model import file_rules
from sim.retriers.presets import PRESETS, Preset, find, names
from sim.scenario.cells import cells
from sim.scenario.identity import digest
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

ACTION = "action: {latency: {constant: 100ms}, outcomes: {fail: 0.5}}\n"
SHARED = """
world: shared
requests: {count: 10, arrivals: {constant: {rate: 5/s}}}
action: {latency: {constant: 100ms}}
"""


class OfFile:
    """The context of values from a file."""

    from_file = True


def policy_of(preset: str, **changes: object) -> PolicyOptions:
    tree = {**find(preset).policy, **changes}
    return PolicyOptions.model_validate(tree, **file_rules(OfFile()))


def scenario(retrier: str, more: str = ACTION) -> Scenario:
    return parse(f"retrier: {retrier}\n{more}")


def mistake(retrier: str, more: str = ACTION) -> str:
    with pytest.raises(ScenarioError) as error:
        scenario(retrier, more)
    return str(error.value.problems[0])


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_a_policy_that_a_scenario_can_name(preset: Preset) -> None:
    found = scenario(preset.name, f"{ACTION}until: 1000h\n").retrier
    assert (found.kind, found.options) == ("policy", policy_of(preset.name))
    found.make()


@pytest.mark.parametrize(
    "retrier", ["stamina", "{kind: stamina}", "{kind: policy, preset: stamina}", "{preset: stamina, kind: policy}"]
)
def test_a_preset_is_named_in_these_forms(retrier: str) -> None:
    assert scenario(retrier).retrier.options == policy_of("stamina")


@pytest.mark.parametrize("retrier", ["{kind: stamina, attempts: 3}", "{kind: policy, preset: stamina, attempts: 3}"])
def test_keys_that_are_given_replace_those_of_the_preset(retrier: str) -> None:
    assert scenario(retrier).retrier.options == policy_of("stamina", attempts=3)


def test_a_scenario_is_the_same_whether_its_policy_is_named_or_written_out() -> None:
    written = "{kind: policy, attempts: 4, delay: {constant: 500ms}}"
    assert digest(scenario("hyx")) == digest(scenario(written))


def test_a_change_goes_into_a_block_of_the_preset() -> None:
    changed = parse(f"retrier: stamina\n{ACTION}", ".", [("retrier.delay.exponential.cap", "9s")])
    assert changed.retrier.options.delay.cap == 9_000_000_000
    assert changed.retrier.options.delay.initial == 100_000_000


def test_a_sweep_goes_into_a_block_of_the_preset() -> None:
    swept = scenario("{kind: policy, preset: stamina}", ACTION + "sweep: {retrier.delay.exponential.cap: [1s, 2s]}")
    assert [cell.scenario.retrier.options.delay.cap for cell in cells(swept)] == [1_000_000_000, 2_000_000_000]


def test_a_sweep_can_be_of_presets() -> None:
    swept = parse(f"{ACTION}sweep: {{retrier: [stamina, hyx, none]}}")
    assert [cell.scenario.retrier.kind for cell in cells(swept)] == ["policy", "policy", "none"]
    assert [cell.id for cell in cells(swept)] == ["stamina", "hyx", "none"]


def test_a_sweep_can_be_of_the_key_preset() -> None:
    swept = scenario("{kind: policy, preset: hyx}", ACTION + "sweep: {retrier.preset: [hyx, resilience4j]}")
    assert [cell.scenario.retrier.options.attempts for cell in cells(swept)] == [4, 3]


def test_a_class_of_callers_has_a_preset_of_its_own() -> None:
    classes = "classes: {web: {share: 0.5, retrier: {preset: hyx}}, batch: {share: 0.5, retrier: {attempts: 2}}}\n"
    found = scenario("resilience4j", SHARED + classes)
    assert found.classes["web"].retrier.options == policy_of("hyx")
    assert found.classes["batch"].retrier.options == policy_of("resilience4j", attempts=2)


@pytest.mark.parametrize(
    ("retrier", "said"),
    [
        ("stamna", "retrier: there is no retrier 'stamna'; did you mean 'stamina'?"),
        ("{kind: policy, preset: stamna}", "retrier.preset: there is no preset 'stamna'; did you mean 'stamina'?"),
        ("{kind: policy, preset: xyzzyq}", "retrier.preset: there is no preset 'xyzzyq'; `retrysim presets` lists"),
        ("{kind: policy, preset: 3}", "retrier.preset: there is no preset '3'; `retrysim presets` lists the presets"),
        ("{kind: stamina, preset: hyx}", "retrier.preset: has no place beside the kind stamina"),
        ("{kind: stamina, attemps: 3}", "retrier.attemps: unknown key 'attemps'; did you mean 'attempts'?"),
        ("{kind: stamina, timeout: 0s}", "retrier.timeout: must be longer than 0"),
        ("{kind: helpers, preset: stamina}", "retrier.preset: unknown key 'preset'"),
    ],
)
def test_what_is_wrong_has_its_place(retrier: str, said: str) -> None:
    assert said in mistake(retrier)


def test_a_name_that_is_near_to_none_tells_the_kinds_and_where_presets_are_listed() -> None:
    assert mistake("xyzzyq").endswith("none, policy, workpool, and `retrysim presets` lists the presets")


def test_what_has_no_effect_outside_of_the_deployment_has_none_beside_a_preset() -> None:
    assert "runs outside of the deployment" in mistake("stamina", SHARED + "faults: [{restart: {at: [1s]}}]\n")


def test_a_retrier_of_another_distribution_comes_before_a_preset_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.scenario.parts.retrier.known_kinds", lambda: ["none", *names()])
    with pytest.raises(ScenarioError, match="there is no retrier 'stamina'"):
        scenario("stamina")
