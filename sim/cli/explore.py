"""`retrysim explore`: search all courses of a small world, and save those that break something."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from sim.cli import completions
from sim.cli.errors import scenario_errors
from sim.cli.exit_codes import BROKEN, INVALID_SCENARIO
from sim.cli.files import refuse_unwritable, saving
from sim.cli.interrupts import interrupts
from sim.cli.print_check import print_probe
from sim.cli.print_search import Search, print_counterexamples, print_search, progress_text
from sim.cli.scenario_options import Source, scenario_options
from sim.cli.search_options import SearchOptions, search_options
from sim.cli.source_file import refuse_foreign
from sim.cli.terminal import Printer
from sim.contracts.catalogue import INVARIANTS
from sim.experiment.rulings import probe_findings
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.explorer.explore import Explored, explore
from sim.explorer.files import name_of, retrier_words, save, save_test
from sim.explorer.guided import NoSuchAnswer
from sim.explorer.plain_values import NotCanonical
from sim.explorer.play import Played, located, play, small_world
from sim.explorer.repeats import not_repeatable
from sim.explorer.shrink import DoesNotBreak, minimize
from sim.explorer.streams import streams
from sim.scenario.cells import NotInScenario, cells, chosen_cell
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.explorer.search import Counterexample
    from sim.scenario.cells import Cell

RULE = 100
"""The length of the line between two cells."""
MOST_STEPS_TO_SHRINK = 30_000
"""Of all courses together that are tried to make one counterexample smaller."""


@click.command("explore")
@scenario_options
@search_options
@click.option(
    "--cell",
    shell_complete=completions.cells_of_scenario,
    help="Search only this cell, by its id or name, if the scenario has several.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the counterexamples (results/NAME)."
)
@click.option("--pytest", "tests", is_flag=True, help="Save a test beside each counterexample.")
def command(source: Source, options: SearchOptions, cell: str | None, out: Path | None, *, tests: bool) -> None:
    """Search the small world of SCENARIO: every outcome, order, cancel and death.

    The search tries courses of events in order of how much they differ from the undisturbed one, so the first one that
    it finds is a shortest one. The bounds come from the scenario's `explore`; options change them. For each invariant
    that is broken, a course that breaks it is saved, for `retrysim replay`. Exits with 4 if one is broken, and also if
    the same course goes another way when it is run again, which ends the search.
    """
    with scenario_errors(source):
        scenario = source.load()
        try:
            chosen = cells(scenario) if cell is None else [chosen_cell(scenario, cell)]
        except NotInScenario as error:
            raise click.UsageError(str(error)) from None
        folder = Path("results") / scenario.name if out is None else out
        refuse_unwritable(folder)
        if out is None:
            refuse_foreign(folder, source)
    printer = Printer()
    holds = []
    for position, one in enumerate(chosen):
        if position:
            printer.verbatim("\n" + "-" * RULE + "\n")
        holds.append(_search_cell(source, options, one, folder, printer, tests=tests))
    if not all(holds):
        raise click.exceptions.Exit(BROKEN)


def _search_cell(
    source: Source, options: SearchOptions, chosen: Cell, folder: Path, printer: Printer, *, tests: bool
) -> bool:
    """Search one cell, print and save what breaks; return whether everything holds in it."""
    with scenario_errors(source), problems_shown_by_simulating():
        bounds = options.bounds(chosen.scenario, source.requests)
        try:
            world = small_world(chosen.scenario, bounds)
        except ScenarioError as error:
            raise located(error, source.path) from None
        invariants = options.invariants or invariants_named(world.check) or INVARIANTS
        search = Search(chosen, world, bounds, invariants, streams(world, bounds))
        with _progress() as watcher:
            found = _explored(search, options, watcher)
        several = chosen.id if chosen.name != world.name else ""
        courses = {name_of(world.name, name, several): _played(search, broken) for name, broken in _smallest(found)}
    print_search(search, found, printer)
    print_probe(None if found.probed is None else probe_findings(found.probed), printer)
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
    return not (found.broken or found.unseen) and (found.probed is None or found.probed.holds)


def _explored(search: Search, options: SearchOptions, watcher: Callable[[Explored], None]) -> Explored:
    so_far: list[Explored] = []

    def progress(found: Explored) -> None:
        so_far[:] = [found]
        watcher(found)

    try:
        return explore(
            search.world,
            search.bounds,
            invariants=search.invariants,
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
        click.echo(f"{search.name}: its states cannot be compared: {error}", err=True)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None
    except ChildProcessError as error:
        raise click.ClickException(str(error)) from None


def _smallest(found: Explored) -> list[tuple[str, Counterexample]]:
    return sorted(found.broken.items(), key=lambda item: item[1].size)


def _played(search: Search, broken: Counterexample) -> Played:
    """Play the course that was found, or a smaller one that breaks the same invariant."""
    world, bounds = search.world, search.bounds
    invariant = next(one for one in search.invariants if one.name == broken.violation.invariant)
    runs = MOST_STEPS_TO_SHRINK // max(1, broken.steps)
    try:
        answers = minimize(world, bounds, broken.answers, invariant, runs_at_most=runs)
        played = play(world, answers=answers, bounds=bounds, invariants=(invariant,))
    except (DoesNotBreak, NoSuchAnswer):  # it did break it when it was found
        raise not_repeatable(f"broke '{invariant.name}' when it was found, but now it does not") from None
    if played.holds:
        raise not_repeatable(f"broke '{invariant.name}' when it was made smaller, but now it does not")
    return played


def _save(courses: dict[str, Played], folder: Path, retrier: str | None, *, tests: bool) -> list[str]:
    """Save the counterexamples, given by name; return the names of the files, each once."""
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
    """Show the progress of a search on stderr if that is a terminal."""
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
