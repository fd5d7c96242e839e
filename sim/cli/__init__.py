"""The command line: one small module a command, imported when the command is used.

Exit codes: 0 done, 1 internal error, 2 usage, 3 invalid scenario, 98 an expectation inconclusive, 99 one missed,
130 interrupted.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

OK = 0
INTERNAL_ERROR = 1
USAGE = 2
INVALID_SCENARIO = 3
INCONCLUSIVE = 98
MISSED = 99
INTERRUPTED = 130

COMMANDS = {
    "run": "Simulate a scenario; print and save what comes out.",
    "validate": "Check scenario files, or show one with nothing left to guess.",
    "replay": "Simulate one request again and tell its story.",
    "schema": "Print the JSON Schema of scenario files.",
}


class Commands(click.Group):
    """Commands by name; listing them imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"sim.cli.{cmd_name}").command
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line."""
        with _reader_may_leave():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _reader_may_leave():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first sentence."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End well where nobody reads any more what a command prints (`| head`); Click would call that an error."""
    try:
        yield
    except BrokenPipeError:
        mute_stdout()
        raise click.exceptions.Exit(OK) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="retrysim", prog_name="retrysim")
def cli() -> None:
    """If I retry like this, what happens?

    Simulates retriers, the ones of Convex and your own, against actions that fail, crash and hang, and measures how
    long things take, how often they are tried, how often they happen twice, and what is stuck for ever.
    """  # noqa: D400  # a question


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding cannot say is spelled out.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="retrysim", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        no_more_interrupts()
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        click.echo("interrupted; nothing was written", err=True)
        code = INTERRUPTED
    except OSError as error:
        # Scenarios and results have words of their own for this; what is left is stdout.
        mute_stdout()
        click.echo(f"Error: cannot write what there is to say: {error.strerror or error}", err=True)
        code = INTERNAL_ERROR
    no_more_interrupts()
    sys.exit(code if isinstance(code, int) else OK)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Interrupt as Python does; a handler of our own tells that `main` is there to catch it."""
    raise KeyboardInterrupt


def no_more_interrupts() -> None:
    """Ignore Ctrl-C from here on, as what is left takes no time; does nothing where `main` does not run."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def mute_stdout() -> None:
    """Let what is still to be printed go nowhere, which Python would otherwise try to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
