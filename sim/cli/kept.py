"""How commands tell of runs that are kept in a folder: what is there already, what was kept, why nothing can be."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sim.cli.exit_codes import CORRUPT
from sim.cli.interrupts import interrupts
from sim.experiment.executors import NoDask, WorkersDie
from sim.results.folder import Keeping
from sim.results.journal import CorruptResults, NotStored, RunInProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sim.experiment.engines import Choice
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

BESIDE = ".retrysim-run-"
"""Begins the names of folders in which a run puts its files together; one that was killed has left them."""


@contextmanager
def kept(folder: Path, scenario: Scenario, cells: Sequence[Cell], choice: Choice, *, fresh: bool) -> Iterator[Keeping]:
    """Keep a run in a folder; tells on stderr what is there, and exits where it must not be replaced."""
    with told(None), Keeping(folder, scenario, cells, choice, fresh=fresh) as keeping:
        for left in folder.glob(f"{BESIDE}*"):
            shutil.rmtree(left, ignore_errors=True)
        _tell_found(keeping)
        try:
            with told(keeping):
                yield keeping
        except BaseException:
            if keeping.stored:
                interrupts.kept = _how_much(keeping)
            raise


@contextmanager
def told(keeping: Keeping | None) -> Iterator[None]:
    """Tell what is wrong with results or with workers, and exit: with 5 where files are damaged or foreign."""
    try:
        yield
    except CorruptResults as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(CORRUPT) from None
    except NoDask as error:
        raise click.UsageError(str(error)) from None
    except (RunInProgress, WorkersDie) as error:
        raise click.ClickException(f"{error}{_and_how_much(keeping)}") from None
    except NotStored as error:
        where = f"'{error.filename}' cannot be written: {error.strerror}"
        raise click.ClickException(f"{where}{_and_how_much(keeping)}") from None


def _tell_found(keeping: Keeping) -> None:
    total = len(keeping.chunks)
    if keeping.journal is None:
        click.echo(f"nothing to simulate: '{keeping.results}' has the results already", err=True)
    elif keeping.found:
        click.echo(f"resuming: {keeping.found:,} of {total:,} chunks are there", err=True)
    if keeping.replaced is not None:
        digest = keeping.replaced.value("digest")[:12]
        click.echo(
            f"the results of an earlier version (digest {digest}) are replaced when these are complete", err=True
        )


def _and_how_much(keeping: Keeping | None) -> str:
    return "" if keeping is None or not keeping.stored else f"; {_how_much(keeping)}"


def _how_much(keeping: Keeping) -> str:
    return (
        f"{keeping.stored:,} of {len(keeping.chunks):,} chunks are kept in '{keeping.folder}', "
        "and the same command goes on from there"
    )
