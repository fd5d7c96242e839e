"""How a run is cut into chunks, and that a chunk is the same wherever it is simulated."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.engine import event
from sim.experiment import chunks, payload
from sim.experiment.chunks import OtherVersion, Tasks, chunk_digest, chunks_of, identity_of, perform, simulate_chunk
from sim.experiment.engines import EVENT, choose
from sim.experiment.plan import requests_of
from sim.history.records import Requests
from sim.scenario.cells import cells
from sim.scenario.load import parse

Columns = Callable[[Requests], dict[str, list[Any]]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 64)
    return 64


def test_chunks_cover_every_request_of_every_cell_once_and_in_order(small: int, mixed: str) -> None:
    found = cells(parse(mixed))
    numbers: dict[int, list[int]] = {position: [] for position in range(len(found))}
    cut = list(chunks_of(found, EVENT))
    for chunk in cut:
        numbers[chunk.cell] += range(chunk.first, chunk.first + chunk.count)
    assert cut == sorted(cut)
    assert numbers == {position: list(range(requests_of(cell.scenario))) for position, cell in enumerate(found)}
    assert max(chunk.count for chunk in cut) <= small


def test_a_chunk_of_a_shared_world_is_a_replication(shared: str) -> None:
    found = cells(parse(shared))[:1]
    assert [(chunk.number, chunk.first, chunk.count) for chunk in chunks_of(found, EVENT)] == [
        (0, 0, 50),
        (1, 50, 50),
        (2, 100, 50),
    ]


@pytest.mark.usefixtures("small")
def test_the_chunks_of_a_cell_are_the_cell(mixed: str, columns: Columns) -> None:
    found = cells(parse(mixed))[:2]
    parts = [simulate_chunk(found[chunk.cell].scenario, chunk, EVENT) for chunk in chunks_of(found, EVENT)]
    whole = []
    for cell in found:
        shared = cell.scenario.world == "shared"
        whole += [
            event.simulate(cell.scenario, number) for number in range(cell.scenario.replications if shared else 1)
        ]
    assert columns(Requests.concatenate(parts)) == columns(Requests.concatenate(whole))


def test_what_comes_back_from_a_worker_is_what_is_simulated_here(mixed: str, columns: Columns) -> None:
    scenario = parse(mixed)
    found = cells(scenario)
    choice = choose(found)
    identity = identity_of(scenario, choice)
    tasks = Tasks(found, choice, identity)
    for chunk in list(chunks_of(found, EVENT))[::3]:
        done = perform(pickle.loads(pickle.dumps(tasks.task(chunk))))  # noqa: S301  # as it travels
        here = simulate_chunk(found[chunk.cell].scenario, chunk, EVENT)
        assert columns(payload.decode(done.payload)) == columns(here)
        assert done.digest == chunk_digest(identity, chunk.cell, chunk.number, done.payload)


def test_the_digest_of_a_chunk_is_of_its_place_too() -> None:
    digests = {
        chunk_digest(identity, cell, number, data)
        for identity in ("a event 1", "b event 1")
        for cell in (0, 1)
        for number in (0, 1)
        for data in (b"x", b"y")
    }
    assert len(digests) == 16


def test_a_worker_of_another_version_refuses() -> None:
    scenario = parse("{retrier: none, requests: {count: 5}}")
    found = cells(scenario)
    (chunk,) = chunks_of(found, EVENT)
    task = Tasks(found, choose(found), "x").task(chunk)
    for other in (replace(task, version=0), replace(task, retrysim="0.0.1")):
        with pytest.raises(OtherVersion, match="install the same version on both"):
            perform(other)


def test_an_identity_changes_with_the_numbers_and_not_with_what_is_expected_of_them() -> None:
    def identity(text: str) -> str:
        scenario = parse(f"{{retrier: none, {text}}}")
        return identity_of(scenario, choose(cells(scenario)))

    assert identity("seed: 1") != identity("seed: 2")
    assert identity("seed: 1") == identity("seed: 1, why: Because., expect: [success.rate >= 1%]")
    assert np.char.count(identity("seed: 1"), " ") == 2
