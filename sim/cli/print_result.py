"""Prints the result of a run: when it ends, and when saved results are shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.experiment.precision import precision_lines
from sim.text.sentences import verdict_text

if TYPE_CHECKING:
    from sim.cli.terminal import Printer
    from sim.results.result import Result


def print_result(result: Result, printer: Printer) -> None:
    """Print which run the result is of, then its table, sentences and verdicts."""
    scenario = result.scenario
    printer.sentence(
        f"{scenario.name}: {scenario.world} world, {result.size} a cell, seed {scenario.seed}, schema 1, "
        f"digest {result.digest[:12]}"
    )
    printer.sentence(f"engine {result.choice.engine}: {result.choice.why}")
    printer.print(result.table())
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
