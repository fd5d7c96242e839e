"""`retrysim export`: write the requests of saved results for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sim.cli.errors import READS, results_errors
from sim.cli.files import replacing
from sim.experiment.parts import RequestsNotKept
from sim.results.export import NoParquet, write_csv, write_parquet

FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
STDOUT = Path("-")


@click.command("export")
@click.argument("results", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--csv", "csv_file", type=FILE, metavar="FILE|-", help="Write CSV; FILE '-' is stdout.")
@click.option("--parquet", "parquet_file", type=FILE, metavar="FILE", help="Write Parquet (needs retrysim[data]).")
def command(results: Path, csv_file: Path | None, parquet_file: Path | None) -> None:
    """Write the requests of saved results, a row each: as CSV, as Parquet, or both.

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
            if csv_file == STDOUT:
                write_csv(results, sys.stdout)
            elif csv_file is not None:
                _export_csv(results, csv_file)
            if parquet_file is not None:
                with replacing(parquet_file) as beside:
                    rows = write_parquet(results, beside)
                _print_count(parquet_file, rows)
        except (NoParquet, RequestsNotKept) as error:
            raise click.ClickException(str(error)) from None


def _export_csv(results: Path, path: Path) -> None:
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        rows = write_csv(results, file)
    _print_count(path, rows)


def _print_count(path: Path, rows: int) -> None:
    click.echo(f"wrote {rows:,} requests to {path}", err=True)
