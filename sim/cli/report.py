"""`retrysim report`: write saved results as one page for a browser."""

from __future__ import annotations

import shlex
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.cli.errors import READS, results_errors
from sim.cli.print_check import line_of_source
from sim.cli.source_file import read_origin
from sim.cli.terminal import Printer
from sim.report.report import FILE, Again, again_of, write_report
from sim.report.templates import NoJinja
from sim.report.writing import ForeignPage, refuse_foreign_page
from sim.results.reading import open_results
from sim.results.tables import RESULTS

if TYPE_CHECKING:
    from sim.experiment.findings import CellFindings, Finding
    from sim.results.result import Result

DIGITS: Final = 12
"""Of a digest, in a command."""
TUNE: Final = "tune.json"


@click.command("report")
@click.argument("results", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def command(results: Path, *, opens: bool) -> None:
    """Write saved results as one page for a browser: DIR/report.html.

    DIR is the folder of a finished run, or its file results.sqlite. The page holds all that it shows and asks for
    nothing else, so it can be sent as it is. A few requests are simulated again to tell their stories. A report.html
    that retrysim has not written is not replaced. Exits with 5 if the results are damaged, unfinished or missing.
    """
    folder = results if results.is_dir() else results.parent
    path = folder / FILE
    if not (folder / RESULTS).exists() and (folder / TUNE).exists():
        raise click.UsageError(
            f"'{folder}' has the results of a search, which has no page; run the scenario of a point of it, and make "
            "the page of that"
        )
    try:
        with results_errors(advice=READS):
            refuse_foreign_page(path)
            result = open_results(results)
            write_report(result, path, again=_again(folder, result))
    except ForeignPage as error:
        raise click.ClickException(f"{error}; move it away, or give it another name") from None
    except NoJinja as error:
        raise click.UsageError(str(error)) from None
    Printer().verbatim(f"saved {path}")
    if opens and not webbrowser.open(path.resolve().as_uri()):
        raise click.ClickException(f"no browser could be opened; the page is '{path}'")


def _again(folder: Path, result: Result) -> Again:
    """Return the command lines of the results, without folders: the page is read elsewhere."""
    origin = read_origin(folder)
    if origin is None or origin.digest != result.digest:
        return again_of(result)
    path = Path(origin.scenario)
    source = replace(origin.source(folder, folder), path=path.name)
    several = len(result.cells) > 1

    def replay(request: int, cell: str | None) -> str:
        return source.replay_line(request, cell, None, result.digest[:DIGITS])

    def check(cell: CellFindings, first: Finding) -> str | None:
        if first.replays and not first.overall:
            return replay(first.request, cell.id if several else None)
        return line_of_source(source, Path(folder.name), None, several=several)(cell, first)

    code = " and of your own code" if source.has_own_code else ""
    note = f"Call it in the folder of {path.name}{code}."
    return Again(shlex.join(["retrysim", "run", *source.words()]), replay, check, note)
