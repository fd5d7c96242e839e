"""The options --per and --rate: how often things happen in a month, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sim.text.periods import PERIODS, Per, Rate, lines_per, parse_rate, table_per

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cli.terminal import Printer
    from sim.results.result import Result
    from sim.scenario.schema import Scenario


def _rate(ctx: click.Context, param: click.Parameter, text: str | None) -> Rate | None:
    try:
        return None if text is None else parse_rate(text)
    except ValueError as error:
        raise click.BadParameter(
            f"'{text}' is {error}" if "not a rate" in str(error) else str(error), ctx, param
        ) from None


OPTIONS = (
    click.option(
        "--per",
        "period",
        type=click.Choice(list(PERIODS)),
        help="Tell how many duplicates, failures and attempts there are in a period, and what they cost.",
    ),
    click.option(
        "--rate",
        callback=_rate,
        metavar="NUMBER/UNIT",
        help="For --per: how many requests come, such as 200000/day; in a shared world by default those offered there.",
    ),
)


def period_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --per and --rate, which reach the command as `period` and `rate`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def per_of(period: str | None, rate: Rate | None) -> Per | None:
    """Return what --per and --rate ask for; None if that is nothing. Raises UsageError for a rate without a period."""
    if period is None:
        if rate is not None:
            raise click.UsageError("--rate is the rate for --per: name a period, such as --per month")
        return None
    return Per(period, rate)


def refuse_without_rate(per: Per | None, scenario: Scenario) -> None:
    """Refuse --per without --rate in an isolated world; raises UsageError."""
    if per is not None and per.rate is None and scenario.world == "isolated":
        reason = "in an isolated world nothing says how many requests come"
        raise click.UsageError(f"--per needs --rate, such as --rate 200000/day: {reason}")


def print_per(result: Result, per: Per | None, printer: Printer) -> None:
    """Print the counts of a period: lines of a single cell, a table of several."""
    if per is None:
        return
    cells = result.reported
    printer.verbatim(f"\n{per.heading(cells)}")
    if len(cells) > 1:
        printer.print(table_per(cells, per, printer.width))
    else:
        for line in lines_per(cells[0], per):
            printer.sentence(line, indent="  ")
    if per.rate is not None and result.scenario.world == "shared":
        printer.sentence("The world was simulated at the rate of its own arrivals, not at that of --rate.")
