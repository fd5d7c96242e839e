"""`retrysim explore`: go through all courses of a small world, and save those that break something."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from sim.api.replay import NotInScenario, chosen_cell
from sim.cli.exit_codes import BROKEN, INVALID_SCENARIO
from sim.cli.explored import Searched, print_counterexamples, print_searched, progress_text
from sim.cli.interrupts import interrupts
from sim.cli.output import Printer, refuse_impossible, saving
from sim.cli.scenarios import Source, problems_told, scenario_options
from sim.cli.search_options import SearchOptions, search_options
from sim.contracts.catalogue import INVARIANTS
from sim.experiment.plan import weather_told
from sim.explorer.explore import Explored, explore
from sim.explorer.files import name_of, retrier_words, save, save_test
from sim.explorer.plain_values import NotCanonical
from sim.explorer.play import Played, play, small_world
from sim.explorer.shrink import minimize
from sim.explorer.streams import streams
from sim.scenario.cells import cells
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.explorer.search import Counterexample
    from sim.scenario.cells import Cell

RULE = 100
"""How long the line between two cells is."""
MOST_STEPS_TO_SHRINK = 30_000
"""Of all the courses together that are tried to make one counterexample smaller."""


@click.command("explore")
@scenario_options
@search_options
@click.option("--cell", help="Search one cell alone, by its id or name, where the scenario has several.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where counterexamples go (results/NAME)."
)
@click.option("--pytest", "tests", is_flag=True, help="Save a test beside each counterexample.")
def command(source: Source, options: SearchOptions, cell: str | None, out: Path | None, *, tests: bool) -> None:
    """Search the small world of SCENARIO: every outcome, order, cancel and death.

    Courses of events are gone through in order of how much differs from the undisturbed one, so what is found first is
    shortest. Bounds come from the scenario's `explore`, options change them. Each invariant that is broken is saved
    with a course that breaks it, for `retrysim replay`. Exits with 4 where one is.
    """
    with problems_told(source):
        scenario = source.load()
        try:
            chosen = cells(scenario) if cell is None else [chosen_cell(scenario, cell)]
        except NotInScenario as error:
            raise click.UsageError(str(error)) from None
        folder = Path("results") / scenario.name if out is None else out
        refuse_impossible(folder)
    printer = Printer()
    holds = []
    for position, one in enumerate(chosen):
        if position:
            printer.verbatim("\n" + "-" * RULE + "\n")
        holds.append(_search_cell(source, options, one, folder, printer, tests=tests))
    if not all(holds):
        raise click.exceptions.Exit(BROKEN)


def _search_cell(  # noqa: PLR0913  # what to search, how, and where the results go
    source: Source, options: SearchOptions, chosen: Cell, folder: Path, printer: Printer, *, tests: bool
) -> bool:
    """Search one cell, print and save what was found; return whether everything holds in it."""
    with problems_told(source), weather_told():
        bounds = options.bounds(chosen.scenario, source.requests)
        world = small_world(chosen.scenario, bounds)
        held = options.invariants or invariants_named(world.check) or INVARIANTS
        searched = Searched(chosen, world, bounds, held, streams(world, bounds))
        with _progress() as watcher:
            found = _explored(searched, options, watcher)
        several = chosen.id if chosen.name != world.name else ""
        courses = {name_of(world.name, name, several): _played(searched, broken) for name, broken in _smallest(found)}
    print_searched(searched, found, printer)
    if courses:
        words = retrier_words(world)
        files = _save(courses, folder, source.retrier if words else "", tests=tests)
        lines = [shlex.join(["retrysim", "replay", str(folder / f"{name}.yaml"), *words]) for name in courses]
        print_counterexamples(list(courses.values()), printer)
        printer.verbatim("")
        printer.sentence(f"saved in {folder}: {', '.join(files)}")
        printer.verbatim("\nto see it again" if len(lines) == 1 else "\nto see them again")
        for line in lines:
            printer.verbatim(f"  {line}")
    return not (found.broken or found.unseen)


def _explored(searched: Searched, options: SearchOptions, watcher: Callable[[Explored], None]) -> Explored:
    so_far: list[Explored] = []

    def progress(found: Explored) -> None:
        so_far[:] = [found]
        watcher(found)

    try:
        return explore(
            searched.world,
            searched.bounds,
            invariants=searched.held,
            workers=options.workers,
            states_at_most=options.states_at_most,
            first=options.first,
            progress=progress,
        )
    except KeyboardInterrupt:
        for found in so_far:
            click.echo(f"so far: {progress_text(found)}", err=True)
        raise
    except NotCanonical as error:
        click.echo(f"{searched.name}: its states cannot be compared: {error}", err=True)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None
    except ChildProcessError as error:
        raise click.ClickException(str(error)) from None


def _smallest(found: Explored) -> list[tuple[str, Counterexample]]:
    return sorted(found.broken.items(), key=lambda item: item[1].size)


def _played(searched: Searched, broken: Counterexample) -> Played:
    """Play a course that was found, or a smaller one that breaks the same."""
    world, bounds = searched.world, searched.bounds
    invariant = next(one for one in searched.held if one.name == broken.violation.invariant)
    runs = MOST_STEPS_TO_SHRINK // max(1, broken.steps)
    answers = minimize(world, bounds, broken.answers, invariant, runs_at_most=runs)
    return play(world, answers=answers, bounds=bounds, invariants=(invariant,))


def _save(courses: dict[str, Played], folder: Path, retrier: str | None, *, tests: bool) -> list[str]:
    """Save counterexamples by their names; return the names of the files, each once."""
    names: list[str] = []
    with saving(folder, ()) as beside:
        for name, played in courses.items():
            violation = played.violations[0]
            names += save(played, violation, beside, name)
            if tests:
                modules = Path(os.path.relpath(Path.cwd(), folder)) if retrier else None
                names.append(save_test(beside, name, violation.invariant, retrier or "", modules))
    return list(dict.fromkeys(names))


@contextmanager
def _progress() -> Iterator[Callable[[Explored], None]]:
    """Show how far a search is on stderr, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: interrupts.check()
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(found: Explored) -> None:
            interrupts.check()
            bar.update(task, description=progress_text(found))

        yield show
