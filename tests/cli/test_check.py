"""`retrysim run --check`, and scenarios that ask to be checked: what is told, exit code 4, the line that replays it."""

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import sim
from sim.api.check import check
from sim.contracts.catalogue import INVARIANTS
from sim.experiment import chunks
from sim.experiment.engines import EVENT
from sim.experiment.executors import Workers
from sim.experiment.findings import Findings
from sim.experiment.plan import plan_check
from sim.results.folder import RunFolder
from sim.scenario.load import load

Run = Callable[..., Result]
FORGETFUL = """
import sim


class Forgetful(sim.LoopRetrier):
    kind = "forgetful"
    failed = 0

    async def retry(self, call, ctx):
        while True:
            try:
                return await call()
            except sim.CallFailed:
                Forgetful.failed += 1
                if Forgetful.failed % 5 == 0:
                    raise
                await ctx.sleep(100)
"""


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    del folder
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 16)


def checked(result: Result) -> list[str]:
    """The lines from the one that says what was checked on."""
    lines = result.stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("checked ")]
    return lines[starts[0] :] if starts else []


def line_after(lines: list[str], start: str) -> str:
    return lines[lines.index(start) + 1].strip()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("crashes.yaml",), 0),
        (("crashes.yaml", "--check"), 4),
        (("crashes.yaml", "--set", "check=all"), 4),
        (("crashes.yaml", "--set", "check=[settles]"), 4),
        (("crashes.yaml", "--set", "check=[legal-job-steps]"), 0),
        (("crashes.yaml", "--set", "check=[legal-job-steps]", "--check"), 4),
        (("crashes.yaml", "--set", "check=[setles]"), 3),
        (("shared.yaml", "--check"), 0),
        (("verdicts.yaml",), 99),
        (("verdicts.yaml", "--check"), 99),
        (("crashes.yaml", "--check", "--set", "expect=[success.rate >= 99%]"), 4),
        (("crashes.yaml", "--check", "--set", "expect=[success.rate >= 90%]"), 4),
    ],
)
def test_a_broken_invariant_exits_with_4_and_outweighs_expectations(
    run: Run, words: tuple[str, ...], code: int
) -> None:
    assert run("run", *words, "--no-plots").exit_code == code


def test_results_are_saved_whatever_is_broken(run: Run) -> None:
    run("run", "crashes.yaml", "--no-plots", "--engine", "event")
    plain = json.loads(Path("results/crashes/summary.json").read_text())
    run("run", "crashes.yaml", "--no-plots", "--check", "--out", "checked")
    found = json.loads(Path("checked/summary.json").read_text())
    said = found.pop("checked")
    assert found == plain
    assert (said["holds"], said["invariants"], said["histories"]) == (False, len(INVARIANTS), 120)
    assert [(one["invariant"], one["requests"], one["first"]) for one in said["broken"]] == [
        ("settles", 13, 0),
        ("callback-comes", 13, 0),
    ]


@pytest.mark.parametrize("words", [("crashes.yaml",), ("verdicts.yaml",), ("shared.yaml",)])
def test_saved_results_tell_the_check_again(run: Run, words: tuple[str, ...]) -> None:
    lines = checked(run("run", *words, "--no-plots", "--check", "--out", "out"))
    again = checked(run("show", "out"))
    told = lines[: lines.index(next(line for line in lines if line.startswith("saved in"))) - 1]
    known = re.compile(r" --out out( --digest [0-9a-f]{12})?$")
    assert [known.sub("", line) for line in again] == [known.sub("", line) for line in told]


@pytest.mark.parametrize("words", [("crashes.yaml", "--requests", "60"), ("shared.yaml",)])
@pytest.mark.usefixtures("small_chunks")
def test_a_check_in_chunks_finds_what_one_in_memory_finds(words: tuple[str, ...], tmp_path: Path) -> None:
    scenario = load(words[0], requests=int(words[2]) if len(words) > 1 else None)
    live = check(scenario).result.checked
    with RunFolder(tmp_path / "out", plan_check(scenario, all_of_them=True)) as folder:
        assert len(folder.chunks) > 1
        found = folder.run(Workers()).checked
    assert found == live
    assert sim.run(scenario, check=True).checked == live
    assert found is not None
    assert Findings.from_json(found.to_json()) == found


@pytest.mark.slow
def test_workers_check_too_and_find_the_same(run: Run) -> None:
    run("run", "crashes.yaml", "--no-plots", "--check", "--out", "one")
    run("run", "crashes.yaml", "--no-plots", "--check", "--out", "two", "--workers", "2")
    assert Path("two/results.sqlite").read_bytes() == Path("one/results.sqlite").read_bytes()


def test_what_reads_results_reads_those_of_a_check(run: Run) -> None:
    run("run", "crashes.yaml", "--no-plots", "--check", "--out", "out")
    assert run("export", "out", "--csv", "-").stdout.count("\n") == 121


def test_nothing_is_said_of_checks_where_nobody_asks_for_one(run: Run) -> None:
    assert checked(run("run", "crashes.yaml", "--no-plots")) == []


def test_what_a_scenario_asks_for_alone_is_checked_alone(run: Run) -> None:
    words = ("run", "crashes.yaml", "--no-plots", "--set", "check=[settles, effect-once]")
    assert checked(run(*words))[0] == "checked 2 invariants in 120 histories: 2 are broken"


def test_a_cell_that_asks_for_nothing_is_not_checked(run: Run) -> None:
    words = ("run", "crashes.yaml", "--no-plots", "--set", "variants={a: {check: [settles]}, b: {}}")
    lines = checked(run(*words))
    assert lines[0] == "checked 1 invariant in 120 histories: 1 is broken"
    assert [line.split() for line in lines[1:4]] == [
        ["broken", "owed", "by", "cell", "requests", "the", "first"],
        ["─" * len(lines[2])],
        ["settles", "retrier", "a", "13", "0"],
    ]


@pytest.mark.parametrize("cells", [(), ("--set", "variants={one: {seed: 2}, two: {}}")])
def test_the_line_that_is_printed_shows_the_violation_again(run: Run, cells: tuple[str, ...]) -> None:
    lines = checked(run("run", "crashes.yaml", "--no-plots", "--check", *cells))
    line = line_after(lines, "to see it again")
    story = run(*shlex.split(line)[1:], "--no-plots")
    assert (story.exit_code, shlex.split(line)[:2]) == (0, ["retrysim", "replay"])
    start = lines.index("its story")
    told = [line.strip() for line in lines[start + 1 : lines.index("", start)]]
    assert [line.strip() for line in story.stdout.splitlines()[1:]] == told


def test_what_takes_the_requests_before_it_is_shown_again_by_a_run(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "forgetful.py").write_text(FORGETFUL)
    words = ("run", "smallest.yaml", "--no-plots", "--requests", "50", "--set", "action.outcomes.fail=0.4")
    lines = checked(run(*words, "--retrier", "forgetful:Forgetful", "--check"))
    line = line_after(lines, "to see it again")
    assert shlex.split(line)[:2] == ["retrysim", "run"]
    monkeypatch.delitem(sys.modules, "forgetful")  # as in a new process
    again = run(*shlex.split(line)[1:], "--no-plots")
    assert again.exit_code == 4
    start = lines.index(next(line for line in lines if line.startswith("the first: ")))
    assert checked(again)[start : lines.index("")] == lines[start : lines.index("")]


def test_lines_fit_100_columns(run: Run) -> None:
    words = ("--set", "variants={a rather long name of a cell that people may well give it in a file: {}, b: {}}")
    lines = checked(run("run", "crashes.yaml", "--no-plots", "--check", *words))
    last = lines.index("to see it again")
    assert [line for line in lines[:last] if len(line) > 100] == []


SQUARED = """
import sim
from sim.promises.waits import full_jitter


class Squared(sim.LoopRetrier):
    kind = "squared"

    def promises(self):
        return sim.Promises(attempts_at_most=3, backoff_ms=full_jitter(100))

    async def retry(self, call, ctx):
        for failure in (1, 2):
            try:
                return await call()
            except sim.CallFailed:
                await ctx.sleep(100 * 2 ** (failure - 1) * ctx.uniform("jitter", failure) ** 2)
        return await call()
"""


def test_a_law_that_is_broken_by_all_requests_together_is_told_with_the_run_that_shows_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("squared.py").write_text(SQUARED, encoding="utf-8")
    Path("half.yaml").write_text("retrier: none\naction: {outcomes: {fail: 0.5}}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(".")
    words = ("half.yaml", "--retrier", "squared:Squared", "--requests", "300", "--check")
    result = run("run", *words)
    lines = checked(result)
    assert result.exit_code == 4
    assert lines[0] == f"checked {len(INVARIANTS)} invariants in 300 histories: 1 is broken"
    assert lines[1].endswith("of their laws, at a level of 1e-6 for all tests together; not all of")
    assert any(line.split() == ["waits-follow-law", "retrier", "300"] for line in lines)
    assert "the first: all requests together" in lines
    again = shlex.split(line_after(lines, "to see it again"))
    assert again[:-2] == ["retrysim", "run", "half.yaml", *words[3:5], *words[1:3], "--check"]
    assert again[-2:] == ["--out", "results/half-check"]


def test_a_check_by_another_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="by the event engine, which keeps them, not by 'vector'"):
        sim.run({"retrier": "helpers"}, engine="vector", check=True)
