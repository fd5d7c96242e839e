"""`retrysim export`: write the requests, the calls or the timeline of saved results for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.cli import completions
from sim.cli.errors import READS, results_errors
from sim.cli.files import replacing
from sim.experiment.parts import RequestsNotKept
from sim.results.columns import TABLES, NotKept
from sim.results.export import write_csv, write_parquet
from sim.results.frame_files import NoParquet

if TYPE_CHECKING:
    from sim.results.columns import TableName

FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
STDOUT = Path("-")
ROWS: Final = {"requests": "requests", "calls": "calls", "timeline": "bins", "cells": "cells"}
"""What the rows of a table are of."""


@click.command("export")
@click.argument(
    "results",
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    shell_complete=completions.result_folders,
)
@click.option(
    "--table",
    type=click.Choice(TABLES),
    default="requests",
    help="Rows: of each request, of each call in a shared world, of each bin of its `timeline`, or of each cell with "
    "its metrics.",
)
@click.option("--csv", "csv_file", type=FILE, metavar="FILE|-", help="Write CSV; FILE '-' is stdout.")
@click.option("--parquet", "parquet_file", type=FILE, metavar="FILE", help="Write Parquet (needs retrysim[data]).")
def command(results: Path, table: TableName, csv_file: Path | None, parquet_file: Path | None) -> None:
    """Write the requests of saved results, a row each: as CSV, as Parquet, or both; with --table another table.

    DIR is the folder of a finished run, or its file results.sqlite. Columns have their unit in their name, and are
    those of `Result.to_pandas` in Python; what never happened, or is not known, is empty (CSV) or null (Parquet). A
    file is written whole or not at all, and replaces one that is there. Exits with 5 if the results are damaged,
    unfinished or missing.
    """
    if csv_file is None and parquet_file is None:
        raise click.UsageError("name a file: --csv FILE (or -), --parquet FILE, or both")
    if parquet_file == STDOUT:
        raise click.UsageError("Parquet cannot go to stdout: --parquet FILE")
    with results_errors(advice=READS):
        try:
            if csv_file == STDOUT:
                write_csv(results, sys.stdout, table)
            elif csv_file is not None:
                with replacing(csv_file) as beside, beside.open("w", encoding="utf-8", newline="") as file:
                    rows = write_csv(results, file, table)
                _print_count(csv_file, rows, ROWS[table])
            if parquet_file is not None:
                with replacing(parquet_file) as beside:
                    rows = write_parquet(results, beside, table)
                _print_count(parquet_file, rows, ROWS[table])
        except (NoParquet, NotKept, RequestsNotKept) as error:
            raise click.ClickException(str(error)) from None


def _print_count(path: Path, rows: int, of: str) -> None:
    click.echo(f"wrote {rows:,} {of} to {path}", err=True)
