"""A folder of results belongs to one scenario file and one retrier: others of the same name are refused."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]

SMALL = "requests: {{count: 20}}\nseed: {seed}\naction: {{outcomes: {{fail: 0.3}}}}\nretrier: {retrier}\n"
OWN = """
import sim


class First(sim.LoopRetrier):
    async def retry(self, call, ctx):
        return await call()


class Second(First):
    pass
"""
TUNE = """
tune:
  search: {retrier.initial_backoff: {from: 10ms, to: 10s}, retrier.max_failures: [1, 2]}
  objectives: [time_to_effect.p99, amplification]
  budget: {candidates: 4, finalists: 2}
"""
WEATHER = "{outcomes: {fail: 0.3}, weather: [{on_off: {up: {constant: 9s}, down: {constant: 1s}, fail: 1.0}}]}"


@pytest.fixture
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number, name in enumerate(("a/prod", "b/prod", "結果", "試験")):
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SMALL.format(seed=number, retrier="component"), encoding="utf-8")
    (folder / "own.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "own", raising=False)  # another test may have one of this name
    return folder


def saved(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def suggested(refused: Result) -> str:
    """Return the folder that a refusal tells to use."""
    text = " ".join(refused.stderr.split())
    found = re.search(r"--out (.+)$", text)
    assert found is not None
    return shlex.split(found[1])[0]


def run_words(*words: str) -> tuple[str, ...]:
    return ("run", *words, "--no-plots")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("first", "second", "place", "other"),
    [
        (("a/prod.yaml",), ("b/prod.yaml",), "results/prod", "results/b-prod"),
        (("結果.yaml",), ("試験.yaml",), "results/scenario", "results/試験"),
        (
            ("a/prod.yaml", "--retrier", "own:First"),
            ("a/prod.yaml", "--retrier", "own:Second"),
            "results/prod",
            "results/prod-own-Second",
        ),
        (("a/prod.yaml",), ("a/prod.yaml", "--retrier", "helpers"), "results/prod", "results/prod-helpers"),
        (("a/prod.yaml", "--retrier", "helpers"), ("a/prod.yaml",), "results/prod", "results/prod-own"),
        (("a/prod.yaml",), ("b/prod.yaml", "--check"), "results/prod", "results/b-prod"),
        (("a/prod.yaml", "--check"), ("b/prod.yaml", "--check"), "results/prod", "results/b-prod"),
        (("a/prod.yaml", "--out", "o"), ("b/prod.yaml", "--out", "o"), "o", "prod"),
    ],
)
def test_another_file_or_retrier_is_refused_with_a_folder_of_its_own(
    run: Run, first: tuple[str, ...], second: tuple[str, ...], place: str, other: str
) -> None:
    assert run(*run_words(*first)).exit_code == 0
    before = saved(place)
    refused = run(*run_words(*second))
    assert (refused.exit_code, refused.stdout, saved(place)) == (2, "", before)
    assert f"'{place}' has the results of {first[0]}" in " ".join(refused.stderr.split())
    assert suggested(refused) == other
    words = second[: second.index("--out")] if "--out" in second else second
    assert run(*run_words(*words, "--out", suggested(refused))).exit_code == 0
    assert saved(place) == before


@pytest.mark.usefixtures("files")
def test_the_same_file_edited_or_changed_by_options_replaces_its_results(run: Run) -> None:
    assert run(*run_words("a/prod.yaml")).exit_code == 0
    Path("a/prod.yaml").write_text(SMALL.format(seed=9, retrier="article"))
    assert "are replaced" in run(*run_words("a/prod.yaml")).stderr
    assert "are replaced" in run(*run_words("a/prod.yaml", "--seed", "5", "--set", "retrier=helpers")).stderr
    os.chdir("a")
    assert "are replaced" in run(*run_words("prod.yaml", "--out", "../results/prod")).stderr


@pytest.mark.usefixtures("files")
def test_fresh_replaces_whatever_is_there(run: Run) -> None:
    run(*run_words("a/prod.yaml"))
    assert run(*run_words("b/prod.yaml", "--fresh")).exit_code == 0
    assert run(*run_words("a/prod.yaml")).exit_code == 2
    assert run(*run_words("b/prod.yaml")).exit_code == 0


@pytest.mark.usefixtures("files")
def test_a_file_that_was_moved_keeps_its_results_while_its_numbers_are_the_same(run: Run) -> None:
    run(*run_words("a/prod.yaml"))
    Path("c").mkdir()
    shutil.move("a/prod.yaml", "c/prod.yaml")
    assert "nothing to simulate" in run(*run_words("c/prod.yaml")).stderr
    assert run(*run_words("b/prod.yaml")).exit_code == 2


@pytest.mark.usefixtures("files")
def test_the_summary_contains_no_path(run: Run) -> None:
    run(*run_words("a/prod.yaml"))
    text = Path("results/prod/summary.json").read_text()
    assert ("prod.yaml" in text, str(Path.cwd()) in text) == (False, False)
    assert json.loads(Path("results/prod/source.json").read_text())["scenario"] == "../../a/prod.yaml"


@pytest.mark.usefixtures("files")
def test_a_run_that_saves_nothing_claims_nothing(run: Run) -> None:
    assert run(*run_words("a/prod.yaml", "--engine", "vector", "--check")).exit_code == 2
    assert not Path("results").exists()
    assert run(*run_words("b/prod.yaml")).exit_code == 0


@pytest.mark.usefixtures("files")
def test_a_run_that_was_stopped_keeps_its_folder_from_another_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cli.run._save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    run(*run_words("a/prod.yaml"))
    assert sorted(saved("results/prod")) == ["source.json", "unfinished.sqlite"]
    assert run(*run_words("b/prod.yaml")).exit_code == 2


def test_of_two_processes_at_once_one_is_refused(files: Path, process: Process) -> None:
    for _ in range(1):
        shutil.rmtree(files / "results", ignore_errors=True)
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda name: process("run", f"{name}/prod.yaml", "--no-plots"), ("a", "b")))
        assert sorted(done.returncode for done in both) == [0, 2]
        winner = "ab"[[done.returncode for done in both].index(0)]
        assert json.loads((files / "results/prod/source.json").read_text())["scenario"] == f"../../{winner}/prod.yaml"


@pytest.mark.usefixtures("files")
def test_a_search_for_parameters_does_not_replace_that_of_another_file(run: Run) -> None:
    for name in "ab":
        path = Path(f"{name}/prod.yaml")
        path.write_text(path.read_text().replace("{outcomes: {fail: 0.3}}", WEATHER) + TUNE)
    assert run("tune", "a/prod.yaml", "--no-plots").exit_code == 0
    refused = run("tune", "b/prod.yaml", "--no-plots")
    assert (refused.exit_code, suggested(refused)) == (2, "results/prod")
    assert run("tune", "b/prod.yaml", "--no-plots", "--out", "results/b").exit_code == 0


@pytest.mark.usefixtures("files")
def test_pictures_and_counterexamples_go_to_no_folder_of_another_file(run: Run) -> None:
    run(*run_words("a/prod.yaml"))
    for words in (("replay", "b/prod.yaml", "--request", "1"), ("explore", "b/prod.yaml")):
        assert run(*words).exit_code == 2
        assert run(*words, "--out", "elsewhere").exit_code in (0, 4)
    assert run("replay", "a/prod.yaml", "--request", "1").exit_code == 0


def test_a_source_that_cannot_be_read_is_written_anew(files: Path, run: Run) -> None:
    run(*run_words("a/prod.yaml"))
    (files / "results/prod/source.json").write_text("{")
    assert run(*run_words("a/prod.yaml")).exit_code == 0
    assert run(*run_words("b/prod.yaml")).exit_code == 2
