"""Counterexamples as files: what is written is read as what was played, whatever the scenario."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sim
from sim.explorer.files import name_of, save, save_test
from sim.explorer.play import small_world
from sim.scenario.parts.course import Bounds
from sim.testing.courses import courses
from sim.testing.strategies import scenarios

ODD = sim.contracts.Violation("settles", 0, 'a "text" with \\ ü # : { and\na second line', ())
TWICE = Bounds(attempts=3, crashes=2)
SECOND = {
    "why": "To be replaced.",
    "requests": {"count": 100},
    "action": {"latency": {"constant": "1s"}, "outcomes": {"fail": 0.1}},
    "retrier": {"kind": "component", "max_failures": 2},
    "expect": ["success.rate >= 99%"],
    "explore": {"crashes": 1},
}


class Once(sim.LoopRetrier):
    """Never retries."""

    async def retry(self, call: sim.Call, ctx: sim.ClientContext) -> Any:
        del ctx
        return await call()


@pytest.fixture
def second() -> sim.explorer.Played:
    return sim.explorer.play(sim.scenario.from_dict(SECOND), answers=((0, 1), (1, 1)), bounds=TWICE)


@given(st.data(), scenarios(requests=2), st.integers(0, 2))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_a_saved_course_is_played_bit_for_bit(data: st.DataObject, scenario: sim.Scenario, crashes: int) -> None:
    bounds = Bounds(requests=2, crashes=crashes, steps=300)
    course = data.draw(courses(small_world(scenario, bounds), bounds, answers_at_most=4))
    with tempfile.TemporaryDirectory() as folder:
        save(course, ODD, Path(folder), "x")
        text = (Path(folder) / "x.yaml").read_bytes()
        again = sim.explorer.play(Path(folder) / "x.yaml", invariants=course.invariants)
        save(again, ODD, Path(folder), "x")
        assert (Path(folder) / "x.yaml").read_bytes() == text
    assert (again.history.digest(), again.violations) == (course.history.digest(), course.violations)


def test_what_is_written_is_the_small_world_the_course_and_what_it_breaks(
    second: sim.explorer.Played, tmp_path: Path
) -> None:
    assert save(second, second.violations[0], tmp_path, "second-settles") == ["second-settles.yaml"]
    values = sim.load(tmp_path / "second-settles.yaml").written
    assert {key: values[key] for key in values if key not in {"course", "action", "retrier"}} == {
        "schema": 1,
        "name": "second-settles",
        "why": second.violations[0].text,
        "seed": 0,
        "requests": {"count": 1},
        "check": ["settles"],
    }
    assert [answer["about"] for answer in values["course"]["answers"]] == [
        "whether the server dies in the middle of a step"
    ] * 2


def test_a_scenario_made_of_models_can_be_saved(tmp_path: Path) -> None:
    made = sim.Scenario(retrier={"kind": "component", "on_complete_fails": True}, heals_at=5_000_000_000)
    course = sim.explorer.play(made, answers=())
    save(course, course.violations[0], tmp_path, "made")
    assert sim.explorer.play(tmp_path / "made.yaml").history.digest() == course.history.digest()


def test_an_invariant_of_the_users_own_is_not_named_in_the_file(second: sim.explorer.Played, tmp_path: Path) -> None:
    save(second, ODD._replace(invariant="never-mind"), tmp_path, "x")
    assert sim.load(tmp_path / "x.yaml").check == ()


def test_a_class_is_named_as_the_command_line_names_it(tmp_path: Path) -> None:
    course = sim.explorer.play(sim.scenario.from_dict({"retrier": "none"}), answers=(), retrier=Once)
    save(course, ODD, tmp_path, "x", retrier=Once)
    first = (tmp_path / "x.yaml").read_text().splitlines()[0]
    assert first == f"# retrysim replay x.yaml --retrier {Once.__module__}:Once"
    assert sim.explorer.play(tmp_path / "x.yaml", retrier=Once).history.digest() == course.history.digest()


def test_a_class_that_no_file_can_name_is_refused(second: sim.explorer.Played, tmp_path: Path) -> None:
    class Inner(Once):
        pass

    with pytest.raises(ValueError, match="it is not at the top level of a module"):
        save(second, ODD, tmp_path, "x", retrier=Inner)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("second", "settles"), "second-settles"),
        (("second", "settles", "As Shipped"), "second-as-shipped-settles"),
        (("second-settles", "settles"), "second-settles"),
        (("a" * 64, "settles"), f"{'a' * 47}-ffe054fe-settles"),
        (("grid", "settles", "base=2,max=3"), "grid-base-2-max-3-settles"),
    ],
)
def test_names_are_fit_for_scenarios_and_files(words: tuple[str, ...], expected: str) -> None:
    assert name_of(*words) == expected
    assert len(name_of(*words)) <= 64


@pytest.mark.parametrize(
    ("given_retrier", "lines"),
    [
        (("", None), ['    played = sim.explorer.play(HERE / "a-b.yaml")']),
        (
            ("mine:Once", Path("../..")),
            [
                'sys.path.insert(0, str(HERE / "../.."))  # the folder of the retrier',
                "from mine import Once  # noqa: E402",
                '    played = sim.explorer.play(HERE / "a-b.yaml", retrier=Once)',
            ],
        ),
        (
            ("mine:Outer.Once", None),
            [
                "from mine import Outer  # noqa: E402",
                '    played = sim.explorer.play(HERE / "a-b.yaml", retrier=Outer.Once)',
            ],
        ),
    ],
)
def test_a_saved_test_plays_the_file_beside_it(
    tmp_path: Path, given_retrier: tuple[str, Path | None], lines: list[str]
) -> None:
    assert save_test(tmp_path, "a-b", "settles", *given_retrier) == "test_a_b.py"
    text = (tmp_path / "test_a_b.py").read_text()
    compile(text, "test_a_b.py", "exec")
    assert [line for line in text.splitlines() if line in lines] == lines
