"""A share is what its text says, not the binary number next to it."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sim.options.share import Share, exact

SHARE: TypeAdapter[float] = TypeAdapter(Share)


def test_a_fifth_is_a_fifth() -> None:
    assert exact(0.2) == Fraction(1, 5)


@pytest.mark.parametrize(("written", "share"), [("50%", 0.5), ("33.3 %", 0.333), (" 0% ", 0.0), (1, 1.0), (0.07, 0.07)])
def test_a_share_is_a_number_or_a_percentage(written: Any, share: float) -> None:
    assert SHARE.validate_python(written) == share


@given(st.integers(0, 100_000))
def test_a_percentage_is_exactly_that_many_hundredths(thousandths: int) -> None:
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}%"
    assert exact(SHARE.validate_python(text)) == Fraction(thousandths, 100_000)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (-0.1, "must be at least 0, got -0.1"),
        (2, "must be at most 1, got 2; did you mean '2%'?"),
        (500, "must be at most 1, got 500"),
        ("101%", "must be at most 100%, got 101%"),
    ],
)
def test_a_share_beyond_the_whole_is_refused(wrong: Any, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SHARE.validate_python(wrong)
    assert caught.value.errors()[0]["msg"].removeprefix("Value error, ") == reason


@pytest.mark.parametrize("wrong", ["half", "0.5", "-5%", "5%%", "9" * 80 + "%"])
def test_a_text_that_is_no_percentage_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match=r"expected a share such as 2% or 0\.02, got the text"):
        SHARE.validate_python(wrong)
