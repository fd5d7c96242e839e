"""Options written as one key: both ways, one error a mistake, at its place."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.options.model import DurationNs, Options
from sim.options.single_key import UNKNOWN_KEY, SingleKey


class Circle(Options):
    radius: int


class Square(Options):
    side: int
    tilt: int = 0


class Dot(Options):
    pass


class Wait(Options):
    time_ns: DurationNs


Shape = Annotated[
    Circle | Square | Dot | Wait,
    SingleKey(
        "shape",
        "{circle: {radius: 1}}",
        {"circle": Circle, "square": Square, "dot": Dot, "wait": Wait},
        scalars={"wait": "time_ns"},
        bare=("dot",),
    ),
]


class Drawing(Options):
    shapes: list[Shape]


adapter: TypeAdapter[Any] = TypeAdapter(Shape)


def errors(written: object) -> list[tuple[str, tuple[int | str, ...]]]:
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate({"shapes": [written]})
    return [(error["type"], error["loc"]) for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ({"circle": {"radius": 2}}, Circle(radius=2)),
        ({"square": {"side": 3, "tilt": 0}}, Square(side=3)),
        ({"dot": {}}, Dot()),
        ({"wait": "5ms"}, Wait(time_ns=5_000_000)),
    ],
)
def test_a_key_and_a_model_stand_for_each_other(written: object, model: Options) -> None:
    assert (adapter.validate_python(written), adapter.dump_python(model)) == (model, written)


def test_a_model_is_taken_as_it_is() -> None:
    circle = Circle(radius=1)
    assert adapter.validate_python(circle) is circle


def test_a_kind_without_options_may_stand_bare() -> None:
    assert adapter.validate_python("dot") == Dot()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"circel": {"radius": 1}}, (UNKNOWN_KEY, ("shapes", 0, "circel"))),
        ({7: {}}, (UNKNOWN_KEY, ("shapes", 0, 7))),
        ({None: {}}, (UNKNOWN_KEY, ("shapes", 0, "None"))),
        ({}, ("single_key", ("shapes", 0))),
        ({"circle": {"radius": 1}, "dot": {}}, ("single_key", ("shapes", 0))),
        ({"circle": {"radius": 1}, "x": {}}, ("single_key", ("shapes", 0))),
        ("circle", ("single_key", ("shapes", 0))),
        (None, ("single_key", ("shapes", 0))),
        (["circle"], ("single_key", ("shapes", 0))),
        ({"circle": None}, ("model_type", ("shapes", 0, "circle"))),
        ({"circle": {}}, ("missing", ("shapes", 0, "circle", "radius"))),
        ({"circle": {"radius": 1, "tilt": 1}}, ("extra_forbidden", ("shapes", 0, "circle", "tilt"))),
        ({"circle": {"radius": "1"}}, ("int_type", ("shapes", 0, "circle", "radius"))),
        ({"wait": "soon"}, ("value_error", ("shapes", 0, "wait"))),
        ({"wait": {"time": "5ms"}}, ("value_error", ("shapes", 0, "wait"))),
    ],
)
def test_a_mistake_is_one_error_at_its_place(written: object, expected: tuple[str, tuple[int | str, ...]]) -> None:
    assert errors(written) == [expected]


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({"circel": {}})
    (error,) = caught.value.errors()
    assert (error["msg"], error["ctx"]["allowed"]) == (
        "no shape has this name; the names are: circle, square, dot, wait",
        ["circle", "square", "dot", "wait"],
    )


def test_several_keys_are_named() -> None:
    with pytest.raises(ValidationError, match="this one has 3: circle, radius, tilt"):
        adapter.validate_python({"circle": None, "radius": 1, "tilt": 2})


def test_the_schema_says_one_key() -> None:
    schema = adapter.json_schema()
    written = schema["anyOf"][1]
    got = (schema["anyOf"][0], list(written["properties"]), written["minProperties"], written["maxProperties"])
    assert got == ({"enum": ["dot"]}, ["circle", "square", "dot", "wait"], 1, 1)


def test_the_schema_forbids_other_keys() -> None:
    assert adapter.json_schema()["anyOf"][1]["additionalProperties"] is False
