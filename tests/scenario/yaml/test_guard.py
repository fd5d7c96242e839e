"""Reading YAML: plain values, and the place of each."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.mistakes.problems import Place, ScenarioError
from sim.scenario.yaml.guard import read_yaml

TEXT = """\
# a comment
retrier: helpers
action:
  latency: {constant: 5ms}
  script:
    - outcome: fail
    - {outcome: 'hang'}
why: |
  two
  lines
"""


def test_values_are_plain() -> None:
    assert read_yaml(TEXT.encode(), "f").values == {
        "retrier": "helpers",
        "action": {"latency": {"constant": "5ms"}, "script": [{"outcome": "fail"}, {"outcome": "hang"}]},
        "why": "two\nlines\n",
    }


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("retrier",), (2, 1), (2, 10)),
        (("action",), (3, 1), (4, 3)),
        (("action", "latency"), (4, 3), (4, 12)),
        (("action", "latency", "constant"), (4, 13), (4, 23)),
        (("action", "script", 0), None, (6, 7)),
        (("action", "script", 1, "outcome"), (7, 8), (7, 17)),
        (("why",), (8, 1), (8, 6)),
    ],
)
def test_keys_and_values_have_their_places(path: tuple[str], key: tuple[int, int], value: tuple[int, int]) -> None:
    places = read_yaml(TEXT.encode(), "f").places
    found = places.keys.get(path)
    assert (found and (found.line, found.column)) == key
    assert (places.values[path].line, places.values[path].column) == value


@pytest.mark.parametrize(("text", "column"), [("a: bc", 4), ("a: 'bc'", 5), ('a: "bc"', 5), ("a: |\n  bc", None)])
def test_a_text_on_one_line_knows_where_it_begins(text: str, column: int | None) -> None:
    assert read_yaml(text.encode(), "f").places.values[("a",)].text_column == column


@pytest.mark.parametrize("text", ["a: 1", "a: 1\r\n", "\ufeffa: 1", "a: 1\n...\n", "%YAML 1.2\n---\na: 1\n"])
def test_ways_to_write_the_same(text: str) -> None:
    assert read_yaml(text.encode(), "f").values == {"a": 1}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read_yaml(b"{1: a, true: b, ~: c, NO: d}", "f").values == {"1": "a", "true": "b", "~": "c", "NO": "d"}


def test_64_levels_are_read() -> None:
    text = "[" * 63 + "x" + "]" * 63
    assert read_yaml(f"a: {text}".encode(), "f").problems == ()


def test_a_refused_key_hides_only_its_own_value() -> None:
    document = read_yaml(b"a: 1\na: {b: {c: &x 1, c: 2}}\nd: 3\n", "f")
    assert document.values == {"a": 1, "d": 3}
    assert [str(problem) for problem in document.problems] == [
        "f:2:1: a: the key 'a' was given already, in line 1",
        "f:2:12: a.b.c: anchors ('&x') are not allowed",
        "f:2:18: a.b.c: the key 'c' was given already, in line 2",
    ]


def test_places_name_their_source() -> None:
    assert read_yaml(b"a: 1", "f").places.keys == {("a",): Place("f", 1, 1, 1)}


words = st.text(alphabet="abcxyz_-. 019:#'\"\\\n\tö", max_size=12)
trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(words.filter(bool), below, max_size=4),
    max_leaves=12,
)


@given(trees.filter(lambda tree: tree is not None))
def test_what_another_emitter_writes_is_read_back(tree: object) -> None:
    class NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the base's signature
            return True

    document = read_yaml(yaml.dump(tree, Dumper=NoAliases, allow_unicode=True).encode(), "f")
    assert document.problems == ()
    assert document.values == tree


@given(st.binary(max_size=60) | st.text(alphabet="{}[]:,-?&*!|>'\"%@`#ab \n\t0.", max_size=60).map(str.encode))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        document = read_yaml(data, "f")
    except ScenarioError as error:
        assert error.problems  # noqa: PT017  # either way out is fine
    else:
        assert document.places.sources == ["f"]
