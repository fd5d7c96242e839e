"""A guest whose module is run anew for each request, also if it asks for the time or for chance then."""

from pathlib import Path
from typing import Any

import pytest

from sim.engine.world import World
from sim.guests import named
from sim.history.recorder import Recorder
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

ISOLATED = "{requests: {count: 4}, action: {latency: 5ms, outcomes: {fail: 50%}}, retrier: none}"
SHARED = """
world: shared
requests: {count: 20, arrivals: {poisson: {rate: 30/s}}}
clients: {count: 2}
action: {service: api}
services: {api: {servers: 2, latency: {exponential: {mean: 20ms}}, outcomes: {fail: 30%}}}
retrier: none
"""
MODULE = """
import random
import time

JITTER = random.random()
STARTED = time.monotonic()
KEPT = []


def with_chance(call):
    KEPT.append(1)
    while True:
        try:
            return call()
        except Exception:
            time.sleep(JITTER)
"""
ONLY_TIME = MODULE.replace("random.random()", "0").replace("time.sleep(JITTER)", "time.sleep(STARTED)")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    name = f"fresh_{request.node.originalname}_{len(request.node.name)}"
    (tmp_path / f"{name}.py").write_text(request.param)
    monkeypatch.syspath_prepend(tmp_path)
    return f"{name}:with_chance"


def _of_requests(kind: Any, numbers: list[int]) -> dict[int, list[Any]]:
    recorder = Recorder()
    World(parse(ISOLATED), retrier=kind, recorder=recorder).isolated(numbers)
    return {number: [raw for raw in recorder.raw if raw[2] == number] for number in numbers}


@pytest.mark.parametrize("module", [MODULE], indirect=True)
def test_chance_that_a_module_draws_is_each_requests_own(module: str) -> None:
    kind = named.load(module)
    together = _of_requests(kind, [0, 1, 2, 3])
    assert [_of_requests(kind, [number])[number] for number in (3, 2, 1, 0)] == [together[n] for n in (3, 2, 1, 0)]
    drawn = [next(raw[5] for raw in events if raw[1] == "draw") for events in together.values()]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize(
    "module",
    [pytest.param(MODULE, id="chance"), pytest.param(ONLY_TIME, id="time", marks=pytest.mark.slow)],
    indirect=True,
)
def test_a_shared_world_is_the_same_after_another_one(module: str) -> None:
    histories = []
    kind: Any = named.load(module)
    for _ in range(3):
        recorder = Recorder()
        World(parse(SHARED), retrier=kind, recorder=recorder).shared()
        histories.append(list(recorder.raw))
    assert histories[0] == histories[1] == histories[2]


@pytest.mark.parametrize("module", [ONLY_TIME], indirect=True)
def test_the_time_that_a_module_notes_is_the_one_at_which_its_client_begins(module: str) -> None:
    later = SHARED.replace("{poisson: {rate: 30/s}}", "{constant: {rate: 1/s}}").replace("30%", "100%")
    recorder = Recorder()
    cell = parse(later.replace("count: 20", "count: 2") + "until: 10s\n")
    World(cell, retrier=named.load(module), recorder=recorder).shared()
    slept = {raw[2]: raw[5] for raw in recorder.raw if raw[1] == "sleep"}
    assert slept[1] - slept[0] == 10**9


SETTINGS = """
from collections import Counter

LIMITS = []
COUNTER = Counter()
"""
USES_THEM = """
import itertools

try:
    from .{settings} import COUNTER, LIMITS
except ImportError:
    from {settings} import COUNTER, LIMITS

NUMBERS = itertools.count()


def fetch(call):
    LIMITS.append(1)
    COUNTER["x"] += next(NUMBERS) + 1
    assert (len(LIMITS), COUNTER["x"]) == (1, 1)
    call()
"""


@pytest.mark.parametrize("shared", [False, True])
def test_a_list_of_another_module_is_as_after_its_import(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = f"settings_of_{'shared' if shared else 'isolated'}"
    (tmp_path / f"{settings}.py").write_text(SETTINGS)
    (tmp_path / f"uses_{settings}.py").write_text(USES_THEM.format(settings=settings))
    monkeypatch.syspath_prepend(tmp_path)
    text = SHARED.replace("count: 2}", "count: 20}").replace("30%", "0%") if shared else ISOLATED.replace("50%", "0%")
    world = World(parse(text), retrier=named.load(f"uses_{settings}:fetch"))
    requests = world.shared(at_most=3) if shared else world.isolated(range(3))
    assert [request.outcome for request in requests][:3] == [Outcome.success] * 3
