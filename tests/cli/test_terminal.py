"""Text that commands print: wrapped between words, and no number of a table lost."""

from collections.abc import Callable

import pytest
from click.testing import Result

from sim.cli.terminal import Printer


def test_sentences_break_between_words_but_not_before_a_unit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Printer().sentence("a success rate that is as high as 99.50 % (98.20 % to 99.86 %), after 4.71 s")
    assert capsys.readouterr().out.splitlines() == [
        "a success rate that is as high as",
        "99.50 % (98.20 % to 99.86 %), after",
        "4.71 s",
    ]


def test_lines_to_copy_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    line = "retrysim replay " + "very-long/" * 30 + "x.yaml --request [3]"
    Printer().verbatim(line)
    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize("columns", ["60", "80", "120", "160"])
def test_the_table_fits_the_terminal_and_says_what_it_leaves_out(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = run("run", "verdicts.yaml", "--requests", "50", "--no-plots").stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("cell"))
    end = next(number for number, line in enumerate(lines) if line.startswith("'"))
    assert max(map(len, (line.rstrip() for line in lines[:end]))) <= int(columns)
    assert ("left out" in " ".join(lines[start:end])) == (int(columns) <= 120)
