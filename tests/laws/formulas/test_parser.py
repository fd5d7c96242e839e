"""Formulas from text: how operators bind, and a sentence with the place for all that is no formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_formulas import trees

from sim.laws.formulas import FormulaError, parse
from sim.laws.formulas.machine import encode, evaluate
from sim.laws.formulas.parser import DEEPEST, LONGEST
from sim.laws.formulas.tree import Name, Number, written

NAMES = ("d", "hint", "n", "u")


def value(text: str, **names: float) -> float:
    return evaluate(encode(parse(text, names), list(names)), list(names.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("8 - 4 - 2", 2.0),
        ("16 / 4 / 2", 2.0),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("-2 * -3", 6.0),
        ("+5", 5.0),
        ("- - 5", 5.0),
        ("7 % 4 * 2", 6.0),
        ("-7 % 4", 1.0),
        ("1.5e3", 1500.0),
        ("2E-1", 0.2),
        ("5s", 5000.0),
        ("250ms", 250.0),
        ("1m30s + 1ms", 90_001.0),
        ("1.5s", 1500.0),
        ("1ns", 1e-6),
        ("2 * 3us", 0.006),
        ("min(3, 1, 2)", 1.0),
        ("max(3, 1, 2, 7)", 7.0),
        ("floor(7.9)", 7.0),
        ("floor(7900ms, 1s)", 7000.0),
        ("round(2.5)", 3.0),
        ("round(7500ms, 1s)", 8000.0),
        ("sqrt(9)", 3.0),
        ("pow(2, 10)", 1024.0),
        ("log(1)", 0.0),
        ("exp(0)", 1.0),
        ("tanh(0)", 0.0),
        (" \t1\n+\n1 ", 2.0),
    ],
)
def test_a_formula_has_the_value_that_arithmetic_gives_it(text: str, expected: float) -> None:
    assert value(text) == expected


def test_names_have_the_values_that_are_given() -> None:
    assert value("max(d, min(hint, d + 5s))", d=100.0, hint=9000.0) == 5100.0


def test_a_power_by_the_function_is_one_by_the_operator() -> None:
    assert parse("pow(n, u)", NAMES) == parse("n ** u", NAMES)


@given(trees(NAMES))
def test_what_is_written_is_read_back(tree: object) -> None:
    assert parse(written(tree), NAMES) == tree  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "a formula is not empty"),
        ("  ", 3, "a formula is not empty"),
        ("1 +", 4, "the formula ends where a number, a name or a bracket is missing"),
        ("1 + * 2", 5, "expected a number, a name or a bracket, got '*'"),
        ("1 2", 3, "expected an operator or the end, got '2'"),
        ("(1 + 2", 7, "expected ')' for the '(' at column 1, got the end"),
        ("min(1, 2", 9, "expected ')' for the '(' at column 4, got the end"),
        ("(1, 2)", 3, "expected ')' for the '(' at column 1, got ','"),
        ("1 + 2)", 6, "expected an operator or the end, got ')'"),
        ("()", 2, "expected a number, a name or a bracket, got ')'"),
        ("n + hnt", 5, "unknown name 'hnt'; did you mean 'hint'?"),
        ("2 * xyz", 5, "unknown name 'xyz'; known are d, hint, n, u"),
        ("mim(1, 2)", 1, "unknown function 'mim'; did you mean 'min'?"),
        ("n(1)", 1, "unknown function 'n'; known are exp, floor, log, max, min, pow, round, sqrt, tanh"),
        ("eval(1)", 1, "unknown function 'eval'; known are exp, floor, log, max, min, pow, round, sqrt, tanh"),
        (
            "__import__(1)",
            1,
            "unknown function '__import__'; known are exp, floor, log, max, min, pow, round, sqrt, tanh",
        ),
        ("(n)(1)", 4, "expected an operator or the end, got '('"),
        ("1 + min", 5, "min is a function; write min(...)"),
        ("min(1)", 1, "min takes two values or more, got 1"),
        ("min()", 1, "min takes two values or more, got none"),
        ("sqrt(1, 2)", 1, "sqrt takes one value, got 2"),
        ("floor(1, 2, 3)", 1, "floor takes one value or two, got 3"),
        ("pow(2)", 1, "pow takes two values, got 1"),
        ("min(1, )", 8, "expected a number, a name or a bracket, got ')'"),
        ("nan", 1, "unknown name 'nan'; known are d, hint, n, u"),
        ("inf", 1, "unknown name 'inf'; known are d, hint, n, u"),
        ("2 * 1e999", 5, "the number is too large"),
        ("5 + 5sec", 5, "'5sec' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"),
        ("0x10", 1, "'0x10' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"),
        ("1_000", 1, "'1_000' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"),
        ("1e5s", 1, "'1e5s' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"),
        ("2j", 1, "'2j' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"),
        ("5s1m", 1, "the units of a combined duration go from large to small, each once, as in 1m30s"),
        ("200000d", 1, "a duration is at most 100 years"),
        ("n.real", 2, "unexpected '.': a formula has no parts of names, and numbers start with a digit"),
        (".5", 1, "unexpected '.': a formula has no parts of names, and numbers start with a digit"),
        ("n < 2", 3, "unexpected '<': a formula compares nothing; use min and max"),
        ("n == 2", 3, "unexpected '=': a formula compares nothing; use min and max"),
        ("'a' * n", 1, 'unexpected "\'": a formula has no texts'),
        ("[1][0]", 1, "unexpected '[': a formula has no lists and no indexes; use round brackets"),
        ("lambda: 1", 7, "unexpected ':': a formula has no conditions and no functions of its own"),
        ("n if u else 1", 3, "expected an operator or the end, got 'if'"),
        ("n // 2", 4, "expected a number, a name or a bracket, got '/'"),
        ("n ^ 2", 3, "unexpected '^': a formula has no conditions and no functions of its own"),
        ("2 * ä", 5, "unexpected 'ä': a formula has numbers, names, brackets and + - * / % ** only"),
        ("2 * ٣", 5, "unexpected '٣': a formula has numbers, names, brackets and + - * / % ** only"),
        ("2\x00", 2, "a formula has numbers, names, brackets and + - * / % ** only"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, column: int, reason: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, NAMES)
    assert (caught.value.column, caught.value.reason) == (column, reason)


def test_the_message_names_the_place_and_the_text() -> None:
    with pytest.raises(FormulaError, match=r"^unknown name 'x'; .* \(at column 5 of '2 \* x'\)$"):
        parse("2 * x", NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 400 + "1" + ")" * 400,
        "-" * 900 + "1",
        "+" * 900 + "1",
        "1" + "+1" * 450,
        "2" + "**2" * 300,
        "min(" * 200 + "1" + ",1)" * 200,
        "min(" + ",".join("1" * 200) + ")",
        "1+" * 5_000_000,
        "9" * 10_000_000,
        "sqrt(" * 150,
        "1m" * 499 + "x",
    ],
    ids=lambda text: f"{text[:8]}...{len(text)}",
)
def test_huge_and_deep_texts_are_refused_at_once(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, NAMES)
    assert len(str(caught.value)) < 300


def test_the_bounds_of_length_and_depth_are_allowed() -> None:
    assert value("1" + "+1" * DEEPEST) == DEEPEST + 1
    assert value("(" * DEEPEST + "1" + ")" * DEEPEST) == 1
    assert value("-" * DEEPEST + "1") == 1
    assert value("min(" + ",".join("1" * DEEPEST) + ")") == 1
    assert value("1".ljust(LONGEST)) == 1


@given(st.text(max_size=30) | st.text("0123456789.eE+-*/%(), nudsm<>='\"[]", max_size=40))
def test_any_other_text_is_a_formula_or_an_error_with_a_place_in_it(text: str) -> None:
    column = 1
    try:
        parse(text, NAMES)
    except FormulaError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


def test_leaves_are_names_and_numbers() -> None:
    assert (parse("n", NAMES), parse("7", NAMES)) == (Name("n"), Number(7.0))
