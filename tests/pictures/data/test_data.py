"""What holds of the data of every picture: no Matplotlib, plain numbers and text, frozen."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest
from reported import GONE, LATER, OBJECTIVES, SPREAD, MakePair, Row

from sim.api.replay import replayed
from sim.api.run import run
from sim.pictures import data as room
from sim.pictures.data.bars import attempts_data
from sim.pictures.data.comparison import comparison_data
from sim.pictures.data.delays import delays_data
from sim.pictures.data.heat_map import Edge, heat_data
from sim.pictures.data.levels import Level, SweptCell, level
from sim.pictures.data.over_time import CellOverTime, Shade, load_data, rejections_data, utilization_data
from sim.pictures.data.pareto import pareto_data
from sim.pictures.data.picture import Picture
from sim.pictures.data.run import run_data, sweep_data
from sim.pictures.data.story import timeline_data
from sim.pictures.data.sweeps import metric_data
from sim.retriers.presets import find
from sim.scenario.load import parse
from sim.text.reported import Cell
from sim.text.tried import Tried

MODULES = sorted(path.stem for path in Path(room.__path__[0]).glob("*.py") if path.stem != "__init__")
TAKEN = {Picture, Level, SweptCell, CellOverTime}
"""Not data of a picture, but what it is made from and what all have in common."""
RESTARTED = """
retrier: component
world: shared
action: {latency: {constant: 900ms}}
requests: {count: 12, arrivals: {constant: {rate: 5/s}}}
faults: [{restart: {at: [1s], down: 2s}}]
"""
MANY_ATTEMPTS = "retrier: {kind: component, max_failures: 30, base: 1}\naction: {outcomes: {fail: 1}}\n"
CANCELED = """
retrier: component
action: {script: [{outcome: fail, latency: 3s}]}
cancel: {share: 1, after: {constant: 1s}, target: action}
"""
OVERLOADED = """
retrier: none
world: shared
replications: 2
requests: {count: 40, arrivals: {constant: {rate: 20/s}}}
action: {service: db}
services: {db: {servers: 1, latency: {constant: 100ms}, queue: {limit: 3}}}
timeline: {every: 1s}
"""


@pytest.fixture
def pictures(make_cell: Callable[..., Cell], found: list[Tried], make_pair: MakePair) -> list[object]:
    """Make the data of pictures of every kind."""
    repeated: Row = {"attempts": 30, "duplicates": {"timeout": 1}}
    cells = [make_cell("a", (90, {}), (2, GONE)), make_cell("b", (20, repeated)), make_cell("c")]
    swept = [
        SweptCell({"x": level(x, str(x)), "y": level(y, y)}, "", make_cell("x", (40 + 10 * x, {}), (x, GONE)).metrics)
        for y in ("1s", "2s", "1m")
        for x in (1, 2, 3)
    ]
    timeline = run(parse(OVERLOADED)).cells[0].timeline
    assert timeline is not None
    over_time = [CellOverTime("a", timeline, (Shade(1.0, 2.0, "outage"),))]
    stories = [replayed(parse(text), 3) for text in (RESTARTED, MANY_ATTEMPTS, CANCELED)]
    return [
        run_data(cells, "caption"),
        attempts_data([], "caption"),
        *sweep_data(swept, "caption").values(),
        heat_data(swept, "success.rate", "x", "y"),
        replace(heat_data(swept, "success.rate", "x", "y"), boundary=(Edge((0.5, 0.5), (-0.5, 0.5)),)),
        metric_data(swept, "time_to_effect.p99", "y"),
        pareto_data(found, OBJECTIVES),
        load_data(over_time),
        rejections_data(over_time),
        utilization_data(over_time),
        comparison_data(make_pair(SPREAD, LATER)),
        delays_data(find("stamina")),
        *(timeline_data(one.history, one.number, one.outcome) for one in stories),
    ]


def parts(value: object) -> Iterator[object]:
    """All that an object consists of, itself included."""
    yield value
    if is_dataclass(value):
        for field in fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from parts(one)


def classes() -> set[type]:
    """All classes of data that the modules have."""
    modules = [import_module(f"{room.__name__}.{name}") for name in MODULES]
    own = {value for module in modules for value in vars(module).values() if is_dataclass(value)}
    return {
        value
        for value in own
        if isinstance(value, type)
        and value.__module__.startswith(room.__name__)
        and not value.__name__.startswith("_")
        and value not in TAKEN
    }


def test_the_sample_has_data_of_every_class(pictures: list[object]) -> None:
    found = {type(part) for picture in pictures for part in parts(picture)}
    assert classes() - found == set()


def test_data_is_plain_numbers_and_text(pictures: list[object]) -> None:
    kinds = {type(part) for picture in pictures for part in parts(picture) if not is_dataclass(part)}
    assert kinds <= {str, int, float, bool, type(None), tuple}


def test_data_is_frozen() -> None:
    assert {one.__name__ for one in classes() if not one.__dataclass_params__.frozen} == set()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODULES)
def test_no_module_of_data_names_matplotlib_or_what_draws(name: str) -> None:
    tree = ast.parse(Path(str(import_module(f"{room.__name__}.{name}").__file__)).read_text(encoding="utf-8"))
    froms = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    drawing = {
        one for one in froms | imports if one.startswith(("matplotlib", "sim.pictures")) and room.__name__ not in one
    }
    assert drawing == set()


PROGRAM = """
import sys

from sim.api.compare import compare
from sim.api.replay import replayed
from sim.api.run import run
from sim.pictures.data.comparison import comparison_data
from sim.pictures.data.pareto import pareto_data
from sim.pictures.data.run import run_data, sweep_data
from sim.pictures.data.story import timeline_data
from sim.scenario.load import parse
from sim.tuning.tune import tune

base = "requests: {count: 50}\\naction: {outcomes: {fail: 0.4}}\\nretrier: component\\n"
swept = run(parse(base + "sweep: {retrier.max_failures: [0, 2, 4], retrier.initial_backoff: [10ms, 1s, 9s]}"))
data = swept.plot.data
for name in ("time_to_effect", "time_to_known", "detection_lag", "attempts", "outcomes", "duplicates"):
    getattr(data, name)()
data.metric("amplification", over="retrier.max_failures")
data.heat("amplification")
run_data(swept.reported, "")
assert sweep_data(swept.swept, "")
cells = [swept.cells[0], swept.cells[-1]]
(compared,) = compare(run(parse(base)), run(parse(base.replace("component", "helpers"))))
comparison_data(compared.pair)
told = replayed(parse(base), 3)
timeline_data(told.history, told.number, told.outcome)
tuned = tune(parse(base + "tune: {search: {retrier.max_failures: [0, 2]}, objectives: [cost.actions]}"))
pareto_data(tuned.reported, tuned.options.objectives)
print("matplotlib" in sys.modules)
"""


def test_making_the_data_of_every_picture_imports_no_matplotlib() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)  # noqa: S603 - own code
    assert (done.stdout, done.stderr) == ("False\n", "")
