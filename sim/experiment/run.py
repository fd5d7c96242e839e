"""Runs a scenario: every chunk of every cell, in this process or others, kept in a folder where that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment import payload
from sim.experiment.chunks import Chunk, Tasks, chunks_of, identity_of, simulate_chunk
from sim.experiment.engines import AUTO, Asked, Choice, choose
from sim.experiment.executors import refuse_unknown, runner
from sim.experiment.keeping import Keeping
from sim.experiment.plan import Plan, plan, refuse_course
from sim.experiment.result import CellResult, Result, judged
from sim.experiment.watching import Progress, Watch
from sim.kernel.records import Requests

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    """Simulate every cell of a scenario.

    `engine` is the one to simulate with, by default the fastest that can do all cells. With `workers` above 1 as many
    processes simulate (a script that asks for them needs `if __name__ == "__main__":`, as with `multiprocessing`);
    `executor` is any other of `concurrent.futures`, `"dask"` (a local cluster of `workers`) or `"dask://HOST:PORT"`.
    The numbers are the same whoever simulates: same scenario and seed, same result; a cell is the same alone as among
    others. `progress` is told now and then how far the run is.

    With `out` every chunk is kept in that folder as soon as it is done, and the same run goes on from there when it was
    stopped; when all is done the folder has `results.sqlite`, which `open_results` reads, and a run that finds it
    simulates nothing. `fresh` replaces what is there, whatever it is.

    Raises ScenarioError where the run is beyond the scenario's limits, ValueError for an executor that is none, and
    `sim.experiment.executors.WorkersDie` where workers end again and again; with `out` CorruptResults, RunInProgress
    and NotStored of `sim.experiment.journal`.
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
        keeping.simulate(executor, workers, watch)
        result = keeping.result()
        keeping.finish()
        keeping.publish()
    return result


def _in_memory(  # noqa: PLR0913  # all that a run is
    scenario: Scenario, planned: Plan, choice: Choice, watch: Watch, *, executor: Executor | str | None, workers: int
) -> Result:
    """Run without keeping anything; a cell is measured as soon as its chunks are there."""
    cells = planned.cells
    chunks = list(chunks_of(cells, choice.engine))
    missing = [0] * len(cells)
    for chunk in chunks:
        missing[chunk.cell] += 1
    parts: dict[int, dict[int, Requests]] = {}
    found: dict[int, CellResult] = {}

    def simulated() -> Iterator[tuple[Chunk, Requests]]:
        if executor is None and workers == 1:
            for chunk in chunks:

                def told(done: int, chunk: Chunk = chunk) -> None:
                    watch.at_work(chunk, done)

                yield chunk, simulate_chunk(cells[chunk.cell].scenario, chunk, choice.engine, told)
            return
        tasks = Tasks(cells, choice, identity_of(scenario, choice))
        with runner(executor, workers) as made:
            for chunk, done in made.results(map(tasks.task, chunks)):
                yield chunk, payload.decode(done.payload)

    for chunk, part in simulated():
        parts.setdefault(chunk.cell, {})[chunk.number] = part
        watch.finished(chunk)
        if len(parts[chunk.cell]) == missing[chunk.cell]:
            numbered = parts.pop(chunk.cell)
            requests = Requests.concatenate([numbered[number] for number in range(len(numbered))])
            found[chunk.cell] = judged(cells[chunk.cell], requests)
    return Result(scenario, [found[position] for position in range(len(cells))], choice)
