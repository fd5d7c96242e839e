"""The commands, their options and exit codes, from the command line itself."""

from __future__ import annotations

import click

from reference.markdown import block, code, documented_names, one_line, prose, table, terms
from sim.cli import exit_codes as codes
from sim.cli.main import COMMANDS, cli


def all_commands() -> str:
    """Return a section for each command."""
    return "\n".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        raise LookupError(f"{name} is no command")
    context = click.Context(command, info_name=f"retrysim {name}")
    usage = block("text", context.get_usage().removeprefix("Usage: "))
    options = [_option(one, context) for one in command.params if isinstance(one, click.Option)]
    told = prose((command.help or "").replace("\b\n", ""))
    return f"(command-{name})=\n## `{name}`\n\n{usage}\n{told}\n\n{terms(options)}"


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    written, text = record or (", ".join(option.opts), "")
    return code(written), one_line(text)


def exit_codes() -> str:
    """Return the exit codes in ascending order."""
    told = documented_names(codes)
    numbers = {name: value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    rows = [(code(number), one_line(told[name])) for name, number in sorted(numbers.items(), key=lambda one: one[1])]
    _, _, if_several = (codes.__doc__ or "").partition("\n\n")
    return f"{table(('code', 'means'), rows)}\n{prose(if_several)}\n"
