"""The modules of the deployment form a ladder: each imports only from below, for its types too."""

import ast
import re
from pathlib import Path

import sim.convex

FOLDER = Path(sim.convex.__file__).parent
RUNGS = re.findall(r"^ {4}(\w+) {2,}", sim.convex.__doc__ or "", flags=re.MULTILINE)


def imported(module: str) -> set[str]:
    """Return the modules of the ladder that a module imports, in whatever block."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.removeprefix("sim.convex.") for name in names if name.startswith("sim.convex.")}


def test_the_docstring_lists_all_modules() -> None:
    assert sorted(RUNGS) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def test_each_module_imports_only_from_below() -> None:
    found = [
        f"{module} imports {other}" for at, module in enumerate(RUNGS) for other in imported(module) - {*RUNGS[:at]}
    ]
    assert found == []
