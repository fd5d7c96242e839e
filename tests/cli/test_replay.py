"""`retrysim replay`: which request, which cell, and the picture."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_a_replay_prints_a_story_and_saves_a_picture(run: Run) -> None:
    result = run("replay", "crashes.yaml", "--request", "0")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "saved results/crashes/request-all-0.png"
    assert [path.name for path in Path("results/crashes").iterdir()] == ["request-all-0.png"]


def test_svg_adds_a_picture_and_goes_when_the_next_replay_writes_none(run: Run) -> None:
    words = ("replay", "crashes.yaml", "--request", "0", "--out", "out")
    seen = []
    for more in (("--svg",), ()):
        run(*words, *more)
        seen.append(sorted(path.name for path in Path("out").iterdir()))
    assert seen == [["request-all-0.png", "request-all-0.svg"], ["request-all-0.png"]]


def test_no_plots_saves_nothing(run: Run) -> None:
    assert run("replay", "crashes.yaml", "--request", "0", "--no-plots").exit_code == 0
    assert not Path("results").exists()


def test_two_replays_give_the_same_bytes(run: Run) -> None:
    for out in ("one", "two"):
        run("replay", "crashes.yaml", "--request", "0", "--svg", "--out", out)
    one, two = ({path.name: path.read_bytes() for path in Path(out).iterdir()} for out in ("one", "two"))
    assert one == two


def test_a_cell_is_chosen_by_its_id_or_by_its_name(run: Run) -> None:
    by_id, by_name = (
        run("replay", "verdicts.yaml", "--request", "3", "--cell", cell, "--no-plots").stdout
        for cell in ("as-shipped", "as shipped")
    )
    assert by_id == by_name


def test_changes_of_the_command_line_hold_in_a_replay(run: Run) -> None:
    words = ("--set", "action.outcomes={fail: 1.0}", "--set", "retrier=none", "--seed", "5", "--requests", "7")
    story = run("replay", "crashes.yaml", "--request", "6", *words, "--no-plots").stdout
    assert story.splitlines()[0] == "crashes, crashes: request 6, seed 5"
    assert "gave up" in story


def test_requests_of_later_replications_are_counted_on(run: Run) -> None:
    first, second = (run("replay", "shared.yaml", "--request", number, "--no-plots").stdout for number in ("3", "63"))
    assert first.splitlines()[1:] != second.splitlines()[1:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("crashes.yaml",), "Missing option '--request'"),
        (("crashes.yaml", "--request", "-1"), "-1 is not in the range"),
        (("crashes.yaml", "--request", "120"), "there is no request 120; they are numbered from 0 to 119"),
        (("shared.yaml", "--request", "120"), "there is no request 120; they are numbered from 0 to 119"),
        (("verdicts.yaml", "--request", "1"), "which cell? There are never-again, as-shipped"),
        (("crashes.yaml", "--request", "1", "--cell", "x"), "there is no cell 'x'; there is only one, 'all'"),
        (("crashes.yaml", "--request", "1", "--svg", "--no-plots"), "--svg asks for a picture, but"),
        (("crashes.yaml", "--request", "1", "--out", "crashes.yaml/x"), "is a file, not a folder"),
    ],
)
def test_a_wrong_command_line_exits_with_2(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("replay", *words)
    assert (result.exit_code, result.stdout, said in result.stderr) == (2, "", True)
    assert not Path("results").exists()


def test_an_invalid_scenario_exits_with_3(run: Run) -> None:
    result = run("replay", "wrong.yaml", "--request", "1")
    assert (result.exit_code, result.stdout, result.stderr.count("wrong.yaml:")) == (3, "", 5)


def test_of_many_cells_the_first_are_named(run: Run) -> None:
    values = ", ".join(f"{number / 100}" for number in range(30))
    Path("many.yaml").write_text(f"{{retrier: none, requests: {{count: 1}}, sweep: {{action.effect_at: [{values}]}}}}")
    assert run("replay", "many.yaml", "--request", "0").stderr.endswith(" and 10 more\n")


def test_on_a_narrow_terminal_the_story_is_narrow(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    story = run("replay", "crashes.yaml", "--request", "0", "--no-plots").stdout
    assert max(map(len, story.splitlines())) <= 60
