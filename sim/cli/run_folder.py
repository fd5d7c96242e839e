"""Opens the folder of a run for a command: says what is there already, what is saved, and why nothing can be saved."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sim.cli.errors import results_errors
from sim.cli.interrupts import interrupts
from sim.results.description import CODE, HELD
from sim.results.folder import DIGITS, RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sim.experiment.plan import Plan

TEMPORARY = ".retrysim-run-"
"""Begins the names of temporary folders in which a run puts its files together; a run that is killed leaves one."""


@contextmanager
def open_run_folder(path: Path, plan: Plan, *, fresh: bool) -> Iterator[RunFolder]:
    """Open the folder of a run; says on stderr what is there, and exits if that must not be replaced."""
    with results_errors(), RunFolder(path, plan, fresh=fresh) as folder:
        for left in path.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left, ignore_errors=True)
        _print_found(folder)
        try:
            with results_errors(lambda: what_is_saved(folder)):
                yield folder
        except BaseException:
            if folder.stored:
                interrupts.saved = what_is_saved(folder)
            raise


def what_is_saved(folder: RunFolder) -> str:
    """Say how many chunks are saved, and how to go on; empty if there are none."""
    if not folder.stored:
        return ""
    return (
        f"{folder.stored:,} of {len(folder.chunks):,} chunks are saved in '{folder.folder}', "
        "and the same command resumes from there"
    )


def _print_found(folder: RunFolder) -> None:
    if folder.checkpoint is None:
        click.echo(f"nothing to simulate: '{folder.results}' has the results already", err=True)
    elif folder.resumed:
        click.echo(f"resuming: {folder.resumed:,} of {len(folder.chunks):,} chunks are there", err=True)
    if folder.replaces is not None:
        theirs = folder.replaces
        if theirs.value("digest") != folder.plan.digest:
            found = f"the results of an earlier version (digest {theirs.value('digest')[:DIGITS]})"
        elif theirs.value_or(CODE) != folder.plan.code:
            found = "the results of your own code before it was changed"
        else:
            checked = "checked" if theirs.value_or(HELD) else "not checked"
            engine = f"engine {theirs.value('engine')} {theirs.value('engine version')}"
            found = f"the results that are there ({engine}, {checked})"
        click.echo(f"{found} are replaced when these are complete", err=True)
