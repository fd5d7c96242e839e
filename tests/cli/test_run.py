"""`retrysim run`: exit codes, options, files, and lines that replay what they say."""

import errno
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result

from sim.api.run import run as simulate
from sim.cli.main import cli
from sim.cli.run import FILES, PICTURES, RESULT_FILES, SWEPT
from sim.pictures.data.run import OF_RECOVERY
from sim.scenario.load import load
from sim.stories.phrases import span_text

Run = Callable[..., Result]
PNGS = {f"{name}.png" for name in PICTURES}
RESULTS = {"source.json", "summary.json", *RESULT_FILES}
SVGS = {f"{name}.svg" for name in PICTURES}


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def summary(folder: Path = Path("results/smallest")) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    return dict(json.loads((folder / "summary.json").read_text(encoding="utf-8"), parse_constant=refuse))


def few(*words: str) -> tuple[str, ...]:
    return ("run", "smallest.yaml", "--requests", "20", "--no-plots", *words)


# Exit codes.


@pytest.mark.parametrize(
    ("expected", "code"),
    [
        ("success.rate >= 50%", 0),
        ("success.rate <= 50%", 99),
        ("time_to_effect.p99 <= 100ms", 98),
    ],
)
def test_the_exit_code_is_the_verdict(run: Run, expected: str, code: int) -> None:
    assert run(*few("--set", f"expect=[{expected}]")).exit_code == code


def test_a_missed_expectation_outweighs_an_inconclusive_one(run: Run) -> None:
    expected = "expect=[time_to_effect.p99 <= 100ms, success.rate <= 50%]"
    assert run(*few("--set", expected)).exit_code == 99


def test_results_are_saved_whatever_the_verdict(run: Run) -> None:
    run(*few("--set", "expect=[success.rate <= 50%]"))
    assert files(Path("results/smallest")) == RESULTS


@pytest.mark.parametrize(
    "words",
    [
        ("wrong.yaml",),
        ("missing.yaml",),
        (".",),
        ("smallest.yaml", "--set", "action.outcomes.fail=1.5"),
        ("smallest.yaml", "--retrier", "helper"),
        ("smallest.yaml", "--retrier", "no_such_module:Class"),
        ("smallest.yaml", "--set", "retrier.max_failures=100", "--set", "limits.events=1"),
    ],
)
def test_an_invalid_scenario_is_told_on_stderr_alone_and_exits_with_3(run: Run, words: tuple[str, ...]) -> None:
    result = run("run", *words)
    assert (result.exit_code, result.stdout, Path("results").exists()) == (3, "", False)
    assert [line for line in result.stderr.splitlines() if not re.match(r"[^:]+:\d+:\d+: \S", line)] == []
    assert result.stderr != ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument 'SCENARIO'"),
        (("smallest.yaml", "--reqests", "3"), "'--requests'"),
        (("smallest.yaml", "--requests", "0"), "0 is not in the range x>=1"),
        (("smallest.yaml", "--seed", "-1"), "-1 is not in the range"),
        (("smallest.yaml", "--seed", "one"), "'one' is not a valid integer"),
        (("smallest.yaml", "--set", "seed"), "'seed' is not KEY=VALUE"),
        (("smallest.yaml", "--engine", "fast"), "'fast' is not one of"),
        (("smallest.yaml", "--svg", "--no-plots"), "--svg asks for pictures, but --no-plots for none"),
        (("smallest.yaml", "--out", "smallest.yaml"), "is a file"),
        (("smallest.yaml", "--out", "smallest.yaml/x"), "'smallest.yaml' is a file, not a folder"),
    ],
)
def test_a_wrong_command_line_exits_with_2_before_anything_runs(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("run", *words)
    assert (result.exit_code, result.stdout, said in result.stderr) == (2, "", True)
    assert not Path("results").exists()


def test_a_folder_that_may_not_be_written_to_is_refused_before_anything_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    result = run(*few())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "results cannot go to 'results/smallest'" in result.stderr


def test_files_that_cannot_be_saved_cost_no_results_and_nothing_that_was_simulated(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("sim.pictures.run_pictures.save_figures", full)
        result = run("run", "smallest.yaml", "--requests", "20")
    said = "Error: nothing is saved in 'results/smallest': No space left on device\n"
    assert (result.exit_code, result.stderr) == (1, said)
    assert "succeeded" in result.stdout
    again = run("run", "smallest.yaml", "--requests", "20")
    assert (again.exit_code, again.stderr) == (0, "resuming: 1 of 1 chunks are there\n")


def test_an_unknown_command_exits_with_2(run: Run) -> None:
    result = run("simulate", "smallest.yaml")
    assert (result.exit_code, "No such command 'simulate'" in result.stderr) == (2, True)


# Options.


def test_options_change_the_scenario_and_the_lines_that_replay_it(run: Run) -> None:
    words = ("--seed", "9", "--requests", "30", "--set", "action.outcomes.fail=0.5", "--retrier", "component")
    result = run("run", "smallest.yaml", *words, "--no-plots")
    found = summary()
    [cell] = found["cells"]
    assert (found["seed"], cell["requests"]) == (9, 30)
    assert f"retrysim replay smallest.yaml {shlex.join(words)} --request {cell['examples']['slowest']}" in result.stdout


def test_set_may_be_repeated_and_means_what_the_file_would(run: Run) -> None:
    Path("same.yaml").write_text("{retrier: {kind: helpers, base: 3}, name: smallest, requests: {count: 20}}")
    run("run", "same.yaml", "--no-plots", "--out", "written")
    run(*few("--set", "retrier.base=3", "--set", "retrier.kind=helpers", "--out", "given"))
    assert summary(Path("given")) == summary(Path("written"))


def test_engines_give_the_same_and_auto_takes_the_faster(run: Run) -> None:
    found = {}
    for engine in ("event", "vector", "auto"):
        run(*few("--engine", engine, "--out", engine))
        found[engine] = summary(Path(engine))
    assert found["auto"] == found["vector"]
    assert {**found["auto"], "engine": "event"} == found["event"]


DATA = """
world: shared
replications: 2
requests: {count: 30, arrivals: {poisson: {rate: 20/s}}}
action: {service: db}
services: {db: {servers: 1}}
retrier: {kind: policy, attempts: 2, timeout: 200ms}
"""


def test_engines_give_the_same_of_a_shared_world_of_data(run: Run) -> None:
    Path("data.yaml").write_text(DATA)
    found = {}
    for engine in ("event", "tables", "auto"):
        result = run("run", "data.yaml", "--no-plots", "--engine", engine, "--out", engine)
        assert result.exit_code == 0
        found[engine] = summary(Path(engine))
    assert found["auto"] == found["tables"]
    assert {**found["auto"], "engine": "event"} == found["event"]


def test_the_tables_engine_says_why_it_cannot(run: Run) -> None:
    result = run(*few("--engine", "tables"))
    reason = "the tables engine cannot simulate this: in an isolated world no request meets another"
    assert (result.exit_code, reason in " ".join(result.stderr.split())) == (2, True)


@pytest.mark.parametrize("engine", ["vector", "tables"])
def test_histories_are_checked_by_the_event_engine_alone(run: Run, engine: str) -> None:
    result = run(*few("--engine", engine, "--check"))
    assert (result.exit_code, f"no --engine {engine}" in " ".join(result.stderr.split())) == (2, True)


def test_an_engine_that_cannot_do_it_says_why(run: Run) -> None:
    result = run(*few("--engine", "vector", "--set", "until=5s"))
    reason = "the vector engine cannot simulate this: it follows each request to its end, but `until` cuts requests off"
    assert (result.exit_code, reason in " ".join(result.stderr.split())) == (2, True)


def test_the_event_engine_is_taken_where_the_other_cannot_and_the_reason_told(run: Run) -> None:
    result = run(*few("--set", "world=shared"))
    assert "engine event: not tables: retrier helpers is code, not data" in result.stdout


def test_a_retrier_of_ones_own_is_found_in_the_current_folder(run: Run) -> None:
    Path("twice_mine.py").write_text(
        "from sim import CallFailed, LoopRetrier\n\n\n"
        "class Twice(LoopRetrier):\n"
        '    kind = "twice"\n\n'
        "    async def retry(self, call, ctx):\n"
        "        try:\n"
        "            return await call()\n"
        "        except CallFailed:\n"
        "            return await call()\n"
    )
    result = run(*few("--retrier", "twice_mine:Twice", "--set", "action.outcomes.fail=0.5"))
    assert (result.exit_code, summary()["cells"][0]["metrics"]["attempts.max"]["value"]) == (0, 2)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("class Mine(:", ["SyntaxError: invalid syntax", "  {name}.py:1: class Mine(:"]),
        ("1 / 0", ["ZeroDivisionError: division by zero", "  {name}.py:1, in <module>: 1 / 0"]),
        (
            "import sim\nclass Mine(sim.LoopRetrier):\n async def retry(self, call, ctx):\n  await ctx.sleep(-1)",
            [
                "ValueError: a delay must be finite and not negative, not -1 ms",
                "  raised by the loop of retrier 'Mine' for request 0 at 0s. A loop gives up by letting CallFailed",
                "  through, or by raising an error derived from it; any other error counts as a mistake.",
                "  {name}.py:4, in retry: await ctx.sleep(-1)",
            ],
        ),
        ("import sim\nclass Mine(sim.ScheduledRetrier): pass", ["it does not define 'bind'"]),
        ("import sys\nsys.exit(0)", ["SystemExit: 0", "  {name}.py:2, in <module>: sys.exit(0)"]),
    ],
    ids=["syntax", "import", "delay", "bind", "exit"],
)
def test_a_mistake_in_a_retrier_of_ones_own_is_told_with_its_line(
    run: Run, code: str, told: list[str], request: pytest.FixtureRequest
) -> None:
    name = f"mistaken_{request.node.callspec.id}"
    Path(f"{name}.py").write_text(code)
    result = run(*few("--retrier", f"{name}:Mine"))
    first, *rest = [line.format(name=name) for line in told]
    assert (result.exit_code, result.stderr.splitlines()) == (3, [f"--retrier {name}:Mine: {first}", *rest])


# Files.


def test_a_run_saves_its_summary_and_five_pictures(run: Run) -> None:
    result = run("run", "verdicts.yaml", "--requests", "20")
    assert files(Path("results/verdicts")) == RESULTS | PNGS
    assert result.stdout.splitlines()[-2:] == [
        "saved in results/verdicts: attempts.png, ccdf.png, detection_lag.png, duplicates.png, outcomes.png,",
        "results.sqlite, results.sqlite.sha256, summary.json",
    ]


def test_out_is_where_results_go(run: Run) -> None:
    run(*few("--out", "deep/er"))
    assert (files(Path("deep/er")), Path("results").exists()) == (RESULTS, False)


@pytest.fixture(scope="module")
def with_svg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a run with all pictures, which tests copy before they change it."""
    out = tmp_path_factory.mktemp("with-svg")
    path = Path(__file__).with_name("scenarios") / "smallest.yaml"
    result = CliRunner().invoke(cli, ["run", str(path), "--requests", "20", "--svg", "--out", str(out)])
    assert result.exit_code == 0
    return out


def test_svg_adds_pictures_and_the_next_run_removes_what_it_does_not_write(run: Run, with_svg: Path) -> None:
    shutil.copytree(with_svg, "out")
    seen = [files(Path("out"))]
    for more in ((), ("--no-plots",)):
        run("run", "smallest.yaml", "--requests", "20", "--out", "out", *more)
        seen.append(files(Path("out")))
    assert seen == [RESULTS | PNGS | SVGS, RESULTS | PNGS, RESULTS]


def test_files_of_other_people_stay(run: Run) -> None:
    mine = {"mine.png", "notes.svg", "request-all-3.png", "data.csv"}
    Path("out").mkdir()
    for name in mine:
        (Path("out") / name).touch()
    run("run", "smallest.yaml", "--requests", "20", "--out", "out")
    assert files(Path("out")) == RESULTS | PNGS | mine


def test_stale_files_are_known_by_the_names_that_pictures_have(with_svg: Path) -> None:
    assert files(with_svg) == set(FILES)


def test_a_sweep_has_pictures_of_its_own_which_a_later_run_without_it_takes_away(run: Run) -> None:
    swept = ("--set", "variants={}", "--set", "retrier=component", "--set", "sweep={retrier.max_failures: [1, 9]}")
    run("run", "verdicts.yaml", *swept, "--svg", "--out", "out")
    of_any_world = {name for name in SWEPT if not any(path in name for path in OF_RECOVERY)}
    assert files(Path("out")) == {*FILES, *of_any_world}
    run("run", "verdicts.yaml", "--out", "out")
    assert files(Path("out")) == RESULTS | PNGS


@pytest.mark.parametrize("name", ["verdicts", "crashes", "shared"])
def test_summaries_are_strict_json_even_where_something_never_comes(run: Run, name: str) -> None:
    run("run", f"{name}.yaml", "--no-plots")
    assert summary(Path("results") / name)["scenario"] == name


def test_summaries_know_nothing_of_where_and_when_they_were_made(run: Run, folder: Path) -> None:
    run(*few("--out", "somewhere"))
    text = Path("somewhere/summary.json").read_text()
    assert [word for word in (str(folder), "somewhere", "smallest.yaml", "/") if word in text] == []
    assert set(summary(Path("somewhere"))) == {"schema", "scenario", "digest", "seed", "engine", "versions", "cells"}
    assert set(summary(Path("somewhere"))["versions"]) == {"retrysim", "numpy", "scipy", "simpy"}


def test_two_runs_give_the_same_bytes(run: Run) -> None:
    for out in ("one", "two"):
        run("run", "verdicts.yaml", "--requests", "50", "--svg", "--out", out)
    one, two = ({path.name: path.read_bytes() for path in Path(out).iterdir()} for out in ("one", "two"))
    assert (sorted(one), [name for name in one if one[name] != two[name]]) == (sorted(FILES), [])


# Lines to replay.


def replayed(run: Run, output: str, what: str) -> list[str]:
    """Run the line printed under `what` and return the story."""
    lines = output.splitlines()
    words = shlex.split(lines[lines.index(f"  {what}:") + 1])
    assert words[:2] == ["retrysim", "replay"]
    result = run(*words[1:], "--no-plots")
    assert result.exit_code == 0
    return list(result.stdout.splitlines())


@pytest.mark.parametrize("cells", ["one", "many"])
def test_the_line_for_a_stuck_request_replays_a_stuck_request(run: Run, cells: str) -> None:
    more = {"one": (), "many": ("--set", "sweep={action.effect_at: [0.5, 0.8]}", "--set", "action.outcomes.fail=0.1")}
    story = replayed(run, run("run", "crashes.yaml", "--no-plots", *more[cells]).stdout, "a stuck request")
    assert [line for line in story if line.startswith("=> stuck for ever")] != []


def test_the_line_for_a_repeated_effect_replays_one(run: Run) -> None:
    story = replayed(run, run("run", "crashes.yaml", "--no-plots").stdout, "a repeated effect")
    assert sum("effect applied" in line for line in story) > 1


@pytest.mark.parametrize("name", ["crashes", "shared", "verdicts"])
def test_the_line_for_the_slowest_request_replays_one_known_after_the_longest_time(run: Run, name: str) -> None:
    story = replayed(run, run("run", f"{name}.yaml", "--no-plots").stdout, "the slowest request")
    longest_ns = max(cell.slowest_ns for cell in simulate(load(f"{name}.yaml")).cells)
    assert [line for line in story if f"known {span_text(longest_ns)} after the submission" in line] != []


def test_the_slowest_request_is_one_that_was_given_up_where_that_took_longest(run: Run) -> None:
    Path("late.yaml").write_text(
        "requests: {count: 5}\n"
        "variants:\n"
        "  quick: {retrier: component}\n"
        "  hopeless: {retrier: component, action.permanent_failure: 1.0}\n"
    )
    story = replayed(run, run("run", "late.yaml", "--no-plots").stdout, "the slowest request")
    assert "hopeless" in story[0]


def test_paths_with_spaces_are_quoted_in_lines_to_replay(run: Run) -> None:
    Path("my scenario.yaml").write_text(Path("crashes.yaml").read_text())
    output = run("run", "my scenario.yaml", "--no-plots").stdout
    assert replayed(run, output, "a stuck request")[0] == "my-scenario, my-scenario: request 0, seed 1"
