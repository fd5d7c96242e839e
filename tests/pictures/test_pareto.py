"""The picture of a search for parameters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reported import MS, OBJECTIVES

from sim.history.vocabulary import NEVER
from sim.pictures.pareto import plot_pareto, save_pareto
from sim.text.tried import Role, Tried


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
