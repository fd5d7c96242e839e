"""What a search finds, that it is what running it gives, and what it refuses."""

import json
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.api.run import run
from sim.expect.expectations import Ruling
from sim.measure.dominance import dominates
from sim.measure.summary import cell_summary
from sim.scenario.cells import NotInScenario
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.text.tried import Role, worst
from sim.tuning.points import point_files, point_name
from sim.tuning.tune import _seen, fresh_seed_of, tune
from sim.tuning.tuned import Tuned

OUTAGE = """
name: outage
seed: 3
requests: {count: 300}
action:
  latency: {exponential: {mean: 50ms}}
  outcomes: {fail: 0.1, ack_lost: 0.01}
  weather: [{outage: {from: 0s, to: 20s}}]
retrier: component
tune:
  search:
    retrier.initial_backoff: {from: 10ms, to: 60s}
    retrier.base: {from: 1, to: 4}
    retrier.max_failures: {from: 2, to: 12}
  constraints: [success.rate >= 95%]
  objectives: [time_to_effect.p90, cost.actions]
  budget: {candidates: 16, finalists: 6}
"""


@lru_cache(maxsize=1)
def outage() -> Tuned:
    return tune(parse(OUTAGE))


def test_every_point_keeps_the_constraints_beyond_doubt() -> None:
    points = outage().points
    assert points != ()
    assert [worst(one.result.verdicts) for one in points] == [Ruling.met] * len(points)


def test_no_point_is_dominated_and_every_other_finalist_is_or_is_not_sure() -> None:
    tuned = outage()
    sure = [one for one in tuned.finalists if worst(one.result.verdicts) is Ruling.met]
    seen = _seen([one.result for one in sure], tuned.options.objectives)
    dominated = [
        any(dominates(seen(other, one)) for other in range(len(sure)) if other != one) for one in range(len(sure))
    ]
    assert [one.role for one in sure] == [Role.dominated if is_so else Role.point for is_so in dominated]


def test_points_are_numbered_in_the_order_of_the_first_objective() -> None:
    points = outage().points
    values = [one.result.metrics.value("time_to_effect.p90").value for one in points]
    assert [one.number for one in points] == list(range(1, len(points) + 1))
    assert values == sorted(values, key=lambda value: value or 0)


def test_waiting_is_found_to_pay_under_an_outage() -> None:
    tuned = outage()
    assert worst(tuned.as_written.result.verdicts) is Ruling.missed
    assert tuned.ruling is Ruling.met


def test_reported_numbers_are_of_a_sample_of_their_own() -> None:
    tuned = outage()
    point = tuned.points[0]
    assert (point.scenario.seed, tuned.scenario.seed) == (fresh_seed_of(3), 3)
    assert point.searched is not None
    assert point.searched.cell.scenario.seed == 3
    assert (point.searched.requests.first_effect_ns != point.result.requests.first_effect_ns).any()


def test_finalists_meet_the_same_chance() -> None:
    one, two, *_ = outage().finalists
    # An attempt that starts at 0 fails in the outage whoever retries it; its latency is the same too.
    assert (one.result.requests.submitted_ns == two.result.requests.submitted_ns).all()
    assert one.scenario.seed == two.scenario.seed


def test_the_same_scenario_gives_the_same_bytes() -> None:
    again = tune(parse(OUTAGE))
    assert again.summary_json() == outage().summary_json()
    assert point_files(again) == point_files(outage())
    assert again.sentences() == outage().sentences()


def test_another_seed_searches_elsewhere() -> None:
    other = tune(parse(OUTAGE, seed=4))
    assert other.finalists[0].params != outage().finalists[0].params


def test_the_summary_is_strict_json_that_knows_no_places() -> None:
    text = outage().summary_json()
    summary = json.loads(text, parse_constant=pytest.fail)
    assert summary["verdict"] == "met"
    assert summary["requests"]["searched"] == outage().requests_searched
    assert str(Path.cwd()) not in text


def test_progress_counts_what_is_simulated() -> None:
    told: list[tuple[int, int]] = []
    tuned = tune(parse(OUTAGE), progress=lambda done, total, _: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {tuned.requests_searched + tuned.requests_fresh}
    assert told[-1][0] == told[-1][1]


# Files.


def test_running_a_point_gives_the_numbers_that_are_reported(tmp_path: Path) -> None:
    tuned = outage()
    for name, content in point_files(tuned).items():
        (tmp_path / name).write_bytes(content)
    for point in tuned.points:
        result = run(load(tmp_path / f"point-{point.number}.yaml"))
        assert cell_summary(result.cells[0].metrics) == cell_summary(point.result.metrics)
        assert result.ruling is Ruling.met


def test_points_bring_the_files_that_their_scenario_names(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "data").mkdir(parents=True)
    there.mkdir()
    (here / "data" / "some.csv").write_text("latency_ms\n1.5\n2\n10\n")
    text = OUTAGE.replace("{exponential: {mean: 50ms}}", "{empirical: {file: data/some.csv, column: latency_ms}}")
    tuned = tune(parse(text.replace("candidates: 16, finalists: 6", "candidates: 4, finalists: 4"), here))
    for name, content in point_files(tuned).items():
        (there / name).write_bytes(content)
    result = run(load(there / "point-1.yaml"))
    assert cell_summary(result.cells[0].metrics) == cell_summary(tuned.points[0].result.metrics)


def test_names_of_points_are_names_of_scenarios() -> None:
    assert point_name("a" * 64, 12) == "a" * 55 + "-point-12"


# Verdicts.


def small(search: str, more: str, text: str = "action: {outcomes: {fail: 0.3}}") -> Tuned:
    return tune(parse(f"requests: {{count: 200}}\nretrier: component\n{text}\ntune: {{search: {{{search}}}{more}}}\n"))


def test_where_no_candidate_keeps_a_constraint_the_closest_is_named() -> None:
    tuned = small("retrier.max_failures: [0, 1]", ", constraints: [success.rate >= 99.9%]")
    assert (tuned.ruling, tuned.points) == (Ruling.missed, ())
    assert tuned.closest.params == {"retrier.max_failures": 1}
    assert "The closest is max_failures 1" in tuned.sentences()[0]


def test_where_none_is_sure_the_verdict_is_inconclusive() -> None:
    tuned = small("retrier.max_failures: [9, 11]", ", constraints: [success.rate >= 99.9%]")
    assert tuned.ruling is Ruling.inconclusive
    assert "would settle it" in tuned.sentences()[0]


def test_without_constraints_something_is_always_found() -> None:
    assert small("retrier.max_failures: [0, 1]", "").ruling is Ruling.met


@settings(max_examples=12)
@given(
    failures=st.lists(st.integers(0, 6), min_size=2, max_size=4, unique=True),
    fail=st.sampled_from([0.0, 0.2, 0.6]),
    objectives=st.sampled_from([["amplification"], ["time_to_effect.p50", "success.rate"], ["polls.mean"]]),
    constraint=st.sampled_from(["success.rate >= 50%", "amplification <= 1.1", "duplicates.rate <= 1%"]),
)
def test_roles_are_what_verdicts_and_dominance_say(
    failures: list[int], fail: float, objectives: list[str], constraint: str
) -> None:
    more = f", objectives: {objectives}, constraints: [{constraint}], budget: {{candidates: 9, finalists: 9}}"
    tuned = small(
        f"retrier.max_failures: {failures}", more, f"action: {{outcomes: {{fail: {fail}}}}}".replace("200", "40")
    )
    assert len(tuned.finalists) == len(failures)
    roles = {Ruling.missed: {Role.misses}, Ruling.inconclusive: {Role.unsure}, Ruling.met: {Role.point, Role.dominated}}
    assert all(one.role in roles[worst(one.result.verdicts)] for one in tuned.finalists)
    sure = [one for one in tuned.finalists if worst(one.result.verdicts) is Ruling.met]
    assert bool(tuned.points) == bool(sure)


def test_shared_worlds_are_searched_over_replications() -> None:
    tuned = tune(
        parse(
            "world: shared\nrequests: {count: 20}\nreplications: 3\nretrier: component\n"
            "action: {outcomes: {fail: 0.2}}\n"
            "tune: {search: {retrier.max_failures: [0, 2, 4]}, budget: {candidates: 3, finalists: 2}}\n"
        )
    )
    assert [(one.candidates, one.upto) for one in tuned.rounds] == [(3, 2), (2, 3)]
    assert tuned.points[0].result.metrics.replications == 3


# Cells.


def test_a_search_of_one_cell_of_several_is_that_of_the_cell_alone() -> None:
    search = "action: {outcomes: {fail: 30%}}\nrequests: {count: 200}\n"
    search += "tune: {search: {retrier.max_failures: [0, 3]}, budget: {candidates: 2, finalists: 2}}\n"
    several = parse(f"variants: {{a: {{retrier: component}}, b: {{retrier: helpers}}}}\n{search}")
    alone = parse(f"retrier: helpers\n{search}")
    found = tune(several, cell="b").summary()
    assert found["finalists"] == tune(alone).summary()["finalists"]


def test_a_cell_that_is_not_there_is_named_with_those_that_are() -> None:
    text = "variants: {a: {retrier: component}, bold: {retrier: helpers}}\ntune: {search: {retrier.base: [2, 3]}}"
    with pytest.raises(NotInScenario, match="there is no cell 'bolt'; there are a, bold; did you mean 'bold'"):
        tune(parse(text), cell="bolt")


# Refusals.


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("retrier: component", "tune", "is missing"),
        (
            "variants: {one: {retrier: component}, two: {retrier: helpers}}\ntune: {search: {retrier.base: [1]}}",
            "variants",
            "name one with --cell: one, two",
        ),
        (
            "world: shared\nretrier: component\ntune: {search: {retrier.max_failures: [1, 2]}}",
            "replications",
            "at least 2",
        ),
        (
            "retrier: component\nrequests: {count: 1}\ntune: {search: {retrier.max_failures: [1, 2]}}",
            "requests.count",
            "at least 2",
        ),
        (
            "retrier: component\nlimits: {events: 40000}\ntune: {search: {retrier.max_failures: [1, 2]}}",
            "limits.events",
            "estimated",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_with_the_reason(text: str, path: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said) as error:
        tune(parse(text))
    assert [problem.path for problem in error.value.problems] == [path]


def test_a_search_says_that_requests_did_not_repeat(leaking: ModuleType) -> None:
    text = """
name: leaky
requests: {count: 60}
action: {outcomes: {fail: 0.5}}
retrier: none
tune:
  search: {retrier.gap_ms: {from: 10, to: 1000}}
  objectives: [time_to_effect.p90]
  budget: {candidates: 4, finalists: 2}
"""
    assert tune(parse(text, retrier=leaking.named(leaking.Steady))).repeats
    tuned = tune(parse(text, retrier=leaking.named(leaking.GlobalChance)))
    assert not tuned.repeats
    assert tuned.sentences()[0].startswith("NOT REPEATABLE")
    assert json.loads(tuned.summary_json())["unrepeated"][0]["differs"]
