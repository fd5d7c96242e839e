"""`retrysim run` in folders in which something is: it goes on, shows again, replaces or refuses, and says so."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.cli.progress import cost_text
from sim.cli.run import FILES, RESULT_FILES
from sim.experiment import chunks
from sim.experiment.engines import EVENT, VECTOR, VERSIONS
from sim.results.checkpoint import Checkpoint

Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
WORDS = ("run", "smallest.yaml", "--requests", "100", "--no-plots", "--out", "out")
STOPPED = (
    *("run", "smallest.yaml", "--requests", "400", "--retrier", "stopping_retrier:Stopping"),
    *("--no-plots", "--out", "out"),
)
SHOWN = "nothing to simulate: 'out/results.sqlite' has the results already\n"

# A retrier whose request number 250 interrupts the whole process, as Ctrl-C does.
STOPPING = """
import os
import signal

import sim


class Stopping(sim.LoopRetrier):
    async def retry(self, call, ctx):
        if ctx._client.request.number == 250 and "GO_ON" not in os.environ:
            os.kill(os.getpid(), signal.SIGINT)
        return await call()
"""


def files(folder: Path = Path("out")) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 64)


def stopped(run: Run, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    """Run a scenario that is interrupted in its fourth chunk."""
    Path("stopping_retrier.py").write_text(STOPPING)
    monkeypatch.delitem(sys.modules, "stopping_retrier", raising=False)
    assert run(*STOPPED, *more).exit_code == 1
    monkeypatch.setenv("GO_ON", "1")


@pytest.mark.usefixtures("small")
def test_the_same_command_goes_on_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(run, monkeypatch)
    again = run(*STOPPED)
    assert (again.exit_code, again.stderr) == (0, "resuming: 3 of 7 chunks are there\n")
    whole = run(*STOPPED[:-1], "whole")
    assert (files(), again.stdout) == (files(Path("whole")), whole.stdout.replace("whole", "out"))


def test_a_run_that_has_finished_is_shown_again_word_for_word(run: Run) -> None:
    first = run(*WORDS)
    before = files()
    again = run(*WORDS)
    assert (again.exit_code, again.stdout, again.stderr) == (first.exit_code, first.stdout, SHOWN)
    assert files() == before


def test_pictures_can_be_asked_for_afterwards(run: Run) -> None:
    run(*WORDS)
    again = run("run", "smallest.yaml", "--requests", "100", "--svg", "--out", "out")
    assert (again.stderr, set(files())) == (SHOWN, set(FILES))


def test_a_changed_scenario_replaces_its_results_and_says_so(run: Run) -> None:
    run(*WORDS)
    again = run(*WORDS, "--seed", "9")
    assert again.exit_code == 0
    assert again.stderr.startswith("the results of an earlier version (digest ")
    run(*WORDS[:-1], "anew", "--seed", "9")
    assert files() == files(Path("anew"))


def test_expectations_are_judged_anew_without_simulating(run: Run) -> None:
    run(*WORDS)
    again = run(*WORDS, "--set", "expect=[success.rate <= 1%]")
    assert (again.exit_code, again.stderr) == (99, "resuming: 1 of 1 chunks are there\n")


@pytest.mark.parametrize("name", RESULT_FILES)
def test_damaged_results_exit_with_5_say_what_to_do_and_stay(run: Run, name: str) -> None:
    run(*WORDS)
    flip(Path("out") / name)
    before = files()
    result = run(*WORDS)
    assert (result.exit_code, result.stdout, files() == before) == (5, "", True)
    assert result.stderr.startswith("Error: 'out/results.sqlite' is damaged: ")
    assert "the same command with --fresh replaces it" in result.stderr
    assert run(*WORDS, "--fresh").exit_code == 0
    assert run(*WORDS).stderr == SHOWN


@pytest.mark.parametrize("words", [(), ("--check",), ("--seed", "9")])
def test_results_of_another_scenario_exit_with_5_and_stay(run: Run, words: tuple[str, ...]) -> None:
    run("run", "verdicts.yaml", "--requests", "20", "--no-plots", "--out", "out")
    before = files()
    result = run(*WORDS, *words)
    assert (result.exit_code, result.stdout, files() == before) == (5, "", True)
    assert "has the results of another scenario, 'verdicts'" in result.stderr


def test_a_text_in_the_place_of_results_exits_with_5_and_stays(run: Run) -> None:
    Path("out").mkdir()
    Path("out/results.sqlite").write_text("mine")
    result = run(*WORDS)
    assert (result.exit_code, result.stdout, files()) == (5, "", {"results.sqlite": b"mine"})
    assert "is no results file" in result.stderr


@pytest.mark.usefixtures("small")
def test_an_unfinished_run_of_a_changed_scenario_exits_with_5_and_names_fresh(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(run, monkeypatch)
    result = run(*STOPPED, "--seed", "5")
    assert result.exit_code == 5
    assert "has 3 of 7 chunks of an unfinished run of another scenario, or of this one" in result.stderr
    assert set(files()) == {"source.json", "unfinished.sqlite"}


def test_a_check_replaces_results_that_were_not_checked_and_says_so(run: Run) -> None:
    run(*WORDS)
    told = run(*WORDS, "--check").stderr
    found = f"engine vector {VERSIONS[VECTOR]}, not checked"
    assert told == f"the results that are there ({found}) are replaced when these are complete\n"
    assert set(files()) == {"source.json", "summary.json", *RESULT_FILES}
    assert run(*WORDS, "--check").stderr == SHOWN
    assert "an earlier version (digest " in run(*WORDS, "--check", "--seed", "9").stderr


@pytest.mark.usefixtures("small")
def test_a_check_that_was_stopped_goes_on_and_finds_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(run, monkeypatch, "--check")
    foreign = run(*STOPPED)
    assert (foreign.exit_code, "histories are checked" in foreign.stderr) == (5, True)
    again = run(*STOPPED, "--check")
    assert again.stderr == "resuming: 3 of 7 chunks are there\n"
    whole = run(*STOPPED[:-1], "whole", "--check")
    assert again.stdout.replace("--out out", "--out whole").replace("in out", "in whole") == whole.stdout
    assert Path("out/results.sqlite").read_bytes() == Path("whole/results.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--executor", "ray"), "'ray' is no executor; there are dask (a local cluster) and dask://HOST:PORT"),
        (("--workers", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_done_exits_with_2(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run(*WORDS, *words)
    assert (result.exit_code, result.stdout, told in result.stderr) == (2, "", True)


def test_dask_that_is_not_installed_is_told_with_what_installs_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run(*WORDS, "--executor", "dask")
    assert (result.exit_code, "pip install 'retrysim[distributed]'" in result.stderr) == (2, True)
    assert not Path("out").exists()


def test_two_processes_in_one_folder_exclude_each_other(run: Run, process: Process) -> None:
    Path("out").mkdir()
    with Checkpoint(Path("out/unfinished.sqlite")):
        done = process(*WORDS)
    said = "Error: another process is writing to 'out'; wait for it, or give this run a folder of its own\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert run(*WORDS).exit_code == 0


def workers_of(pid: int) -> list[str]:
    """Return the process ids of the workers that a process has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("starting", "interrupted; nothing was written"),
        pytest.param(
            "at work",
            r"interrupted; \d+ of 150 chunks are saved in 'out', and the same command resumes from there",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_ctrl_c_on_a_terminal_ends_workers_too_and_keeps_what_is_done(folder: Path, moment: str, said: str) -> None:
    """A terminal sends Ctrl-C to all processes of its group: only the one that runs the scenario answers."""
    (folder / "many.yaml").write_text(f"requests: {{count: 200}}\nretrier: helpers\nsweep: {{seed: {[*range(150)]}}}\n")
    words = [sys.executable, "-m", "sim", "run", "many.yaml", "--workers", "2", "--no-plots", "--out", "out"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(  # noqa: S603  # this interpreter
        words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wal = folder / "out" / "unfinished.sqlite-wal"
    while running.poll() is None and not (
        len(workers_of(running.pid)) == 2 if moment == "starting" else wal.exists() and wal.stat().st_size > 500_000
    ):
        os.sched_yield()
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate()
    assert (running.returncode, stdout) == (130, "")
    assert re.fullmatch(said, stderr.strip())


@pytest.mark.parametrize(
    ("events", "seconds", "workers", "text"),
    [
        (12_345_678, 7.4, 1, "estimated: 12,000,000 events, about 7s"),
        (12_345_678, 100, 2, "estimated: 12,000,000 events, about 1m40s with 2 workers"),
        (987_654_321, 3_333, 2, "estimated: 980,000,000 events, about 56m with 2 workers"),
        (5, 0.01, 1, "estimated: 5 events, about 1s"),
    ],
)
def test_the_cost_is_told_in_round_numbers(events: int, seconds: float, workers: int, text: str) -> None:
    assert cost_text(events, seconds, workers) == text


def test_results_of_code_of_ones_own_are_replaced_after_a_change_of_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def fetch(call):\n    for _ in range({tries}):\n        call(timeout=1)\n"
    words = (*WORDS[:2], "--requests", "5", "--retrier", "changing_guest:fetch", *WORDS[4:])

    def says(tries: int) -> tuple[int, str]:
        Path("changing_guest.py").write_text(code.format(tries=tries))
        monkeypatch.delitem(sys.modules, "changing_guest", raising=False)
        result = run(*words)
        return result.exit_code, result.stderr

    assert says(1) == (0, "")
    assert says(1) == (0, SHOWN)
    replaced = "the results of your own code before it was changed are replaced when these are complete\n"
    assert says(13) == (0, replaced)
    assert says(13) == (0, SHOWN)


@pytest.mark.usefixtures("small")
def test_what_another_version_of_ones_code_began_is_not_gone_on_with(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(run, monkeypatch)
    Path("stopping_retrier.py").write_text(STOPPING.replace("250", "2500"))
    monkeypatch.delitem(sys.modules, "stopping_retrier", raising=False)
    again = run(*STOPPED)
    assert again.exit_code == 5
    assert "an unfinished run of your own code before it was changed" in again.stderr
