"""Cells compared with words."""

import pytest

from sim.tabular.words import Words, word_of


@pytest.mark.parametrize(
    ("word", "cell", "is_one"),
    [
        ("200", "200", True),
        ("200", "200.0", True),
        ("200", " 200 ", True),
        ("200.0", "200", True),
        ("200", "2000", False),
        ("5xx", "503", True),
        ("5XX", "503.0", True),
        ("5xx", "500.5", False),
        ("5xx", "50", False),
        ("5xx", "5xx", True),
        ("Timeout", "timeout", True),
        ("time", "timeout", False),
        ("", "", True),
        ("", "x", False),
        ("true", "True", True),
        ("/pay", "/pay", True),
    ],
)
def test_a_cell_is_a_word_if_it_means_the_same(word: str, cell: str, *, is_one: bool) -> None:
    assert (cell in Words([word])) is is_one


@pytest.mark.parametrize(
    ("value", "word"), [(200, "200"), (200.0, "200"), (0.5, "0.5"), (True, "true"), (None, ""), (" a ", "a")]
)
def test_values_of_files_have_a_word(value: object, word: str) -> None:
    assert word_of(value) == word
