"""What the code of `sim` may use: one door to SimPy, one to chance, no wall clock, nothing that rests on hashes."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Collection
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from simpy.core import Environment

from sim.kernel.clock import Clock

SOURCE = Path(__file__).parents[1] / "sim"
CHANCE_AND_CLOCKS = {"random", "secrets", "uuid", "time", "datetime", "numpy.random", "scipy.stats"}
"""Modules that none of `sim` imports; of `os` it takes no `urandom`."""


class Facts(NamedTuple):
    """What the tests ask of a file."""

    taken: set[tuple[str, str]]
    """What it imports: a module and a name in it, which is empty for the module itself."""
    uses: set[str]


@cache
def facts() -> dict[str, Facts]:
    """What there is to know of each file of `sim`: all are read once, and their trees do not stay."""
    trees = (
        (path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(SOURCE.rglob("*.py"))
    )
    return {name: Facts(taken(tree), uses(tree)) for name, tree in trees}


def taken(tree: ast.AST) -> set[tuple[str, str]]:
    """What a file imports, wherever in it."""
    found: set[tuple[str, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            found |= {(node.module, alias.name) for alias in node.names}
    return found


def imports(names: set[tuple[str, str]]) -> set[str]:
    """All modules that are imported, and the names taken from them."""
    return {module for module, _ in names} | {f"{module}.{name}" for module, name in names if name}


def uses(tree: ast.AST) -> set[str]:
    """What is forbidden and used: builtin `hash`, modules of chance and time, `np.random`, sets that are walked."""
    found = imports(taken(tree)) & CHANCE_AND_CLOCKS
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"hash", "id"}:
            found.add(f"{node.func.id}()")
        elif isinstance(node, ast.Attribute) and node.attr in {"random", "urandom"}:
            found |= {ast.unparse(node)} & {"np.random", "numpy.random", "os.urandom"}
        elif isinstance(node, ast.For | ast.comprehension) and is_set(node.iter):
            found.add("iteration over a set")
    return found


def is_set(node: ast.expr) -> bool:
    """Whether an expression is a set by its looks."""
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return call or isinstance(node, ast.Set | ast.SetComp)


def test_the_search_finds_what_it_looks_for() -> None:
    bad = """
import random, os
import numpy as np
from time import time
def f(x):
    from scipy import stats
    np.random.default_rng()
    os.urandom(8)
    return [hash(y) for y in {x, 1}] + [y for y in set(x)]
"""
    assert uses(ast.parse(bad)) == {
        *("random", "time", "scipy.stats", "np.random", "os.urandom", "hash()", "iteration over a set")
    }
    assert uses(ast.parse("import sim.kernel.clock\nfor x in sorted({1, 2}): x.random(), x.hash()")) == set()


def test_sim_uses_no_chance_of_its_own_no_wall_clock_and_no_hashes() -> None:
    # `Draws` remembers which law objects it has met, and keeps them: their ids tell them apart and order nothing. How
    # long a run takes is told to whoever waits for it, and stands in no result. Columns of files are keys of
    # dictionaries, whose hash orders nothing either. The token of the live server is no result.
    # Guests: the clocks and generators of Python are what is replaced there, and its objects are told by identity, as
    # references are. The watchdog measures how long code hangs, in real time.
    found = {name: file.uses for name, file in facts().items()}
    identities = {name: {"id()"} for name in found if name.startswith("guests/") and "id()" in found[name]}
    replaced = {
        "guests/clocks.py": {"datetime", "time"},
        "guests/dates.py": {"datetime", "time"},
        "guests/kept_methods.py": {"datetime", "random"},
        "guests/numpy_chance.py": {"np.random"},
        "guests/randomness.py": {"random"},
        "guests/state.py": {"datetime", "uuid"},
        "guests/tokens.py": {"os.urandom", "uuid"},
        "guests/watchdog.py": {"time"},
    }
    allowed = {name: replaced.get(name, set()) | identities.get(name, set()) for name in {**replaced, **identities}}
    assert {name: names for name, names in found.items() if names} == {
        **allowed,
        "kernel/draws.py": {"id()"},
        "cli/progress.py": {"time"},
        "cli/live.py": {"secrets"},
        "laws/columns.py": {"hash()"},
    }


def imported_files() -> dict[str, set[str]]:
    """For each file of `sim`, as a dotted name, the files that it imports, those for types alone included."""
    files = {
        f"sim.{name}".removesuffix(".py").replace("/", ".").removesuffix(".__init__"): file.taken
        for name, file in facts().items()
    }
    return {name: imported_by(names, files.keys()) - {name} for name, names in files.items()}


def imported_by(names: set[tuple[str, str]], files: Collection[str]) -> set[str]:
    """The files among what is imported; of `from sim.room import thing` the file `thing`, if there is one."""
    paths = ((module, f"{module}.{name}" if name else module) for module, name in names)
    return {path if path in files else module for module, path in paths} & set(files)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files each of which can be reached from each other."""
    reached = {start: reachable(arrows, start) for start in arrows}
    groups = {tuple(sorted(other for other in reached[one] if one in reached[other])) for one in arrows}
    return sorted(list(group) for group in groups if group)


def reachable(arrows: dict[str, set[str]], start: str) -> set[str]:
    """The files that a file leads to; itself only if it is part of a circle."""
    seen: set[str] = set()
    to_do = list(arrows[start])
    while to_do:
        name = to_do.pop()
        if name not in seen:
            seen.add(name)
            to_do += arrows[name]
    return seen


def test_the_search_for_circles_finds_one() -> None:
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) == [["a", "b", "c"]]


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(imported_files()) == []


def test_no_room_holds_more_than_12_percent_of_the_code() -> None:
    lines: Counter[str] = Counter()
    for path in SOURCE.rglob("*.py"):
        lines[path.relative_to(SOURCE).parts[0]] += path.read_text(encoding="utf-8").count("\n")
    whole = sum(lines.values())
    assert {room: count / whole for room, count in lines.items() if count > 0.12 * whole} == {}


def test_only_the_clock_imports_simpy() -> None:
    found = [name for name, file in facts().items() if any(one.split(".")[0] == "simpy" for one in imports(file.taken))]
    assert found == ["kernel/clock.py"]


def test_simpy_is_pinned_to_the_version_that_is_tested_here() -> None:
    (pinned,) = [line for line in requires("retrysim") or [] if line.startswith("simpy")]
    assert pinned == f"simpy=={version('simpy')}"


class Timer:
    """An event of our own: nothing but what SimPy looks at."""

    __slots__ = ("_ok", "callbacks", "fired")

    def __init__(self) -> None:
        self._ok = True
        self.fired = 0
        self.callbacks: Any = None

    def fire(self) -> None:
        self.fired += 1


@pytest.mark.parametrize("make", [Environment, Clock])
def test_simpy_takes_an_object_with_callbacks_and_ok_for_an_event_again_and_again(make: type[Environment]) -> None:
    environment = make()
    timer = Timer()
    for times in (1, 2, 3):
        timer.callbacks = (Timer.fire,)
        environment.schedule(timer, 1, 5)  # type: ignore[arg-type]
        environment.step()
        assert (environment.now, timer.fired, timer.callbacks) == (5 * times, times, None)


def test_a_timer_can_be_scheduled_again_from_its_own_callback() -> None:
    environment = Environment(initial_time=0)
    seen: list[float] = []

    def tick(timer: Timer) -> None:
        seen.append(environment.now)
        if len(seen) < 3:
            hold(timer)

    def hold(timer: Timer) -> None:
        timer.callbacks = (tick,)
        environment.schedule(timer, 1, 7)  # type: ignore[arg-type]

    hold(Timer())
    environment.run()
    assert seen == [7, 14, 21]


def test_an_event_that_is_not_ok_would_stop_simpy() -> None:
    # Why our timers carry `_ok`: without it, or with another value, `step` looks for a failure to raise.
    environment = Environment()
    timer = Timer()
    timer.callbacks = (Timer.fire,)
    timer._ok = False  # noqa: SLF001  # SimPy's own attribute
    environment.schedule(timer, 1, 0)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        environment.step()


def test_at_one_instant_simpy_fires_urgent_timers_first_and_others_in_order_of_creation() -> None:
    clock = Clock()
    fired: list[str] = []
    clock.call_after(3, lambda: fired.append("first"))
    clock.call_after(3, lambda: fired.append("second"))
    clock.call_after(3, lambda: fired.append("urgent"), urgent=True)
    clock.call_after(2, lambda: clock.call_after(1, lambda: fired.append("third")))
    assert clock.drain(None, 100)
    assert fired == ["urgent", "first", "second", "third"]


ARCHITECTURE = (SOURCE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
][0]["layers"]


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`(sim/[\w/]+\.py:[\w.]+)`", ARCHITECTURE))))
def test_the_architecture_page_names_places_that_are_there(place: str) -> None:
    file, _, path = place.partition(":")
    names = {""}
    for node in ast.parse((SOURCE.parent / file).read_text(encoding="utf-8")).body:
        for target in [node, *getattr(node, "targets", []), getattr(node, "target", node)]:
            name = getattr(target, "name", getattr(target, "id", ""))
            names |= {name, *(f"{name}.{getattr(member, 'name', '')}" for member in getattr(node, "body", []))}
    assert path in names


def test_the_picture_of_the_house_has_its_layers_in_their_order() -> None:
    (picture,) = re.findall(r"```text\n(.*?)```", ARCHITECTURE, re.DOTALL)
    rooms = {room for layer in LAYERS for room in layer.split(" | ")}
    cells = [re.split(r" {3,}", line.strip()) for line in picture.splitlines()]
    assert [cell for row in cells for cell in row if set(cell.split(" | ")) <= rooms] == LAYERS


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()))
def test_the_architecture_page_tells_of_every_room(room: str) -> None:
    assert f"**`{room}`**" in ARCHITECTURE
