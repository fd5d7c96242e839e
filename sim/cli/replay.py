"""`retrysim replay`: simulate one request again, tell its story and draw its time line."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from sim.analysis.drawing import caption_text
from sim.analysis.timeline import save_timeline, timeline_lines
from sim.cli.scenarios import Source, refuse, scenario_options
from sim.experiment.replay import replayed
from sim.scenario.identity import digest
from sim.scenario.problems import ScenarioError


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
    try:
        scenario = source.load()
        found = replayed(scenario, request, cell)
    except ScenarioError as error:
        raise refuse(error, source.path) from None
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{scenario.name}, {found.cell.name}: request {request}, seed {scenario.seed}", markup=False)
    for line in timeline_lines(found.history, found.number, found.outcome):
        console.print(line, markup=False)
    if no_plots:
        return
    folder = Path("results") / scenario.name if out is None else out
    folder.mkdir(parents=True, exist_ok=True)
    caption = caption_text(scenario.name, scenario.seed, scenario.requests.count, digest(scenario))
    picture = folder / f"request-{found.cell.id}-{request}.png"
    for path in save_timeline(found.history, found.number, found.outcome, caption, picture, svg=svg):
        console.print(f"saved {path}", markup=False)
