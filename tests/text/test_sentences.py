from collections.abc import Callable

import pytest

from sim.expect.expectations import parse
from sim.history.vocabulary import NEVER
from sim.text.reported import Cell
from sim.text.sentences import sentences, verdict_text

MS = 1_000_000
Row = dict[str, object]
MakeCell = Callable[..., Cell]
FAILED: Row = {"outcome": "gave_up", "first_effect_ns": NEVER}
SLOW: Row = {"first_effect_ns": 900 * MS, "settled_ns": 950 * MS}


def test_one_cell_is_answered_in_five_sentences(make_cell: MakeCell, stuck: Row) -> None:
    cell = make_cell("only", (980, {}), (15, FAILED), (5, stuck))
    assert sentences([cell]) == [
        (
            "Of 1,000 requests, 98.00 % (96.93 % to 98.77 %) succeeded; "
            "1.50 % were given up and 0.50 % are stuck for ever."
        ),
        "Of all requests, half had their effect within 100 ms, but 2.00 % never had any.",
        "No effect was repeated, but anything that happens to fewer than 0.37 % of the requests may not show.",
        "How sure: 95 % intervals over 1,000 independent requests a cell.",
        "The most important assumption: each request ran alone, so requests cannot disturb one another.",
    ]


def test_a_cell_is_ahead_only_where_intervals_are_apart(make_cell: MakeCell) -> None:
    apart = [make_cell("good", (990, {}), (10, FAILED)), make_cell("bad", (800, {}), (200, FAILED))]
    near = [make_cell("good", (990, {}), (10, FAILED)), make_cell("bad", (985, {}), (15, FAILED))]
    got = [sentences(cells)[0] for cells in (apart, near)]
    assert got == [
        (
            "'good' has the highest success rate, 99.00 % (98.17 % to 99.52 %); "
            "next is 'bad': 80.00 % (77.38 % to 82.44 %)."
        ),
        (
            "No cell stands out in the success rate: 'good' has the highest, 99.00 % (98.17 % to 99.52 %), "
            "but the interval of the other overlaps with it."
        ),
    ]


def test_a_leader_that_some_cells_are_close_to_is_not_called_the_best(make_cell: MakeCell) -> None:
    cells = [
        make_cell("a", (990, {}), (10, FAILED)),
        make_cell("b", (985, {}), (15, FAILED)),
        make_cell("c", (500, {}), (500, FAILED)),
    ]
    assert sentences(cells)[0] == (
        "'a' has the highest success rate, 99.00 % (98.17 % to 99.52 %), but the interval of 'b' overlaps "
        "with it; all others are clearly behind."
    )


def test_cells_that_share_the_best_value_are_named_together(make_cell: MakeCell) -> None:
    cells = [make_cell("a", (500, {})), make_cell("b", (500, {})), make_cell("c", (250, {}), (250, FAILED))]
    assert sentences(cells)[0].startswith("'a' and 'b' have the highest success rate, 100 %")


def test_success_everywhere_is_said_plainly(make_cell: MakeCell) -> None:
    assert sentences([make_cell("a", (10, {})), make_cell("b", (10, {}))])[0] == (
        "Every request succeeded in both cells."
    )


def test_the_fastest_cell_is_the_one_with_the_shortest_p99(make_cell: MakeCell) -> None:
    cells = [make_cell("slow", (1000, SLOW)), make_cell("fast", (1000, {}))]
    assert sentences(cells)[1] == ("'fast' has the shortest p99 of the time to effect, 100 ms; next is 'slow': 900 ms.")


def test_where_no_p99_is_finite_the_shares_that_never_come_are_compared(make_cell: MakeCell, stuck: Row) -> None:
    cells = [make_cell("a", (90, {}), (10, stuck)), make_cell("b", (70, {}), (30, stuck))]
    assert sentences(cells)[1] == (
        "In every cell more than 1 % of the requests never have their effect: from 10.00 % ('a') to 30.00 % ('b')."
    )


def test_stuck_and_repeated_requests_are_named_with_the_worst_cell(make_cell: MakeCell, stuck: Row) -> None:
    repeated: Row = {"duplicates": {"ack_lost": 1}}
    cells = [
        make_cell("a", (96, {}), (4, stuck)),
        make_cell("b", (99, {}), (1, stuck)),
        make_cell("c", (98, {}), (2, repeated)),
    ]
    assert sentences(cells)[2] == (
        "Requests are stuck for ever in 2 of 3 cells (up to 4.00 %, in 'a'); effects were repeated in 'c' (2.00 %)."
    )


def test_the_chief_cause_of_duplicates_is_named_only_if_it_makes_up_more_than_half(make_cell: MakeCell) -> None:
    one, other = ({"duplicates": {cause: 1}} for cause in ("ack_lost", "timeout"))
    clear = sentences([make_cell("a", (96, {}), (3, one), (1, other))])[2]
    even = sentences([make_cell("a", (96, {}), (2, one), (2, other))])[2]
    assert (clear, even) == (
        "Effects were repeated for 4.00 % of the requests, mostly by ack lost.",
        "Effects were repeated for 4.00 % of the requests.",
    )


def test_one_replication_of_a_shared_world_ranks_no_cell(make_cell: MakeCell) -> None:
    cells = [make_cell("a", (99, {}), (1, FAILED), shared=True), make_cell("b", (10, {}), (90, FAILED), shared=True)]
    told = sentences(cells)
    assert told[0] == (
        "The success rate goes from 99.00 % ('a') to 10.00 % ('b'); without intervals, this may be chance."
    )
    assert told[3] == (
        "How sure: unknown, because one replication of a shared world gives no intervals; any difference may be chance."
    )


def test_verdicts_are_counted_with_an_example_of_each_bad_kind(make_cell: MakeCell) -> None:
    expect = ["success.rate >= 50%", "success.rate >= 99.9%", "success.rate >= 94%"]
    told = sentences([make_cell("a", (950, {}), (50, FAILED), expect=expect)])[3]
    assert told.startswith(
        "Of 3 expectations: 1 met, 1 missed ('success.rate >= 99.9%' in 'a'), "
        "1 inconclusive ('success.rate >= 94%' in 'a'; "
    )
    assert told.endswith("requests would settle it); how sure: 95 % intervals over 1,000 independent requests a cell.")


def test_assumed_parameters_are_named_the_first_three_of_them(make_cell: MakeCell) -> None:
    told = sentences([make_cell("a", (10, {}))], ["w", "x", "y", "z"])
    assert told[-1].startswith("The most important values are assumed, not measured: w, x, y and 1 more")


@pytest.mark.parametrize("shared", [False, True])
def test_no_requests_make_no_claims(make_cell: MakeCell, shared: bool) -> None:  # noqa: FBT001
    told = sentences([make_cell("a", shared=shared), make_cell("b", shared=shared)])
    assert told[:2] == ["There is no answer: no request counts.", "How sure: not at all."]


def test_nothing_but_canceled_requests_have_no_times(make_cell: MakeCell) -> None:
    cells = [make_cell(name, (10, {"outcome": "canceled"})) for name in "ab"]
    assert sentences(cells)[1] == "Every request was canceled, so there are no times."


@pytest.mark.parametrize("expect", [[], ["success.rate >= 90%"]])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_there_are_three_to_five_sentences(make_cell: MakeCell, stuck: Row, expect: list[str], count: int) -> None:
    cells = [make_cell(f"cell {number}", (5, {}), (number, stuck), expect=expect) for number in range(count)]
    assert 3 <= len(sentences(cells, ["platform.mutation_latency"])) <= 5


def test_a_verdict_reads_as_one_line(make_cell: MakeCell) -> None:
    metrics = make_cell("a", (950, {}), (50, FAILED)).metrics
    got = [
        verdict_text(parse(text).judge(metrics))
        for text in ("success.rate >= 99.9%", "success.rate >= 94%", "attempts.max <= 1", "success.rate == 95%")
    ]
    assert got == [
        "missed: success.rate >= 99.9%; it is 95.00 % (93.46 % to 96.27 %)",
        "inconclusive: success.rate >= 94%; it is 95.00 % (93.46 % to 96.27 %); about 4,300 requests would settle it",
        "met: attempts.max <= 1; it is 1; judged by the largest value seen: a maximum has no interval",
        (
            "inconclusive: success.rate == 95%; it is 95.00 % (93.46 % to 96.27 %); "
            "the value seen lies on the bound: no number of requests is known to settle it"
        ),
    ]


def test_rare_shares_are_told_with_their_counts(make_cell: MakeCell, stuck: Row) -> None:
    one, many = make_cell("a", (30_000, {}), (2, stuck)), make_cell("b", (30_000, {}), (3, stuck))
    assert "(2 of 30,002) are stuck for ever" in " ".join(sentences([one]))
    assert "3 of 30,003, in 'b')" in " ".join(sentences([one, many]))


def test_a_verdict_on_a_rare_share_has_its_count(make_cell: MakeCell, stuck: Row) -> None:
    (verdict,) = make_cell("a", (30_000, {}), (2, stuck), expect=["stuck.rate <= 0.1%"]).verdicts
    assert ", 2 of 30,002" in verdict_text(verdict)
