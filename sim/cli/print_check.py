"""Prints a check: which invariants are broken, how often, the first violation, and the line that replays it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from sim.chance.overall import LEVEL_TEXT
from sim.cli.terminal import terminal_width
from sim.stories.violations import violation_lines

if TYPE_CHECKING:
    from pathlib import Path

    from sim.api.check import Broken, Checked
    from sim.cli.scenario_options import Source
    from sim.cli.terminal import Printer
    from sim.experiment.probe import Probed


def print_check(checked: Checked, printer: Printer, source: Source, folder: Path, out: Path | None) -> None:
    """Print how much was checked, what is broken, and how to see it again.

    `source` is the scenario, `folder` that of the results; `out` is the same if the command line names it.
    """
    held = {invariant.name for cell in checked.cells for invariant in cell.held}
    broken = {name for cell in checked.cells for name in cell.broken}
    histories = sum(cell.histories for cell in checked.cells)
    verdict = "all hold" if not broken else f"{len(broken)} {'is' if len(broken) == 1 else 'are'} broken"
    count = f"{len(held)} invariant{'' if len(held) == 1 else 's'}"
    printer.verbatim("")
    printer.sentence(f"checked {count} in {histories:,} histor{'y' if histories == 1 else 'ies'}: {verdict}")
    for cell in checked.cells:
        for one in cell.unseen:
            printer.sentence(f"{cell.cell.name}: never seen: {one.doc} ({one.name})")
    tests = sum(cell.tests for cell in checked.cells)
    if tests:
        draws = sum(cell.draws for cell in checked.cells)
        struck = any(broken.overall for cell in checked.cells for broken in cell.firsts.values())
        did = "were put to" if struck else "stood"
        text = f"{draws:,} draws {did} {tests:,} tests of their laws, at a level of {LEVEL_TEXT} for all tests together"
        printer.sentence(f"{text}; not all of them stand" if struck else text)
    print_probe(checked.probed, printer)
    first = checked.first
    if first is None:
        return
    printer.print(_table(checked))
    printer.verbatim("")
    printer.sentence(f"the first: {_where(first, several=len(checked.cells) > 1)}")
    for line in violation_lines(first.violation, first.history, first.outcome, width=terminal_width()):
        printer.verbatim(line)
    if first.replays and not first.overall:
        line = source.replay_line(first.request, first.cell.id if len(checked.cells) > 1 else None, out)
    else:
        line = _line_of_run(first, source, folder)
    printer.verbatim(f"\nto see it again\n  {line}")


def _line_of_run(first: Broken, source: Source, folder: Path) -> str:
    """Return the command that runs it again with the requests it needs; its results leave those of all alone."""
    fewer = source if first.overall else replace(source, requests=first.requests_needed)
    return shlex.join(["retrysim", "run", *fewer.words(), "--check", "--out", f"{folder}-check"])


def print_probe(probed: Probed | None, printer: Printer) -> None:
    """Print that the probe of the platform ran, if it did, and the first violation if there is one."""
    if probed is None:
        return
    broken = probed.broken
    verdict = f"broken: {', '.join(broken)}" if broken else "all hold"
    printer.sentence(
        f"probed the platform in {probed.histories} small worlds of its own with {probed.requests} requests: {verdict}"
    )
    if probed.broken_in is not None:
        printer.verbatim("")
        for line in violation_lines(probed.violations[0], probed.broken_in, None, width=terminal_width()):
            printer.verbatim(line)


def _where(first: Broken, *, several: bool) -> str:
    whose = f"request {first.request}" if first.violation.request >= 0 else "no single request"
    if first.overall:
        whose = "all requests together"
    return f"{first.cell.name}, {whose}" if several else whose


def _table(checked: Checked) -> Table:
    several = len(checked.cells) > 1
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("broken", no_wrap=True)
    made.add_column("owed by", no_wrap=True)
    if several:
        made.add_column("cell", overflow="fold")
    made.add_column("requests", justify="right", no_wrap=True)
    made.add_column("the first", justify="right", no_wrap=True)
    for cell in checked.cells:
        owed_by = {invariant.name: invariant.owed_by for invariant in cell.held}
        for name, count in cell.broken.items():
            where = [cell.cell.name] if several else []
            broken = cell.firsts[name]
            one = "" if broken.overall else str(broken.request)
            made.add_row(name, owed_by[name], *where, f"{count:,}", one)
    return made
