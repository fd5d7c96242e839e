"""The command line: one small module a command, imported when the command is used.

Exit codes: 0 done, 1 internal error, 2 usage, 3 invalid scenario, 98 an expectation inconclusive, 99 one missed,
130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first sentence."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="retrysim", prog_name="retrysim")
def cli() -> None:
    """If I retry like this, what happens?

    Simulates retriers, the ones of Convex and your own, against actions that fail, crash and hang, and measures how
    long things take, how often they are tried, how often they happen twice, and what is stuck for ever.
    """  # noqa: D400  # a question


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    try:
        code = cli.main(prog_name="retrysim", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing was written", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough; what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OK
    sys.exit(code if isinstance(code, int) else OK)
