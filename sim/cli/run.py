"""`retrysim run`: simulate a scenario, print the answer, save the numbers and the pictures."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.api.check import Checked, check
from sim.cli.answer import print_answer
from sim.cli.exit_codes import BROKEN, INCONCLUSIVE, MISSED
from sim.cli.kept import BESIDE, kept, told
from sim.cli.output import Printer, refuse_impossible, saving
from sim.cli.progress import bar, tell_cost
from sim.cli.scenarios import Source, problems_told, scenario_options
from sim.cli.violations import print_checked
from sim.contracts.catalogue import INVARIANTS
from sim.expect.expectations import Ruling
from sim.experiment.engines import VECTOR, Choice, EngineRefused, choose
from sim.experiment.executors import refuse_unknown
from sim.experiment.plan import plan, refuse_course
from sim.experiment.progress import Watch
from sim.explorer.play import located
from sim.pictures.data.caption import caption_text
from sim.pictures.run_pictures import SWEEP_PICTURES, save_figures, save_sweep
from sim.results.folder import is_stale
from sim.results.seal import SUFFIX
from sim.results.tables import RESULTS
from sim.scenario.cells import cells
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from sim.experiment.engines import Asked
    from sim.experiment.plan import Plan
    from sim.results.folder import Keeping
    from sim.results.result import Result
    from sim.scenario.schema import Scenario

EXIT_CODES = {Ruling.missed: MISSED, Ruling.inconclusive: INCONCLUSIVE}
EXAMPLES = {"stuck": "a stuck request", "duplicated": "a repeated effect", "slowest": "the slowest request"}
PICTURES = ("attempts", "ccdf", "detection_lag", "duplicates", "outcomes")
RESULT_FILES = (RESULTS, f"{RESULTS}{SUFFIX}")
SWEPT = tuple(f"{name}.{kind}" for name in SWEEP_PICTURES for kind in ("png", "svg"))
"""Pictures of scenarios that sweep one or two keys."""
MADE_OF_RESULTS = ("summary.json", *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")))
FILES = (*RESULT_FILES, *MADE_OF_RESULTS)
"""What any run leaves in its folder; SVG where it is asked for."""
"""What a run may leave in its folder, all else there is somebody else's."""


@click.command("run")
@scenario_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where results go (results/NAME).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "event", "vector"]),
    default="auto",
    help="How to simulate: event by event, or many requests at once; auto takes the fastest that can.",
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, metavar="N", help="Simulate in N processes.")
@click.option("--executor", metavar="dask[://HOST:PORT]", help="Let a Dask cluster simulate, or N local workers of it.")
@click.option("--fresh", is_flag=True, help="Start anew and replace the results that are there, whatever they are.")
@click.option(
    "--check", "checks_all", is_flag=True, help="Hold every history against what retriers and the platform owe."
)
@click.option("--no-plots", is_flag=True, help="Save no pictures.")
@click.option("--svg", is_flag=True, help="Save pictures as SVG as well.")
def command(  # noqa: PLR0913  # one parameter an option
    source: Source,
    out: Path | None,
    engine: Asked,
    workers: int,
    executor: str | None,
    *,
    fresh: bool,
    checks_all: bool,
    no_plots: bool,
    svg: bool,
) -> None:
    """Simulate SCENARIO: print what comes out, save results, summary.json and pictures.

    What is done is kept at once: a run that was stopped, however it was, goes on when the same command is given again,
    and one that has finished is shown again. Results of an earlier version of the scenario are replaced.

    Exits with 4 where an invariant is broken (--check, or the scenario's own `check`), with 5 where results that are
    there are damaged or of another scenario, with 98 where an expectation of the scenario is inconclusive and with 99
    where one is missed.
    """
    if no_plots and svg:
        raise click.UsageError("--svg asks for pictures and --no-plots for none")
    try:
        refuse_unknown(executor)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--executor'") from None
    with ExitStack() as stack:
        with problems_told(source):
            scenario = source.load()
            try:
                refuse_course(scenario)
            except ScenarioError as error:
                raise located(error, source.path) from None
            folder = Path("results") / scenario.name if out is None else out
            refuse_impossible(folder)
            keeping = checked = None
            if checks_all or any(cell.scenario.check for cell in cells(scenario)):
                if workers > 1 or executor is not None:
                    raise click.UsageError("histories are checked in this process: no --workers, no --executor")
                if engine == VECTOR:
                    raise click.UsageError(
                        "histories are checked by the event engine, which keeps them: no --engine vector"
                    )
                own, checked = _checked(scenario, folder, checks_all=checks_all)
                result = checked.result
            else:
                own, planned = MADE_OF_RESULTS, plan(scenario)
                choice = _chosen(planned, engine)
                keeping = stack.enter_context(kept(folder, scenario, planned.cells, choice, fresh=fresh))
                result = _simulated(keeping, planned, workers, executor)
        printer = Printer()
        _print_results(result, source, printer)
        if checked is not None:
            print_checked(checked, printer, source)
        files = _save(result, folder, own, keeping, pictures=not no_plots, svg=svg)
        printer.verbatim("")
        printer.sentence(f"saved in {folder}: {', '.join(files)}")
    if checked is not None and not checked.holds:
        raise click.exceptions.Exit(BROKEN)
    if result.ruling in EXIT_CODES:
        raise click.exceptions.Exit(EXIT_CODES[result.ruling])


def _chosen(planned: Plan, engine: Asked) -> Choice:
    try:
        return choose(planned.cells, engine)
    except EngineRefused as error:
        raise click.UsageError(str(error)) from None


def _simulated(keeping: Keeping, planned: Plan, workers: int, executor: str | None) -> Result:
    """Simulate what is not there yet."""
    with told(keeping):
        if keeping.journal is None:
            return keeping.result()
        if keeping.found < len(keeping.chunks) and keeping.scenario.precision is None:  # with it nobody knows
            tell_cost(planned, keeping.choice.engine, workers, 1 - keeping.found / len(keeping.chunks))
        with bar() as watcher:
            return keeping.run(executor, workers, Watch(planned.cells, watcher))


def _checked(scenario: Scenario, folder: Path, *, checks_all: bool) -> tuple[tuple[str, ...], Checked]:
    """Run a scenario and hold its histories against what is owed; also name the files that are to be replaced."""
    with told(None):
        found = cells(scenario)
        stale = is_stale(folder, scenario, found, choose(found))
    with bar() as watcher:
        checked = check(scenario, invariants=INVARIANTS if checks_all else (), progress=watcher)
    return FILES if stale else MADE_OF_RESULTS, checked


def _print_results(result: Result, source: Source, printer: Printer) -> None:
    print_answer(result, printer)
    examples = _examples(result, source)
    if examples:
        printer.verbatim("\nto see one happen")
        for what, line in examples:
            printer.verbatim(f"  {what}:\n    {line}")


def _examples(result: Result, source: Source) -> list[tuple[str, str]]:
    """Return a replay line for one stuck, one duplicated and the slowest request of the run, where there are such."""
    lines = []
    for kind, what in EXAMPLES.items():
        having = [cell for cell in result.cells if kind in cell.examples]
        if kind == "slowest":
            having.sort(key=lambda cell: -cell.slowest_ns)
        if having:
            name = having[0].id if len(result.cells) > 1 else None
            lines.append((what, source.replay_line(having[0].examples[kind], name)))
    return lines


def _save(  # noqa: PLR0913  # what, where and in which forms
    result: Result, folder: Path, own: tuple[str, ...], keeping: Keeping | None, *, pictures: bool, svg: bool
) -> list[str]:
    """Save everything; results take their place behind what is made of them."""
    if keeping is not None:
        keeping.finish()
    with saving(folder, (*own, *SWEPT), BESIDE) as beside:
        (beside / "summary.json").write_text(result.summary_json(), encoding="utf-8")
        if pictures:
            scenario = result.scenario
            caption = caption_text(
                scenario.name, scenario.seed, result.requests_each, result.digest, result.replications
            )
            save_figures(result.reported, caption, beside, svg=svg)
            save_sweep(result.swept, caption, beside, svg=svg)
        names = sorted(path.name for path in beside.iterdir())
    if keeping is None:
        return names
    keeping.publish()
    return sorted([*names, *RESULT_FILES])
