import io
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from sim.history.vocabulary import NEVER
from sim.text.columns import Column, lay_out
from sim.text.reported import Cell
from sim.text.tables import table

S = 1_000_000_000
Row = dict[str, object]
MakeCell = Callable[..., Cell]
LONG = "retrier.kind=component, action.outcomes.fail=0.{}, platform.parallelism=8"


def lines_of(cells: Sequence[Cell], width: int = 200, asked: int | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True, force_terminal=False, legacy_windows=False)
    console.print(table(cells, asked or 100))
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def everything(make_cell: MakeCell, name: str, stuck: Row) -> Cell:
    groups: list[tuple[int, Row]] = [
        (20_000, {"first_effect_ns": 754 * S, "attempts": 1, "settled_ns": 86_400 * 399 * S})
    ]
    groups += [(1, {**stuck, "outcome": outcome}) for outcome in ("stuck", "open", "runaway", "gave_up")]
    groups += [(1, {"outcome": "canceled", "duplicates": {"timeout": 1}}), (900, {"attempts": 1234567})]
    return make_cell(name, *groups)


@pytest.fixture(scope="module")
def full_cells(make_cell: MakeCell) -> list[Cell]:
    stuck: Row = {"first_effect_ns": NEVER, "settled_ns": NEVER}
    cell = everything(make_cell, "x", stuck)
    return [Cell(LONG.format(number), cell.metrics) for number in range(12)]


def test_twelve_cells_with_long_names_and_every_outcome_fit_100_columns(full_cells: list[Cell]) -> None:
    assert max(map(len, lines_of(full_cells))) <= 100


@pytest.mark.parametrize("length", [1, 12, 17, 40, 300])
@pytest.mark.parametrize("break_every", [0, 5])
def test_names_of_any_length_fit_100_columns(full_cells: list[Cell], length: int, break_every: int) -> None:
    name = "".join(" " if break_every and place % break_every == 4 else "n" for place in range(length))
    assert max(map(len, lines_of([Cell(name, full_cells[0].metrics)], width=100))) <= 100


def test_long_names_stand_below_the_table_in_full(full_cells: list[Cell]) -> None:
    text = "\n".join(lines_of(full_cells))
    assert [f"{number + 1}: {LONG.format(number)}" in text for number in range(12)] == [True] * 12


def test_only_outcomes_that_occur_have_a_column(make_cell: MakeCell, stuck: Row) -> None:
    heads = lines_of([make_cell("a", (10, {})), make_cell("b", (9, {}), (1, stuck))])[2].split()
    assert heads == ["cell", "success", "stuck", "p50", "p99", "p50", "p99", "mean", "cates"]


def test_what_never_comes_reads_never(make_cell: MakeCell, stuck: Row) -> None:
    row = next(line for line in lines_of([make_cell("a", (500, {}), (500, stuck))]) if line.startswith("a"))
    assert row.split() == ["a", "50.00", "%", "50.00", "%", "100", "ms", "never", "150", "ms", "never", "1", "0", "%"]


def test_intervals_stand_below_their_values_and_are_explained(make_cell: MakeCell) -> None:
    lines = lines_of([make_cell("a", (95, {}), (5, {"outcome": "gave_up"}))])
    below = lines[next(place for place, line in enumerate(lines) if line.startswith("a")) + 1]
    assert below.split()[0] == "88.72-98.36"
    assert any(line.startswith("below a value: its 95 % interval") for line in lines)


@pytest.mark.parametrize("asked", [60, 72, 80, 90, 100, 120, 160, 200])
@pytest.mark.parametrize("count", [1, 12])
def test_a_table_fits_its_width_and_says_what_it_leaves_out(full_cells: list[Cell], asked: int, count: int) -> None:
    lines = lines_of(full_cells[:count], asked=asked)
    assert max(map(len, lines)) <= asked
    heads = " ".join(lines[:4])
    has_all = all(name in heads for name in ("success", "gave up", "stuck", "open", "canceled", "runaway"))
    assert has_all or "left out: " in " ".join(lines) or "other" in heads


def test_a_wide_table_has_every_interval_and_further_percentiles(make_cell: MakeCell) -> None:
    lines = lines_of([make_cell("a", (950, {}), (50, {"outcome": "gave_up", "attempts": 3}))], asked=160)
    text = "\n".join(lines)
    assert ("left out" in text, "p99.9" in text, "p90" in text) == (False, True, True)


def test_the_note_names_a_width_that_shows_every_interval(make_cell: MakeCell) -> None:
    cells = [make_cell(name, (950, {}), (50, {"outcome": "gave_up", "attempts": 3})) for name in ("one", "two")]
    note = " ".join(" ".join(lines_of(cells, asked=80)).split())
    needed = int(note.partition("a terminal of ")[2].partition(" columns")[0])
    assert ["left out" in " ".join(lines_of(cells, asked=width)) for width in (needed - 1, needed)] == [True, False]


def test_cells_that_differ_read_differently(make_cell: MakeCell) -> None:
    cells = [make_cell(f"c{n}", (200_000 - n, {}), (n, {"outcome": "gave_up"})) for n in (1, 2, 3)]
    rows = [line.split() for line in lines_of(cells, asked=160) if line.startswith("c") and not line.startswith("cell")]
    assert len({row[1] for row in rows}) == 3
    assert len({row[3] for row in rows}) == 3


def test_rare_shares_have_their_counts_beside_them(make_cell: MakeCell, stuck: Row) -> None:
    text = "\n".join(lines_of([make_cell("a", (20_000, {}), (2, stuck))]))
    assert "2 of 20,002" in text


def test_counts_without_room_are_told_below_even_if_nothing_else_is_left_out() -> None:
    counts = [f"{number} of 6,000,000" for number in range(1, 7)]
    column = Column("stuck", 0, ["0.00 %"] * 6, [""] * 6, counts)
    layout = lay_out([column], width=14, least=4, most=4)
    said = ", ".join(f"stuck {count}" for count in counts[:4])
    assert (column.shows_counts, layout.notes) == (False, [f"rare: {said} and 2 more"])


def test_one_replication_of_a_shared_world_says_why_there_are_no_intervals(make_cell: MakeCell) -> None:
    assert lines_of([make_cell("a", (10, {}), shared=True)])[-1] == "no intervals: one replication of a shared world"


def test_shares_too_small_for_a_column_are_still_not_zero(full_cells: list[Cell]) -> None:
    text = "\n".join(lines_of([Cell("a", full_cells[0].metrics)], asked=160))
    assert "1 of 20,905" in text


def test_a_cell_without_requests_has_dashes(make_cell: MakeCell) -> None:
    row = next(line for line in lines_of([make_cell("a")]) if line.startswith("a"))
    assert row.split() == ["a", *["-"] * 10]


def test_no_cells_make_an_empty_table() -> None:
    assert max(map(len, lines_of([]))) <= 100


def test_names_are_never_read_as_markup(make_cell: MakeCell) -> None:
    text = "\n".join(lines_of([make_cell("[bold]a[/nonsense]", (1, {}))]))
    assert "[bold]a" in text
