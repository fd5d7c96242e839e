"""The questions of `scenarios/questions/`: what their texts claim holds, here in a world a tenth as large."""

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

from sim.api.run import run
from sim.results.reading import open_results
from sim.results.result import Result
from sim.scenario.load import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
QUESTION = ROOT / "scenarios" / "questions" / "three-times-three.yaml"
SMALL_VARIANTS = """
no retries: {retrier: none, services.gateway.calls: [{service: backend, timeout: 900ms}]}
three times three: {}
three times three, short queue: {services.backend.queue.limit: 40}
"""
A_TENTH = (
    ("requests.arrivals.schedule", "[{from: 0s, rate: 50/s}]"),
    ("services.backend.servers", "16"),
    ("services.backend.slowdown.curve", "[[0, 1.0], [4, 1.0], [16, 2.0]]"),
    ("services.backend.queue.limit", "200"),
    ("services.backend.capacity", "[{from: 20s, to: 80s, servers: 4}]"),
    ("recovery.goodput", "90%"),  # a tenth of the requests vary three times as much
    ("replications", "1"),
    ("variants", SMALL_VARIANTS),
)


@pytest.fixture(scope="module")
def small() -> Result:
    return run(load(QUESTION, A_TENTH))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "recovers"), [("no retries", 1), ("three times three", 0), ("three times three, short queue", 1)]
)
def test_only_retries_behind_a_long_queue_keep_a_backend_down(small: Result, cell: str, recovers: int) -> None:
    assert small[cell].metrics.value("recovered.rate").value == recovers


@pytest.mark.slow
def test_most_work_of_the_melted_backend_is_for_callers_who_have_gone(small: Result) -> None:
    wasted = small["three times three"].metrics.value("service.backend.wasted.share").value
    assert wasted is not None
    assert wasted > 0.8


@pytest.mark.slow
def test_the_question_itself_gives_the_answer_and_the_picture_of_readme(tmp_path: Path) -> None:
    """The picture up to how a version of Matplotlib renders letters."""
    words = ["run", str(QUESTION), "--workers", "2", "--out", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "sim", *words], check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own command
    result = open_results(tmp_path)
    recovers = [cell.metrics.value("recovered.rate").value for cell in result.cells]
    wasted = result["three times three"].metrics.value("service.backend.wasted.share").value
    assert recovers == [1, 0, 1]
    assert wasted is not None
    assert f"{100 * wasted:.0f} % of the server time goes to callers who have left" in " ".join(README.split())
    drawn = matplotlib.image.imread(tmp_path / "over_time.png")
    shipped = matplotlib.image.imread(QUESTION.with_suffix(".png"))
    assert drawn.shape == shipped.shape
    assert abs(drawn - shipped).mean() < 0.005
