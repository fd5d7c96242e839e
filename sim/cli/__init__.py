"""The command line: one small module a command, imported when the command is used.

Exit codes: 0 done, 1 internal error, 2 usage, 3 invalid scenario, 4 an invariant broken, 5 a corrupt or foreign results
file, 98 an expectation inconclusive, 99 one missed, 130 interrupted. Where several apply a broken invariant comes
first, then what is missed.
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
BROKEN = 4
CORRUPT = 5
INCONCLUSIVE = 98
MISSED = 99
INTERRUPTED = 130

NOTHING = "nothing was written"

COMMANDS = {
    "run": "Simulate a scenario; print and save what comes out.",
    "validate": "Check scenario files, or show one with nothing left to guess.",
    "show": "Print the answer of saved results again.",
    "export": "Write the requests of saved results as CSV or Parquet.",
    "replay": "Simulate one request again and tell its story.",
    "compare": "Say what is better, what is worse and what may be chance.",
    "tune": "Search the parameters of a scenario for those worth choosing among.",
    "explore": "Search a small world for courses that break something.",
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
        with interrupts.held():
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
        signal.signal(signal.SIGINT, interrupts)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding cannot say is spelled out.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="retrysim", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # `_told` raises again what it has no words for
        code = _told(error)
    interrupts.stop()
    sys.exit(code if isinstance(code, int) else OK)


def _told(error: BaseException) -> int:
    """Say on stderr why a command did not end well, and return the exit code; raises what is a mistake of ours."""
    if interrupts.asked or isinstance(error, (KeyboardInterrupt, click.Abort)):
        interrupts.stop()
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        click.echo(f"interrupted; {interrupts.kept}", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, OSError):
        # Scenarios and results have words of their own for this; what is left is stdout.
        mute_stdout()
        click.echo(f"Error: cannot write what there is to say: {error.strerror or error}", err=True)
        return INTERNAL_ERROR
    raise error


class Interrupts:
    """The handler of Ctrl-C: raises KeyboardInterrupt, and remembers.

    Extension modules that are being imported swallow the exception, make an ImportError of it or leave Python unable to
    end. So it is held back while commands are imported, and what takes long asks again with `check`.
    """

    def __init__(self) -> None:
        self.asked = False
        self.kept = NOTHING
        """What is to be said of the work that was done, where a command is interrupted."""
        self._holds = False

    def __call__(self, signal_number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        del signal_number, frame
        self.asked = True
        if not self._holds:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold interrupts back until the end of the block."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt where one has been lost."""
        if self.asked:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Ignore Ctrl-C from here on, as what is left takes no time; does nothing where `main` does not run."""
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


interrupts = Interrupts()


def mute_stdout() -> None:
    """Let what is still to be printed go nowhere, which Python would otherwise try to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
