"""Text that commands print: wrapped to fit a terminal."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console

from sim.cli.stdout import mute_stdout
from sim.text.rendered import table_width

WIDTH = 100
_NUMBER_AND_UNIT = re.compile(r"(\d) (?=(?:%|pp|ns|us|ms|s|y)(?:[\s,;.)]|$))")


def terminal_width() -> int:
    """Return how many columns lines may take: those of the terminal, at most 100."""
    return min(table_width(), WIDTH)


class Printer(Console):
    """Prints to stdout; if its reader leaves (`| head`) it goes on silently, so that files are still saved."""

    def __init__(self) -> None:
        super().__init__(width=table_width(), highlight=False, markup=False, soft_wrap=False)

    def on_broken_pipe(self) -> None:
        """Print nothing from here on."""
        self.quiet = True
        mute_stdout()

    def sentence(self, text: str, indent: str = "") -> None:
        """Print a text wrapped between words, but not between a number and its unit; `indent` is for all lines."""
        tied = _NUMBER_AND_UNIT.sub("\\1\u00a0", text)
        lines = textwrap.wrap(
            tied,
            terminal_width(),
            initial_indent=indent,
            subsequent_indent=f"{indent}  " if indent else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines:
            self.verbatim(line.replace("\u00a0", " "))

    def verbatim(self, text: str) -> None:
        """Print a text as it is, on one line: a command to copy, a path."""
        self.print(text, soft_wrap=True)
