"""Every command line that a command prints works as it is printed, and leads to the same request."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
FINE = (0, 4, 98, 99)
"""Exit codes of a command that has done what it was asked to."""
OWN = """
import sim


class Options(sim.options.Options):
    calls: int = 2


class Own(sim.LoopRetrier):
    Options = Options

    def promises(self):
        return sim.Promises(attempts_at_most=1)

    async def retry(self, call, ctx):
        for _ in range(self.options.calls - 1):
            try:
                return await call(timeout_ms=500)
            except sim.CallFailed:
                await ctx.sleep(100)
        return await call()
"""
PLAIN = """
requests: {count: 60}
action: {latency: {exponential: {mean: 200ms}}, outcomes: {fail: 0.3, ack_lost: 0.1, hang: 0.05}}
retrier: component
"""
TUNED = """
requests: {count: 60}
action: {outcomes: {fail: 0.3}, weather: [{on_off: {up: {constant: 9s}, down: {constant: 1s}, fail: 1.0}}]}
retrier: component
tune:
  search: {retrier.initial_backoff: {from: 10ms, to: 10s}, retrier.max_failures: [1, 2]}
  objectives: [time_to_effect.p99, amplification]
  budget: {candidates: 4, finalists: 2}
"""
TUNED_OWN = TUNED.replace("retrier.initial_backoff: {from: 10ms, to: 10s}, retrier.max_failures", "retrier.calls")
SWEPT = PLAIN + "sweep: {retrier: [component, 'article'], action.outcomes.fail: [0.1, 0.4]}\n"
SMALL_WORLD = PLAIN + "explore: {attempts: 2, crashes: 1, requests: 1}\n"


@pytest.fixture
def there(folder: Path) -> Path:
    (folder / "a folder").mkdir()
    texts = {"plain": PLAIN, "tuned": TUNED, "tuned-own": TUNED_OWN, "swept": SWEPT, "small": SMALL_WORLD}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
        (folder / "a folder" / f"{name} it's.yaml").write_text(text)
    (folder / "own_retrier.py").write_text(OWN)
    return folder


def lines_in(text: str) -> list[str]:
    """Return the command lines in what a command has printed."""
    found = [line.strip() for line in text.splitlines() if re.match(r"\s+(cd \S+ && )?retrysim ", line)]
    assert "`retrysim " not in text
    return found


def works(run: Run, line: str) -> Result:
    """Run a printed line."""
    words = shlex.split(line)
    assert words[0] == "retrysim", line
    result = run(*words[1:])
    assert result.exit_code in FINE, f"{line}\n{result.stderr}"
    return result


OWN_WORDS = ("--retrier", "own_retrier:Own")
CHANGES: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "own retrier": OWN_WORDS,
    "own retrier with an option": (*OWN_WORDS, "--set", "retrier.calls=3"),
    "another kind": ("--retrier", "helpers"),
    "set": ("--set", "action.outcomes={fail: 0.5, ack_lost: 0.2}", "--set", "why=it's $HOME"),
    "requests": ("--requests", "77"),
    "seed": ("--seed", "12"),
    "out": ("--out", "my results/out"),
    "all": ("--seed", "3", "--requests", "30", "--set", "action.latency={constant: 7ms}", *OWN_WORDS, "--out", "o"),
}


@pytest.mark.slow
@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("file", ["plain.yaml", "a folder/plain it's.yaml"])
def test_lines_of_run_and_of_show_lead_to_the_same_requests(run: Run, file: str, change: str) -> None:
    done = run("run", file, "--no-plots", *CHANGES[change])
    assert done.exit_code in FINE
    out = next(Path(path).parent for path in map(str, Path().glob("**/results.sqlite")))
    shown = run("show", str(out))
    lines, again = lines_in(done.stdout), lines_in(shown.stdout)
    assert 1 <= len(lines) == len(again)
    for line, other in zip(lines, again, strict=True):
        stories = [works(run, one).stdout.split("\nsaved ")[0] for one in (line, other)]
        assert stories[0] == stories[1]
    assert {path.parent for path in Path().glob("**/request-*.png")} == {out}


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("file", ["swept.yaml", "a folder/swept it's.yaml"])
def test_lines_of_a_sweep_name_the_cell(run: Run, file: str) -> None:
    done = run("run", file, "--no-plots")
    out = next(Path().glob("**/results.sqlite")).parent
    lines = [*lines_in(done.stdout), *lines_in(run("show", str(out)).stdout)]
    assert len(lines) >= 2
    for line in lines:
        assert "--cell" in line
        works(run, line)


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("change", ["as it is", "own retrier", "all"])
def test_lines_of_a_check_show_what_is_broken_again(run: Run, change: str) -> None:
    done = run("run", "plain.yaml", "--check", "--no-plots", *CHANGES[change])
    lines = lines_in(done.stdout)
    assert lines
    for line in lines:
        works(run, line)


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("tuned.yaml", ()),
        ("a folder/tuned it's.yaml", ("--set", "action.outcomes.fail=0.4", "--seed", "3")),
        ("tuned-own.yaml", OWN_WORDS),
        ("tuned-own.yaml", (*OWN_WORDS, "--requests", "50", "--out", "my points")),
    ],
)
def test_the_line_of_a_search_for_parameters_runs_the_point(run: Run, file: str, more: tuple[str, ...]) -> None:
    done = run("tune", file, "--no-plots", *more)
    assert done.exit_code in FINE, done.stderr
    (line,) = lines_in(done.stdout)
    again = works(run, f"{line} --no-plots")
    for line in lines_in(again.stdout):
        works(run, line)


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("small.yaml", ()),
        ("small.yaml", OWN_WORDS),
        ("a folder/small it's.yaml", (*OWN_WORDS, "--set", "retrier.calls=3", "--out", "found here")),
    ],
)
def test_lines_of_a_search_for_counterexamples_replay_them(run: Run, file: str, more: tuple[str, ...]) -> None:
    done = run("explore", file, *more)
    assert done.exit_code == 4, done.stdout
    for line in lines_in(done.stdout):
        assert works(run, line).exit_code == 4


@pytest.mark.usefixtures("there")
def test_a_line_of_show_is_refused_once_the_scenario_has_changed(run: Run) -> None:
    run("run", "plain.yaml", "--no-plots")
    (line, *_) = lines_in(run("show", "results/plain").stdout)
    Path("plain.yaml").write_text(PLAIN.replace("0.3", "0.2"))
    refused = run(*shlex.split(line)[1:])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "it has changed since" in " ".join(refused.stderr.split())


def test_a_line_of_show_goes_to_where_the_own_retrier_was(
    there: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("run", "plain.yaml", "--no-plots", *OWN_WORDS)
    (there / "below").mkdir()
    monkeypatch.chdir(there / "below")
    (line, *_) = lines_in(run("show", "../results/plain").stdout)
    assert line.startswith("cd .. && retrysim replay plain.yaml ")
    monkeypatch.chdir(there)
    works(run, line.removeprefix("cd .. && "))


@pytest.mark.usefixtures("there")
def test_show_prints_no_line_for_results_of_which_it_does_not_know_the_scenario(run: Run) -> None:
    run("run", "plain.yaml", "--no-plots")
    Path("results/plain/source.json").unlink()
    assert lines_in(run("show", "results/plain").stdout) == []


def test_lines_of_a_shipped_scenario_work(run: Run, folder: Path) -> None:
    del folder
    done = run("run", str(ROOT / "scenarios/quickstart.yaml"), "--requests", "200", "--no-plots")
    for line in [*lines_in(done.stdout), *lines_in(run("show", "results/quickstart").stdout)]:
        works(run, line)
