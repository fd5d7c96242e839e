"""The configurations of `configs/`: what becomes of each, what is lost, and that all of it runs and comes back.

RETRYSIM_UPDATE_GOLDEN=1 writes the golden files anew, to be read as a diff.
"""

import os
from pathlib import Path

import pytest

from sim.converters.catalogue import FORMATS, fitting, guess
from sim.converters.documents import open_document, read_document
from sim.converters.losses import COLUMNS, loss_lines
from sim.converters.same import canonical
from sim.converters.scenarios import scenario_text
from sim.scenario.cells import cells
from sim.scenario.load import parse

HERE = Path(__file__).parent
CONFIGS = sorted((HERE / "configs").iterdir())
KINDS = {path.name: path.name.partition(".")[0] for path in CONFIGS} | {"queue.yaml": "cloud-tasks"}
"""The kind stands at the beginning of a name; what follows says what is special."""
configs = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)


def test_every_format_has_an_example() -> None:
    assert {KINDS[path.name] for path in CONFIGS} == set(FORMATS)


@configs
def test_the_kind_is_guessed_from_the_keys(path: Path) -> None:
    assert fitting(open_document(str(path))) == [KINDS[path.name]]


@configs
def test_policies_losses_and_scenario_are_the_golden_ones(path: Path) -> None:
    document = open_document(str(path))
    found = FORMATS[guess(document)]
    converted = found.read(read_document(path.read_bytes(), path.name))
    text = scenario_text(converted.policies, found.TITLE, path.name)
    text += "".join(f"# {line}\n" for line in loss_lines(converted.losses))
    golden = HERE / "golden" / f"{path.stem}.txt"
    if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@configs
def test_the_scenario_loads_with_a_cell_for_each_policy(path: Path) -> None:
    document = open_document(str(path))
    found = FORMATS[guess(document)]
    policies = found.read(document).policies
    scenario = parse(scenario_text(policies, found.TITLE, path.name))
    assert [
        canonical(cell.scenario.retrier.options.model_dump(mode="json", exclude_defaults=True))
        for cell in cells(scenario)
    ] == [canonical(policy.tree) for policy in policies]


@configs
def test_each_policy_is_written_and_read_back_as_itself(path: Path) -> None:
    document = open_document(str(path))
    found = FORMATS[guess(document)]
    for policy in found.read(document).policies:
        back = found.read(read_document(found.write(policy.tree).encode(), "back"))
        assert [canonical(one.tree) for one in back.policies] == [canonical(policy.tree)]


@configs
def test_the_scenario_says_that_its_action_is_a_placeholder(path: Path) -> None:
    document = open_document(str(path))
    found = FORMATS[guess(document)]
    text = scenario_text(found.read(document).policies, found.TITLE, path.name)
    assert "  # a placeholder: " in text
    assert "The action is a placeholder" in parse(text).why


@configs
def test_losses_fit_a_terminal_and_have_places_in_the_file(path: Path) -> None:
    document = open_document(str(path))
    losses = FORMATS[guess(document)].read(document).losses
    lines = path.read_text().splitlines()
    assert all(1 <= loss.line <= len(lines) and 1 <= loss.column <= len(lines[loss.line - 1]) for loss in losses)
    assert all(len(line) <= COLUMNS for line in loss_lines(losses) if line.startswith(" "))
