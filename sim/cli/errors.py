"""Errors of scenarios, retriers, results and workers: printed on stderr, each with the right exit code."""

from __future__ import annotations

import sysconfig
import traceback
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

import click

from sim.cli.exit_codes import BROKEN, CORRUPT, INVALID_SCENARIO
from sim.cli.terminal import WIDTH
from sim.experiment.executors import NoDask
from sim.experiment.pool import WorkersDie
from sim.explorer.repeats import NotRepeatable
from sim.kernel.errors import InternalError
from sim.results.errors import (
    CorruptResults,
    DamagedResults,
    ForeignResults,
    NotStored,
    RunInProgress,
)
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sim.cli.scenario_options import Source


@contextmanager
def scenario_errors(source: Source) -> Iterator[None]:
    """Print what is wrong with a scenario, or with the user's own code, and exit with 3.

    If the same course goes another way, exit with 4.
    """
    try:
        yield
    except NotRepeatable as error:
        click.echo("\n".join(wrap(str(error), WIDTH, break_on_hyphens=False)), err=True)
        raise click.exceptions.Exit(BROKEN) from None
    except ScenarioError as error:
        print_problems(error, source.path)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None
    except (click.ClickException, click.exceptions.Exit, InternalError):
        raise
    except (Exception, SystemExit) as error:  # one's own code may call sys.exit, which would end the command in silence
        if not source.has_own_code:
            raise
        option = _to_blame(source, error)
        for line in _mistake(error):
            click.echo(f"{option}: {line}" if line[0] != " " else line, err=True)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None


def print_problems(error: ScenarioError, path: str) -> None:
    """Print every problem of a scenario on stderr, each with its place; `path` is its file."""
    for problem in error.problems:
        click.echo(str(problem if problem.file else replace(problem, file=path)), err=True)


WRITES: Final = {
    DamagedResults: "Put back a good copy, or start anew: the same command with --fresh replaces it",
    ForeignResults: "Give this run another folder with --out, or replace the file: the same command with --fresh",
}
"""What helps a command that simulates, by what is wrong with the results in its folder."""
READS: Final = {
    DamagedResults: "Put back a good copy, or simulate its scenario again",
    ForeignResults: "Name the folder of a finished run, or its file results.sqlite",
}
"""What helps a command that only reads results."""


@contextmanager
def results_errors(
    what_is_saved: Callable[[], str] = lambda: "", *, advice: Mapping[type[CorruptResults], str] = WRITES
) -> Iterator[None]:
    """Print what is wrong with results or with workers, and exit: with 5 if files are damaged or foreign.

    `what_is_saved` says how much of the work is saved; it ends the message if the run can go on later. `advice` is what
    helps with this command.
    """
    try:
        yield
    except CorruptResults as error:
        helps = advice.get(type(error))
        click.echo(f"Error: {error}. {helps}" if helps else f"Error: {error}", err=True)
        raise click.exceptions.Exit(CORRUPT) from None
    except NoDask as error:
        raise click.UsageError(str(error)) from None
    except (RunInProgress, WorkersDie) as error:
        raise _with_saved(str(error), what_is_saved()) from None
    except NotStored as error:
        raise _with_saved(f"'{error.filename}' cannot be written: {error.strerror}", what_is_saved()) from None


def _with_saved(message: str, saved: str) -> click.ClickException:
    return click.ClickException(f"{message}; {saved}" if saved else message)


def _to_blame(source: Source, error: BaseException) -> str:
    """Return the option that names the code in which a mistake was made."""
    notes = getattr(error, "__notes__", ())
    no_retrier = source.retrier is None and not source.retriers
    for name, path in source.services:
        if no_retrier or any(note.startswith(f"raised by service '{name}' ") for note in notes):
            return f"--service {name}={path}"
    if source.retrier is not None:
        return f"--retrier {source.retrier}"
    return " ".join(f"--retrier {name}={path}" for name, path in source.retriers)


def _mistake(error: BaseException) -> Iterator[str]:
    """Say what went wrong in the user's code, with the lines of its own files alone."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, NotImplementedError) and not error.args:
        yield f"it does not define '{frames[-1].name}'"
        return
    if getattr(error, "says_all", False):  # of a guest: its text has the line
        yield str(error)
        return
    notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
    yield "".join(traceback.format_exception_only(error)).splitlines()[-1 - len(notes)]
    for note in notes:
        yield from wrap(note, WIDTH, initial_indent="  ", subsequent_indent="  ")
    if isinstance(error, SyntaxError) and error.filename:
        yield f"  {Path(error.filename).name}:{error.lineno}: {(error.text or '').strip()}"
    others = [Path(__file__).parents[1], *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))]
    for frame in frames:
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(folder) for folder in others):
            yield f"  {path.name}:{frame.lineno}, in {frame.name}: {frame.line}"
