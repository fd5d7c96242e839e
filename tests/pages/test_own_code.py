"""The examples of retriers of one's own do what the pages say of them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import run_command
from pages import ROOT, blocks_of

from sim.api.run import run as simulate
from sim.cli.exit_codes import BROKEN
from sim.retriers.base import LoopRetrier, ScheduledRetrier
from sim.scenario.load import parse

if TYPE_CHECKING:
    from click.testing import Result

OWN = blocks_of("docs/how-to/own-retrier.md")
TESTED = blocks_of("docs/how-to/test-own-retrier.md")
SEARCHED = blocks_of("docs/how-to/search-small-world.md")
FILES = {block.file: block.text for block in (*OWN, *TESTED, *SEARCHED) if block.file}
SHAPES = {"full_jitter": LoopRetrier.__name__, "watchdog": ScheduledRetrier.__name__}
A_TEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."]


def lay_down(*names: str) -> None:
    for name in names:
        Path(name).write_text(FILES[name], encoding="utf-8")


def run_on_400(line: str) -> Result:
    """Run a command line about a shipped scenario with fewer requests."""
    words = shlex.split(line.replace("scenarios/", f"{ROOT}/scenarios/"))
    return run_command(*words[1:], "--requests", "400", "--no-plots")


def replay_line(text: str) -> list[str]:
    """The words of the first line of a text that replays something."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("retrysim replay")]
    return shlex.split(lines[0])[1:]


def test_both_shapes_of_a_retrier_are_shown_in_less_than_25_lines_each() -> None:
    for name, shape in SHAPES.items():
        code = FILES[f"{name}.py"]
        assert re.findall(r"^class \w+\((\w+)\):$", code, re.MULTILINE) == [shape]
        assert len(code.splitlines()) < 25


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("module", sorted(SHAPES))
def test_a_retrier_of_ones_own_runs_from_a_file_in_an_empty_folder(module: str) -> None:
    lay_down(f"{module}.py")
    [name] = re.findall(r"^class (\w+)", FILES[f"{module}.py"], re.MULTILINE)
    [line] = [block.text for block in OWN if block.kind == "sh" and "watchdog:Watchdog" in block.text]
    result = run_on_400(line.replace("watchdog:Watchdog", f"{module}:{name}"))
    assert (result.exit_code, result.stderr) == (0, "")
    success = float(re.findall(r"Of 400 requests, ([\d.]+) %", result.stdout)[0])
    assert 95 < success < 100


@pytest.mark.usefixtures("empty_folder")
def test_the_policy_as_a_loop_gives_the_records_of_the_policy() -> None:
    lay_down("careful.py")
    sys.path.insert(0, str(Path.cwd()))
    [policy] = [block.text for block in OWN if block.kind == "yaml" and block.text.startswith("retrier:")]
    world = (
        "world: shared\nreplications: 2\nrequests: {count: 150, arrivals: {poisson: {rate: 20/s}}}\n"
        "action: {latency: {exponential: {mean: 150ms}}, outcomes: {fail: 0.35}}\n"
    )
    scenarios = (parse(f"{world}retrier: none", retrier="careful:Careful"), parse(world + policy))
    mine, as_policy = (simulate(scenario).cells[0].requests for scenario in scenarios)
    names = ("settled_ns", "attempts", "actions", "action_ns", "outcome", "effects")
    assert mine.attempts.sum() > len(mine)
    assert all(getattr(mine, name).tolist() == getattr(as_policy, name).tolist() for name in names)


@pytest.mark.slow
@pytest.mark.usefixtures("empty_folder")
def test_the_first_example_finds_its_bug_and_its_line_replays_it() -> None:
    lay_down("patient.py", "test_patient.py")
    tested = subprocess.run(A_TEST, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    replayed = run_command(*replay_line(tested.stdout), "--no-plots")
    [shown] = [block.text for block in TESTED if block.kind == "text"]
    assert (tested.returncode, shown in tested.stdout, "sleeps 857 ms" in replayed.stdout) == (1, True, True)


def test_readme_shows_the_same_example() -> None:
    theirs = [block.text for block in TESTED if block.file or block.kind == "text"]
    shown = [block.text for block in blocks_of("README.md") if block.file or block.kind == "text"]
    assert shown[-len(theirs) :] == theirs


@pytest.mark.slow
@pytest.mark.usefixtures("empty_folder")
def test_without_the_last_sleep_the_first_example_passes() -> None:
    sleepy = "                await ctx.sleep("
    mended = FILES["patient.py"].replace(sleepy, f"                if failure < 4:\n    {sleepy}")
    lay_down("test_patient.py")
    Path("patient.py").write_text(mended, encoding="utf-8")
    tested = subprocess.run(A_TEST, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert (tested.returncode, "20 passed" in tested.stdout) == (0, True)


@pytest.mark.usefixtures("empty_folder")
def test_the_second_example_finds_its_bug_and_its_line_replays_it() -> None:
    lay_down("impatient.py", "impatient.yaml")
    line, shown, *_ = [block.text for block in SEARCHED if block.kind in {"sh", "text"}]
    explored = run_command(*shlex.split(line)[1:])
    replayed = run_command(*replay_line(explored.stdout), "--no-plots")
    assert (explored.exit_code, shown in explored.stdout, replayed.exit_code) == (BROKEN, True, BROKEN)
