"""Counterexamples as files: a scenario with the course that breaks an invariant, and a test that plays it.

The scenario is the searched one as it was written, with as many requests as the search had, the course, and the
invariant under `check`. It has a new `why`. `expect` and `explore` are left out: one course cannot meet expectations,
and it states its bounds itself. Files that the scenario names are saved beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.explorer.play import course_of, small_world
from sim.scenario.identity import digest
from sim.scenario.load import parse
from sim.scenario.names import LONGEST_NAME
from sim.scenario.parts.invariants import NAMES
from sim.scenario.parts.retrier import names_used, words_of_names
from sim.scenario.yaml.writer import flow_text, yaml_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.explorer.play import Played
    from sim.promises.invariant import Violation
    from sim.retriers.base import Retrier
    from sim.scenario.data_files import DataFiles
    from sim.scenario.schema import Scenario

NOT_SAVED = ("schema", "name", "why", "seed", "requests", "sweep", "variants", "explore", "course", "expect", "check")
"""Keys of the written scenario that the file leaves out or replaces."""
_UNFIT = re.compile("[^a-z0-9._-]+")


def name_of(scenario: str, invariant: str, cell: str = "") -> str:
    """Return the name of a counterexample; `cell` is the id of the scenario's cell if it has several."""
    base = "-".join(part for part in (scenario, cell) if part)
    base = _UNFIT.sub("-", base.lower().removesuffix(f"-{invariant}")).strip("-._") or "scenario"
    longest = LONGEST_NAME - len(invariant) - 1
    if len(base) > longest:
        base = f"{base[: longest - 9]}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
    return f"{base}-{_UNFIT.sub('-', invariant.lower())}"


def retrier_words(scenario: Scenario) -> list[str]:
    """Return the command-line options that name a scenario's retriers, if no file can."""
    names = words_of_names(names_used(scenario.written, scenario.surroundings.trusted))
    if not scenario.retrier.trusted:
        return names
    options = [word for key, text in _retrier_options(scenario) for word in ("--set", f"{key}={text}")]
    return ["--retrier", scenario.retrier.kind, *options, *names]


def _retrier_options(scenario: Scenario) -> list[tuple[str, str]]:
    written = scenario.written.get("retrier")
    options = written if isinstance(written, Mapping) else {}
    return [(f"retrier.{key}", flow_text(value)) for key, value in options.items() if key != "kind"]


def save(
    played: Played,
    violation: Violation,
    folder: Path,
    name: str,
    *,
    retrier: type[Retrier] | None = None,
) -> list[str]:
    """Write a counterexample to a folder as `name`.yaml; return the names of all files written, that one first.

    `retrier` is the class that made the retrier, if it was not the scenario's own. Raises ValueError if no file can
    describe the scenario that was played, and OSError.
    """
    scenario = small_world(played.scenario, played.bounds)
    files: dict[str, bytes] = {}
    tree = _tree(played, violation, name, files, retrier)
    words = retrier_words(scenario) if retrier is None else ["--retrier", _path_of(retrier)]
    lines = [
        f"# {shlex.join(['retrysim', 'replay', f'{name}.yaml', *words])}",
        *(f"# {line}" for line in played.course_lines()),
        f"# its history has the digest {played.history.digest()}",
        *yaml_lines(tree, {}),
    ]
    text = "".join(f"{line}\n" for line in lines)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    if retrier is None:
        _check_same(text, folder, scenario)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [f"{name}.yaml", *files]


def save_test(folder: Path, name: str, invariant: str, retrier: str = "", modules: Path | None = None) -> str:
    """Write a test that plays `name`.yaml in the same folder; return the name of the test's file.

    `retrier` is a `module:Class` of the user's own. `modules` is the folder in which Python finds it, relative to the
    folder that the test will be in.
    """
    stem = f"test_{re.sub('[^a-z0-9]+', '_', name)}"
    file = f"{stem}.py"
    (folder / file).write_text("\n".join(_test_lines(stem, name, invariant, retrier, modules)), encoding="utf-8")
    return file


def _test_lines(stem: str, name: str, invariant: str, retrier: str, modules: Path | None) -> Iterator[str]:
    module, _, name_of_class = retrier.partition(":")
    yield f'"""Fails as long as this course, found by `retrysim explore`, breaks `{invariant}`."""'
    yield ""
    if retrier and modules is not None:
        yield "import sys"
    yield "from pathlib import Path"
    yield ""
    yield "import sim"
    yield ""
    yield "HERE = Path(__file__).parent"
    given = ""
    if retrier:
        if modules is not None:
            path = json.dumps(modules.as_posix())
            yield f"sys.path.insert(0, str(HERE / {path}))  # the folder of the retrier"
        outer, _, inner = name_of_class.partition(".")
        yield ""
        yield f"from {module} import {outer}  # noqa: E402"
        given = f", retrier={outer}{'.' if inner else ''}{inner}"
    yield ""
    yield ""
    yield f"def {stem}() -> None:"
    yield f'    played = sim.explorer.play(HERE / "{name}.yaml"{given})'
    yield "    assert played.holds, played.report()"
    yield ""


def _tree(
    played: Played, violation: Violation, name: str, files: dict[str, bytes], retrier: type[Retrier] | None
) -> dict[str, Any]:
    """Return the plain values of the file; add to `files` the content of the files to save beside it, by name."""
    cell = played.scenario
    surroundings = cell.surroundings
    if surroundings.from_file:
        written = dict(cell.written)
    else:
        written = cell.model_dump(mode="json", by_alias=True, exclude_unset=True)
    requests = written.get("requests")
    tree = {
        "schema": 1,
        "name": name,
        "why": violation.text,
        "seed": cell.seed,
        "requests": {**(requests if isinstance(requests, Mapping) else {}), "count": played.bounds.requests},
        **{key: value for key, value in written.items() if key not in NOT_SAVED},
    }
    if retrier is not None:
        tree["retrier"] = _path_of(retrier)
    tree = {key: _beside(value, surroundings.files, files) for key, value in tree.items()}
    course = course_of(played.bounds, ()).model_dump(mode="json")
    if not course["values"]:
        del course["values"]
    answers = [{"question": one.question, "answer": one.answer, "about": one.about} for one in played.disturbances]
    tree["course"] = {**course, "answers": answers}
    if violation.invariant in NAMES:
        tree["check"] = [violation.invariant]
    return tree


def _beside(node: Any, data_files: DataFiles, files: dict[str, bytes]) -> Any:
    """Replace the names of column files by their names beside the counterexample; add their content to `files`."""
    if isinstance(node, Mapping):
        named = {key: _beside(value, data_files, files) for key, value in node.items()}
        file = named.get("file")
        if isinstance(file, str) and "column" in named:
            data = data_files.read(file)
            path = Path(file)
            # The digest in the name makes sure that no other file is overwritten.
            named["file"] = f"{path.stem}-{hashlib.sha256(data).hexdigest()[:8]}{path.suffix}"
            files[named["file"]] = data
        return named
    if isinstance(node, list | tuple):
        return [_beside(value, data_files, files) for value in node]
    return node


def _check_same(text: str, folder: Path, scenario: Scenario) -> None:
    """Make sure that the text describes the scenario. Raises ValueError if not."""
    names = names_used(scenario.written, scenario.surroundings.trusted)
    if scenario.retrier.trusted:
        again = parse(text, folder, _retrier_options(scenario), retrier=scenario.retrier.kind, retriers=names)
    else:
        again = parse(text, folder, retriers=names)
    if digest(again) != digest(scenario):
        raise ValueError("no file can describe exactly this scenario")


def _path_of(retrier: type[Retrier]) -> str:
    if "<" in retrier.__qualname__:
        raise ValueError(f"no file can name {retrier.__qualname__}: it is not at the top level of a module")
    return f"{retrier.__module__}:{retrier.__qualname__}"
