"""`retrysim replay`: simulate one request again, tell its story and draw its time line."""

from __future__ import annotations

from pathlib import Path

import click

from sim.analysis.drawing import caption_text
from sim.analysis.timeline import save_timeline, timeline_lines
from sim.cli.output import Printer, refuse_impossible, saving, terminal_width
from sim.cli.scenarios import Source, problems_told, scenario_options
from sim.experiment.replay import NotInScenario, replayed
from sim.scenario.identity import digest


@click.command("replay")
@scenario_options
@click.option("--request", type=click.IntRange(0), required=True, help="The request's number, from 0.")
@click.option("--cell", help="The cell's id or name, where the scenario has several.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where the picture goes (results/NAME).")
@click.option("--no-plots", is_flag=True, help="Save no picture.")
@click.option("--svg", is_flag=True, help="Save the picture as SVG as well.")
def command(  # noqa: PLR0913  # one parameter an option
    source: Source, request: int, cell: str | None, out: Path | None, *, no_plots: bool, svg: bool
) -> None:
    """Simulate one request of SCENARIO again: print its story, save its time line as a picture.

    The request is the same as in the whole run. In a shared world the whole replication is simulated; the requests of
    replication r begin at r times the number of requests.
    """
    if no_plots and svg:
        raise click.UsageError("--svg asks for a picture and --no-plots for none")
    with problems_told(source):
        scenario = source.load()
        folder = Path("results") / scenario.name if out is None else out
        if not no_plots:
            refuse_impossible(folder)
        try:
            found = replayed(scenario, request, cell)
        except NotInScenario as error:
            raise click.UsageError(str(error)) from None
    printer = Printer()
    printer.sentence(f"{scenario.name}, {found.cell.name}: request {request}, seed {scenario.seed}")
    for line in timeline_lines(found.history, found.number, found.outcome, width=terminal_width()):
        printer.verbatim(line)
    if no_plots:
        return
    caption = caption_text(
        scenario.name, scenario.seed, scenario.requests.count, digest(scenario), scenario.replications
    )
    stem = f"request-{found.cell.id}-{request}"
    with saving(folder, (f"{stem}.png", f"{stem}.svg")) as beside:
        written = save_timeline(found.history, found.number, found.outcome, caption, beside / f"{stem}.png", svg=svg)
        names = [path.name for path in written]
    for name in names:
        printer.verbatim(f"saved {folder / name}")
