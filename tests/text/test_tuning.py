"""The table, the sentences and the picture of a search for parameters."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from sim.expect.expectations import parse
from sim.history.vocabulary import NEVER
from sim.pictures.pareto import plot_pareto, save_pareto
from sim.text.reported import Cell
from sim.text.tried import Role, Tried
from sim.text.tuning_sentences import Effort, sentences
from sim.text.tuning_table import TABLE_WIDTH, table

MS = 1_000_000
MakeCell = Callable[..., Cell]
OBJECTIVES = ["time_to_effect.p99", "cost.actions"]
CONSTRAINTS = ["success.rate >= 99%", "amplification <= 3"]
EFFORT = Effort(64, whole_space=False, searched=100_000, fresh=45_000, each=5000, seed=1, fresh_seed=77, shared=False)


@pytest.fixture
def tried(make_cell: MakeCell, stuck: dict[str, object]) -> Callable[..., Tried]:
    def make(  # noqa: PLR0913  # what a candidate is
        role: Role,
        p99_ms: float,
        actions: int = 1,
        *,
        number: int = 0,
        lost: int = 0,
        params: dict[str, str] | None = None,
        expect: Sequence[str] = CONSTRAINTS,
    ) -> Tried:
        row = {"first_effect_ns": round(p99_ms * MS), "actions": actions, "attempts": actions}
        cell = make_cell("x", (400 - lost, row), (lost, {**stuck, "actions": actions}), expect=expect)
        named = {"initial_backoff": "1s", "base": "2"} if params is None else params
        return Tried(role, named, cell.metrics, cell.verdicts, number)

    return make


@pytest.fixture
def found(tried: Callable[..., Tried]) -> list[Tried]:
    return [
        tried(Role.point, 100, 3, number=1),
        tried(Role.point, 900, 2, number=2),
        tried(Role.dominated, 1000, 3),
        tried(Role.as_written, 200, 1, lost=40),
        tried(Role.tried, 500, 9),
        tried(Role.tried, 500, 1, lost=200),
    ]


def text_of(
    rows: Sequence[Tried], objectives: Sequence[str] = OBJECTIVES, constraints: Sequence[str] = CONSTRAINTS
) -> str:
    console = Console(width=TABLE_WIDTH, no_color=True, highlight=False, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  # kept by the console
    console.print(table(rows, objectives, [parse(one) for one in constraints]))
    console.file.close()
    return console.export_text()


# The table.


def test_the_table_has_a_row_a_point_and_what_is_written(found: list[Tried]) -> None:
    lines = text_of(found).splitlines()
    assert [line.split("  ")[0] for line in lines if line[:1].strip() and line[0] in "12a"] == ["1", "2", "as written"]


def test_what_misses_its_bound_is_marked_and_so_is_what_may(found: list[Tried], tried: Callable[..., Tried]) -> None:
    text = text_of([*found[:3], tried(Role.as_written, 200, lost=40), tried(Role.unsure, 100)])
    assert "90.00 % !" in text
    assert "!: misses the bound" in text
    closest = text_of([tried(Role.unsure, 100, lost=3), tried(Role.as_written, 200)])
    assert "99.25 % ?" in closest
    assert closest.count("closest") == 1


def test_bounds_stand_in_the_headers_of_what_is_constrained(found: list[Tried]) -> None:
    assert ">= 99%" in text_of(found)
    assert "<= 3" in text_of(found)


@pytest.mark.parametrize("keys", [1, 3, 8])
@pytest.mark.parametrize("objectives", [1, 2, 4])
@pytest.mark.parametrize("constraints", [0, 2, 5])
def test_the_table_fits_100_columns(tried: Callable[..., Tried], keys: int, objectives: int, constraints: int) -> None:
    params = {f"some_long_parameter_{number}": "1m30.5s" for number in range(keys)}
    bounds = ["success.rate >= 99%", "gave_up.rate <= 1%", "amplification <= 3", "polls.mean <= 90", "stuck.rate <= 5%"]
    paths = ["time_to_known.success.p99.9", "time_to_effect.p99", "duplicates.rate", "cost.action_ms"]
    rows = [
        tried(Role.point, 123456, 3, number=number, params=params, expect=bounds[:constraints]) for number in (1, 2)
    ]
    rows.append(tried(Role.as_written, 5, lost=40, params=params, expect=bounds[:constraints]))
    lines = text_of(rows, paths[:objectives], bounds[:constraints]).splitlines()
    assert max(map(len, lines)) <= TABLE_WIDTH
    assert not any("…" in line for line in lines)
    assert sum("1m30.5s" in line for line in lines) >= 3


# Sentences.


def test_sentences_say_what_was_found_what_it_cost_and_how_sure_it_is(found: list[Tried]) -> None:
    first, written, cost, sure = sentences(found, OBJECTIVES, EFFORT)
    assert first.startswith("Of 3 finalists 3 keep every constraint, and 2 of them are the Pareto set")
    assert "from point 1 (time_to_effect.p99 100 ms, cost.actions 3)" in first
    assert "to point 2 (time_to_effect.p99 900 ms, cost.actions 2)" in first
    assert "misses success.rate >= 99%" in written
    assert "64 candidates" in cost
    assert "100,000 requests (seed 1)" in cost
    assert "45,000 others (seed 77)" in cost
    assert "95 % intervals over 5,000 independent requests a point" in sure


def test_one_point_is_said_to_be_alone(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.point, 100, number=1), tried(Role.as_written, 200)]
    assert "it alone is in the Pareto set" in sentences(rows, OBJECTIVES, EFFORT)[0]


def test_what_is_written_may_do_as_well(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.point, 100, number=1), tried(Role.as_written, 100)]
    assert sentences(rows, OBJECTIVES, EFFORT)[1].endswith("no point is beyond doubt better in time_to_effect.p99.")


def test_edges_of_the_space_are_named(found: list[Tried]) -> None:
    effort = Effort(
        4, whole_space=True, searched=1, fresh=1, each=1, seed=0, fresh_seed=1, shared=True, edges=["the highest base"]
    )
    *_, cost, sure, edge = sentences(found, OBJECTIVES, effort)
    assert "all that there are" in cost
    assert "replications" in sure
    assert "the highest base" in edge


def test_what_is_closest_is_told_with_how_far_it_is(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.misses, 100, lost=40), tried(Role.as_written, 200)]
    answer = sentences(rows, OBJECTIVES, EFFORT)[0]
    assert answer.startswith("No finalist keeps every constraint. Closest comes initial_backoff 1s, base 2: missed:")


# The picture.


def test_points_stand_at_their_values_and_carry_their_numbers(found: list[Tried]) -> None:
    ax = plot_pareto(found, *OBJECTIVES)
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    assert [tuple(text.xy) for text in ax.texts] == [(100 * MS, 3.0), (900 * MS, 2.0)]  # type: ignore[attr-defined]
    assert ax.get_xlabel() == "p99 of the time to effect"


def test_what_never_comes_stands_at_the_end_of_its_axis(found: list[Tried]) -> None:
    ax = plot_pareto(found, *OBJECTIVES)
    assert ax.get_xticklabels()[-1].get_text() == "never"
    assert ax.get_xlim()[1] > ax.get_xticks()[-1] > 900 * MS


def test_one_objective_is_drawn_in_rows(found: list[Tried]) -> None:
    ax = plot_pareto(found, "time_to_effect.p99", "time_to_effect.p99")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "2", "", "as written"]


def test_the_title_says_what_was_found(found: list[Tried], tried: Callable[..., Tried]) -> None:
    assert plot_pareto(found, *OBJECTIVES).get_title() == "2 candidates worth choosing among"
    nothing = [tried(Role.misses, NEVER), tried(Role.as_written, 3)]
    assert plot_pareto(nothing, *OBJECTIVES).get_title() == "No candidate is sure to keep every constraint"


@pytest.mark.parametrize("objectives", [OBJECTIVES[:1], OBJECTIVES, [*OBJECTIVES, "duplicates.rate"]])
def test_the_picture_is_the_same_bytes_twice(found: list[Tried], tmp_path: Path, objectives: list[str]) -> None:
    files = [save_pareto(found, objectives, "caption", tmp_path / folder, svg=True) for folder in ("one", "two")]
    assert [path.name for path in files[0]] == ["pareto.png", "pareto.svg"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
