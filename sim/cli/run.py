"""`retrysim run`: simulate a scenario, print the answer, save the numbers and the pictures."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sim.analysis.drawing import caption_text
from sim.analysis.expressions import Ruling
from sim.analysis.invariants import INVARIANTS
from sim.analysis.plots import save_figures
from sim.analysis.sweep_plots import SWEEP_PICTURES, save_sweep
from sim.analysis.words import verdict_text
from sim.cli import BROKEN, INCONCLUSIVE, MISSED, interrupts
from sim.cli.output import Printer, refuse_impossible, saving
from sim.cli.scenarios import Source, problems_told, scenario_options
from sim.cli.violations import print_checked
from sim.experiment.check import Checked, check
from sim.experiment.counterexample import located
from sim.experiment.plan import refuse_course
from sim.experiment.run import run
from sim.scenario.cells import cells
from sim.scenario.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.experiment.result import Result
    from sim.experiment.run import Progress as Watcher
    from sim.scenario.schema import Scenario

EXIT_CODES = {Ruling.missed: MISSED, Ruling.inconclusive: INCONCLUSIVE}
EXAMPLES = {"stuck": "a stuck request", "duplicated": "a repeated effect", "slowest": "the slowest request"}
PICTURES = ("attempts", "ccdf", "detection_lag", "duplicates", "outcomes")
FILES = ("summary.json", *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")))
"""What every run leaves in its folder; SVG where it is asked for."""
OWN = (*FILES, *(f"{name}.{kind}" for name in SWEEP_PICTURES for kind in ("png", "svg")))
"""What a run may leave in its folder, all else there is somebody else's."""


@click.command("run")
@scenario_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where results go (results/NAME).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "event"]),
    default="auto",
    help="How to simulate; there is one engine so far, which runs everything.",
)
@click.option(
    "--check", "checks_all", is_flag=True, help="Hold every history against what retriers and the platform owe."
)
@click.option("--no-plots", is_flag=True, help="Save no pictures.")
@click.option("--svg", is_flag=True, help="Save pictures as SVG as well.")
def command(  # noqa: PLR0913  # one parameter an option
    source: Source, out: Path | None, engine: str, *, checks_all: bool, no_plots: bool, svg: bool
) -> None:
    """Simulate SCENARIO: print what comes out, save summary.json and pictures.

    Exits with 4 where an invariant is broken (--check, or the scenario's own `check`), with 98 where an expectation of
    the scenario is inconclusive and with 99 where one is missed.
    """
    del engine
    if no_plots and svg:
        raise click.UsageError("--svg asks for pictures and --no-plots for none")
    with problems_told(source):
        scenario = source.load()
        try:
            refuse_course(scenario)
        except ScenarioError as error:
            raise located(error, source.path) from None
        folder = Path("results") / scenario.name if out is None else out
        refuse_impossible(folder)
        with _progress() as watcher:
            result, checked = _simulated(scenario, checks_all=checks_all, watcher=watcher)
    printer = Printer()
    _print_results(result, source, printer)
    if checked is not None:
        print_checked(checked, printer, source)
    files = _save(result, folder, pictures=not no_plots, svg=svg)
    printer.verbatim(f"\nsaved in {folder}: {', '.join(files)}")
    if checked is not None and not checked.holds:
        raise click.exceptions.Exit(BROKEN)
    if result.ruling in EXIT_CODES:
        raise click.exceptions.Exit(EXIT_CODES[result.ruling])


def _simulated(scenario: Scenario, *, checks_all: bool, watcher: Watcher) -> tuple[Result, Checked | None]:
    """Run a scenario, and check it where that is asked for here or in the scenario."""
    if not (checks_all or any(cell.scenario.check for cell in cells(scenario))):
        return run(scenario, progress=watcher), None
    checked = check(scenario, invariants=INVARIANTS if checks_all else (), progress=watcher)
    return checked.result, checked


@contextmanager
def _progress() -> Iterator[Watcher]:
    """Show a bar on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: interrupts.check()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, cell: str) -> None:
            interrupts.check()
            bar.update(task, completed=done, total=total, description=cell)

        yield show


def _print_results(result: Result, source: Source, printer: Printer) -> None:
    scenario = result.scenario
    count = scenario.requests.count
    shared = scenario.world == "shared"
    size = f"{count:,} requests x {scenario.replications} replications" if shared else f"{count:,} requests"
    printer.sentence(
        f"{scenario.name}: {scenario.world} world, {size} a cell, seed {scenario.seed}, schema 1, "
        f"digest {result.digest[:12]}"
    )
    printer.print(result.table())
    for sentence in result.sentences():
        printer.sentence(sentence)
    verdicts = [(cell, verdict) for cell in result.cells for verdict in cell.verdicts]
    if verdicts:
        printer.verbatim("\nexpected")
    for cell, verdict in verdicts:
        where = f"{cell.cell.name}: " if len(result.cells) > 1 else ""
        printer.sentence(f"{where}{verdict_text(verdict)}", indent="  ")
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


def _save(result: Result, folder: Path, *, pictures: bool, svg: bool) -> list[str]:
    with saving(folder, OWN) as beside:
        (beside / "summary.json").write_text(result.summary_json(), encoding="utf-8")
        if pictures:
            scenario = result.scenario
            caption = caption_text(
                scenario.name, scenario.seed, scenario.requests.count, result.digest, scenario.replications
            )
            save_figures(result.reported, caption, beside, svg=svg)
            save_sweep(result.swept, caption, beside, svg=svg)
        return sorted(path.name for path in beside.iterdir())
