"""Variants times sweep: which cells there are, what they are called, and that they stand alone."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.cells import cells
from sim.scenario.identity import digest, resolved
from sim.scenario.load import from_dict, load, parse
from sim.scenario.mistakes.problems import ScenarioError

GOOD = Path(__file__).parent / "good"


def ids(text: str) -> list[str]:
    return [cell.id for cell in cells(parse(text))]


def test_without_sweep_and_variants_there_is_one_cell() -> None:
    scenario = parse("retrier: none")
    (cell,) = cells(scenario)
    assert (cell.id, cell.params, cell.scenario) == ("all", {}, scenario)


def test_the_last_key_of_a_sweep_changes_fastest() -> None:
    text = "{retrier: helpers, sweep: {action.outcomes.fail: [0.1, 0.2], retrier.base: [2, 3]}}"
    assert ids(text) == ["fail=0.1,base=2", "fail=0.1,base=3", "fail=0.2,base=2", "fail=0.2,base=3"]


def test_variants_come_before_the_sweep() -> None:
    text = "{retrier: helpers, variants: {as shipped: {}, b: {seed: 5}}, sweep: {action.effect_at: [0, 1]}}"
    found = cells(parse(text))
    assert [cell.id for cell in found] == [
        "as-shipped,effect_at=0", "as-shipped,effect_at=1", "b,effect_at=0", "b,effect_at=1",
    ]  # fmt: skip
    assert [cell.name for cell in found][0::3] == ["as shipped, effect_at=0", "b, effect_at=1"]
    assert found[-1].params == {"seed": 5, "action.effect_at": 1}
    assert (found[-1].scenario.seed, found[-1].scenario.action.effect_at) == (5, 1.0)


def test_a_comma_in_a_name_is_no_joint_of_an_id() -> None:
    assert ids("{retrier: helpers, variants: {'article, 5 attempts': {seed: 1}}}") == ["article-5-attempts"]


def test_the_cells_own_scenario_has_no_cells() -> None:
    for cell in cells(load(GOOD / "full.yaml")):
        assert (cell.scenario.sweep, cell.scenario.variants) == ({}, {})
        assert [alone.id for alone in cells(cell.scenario)] == ["all"]


def test_keys_that_end_alike_are_told_apart_by_all_of_their_path() -> None:
    text = "{retrier: helpers, sweep: {action.outcomes.fail.share: [0.5], action.outcomes.hang.share: [0.25]}}"
    assert ids(text) == ["action.outcomes.fail.share=0.5,action.outcomes.hang.share=0.25"]


def test_laws_and_retriers_are_named_by_what_they_are() -> None:
    text = """
retrier: helpers
sweep:
  retrier: [none, {kind: helpers, max_failures: 4}]
  action.latency: [{constant: 5ms}, {lognormal: {median: 5ms, p99: 1s}}]
"""
    assert [cell.name for cell in cells(parse(text))] == [
        "none, latency=constant 5ms",
        "none, latency=lognormal median=5ms p99=1s",
        "helpers max_failures=4, latency=constant 5ms",
        "helpers max_failures=4, latency=lognormal median=5ms p99=1s",
    ]


def test_a_whole_retrier_takes_the_old_options_with_it() -> None:
    text = "{retrier: {kind: helpers, max_failures: 2}, variants: {a: {retrier: helpers}, b: {retrier.base: 3}}}"
    options = [cell.scenario.retrier.options for cell in cells(parse(text))]
    assert [(one.max_failures, one.base) for one in options] == [(16, 2.0), (2, 3.0)]


@pytest.mark.parametrize(
    "changes", ["{retrier: component, retrier.max_failures: 9}", "{retrier.max_failures: 9, retrier: component}"]
)
def test_a_whole_is_changed_before_its_parts(changes: str) -> None:
    (cell,) = cells(parse(f"{{retrier: helpers, variants: {{a: {changes}}}}}"))
    assert (cell.scenario.retrier.kind, cell.scenario.retrier.options.max_failures) == ("component", 9)


def test_a_key_below_a_shorthand_keeps_what_it_stands_for() -> None:
    text = """
retrier: helpers
action: {outcomes: {fail: 0.5}}
variants: {a: {retrier.max_failures: 1, action.outcomes.fail.latency: {constant: 5ms}}}
"""
    (cell,) = cells(parse(text))
    assert (cell.scenario.retrier.kind, cell.scenario.retrier.options.max_failures) == ("helpers", 1)
    assert cell.scenario.action.outcomes.fail.share == 0.5


def test_entries_of_lists_are_changed_by_their_number() -> None:
    text = """
retrier: helpers
action: {weather: [{outage: {from: 0s, to: 1s}}, {outage: {from: 5s, to: 9s}}]}
sweep: {action.weather.1.outage.to: [6s, 7s]}
"""
    found = [cell.scenario.action.weather for cell in cells(parse(text))]
    assert [(first.to_ns, second.to_ns) for first, second in found] == [(10**9, 6 * 10**9), (10**9, 7 * 10**9)]


def test_every_cell_may_bring_its_own_retrier() -> None:
    assert [cell.scenario.retrier.kind for cell in cells(load(GOOD / "measured.yaml"))][::2] == [
        "none", "helpers", "component", "article", "helpers",
    ]  # fmt: skip


def test_what_is_idle_in_a_cell_is_left_out_of_it() -> None:
    none, *_, together = cells(load(GOOD / "measured.yaml"))
    assert "platform" not in resolved(none.scenario)
    assert resolved(together.scenario)["platform"]["parallelism"] == 2


def test_a_cell_of_another_world_has_that_worlds_profile() -> None:
    found = cells(parse("{retrier: helpers, sweep: {world: [isolated, shared]}}"))
    assert [cell.scenario.platform.profile for cell in found] == ["ideal", "convex"]


def test_ids_that_a_file_system_may_take_for_the_same_are_told_apart() -> None:
    found = ids("{retrier: helpers, variants: {a b: {seed: 1}, a-b: {seed: 2}, A b: {seed: 3}, c: {}}}")
    assert [identity[:4] for identity in found] == ["a-b-", "a-b-", "A-b-", "c"]
    assert len({identity.lower() for identity in found}) == 4


def test_a_mistake_shared_by_many_cells_is_told_once() -> None:
    with pytest.raises(ScenarioError) as error:
        parse("{retrier: helpers, sweep: {action.effect_at: [0, 7], seed: [1, 2, 3]}}", source="s")
    assert [str(problem) for problem in error.value.problems] == [
        "s:1:50: sweep['action.effect_at'][1]: must be at most 1, got 7; did you mean '7%'?"
    ]


def test_a_contradiction_of_one_cell_names_the_cell() -> None:
    text = "world: shared\nretrier: helpers\nmeasure: {from: 5s, to: 9s}\nvariants: {a: {}, b: {measure.from: 10s}}"
    with pytest.raises(ScenarioError) as error:
        parse(text, source="s")
    assert [str(problem) for problem in error.value.problems] == [
        "s:4:37: variants.b['measure.from']: the window must end after it begins: `from` must be less than `to`"
    ]


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=100)


@given(st.dictionaries(names, st.integers(0, 5), min_size=1, max_size=5))
def test_ids_are_unique_short_and_fit_for_files(seeds: dict[str, int]) -> None:
    try:
        found = cells(from_dict({"retrier": "none", "variants": {name: {"seed": seeds[name]} for name in seeds}}))
    except ScenarioError as error:
        assert "the name of a variant must have 1 to 80 characters" in str(error)  # noqa: PT017  # no other mistake is made
        return
    assert [cell.name for cell in found] == list(seeds)
    assert len({cell.id.lower() for cell in found}) == len(seeds)
    assert all(re.fullmatch(r"[A-Za-z0-9_=,][A-Za-z0-9._=,-]{0,79}", cell.id) for cell in found)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=1, unique=True), st.booleans())
def test_a_cell_is_the_same_alone_as_in_its_sweep(shares: list[float], backwards: bool) -> None:  # noqa: FBT001
    values = shares[::-1] if backwards else shares
    found = cells(from_dict({"retrier": "helpers", "sweep": {"action.outcomes.fail": values}}))
    alone = [from_dict({"retrier": "helpers", "action": {"outcomes": {"fail": share}}}) for share in values]
    assert [digest(cell.scenario) for cell in found] == [digest(scenario) for scenario in alone]
    assert [cell.id for cell in found] == [f"fail={share}" for share in values]
