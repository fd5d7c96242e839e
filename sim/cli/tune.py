"""`retrysim tune`: search the parameters of a scenario, print the Pareto set, save each point to run and to paste."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.cli import completions
from sim.cli.errors import scenario_errors
from sim.cli.exit_codes import BROKEN, OF_RULING
from sim.cli.files import refuse_unwritable, saving
from sim.cli.progress import progress_bar
from sim.cli.scenario_options import Source, scenario_options
from sim.cli.source_file import claimed
from sim.cli.terminal import Printer
from sim.explorer.play import located
from sim.pictures.data.caption import caption_text
from sim.pictures.data.pareto import FIGURE
from sim.scenario.cells import NotInScenario, chosen_cell
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.parts.tuning import MOST_FINALISTS
from sim.tuning.pasted import ENDINGS, pasted
from sim.tuning.points import own_code_words, point_files
from sim.tuning.tune import tune

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.tuning.tuned import Tuned

SUMMARY = "tune.json"
FILES = (
    SUMMARY,
    *(f"{FIGURE}.{kind}" for kind in ("png", "svg")),
    *(f"point-{number}{ending}" for number in range(1, MOST_FINALISTS + 1) for ending in (".yaml", *ENDINGS)),
)
"""The files of a search in its folder; all other files there are the user's."""
_POINT = re.compile(r"point-(\d+)(.+)")


@click.command("tune")
@scenario_options
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results (results/NAME-tuned)."
)
@click.option(
    "--cell",
    shell_complete=completions.cells_of_scenario,
    help="Id or name of the cell from which the search starts, if the scenario has several.",
)
@click.option("--no-plots", is_flag=True, help="Save no picture.")
@click.option("--svg", is_flag=True, help="Save the picture as SVG as well.")
def command(source: Source, out: Path | None, cell: str | None, *, no_plots: bool, svg: bool) -> None:
    """Search parameters of SCENARIO, as its `tune` block says.

    Prints the Pareto set of the objectives, and saves each of its points as a scenario and as TypeScript. --requests
    sets how many requests measure a finalist. Exits with 98 if no candidate is certain to keep the constraints, and
    with 99 if all finalists miss them. Exits with 4 if requests of your own retrier did something else when they were
    simulated again.
    """
    if no_plots and svg:
        raise click.UsageError("--svg asks for a picture, but --no-plots for none")
    with scenario_errors(source):
        scenario = source.load()
        try:
            chosen = None if cell is None else chosen_cell(scenario, cell)
        except NotInScenario as error:
            raise click.BadParameter(str(error), param_hint="'--cell'") from None
        name = scenario.name if chosen is None else f"{scenario.name}-{chosen.id}"
        folder = Path("results") / f"{name}-tuned" if out is None else out
        refuse_unwritable(folder)
        with claimed(folder, source, scenario) as claim:
            try:
                with progress_bar() as progress:
                    tuned = tune(scenario, cell=cell, progress=progress)
            except ScenarioError as error:
                raise located(error, source.path) from None
            printer = Printer()
            _print(tuned, printer, cell)
            claim.save(tuned.digest)
            files = _save(tuned, folder, pictures=not no_plots, svg=svg)
    printer.verbatim(f"\nsaved in {folder}: {_listed(files)}")
    if tuned.points:
        words = own_code_words(tuned.points[0].scenario)
        line = shlex.join(["retrysim", "run", str(folder / "point-1.yaml"), *words])
        printer.verbatim(f"\nto run a point\n  {line}")
    if not tuned.repeats:
        raise click.exceptions.Exit(BROKEN)
    if tuned.ruling.value in OF_RULING:
        raise click.exceptions.Exit(OF_RULING[tuned.ruling.value])


def _listed(files: Sequence[str]) -> str:
    """Name the files; of those of the points only the first and the last."""
    last: dict[str, int] = {}
    others = []
    for name in files:
        found = _POINT.fullmatch(name)
        if found is None:
            others.append(name)
        else:
            number, ending = int(found[1]), found[2]
            last[ending] = max(number, last.get(ending, 0))
    numbered = [
        f"point-1{ending}" + (f" to point-{number}{ending}" if number > 1 else "") for ending, number in last.items()
    ]
    return ", ".join([*others, *numbered])


def _print(tuned: Tuned, printer: Printer, cell: str | None) -> None:
    scenario = tuned.scenario
    options = tuned.options
    name = scenario.name if cell is None else f"{scenario.name}, cell {cell}"
    each = f"{scenario.requests.count:,} requests"
    each = f"{each} x {scenario.replications} replications" if scenario.world == "shared" else each
    printer.sentence(
        f"{name}: {scenario.world} world, {options.budget.candidates} candidates, {each} a finalist, "
        f"seed {scenario.seed}, schema 1, digest {tuned.digest[:12]}"
    )
    printer.print(tuned.table(printer.width))
    for sentence in tuned.sentences():
        printer.sentence(sentence)
    if not tuned.points:
        return
    found = pasted(tuned.points[0].scenario, "")
    if isinstance(found, str):
        printer.verbatim("")
        printer.sentence(found)
        return
    printer.verbatim("\npoint 1, to paste")
    for line in found.lines:
        printer.verbatim(f"  {line}")
    for sentence in found.chosen:
        printer.sentence(sentence)


def _save(tuned: Tuned, folder: Path, *, pictures: bool, svg: bool) -> list[str]:
    with saving(folder, FILES) as beside:
        (beside / SUMMARY).write_text(tuned.summary_json(), encoding="utf-8")
        for name, content in point_files(tuned).items():
            (beside / name).write_bytes(content)
        if pictures:
            scenario = tuned.scenario
            caption = caption_text(
                scenario.name, tuned.fresh_seed, scenario.requests.count, tuned.digest, scenario.replications
            ).replace(" a cell", " a finalist")
            from sim.pictures.pareto import save_pareto  # with Matplotlib, which takes its time

            save_pareto(tuned.reported, tuned.options.objectives, caption, beside, svg=svg)
        return sorted(path.name for path in beside.iterdir())
