"""`precision:` in a file: what it says, and what is wrong with it."""

import pytest
import yaml

from sim.scenario.cells import cells
from sim.scenario.identity import differing, digest, resolved_yaml
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

PLAIN = "retrier: helpers\nrequests: {count: 500}\n"
PRECISE = (
    f"{PLAIN}precision: {{intervals: [time_to_effect.p99 +- 5%, duplicates.rate +- 0.1%], requests_at_most: 9000}}\n"
)


def test_intervals_are_read_in_the_grammar_of_expressions() -> None:
    precision = parse(PRECISE).precision
    assert precision is not None
    assert [(one.metric.path, one.width) for one in precision.intervals] == [
        ("time_to_effect.p99", 0.05),
        ("duplicates.rate", 0.001),
    ]


def test_the_limit_has_a_default() -> None:
    precision = parse(f"{PLAIN}precision: {{intervals: [success.rate +- 1%]}}\n").precision
    assert precision is not None
    assert (precision.requests_at_most, precision.replications_at_most) == (1_000_000, 1_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"{PLAIN}precision: {{intervals: [success.rate +- 1%, sucess.rate +- 1%]}}",
            "scenario:3:45: precision.intervals[1]: unknown metric 'sucess.rate'; did you mean 'success.rate'?",
        ),
        (
            f"{PLAIN}precision: {{intervals: []}}",
            "scenario:3:24: precision.intervals: name at least one interval, such as success.rate +- 0.1%",
        ),
        (
            f"{PLAIN}precision: {{requests_at_most: 9000}}",
            "scenario:3:12: precision.intervals: is missing",
        ),
        (
            f"{PLAIN}precision: {{intervals: [success.rate +- 1%], requests_at_most: 100}}",
            (
                "scenario:3:64: precision.requests_at_most: the first round already has 500 (requests.count): the "
                "limit must be at least that"
            ),
        ),
        (
            f"{PLAIN}precision: {{intervals: [success.rate +- 1%], replications_at_most: 100}}",
            (
                "scenario:3:46: precision.replications_at_most: cannot matter in an isolated world, which adds "
                "requests; write `requests_at_most`"
            ),
        ),
        (
            f"world: shared\n{PLAIN}precision: {{intervals: [success.rate +- 1%], requests_at_most: 1000}}",
            (
                "scenario:4:46: precision.requests_at_most: cannot matter in a shared world, which adds "
                "replications; write `replications_at_most`"
            ),
        ),
        (
            f"{PLAIN}precision: {{intervals: [5]}}",
            "scenario:3:25: precision.intervals[0]: expected a text such as time_to_effect.p99 +- 5%, got 5",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, told: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(text)
    assert str(refused.value) == told


def test_the_limit_is_held_against_each_cells_own_size() -> None:
    precise = f"{PLAIN}precision: {{intervals: [success.rate +- 1%], requests_at_most: 600}}"
    swept = f"{precise}\nsweep: {{requests.count: [500, 700]}}"
    with pytest.raises(ScenarioError, match="the first round already has 700"):
        parse(swept)


def test_precision_belongs_to_the_identity_of_a_scenario_as_it_changes_its_numbers() -> None:
    assert digest(parse(PRECISE)) != digest(parse(PLAIN))


def test_the_resolved_form_is_the_same_scenario_again() -> None:
    text = resolved_yaml(parse(PRECISE))
    assert (digest(parse(text)), yaml.safe_load(text)["precision"]) == (
        digest(parse(PRECISE)),
        {"intervals": ["time_to_effect.p99 +- 5%", "duplicates.rate +- 0.1%"], "requests_at_most": 9000},
    )


def test_cells_that_differ_tell_in_what() -> None:
    one, other = (cell.scenario for cell in cells(parse(f"{PLAIN}sweep: {{action.outcomes.fail: [0.1, 0.2]}}")))
    assert differing(one, other) == {"action.outcomes.fail": (0.1, 0.2)}


def test_cells_that_differ_in_the_retrier_tell_it_as_one_setting() -> None:
    one, other = (cell.scenario for cell in cells(parse(f"{PLAIN}sweep: {{retrier: [none, helpers]}}")))
    assert list(differing(one, other)) == ["retrier"]


def test_a_part_that_one_of_them_has_tells_so() -> None:
    cancel = "cancel: {share: 0.1, after: {constant: 1s}}\n"
    assert list(differing(parse(PLAIN), parse(f"{PLAIN}{cancel}"))) == ["cancel"]
    assert differing(parse(PLAIN), parse(f"{PLAIN}expect: [success.rate >= 1%]\nwhy: Why not?\n")) == {}
