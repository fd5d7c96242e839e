"""Any input becomes a scenario or raises `ScenarioError` with places and plain words; it raises nothing else."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from editor import marked
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.identity import digest
from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

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


def is_loaded_or_refused_in_plain_words(text: str | bytes) -> bool:
    """Whether a text is a scenario with a digest, or every line about it has a place and no words of Pydantic."""
    try:
        scenario = parse(text, GOOD)
    except ScenarioError as error:
        return all(line.startswith("scenario:") and "Input" not in line for line in str(error).split("\n"))
    return len(digest(scenario)) == 64


def is_made_or_refused(make: Callable[[], Scenario]) -> bool:
    """Whether a scenario comes out, or a `ScenarioError` with a problem."""
    try:
        make()
    except ScenarioError as error:
        return bool(error.problems)
    return True


@given(st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused_in_plain_words(data: bytes) -> None:
    assert is_loaded_or_refused_in_plain_words(data)


@given(st.text(max_size=100))
def test_any_text_is_loaded_or_refused_in_plain_words(text: str) -> None:
    assert is_loaded_or_refused_in_plain_words(text)


@given(st.dictionaries(st.sampled_from(sorted(FULL)) | keys, values, max_size=6))
def test_any_mapping_of_known_and_unknown_keys_is_loaded_or_refused_in_plain_words(tree: dict[str, Any]) -> None:
    assert is_loaded_or_refused_in_plain_words(yaml.safe_dump(tree, allow_unicode=True))
    assert is_made_or_refused(lambda: from_dict(tree, GOOD))


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
def test_a_good_file_with_some_damage_is_loaded_or_refused_in_plain_words(tree: dict[str, Any]) -> None:
    assert is_loaded_or_refused_in_plain_words(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))


@given(damaged())
def test_an_editor_marks_nothing_in_a_file_that_is_loaded(tree: dict[str, Any]) -> None:
    try:
        from_dict(tree, GOOD)
    except ScenarioError:
        return
    assert marked(tree) == []


@given(st.data())
def test_a_good_file_with_a_few_other_characters_is_loaded_or_refused_in_plain_words(data: st.DataObject) -> None:
    text = (GOOD / "measured.yaml").read_text()
    start = data.draw(st.integers(0, len(text)))
    put = data.draw(st.text("{}[]:,-?&*!|>'\"%@`#ab \n\t0.~", max_size=3))
    changed = text[:start] + put + text[start + data.draw(st.integers(0, 5)) :]
    assert is_loaded_or_refused_in_plain_words(changed)


@given(st.lists(st.tuples(keys | st.text(max_size=10), st.text(max_size=10) | st.just("{constant: 5ms}")), max_size=3))
def test_any_override_is_taken_or_refused(overrides: list[tuple[str, str]]) -> None:
    assert is_made_or_refused(lambda: parse("retrier: helpers", ".", overrides))


def test_an_unknown_key_in_the_retrier_of_the_first_cell_is_told_where_it_stands() -> None:
    text = "variants: {a: {retrier: {kind: helpers, x: 1}}}"
    with pytest.raises(ScenarioError) as refused:
        parse(text)
    assert str(refused.value).startswith("scenario:1:41: variants.a.retrier.x: unknown key 'x'")
