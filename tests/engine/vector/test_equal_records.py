"""The vector engine's records are those of the event engine, bit for bit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.engine import event, vector
from sim.engine.vector import engine
from sim.history.records import Requests
from sim.scenario.load import from_dict, parse
from sim.testing.strategies import scenario_values
from tests.support.equal_records import DEPLOYED, FEATURES, HARM, SLOW, WORLDS, assert_equal, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.scenario.schema import Scenario

PORTS = ("none", "article", "helpers", "component")
DELETING = ("clean_up_after", "daily_cleanup")
"""The options of a retrier that the engine refuses."""


def without_deletions(values: dict[str, Any]) -> dict[str, Any]:
    retrier = {key: value for key, value in values["retrier"].items() if key not in DELETING}
    return {**values, "retrier": retrier}


@pytest.mark.parametrize("kind", PORTS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(data=st.data())
def test_records_are_equal_in_any_world(kind: str, data: st.DataObject) -> None:
    scenario = from_dict(data.draw(scenario_values(kind, "isolated", FEATURES).map(without_deletions)))
    assert vector.refusal(scenario) is None
    assert_same(scenario)


CANCELS = {
    target: f"action: {{latency: {SLOW}, outcomes: {HARM}, effect_at: 0.5}}\n"
    f"cancel: {{share: 0.7, after: {{uniform: {{low: 0s, high: 20s}}}}, target: {target}}}"
    for target in ("request", "action", "poll")
}
OPTIONS = {
    "none": ["{}"],
    "article": [
        "{}",
        "{base: 1, wait_backoff: 700ms, max_failures: 3}",
        "{base: 1.0001, wait_backoff: 100ms, max_failures: 2}",
    ],
    "helpers": ["{}", "{base: 1, wait_backoff: 300ms, max_failures: 2}", "{base: 1000, max_failures: 40}"],
    "component": ["{}", "{run_after: 7s, max_failures: 1}", "{initial_backoff: 20s, base: 3, max_failures: 0}"],
}


def cases() -> Iterable[Any]:
    for kind, options in OPTIONS.items():
        worlds = dict(WORLDS)
        if kind != "none":
            worlds |= DEPLOYED | {f"canceled {target}": text for target, text in CANCELS.items()}
        else:
            worlds["canceled request"] = CANCELS["request"]
        for name, text in worlds.items():
            yield pytest.param(kind, options, text, id=f"{kind}, {name}")


@pytest.mark.parametrize(("kind", "options", "text"), list(cases()))
def test_records_are_equal_in_worlds_that_have_everything(kind: str, options: list[str], text: str) -> None:
    for chosen in options:
        more = chosen.strip("{}")
        scenario = parse(f"seed: 5\nretrier: {{kind: {kind}{', ' + more if more else ''}}}\n{text}\n")
        assert_same(scenario, range(40))


@pytest.mark.parametrize("kind", PORTS)
def test_records_do_not_depend_on_how_a_cell_is_cut_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = parse(f"seed: 9\nretrier: {kind}\n{WORLDS['all outcomes']}\n")
    whole = vector.simulate(scenario, range(500))
    monkeypatch.setattr(engine, "BLOCK", 7)
    parts = [vector.simulate(scenario, range(*ends)) for ends in ((0, 3), (3, 400), (400, 500))]
    assert_equal(Requests.concatenate(parts), whole, kind)


@pytest.mark.parametrize("kind", PORTS)
def test_hardly_a_request_is_left_to_the_event_engine(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Counter[str]()
    simulate = event.simulate

    def counting(cell: Scenario, **more: Any) -> Requests:
        left[cell.retrier.kind] += len(more["numbers"])
        return simulate(cell, **more)

    monkeypatch.setattr(engine.event, "simulate", counting)
    text = CANCELS["request"] if kind != "none" else WORLDS["all outcomes"]
    vector.simulate(parse(f"retrier: {kind}\n{text}\n"), range(20_000))
    assert left[kind] <= 20


def test_an_effect_that_meets_another_at_one_instant_is_left_to_the_event_engine() -> None:
    # The lost attempt acts after 6 s, the second starts at 3 s and acts after 3 s.
    script = "[{outcome: lost_contact, latency: 6s}, {outcome: success, latency: 3s}]"
    text = f"retrier: {{kind: article, wait_backoff: 1s, retry_backoff: 2s}}\naction: {{script: {script}}}\n"
    assert_same(parse(text), range(200))


def test_no_requests_give_no_records() -> None:
    assert len(vector.simulate(parse("retrier: helpers"), range(0))) == 0


@pytest.mark.parametrize("number", [0, 2**40])
def test_a_request_may_have_any_number(number: int) -> None:
    assert np.array_equal(
        vector.simulate(parse(f"retrier: helpers\n{WORLDS['all outcomes']}"), range(number, number + 3)).number,
        [number, number + 1, number + 2],
    )
