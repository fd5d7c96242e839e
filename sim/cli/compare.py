"""`retrysim compare`: compare one cell with another, and fail if one is worse by too much."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from sim.api.compare import Compared, Comparison, NotComparable, compare
from sim.api.what_differs import Origin
from sim.cli import completions
from sim.cli.errors import READS, results_errors
from sim.cli.exit_codes import BROKEN, INCONCLUSIVE, MISSED
from sim.cli.files import refuse_unwritable, saving
from sim.cli.junit_report import cases_of_comparison, junit_option, write_junit
from sim.cli.terminal import WIDTH, Printer
from sim.expect.conditions import Condition, parse_condition
from sim.expect.expectations import ExpressionError, Ruling
from sim.measure.paths import UnknownMetric
from sim.pictures.data.caption import caption_text
from sim.results.reading import open_results
from sim.scenario.identity import digest
from sim.text.comparison_sentences import judged_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiment.cell_result import CellResult
    from sim.results.result import Result

STEM = "comparison"
SUMMARY = f"{STEM}.json"
MOST_NAMED = 20


class Place(NamedTuple):
    """A folder of results, and the cell in it, if one is named."""

    folder: Path
    cell: str | None


def _conditions(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> tuple[Condition, ...]:
    """Read the conditions of the command line; raises BadParameter with the column of a mistake."""
    try:
        return tuple(map(parse_condition, texts))
    except ExpressionError as error:
        said = "Error: Invalid value for '--fail-if': "
        lines = textwrap.wrap(f"{said}{error}", WIDTH, break_on_hyphens=False, drop_whitespace=True)
        raise click.BadParameter("\n".join(lines).removeprefix(said), ctx, param) from None


@click.command("compare")
@click.argument("a", metavar="A", shell_complete=completions.result_folders)
@click.argument("b", metavar="[B]", required=False, shell_complete=completions.result_folders)
@click.option("--cells", nargs=2, metavar="A B", help="Compare two cells of one folder, by id or name.")
@click.option(
    "--fail-if",
    "conditions",
    callback=_conditions,
    metavar="EXPR",
    multiple=True,
    help="Exit with 99 if this holds of B - A, such as 'time_to_effect.p99 > +10%'; may be repeated.",
)
@click.option("--all", "complete", is_flag=True, help="Show every metric.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the picture and comparison.json."
)
@junit_option
@click.option("--no-plots", is_flag=True, help="Save no picture.")
@click.option("--svg", is_flag=True, help="Save the picture as SVG as well.")
def command(
    a: str,
    b: str | None,
    cells: tuple[str, str] | None,
    conditions: tuple[Condition, ...],
    out: Path | None,
    *,
    junit: Path | None,
    complete: bool,
    no_plots: bool,
    svg: bool,
) -> None:
    """Compare results B with results A: which metrics are better or worse, and which may differ by chance.

    A and B are folders of finished runs, or FOLDER:CELL for one cell of such a folder. Two folders are compared cell by
    cell if their cells have the same ids; one folder needs --cells.

    Requests of one seed met the same weather and the same latencies, so they are compared in pairs. A condition of
    --fail-if is METRIC OPERATOR DIFFERENCE. The difference is an amount of B - A (+500ms; for a rate +0.1% is a tenth
    of a percentage point), a share of A's value (+10% of a time or a count), or a multiple of it (x1.1).

    --out saves comparison.json: what differs between A and B, each metric's difference with its interval and verdict,
    the verdict on each condition, and the exit code.

    Exits with 99 if a condition certainly holds, with 98 if one may hold, and with 4 if requests of A or B did
    something else when they were simulated again.
    """
    if out is None and (no_plots or svg):
        raise click.UsageError("without --out nothing is saved, so --no-plots and --svg have no effect")
    if no_plots and svg:
        raise click.UsageError("--svg asks for a picture, but --no-plots for none")
    if junit is not None and not conditions:
        raise click.UsageError("--junit writes the verdicts on --fail-if, and there is none")
    if out is not None:
        refuse_unwritable(out)
    compared, headers = _compared(a, b, cells)
    _refuse_unknown(compared, conditions)
    printer = Printer()
    for number, (one, header) in enumerate(zip(compared, headers, strict=True)):
        if number:
            printer.verbatim("")
        _print(one, header, printer, complete=complete)
    ruling = _judge(compared, conditions, printer)
    code = BROKEN if not compared.repeats else _CODES.get(ruling, 0)
    if out is not None:
        text = compared.summary_json(conditions, code)
        files = _save(compared, text, out, pictures=not no_plots, svg=svg)
        printer.verbatim(f"\nsaved in {out}: {', '.join(files)}")
    if junit is not None:
        write_junit(junit, "compare", cases_of_comparison(compared, conditions))
    if code:
        raise click.exceptions.Exit(code)


_CODES: Final = {Ruling.met: MISSED, Ruling.inconclusive: INCONCLUSIVE, Ruling.missed: 0, None: 0}
"""The exit code of the worst ruling on the conditions under which a comparison fails."""


def _compared(a: str, b: str | None, cells: tuple[str, str] | None) -> tuple[Comparison, list[tuple[str, str]]]:
    """Compare what the command line names; also return the two lines above each table, which describe A and B."""
    first, second = _places(a, b, cells)
    with results_errors(advice=READS):
        results = [open_results(first.folder)]
        results.append(results[0] if second.folder == first.folder else open_results(second.folder))
    sides = [_side(result, place) for result, place in zip(results, (first, second), strict=True)]
    try:
        compared = compare(*sides, origins=(Origin.of(results[0]), Origin.of(results[1])))
    except NotComparable as error:
        raise click.UsageError(str(error)) from None
    return compared, [(_header(first, one.a), _header(second, one.b)) for one in compared]


def _refuse_unknown(compared: Comparison, conditions: Sequence[Condition]) -> None:
    """Refuse conditions on metrics that A or B does not have; raises UsageError."""
    for one in compared:
        for condition in conditions:
            try:
                one[condition.metric.path]
            except UnknownMetric as error:
                raise click.UsageError(f"--fail-if '{condition.text}': {error}") from None


def _places(a: str, b: str | None, cells: tuple[str, str] | None) -> tuple[Place, Place]:
    first = _place(a)
    if cells is not None:
        if b is not None or first.cell is not None:
            raise click.UsageError("--cells chooses two cells of one folder: name that folder alone")
        return Place(first.folder, cells[0]), Place(first.folder, cells[1])
    if b is None:
        raise click.UsageError("name a second folder to compare with, or two cells of this one with --cells A B")
    return first, _place(b)


def _place(text: str) -> Place:
    """Read FOLDER or FOLDER:CELL; if a folder has this very name, colon included, it is that folder."""
    folder, colon, cell = text.rpartition(":")
    if colon and folder and not Path(text).exists():
        return Place(Path(folder), cell)
    return Place(Path(text), None)


def _side(result: Result, place: Place) -> CellResult | Result:
    if place.cell is None:
        return result
    try:
        return result[place.cell]
    except KeyError:
        names = [cell.id for cell in result.cells]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        known = ", ".join(names[:MOST_NAMED])
        raise click.UsageError(f"no cell '{place.cell}' in '{place.folder}'; there are {known}{more}") from None


def _header(place: Place, cell: CellResult) -> str:
    scenario = cell.cell.scenario
    return f"{place.folder}, {cell.cell.name}: {len(cell.metrics):,} requests, seed {scenario.seed}"


def _print(one: Compared, header: tuple[str, str], printer: Printer, *, complete: bool) -> None:
    for name, text in zip("AB", header, strict=True):
        printer.sentence(f"{name}  {text}")
    printer.sentence(one.what_differs)
    printer.print(one.table(complete=complete, width=printer.width))
    for sentence in one.sentences(complete=complete):
        printer.sentence(sentence)


def _judge(compared: Comparison, conditions: Sequence[Condition], printer: Printer) -> Ruling | None:
    """Print the ruling on each condition, and return the worst one."""
    if not conditions:
        return None
    printer.verbatim("\nfail if")
    rulings = set()
    for one in compared:
        where = f"{one.b.cell.name}: " if len(compared) > 1 else ""
        for condition in conditions:
            judged = condition.judge(one.differences)
            rulings.add(judged.ruling)
            printer.sentence(f"{where}{judged_text(judged, one.differences)}", indent="  ")
    return next(ruling for ruling in (Ruling.met, Ruling.inconclusive, Ruling.missed) if ruling in rulings)


def _save(compared: Comparison, text: str, folder: Path, *, pictures: bool, svg: bool) -> list[str]:
    stems = [STEM if len(compared) == 1 else f"{STEM}-{one.b.id}" for one in compared]
    own = (SUMMARY, *(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")))
    with saving(folder, own) as beside:
        (beside / SUMMARY).write_text(text, encoding="utf-8")
        for one, stem in zip(compared, stems, strict=True):
            if pictures:
                from sim.pictures.comparison import save_comparison  # with Matplotlib, which takes its time

                save_comparison(one.pair, _caption(one), beside, stem, svg=svg)
        return sorted(path.name for path in beside.iterdir())


def _caption(one: Compared) -> str:
    """Return the caption of a picture: the captions of A and of B."""
    found = [
        caption_text(
            cell.cell.scenario.name,
            cell.cell.scenario.seed,
            len(cell.metrics),
            digest(cell.cell.scenario),
        )
        for cell in (one.a, one.b)
    ]
    paired = "paired" if one.paired else "not paired"
    return f"A: {found[0]}\nB: {found[1]} | {paired}"
