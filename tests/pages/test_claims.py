"""The numbers, lists and tables of the pages are what comes out."""

import lzma
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from pages import PAGES, ROOT, blocks_of

import sim
from sim.api.run import run as simulate
from sim.clients.policy.options import PolicyOptions
from sim.converters.catalogue import FORMATS
from sim.convex.platform import assumed
from sim.experiment.plan import plan
from sim.measure.quantities import Unit
from sim.pictures.data.caption import caption_text
from sim.pictures.run_pictures import save_figures
from sim.results.result import Result as AnyResult
from sim.retriers.presets import PRESETS
from sim.scenario.load import load, parse
from sim.text.numerals import value_text

README = PAGES["README.md"]
SCENARIO = PAGES["docs/how-to/write-a-scenario.md"]


def words_of(page: str) -> str:
    """A page's text with single spaces."""
    return " ".join(PAGES[page].split())


# The first commands.


def test_the_two_commands_come_first_and_each_alone_does_it_from_nothing() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && "
    assert [block.text for block in blocks_of("README.md") if block.kind == "sh"][:2] == [
        f"{install}.venv/bin/retrysim run scenarios/quickstart.yaml\n",
        f"{install}.venv/bin/pytest\n",
    ]
    assert README.index("```sh") < 800


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
    scenario = parse(next(block.text for block in blocks_of("docs/how-to/write-a-scenario.md") if block.kind == "yaml"))
    assert (len(plan(scenario).cells), len(scenario.expect), scenario.why[-1]) == (2, 3, "?")


def test_the_smallest_scenario_is_valid() -> None:
    assert "The smallest is `retrier: helpers`" in SCENARIO
    assert parse("retrier: helpers").retrier.kind == "helpers"


@pytest.mark.docs
@pytest.mark.parametrize(("file", "points"), [("tuning", 6), ("policy-tuning", 6)])
def test_what_tune_finds_is_what_its_page_says(file: str, points: int) -> None:
    tuned = sim.tune(load(ROOT / "scenarios" / f"{file}.yaml"))
    chapter = words_of("docs/how-to/tune.md")

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
    (shown,) = re.findall(r"`(precision: [^`]*)`", SCENARIO)
    assert parse("retrier: none\n" + " ".join(shown.split())).precision is not None


# Facts in passing.


def test_the_convex_profile_has_eight_slots_and_three_assumed_latencies() -> None:
    platform = parse("{retrier: helpers, world: shared}").platform
    assert ("has eight slots" in SCENARIO, platform.parallelism) == (True, 8)
    assert ("no source gives (three latencies)" in SCENARIO, len(assumed(platform))) == (True, 3)


def test_the_recorded_latencies_are_20_000_calls_at_four_concurrencies() -> None:
    rows = (ROOT / "scenarios" / "data" / "http-loopback.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert (
        "(20,000 calls to a real\nHTTP server on loopback, at four concurrencies)"
        in PAGES["docs/explanation/findings.md"]
    )
    assert (len(rows), len(Counter(row.split(",")[0] for row in rows))) == (20_000, 4)


def test_there_are_as_many_recordings_as_is_said() -> None:
    [said] = re.findall(r"(\d+) recordings of the real libraries", PAGES["docs/explanation/faithful.md"])
    recordings = ROOT / "tests" / "conformance"
    with lzma.open(recordings / "workpool" / "recordings.jsonl.xz", "rt", encoding="utf-8") as packed:
        of_workpool = sum(bool(line.strip()) for line in packed)
    assert len(list((recordings / "traces").glob("*.json"))) + of_workpool == int(said)
    assert f"{of_workpool} of them of workpool" in PAGES["docs/explanation/faithful.md"]


def test_laws_and_outcomes_are_those_of_the_format() -> None:
    [laws] = re.findall(r"Latencies by `([a-z ]+)` or an `empirical` CSV", SCENARIO)
    [outcomes] = re.findall(r"outcomes `([a-z_ ]+)`", SCENARIO)
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


def test_the_formats_that_are_told_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGES["docs/how-to/convert.md"], re.MULTILINE)
    assert rows == list(FORMATS)


def test_the_table_of_a_policy_has_every_key() -> None:
    chapter = PAGES["docs/how-to/policy.md"]
    keys = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| ([^|]*) \|", chapter, re.MULTILINE))))
    assert keys == {field.alias or name for name, field in PolicyOptions.model_fields.items()}


def test_there_are_as_many_presets_as_is_said() -> None:
    [said] = re.findall(r"and others, (\d+) of them", words_of("docs/how-to/library-policy.md"))
    assert len(PRESETS) == int(said)


@pytest.mark.docs
def test_the_table_of_the_payment_call_is_what_its_scenario_gives() -> None:
    result = simulate(load(ROOT / "scenarios" / "questions" / "payment.yaml"))
    metrics = ("success.rate", "duplicates.rate", "attempts.mean")

    def told(cell: str) -> list[str]:
        found = [result[cell].metrics.value(path) for path in metrics]
        assert None not in [one.value for one in found]
        success, twice, calls = (float(one.value or 0) for one in found)
        return [
            f"{100 * success:.2f} %",
            f"{100 * twice:.2f} %".replace("0.00 %", "0 %"),
            f"{calls:.2f}".replace("1.00", "1"),
        ]

    computed = [told(cell.cell.name) for cell in result.cells]
    for page in ("README.md", "docs/how-to/payment-call.md"):
        rows = re.findall(r"^\| [^|]+ \| ([\d.]+ %) \| ([\d.]+ %) \| ([\d.]+) \|$", PAGES[page], re.MULTILINE)
        assert [list(row) for row in rows] == computed
