"""`retrysim presets`: the list, the page of one, and its picture."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.retriers.presets import PRESETS, names
from sim.scenario.load import parse

Run = Callable[..., Result]


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_list_has_every_preset_in_the_width_of_the_terminal(
    columns: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("presets").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    first = [line for line in lines if line and not line.startswith(" ")]
    assert {line.split()[0] for line in first} >= set(names())
    tries = {preset.name: preset.attempts for preset in PRESETS}
    assert [line for line in first if not line.rstrip().endswith(tries.get(line.split()[0], ""))] == []


def test_a_wide_terminal_has_a_line_for_most_presets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert len(run("presets").stdout.splitlines()) < 1.5 * len(PRESETS)


@pytest.mark.parametrize("name", names())
def test_a_page_can_be_pasted_into_a_scenario_and_means_the_preset(name: str, run: Run) -> None:
    page = run("presets", name).stdout
    block = page[page.index("\nretrier:\n") :].split("\n\n")[0]
    assert max(map(len, block.splitlines())) <= 80
    assert max(map(len, page.splitlines())) <= 100
    written, named = (
        parse(f"{block}\nuntil: 1000h\naction: {{latency: {{constant: 1s}}}}"),
        parse(f"retrier: {name}\nuntil: 1000h\naction: {{latency: {{constant: 1s}}}}"),
    )
    assert written.retrier == named.retrier


def test_a_picture_is_named_after_its_preset_unless_stated(run: Run) -> None:
    assert run("presets", "stamina", "--plot").stdout.endswith("drawn: stamina.png\n")
    assert Path("stamina.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_goes_where_it_is_told_to(run: Run) -> None:
    run("presets", "stamina", "--plot", "pictures/delays.svg")
    assert [path.name for path in Path("pictures").iterdir()] == ["delays.svg"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("presets", "--plot"), "--plot draws one preset: name it before the option"),
        (("presets", "stamina", "--plot", "x.pdf"), "--plot writes .png or .svg, not 'x.pdf'"),
        (("presets", "xyzzy"), "there is no preset 'xyzzy'; retrysim presets lists them"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], message: str, run: Run) -> None:
    result = run(*words)
    assert (result.exit_code, message in result.stderr) == (2, True)
