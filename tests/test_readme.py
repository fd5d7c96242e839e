"""README holds: its blocks run, its commands and files exist, its numbers come out."""

import math
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from click.testing import Result
from commands import run_command
from matplotlib.axes import Axes

import sim
import sim.cli
from sim.api.run import run as simulate
from sim.cli.exit_codes import BROKEN
from sim.cli.main import COMMANDS, cli
from sim.clients.policy.options import PolicyOptions
from sim.converters.catalogue import FORMATS
from sim.convex.platform import assumed
from sim.experiment.plan import plan
from sim.measure.quantities import Unit
from sim.pictures.data.caption import caption_text
from sim.pictures.run_pictures import save_figures
from sim.results.result import Result as AnyResult
from sim.retriers.base import LoopRetrier, ScheduledRetrier
from sim.scenario.load import load, parse
from sim.scenario.schema import Scenario
from sim.text.numerals import value_text

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
CHAPTERS: dict[str, str] = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE))
SHOWN = re.compile(r"This is `(\w+)\.py`:\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RETRIERS: dict[str, str] = dict(SHOWN.findall(CHAPTERS["Bring your own retrier"]))
TESTED = CHAPTERS["Test your own retrier"]
FILES = dict(re.findall(r"This is `(\w+\.\w+)`:\n\n```\w+\n(.*?)^```$", TESTED, re.DOTALL | re.MULTILINE))
ANSWERED: list[str] = re.findall(r"^```text\n(.*?)^```$", TESTED, re.DOTALL | re.MULTILINE)
CODE = [block for _, block in BLOCKS] + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)
Run = Callable[..., Result]


def block_with(language: str, word: str) -> str:
    [found] = [text for kind, text in BLOCKS if kind == language and word in text]
    return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder; modules found there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in (*RETRIERS, "patient", "impatient", "paged", "careful"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    return run_command


# The first commands.


def test_the_two_commands_come_first_and_each_alone_does_it_from_nothing() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && "
    assert [text for kind, text in BLOCKS if kind == "sh"][:2] == [
        f"{install}.venv/bin/retrysim run scenarios/quickstart.yaml\n",
        f"{install}.venv/bin/pytest\n",
    ]
    assert README.index("```sh") < 700


def test_the_picture_and_the_paragraph_under_it_are_what_the_quickstart_gives(tmp_path: Path) -> None:
    """The picture up to how a version of Matplotlib renders letters."""
    result = simulate(load(ROOT / "scenarios" / "quickstart.yaml"))
    scenario = result.scenario
    caption = caption_text(scenario.name, scenario.seed, scenario.requests.count, result.digest)
    save_figures(result.reported, caption, tmp_path)
    drawn = matplotlib.image.imread(tmp_path / "ccdf.png")
    shipped = matplotlib.image.imread(ROOT / "scenarios" / "quickstart.png")
    assert drawn.shape == shipped.shape
    assert abs(drawn - shipped).mean() < 0.005
    paragraph = " ".join(README.split("scenarios/quickstart.png)")[1].split("\n## ")[0].split())
    claims = claims_of_the_quickstart(result)
    assert [claim for claim in claims if claim not in paragraph] == []
    number = r"\d(?:[\d,.]*\d)?"
    assert sorted(re.findall(number, " ".join(claims))) == sorted(re.findall(number, paragraph))


def claims_of_the_quickstart(result: AnyResult) -> list[str]:
    def share(cell: str, path: str) -> float:
        value = result[cell].metrics.value(path).value
        assert value is not None
        return float(value)

    five_attempts = ("component", "article, 5 attempts", "helpers, 5 attempts")
    assert {int(result[cell].requests.attempts.max()) for cell in five_attempts} == {5}
    failed = [100 - 100 * share(cell, "success.rate") for cell in five_attempts]
    patient = ("article", "helpers")
    assert [share(cell, "success.rate") for cell in patient] == [1, 1]
    [attempts] = {result[cell].cell.scenario.retrier.options.max_failures + 1 for cell in patient}
    [twice] = {math.floor(1000 * share(cell, "duplicates.rate") + 0.5) / 10 for cell in patient}
    return [
        f"`none` fails {100 - 100 * share('none', 'success.rate'):.2f} % of the requests",
        f"five attempts fail {min(failed):.0f} to {max(failed):.0f} %",
        f"(`article` and `helpers`, {attempts} attempts) fail none",
        f"but {twice} % of their requests have their effect twice",
        f"The component leaves one request in {1 / share('component', 'stuck.rate'):,.0f} stuck for ever",
    ]


# Scenarios and commands.


def test_the_example_is_a_valid_scenario_that_says_why_and_what_it_expects() -> None:
    scenario = parse(block_with("yaml", "expect:"))
    assert (len(plan(scenario).cells), len(scenario.expect), scenario.why[-1]) == (2, 3, "?")


def test_the_smallest_scenario_is_valid() -> None:
    assert "The smallest is `retrier: helpers`" in README
    assert parse("retrier: helpers").retrier.kind == "helpers"


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"\b(?:scenarios|benchmarks|tests|notebooks)/[\w./-]*\w", README)) | {".ci/run"}
    assert {"scenarios/quickstart.png", "benchmarks/event_engine.py", "tests/conformance"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_commands_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `retrysim (\w+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_every_option_that_is_named_exists() -> None:
    commands = [cli.get_command(None, name) for name in COMMANDS]  # type: ignore[arg-type]  # it needs no context
    known = {name for command in commands if command is not None for param in command.params for name in param.opts}
    others = ("mypy", "pytest --retrysim")
    named = {
        word
        for code in CODE
        if not any(other in code for other in others)
        for word in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)
    }
    assert {"--set", "--retrier", "--resolved", "--request"} <= named
    assert named - known == set()


def test_every_command_line_about_a_shipped_scenario_is_valid() -> None:
    lines = [code for code in CODE if code.startswith("retrysim ") and "scenarios/" in code]
    assert len(lines) == 18
    for line in lines:
        _, command, path, *words = shlex.split(line)
        options = dict(zip(words[::2], words[1::2], strict=True))
        key, _, value = options.get("--set", "").partition("=")
        overrides = [(key, value)] if key else []
        # A retrier of one's own has tests below; here a built-in one stands for it.
        scenario = load(ROOT / path, overrides, retrier="helpers" if "--retrier" in options else None)
        assert (command in {"run", "explore", "tune"}, plan(scenario).requests > 0) == (True, True)


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    sentence = README.split("`run` exits with")[1].split("\n\n")[0]
    codes = (
        sim.cli.exit_codes.MISSED,
        sim.cli.exit_codes.INCONCLUSIVE,
        sim.cli.exit_codes.CORRUPT,
        sim.cli.exit_codes.INVALID_SCENARIO,
        sim.cli.exit_codes.USAGE,
        sim.cli.exit_codes.INTERRUPTED,
    )
    assert [int(number) for number in re.findall(r"\d+", sentence)] == list(codes)


@pytest.mark.parametrize(("file", "points"), [("tuning", 6), ("policy-tuning", 6)])
def test_what_tune_finds_is_what_readme_says(file: str, points: int) -> None:
    tuned = sim.tune(load(ROOT / "scenarios" / f"{file}.yaml"))
    chapter = " ".join(CHAPTERS["Which parameters?"].split())

    def numbers(found: Any) -> tuple[str, str]:
        metrics = found.result.metrics
        amplification = metrics.value("amplification").value
        return value_text(metrics.value("time_to_effect.p99").value, Unit.duration), f"{amplification:.2f}"

    (first, least), (last, most) = numbers(tuned.points[0]), numbers(tuned.points[-1])
    claims = [
        f"from a p99 of the time to effect of {first} at {least} attempts a request to one of {last} at {most}",
        f"{100 * tuned.as_written.result.metrics.value('success.rate').value:.2f} % of the requests",
    ]
    assert (len(tuned.points), [claim for claim in claims if claim not in chapter]) == (points, [])


def test_the_precision_that_is_shown_is_one() -> None:
    (shown,) = re.findall(r"`(precision: [^`]*)`", README)
    assert parse("retrier: none\n" + " ".join(shown.split())).precision is not None


# Facts in passing.


def test_the_convex_profile_has_eight_slots_and_three_assumed_latencies() -> None:
    platform = parse("{retrier: helpers, world: shared}").platform
    assert ("has eight slots" in README, platform.parallelism) == (True, 8)
    assert ("no source gives (three latencies)" in README, len(assumed(platform))) == (True, 3)


def test_the_recorded_latencies_are_20_000_calls_at_four_concurrencies() -> None:
    rows = (ROOT / "scenarios" / "data" / "http-loopback.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert "(20,000 calls to a real\nHTTP server on loopback, at four concurrencies)" in README
    assert (len(rows), len(Counter(row.split(",")[0] for row in rows))) == (20_000, 4)


def test_there_are_as_many_recordings_as_readme_says() -> None:
    [said] = re.findall(r"(\d+) recordings of the real libraries", README)
    assert len(list((ROOT / "tests" / "conformance" / "traces").glob("*.json"))) == int(said)


def test_laws_and_outcomes_are_those_of_the_format() -> None:
    [laws] = re.findall(r"Latencies by `([a-z ]+)` or an `empirical` CSV", README)
    [outcomes] = re.findall(r"outcomes `([a-z_ ]+)`", README)
    given = {
        "constant": "{constant: 1s}",
        "uniform": "{uniform: {low: 1s, high: 2s}}",
        "exponential": "{exponential: {mean: 1s}}",
        "normal": "{normal: {mean: 1s, sd: 100ms}}",
        "lognormal": "{lognormal: {median: 1s, sigma: 1}}",
        "gamma": "{gamma: {shape: 2, mean: 1s}}",
        "weibull": "{weibull: {shape: 2, scale: 1s}}",
        "pareto": "{pareto: {shape: 2, scale: 1s}}",
    }
    assert laws.split() == list(given)
    for law in given.values():
        assert parse(f"{{retrier: none, action: {{latency: {law}}}}}").action.latency is not None
    shares = ", ".join(f"{outcome}: 0.01" for outcome in outcomes.split())
    branches = parse(f"{{retrier: none, action: {{outcomes: {{{shares}}}}}}}").action.branches()
    assert [name for name, share, *_ in branches if share == 0.01] == outcomes.split()


# Retriers of one's own.


def test_both_shapes_of_a_retrier_are_shown() -> None:
    shapes = {"full_jitter": LoopRetrier.__name__, "watchdog": ScheduledRetrier.__name__}
    [bases] = zip(
        *(re.findall(r"^class \w+\((\w+)\):$", code, re.MULTILINE) for code in RETRIERS.values()), strict=True
    )
    assert dict(zip(RETRIERS, bases, strict=True)) == shapes


@pytest.mark.usefixtures("run")
def test_the_policy_as_a_loop_gives_the_records_of_the_policy() -> None:
    chapter = CHAPTERS["Bring your own retrier"]
    [code] = re.findall(r"Here is `careful.py`:\n\n```python\n(.*?)^```$", chapter, re.DOTALL | re.MULTILINE)
    [policy] = re.findall(r"^```yaml\n(retrier:.*?)^```$", chapter, re.DOTALL | re.MULTILINE)
    Path("careful.py").write_text(code)
    sys.path.insert(0, str(Path.cwd()))
    world = (
        "world: shared\nreplications: 2\nrequests: {count: 150, arrivals: {poisson: {rate: 20/s}}}\n"
        "action: {latency: {exponential: {mean: 150ms}}, outcomes: {fail: 0.35}}\n"
    )
    scenarios = (parse(f"{world}retrier: none", retrier="careful:Careful"), parse(world + policy))
    mine, as_policy = (simulate(scenario).cells[0].requests for scenario in scenarios)
    names = ("settled_ns", "attempts", "actions", "action_ns", "outcome", "effects")
    assert mine.attempts.sum() > len(mine)
    assert all(getattr(mine, name).tolist() == getattr(as_policy, name).tolist() for name in names)


@pytest.mark.parametrize("module", sorted(RETRIERS))
def test_a_retrier_of_ones_own_takes_less_than_25_lines(module: str) -> None:
    assert len(RETRIERS[module].splitlines()) < 25


@pytest.mark.parametrize("module", sorted(RETRIERS))
def test_a_retrier_of_ones_own_runs_from_a_file_in_an_empty_folder(module: str, run: Run) -> None:
    Path(f"{module}.py").write_text(RETRIERS[module])
    [name] = re.findall(r"^class (\w+)", RETRIERS[module], re.MULTILINE)
    line = block_with("sh", "watchdog:Watchdog").replace("watchdog:Watchdog", f"{module}:{name}")
    words = shlex.split(line.replace("scenarios/", f"{ROOT}/scenarios/"))
    result = run(*words[1:], "--requests", "400", "--no-plots")
    assert (result.exit_code, result.stderr) == (0, "")
    success = float(re.findall(r"Of 400 requests, ([\d.]+) %", result.stdout)[0])
    assert 95 < success < 100


# A service of one's own.


def test_the_service_of_ones_own_runs_by_its_command(tmp_path: Path, run: Run) -> None:
    chapter = CHAPTERS["Bring your own service"]
    for name, text in re.findall(r"`(paged\.\w+)`[^`]*:\n\n```\w+\n(.*?)^```$", chapter, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert {"paged.py", "paged.yaml"} <= {path.name for path in tmp_path.iterdir()}
    words = shlex.split(block_with("sh", "paged:Paged"))
    result = run(*words[1:], "--requests", "400", "--no-plots")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Of 2,000 requests" in result.stdout


# Tests of retriers of one's own: the chapter is followed as a reader would.


@pytest.fixture
def followed(tmp_path: Path, run: Run) -> Run:
    """Lay down the chapter's files in an empty folder, and return the way to run the command line there."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return run


def last_lines(text: str, starting: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(starting)]


def test_the_chapter_shows_both_shapes_with_their_tests() -> None:
    assert sorted(FILES) == ["impatient.py", "impatient.yaml", "patient.py", "test_patient.py"]


def test_the_first_example_finds_its_bug_and_its_line_replays_it(tmp_path: Path, followed: Run) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    tested = subprocess.run([*words, "."], cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    [line, *_] = last_lines(tested.stdout, "retrysim replay")
    replayed = followed(*shlex.split(line)[1:], "--no-plots")
    assert (tested.returncode, ANSWERED[0] in tested.stdout, "sleeps 857 ms" in replayed.stdout) == (1, True, True)


@pytest.mark.slow
def test_without_the_last_sleep_the_first_example_passes(tmp_path: Path, followed: Run) -> None:
    del followed
    sleepy = "                await ctx.sleep("
    mended = FILES["patient.py"].replace(sleepy, f"                if failure < 4:\n    {sleepy}")
    (tmp_path / "patient.py").write_text(mended, encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."]
    tested = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert (tested.returncode, "20 passed" in tested.stdout) == (0, True)


def test_the_second_example_finds_its_bug_and_its_line_replays_it(followed: Run) -> None:
    explored = followed(*shlex.split(block_with("sh", "impatient:Impatient"))[1:])
    [line, *_] = last_lines(explored.stdout, "retrysim replay")
    replayed = followed(*shlex.split(line)[1:], "--no-plots")
    assert (explored.exit_code, ANSWERED[1] in explored.stdout, replayed.exit_code) == (BROKEN, True, BROKEN)


# From Python.


def test_the_python_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, with fewer requests."""
    whole = sim.load

    def smaller(path: str) -> Scenario:
        return whole(path, requests=60)

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sim, "load", smaller)
    names: dict[str, Any] = {}
    exec(block_with("python", "sim.run(scenario)"), names)  # noqa: S102  # the text of README
    assert len(names["requests"].attempts) == len(names["requests"].settled_ns) == 60
    assert names["p99"].low <= names["p99"].value <= names["p99"].high
    assert isinstance(names["axes"], Axes)
    assert len(names["history"].of_request(17)) > 0


def test_the_configuration_of_the_readme_becomes_a_scenario_with_the_loss_that_it_shows(run: Run) -> None:
    Path("service-config.json").write_text(block_with("json", "methodConfig"), encoding="utf-8")
    result = run("convert", "service-config.json")
    assert (result.exit_code, result.stderr) == (0, block_with("text", "not carried over"))
    assert parse(result.stdout).retrier.options.attempts == 4


def test_the_formats_of_the_readme_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", CHAPTERS["Start from the configuration you have"], re.MULTILINE)
    assert rows == list(FORMATS)


def test_the_policy_of_the_readme_is_the_one_that_is_shipped() -> None:
    shipped = load(ROOT / "scenarios" / "policy.yaml")
    assert parse(block_with("yaml", "kind: policy\n  attempts: 4  ")).retrier == shipped.retrier


def test_the_table_of_a_policy_has_every_key() -> None:
    chapter = CHAPTERS["A policy as data"]
    keys = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| ([^|]*) \|", chapter, re.MULTILINE))))
    assert keys == {field.alias or name for name, field in PolicyOptions.model_fields.items()}


def test_every_block_is_looked_at() -> None:
    assert Counter(kind for kind, _ in BLOCKS) == {"sh": 7, "yaml": 5, "python": 8, "text": 3, "json": 1}
