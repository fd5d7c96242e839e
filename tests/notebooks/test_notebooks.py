"""The notebooks: valid, without outputs, on the public API alone; with the marker `notebooks`, executed."""

import ast
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import sim

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_S = 30
LIBRARIES = {
    "04-your-own-code": ["backoff", "google.api_core.exceptions", "google.api_core.retry", "stamina", "tenacity"],
}
"""What notebooks are about besides; the extra `libraries` has them."""
WIDEST = 130
"""Characters of a line of prose or code."""


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def code(path: Path) -> str:
    """The code of a notebook, without the lines that only notebooks understand."""
    lines = [line for cell in cells(path, "code") for line in "".join(cell["source"]).splitlines()]
    return "\n".join(line for line in lines if not line.startswith("%"))


def is_room(name: str) -> bool:
    return isinstance(getattr(sim, name, None), ModuleType)


def is_public(name: str, inside: str = "") -> bool:
    """Whether `sim.NAME` is public, or for a room `sim.ROOM.NAME`."""
    return inside in getattr(sim, name).__all__ if is_room(name) else name in sim.__all__


def test_these_are_the_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01-first-look",
        "02-choosing-backoff",
        "03-duplicate-risk",
        "04-your-own-code",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestEach:
    def test_its_outputs_are_stripped(self, path: Path) -> None:
        assert [(cell["outputs"], cell["execution_count"]) for cell in cells(path, "code")] == [
            ([], None) for _ in cells(path, "code")
        ]

    def test_nothing_of_a_machine_is_in_it(self, path: Path) -> None:
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert kept["metadata"] == {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        assert {json.dumps(cell["metadata"]) for cell in kept["cells"]} == {"{}"}

    def test_it_uses_public_names_alone(self, path: Path) -> None:
        tree = ast.parse(code(path))
        imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        others = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        dotted = [ast.unparse(node).split(".") for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        used = {tuple(names[1:3]) for names in dotted if names[0] == "sim" and len(names) > 2}
        used |= {(names[1],) for names in dotted if names[0] == "sim" and not is_room(names[1])}
        private = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr[0] == "_"}
        assert imported == ["textwrap", *LIBRARIES.get(path.stem, []), "sim"]
        assert others == []
        assert private - {"__init__"} == set()
        assert [names for names in used if not is_public(*names)] == []

    def test_its_lines_can_be_read_as_a_diff(self, path: Path) -> None:
        lines = [line for kind in ("code", "markdown") for cell in cells(path, kind) for line in cell["source"]]
        assert [line for line in lines if len(line) > WIDEST] == []


@pytest.mark.notebooks
@pytest.mark.filterwarnings("default")  # of the libraries that execute notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_its_figures(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for library in LIBRARIES.get(path.stem, []):
        pytest.importorskip(library)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    where = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=LONGEST_S, kernel_name="python3", resources=where).execute()
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [output for cell in code_cells for output in cell.outputs if output.get("name") == "stderr"] == []
    drawn = [cell.source for cell in code_cells if cell.source.endswith(".figure")]
    assert drawn
    assert [cell.source for cell in code_cells if shows(cell, "image/png")] == drawn
    assert [cell for cell in code_cells if cell.source.endswith(".table()") and not shows(cell, "text/html")] == []


def shows(cell: Any, kind: str) -> bool:
    return any(kind in output.get("data", {}) for output in cell.outputs)
