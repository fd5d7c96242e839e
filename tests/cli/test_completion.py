"""What a shell offers behind TAB."""

from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from sim.cli.main import COMMANDS, cli

SCENARIO = "variants: {calm: {retrier: helpers}, cold: {retrier: component}}\n"


def offered(*words: str) -> list[str]:
    """Return what is offered for the last word."""
    *before, incomplete = words
    return [item.value for item in ShellComplete(cli, {}, "retrysim", "_X").get_completions(before, incomplete)]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "results" / "old").mkdir(parents=True)
    (tmp_path / "results" / "whole").mkdir()
    (tmp_path / "results" / "whole" / "results.sqlite").write_text("")


def test_commands_are_offered() -> None:
    assert offered("") == list(COMMANDS)


@pytest.mark.parametrize("command", ["run", "validate", "replay", "tune", "explore"])
def test_scenario_files_and_folders_are_offered(command: str) -> None:
    assert {"mine.yaml", "results/"} <= set(offered(command, ""))
    assert offered(command, "notes") == []


@pytest.mark.parametrize("command", ["show", "export", "compare"])
def test_folders_are_offered_and_those_with_results_first(command: str) -> None:
    assert offered(command, "results/") == ["results/whole/", "results/old/"]


@pytest.mark.parametrize("command", ["replay", "tune", "explore"])
def test_the_cells_of_the_scenario_are_offered(command: str) -> None:
    assert offered(command, "mine.yaml", "--cell", "c") == ["calm", "cold"]


def test_a_scenario_that_cannot_be_read_offers_nothing() -> None:
    Path("mine.yaml").write_text("retrier: [")
    assert offered("replay", "mine.yaml", "--cell", "") == []


def test_kinds_and_presets_are_offered_as_retriers() -> None:
    assert offered("run", "mine.yaml", "--retrier", "he")[0] == "helpers"
    assert "tenacity" in offered("run", "mine.yaml", "--retrier", "tena")[0]


def test_keys_are_offered_one_step_at_a_time() -> None:
    assert "action.outcomes" in offered("run", "mine.yaml", "--set", "action.out")
    assert offered("run", "mine.yaml", "--set", "action.outcomes.ack") == ["action.outcomes.ack_lost"]
    assert offered("run", "mine.yaml", "--set", "see") == ["seed="]
    assert "action.latency.lognormal.median=" in offered("run", "mine.yaml", "--set", "action.latency.lognormal.")


def test_a_value_is_not_completed() -> None:
    assert offered("run", "mine.yaml", "--set", "seed=1") == []


def test_invariants_and_presets_are_offered() -> None:
    assert "no-leak" in offered("explore", "mine.yaml", "--invariant", "no-l")
    assert offered("presets", "grpc")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_the_command(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # click asks the shell for its version, which need not be installed here.
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda *_: None)
    found: Any = CliRunner().invoke(cli, ["completion", shell])
    assert found.exit_code == 0
    assert f"_RETRYSIM_COMPLETE={shell}_complete" in found.output
