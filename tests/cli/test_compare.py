"""`retrysim compare`: what it takes, what it refuses, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
CELLS = ("--cells", "never again", "as-shipped")
RESULTS = "results/verdicts"


@pytest.fixture(autouse=True)
def results(folder: Path, run: Run) -> Path:
    """Leave results to compare."""
    run("run", "verdicts.yaml", "--no-plots")
    return folder / "results"


def again(run: Run, out: str, *words: str) -> str:
    """Run the scenario once more, with changes, and return where its results are."""
    assert run("run", "verdicts.yaml", "--no-plots", "--out", out, *words).exit_code in (0, 98, 99)
    return out


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("success.rate < -1%", 0),
        ("success.rate > +1%", 99),
        ("time_to_known.p99 > +10%", 99),
        ("attempts.mean > +0.52", 98),
    ],
)
def test_the_exit_code_is_the_verdict_on_the_conditions(run: Run, condition: str, code: int) -> None:
    assert run("compare", RESULTS, *CELLS, "--fail-if", condition).exit_code == code


def test_without_conditions_a_comparison_always_ends_well(run: Run) -> None:
    assert run("compare", RESULTS, *CELLS).exit_code == 0


def test_a_condition_that_holds_outweighs_one_that_may(run: Run) -> None:
    conditions = ("--fail-if", "attempts.mean > +0.52", "--fail-if", "success.rate > +1%")
    assert run("compare", RESULTS, *CELLS, *conditions).exit_code == 99


def test_cells_are_named_by_id_or_by_name_with_the_folder_or_alone(run: Run) -> None:
    texts = [
        run("compare", RESULTS, "--cells", "never-again", "as shipped").stdout,
        run("compare", f"{RESULTS}:never-again", f"{RESULTS}:as-shipped").stdout,
    ]
    assert texts[0] == texts[1] == run("compare", RESULTS, *CELLS).stdout


def test_two_folders_are_compared_cell_by_cell(run: Run) -> None:
    other = again(run, "other", "--set", "action.outcomes.fail=0.2")
    told = run("compare", RESULTS, other).stdout
    assert (told.count("Paired by request"), told.count("Careful: not only the policies differ")) == (2, 2)


def test_the_same_results_fail_no_condition(run: Run) -> None:
    result = run("compare", RESULTS, again(run, "other"), "--fail-if", "duplicates.rate > +0%")
    assert (result.exit_code, result.stdout.count("Both are the same simulation")) == (0, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((RESULTS,), "name a second folder to compare with, or two cells of this one with --cells A B"),
        ((RESULTS, RESULTS, *CELLS), "--cells chooses two cells of one folder: name that folder alone"),
        ((f"{RESULTS}:as-shipped", *CELLS), "--cells chooses two cells of one folder: name that folder alone"),
        (
            (f"{RESULTS}:as-shiped", f"{RESULTS}:never-again"),
            f"no cell 'as-shiped' in '{RESULTS}'; there are never-again, as-shipped",
        ),
        ((f"{RESULTS}:as-shipped", RESULTS), "choose one of each: A has as-shipped; B has never-again, as-shipped"),
        ((RESULTS, *CELLS, "--svg"), "without --out nothing is saved"),
        ((RESULTS, *CELLS, "--out", "x", "--svg", "--no-plots"), "--svg asks for a picture, but --no-plots for none"),
        (
            (RESULTS, *CELLS, "--fail-if", "success.rat > +1%"),
            "unknown metric 'success.rat'; did you mean 'success.rate'? (at column 1 of 'success.rat > +1%')",
        ),
        (
            (RESULTS, *CELLS, "--fail-if", "success.rate > 1%"),
            (
                "'1%' has no sign, so it is not a difference between A and B: write +0.1% (percentage points) or x1.5 "
                "(times A's value) (at column 16 of 'success.rate > 1%')"
            ),
        ),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run("compare", *words)
    assert (result.exit_code, result.stdout, told in " ".join(result.stderr.split())) == (2, "", True)


def test_nothing_is_saved_unless_asked_for(run: Run, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    run("compare", RESULTS, *CELLS)
    assert sorted(folder.rglob("*")) == before


def test_a_picture_and_the_numbers_are_saved(run: Run, folder: Path) -> None:
    result = run("compare", RESULTS, *CELLS, "--out", "told", "--svg")
    assert "saved in told: comparison.json, comparison.png, comparison.svg" in result.stdout
    told = json.loads((folder / "told" / "comparison.json").read_text(encoding="utf-8"))
    assert told["comparisons"][0]["differences"]["success.rate"]["verdict"] == "better"


def test_several_pairs_have_a_picture_each(run: Run, folder: Path) -> None:
    run("compare", RESULTS, again(run, "other", "--set", "action.outcomes.fail=0.2"), "--out", "told")
    assert {path.name for path in (folder / "told").iterdir()} == {
        "comparison.json",
        "comparison-never-again.png",
        "comparison-as-shipped.png",
    }


def test_the_same_comparison_gives_the_same_bytes(run: Run, folder: Path) -> None:
    for out in ("one", "two"):
        run("compare", RESULTS, *CELLS, "--out", out)
    for name in ("comparison.json", "comparison.png"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_a_folder_without_results_is_told(run: Run) -> None:
    result = run("compare", "nowhere", RESULTS)
    assert (result.exit_code, result.stdout, "nowhere" in result.stderr) == (5, "", True)


def test_damaged_results_are_never_compared(run: Run, folder: Path) -> None:
    path = folder / RESULTS / "results.sqlite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = run("compare", RESULTS, *CELLS)
    assert (result.exit_code, result.stdout, "is damaged" in result.stderr) == (5, "", True)


def test_all_metrics_are_shown_when_asked_for(run: Run) -> None:
    few, many = (run("compare", RESULTS, *CELLS, *words).stdout for words in ((), ("--all",)))
    assert ("time_to_known.success.p90" in few, "time_to_known.success.p90" in many) == (False, True)
