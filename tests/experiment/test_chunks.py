"""How a run is cut into chunks, and that a chunk is the same wherever it is simulated."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

from sim.engine import event
from sim.experiment import chunks, payload
from sim.experiment.chunks import OtherVersion, Tasks, chunk_digest, chunks_of, perform, simulate_chunk
from sim.experiment.engines import EVENT
from sim.experiment.plan import Plan, plan, request_count
from sim.history.records import Requests
from sim.scenario.load import parse

Columns = Callable[[Requests], dict[str, list[Any]]]


def first_cells(planned: Plan, count: int) -> Plan:
    return replace(planned, cells=planned.cells[:count])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 64)
    return 64


def test_chunks_cover_every_request_of_every_cell_once_and_in_order(small: int, mixed: str) -> None:
    planned = plan(parse(mixed), EVENT)
    numbers: dict[int, list[int]] = {position: [] for position in range(len(planned.cells))}
    cut = list(chunks_of(planned))
    for chunk in cut:
        numbers[chunk.cell] += range(chunk.first, chunk.first + chunk.count)
    assert cut == sorted(cut)
    assert numbers == {
        position: list(range(request_count(cell.scenario))) for position, cell in enumerate(planned.cells)
    }
    assert max(chunk.count for chunk in cut) <= small


def test_a_chunk_of_a_shared_world_is_a_replication(shared: str) -> None:
    planned = plan(parse(shared))
    assert [(chunk.number, chunk.first, chunk.count) for chunk in chunks_of(first_cells(planned, 1))] == [
        (0, 0, 50),
        (1, 50, 50),
        (2, 100, 50),
    ]


@pytest.mark.usefixtures("small")
def test_the_chunks_of_a_cell_are_the_cell(mixed: str, columns: Columns) -> None:
    planned = first_cells(plan(parse(mixed), EVENT), 2)
    parts = [simulate_chunk(planned.cells[chunk.cell].scenario, chunk, EVENT).part for chunk in chunks_of(planned)]
    whole = []
    for cell in planned.cells:
        shared = cell.scenario.world == "shared"
        whole += [
            event.simulate(cell.scenario, number) for number in range(cell.scenario.replications if shared else 1)
        ]
    assert columns(Requests.concatenate(parts)) == columns(Requests.concatenate(whole))


def test_what_comes_back_from_a_worker_is_what_is_simulated_here(mixed: str, columns: Columns) -> None:
    planned = plan(parse(mixed))
    tasks = Tasks(planned)
    for chunk in list(chunks_of(planned))[::3]:
        done = perform(pickle.loads(pickle.dumps(tasks.task(chunk))))  # noqa: S301  # as it travels
        here = simulate_chunk(planned.cells[chunk.cell].scenario, chunk, planned.engine).part
        assert columns(payload.decode(done.payload)) == columns(here)
        assert done.digest == chunk_digest(planned.identity, chunk.cell, chunk.number, done.payload)


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
    planned = plan(parse("{retrier: none, requests: {count: 5}}"))
    (chunk,) = chunks_of(planned)
    task = Tasks(planned).task(chunk)
    # The last is what a source of this very version sent before its classes moved.
    for other in (
        replace(task, version=0),
        replace(task, retrysim="0.0.1"),
        replace(task, retrysim=version("retrysim")),
    ):
        with pytest.raises(OtherVersion, match="install the same version on both"):
            perform(other)


def test_an_identity_changes_with_the_numbers_and_not_with_what_is_expected_of_them() -> None:
    def identity(text: str) -> str:
        return plan(parse(f"{{retrier: none, {text}}}")).identity

    assert identity("seed: 1") != identity("seed: 2")
    assert identity("seed: 1") == identity("seed: 1, why: Because., expect: [success.rate >= 1%]")
    assert np.char.count(identity("seed: 1"), " ") == 2
