"""The command `retrysim`: finds and runs a command, and turns an error into a message and an exit code."""

from __future__ import annotations

import gc
import io
import signal
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sim.cli.exit_codes import INTERNAL_ERROR, INTERRUPTED, OK
from sim.cli.interrupts import interrupts
from sim.cli.stdout import mute_stdout, reader_may_leave

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {
    "run": "Simulate a scenario; print and save the results.",
    "validate": "Check scenario files, or show one with nothing left to guess.",
    "show": "Print saved results again.",
    "report": "Write saved results as one page for a browser.",
    "live": "Serve a page with sliders for the numbers of a scenario.",
    "export": "Write the requests of saved results as CSV or Parquet.",
    "replay": "Simulate one request again and tell its story.",
    "compare": "Compare two results: better, worse, or possibly chance.",
    "tune": "Search the parameters of a scenario for the best trade-offs.",
    "explore": "Search a small world for courses of events that break something.",
    "presets": "List the policies of real libraries and services, or explain one.",
    "fit": "Make a scenario of a log of calls.",
    "convert": "Turn configurations of retries into scenarios, and back.",
    "schema": "Print the JSON Schema of scenario files.",
    "completion": "Print the script that completes command lines in a shell.",
}


class Commands(click.Group):
    """The commands by name; a list of them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order in which people need them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        with interrupts.held(), no_collections():
            command: click.Command = import_module(f"sim.cli.{cmd_name}").command
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line."""
        with reader_may_leave():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with reader_may_leave():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first sentence."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextmanager
def no_collections() -> Iterator[None]:
    """Let Python look for no garbage: all that is imported stays, and the looking takes an eighth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="retrysim", prog_name="retrysim")
def cli() -> None:
    """If I retry like this, what happens?

    Simulates retriers, the ones of Convex and your own, against actions that fail, crash and hang, and measures how
    long things take, how often they are tried, how often they happen twice, and which are stuck for ever.
    """  # noqa: D400  # a question


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupts)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Characters that the terminal's encoding does not have are written as escapes.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="retrysim", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # `_report` raises an internal error again
        code = _report(error)
    interrupts.stop()
    sys.exit(code if isinstance(code, int) else OK)


def _report(error: BaseException) -> int:
    """Say on stderr why a command failed, and return the exit code; raises an internal error again."""
    if interrupts.asked or isinstance(error, (KeyboardInterrupt, click.Abort)):
        interrupts.stop()
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        click.echo(f"interrupted; {interrupts.saved}", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, OSError):
        # Errors of scenario and results files have their own messages; this one is of stdout.
        mute_stdout()
        click.echo(f"Error: cannot write the output: {error.strerror or error}", err=True)
        return INTERNAL_ERROR
    raise error
