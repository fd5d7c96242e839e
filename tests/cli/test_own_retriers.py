"""Several retriers of one's own side by side: `--retrier NAME=MODULE:NAME`, in variants, classes and layers."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import Result
from commands import run_command

from sim.api.run import run as simulate
from sim.results.reading import open_results
from sim.retriers.base import LoopRetrier
from sim.scenario.identity import digest
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError

CODE = """
from sim import CallFailed, LoopRetrier
from sim.options import DurationNs, Options


class Waits(Options):
    wait: DurationNs = 50_000_000


class Fast(LoopRetrier):
    kind = "fast"
    Options = Waits

    async def retry(self, call, ctx):
        for _ in range(3):
            try:
                return await call()
            except CallFailed:
                await ctx.sleep(self.options.wait / 1e6)
        return await call()


class Slow(Fast):
    kind = "slow"
"""
SCENARIO = """
world: shared
requests: {count: 60, arrivals: {poisson: {rate: 20/s}}}
replications: 1
retrier: none
action: {service: gateway}
services:
  gateway: {latency: {constant: 5ms}, calls: [{service: db, retrier: {kind: slow, wait: 10ms}, timeout: 1s}]}
  db: {latency: {constant: 20ms}, outcomes: {fail: 0.4}}
classes: {eager: {share: 0.5, retrier: fast}, others: {share: 0.5}}
variants:
  a: {retrier: fast}
  b: {retrier: {kind: slow, wait: 300ms}}
  c: {}
"""
BOTH = ("--retrier", "fast=loops:Fast", "--retrier", "slow=loops:Slow")
NAMES = {"fast": "loops:Fast", "slow": "loops:Slow"}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in a folder with the module and the scenario; the module is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "loops", raising=False)
    (tmp_path / "loops.py").write_text(CODE)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    return run_command


@pytest.mark.usefixtures("run")
def test_each_cell_class_and_layer_has_the_retrier_that_its_name_stands_for() -> None:
    found = [one.cell.scenario for one in simulate(load("s.yaml", retriers=NAMES)).cells]
    assert [one.retrier.kind for one in found] == ["loops:Fast", "loops:Slow", "none"]
    assert {one.callers[0].retrier.kind for one in found} == {"loops:Fast"}  # type: ignore[union-attr]
    assert {one.services["gateway"].calls[0].retrier.options.wait for one in found} == {10_000_000}  # type: ignore[union-attr]


@pytest.mark.usefixtures("run")
def test_a_mapping_as_retrier_and_classes_in_place_of_paths_mean_the_same() -> None:
    scenario = load("s.yaml", retriers=NAMES)
    fast = import_module("loops").Fast
    again = load("s.yaml", retrier={"fast": fast, "slow": "loops:Slow"})
    assert digest(again) == digest(scenario)


def test_the_command_line_gives_names_and_results_remember_them(run: Run, tmp_path: Path) -> None:
    done = run("run", "s.yaml", *BOTH, "--out", "results/s")
    assert done.exit_code == 0, done.output
    known = json.loads((tmp_path / "results" / "s" / "source.json").read_text())
    assert (known["retrier"], dict(known["retriers"])) == (None, NAMES)
    sys.modules.pop("loops")
    (tmp_path / "loops.py").unlink()
    assert [found.cell.scenario.retrier.kind for found in open_results(tmp_path / "results" / "s").cells] == [
        "loops:Fast",
        "loops:Slow",
        "none",
    ]


def test_show_gives_lines_that_replay_with_the_same_names(run: Run) -> None:
    run("run", "s.yaml", *BOTH, "--out", "results/s")
    shown = run("show", "results/s")
    assert shown.exit_code == 0, shown.output
    replayed = run("replay", "s.yaml", *BOTH, "--cell", "a", "--request", "3", "--out", "results/s")
    assert (replayed.exit_code, "request 3" in replayed.output) == (0, True), replayed.output


def test_a_folder_has_the_results_of_one_set_of_names(run: Run) -> None:
    run("run", "s.yaml", *BOTH, "--out", "results/s")
    other = run("run", "s.yaml", "--retrier", "fast=loops:Slow", *BOTH[2:], "--out", "results/s")
    assert "with --retrier fast=loops:Fast --retrier slow=loops:Slow" in other.output
    assert other.exit_code != 0


@pytest.mark.parametrize("words", [("--check",), ()])
def test_a_run_with_named_retriers_repeats_and_checks(run: Run, words: tuple[str, ...]) -> None:
    assert run("run", "s.yaml", *BOTH, *words).exit_code == 0


def test_explore_takes_the_names_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("{retrier: fast, action: {latency: {constant: 1s}, outcomes: {fail: 0.1}}}")
    done = run("explore", "small.yaml", "--retrier", "fast=loops:Fast", "--attempts", "2")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--retrier", "none=loops:Fast"), "none is the name of a kind of retrier already"),
        (("--retrier", "aiohttp-retry=loops:Fast"), "aiohttp-retry is the name of a preset already"),
        (("--retrier", "other=loops:Fast"), "nothing in the scenario names the retrier other"),
        (("--retrier", "fast=Fast"), "neither KIND, MODULE:NAME nor NAME=MODULE:NAME"),
        (("--retrier", "fast=loops:Slow"), "retrier 'fast' is given twice"),
        (("--retrier", "loops:Fast", "--retrier", "loops:Slow"), "only one can replace the scenario's"),
        (("--retrier", "a.b=loops:Fast"), "a name has letters, digits"),
    ],
)
def test_names_that_cannot_be_are_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run("run", "s.yaml", *BOTH, *words)
    assert (done.exit_code != 0, message in " ".join(done.output.split())) == (True, True), done.output


def test_a_name_without_its_option_is_an_unknown_retrier(run: Run) -> None:
    assert "there is no retrier 'slow'" in run("run", "s.yaml", *BOTH[:2]).output


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{kind: fast, wate: 5ms}", "unknown key 'wate'"),
        ("{kind: fast, wait: 5}", "wait"),
        ("{kind: fast, wait: -5ms}", "wait"),
    ],
)
def test_options_of_a_named_retrier_are_checked_at_their_place(written: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as refused:
        parse(f"retrier: {written}", retriers={"fast": "loops:Fast"})
    assert refused.value.problems[0].keys[:1] == ("retrier",)


@pytest.mark.usefixtures("run")
def test_a_class_that_no_path_names_is_refused() -> None:
    local = type("Local", (LoopRetrier,), {"__qualname__": "test.<locals>.Local"})
    with pytest.raises(ScenarioError, match="no file can name"):
        parse("retrier: local", retriers={"local": local})
