"""What the command line says beats the file, and its mistakes have a place too."""

import sys
import types
from collections.abc import Iterator

import pytest

from sim.options.model import DurationNs, Options
from sim.retriers.base import LoopRetrier
from sim.scenario.cells import cells
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

NO_CODE = "a file never imports code: name a class or a function with --retrier MODULE:NAME, here write a kind"
TEXT = "retrier: helpers\nseed: 5\naction: {outcomes: {fail: 0.5}, weather: [{outage: {from: 0s, to: 1s}}]}\n"


def mistakes(overrides: list[tuple[str, str]], text: str = TEXT, **given: object) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        parse(text, ".", overrides, source="s", **given)
    return [str(problem) for problem in error.value.problems]


def test_overrides_replace_what_the_file_says() -> None:
    scenario = parse(TEXT, ".", [("action.outcomes.fail", "0.1"), ("retrier.base", "3"), ("requests", "{count: 7}")])
    assert scenario.action.outcomes.fail.share == 0.1
    assert (scenario.retrier.kind, scenario.retrier.options.base) == ("helpers", 3.0)
    assert scenario.requests.count == 7


def test_the_last_override_of_a_key_stands() -> None:
    assert parse(TEXT, ".", [("seed", "1"), ("seed", "2")]).seed == 2


def test_options_of_their_own_are_overrides_too() -> None:
    scenario = parse(TEXT, seed=9, requests=3, retrier="component")
    assert (scenario.seed, scenario.requests.count, scenario.retrier.kind) == (9, 3, "component")


def test_overrides_come_before_sweep_and_variants() -> None:
    scenario = parse(TEXT + "sweep: {seed: [1, 2]}", ".", [("action.outcomes.fail", "0.1")])
    found = [(cell.scenario.seed, cell.scenario.action.outcomes.fail.share) for cell in cells(scenario)]
    assert found == [(1, 0.1), (2, 0.1)]


def test_a_sweep_can_be_set_and_taken_away() -> None:
    text = TEXT + "sweep: {seed: [1, 2]}"
    assert len(cells(parse(text, ".", [("sweep.seed", "[3, 4, 5]")]))) == 3
    assert len(cells(parse(text, ".", [("sweep.action.outcomes.fail", "[0.1, 0.2]")]))) == 4
    assert len(cells(parse(text, ".", [("sweep", "null")]))) == 1
    assert len(cells(parse(text, ".", [("variants.a b.retrier.base", "3")]))) == 2


@pytest.mark.parametrize(
    ("key", "value", "column", "mistake"),
    [
        ("seed", "x", 1, "seed: expected a whole number, got the text 'x'"),
        ("action.outcomes.fail", "  1.5", 3, "action.outcomes.fail: must be at most 1, got 1.5; did you mean '1.5%'?"),
        (
            "action.outcoms.fail",
            "0.5",
            1,
            "action.outcoms: unknown key 'outcoms'; did you mean 'action.outcomes.fail'?",
        ),
        ("sede", "5", 1, "sede: unknown key 'sede'; did you mean 'seed'?"),
        ("retrier", "{kind: none, x: 1}", 14, "retrier.x: unknown key 'x'; the keys are: kind"),
        ("retrier", "[", 2, "the text ends where a value should be"),
        ("retrier", "", 1, "a value is missing"),
        ("retrier", "!x y", 1, "retrier: tags ('!x') are not allowed"),
        ("retrier", "os:system", 1, f"retrier: {NO_CODE}"),
        (
            "action.weather.3.outage.to",
            "5s",
            1,
            "action.weather.3.outage.to: action.weather has only the entry 0, not 3",
        ),
        ("action.weather.0.outage.to", "0s", 1, "action.weather[0].outage.to: an outage must end after it begins"),
        ("action.script.0.latency", "5s", 1, "action.script.0.latency: action.script has no entry 0"),
        ("seed.x", "5", 1, "seed.x: seed has no keys below it"),
        ("a..b", "5", 1, "a[''].b: not a dotted key such as action.outcomes.fail"),
        ("", "5", 1, "['']: not a dotted key such as action.outcomes.fail"),
    ],
)
def test_mistakes_in_overrides_have_a_place(key: str, value: str, column: int, mistake: str) -> None:
    assert mistakes([(key, value)]) == [f"--set {key}:1:{column}: {mistake}"]


def test_mistakes_of_the_file_come_before_those_of_the_command_line() -> None:
    assert mistakes([("seed", "x")], "retrier: helper\nseed: y\n", requests=0) == [
        "s:1:10: retrier: there is no retrier 'helper'; did you mean 'helpers'?",
        "--requests:1:1: requests.count: must be at least 1, got 0",
        "--set seed:1:1: seed: expected a whole number, got the text 'x'",
    ]


@pytest.mark.parametrize("cells_of", ["sweep: {retrier: [none, helpers]}", "variants: {a: {retrier: none}}"])
def test_an_override_that_every_cell_replaces_is_a_mistake(cells_of: str) -> None:
    text = f"retrier: helpers\n{cells_of}\n"
    reason = "has no effect: the sweep or the variants set it in every cell"
    assert mistakes([("retrier.base", "3")], text) == [f"--set retrier.base:1:1: retrier.base: {reason}"]
    assert mistakes([], text, retrier="component") == [f"--retrier:1:1: retrier: {reason}"]


@pytest.fixture
def module() -> Iterator[str]:
    """A module with a retrier of the user's own."""

    class MineOptions(Options):
        delay: DurationNs = 5

    class Mine(LoopRetrier):
        kind = "mine"
        Options = MineOptions

    found = types.ModuleType("retrier_of_a_user")
    found.Mine = Mine
    found.NotOne = int
    sys.modules[found.__name__] = found
    yield found.__name__
    del sys.modules[found.__name__]


def test_a_class_may_be_named_on_the_command_line_only(module: str) -> None:
    scenario = parse("{world: shared}", ".", [("retrier.delay", "7ms")], retrier=f"{module}:Mine")
    assert (scenario.retrier.kind, scenario.retrier.options.delay) == (f"{module}:Mine", 7_000_000)
    assert type(scenario.retrier.make()).__name__ == "Mine"


def test_a_class_of_the_command_line_serves_all_cells(module: str) -> None:
    found = cells(parse("sweep: {seed: [1, 2]}", retrier=f"{module}:Mine"))
    assert [cell.scenario.retrier.kind for cell in found] == [f"{module}:Mine"] * 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_module:X", "no module 'no_such_module' (looking for 'no_such_module:X')"),
        ("{module}:None", "module '{module}' has no 'None'"),
        (
            "{module}:NotOne",
            "'{module}:NotOne' is neither a ScheduledRetrier nor a LoopRetrier nor a GuestRetrier, "  # noqa: ISC004
            "nor a function that takes `call`",
        ),
    ],
)
def test_a_class_that_is_no_retrier_is_a_mistake(module: str, name: str, reason: str) -> None:
    assert mistakes([], retrier=name.format(module=module)) == [
        f"--retrier:1:1: retrier: {reason.format(module=module)}"
    ]


def test_options_of_a_foreign_retrier_are_checked_like_ours(module: str) -> None:
    given = {"retrier": f"{module}:Mine"}
    assert mistakes([("retrier.delay", "7")], **given) == [
        "--set retrier.delay:1:1: retrier.delay: a duration needs a unit, such as 250ms, 1.5s or 1m30s"
    ]
    assert mistakes([("retrier.dely", "7s")], **given) == [
        "--set retrier.dely:1:1: retrier.dely: unknown key 'dely'; did you mean 'retrier.delay'?"
    ]
