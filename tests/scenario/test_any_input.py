"""No input whatsoever raises anything but `ScenarioError`."""

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.identity import digest
from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError

GOOD = Path(__file__).parent / "good"
FULL = yaml.safe_load((GOOD / "full.yaml").read_text())

scalars = st.sampled_from(
    [None, True, 0, 1, -1, 0.5, 2**70, 1e300, "", "x", "5ms", "-5ms", "5/s", "none", "helpers", "isolated", "shared",
     "drained", "success.rate >= 1", "a.b", "latencies.csv", "latency_ms", "\N{FOX FACE}"]
)  # fmt: skip
keys = st.sampled_from(
    ["x", "", "a.b", "kind", "share", "latency", "from", "constant", "empirical", "file", "column", "script", "retrier",
     "retrier.base", "action.script.0", "platform.profile", "world", "faults.0", "sweep", "variants", "seed",
     "value_ns"]
)  # fmt: skip
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3), max_leaves=6
)


def try_to_load(text: str | bytes) -> None:
    try:
        scenario = parse(text, GOOD)
    except ScenarioError as error:
        assert error.problems  # noqa: PT017  # either way out is fine
        for line in str(error).split("\n"):
            assert line.startswith("scenario:")
            assert "Input" not in line
    else:
        assert len(digest(scenario)) == 64


@given(st.binary(max_size=200))
def test_bytes(data: bytes) -> None:
    try_to_load(data)


@given(st.text(max_size=100))
def test_text(text: str) -> None:
    try_to_load(text)


@given(st.dictionaries(st.sampled_from(sorted(FULL)) | keys, values, max_size=6))
def test_mappings_of_known_and_unknown_keys(tree: dict[str, Any]) -> None:
    try_to_load(yaml.safe_dump(tree, allow_unicode=True))
    try:
        from_dict(tree, GOOD)
    except ScenarioError as error:
        assert error.problems  # noqa: PT017  # either way out is fine


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in below for place in places(value, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a good scenario in which some values are replaced, removed or joined by others."""
    tree = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(tree)[1:]))
        node = tree
        for key in above:
            node = node[key]
        way = draw(st.sampled_from(["replace", "remove", "join"]))
        if way == "remove" or not tree:
            node.pop(last)
        elif way == "replace" or isinstance(node, list):
            node[last] = draw(values)
        else:
            node[draw(keys)] = draw(values)
        if len(places(tree)) < 2:
            break
    return tree


@given(damaged())
def test_good_files_with_some_damage(tree: dict[str, Any]) -> None:
    try_to_load(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))


@given(st.data())
def test_good_files_with_a_few_other_characters(data: st.DataObject) -> None:
    text = (GOOD / "measured.yaml").read_text()
    start = data.draw(st.integers(0, len(text)))
    put = data.draw(st.text("{}[]:,-?&*!|>'\"%@`#ab \n\t0.~", max_size=3))
    try_to_load(text[:start] + put + text[start + data.draw(st.integers(0, 5)) :])


@given(st.lists(st.tuples(keys | st.text(max_size=10), st.text(max_size=10) | st.just("{constant: 5ms}")), max_size=3))
def test_overrides(overrides: list[tuple[str, str]]) -> None:
    try:
        parse("retrier: helpers", ".", overrides)
    except ScenarioError as error:
        assert error.problems  # noqa: PT017  # either way out is fine
