"""`retrysim show`: print saved results again."""

from __future__ import annotations

from pathlib import Path

import click

from sim.cli.errors import results_errors
from sim.cli.print_result import print_result
from sim.cli.terminal import Printer
from sim.results.reading import open_results

EXAMPLES = {"stuck": "stuck", "duplicated": "most effects repeated", "slowest": "slowest"}


@click.command("show")
@click.argument("results", metavar="DIR", type=click.Path(exists=True, path_type=Path))
def command(results: Path) -> None:
    """Print saved results again: the table, the sentences and the verdicts. Nothing is simulated.

    DIR is the folder of a finished run, or its file results.sqlite. Exits with 5 if the results are damaged, unfinished
    or missing; a missed expectation does not change the exit code here.
    """
    with results_errors():
        result = open_results(results)
    printer = Printer()
    print_result(result, printer)
    lines = [
        f"{f'{cell.cell.name}: ' if len(result.cells) > 1 else ''}"
        + ", ".join(f"{what} {cell.examples[kind]}" for kind, what in EXAMPLES.items() if kind in cell.examples)
        for cell in result.cells
        if cell.examples
    ]
    if lines:
        printer.verbatim("\nworth a look with `retrysim replay SCENARIO --request N`")
        for line in lines:
            printer.sentence(line, indent="  ")
