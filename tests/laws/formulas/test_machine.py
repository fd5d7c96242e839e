"""Trees, codes and arrays: all of them give the same bits, and nothing raises."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_formulas import VALUES, bits, trees

from sim.laws.formulas.machine import CONSTANT, VALUE, decode, encode, evaluate, evaluate_arrays
from sim.laws.formulas.operations import OPERATIONS
from sim.laws.formulas.parser import parse
from sim.laws.formulas.tree import Apply, Name, Number, Tree, folded, names_of

NAMES = ("n", "u", "x")
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8)


def by_definition(tree: Tree, values: dict[str, float]) -> float:
    match tree:
        case Number(value):
            return value
        case Name(name):
            return values[name]
    return OPERATIONS[tree.operation].of_numbers(*(by_definition(one, values) for one in tree.arguments))


@given(trees(NAMES), st.tuples(VALUES, VALUES, VALUES))
def test_a_code_has_the_value_of_its_tree(tree: Tree, values: tuple[float, ...]) -> None:
    expected = by_definition(tree, dict(zip(NAMES, values, strict=True)))
    assert bits(evaluate(encode(tree, NAMES), values)) == bits(expected)


@given(trees(NAMES))
def test_a_code_says_all_of_its_tree(tree: Tree) -> None:
    assert decode(encode(tree, NAMES), NAMES) == tree


@given(trees(NAMES), ROWS)
def test_arrays_have_the_bits_of_single_values(tree: Tree, rows: list[tuple[float, ...]]) -> None:
    code, columns = encode(tree, NAMES), [np.array(column) for column in zip(*rows, strict=True)]
    found = evaluate_arrays(code, columns, (len(rows),))
    assert found.shape == (len(rows),)
    assert [bits(one) for one in found.tolist()] == [bits(evaluate(code, row)) for row in rows]


@given(trees(NAMES), st.tuples(VALUES, VALUES, VALUES), st.sets(st.sampled_from(NAMES)))
def test_folding_changes_no_bit(tree: Tree, values: tuple[float, ...], known: set[str]) -> None:
    numbers = {name: Number(value) for name, value in zip(NAMES, values, strict=True) if name in known}
    found = folded(tree, numbers)
    assert not names_of(found) & known
    assert bits(evaluate(encode(found, NAMES), values)) == bits(evaluate(encode(tree, NAMES), values))


def test_folding_works_out_what_depends_on_known_names_alone() -> None:
    tree = parse("min(20s, 100ms * 2 ** (n - 1)) * u", NAMES)
    assert folded(tree, {"n": Number(3.0)}) == Apply("*", (Number(400.0), Name("u")))


def test_a_code_is_plain_numbers_in_postfix_order() -> None:
    assert encode(parse("2 * u + n", NAMES), NAMES) == ((CONSTANT, 2.0), (VALUE, 1), (4, 0), (VALUE, 0), (2, 0))
