"""Plain words mean what YAML 1.2 says."""

import pytest

from sim.scenario.yaml.scalars import resolve


@pytest.mark.parametrize(
    "word",
    ["NO", "no", "on", "yes", "y", "Off", "1:30", "1_000", "0b11", "0x", "0o8", "12e", ".", "-", "+", "nan", "inf",
     "1.2.3", "2026-11-23", "=", "<<x", "TrUe", "nULL", "0o-7", "--1", "1e", "e5", "\uff11"],
)  # fmt: skip
def test_words_of_yaml_1_1_and_things_like_numbers_are_text(word: str) -> None:
    assert resolve(word) == word


@pytest.mark.parametrize(
    ("word", "value"),
    [("017", 17), ("0o17", 15), ("0x1F", 31), ("-5", -5), ("+5", 5), ("0", 0), ("1.", 1.0), (".5", 0.5),
     ("-1.5e-3", -0.0015), ("1e3", 1000.0), ("true", True), ("FALSE", False), ("", None), ("~", None), ("Null", None)],
)  # fmt: skip
def test_numbers_booleans_and_null(word: str, value: object) -> None:
    got = resolve(word)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize("word", [".nan", ".NaN", ".inf", "-.Inf", "+.INF", "1e999", "-1e999"])
def test_what_is_not_finite_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        resolve(word)


@pytest.mark.parametrize("word", ["9" * 33, "0x" + "f" * 31, "0." + "1" * 31])
def test_numbers_too_long_to_be_meant_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="a number has at most 32 characters"):
        resolve(word)
