"""`retrysim presets`: list the policies that people run, or explain one and draw the law of its delays."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich import box
from rich.table import Table

from sim.cli import completions
from sim.cli.files import refuse_unwritable, saving
from sim.cli.terminal import WIDTH, Printer
from sim.retriers.presets import PRESETS, find
from sim.retriers.presets.delays import LAST_BELOW_ONE, first_delays_ns, laws
from sim.scenario.yaml.writer import narrow_lines
from sim.text.numerals import duration_text

if TYPE_CHECKING:
    from sim.retriers.presets import Preset
    from sim.retriers.presets.delays import NamedLaw

NARROWEST: Final = 80
WIDEST: Final = 160
"""Bounds of the width of the list, which uses what the terminal has."""
WIDE: Final = 140
"""From here on the library has a column of its own."""
GAP: Final = 2
"""Columns between those of a table, and behind the last."""
MOST_DELAYS: Final = 10
NUMBERS: Final = (("U = 0", 0.0), ("U = 0.5", 0.5), ("U = 1-", LAST_BELOW_ONE))
KINDS: Final = (".png", ".svg")
_BESIDE_NAME: Final = "NAME.png"


@click.command("presets")
@click.argument("name", required=False, shell_complete=completions.presets)
@click.option(
    "--plot",
    is_flag=False,
    flag_value=_BESIDE_NAME,
    metavar="[FILE]",
    help="Draw how the delays of NAME spread, into FILE (.png or .svg; NAME.png).",
)
def command(name: str | None, plot: str | None) -> None:
    """List the policies of real libraries and services that a scenario can name, or explain one.

    Each follows the code of its library: how long it waits before each retry, how often it tries, its budgets and
    breakers. `retrier: NAME` in a scenario runs it; `{kind: policy, preset: NAME, attempts: 5}` changes parts of it.
    """
    if name is None:
        if plot is not None:
            raise click.UsageError("--plot draws one preset: name it before the option")
        _print_list()
        return
    try:
        preset = find(name)
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    picture = None if plot is None else _picture(preset, plot)
    printer = Printer()
    _explain(preset, printer)
    if picture is not None:
        _draw(preset, picture)
        printer.verbatim(f"\ndrawn: {picture}")


def _print_list() -> None:
    printer = Printer()
    printer.width = max(NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST))
    wide = printer.width >= WIDE
    table = _table()
    names = max(len(preset.name) for preset in PRESETS)
    tries = max(len(preset.attempts) for preset in PRESETS)
    # The laws get what the others leave.
    left = printer.width - (names + GAP) - (tries + GAP) - GAP
    table.add_column("preset" if wide else "preset\nlibrary and version", overflow="fold", width=names)
    if wide:
        libraries = max(len(_library(preset)) for preset in PRESETS)
        left -= libraries + GAP
        table.add_column("library and version", width=libraries)
    table.add_column("delay before retry n", overflow="fold", width=left)
    table.add_column("tries", width=tries)
    for preset in PRESETS:
        heads = (preset.name, _library(preset)) if wide else (f"{preset.name}\n  {_library(preset)}",)
        table.add_row(*heads, preset.formula, preset.attempts)
    printer.print(table)
    printer.verbatim("\nretrysim presets NAME explains one; U is uniform on [0, 1)")


def _library(preset: Preset) -> str:
    return f"{preset.library} {preset.version}"


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)


def _explain(preset: Preset, printer: Printer) -> None:
    printer.sentence(f"{preset.name}: {_library(preset)}")
    for what, text in (
        ("delay", preset.formula),
        ("tries", f"{preset.attempts} (the library counts {preset.counting})"),
        ("source", preset.source),
    ):
        lines = textwrap.wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines):
            printer.verbatim(f"  {'' if number else what:<8}{line}")
    printer.verbatim("")
    printer.verbatim("retrier:")
    for line in narrow_lines({"kind": "policy", **preset.policy}, NARROWEST, "  "):
        printer.verbatim(line)
    for sentence in preset.notes:
        printer.verbatim("")
        printer.sentence(sentence)
    for law in laws(preset):
        _print_delays(law, printer)


def _print_delays(law: NamedLaw, printer: Printer) -> None:
    """Print the first delays, at most as many as there are retries."""
    count = MOST_DELAYS if law.retries is None else min(law.retries, MOST_DELAYS)
    numbers = NUMBERS if law.law.streams else (("delay", 0.0),)
    columns = [[duration_text(delay) for delay in first_delays_ns(law.law, count, number)] for _, number in numbers]
    if not count or set(columns[0]) == {duration_text(0)} == set(columns[-1]):
        return
    table = _table()
    table.add_column("n", justify="right")
    for heading, _ in numbers:
        table.add_column(heading, justify="right")
    for n, row in enumerate(zip(*columns, strict=True), start=1):
        table.add_row(str(n), *row)
    printer.verbatim(f"\nafter {', '.join(law.after)}" if law.after else "")
    printer.print(table)


def _picture(preset: Preset, plot: str) -> Path:
    path = Path(f"{preset.name}.png") if plot == _BESIDE_NAME else Path(plot)
    if path.suffix not in KINDS:
        raise click.UsageError(f"--plot writes {' or '.join(KINDS)}, not '{path.name}'")
    refuse_unwritable(path.parent)
    return path


def _draw(preset: Preset, path: Path) -> None:
    from sim.pictures.delays import save_delays

    caption = f"{_library(preset)}: {preset.formula}"
    with saving(path.parent, ()) as beside:
        for file in save_delays(preset, caption, beside, path.stem, svg=path.suffix == ".svg"):
            if file.suffix != path.suffix:
                file.unlink()
