"""The picture of a comparison."""

from pathlib import Path

import pytest
from matplotlib.axes import Axes
from reported import GONE, LATER, MS, SPREAD, Groups, MakePair

from sim.pictures.comparison import DARK_RED, plot_comparison, save_comparison
from sim.pictures.drawing import GREEN
from sim.text.comparison_sentences import finding

S = 1000 * MS


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (SPREAD, LATER),
        ([(400, {})], [(400, {})]),
        ([(300, {}), (100, {"outcome": "gave_up"})], [(400, {"first_effect_ns": S})]),
        ([(5, {})], [(5, {"first_effect_ns": S})]),
    ],
)
def test_the_title_states_the_finding(make_pair: MakePair, a: Groups, b: Groups) -> None:
    pair = make_pair(a, b)
    assert " ".join(plot_comparison(pair).get_title().split()) == finding(pair)


def arrows(ax: Axes) -> list[str]:
    return [text.arrow_patch.get_edgecolor() for text in ax.texts if getattr(text, "arrow_patch", None) is not None]


def test_quantiles_that_move_have_an_arrow_and_words(make_pair: MakePair) -> None:
    ax = plot_comparison(make_pair(SPREAD, LATER))
    assert (len(arrows(ax)), sum("worse" in text.get_text() for text in ax.texts)) == (4, 3)


@pytest.mark.parametrize(("turned", "color"), [(False, DARK_RED), (True, GREEN)])
def test_what_is_worse_and_what_is_better_differ_in_color(make_pair: MakePair, color: str, *, turned: bool) -> None:
    ax = plot_comparison(make_pair(LATER, SPREAD) if turned else make_pair(SPREAD, LATER))
    colors = {str(text.get_color()) for text in ax.texts if text.get_text().endswith(("worse", "better"))}
    assert colors == {color}


TRICKY: dict[str, Groups] = {
    "one request": [(1, {})],
    "all infinite": [(5, GONE)],
    "all canceled": [(5, {**GONE, "outcome": "canceled"})],
    "all at once": [(5, {"first_effect_ns": 0, "settled_ns": 0, "known_attempt_end_ns": 0})],
    "a century": [(5, {"first_effect_ns": 2**61}), (5, {"first_effect_ns": 1})],
}


@pytest.mark.parametrize("a", TRICKY.values(), ids=TRICKY)
@pytest.mark.parametrize("b", TRICKY.values(), ids=TRICKY)
def test_a_picture_can_be_drawn_of_anything(make_pair: MakePair, a: Groups, b: Groups) -> None:
    ax = plot_comparison(make_pair(a, b, paired=False, names=("$_{", "_b")))
    ax.get_figure().draw_without_rendering()  # type: ignore[union-attr]
    assert ax.get_title() != ""


def test_the_same_comparison_gives_the_same_bytes(make_pair: MakePair, tmp_path: Path) -> None:
    pair = make_pair(SPREAD, LATER)
    twice = [save_comparison(pair, "caption", tmp_path, stem, svg=True) for stem in ("one", "two")]
    assert [path.read_bytes() for path in twice[0]] == [path.read_bytes() for path in twice[1]]
