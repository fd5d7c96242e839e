"""`retrysim show`: print saved results again."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.cli import completions
from sim.cli.errors import READS, results_errors
from sim.cli.period_options import per_of, period_options, print_per, refuse_without_rate
from sim.cli.print_check import line_of_source, print_check
from sim.cli.print_result import print_examples, print_result
from sim.cli.source_file import read_origin
from sim.cli.terminal import Printer
from sim.results.reading import open_results

if TYPE_CHECKING:
    from sim.cli.scenario_options import Source
    from sim.experiment.findings import CellFindings, Finding
    from sim.text.periods import Rate

DIGITS = 12
"""Of a digest, in a command."""
EXAMPLES = {"stuck": "stuck", "duplicated": "most effects repeated", "slowest": "slowest"}


@click.command("show")
@click.argument(
    "results",
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    shell_complete=completions.result_folders,
)
@period_options
def command(results: Path, period: str | None, rate: Rate | None) -> None:
    """Print saved results again: the table, the sentences and the verdicts. Nothing is simulated.

    DIR is the folder of a finished run, or its file results.sqlite. Exits with 5 if the results are damaged, unfinished
    or missing; a missed expectation does not change the exit code here.
    """
    per = per_of(period, rate)
    with results_errors(advice=READS):
        result = open_results(results)
    refuse_without_rate(per, result.scenario)
    printer = Printer()
    print_result(result, printer)
    print_per(result, per, printer)
    lines = [
        f"{f'{cell.cell.name}: ' if len(result.cells) > 1 else ''}"
        + ", ".join(f"{what} {cell.examples[kind]}" for kind, what in EXAMPLES.items() if kind in cell.examples)
        for cell in result.cells
        if cell.examples
    ]
    if lines:
        printer.verbatim("\nrequests worth a replay")
        for line in lines:
            printer.sentence(line, indent="  ")
    several = len(result.cells) > 1
    again = _command_again(results if results.is_dir() else results.parent, result.digest)
    if again is not None:
        print_examples(result, printer, again.replay_line)
    if result.checked is not None:
        print_check(result.checked, printer, _nothing if again is None else partial(again.line, several=several))


def _nothing(_cell: CellFindings, _first: Finding) -> None:
    """Return no command."""


@dataclass(frozen=True, slots=True)
class _Again:
    """Makes the commands that simulate requests of saved results again."""

    before: str
    """What stands in front: a change of the folder."""
    source: Source
    out: Path
    digest: str

    def replay_line(self, number: int, cell: str | None) -> str:
        return self.before + self.source.replay_line(number, cell, self.out, self.digest[:DIGITS])

    def line(self, cell: CellFindings, first: Finding, *, several: bool) -> str:
        if first.replays and not first.overall:
            return self.replay_line(first.request, cell.id if several else None)
        return self.before + line_of_source(self.source, self.out, self.out, several=several)(cell, first)


def _command_again(folder: Path, digest: str) -> _Again | None:
    """Return what makes the commands that replay requests; None if it is not known where the results come from.

    A command refuses the scenario if that has changed since.
    """
    origin = read_origin(folder)
    if origin is None or origin.digest != digest:
        return None
    start, called_in = Path(os.path.realpath(Path.cwd())), Path(os.path.realpath(folder / origin.called_in))
    before, out = "", folder
    source = origin.source(folder, start)
    if source.has_own_code and called_in != start:
        # Python finds the code from where it was found before.
        before = f"cd {shlex.quote(os.path.relpath(called_in))} && "
        start, out = called_in, Path(os.path.relpath(os.path.realpath(folder), called_in))
        source = origin.source(folder, start)
    return _Again(before, source, out, digest) if (start / source.path).is_file() else None
