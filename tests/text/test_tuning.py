"""The table and the sentences of a search for parameters."""

from collections.abc import Callable, Sequence

import pytest
from reported import CONSTRAINTS, OBJECTIVES
from rich.console import Console

from sim.expect.expectations import parse
from sim.history.records import Requests
from sim.measure.metrics import measure
from sim.measure.paths import Named
from sim.text.columns import TABLE_WIDTH
from sim.text.tried import Role, Tried
from sim.text.tuning_sentences import Effort, sentences
from sim.text.tuning_table import table

EFFORT = Effort(64, whole_space=False, searched=100_000, fresh=45_000, each=5000, seed=1, fresh_seed=77, shared=False)


def text_of(
    rows: Sequence[Tried], objectives: Sequence[str] = OBJECTIVES, constraints: Sequence[str] = CONSTRAINTS
) -> str:
    console = Console(width=TABLE_WIDTH, no_color=True, highlight=False, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  # kept by the console
    console.print(table(rows, objectives, [parse(one) for one in constraints]))
    console.file.close()
    return console.export_text()


# The table.


def test_the_table_has_a_row_a_point_and_what_is_written(found: list[Tried]) -> None:
    lines = text_of(found).splitlines()
    assert [line.split("  ")[0] for line in lines if line[:1].strip() and line[0] in "12a"] == ["1", "2", "as written"]


def test_what_misses_its_bound_is_marked_and_so_is_what_may(found: list[Tried], tried: Callable[..., Tried]) -> None:
    text = text_of([*found[:3], tried(Role.as_written, 200, lost=40), tried(Role.unsure, 100)])
    assert "90.00 % !" in text
    assert "!: misses the bound" in text
    closest = text_of([tried(Role.unsure, 100, lost=3), tried(Role.as_written, 200)])
    assert "99.25 % ?" in closest
    assert closest.count("closest") == 1


def test_bounds_stand_in_the_headers_of_what_is_constrained(found: list[Tried]) -> None:
    assert ">= 99%" in text_of(found)
    assert "<= 3" in text_of(found)


@pytest.mark.parametrize("keys", [1, 3, 8])
@pytest.mark.parametrize("objectives", [1, 2, 4])
@pytest.mark.parametrize("constraints", [0, 2, 5])
def test_the_table_fits_100_columns(tried: Callable[..., Tried], keys: int, objectives: int, constraints: int) -> None:
    params = {f"some_long_parameter_{number}": "1m30.5s" for number in range(keys)}
    bounds = ["success.rate >= 99%", "gave_up.rate <= 1%", "amplification <= 3", "polls.mean <= 90", "stuck.rate <= 5%"]
    paths = ["time_to_known.success.p99.9", "time_to_effect.p99", "duplicates.rate", "cost.action_ms"]
    rows = [
        tried(Role.point, 123456, 3, number=number, params=params, expect=bounds[:constraints]) for number in (1, 2)
    ]
    rows.append(tried(Role.as_written, 5, lost=40, params=params, expect=bounds[:constraints]))
    lines = text_of(rows, paths[:objectives], bounds[:constraints]).splitlines()
    assert max(map(len, lines)) <= TABLE_WIDTH
    assert not any("…" in line for line in lines)
    assert sum("1m30.5s" in line for line in lines) >= 3


# Sentences.


def test_sentences_say_what_was_found_what_it_cost_and_how_sure_it_is(found: list[Tried]) -> None:
    first, written, cost, sure = sentences(found, OBJECTIVES, EFFORT)
    assert first.startswith("Of 3 finalists, 3 keep every constraint, and 2 of them are the Pareto set")
    assert "from point 1 (time_to_effect.p99 100 ms, cost.actions 3)" in first
    assert "to point 2 (time_to_effect.p99 900 ms, cost.actions 2)" in first
    assert "misses success.rate >= 99%" in written
    assert "64 candidates" in cost
    assert "100,000 requests (seed 1)" in cost
    assert "45,000 others (seed 77)" in cost
    assert "95 % intervals over 5,000 independent requests a point" in sure


def test_one_point_is_said_to_be_alone(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.point, 100, number=1), tried(Role.as_written, 200)]
    assert "it alone is in the Pareto set" in sentences(rows, OBJECTIVES, EFFORT)[0]


def test_what_is_written_may_do_as_well(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.point, 100, number=1), tried(Role.as_written, 100)]
    assert sentences(rows, OBJECTIVES, EFFORT)[1].endswith("no point is beyond doubt better in time_to_effect.p99.")


@pytest.mark.parametrize(("lost", "ending"), [(0, "beyond doubt better."), (40, "no point is beyond doubt better in")])
def test_more_of_what_is_better_is_better_in_a_class_too(
    make_requests: Callable[..., Requests], stuck: dict[str, object], lost: int, ending: str
) -> None:
    def tried(role: Role, lost: int) -> Tried:
        requests = make_requests([*[stuck] * lost, *[{}] * (400 - lost)])
        return Tried(role, {"base": "2"}, measure(requests, shared=False, named=Named(classes=("web",))), number=1)

    told = sentences([tried(Role.point, lost), tried(Role.as_written, 40 - lost)], ["class.web.success.rate"], EFFORT)
    assert ending in told[1]


def test_edges_of_the_space_are_named(found: list[Tried]) -> None:
    effort = Effort(
        4, whole_space=True, searched=1, fresh=1, each=1, seed=0, fresh_seed=1, shared=True, edges=["the highest base"]
    )
    *_, cost, sure, edge = sentences(found, OBJECTIVES, effort)
    assert "all that there are" in cost
    assert "replications" in sure
    assert "the highest base" in edge


def test_what_is_closest_is_told_with_how_far_it_is(tried: Callable[..., Tried]) -> None:
    rows = [tried(Role.misses, 100, lost=40), tried(Role.as_written, 200)]
    answer = sentences(rows, OBJECTIVES, EFFORT)[0]
    assert answer.startswith("No finalist keeps every constraint. The closest is initial_backoff 1s, base 2: missed:")
