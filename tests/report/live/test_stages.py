"""Stages: the first requests first, each stage the same numbers as a run of so many requests."""

from pathlib import Path

import pytest
from live_pages import SMALL, TWO, opened

from sim.api.run import run
from sim.report.live import stages
from sim.report.live.stages import Outdated, Stages
from sim.scenario.load import load, parse

SHARED = """
world: shared
replications: 4
requests: {count: 30, arrivals: {poisson: {rate: 5/s}}}
action: {outcomes: {fail: 0.3}}
retrier: {kind: helpers, max_failures: 3}
"""


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "FIRST_STAGE", {"vector": 40, "event": 40, "tables": 30})
    monkeypatch.setattr(stages, "FEW_EVENTS", 10**6)


@pytest.mark.usefixtures("small_stages")
@pytest.mark.parametrize("text", [SMALL, TWO, SHARED, SMALL + "keep: histogram\n"])
def test_the_last_stage_has_the_numbers_of_a_run(text: str) -> None:
    scenario = parse(text)
    *earlier, last = Stages().of(scenario)
    assert earlier
    assert not any(stage.is_last for stage in earlier)
    assert last.result.summary() == run(scenario).summary()


@pytest.mark.usefixtures("small_stages")
def test_an_earlier_stage_has_the_numbers_of_a_run_of_so_many_requests() -> None:
    first = next(iter(Stages().of(parse(SMALL))))
    assert first.done == 40
    assert first.size == "the first 40 of 300 requests a cell"
    few = run(parse(SMALL, overrides=[("requests.count", "40")]))
    assert first.result.summary()["cells"] == few.summary()["cells"]


@pytest.mark.usefixtures("small_stages")
def test_an_earlier_stage_of_a_shared_world_has_the_first_replications() -> None:
    first = next(iter(Stages().of(parse(SHARED))))
    assert (first.done, first.of) == (1, 4)
    one = run(parse(SHARED, overrides=[("replications", "1")]))
    assert first.result.summary()["cells"] == one.summary()["cells"]


def test_the_first_stage_has_fewer_requests_if_each_is_more_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "FIRST_STAGE", {"vector": 200, "event": 200, "tables": 200})
    few, many = (
        next(iter(Stages().of(parse(SMALL, overrides=[("action.outcomes.fail", share)])))).done
        for share in ("0", "0.94")
    )
    assert many < few


def test_a_page_shows_so_many_requests_at_most_and_says_of_how_many() -> None:
    (only,) = Stages(50).of(parse(SMALL))
    assert only.is_last
    assert only.size == "the first 50 of 300 requests a cell; the command below simulates all"


def test_only_cells_that_changed_are_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(tmp_path, TWO)
    simulated = []
    real = stages.simulate_chunk
    monkeypatch.setattr(
        stages, "simulate_chunk", lambda cell, *rest: (simulated.append(cell.retrier.kind), real(cell, *rest))[1]
    )
    found = Stages()
    list(found.of(page.scenario))
    list(found.of(page.scenario_with({"variants.article, long.retrier.base": "3"})))
    list(found.of(page.scenario))
    assert simulated == ["helpers", "article", "article"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "MOST_REMEMBERED", 500)
    found = Stages()
    for seed in range(4):
        list(found.of(parse(SMALL, seed=seed)))
    assert sum(one.requests for one in found._known.values()) <= 500  # noqa: SLF001  # there is no other way to see


def test_a_stage_can_be_given_up_and_done_again() -> None:
    found, scenario = Stages(), parse(SMALL)
    asked: list[float] = []

    def give_up(share: float) -> None:
        asked.append(share)
        if share > 0:
            raise Outdated

    with pytest.raises(Outdated):
        list(found.of(scenario, give_up))
    assert list(found.of(scenario))[-1].result.summary() == run(scenario).summary()


def test_precision_adds_no_rounds() -> None:
    scenario = parse(SMALL + "precision: {intervals: [success.rate +- 0.01%], requests_at_most: 5000}\n")
    (only,) = Stages().of(scenario)
    assert only.done == 300


def test_an_expectation_that_was_changed_is_judged_anew(tmp_path: Path) -> None:
    found = Stages()
    for bound in ("50%", "99.9%"):
        path = tmp_path / "s.yaml"
        path.write_text(f"{SMALL}expect: [success.rate >= {bound}]\n")
        (only,) = found.of(load(path))
        assert only.result.cells[0].verdicts[0].expectation.text.endswith(bound)
