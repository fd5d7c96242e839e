"""Prints the result of a run: when it ends, and when saved results are shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.experiment.precision import precision_lines
from sim.text.sentences import verdict_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cli.terminal import Printer
    from sim.results.result import Result

EXAMPLES = {"stuck": "a stuck request", "duplicated": "a repeated effect", "slowest": "the slowest request"}


def print_result(result: Result, printer: Printer) -> None:
    """Print which run the result is of, then its table, sentences and verdicts."""
    scenario = result.scenario
    printer.sentence(
        f"{scenario.name}: {scenario.world} world, {result.size} a cell, seed {scenario.seed}, schema 1, "
        f"digest {result.digest[:12]}"
    )
    printer.sentence(f"engine {result.choice.engine}: {result.choice.why}")
    printer.print(result.table(printer.width))
    if (over_time := result.table_over_time(printer.width)) is not None:
        printer.print(over_time)
    for sentence in result.sentences():
        printer.sentence(sentence)
    if result.precision:
        printer.verbatim("\nprecision")
    for line in precision_lines(result.precision, result.size):
        printer.sentence(line, indent="  ")
    verdicts = [(cell, verdict) for cell in result.cells for verdict in cell.verdicts]
    if verdicts:
        printer.verbatim("\nexpected")
    for cell, verdict in verdicts:
        where = f"{cell.cell.name}: " if len(result.cells) > 1 else ""
        printer.sentence(f"{where}{verdict_text(verdict)}", indent="  ")


def print_examples(result: Result, printer: Printer, replay_line: Callable[[int, str | None], str]) -> None:
    """Print the lines that replay a stuck, a duplicated and the slowest request of the run, if there are such.

    `replay_line` makes one of the number of a request, and of the id of its cell if there are several.
    """
    lines = []
    for kind, what in EXAMPLES.items():
        having = [cell for cell in result.cells if kind in cell.examples]
        if kind == "slowest":
            having.sort(key=lambda cell: -cell.slowest_ns)
        if having:
            name = having[0].id if len(result.cells) > 1 else None
            lines.append(f"  {what}:\n    {replay_line(having[0].examples[kind], name)}")
    if lines:
        printer.verbatim("\nto see one happen")
        for line in lines:
            printer.verbatim(line)
