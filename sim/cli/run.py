"""`retrysim run`: simulate a scenario, print the results, save them with pictures."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.errors import scenario_errors
from sim.cli.exit_codes import BROKEN, OF_RULING
from sim.cli.files import refuse_unwritable, saving
from sim.cli.junit_report import cases_of_run, junit_option, write_junit
from sim.cli.period_options import per_of, period_options, print_per, refuse_without_rate
from sim.cli.print_check import line_of_source, print_check
from sim.cli.print_result import print_examples, print_result
from sim.cli.progress import print_cost, progress_bar
from sim.cli.run_folder import TEMPORARY, open_run_folder
from sim.cli.scenario_options import Source, scenario_options
from sim.cli.source_file import FILE as SOURCE_FILE
from sim.cli.source_file import claimed
from sim.cli.terminal import Printer
from sim.experiment.engines import TABLES, VECTOR, EngineRefused
from sim.experiment.executors import Workers
from sim.experiment.plan import Plan, plan, plan_check, refuse_course
from sim.experiment.progress import ProgressCounter
from sim.explorer.play import located
from sim.guests.told import one_run
from sim.pictures.data.caption import caption_text
from sim.pictures.data.over_time import OVER_TIME_PICTURES
from sim.pictures.data.run import SWEEP_PICTURES
from sim.results.checksum import SUFFIX
from sim.results.result import TIMELINE
from sim.results.tables import RESULTS
from sim.scenario.cells import cells
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from sim.experiment.engines import Asked
    from sim.results.folder import RunFolder
    from sim.results.result import Result
    from sim.scenario.schema import Scenario
    from sim.text.periods import Rate

PICTURES = ("attempts", "ccdf", "detection_lag", "duplicates", "outcomes")
RESULT_FILES = (RESULTS, f"{RESULTS}{SUFFIX}")
SWEPT = tuple(f"{name}.{kind}" for name in SWEEP_PICTURES for kind in ("png", "svg"))
"""Pictures of scenarios that sweep one or two keys."""
OVER_TIME = (TIMELINE, *(f"{name}.{kind}" for name in OVER_TIME_PICTURES for kind in ("png", "svg")))
"""Of scenarios with a `timeline` alone."""
MADE_OF_RESULTS = ("summary.json", *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")))
FILES = (*RESULT_FILES, *MADE_OF_RESULTS, SOURCE_FILE)
"""The files of any run in its folder, SVG only if it is asked for; all other files there are the user's."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `retrysim run`, besides those of the scenario."""

    out: Path | None
    engine: Asked
    workers: int
    executor: str | None
    fresh: bool
    checks_all: bool
    no_plots: bool
    svg: bool
    period: str | None
    rate: Rate | None
    junit: Path | None

    def processes(self) -> Workers:
        """Return the processes that simulate; raises BadParameter for an unknown executor."""
        try:
            return Workers(self.executor, self.workers)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'--executor'") from None


@click.command("run")
@scenario_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results (results/NAME).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "event", "vector", "tables"]),
    default="auto",
    help="Simulate event by event, many requests at once, or worlds of data from tables; auto takes the fastest that "
    "can simulate all cells.",
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, metavar="N", help="Simulate in N processes.")
@click.option(
    "--executor", metavar="dask[://HOST:PORT]", help="Simulate on a Dask cluster, or in N local Dask workers."
)
@click.option("--fresh", is_flag=True, help="Start anew, and replace the results that are there, whatever they are.")
@click.option(
    "--check", "checks_all", is_flag=True, help="Check every history against all that retriers and the platform owe."
)
@click.option("--no-plots", is_flag=True, help="Save no pictures.")
@click.option("--svg", is_flag=True, help="Save pictures as SVG as well.")
@period_options
@junit_option
def command(source: Source, **options: Any) -> None:
    """Simulate SCENARIO: print the results, save them with summary.json and pictures.

    Each part of the work is saved as soon as it is done: if a run is stopped in any way, the same command resumes it.
    If the run has finished, the same command shows its results again. Results of an earlier version of the scenario are
    replaced; those of another file of the same name, or of another --retrier, are refused (--out gives them a folder).

    Exits with 4 if an invariant is broken (--check, or the scenario's own `check`) or if requests of your own retrier
    did something else when they were simulated again, with 5 if the results that are there are damaged or of another
    scenario, with 98 if an expectation of the scenario is inconclusive and with 99 if one is missed.
    """
    _run(source, RunOptions(**options))


def _run(source: Source, options: RunOptions) -> None:
    if options.no_plots and options.svg:
        raise click.UsageError("--svg asks for pictures, but --no-plots for none")
    processes, per = options.processes(), per_of(options.period, options.rate)
    printer = Printer()
    with ExitStack() as stack:
        stack.enter_context(one_run())
        with scenario_errors(source):
            scenario = _load(source)
            refuse_without_rate(per, scenario)
            path = Path("results") / scenario.name if options.out is None else options.out
            refuse_unwritable(path)
            claim = stack.enter_context(claimed(path, source, scenario, fresh=options.fresh))
            planned = _plan(scenario, options)
            folder = stack.enter_context(open_run_folder(path, planned, fresh=options.fresh))
            claim.opened = True
            result = _simulate(folder, planned, processes)
        print_result(result, printer)
        print_per(result, per, printer)
        print_examples(result, printer, lambda number, cell: source.replay_line(number, cell, options.out))
        if result.checked is not None:
            several = len(result.cells) > 1
            print_check(result.checked, printer, line_of_source(source, path, options.out, several=several))
        claim.save(result.digest)
        if options.junit is not None:
            write_junit(options.junit, scenario.name, cases_of_run(result))
        files = _save(result, path, folder, pictures=not options.no_plots, svg=options.svg)
        printer.verbatim("")
        printer.sentence(f"saved in {path}: {', '.join(files)}")
    if not result.repeats or (result.checked is not None and not result.checked.holds):
        raise click.exceptions.Exit(BROKEN)
    if result.ruling is not None and result.ruling.value in OF_RULING:
        raise click.exceptions.Exit(OF_RULING[result.ruling.value])


def _load(source: Source) -> Scenario:
    scenario = source.load()
    try:
        refuse_course(scenario)
    except ScenarioError as error:
        raise located(error, source.path) from None
    return scenario


def _plan(scenario: Scenario, options: RunOptions) -> Plan:
    if options.checks_all or any(cell.scenario.check for cell in cells(scenario)):
        if options.engine in {VECTOR, TABLES}:
            reason = f"histories are checked by the event engine, which keeps them: no --engine {options.engine}"
            raise click.UsageError(reason)
        return plan_check(scenario, all_of_them=options.checks_all)
    try:
        return plan(scenario, options.engine)
    except EngineRefused as error:
        raise click.UsageError(str(error)) from None


def _simulate(folder: RunFolder, planned: Plan, processes: Workers) -> Result:
    """Simulate the chunks that are missing; print the cost before, if it is known."""
    if folder.checkpoint is None:
        return folder.result()
    missing = 1 - folder.resumed / len(folder.chunks)
    if missing and planned.scenario.precision is None:  # which makes a run as long as it takes
        print_cost(planned, processes.count, missing)
    with progress_bar() as progress:
        return folder.run(processes, ProgressCounter(planned, progress))


def _save(result: Result, path: Path, folder: RunFolder, *, pictures: bool, svg: bool) -> list[str]:
    """Save everything; the results take their place last, after the files that are made of them."""
    folder.write_results()
    with saving(path, (*MADE_OF_RESULTS, *SWEPT, *OVER_TIME), TEMPORARY) as beside:
        (beside / "summary.json").write_text(result.summary_json(), encoding="utf-8")
        result.write_timeline(beside / TIMELINE)
        if pictures:
            from sim.pictures.over_time import save_over_time  # with Matplotlib, which takes its time
            from sim.pictures.run_pictures import save_figures, save_sweep

            scenario = result.scenario
            caption = caption_text(
                scenario.name, scenario.seed, result.requests_each, result.digest, result.replications
            )
            save_figures(result.reported, caption, beside, svg=svg)
            save_sweep(result.swept, caption, beside, svg=svg)
            save_over_time(result.over_time, caption, beside, svg=svg)
        names = sorted(path.name for path in beside.iterdir())
    folder.publish()
    return sorted([*names, *RESULT_FILES])
