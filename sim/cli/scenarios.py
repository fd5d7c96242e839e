"""What the commands on scenarios have in common: their options, loading, and how errors are told."""

from __future__ import annotations

import shlex
import sys
import sysconfig
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from sim.cli.exit_codes import INVALID_SCENARIO
from sim.cli.output import WIDTH
from sim.kernel.errors import InternalError
from sim.scenario.load import load
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.scenario.schema import Scenario


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{value}' is not KEY=VALUE, such as action.outcomes.fail=0.3")
        pairs.append((key, text))
    return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file and what the command line changes of it."""

    path: str
    seed: int | None
    requests: int | None
    overrides: tuple[tuple[str, str], ...]
    retrier: str | None

    @property
    def brings_retrier(self) -> bool:
        """Whether the command line names a retrier that is the user's own code."""
        return self.retrier is not None and ":" in self.retrier

    def load(self) -> Scenario:
        """Load the scenario; raises ScenarioError."""
        if self.brings_retrier:
            # A retrier of one's own is looked for where the command runs, as `python -m` does.
            sys.path.insert(0, str(Path.cwd()))
        return load(self.path, self.overrides, seed=self.seed, requests=self.requests, retrier=self.retrier)

    def words(self) -> list[str]:
        """Return the words of a command line that name this scenario again."""
        words = [self.path]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        if self.requests is not None:
            words += ["--requests", str(self.requests)]
        for key, text in self.overrides:
            words += ["--set", f"{key}={text}"]
        if self.retrier is not None:
            words += ["--retrier", self.retrier]
        return words

    def replay_line(self, request: int, cell: str | None) -> str:
        """Return the command that replays one request."""
        words = ["retrysim", "replay", *self.words(), "--request", str(request)]
        return shlex.join([*words, "--cell", cell] if cell is not None else words)


def scenario_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument SCENARIO and the options that change it; they reach the command as `source`."""
    options = [
        click.argument("scenario", metavar="SCENARIO"),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Take another seed."),
        click.option("--requests", type=click.IntRange(1), metavar="N", help="Simulate another number of requests."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            callback=_pairs,
            help="Change a setting, such as action.outcomes.fail=0.3; may be repeated.",
        ),
        click.option(
            "--retrier", metavar="KIND|MODULE:CLASS", help="Take another retrier, or one of your own from a module."
        ),
    ]

    def command(
        scenario: str,
        seed: int | None,
        requests: int | None,
        overrides: tuple[tuple[str, str], ...],
        retrier: str | None,
        **rest: Any,
    ) -> None:
        function(Source(scenario, seed, requests, overrides, retrier), **rest)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    for option in reversed(options):
        command = option(command)
    params = getattr(function, "__click_params__", [])
    command.__click_params__ = [*params, *command.__click_params__]  # type: ignore[attr-defined]
    return command


def refuse(error: ScenarioError, path: str) -> click.exceptions.Exit:
    """Tell every problem of a scenario on stderr, each with a place; returns the exit to raise."""
    for problem in error.problems:
        click.echo(str(problem if problem.file else replace(problem, file=path)), err=True)
    return click.exceptions.Exit(INVALID_SCENARIO)


@contextmanager
def problems_told(source: Source) -> Iterator[None]:
    """Tell on stderr what is wrong with a scenario, or with the retrier that came with it, and exit."""
    try:
        yield
    except ScenarioError as error:
        raise refuse(error, source.path) from None
    except (click.ClickException, click.exceptions.Exit, InternalError):
        raise
    except Exception as error:
        if not source.brings_retrier:
            raise
        for line in _own_mistake(error):
            click.echo(f"--retrier {source.retrier}: {line}" if line[0] != " " else line, err=True)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None


def _own_mistake(error: Exception) -> Iterator[str]:
    """Say what went wrong in a user's retrier, with the lines of that code alone."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, NotImplementedError) and not error.args:
        yield f"it does not define '{frames[-1].name}'"
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


__all__ = ["Source", "problems_told", "refuse", "scenario_options"]
