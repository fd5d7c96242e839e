"""A file may say less than Python: durations and rates need their units, and fields go by the names of files only."""

from inspect import isabstract
from itertools import filterfalse
from types import SimpleNamespace
from typing import Annotated

import pytest
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticUndefined

import sim.scenario.schema  # noqa: F401  # defines all option models of scenarios
from sim.options.model import DurationNs, Options, Rate, file_rules
from sim.options.shorthand import NEITHER_FORM, AlsoWritten
from sim.retriers.registry import PORTS, retrier_class

FILE, PYTHON = SimpleNamespace(from_file=True), None


class Wait(Options):
    wait_ns: DurationNs = Field(default=5, alias="wait")
    rate: Rate = 1.0


def places(values: dict[str, object], context: object) -> list[tuple[int | str, ...]]:
    """Return where the mistakes are."""
    try:
        Wait.model_validate(values, **file_rules(context))
    except ValidationError as error:
        return [details["loc"] for details in error.errors()]
    return []


@pytest.mark.parametrize("values", [{"wait": 5}, {"rate": 5.0}])
def test_numbers_without_units_are_for_python_only(values: dict[str, object]) -> None:
    assert places(values, PYTHON) == []
    assert places(values, FILE) == [(key,) for key in values]


def test_names_of_fields_are_for_python_only() -> None:
    assert places({"wait_ns": "5ms"}, PYTHON) == []
    assert places({"wait_ns": "5ms"}, FILE) == [("wait_ns",)]


def test_a_default_in_nanoseconds_serves_files_too() -> None:
    assert Wait.model_validate({}, **file_rules(FILE)).wait_ns == 5


def models(base: type[Options] = Options) -> set[type[Options]]:
    return {model for below in base.__subclasses__() for model in (below, *models(below)) if "sim." in model.__module__}


def test_every_default_is_a_value_that_its_model_takes() -> None:
    for kind in PORTS:
        retrier_class(kind)
    wrong, checked = [], 0
    for model in filterfalse(isabstract, models()):
        stated = {name: field.default for name, field in model.model_fields.items()}
        defaults = {name: value for name, value in stated.items() if value is not PydanticUndefined}
        needed = {"retrier": "helpers"} if "retrier" in model.model_fields else {}
        try:
            made = model.model_validate({**needed, **defaults})
        except ValidationError as error:
            # Some models have options that must be given, or that need one another: these are no mistakes of defaults.
            wrong += [(model, at["loc"]) for at in error.errors() if at["loc"] and at["loc"][0] in defaults]
        else:
            wrong += [(model, name) for name, value in defaults.items() if getattr(made, name) != value]
        checked += len(defaults)
    assert wrong == []
    assert checked > 50


class Shared(Options):
    share: float


class Holder(Options):
    part: Annotated[
        Shared,
        BeforeValidator(lambda value: {"share": value} if isinstance(value, float) else value),
        AlsoWritten({"type": "number"}),
    ]


def test_a_short_form_is_taken_for_the_long_one() -> None:
    assert Holder.model_validate({"part": 0.5}) == Holder.model_validate({"part": {"share": 0.5}})


def test_a_value_in_neither_form_is_told_both() -> None:
    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"part": "x"})
    (details,) = refused.value.errors()
    assert (details["type"], details["loc"], details["msg"]) == (
        NEITHER_FORM,
        ("part",),
        "expected a number or a mapping of keys",
    )


def test_a_mistake_inside_the_long_form_keeps_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"part": {"share": "x"}})
    assert [details["loc"] for details in refused.value.errors()] == [("part", "share")]
