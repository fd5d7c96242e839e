"""Prints a check: which invariants are broken, how often, the first violation, and the line that replays it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from sim.chance.overall import LEVEL_TEXT
from sim.cli.terminal import terminal_width

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sim.cli.scenario_options import Source
    from sim.cli.terminal import Printer
    from sim.experiment.findings import CellFindings, Finding, Findings, ProbeFindings


def print_check(checked: Findings, printer: Printer, line_again: Callable[[CellFindings, Finding], str | None]) -> None:
    """Print how much was checked, what is broken, and how to see it again.

    `line_again` makes the command that shows a violation again, or returns None if it is not known.
    """
    printer.verbatim("")
    printer.sentence(checked.verdict)
    for cell in checked.cells:
        for one in cell.unseen:
            printer.sentence(f"{cell.name}: never seen: {one.claim} ({one.name})")
    tests = sum(cell.tests for cell in checked.cells)
    if tests:
        draws = sum(cell.draws for cell in checked.cells)
        struck = any(one.overall for cell in checked.cells for one in cell.broken)
        did = "were put to" if struck else "stood"
        text = f"{draws:,} draws {did} {tests:,} tests of their laws, at a level of {LEVEL_TEXT} for all tests together"
        printer.sentence(f"{text}; not all of them stand" if struck else text)
    print_probe(checked.probe, printer)
    if checked.first is None:
        return
    cell, first = checked.first
    printer.print(_table(checked))
    printer.verbatim("")
    printer.sentence(f"the first: {_where(cell, first, several=len(checked.cells) > 1)}")
    for line in first.told.lines(terminal_width()):
        printer.verbatim(line)
    again = line_again(cell, first)
    if again is not None:
        printer.verbatim(f"\nto see it again\n  {again}")


def print_probe(probe: ProbeFindings | None, printer: Printer) -> None:
    """Print that the probe of the platform ran, if it did, and the first violation if there is one."""
    if probe is None:
        return
    verdict = f"broken: {', '.join(probe.broken)}" if probe.broken else "all hold"
    printer.sentence(
        f"probed the platform in {probe.histories} small worlds of its own with {probe.requests} requests: {verdict}"
    )
    if probe.told is not None:
        printer.verbatim("")
        for line in probe.told.lines(terminal_width()):
            printer.verbatim(line)


def line_of_source(
    source: Source, folder: Path, out: Path | None, *, several: bool
) -> Callable[[CellFindings, Finding], str]:
    """Return what makes the command that shows a violation of a scenario again.

    `folder` is that of the results; `out` is the same if the command line names it.
    """

    def line(cell: CellFindings, first: Finding) -> str:
        if first.replays and not first.overall:
            return source.replay_line(first.request, cell.id if several else None, out)
        # A run with the requests that it needs; its results leave those of all requests alone.
        fewer = source if first.overall else replace(source, requests=first.requests_needed)
        return shlex.join(["retrysim", "run", *fewer.words(), "--check", "--out", f"{folder}-check"])

    return line


def _where(cell: CellFindings, first: Finding, *, several: bool) -> str:
    whose = f"request {first.request}" if first.of_request else "no single request"
    if first.overall:
        whose = "all requests together"
    return f"{cell.name}, {whose}" if several else whose


def _table(checked: Findings) -> Table:
    several = len(checked.cells) > 1
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("broken", no_wrap=True)
    made.add_column("owed by", no_wrap=True)
    if several:
        made.add_column("cell", overflow="fold")
    made.add_column("requests", justify="right", no_wrap=True)
    made.add_column("the first", justify="right", no_wrap=True)
    for cell in checked.cells:
        for broken in cell.broken:
            where = [cell.name] if several else []
            one = "" if broken.overall else str(broken.request)
            made.add_row(broken.invariant, broken.owed_by, *where, f"{broken.requests:,}", one)
    return made
