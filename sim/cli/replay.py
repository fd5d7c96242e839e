"""`retrysim replay`: simulate one request again, or a course that a search has found; print and draw its story."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.api.replay import Replayed, replayed
from sim.cli import completions
from sim.cli.errors import scenario_errors
from sim.cli.exit_codes import BROKEN
from sim.cli.files import refuse_unwritable, replacing, saving
from sim.cli.scenario_options import Source, scenario_options
from sim.cli.source_file import refuse_foreign
from sim.cli.terminal import Printer, terminal_width
from sim.explorer.play import CourseMisfit, located
from sim.pictures.data.caption import caption_text
from sim.scenario.cells import NotInScenario, cells
from sim.scenario.identity import digest
from sim.stories.lines import timeline_lines
from sim.stories.trace import trace_json
from sim.text.repeats import repeat_sentences

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

MOST_NAMED = 5
"""If more invariants hold, only their number is printed."""


@click.command("replay")
@scenario_options
@click.option("--request", type=click.IntRange(0), help="Number of the request, from 0; not needed for a course.")
@click.option(
    "--cell", shell_complete=completions.cells_of_scenario, help="Id or name of the cell, if the scenario has several."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the picture (results/NAME).")
@click.option("--no-plots", is_flag=True, help="Save no picture.")
@click.option("--svg", is_flag=True, help="Save the picture as SVG as well.")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the history for ui.perfetto.dev or chrome://tracing.",
)
@click.option("--digest", "known", metavar="HEX", help="Refuse the scenario unless its digest begins so.")
def command(
    source: Source,
    request: int | None,
    cell: str | None,
    out: Path | None,
    trace: Path | None,
    *,
    known: str | None,
    no_plots: bool,
    svg: bool,
) -> None:
    """Simulate one request of SCENARIO again: print its story, save its time line as a picture.

    The request is the same as in the whole run. In a shared world the whole replication is simulated; the requests of
    replication r begin at r times the number of requests.

    If SCENARIO has a course, such as one saved by `retrysim explore`, the course is played. Exits with 4 if that breaks
    an invariant that the scenario names under `check`, or, if it names none, one that retriers and the platform owe.
    Exits with 4 also if the request or the course goes another way when it is simulated once more.
    """
    if no_plots and svg:
        raise click.UsageError("--svg asks for a picture, but --no-plots for none")
    with scenario_errors(source):
        scenario = source.load()
        if known is not None and not digest(scenario).startswith(known.lower()):
            now = digest(scenario)[: max(len(known), 1)]
            raise click.UsageError(
                f"'{source.path}', with these options, has the digest {now}, not {known}: it has changed since, and so "
                "have its requests"
            )
        folder = Path("results") / scenario.name if out is None else out
        if not no_plots:
            refuse_unwritable(folder)
            if out is None:
                refuse_foreign(folder, source)
        found = _replayed(scenario, request, cell, source)
    number = found.number if request is None else request
    printer = Printer()
    printer.sentence(f"{scenario.name}, {found.cell.name}: request {number}, seed {scenario.seed}")
    for sentence in repeat_sentences([(found.cell.name, found.unrepeated)]):
        printer.sentence(sentence)
    _print_story(found, printer)
    if not no_plots:
        from sim.pictures.story import save_timeline  # with Matplotlib, which takes its time

        caption = caption_text(
            scenario.name, scenario.seed, scenario.requests.count, digest(scenario), scenario.replications
        )
        stem = f"request-{found.cell.id}-{number}"
        with saving(folder, (f"{stem}.png", f"{stem}.svg")) as beside:
            picture = beside / f"{stem}.png"
            written = save_timeline(found.history, found.number, found.outcome, caption, picture, svg=svg)
            names = [path.name for path in written]
        for name in names:
            printer.verbatim(f"saved {folder / name}")
    if trace is not None:
        text = trace_json(found.history, found.number, f"{scenario.name}, {found.cell.name}: request {number}")
        with replacing(trace) as beside:
            beside.write_text(text, encoding="utf-8")
        printer.verbatim(f"saved {trace}")
    if found.unrepeated or (found.played is not None and not found.played.holds):
        raise click.exceptions.Exit(BROKEN)


def _replayed(scenario: Scenario, request: int | None, cell: str | None, source: Source) -> Replayed:
    if request is None and all(one.scenario.course is None for one in cells(scenario)):
        raise click.UsageError("Missing option '--request'.")
    try:
        return replayed(scenario, request, cell)
    except NotInScenario as error:
        raise click.UsageError(str(error)) from None
    except CourseMisfit as error:
        raise located(error, source.path) from None


def _print_story(found: Replayed, printer: Printer) -> None:
    """Print the story; of a course also its events, the invariants it breaks, and the digest of the history."""
    played, width = found.played, terminal_width()
    if played is not None:
        for line in played.course_lines(width):
            printer.verbatim(line)
    for line in timeline_lines(found.history, found.number, found.outcome, width=width):
        printer.verbatim(line)
    if found.waits_at:
        printer.sentence(f"=> the guest waits at {found.waits_at}")
    if played is None:
        return
    printer.verbatim(f"\nhistory {played.history.digest()}")
    for violation in played.violations:
        printer.sentence(f"broken: {violation.text} ({violation.invariant})")
    if played.holds:
        names = [one.name for one in played.invariants]
        printer.sentence(f"holds: {', '.join(names)}" if len(names) <= MOST_NAMED else f"all {len(names)} hold")
