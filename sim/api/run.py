"""Runs a scenario: every chunk of every cell, in this process or others, kept in a folder where that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment import payload
from sim.experiment.cell_result import CellResult, judged
from sim.experiment.chunks import Chunk, Tasks, chunk_count, chunks_of, identity_of, simulate_chunk
from sim.experiment.engines import AUTO, Asked, Choice, choose
from sim.experiment.executors import refuse_unknown, runner
from sim.experiment.parts import Gathered, Kept
from sim.experiment.plan import Plan, plan, refuse_course
from sim.experiment.precision import next_sizes
from sim.experiment.progress import Progress, Watch
from sim.results.folder import Keeping
from sim.results.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    from sim.scenario.schema import Scenario

__all__ = ["Progress", "run"]


def run(  # noqa: PLR0913  # each by its name
    scenario: Scenario,
    *,
    engine: Asked = AUTO,
    executor: Executor | str | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Simulate every cell of a scenario; with `precision`, as much of each as that takes.

    `engine` is the one to simulate with, by default the fastest that can do all cells. With `workers` above 1 as many
    processes simulate (a script that asks for them needs `if __name__ == "__main__":`, as with `multiprocessing`);
    `executor` is any other of `concurrent.futures`, `"dask"` (a local cluster of `workers`) or `"dask://HOST:PORT"`.
    The numbers are the same whoever simulates: same scenario and seed, same result; without `precision` a cell is the
    same alone as among others. `progress` is told now and then how far the run is.

    With `out` every chunk is kept in that folder as soon as it is done, and the same run goes on from there when it was
    stopped; when all is done the folder has `results.sqlite`, which `open_results` reads, and a run that finds it
    simulates nothing. `fresh` replaces what is there, whatever it is.

    Raises ScenarioError where the run is beyond the scenario's limits, ValueError for an executor that is none, and
    `sim.experiment.executors.WorkersDie` where workers end again and again; with `out` CorruptResults, RunInProgress
    and NotStored of `sim.results.journal`.
    """
    if workers < 1:
        raise ValueError(f"workers are 1 or more, not {workers}")
    refuse_unknown(executor)
    refuse_course(scenario)
    planned = plan(scenario)
    choice = choose(planned.cells, engine)
    watch = Watch(planned.cells, progress)
    if out is None:
        return _in_memory(scenario, planned, choice, watch, executor=executor, workers=workers)
    with Keeping(Path(out), scenario, planned.cells, choice, fresh=fresh) as keeping:
        result = keeping.run(executor, workers, watch)
        keeping.finish()
        keeping.publish()
    return result


def _in_memory(  # noqa: PLR0913  # all that a run is
    scenario: Scenario, planned: Plan, choice: Choice, watch: Watch, *, executor: Executor | str | None, workers: int
) -> Result:
    """Run without keeping anything; a cell is measured as soon as its chunks are there."""
    cells = planned.cells
    tasks = Tasks(cells, choice, identity_of(scenario, choice))
    parts: dict[int, Gathered] = {}
    found: dict[int, CellResult] = {}
    rounds = 0
    while not rounds or next_sizes(_in_order(found), rounds - 1) is not None:
        there = [chunk_count(cell.scenario, choice.engine, rounds) if rounds else 0 for cell in cells]
        rounds += 1
        counts = [chunk_count(cell.scenario, choice.engine, rounds) for cell in cells]
        chunks = list(chunks_of(cells, choice.engine, rounds))
        new = [chunk for chunk in chunks if chunk.number >= there[chunk.cell]]
        total = sum(chunk.count for chunk in chunks)
        watch.begin(total - sum(chunk.count for chunk in new), total)
        for chunk, part in _simulated(tasks, new, watch, executor, workers):
            cell = cells[chunk.cell]
            gathered = parts.setdefault(chunk.cell, Gathered())
            gathered.add(chunk.number, part)
            if gathered.count == counts[chunk.cell]:
                found[chunk.cell] = judged(cell, gathered.all())
                if cell.scenario.precision is None:  # nothing is added to it
                    del parts[chunk.cell]
    return Result(scenario, _in_order(found), choice)


def _in_order(found: dict[int, CellResult]) -> list[CellResult]:
    return [found[position] for position in sorted(found)]


def _simulated(
    tasks: Tasks, chunks: Sequence[Chunk], watch: Watch, executor: Executor | str | None, workers: int
) -> Iterator[tuple[Chunk, Kept]]:
    """Simulate chunks; yield each when it is done, in any order."""
    if executor is None and workers == 1:
        for chunk in chunks:

            def told(done: int, chunk: Chunk = chunk) -> None:
                watch.at_work(chunk, done)

            part = simulate_chunk(tasks.cells[chunk.cell].scenario, chunk, tasks.choice.engine, told)
            watch.finished(chunk)
            yield chunk, part
        return
    with runner(executor, workers) as made:
        for chunk, done in made.results(map(tasks.task, chunks)):
            watch.finished(chunk)
            yield chunk, payload.decode(done.payload)
