"""Commands with a retrier whose requests depend on more than scenario and seed: they say so, and exit with 4."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result

Run = Callable[..., Result]
LEAKY = ("--retrier", "leaking:GlobalChance", "--set", "action.outcomes.fail=0.5", "--no-plots")
STEADY = ("--retrier", "leaking:Steady", "--set", "action.outcomes.fail=0.5", "--no-plots")

pytestmark = pytest.mark.usefixtures("leaking")


def one_line(result: Result) -> str:
    return " ".join(result.stdout.split())


@pytest.mark.parametrize("more", [(), ("--set", "keep=histogram"), ("--check",), ("--workers", "2")])
def test_a_run_says_which_request_did_what_and_why_that_may_be(run: Run, more: tuple[str, ...]) -> None:
    result = run("run", "smallest.yaml", "--requests", "50", *LEAKY, *more)
    assert result.exit_code == 4
    told = one_line(result)
    assert "NOT REPEATABLE: request " in told
    assert "it settled at " in told
    assert "the usual causes are chance of the retrier's own (`random`" in told


def test_the_summary_names_the_requests_with_both_values(run: Run) -> None:
    run("run", "smallest.yaml", "--requests", "50", *LEAKY)
    (cell,) = json.loads(Path("results/smallest/summary.json").read_text())["cells"]
    (first, again) = cell["unrepeated"][0]["differs"]["settled_ns"]
    assert first != again


def test_a_missed_expectation_comes_after(run: Run) -> None:
    words = ("--requests", "50", *LEAKY, "--set", "expect=[attempts.mean <= 1]")
    assert run("run", "smallest.yaml", *words).exit_code == 4


def test_the_results_are_shown_again_with_the_warning(run: Run) -> None:
    run("run", "smallest.yaml", "--requests", "50", *LEAKY)
    again = run("run", "smallest.yaml", "--requests", "50", *LEAKY)
    assert (again.exit_code, "NOT REPEATABLE" in again.stdout) == (4, True)
    assert "NOT REPEATABLE" in run("show", "results/smallest").stdout


def test_a_retrier_that_repeats_is_not_warned_of(run: Run) -> None:
    result = run("run", "smallest.yaml", "--requests", "50", *STEADY)
    assert (result.exit_code, "NOT REPEATABLE" in result.stdout) == (0, False)
    assert "unrepeated" not in Path("results/smallest/summary.json").read_text()


def test_results_that_do_not_repeat_are_compared_with_a_warning(run: Run) -> None:
    run("run", "smallest.yaml", "--requests", "50", *LEAKY, "--out", "a")
    run("run", "smallest.yaml", "--requests", "50", *STEADY, "--out", "b")
    result = run("compare", "a", "b")
    assert (result.exit_code, "NOT REPEATABLE" in result.stdout) == (4, True)
    assert run("compare", "b", "b").exit_code == 0


def test_a_search_of_parameters_ends_with_the_same_code(run: Run, leaking: ModuleType) -> None:
    del leaking
    search = "tune={search: {retrier.gap_ms: [10, 20, 30]}, objectives: [time_to_effect.p90]}"
    words = ("--requests", "50", "--no-plots", "--set", search, "--set", "action.outcomes.fail=0.5")
    leaky, steady = (
        run("tune", "smallest.yaml", *words, "--retrier", f"leaking:{kind}", "--out", kind)
        for kind in ("GlobalChance", "Steady")
    )
    assert (leaky.exit_code, "NOT REPEATABLE" in leaky.stdout) == (4, True)
    assert steady.exit_code == 0


# Courses.

SMALL = ("smallest.yaml", "--set", "action.outcomes.fail=0.1", "--attempts", "3")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_search_of_courses_refuses_and_says_what_was_asked(run: Run, workers: str) -> None:
    result = run("explore", *SMALL, "--retrier", "leaking:GlobalChance", "--workers", workers)
    told = " ".join(result.stderr.split())
    assert (result.exit_code, "nothing is broken" in result.stdout) == (4, False)
    assert told.startswith("NOT REPEATABLE: the same course asked ")
    assert all(len(line) <= 100 for line in result.stderr.splitlines())
    assert not Path("results").exists()


def test_state_in_a_class_is_refused_in_words(run: Run) -> None:
    result = run("explore", *SMALL, "--retrier", "leaking:ClassBudget")
    assert (result.exit_code, "Traceback" in result.stderr, "NoSuchAnswer" in result.stderr) == (4, False, False)


def test_a_steady_retrier_is_searched(run: Run) -> None:
    assert run("explore", *SMALL, "--retrier", "leaking:Steady").exit_code == 0


def test_a_saved_course_that_goes_another_way_is_not_told_as_if_it_were_one_story(run: Run) -> None:
    course = "course={requests: 1, attempts: 3, crashes: 0, answers: [{question: 0, answer: 1}]}"
    words = ("smallest.yaml", "--set", "action.outcomes.fail=0.1", "--set", course, "--no-plots")
    leaky, steady = (run("replay", *words, "--retrier", f"leaking:{kind}") for kind in ("GlobalChance", "Steady"))
    assert (leaky.exit_code, leaky.stderr.startswith("NOT REPEATABLE")) == (4, True)
    assert steady.exit_code == 0


def test_a_replay_says_that_it_is_only_one_way_it_can_go(run: Run) -> None:
    words = ("replay", "smallest.yaml", "--request", "3", "--set", "action.outcomes.fail=0.9", "--no-plots")
    leaky, steady = (run(*words, "--retrier", f"leaking:{kind}") for kind in ("GlobalChance", "Steady"))
    assert (leaky.exit_code, "NOT REPEATABLE: request 3 " in leaky.stdout) == (4, True)
    assert (steady.exit_code, "NOT REPEATABLE" in steady.stdout) == (0, False)
