"""Searches over keys of policies, and what is pasted to get a point of one."""

import pytest

from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.names import key_labels, label
from sim.scenario.search_space import search_space, written_value
from sim.tuning.pasted import Pasted, pasted

POLICY = (
    "{kind: policy, attempts: 4, timeout: 1s, deadline: 30s, hedge: {after: 500ms}, budget: {tokens: {capacity: 10}},"
    " delay: {exponential: {initial: 100ms, cap: 20s, jitter: full}}}"
)


def text(search: str, retrier: str = POLICY) -> str:
    return f"retrier: {retrier}\ntune: {{search: {{{search}}}}}\n"


@pytest.mark.parametrize(
    ("key", "low", "high", "kind"),
    [
        ("retrier.attempts", "1", "16", "whole"),
        ("retrier.delay.exponential.initial", "10ms", "60s", "duration"),
        ("retrier.delay.exponential.cap", "1s", "60s", "duration"),
        ("retrier.delay.exponential.factor", "1.5", "4", "number"),
        ("retrier.timeout", "100ms", "5s", "duration"),
        ("retrier.deadline", "1s", "1m", "duration"),
        ("retrier.hedge.after", "10ms", "1s", "duration"),
        ("retrier.budget.tokens.cost", "1", "10", "whole"),
    ],
)
def test_keys_of_a_policy_have_ranges(key: str, low: str, high: str, kind: str) -> None:
    (axis,) = search_space(parse(text(f"{key}: {{from: {low}, to: {high}}}"))).axes
    assert axis.kind == kind


def test_what_is_given_beside_a_formula_has_a_range() -> None:
    retrier = "{kind: policy, attempts: 4, delay: {formula: 'initial * 2 ** n * u', initial: 100ms}}"
    (axis,) = search_space(parse(text("retrier.delay.initial: {from: 10ms, to: 1s}", retrier))).axes
    assert (axis.kind, axis.low, axis.high) == ("duration", 10_000_000, 1_000_000_000)


def test_a_key_of_a_preset_has_a_range() -> None:
    search = "retrier.delay.exponential.initial: {from: 10ms, to: 1s}"
    (axis,) = search_space(parse(text(search, "{kind: policy, preset: aws-full-jitter, attempts: 5}"))).axes
    assert axis.kind == "duration"


def test_whole_laws_are_listed() -> None:
    search = "retrier.delay: [none, 1s, {table: [1s, 2s]}, {formula: 'n * u * 1s'}]"
    (axis,) = search_space(parse(text(search))).axes
    assert (axis.kind, axis.size) == ("listed", 4)


@pytest.mark.parametrize(
    ("search", "told"),
    [
        (
            "retrier.delay.exponential.inital: {from: 1s, to: 2s}",
            [
                (
                    "s:2:17: tune.search['retrier.delay.exponential.inital']: unknown key 'inital'; did you mean"
                    " 'retrier.delay.exponential.initial'?"
                )
            ],
        ),
        (
            "retrier.atempts: [1, 2]",
            ["s:2:17: tune.search['retrier.atempts']: unknown key 'atempts'; did you mean 'retrier.attempts'?"],
        ),
        (
            "retrier.attempts: [2, many]",
            [
                (
                    "s:2:39: tune.search['retrier.attempts'][1]: expected a number of tries from 1 to 1,000,000, the"
                    " first included, or 'unlimited'"
                )
            ],
        ),
        (
            "retrier.timeout: {from: 5, to: 9s}",
            [("s:2:41: tune.search['retrier.timeout'].from: a duration needs a unit, such as 250ms, 1.5s or 1m30s")],
        ),
    ],
)
def test_a_key_that_cannot_be_searched_is_told_at_load(search: str, told: list[str]) -> None:
    with pytest.raises(ScenarioError) as error:
        parse(text(search), source="s")
    assert list(map(str, error.value.problems)) == told


def test_a_bare_duration_is_shown_as_it_was_written() -> None:
    scenario = parse(text("retrier.timeout: [1s, 2s]"))
    assert written_value(scenario, "retrier.timeout") == "1s"
    assert written_value(scenario, "retrier.deadline") == "30s"


def test_names_of_keys_and_laws_are_short() -> None:
    keys = ["retrier.attempts", "retrier.delay.exponential.initial", "retrier.hedge.after", "retrier.delay.constant"]
    assert list(key_labels(keys).values()) == ["attempts", "initial", "hedge.after", "delay.constant"]
    assert list(key_labels(["action.latency.constant"]).values()) == ["constant"]
    assert label("delay", {"exponential": {"initial": "100ms", "jitter": "full"}}) == (
        "exponential initial=100ms jitter=full"
    )
    assert label("delay", {"table": ["1s", "2s"]}) == "table 1s 2s"
    assert label("delay", "1s") == "delay=1s"


def test_a_preset_comes_as_the_configuration_of_its_library() -> None:
    found = pasted(parse("retrier: {kind: policy, preset: polly-constant, attempts: 6, delay: 500ms}"), "a test")
    assert isinstance(found, Pasted)
    assert found.title == "Polly"
    assert found.ending == "-polly.json"
    assert '"MaxRetryAttempts": 5,' in found.text
    assert '"Delay": "00:00:00.5000000"' in found.text


def test_what_a_configuration_says_beyond_the_preset_is_told() -> None:
    found = pasted(parse("retrier: {kind: policy, preset: grpc-retry, retry_on: [failed, failed.internal]}"), "a test")
    assert isinstance(found, Pasted)
    assert '"UNAVAILABLE"' in found.text
    assert [one.startswith("chosen for retry_on: a plain `failed`") for one in found.chosen] == [True]


def test_a_preset_of_a_library_without_configurations_says_how_to_write_one() -> None:
    found = pasted(parse("retrier: stamina"), "a test")
    assert isinstance(found, str)
    assert "--to FORMAT" in found


def test_a_preset_beyond_its_librarys_configuration_says_so() -> None:
    found = pasted(parse("retrier: {kind: policy, preset: polly-constant, pickup: {every: {constant: 1s}}}"), "a test")
    assert isinstance(found, str)
    assert found.startswith("no configuration of Polly to paste: pickup")


def test_a_policy_of_no_library_says_how_to_write_one() -> None:
    found = pasted(parse("retrier: {kind: policy, attempts: 2}"), "a test")
    assert isinstance(found, str)
    assert "retrysim convert point-1.yaml --to FORMAT" in found


def test_ports_come_as_typescript() -> None:
    found = pasted(from_dict({"retrier": "component"}), "a test")
    assert isinstance(found, Pasted)
    assert (found.title, found.ending, found.lines[-1]) == ("TypeScript", ".ts", "});")
