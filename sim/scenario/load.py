"""Make a `Scenario` of a file, a text or plain values, or name every mistake in it with its place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from sim.options.own_code import OwnCode, path_of
from sim.options.part_name import NAME
from sim.retriers.registry import known_kinds
from sim.scenario.cells import cells, check_cells
from sim.scenario.changes import Change, apply, with_whole_key
from sim.scenario.checks import Surroundings
from sim.scenario.data_files import DataFiles
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Place, Places, Problem, ScenarioError, whole_file
from sim.scenario.names import LONGEST_NAME
from sim.scenario.parts.retrier import is_preset
from sim.scenario.schema import Scenario, scenario_of
from sim.scenario.search_space import check_search
from sim.scenario.tree import steps_of, texts_in
from sim.scenario.yaml.guard import MAX_BYTES, Document, read_yaml

Overrides = Sequence[tuple[str, str]]
SET = "--set"
Source = Scenario | Mapping[str, Any] | str | PathLike[str]
"""What a scenario can be given as: itself, plain values in the words of a file, or the path of a file."""
NAMES_CODE = ("--retrier", "--service")
"""Options whose value can be code of the user's own."""


def load(
    path: str | Path,
    overrides: Overrides = (),
    *,
    seed: int | None = None,
    requests: int | None = None,
    retrier: OwnCode | Mapping[str, OwnCode] | None = None,
    retriers: Mapping[str, OwnCode] | None = None,
    services: Mapping[str, str] | None = None,
) -> Scenario:
    """Read a scenario file and check all of it, its cells included.

    `overrides` are dotted keys and values as YAML, from the command line (`--set`); they, `seed`, `requests` and
    `retrier` (a kind, `module:Class`, or a class or function itself) replace what the file says, before sweep and
    variants do. `retriers`, such as `{"fast": "module:Fast", "slow": Slow}` (classes, or functions that take `call`),
    replaces nothing: it gives retriers of one's own names that the file can use wherever it names a retrier; `retrier`
    may be such a mapping, too. `services` names for some services a `module:Class` that does their work. Raises
    ScenarioError with every mistake.
    """
    path = Path(path)
    document = read_yaml(_bytes_of(path), str(path))
    given = _given(seed, requests, retrier, services)
    return _checked(document, path.parent, _name_of(path), overrides, given, _named(retrier, retriers))


def parse(
    text: str | bytes,
    folder: str | Path = ".",
    overrides: Overrides = (),
    *,
    source: str = "scenario",
    seed: int | None = None,
    requests: int | None = None,
    retrier: OwnCode | Mapping[str, OwnCode] | None = None,
    retriers: Mapping[str, OwnCode] | None = None,
    services: Mapping[str, str] | None = None,
) -> Scenario:
    """Read the text of a scenario; files it names are looked for in `folder`. Raises ScenarioError as `load` does."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    given = _given(seed, requests, retrier, services)
    return _checked(read_yaml(data, source), Path(folder), "scenario", overrides, given, _named(retrier, retriers))


def from_dict(values: Mapping[str, Any], folder: str | Path = ".") -> Scenario:
    """Take plain values in the words of a file (durations with units). Raises ScenarioError, without places.

    Where a file names a retrier, the class or function itself can stand: it is code of the caller.
    """
    trusted: dict[str, str] = {}
    named = _with_code_named(values, (), trusted)
    surroundings = Surroundings(DataFiles(Path(folder)), trusted, from_file=True)
    scenario, problems = _build({"name": "scenario", **named}, surroundings)
    if problems or scenario is None:
        raise ScenarioError(problems)
    return scenario


def as_scenario(source: Source) -> Scenario:
    """Return a scenario: the one that is given, that of a file, or that of plain values in the words of a file.

    Files that plain values name are looked for in the current folder. Raises ScenarioError, and TypeError for anything
    else.
    """
    if isinstance(source, Scenario):
        return source
    if isinstance(source, Mapping):
        return from_dict(source)
    if isinstance(source, str | PathLike):
        return load(Path(source))
    raise TypeError(
        f"a scenario is a Scenario, the path of a file, or a mapping of its keys, not {type(source).__name__}"
    )


def _build(tree: Mapping[str, Any], surroundings: Surroundings) -> tuple[Scenario | None, list[Problem]]:
    problems: list[Problem] = []
    scenario = None
    try:
        scenario = scenario_of(tree, surroundings)
        cells(scenario)
    except ScenarioError as error:
        problems += error.problems
    if scenario is None:
        problems += check_cells(tree, surroundings, problems)[1]
    problems += check_search(tree, surroundings, problems)
    return scenario, list(dict.fromkeys(problems))


def _checked(  # noqa: PLR0917  # two callers
    document: Document,
    folder: Path,
    name: str,
    overrides: Overrides,
    given: Sequence[tuple[str, str, Any]],
    named: Mapping[str, str],
) -> Scenario:
    places = document.places
    tree = document.values
    if not isinstance(tree, dict):
        reason = "a scenario is a mapping of keys, such as `retrier: helpers`"
        raise ScenarioError(places.in_order([*document.problems, Problem((), reason)]))
    problems = list(document.problems)
    changes = _Changes(places, tree)
    for option, key, value in given:
        if not key.startswith("services."):
            changes.set_value(option, key, value)
    for key, text in overrides:
        changes.set_text(key, text)
    for option, key, value in given:
        if key.startswith("services."):  # behind the overrides, which may write such a service as a whole
            changes.set_value(option, key, value)
    tree = {"name": name, **changes.tree}
    problems += changes.problems
    own = [value for option, _, value in given if option.split()[0] in NAMES_CODE and ":" in value]
    trusted = {path: path for path in (*own, *named.values())} | dict(named)
    problems += _misnamed(named, tree)
    surroundings = Surroundings(DataFiles(folder), trusted, from_file=True)
    scenario, found = _build(tree, surroundings)
    problems += [problem for problem in found if not _is_explained(problem, problems)]
    problems += _without_effect(tree, changes.made)
    if problems or scenario is None:
        raise ScenarioError(map(_with_key_of_option, places.in_order(problems)))
    return scenario


def _with_key_of_option(problem: Problem) -> Problem:
    """Return a problem of a key that `--set` names, with a suggestion that can stand in its place."""
    option, _, key = problem.file.partition(" ")
    if option != SET or not problem.at_key or len(problem.keys) > len(steps_of(key)):
        return problem
    return replace(problem, reason=with_whole_key(problem, key))


def _is_explained(problem: Problem, refused: Iterable[Problem]) -> bool:
    """Whether the guards have refused the value in which the problem lies: the user did not write what is there now."""
    return any(guard.keys and not guard.at_key and problem.keys[: len(guard.keys)] == guard.keys for guard in refused)


class _Changes:
    """The changes that the command line makes, each with a place of its own."""

    def __init__(self, places: Places, tree: Mapping[str, Any]) -> None:
        self.tree = dict(tree)
        self.made: list[tuple[str, Change]] = []
        self.problems: list[Problem] = []
        self._places = places

    def set_text(self, key: str, text: str) -> None:
        """Set a dotted key to a value written in YAML, under the same guards as a file."""
        source = f"{SET} {key}"
        self._places.sources.append(source)
        try:
            document = read_yaml(text.encode("utf-8", "surrogatepass"), source)
        except ScenarioError as error:
            empty = not text.strip()
            self.problems += [whole_file(source, "a value is missing")] if empty else error.problems
            return
        self._set(source, key, document.values, document.places.keys, document.places.values)
        steps = Change(key, None, ()).steps
        self.problems += [replace(problem, keys=(*steps, *problem.keys)) for problem in document.problems]

    def set_value(self, option: str, key: str, value: Any) -> None:
        """Set a dotted key to a value given by an option of its own."""
        self._places.sources.append(option)
        self._set(option, key, value, {}, {(): Place(option)})

    def _set(self, source: str, key: str, value: Any, keys: dict[Keys, Place], values: dict[Keys, Place]) -> None:
        change = Change(key, value, ())
        self.tree, impossible = apply(self.tree, [change])
        self.problems += [replace(problem, file=source, keys=change.steps) for problem in impossible]
        path = tuple(int(step) if step.isdecimal() and len(step) < 7 else step for step in change.steps)
        for depth in range(1, len(path)):
            # If only the override has made a key on the way, mistakes there are its own.
            if path[:depth] not in self._places.values:
                self._places.keys[path[:depth]] = self._places.values[path[:depth]] = Place(source)
        self._places.replace_below(path, Place(source), values, keys)
        self.made.append((source, change))


def _without_effect(tree: Mapping[str, Any], made: Sequence[tuple[str, Change]]) -> list[Problem]:
    """Find overrides that every cell sets again."""
    sweep, variants = tree.get("sweep"), tree.get("variants")
    swept = list(sweep) if isinstance(sweep, Mapping) else []
    varied = [
        list(changes) if isinstance(changes, Mapping) else []
        for changes in (variants.values() if isinstance(variants, Mapping) else ())
    ]
    problems = []
    for source, change in made:

        def replaces(key: str, change: Change = change) -> bool:
            steps = steps_of(key)
            return change.steps[: len(steps)] == steps

        if any(map(replaces, swept)) or (varied and all(any(map(replaces, keys)) for keys in varied)):
            reason = "has no effect: the sweep or the variants set it in every cell"
            problems.append(Problem(change.steps, reason, source))
    return problems


def _with_code_named(value: Any, keys: Keys, trusted: dict[str, str]) -> Any:
    """Return plain values in which code is named, and note the names as trusted. Raises ScenarioError for code without.

    A text that names code stays a text: only who has the code itself may run it.
    """
    if isinstance(value, Mapping):
        return {key: _with_code_named(one, (*keys, key), trusted) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_code_named(one, (*keys, at), trusted) for at, one in enumerate(value)]
    if not callable(value):
        return value
    try:
        path = path_of(value)
    except ValueError as error:
        raise ScenarioError([Problem(keys, str(error))]) from None
    trusted[path] = path
    return path


def _named(retrier: OwnCode | Mapping[str, OwnCode] | None, retriers: Mapping[str, OwnCode] | None) -> dict[str, str]:
    """Return the names that are given to retriers of the user's own. Raises ScenarioError if one cannot be named."""
    named = {**(retrier if isinstance(retrier, Mapping) else {}), **(retriers or {})}
    return {name: _path_of(found) for name, found in named.items()}


def _path_of(found: OwnCode) -> str:
    try:
        return path_of(found)
    except ValueError as error:
        raise ScenarioError([Problem(("retrier",), str(error))]) from None


def _misnamed(named: Mapping[str, str], tree: Any) -> Iterator[Problem]:
    """Yield what is wrong with names of the user's own retriers: forms, clashes, and names that nothing uses."""
    used = set(texts_in(tree))
    for name, path in named.items():
        option = f"--retrier {name}={path}"
        if not NAME.fullmatch(name):
            reason = f"{option}: a name has letters, digits, '_' and '-', and starts with a letter or a digit"
        elif name in known_kinds() or is_preset(name):
            what = "a preset" if is_preset(name) else "a kind of retrier"
            reason = f"{option}: {name} is the name of {what} already; give yours another one"
        elif name not in used:
            reason = f"{option}: nothing in the scenario names the retrier {name}"
        else:
            continue
        yield Problem(("retrier",), reason)


def _given(
    seed: int | None,
    requests: int | None,
    retrier: OwnCode | Mapping[str, OwnCode] | None,
    services: Mapping[str, str] | None,
) -> list[tuple[str, str, Any]]:
    if retrier is not None:
        retrier = None if isinstance(retrier, Mapping) else _path_of(retrier)
    options = [("--seed", "seed", seed), ("--requests", "requests.count", requests), ("--retrier", "retrier", retrier)]
    options += [(f"--service {name}", f"services.{name}.kind", path) for name, path in (services or {}).items()]
    return [(option, key, value) for option, key, value in options if value is not None]


def _bytes_of(path: Path) -> bytes:
    reason = ""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        reason = "there is no such file"
    except IsADirectoryError:
        reason = "this is a folder, not a file"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except ValueError:
        reason = "no file can have this name"
    raise ScenarioError([whole_file(str(path), reason)])


def _name_of(path: Path) -> str:
    """Make a name of a file's stem: lowercase letters, digits, '.', '_' and '-'."""
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789._-"
    name = "".join(letter if letter in allowed else "-" for letter in path.stem.lower())
    return name.lstrip("._-")[:LONGEST_NAME] or "scenario"
