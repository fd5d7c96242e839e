"""`retrysim export`: write the requests, the calls or the timeline of saved results for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

import click

from sim.cli import completions
from sim.cli.errors import READS, results_errors
from sim.cli.files import replacing
from sim.experiment.parts import RequestsNotKept
from sim.results.export import write_csv, write_parquet
from sim.results.export_over_time import (
    NotKept,
    write_calls_csv,
    write_calls_parquet,
    write_timeline_csv,
    write_timeline_parquet,
)
from sim.results.frames import NoParquet

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
STDOUT = Path("-")


@click.command("export")
@click.argument(
    "results",
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    shell_complete=completions.result_folders,
)
@click.option(
    "--table",
    type=click.Choice(["requests", "calls", "timeline"]),
    default="requests",
    help="Rows: of each request, of each call in a shared world, or of each bin of its `timeline`.",
)
@click.option("--csv", "csv_file", type=FILE, metavar="FILE|-", help="Write CSV; FILE '-' is stdout.")
@click.option("--parquet", "parquet_file", type=FILE, metavar="FILE", help="Write Parquet (needs retrysim[data]).")
def command(results: Path, table: str, csv_file: Path | None, parquet_file: Path | None) -> None:
    """Write the requests of saved results, a row each: as CSV, as Parquet, or both; with --table their calls or bins.

    DIR is the folder of a finished run, or its file results.sqlite. Columns have their unit in their name; the instant
    of an event that never happened is empty (CSV) or null (Parquet). A file is written whole or not at all, and
    replaces one that is there. Exits with 5 if the results are damaged, unfinished or missing.
    """
    if csv_file is None and parquet_file is None:
        raise click.UsageError("name a file: --csv FILE (or -), --parquet FILE, or both")
    if parquet_file == STDOUT:
        raise click.UsageError("Parquet cannot go to stdout: --parquet FILE")
    with results_errors(advice=READS):
        try:
            writers = _WRITERS[table]
            if csv_file == STDOUT:
                writers.csv(results, sys.stdout)
            elif csv_file is not None:
                with replacing(csv_file) as beside, beside.open("w", encoding="utf-8", newline="") as file:
                    rows = writers.csv(results, file)
                _print_count(csv_file, rows, writers.rows)
            if parquet_file is not None:
                with replacing(parquet_file) as beside:
                    rows = writers.parquet(results, beside)
                _print_count(parquet_file, rows, writers.rows)
        except (NoParquet, NotKept, RequestsNotKept) as error:
            raise click.ClickException(str(error)) from None


class _Writers(NamedTuple):
    """How a table is written."""

    csv: Callable[[Path, TextIO], int]
    parquet: Callable[[Path, Path], int]
    rows: str
    """What its rows are of."""


_WRITERS: Final = {
    "requests": _Writers(write_csv, write_parquet, "requests"),
    "calls": _Writers(write_calls_csv, write_calls_parquet, "calls"),
    "timeline": _Writers(write_timeline_csv, write_timeline_parquet, "bins"),
}


def _print_count(path: Path, rows: int, of: str) -> None:
    click.echo(f"wrote {rows:,} {of} to {path}", err=True)
