"""`retrysim run`: simulate a scenario, print the answer, save the numbers and the pictures."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sim.analysis.drawing import caption_text
from sim.analysis.expressions import Ruling
from sim.analysis.plots import save_figures
from sim.analysis.words import verdict_text
from sim.cli import INCONCLUSIVE, MISSED
from sim.cli.scenarios import Source, refuse, scenario_options
from sim.experiment.run import run
from sim.scenario.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.experiment.result import Result
    from sim.experiment.run import Progress as Watcher

WIDTH = 100
EXIT_CODES = {Ruling.missed: MISSED, Ruling.inconclusive: INCONCLUSIVE}
EXAMPLES = {"stuck": "a stuck request", "duplicated": "a repeated effect", "slowest": "the slowest request"}


@click.command("run")
@scenario_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where results go (results/NAME).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "event"]),
    default="auto",
    help="How to simulate; there is one engine so far, which runs everything.",
)
@click.option("--no-plots", is_flag=True, help="Save no pictures.")
@click.option("--svg", is_flag=True, help="Save pictures as SVG as well.")
def command(source: Source, out: Path | None, engine: str, *, no_plots: bool, svg: bool) -> None:
    """Simulate SCENARIO: print what comes out, save summary.json and pictures.

    Exits with 98 where an expectation of the scenario is inconclusive and with 99 where one is missed.
    """
    del engine
    if no_plots and svg:
        raise click.UsageError("--svg asks for pictures and --no-plots for none")
    try:
        scenario = source.load()
        with _progress() as watcher:
            result = run(scenario, progress=watcher)
    except ScenarioError as error:
        raise refuse(error, source.path) from None
    folder = Path("results") / scenario.name if out is None else out
    console = Console(width=_width(), highlight=False, soft_wrap=False)
    _print_results(result, source, console)
    files = _save(result, folder, pictures=not no_plots, svg=svg)
    console.print(f"\nsaved in {folder}: {', '.join(files)}", markup=False, soft_wrap=True)
    if result.ruling in EXIT_CODES:
        raise click.exceptions.Exit(EXIT_CODES[result.ruling])


def _width() -> int:
    return min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)


@contextmanager
def _progress() -> Iterator[Watcher | None]:
    """Show a bar on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, cell: bar.update(task, completed=done, total=total, description=cell)


def _print_results(result: Result, source: Source, console: Console) -> None:
    scenario = result.scenario
    count = scenario.requests.count
    shared = scenario.world == "shared"
    size = f"{count:,} requests x {scenario.replications} replications" if shared else f"{count:,} requests"
    console.print(
        f"{scenario.name}: {scenario.world} world, {size} a cell, seed {scenario.seed}, schema 1, "
        f"digest {result.digest[:12]}",
        markup=False,
    )
    console.print(result.table())
    for sentence in result.sentences():
        console.print(sentence, markup=False)
    verdicts = [(cell, verdict) for cell in result.cells for verdict in cell.verdicts]
    if verdicts:
        console.print("\nexpected", markup=False)
    for cell, verdict in verdicts:
        where = f"{cell.cell.name}: " if len(result.cells) > 1 else ""
        console.print(f"  {where}{verdict_text(verdict)}", markup=False)
    examples = _examples(result, source)
    if examples:
        console.print("\nto see one happen")
        for what, line in examples:
            console.print(f"  {what}:", markup=False)
            console.print(f"    {line}", markup=False, soft_wrap=True)


def _examples(result: Result, source: Source) -> list[tuple[str, str]]:
    """Return a replay line for one stuck, one duplicated and the slowest request of the run, where there are such."""
    lines = []
    for kind, what in EXAMPLES.items():
        having = [cell for cell in result.cells if kind in cell.examples]
        if kind == "slowest":
            having.sort(key=lambda cell: -_slowest(cell.metrics.value("time_to_known.success.max").value))
        if having:
            name = having[0].id if len(result.cells) > 1 else None
            lines.append((what, source.replay_line(having[0].examples[kind], name)))
    return lines


def _slowest(value: float | None) -> float:
    return -1.0 if value is None else value


def _save(result: Result, folder: Path, *, pictures: bool, svg: bool) -> list[str]:
    """Write everything beside the folder first, then move it in: an interrupted run leaves nothing half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".retrysim-", dir=folder) as temporary:
        beside = Path(temporary)
        (beside / "summary.json").write_text(result.summary_json(), encoding="utf-8")
        if pictures:
            scenario = result.scenario
            caption = caption_text(scenario.name, scenario.seed, scenario.requests.count, result.digest)
            save_figures(result.reported, caption, beside, svg=svg)
        names = sorted(path.name for path in beside.iterdir())
        for stale in (*folder.glob("*.png"), *folder.glob("*.svg")):
            stale.unlink()
        for name in names:
            (beside / name).replace(folder / name)
    return names
