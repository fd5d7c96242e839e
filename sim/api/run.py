"""Runs a scenario: `run(scenario)` simulates every chunk of every cell, in memory or with a checkpoint in a folder.

The walk through a run: `plan` (experiment) makes the plan, `chunks_of` (experiment) cuts it, a `Runner` (experiment)
simulates the chunks, and `evaluate` (experiment) measures each cell. With a folder, `RunFolder` (results) stores each
chunk in the checkpoint, resumes from it, and writes the results file.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment import payload
from sim.experiment.cell_result import CellResult, evaluate
from sim.experiment.checks import checks_of, findings_of
from sim.experiment.chunks import PackedPart, chunk_counts, chunks_of
from sim.experiment.engines import AUTO, EVENT, Asked
from sim.experiment.executors import Workers
from sim.experiment.parts import CellParts
from sim.experiment.plan import Plan, plan, plan_check, refuse_course
from sim.experiment.precision import next_sizes
from sim.experiment.progress import Progress, ProgressCounter
from sim.results.folder import RunFolder
from sim.results.result import Result
from sim.scenario.load import as_scenario

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from sim.scenario.load import Source


def run(
    scenario: Source,
    *,
    engine: Asked = AUTO,
    executor: Executor | str | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    fresh: bool = False,
    check: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Simulate every cell of a scenario; with `precision`, as many requests of each as that takes.

    `scenario` is what `sim.load` returns, the path of a file, or plain values in the words of a file, such as
    `{"retrier": "helpers", "action": {"outcomes": {"fail": 0.1}}}`; files that such values name are looked for in the
    current folder. (`sim.load` takes changes, and retriers and services of one's own, besides.)

    `engine` is the one that simulates, by default the fastest that can simulate all cells. With `workers` above 1, so
    many processes simulate (a script that asks for them needs `if __name__ == "__main__":`, as with `multiprocessing`);
    `executor` is any other of `concurrent.futures`, `"dask"` (a local cluster of `workers`) or `"dask://HOST:PORT"`.
    The numbers are the same for all of them: same scenario and seed, same result; without `precision` a cell is the
    same alone as among others. `progress` is called now and then with the progress of the run.

    With `out` every chunk is stored in that folder as soon as it is done, and the same run resumes from there if it was
    stopped. When all is done the folder has `results.sqlite`, which `open_results` reads; a run that finds it simulates
    nothing. `fresh` replaces anything that is there.

    With `check` the event engine simulates, every history is checked against all that retriers and the platform owe and
    what the scenario names under `check`, and `result.checked` says what was found (`sim.experiment.findings`).

    A run with a retrier of one's own simulates some of its requests again, alone and in another order. Those that do
    something else are in `unrepeated` of their cells, and the sentences of the result begin with them: then its numbers
    depend on more than scenario and seed (`sim.experiment.repeats`).

    Raises ScenarioError if the run is estimated above the scenario's limits, ValueError for an unknown executor or for
    `check` with another engine, and
    `sim.experiment.pool.WorkersDie` if workers end again and again; with `out` also CorruptResults, RunInProgress and
    NotStored of `sim.results.errors`.
    """
    processes = Workers(executor, workers)
    scenario = as_scenario(scenario)
    refuse_course(scenario)
    if check and engine not in {AUTO, EVENT}:
        raise ValueError(f"histories are checked by the event engine, which keeps them, not by '{engine}'")
    planned = plan_check(scenario, all_of_them=True) if check else plan(scenario, engine)
    counter = ProgressCounter(planned, progress)
    if out is None:
        return _in_memory(planned, processes, counter)
    with RunFolder(Path(out), planned, fresh=fresh) as folder:
        result = folder.run(processes, counter)
        folder.write_results()
        folder.publish()
    return result


def _in_memory(planned: Plan, workers: Workers, progress: ProgressCounter) -> Result:
    """Run without a folder; a cell is evaluated as soon as all its chunks of a round are there."""
    parts = [CellParts() for _ in planned.cells]
    checks = checks_of(planned)
    results: dict[int, CellResult] = {}
    for rounds in count(1):
        counts = chunk_counts(planned, rounds)
        chunks = list(chunks_of(planned, rounds))
        missing = [chunk for chunk in chunks if chunk.number >= parts[chunk.cell].count]
        total = sum(chunk.count for chunk in chunks)
        progress.start(total - sum(chunk.count for chunk in missing), total)
        with workers.start(progress.working) as runner:
            for chunk, part in runner.simulate(planned, missing):
                progress.finished(chunk)
                of_cell, cell = parts[chunk.cell], planned.cells[chunk.cell]
                simulated = payload.decode_simulated(part.payload) if isinstance(part, PackedPart) else part
                of_cell.add(chunk.number, simulated)
                if of_cell.count == counts[chunk.cell]:
                    for found in of_cell.checked():
                        checks[chunk.cell].add(found)
                    results[chunk.cell] = evaluate(
                        cell, of_cell.join(), of_cell.unrepeated, traffic=of_cell.traffic(), waits=of_cell.waits
                    )
                    if cell.scenario.precision is None:  # no round adds to it
                        of_cell.free()
        evaluated = [results[position] for position in range(len(planned.cells))]
        if next_sizes(evaluated, rounds - 1) is None:
            break
    return Result(planned, evaluated, checked=findings_of(checks))
