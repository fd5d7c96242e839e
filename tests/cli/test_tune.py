"""`retrysim tune`: exit codes, what it prints and saves, and that each point runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.cli.tune import FILES
from sim.scenario.load import load

Run = Callable[..., Result]
TUNED = Path("results/tune-tuned")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("constraint", "code"),
    [("success.rate >= 50%", 0), ("success.rate >= 99.99%", 98), ("amplification <= 1", 99)],
)
def test_the_exit_code_is_the_verdict(run: Run, constraint: str, code: int) -> None:

    assert run("tune", "tune.yaml", "--no-plots", "--set", f"tune.constraints=[{constraint}]").exit_code == code


@pytest.mark.parametrize(
    "words",
    [
        ("smallest.yaml",),
        ("wrong.yaml",),
        ("tune.yaml", "--set", "action.weather=[]"),
        ("tune.yaml", "--set", "tune.objectives=[time]"),
        ("tune.yaml", "--set", "sweep={action.outcomes.fail: [0.1, 0.2]}"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_place_and_exits_with_3(run: Run, words: tuple[str, ...]) -> None:
    result = run("tune", *words)
    assert (result.exit_code, result.stdout, Path("results").exists()) == (3, "", False)
    assert ".yaml:" in result.stderr or "--set" in result.stderr


def test_a_refusal_stands_at_the_key_in_the_file(run: Run) -> None:
    result = run("tune", "tune.yaml", "--set", "action.weather=[]")
    line = Path("tune.yaml").read_text().splitlines().index("    retrier.initial_backoff: {from: 10ms, to: 60s}") + 1
    assert result.stderr.startswith(f"tune.yaml:{line}:5: tune.search['retrier.initial_backoff']: nothing")


def test_everything_saved_is_known_by_name(run: Run) -> None:
    run("tune", "tune.yaml", "--svg")
    saved = files(TUNED)
    assert saved <= {*FILES, "source.json"}
    assert {"tune.json", "pareto.png", "pareto.svg", "point-1.yaml", "point-1.ts"} <= saved


def test_points_of_an_earlier_search_go(run: Run) -> None:
    run("tune", "tune.yaml", "--no-plots")
    (TUNED / "mine.txt").write_text("kept")
    run("tune", "tune.yaml", "--no-plots", "--set", "tune.constraints=[amplification <= 1]")
    assert files(TUNED) == {"source.json", "tune.json", "mine.txt"}


def test_two_searches_give_the_same_bytes(run: Run) -> None:
    for out in ("one", "two"):
        run("tune", "tune.yaml", "--svg", "--out", out)
    one, two = ({path.name: path.read_bytes() for path in Path(out).iterdir()} for out in ("one", "two"))
    assert one == two


def test_each_point_runs_with_the_numbers_that_were_reported(run: Run) -> None:
    run("tune", "tune.yaml", "--no-plots", "--out", "out")
    points = [one for one in json.loads(Path("out/tune.json").read_text())["finalists"] if one["role"] == "point"]
    assert points != []
    for point in points:
        result = run("run", f"out/point-{point['number']}.yaml", "--no-plots", "--out", "again")
        (cell,) = json.loads(Path("again/summary.json").read_text())["cells"]
        assert result.exit_code == 0
        for path in ("time_to_effect.p90", "amplification"):
            assert cell["metrics"][path] == point["metrics"][path]


def test_requests_says_what_a_finalist_is_measured_with(run: Run) -> None:
    run("tune", "tune.yaml", "--no-plots", "--requests", "120", "--out", "out")
    assert json.loads(Path("out/tune.json").read_text())["rounds"][-1]["upto"] == 120


def test_a_retrier_of_ones_own_is_searched_and_its_points_say_how_to_run(run: Run) -> None:
    Path("tuned_mine.py").write_text(
        "import sim\nfrom sim.options.model import Options\n\n\n"
        "class Given(Options):\n    pause_ms: int = 10\n\n\n"
        "class Mine(sim.LoopRetrier):\n    kind = 'mine'\n    Options = Given\n\n"
        "    async def retry(self, call, ctx):\n"
        "        try:\n            return await call()\n"
        "        except sim.CallFailed:\n            await ctx.sleep(self.options.pause_ms)\n"
        "        return await call()\n"
    )
    search = "tune={search: {retrier.pause_ms: [1000, 30000]}, objectives: [time_to_effect.p90]}"
    run("tune", "tune.yaml", "--retrier", "tuned_mine:Mine", "--no-plots", "--set", search, "--out", "out")
    head = Path("out/point-1.yaml").read_text().splitlines()[:4]
    (line,) = [one for one in head if "--retrier" in one]
    words = line.removeprefix("# Run it with ").partition(": a file")[0].split()
    assert run("run", "out/point-1.yaml", "--no-plots", *words).exit_code == 0
    assert (
        "retrier of your own"
        in run("tune", "tune.yaml", "--retrier", "tuned_mine:Mine", "--no-plots", "--set", search).stdout
    )


def test_svg_without_plots_is_a_wrong_command_line(run: Run) -> None:
    assert run("tune", "tune.yaml", "--svg", "--no-plots").exit_code == 2


PRESETS = """\
seed: 3
requests: {{count: 200}}
action: {{latency: {{constant: 20ms}}, outcomes: {{fail: 0.2}}}}
retrier: {{kind: policy, preset: {preset}}}
tune:
  search: {{{search}}}
  constraints: [success.rate >= 50%]
  objectives: [amplification]
  budget: {{candidates: 3, finalists: 2}}
"""
INITIAL = "retrier.delay.exponential.initial: {from: 10ms, to: 1s}"


@pytest.mark.parametrize(
    ("preset", "search", "file", "told"),
    [
        ("grpc-retry", f"retrier.attempts: [2, 3, 5], {INITIAL}", "point-1-grpc.json", "retry_on: a plain `failed`"),
        ("envoy", f"retrier.attempts: [2, 4], {INITIAL}", "point-1-envoy.yaml", "retry_on: a plain `failed`"),
        ("botocore-standard-1.44", "retrier.attempts: [2, 3, 6]", "point-1-aws.ini", ""),
        ("botocore-standard-1.43", "retrier.attempts: [2, 3, 6]", "point-1-aws.ini", "delay: botocore has these"),
    ],
)
def test_a_point_of_a_preset_is_a_configuration_of_its_library_and_a_scenario_that_gives_it(
    run: Run, preset: str, search: str, file: str, told: str
) -> None:
    Path("preset.yaml").write_text(PRESETS.format(preset=preset, search=search))
    found = run("tune", "preset.yaml", "--no-plots", "--out", "found")
    text = Path("found", file).read_text()
    params = json.loads(Path("found/tune.json").read_text())["finalists"][0]["params"]
    kind = file.removeprefix("point-1-").partition(".")[0]
    pasted = found.stdout.partition("point 1, to paste\n")[2]
    assert (found.exit_code, pasted.startswith("".join(f"  {line}\n" for line in text.splitlines()))) == (0, True)
    assert (f"chosen for {told}" in pasted) if told else ("chosen for" not in pasted)
    assert run("convert", "found/point-1.yaml", "--to", kind).stdout == text
    back = run("convert", f"found/{file}", "--from", kind).stdout
    assert load(from_text(back)).retrier.options.attempts == params["retrier.attempts"]
    assert run("run", "found/point-1.yaml", "--no-plots").exit_code == 0


def from_text(text: str) -> Path:
    Path("back.yaml").write_text(text)
    return Path("back.yaml")
