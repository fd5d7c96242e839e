"""A tally says of requests what the requests say, in little space, and does not tell how they were split."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.expect.expectations import parse
from sim.history.records import Requests
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.measure.metrics import CellMetrics, measure
from sim.measure.quantities import METRICS, QUANTITIES, Statistic, Unit
from sim.measure.summary import cell_summary
from sim.measure.tally import WITHIN, Examples, Tally
from sim.pictures.run_pictures import save_figures
from sim.text.reported import Cell
from sim.text.sentences import sentences
from sim.text.tables import table

lawful = settings(derandomize=True, deadline=None, max_examples=60)

spans = st.integers(0, 61).flatmap(lambda bits: st.integers(0, 2**bits))
small = st.integers(0, 5) | st.integers(0, 10**6)
rows = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from([outcome.name for outcome in Outcome]),
        "first_effect_ns": spans | st.just(NEVER),
        "settled_ns": spans | st.just(NEVER),
        "known_attempt_end_ns": st.just(0) | st.just(NEVER),
        "action_ns": spans,
        **dict.fromkeys(("attempts", "polls", "mutations", "actions", "suppressed", "conflicts"), small),
        "duplicates": st.dictionaries(st.sampled_from([cause.name for cause in Cause]), st.integers(0, 3)),
    }
)
MakeRequests = Callable[..., Requests]


@pytest.fixture(scope="session")
def of_any(make_requests: MakeRequests) -> Callable[[list[dict[str, object]]], Requests]:
    return make_requests


def isolated(kept: Requests | Tally) -> CellMetrics:
    return measure(kept, shared=False)


def plain(tally: Tally) -> dict[str, list[object]]:
    return {name: array.tolist() for name, array in tally.to_arrays().items()}


def is_near(got: float | None, true: float | None) -> bool:
    return got == true or (got is not None and true is not None and abs(got - true) <= WITHIN * true)


@lawful
@given(values=st.lists(rows, max_size=40))
def test_every_metric_is_within_a_thousandth_and_all_but_quantiles_of_times_are_exact(
    of_any: MakeRequests, values: list[dict[str, object]]
) -> None:
    requests = of_any(values)
    exact, got = isolated(requests), isolated(Tally.of(requests))
    for path, metric in METRICS.items():
        true, tallied = exact.value(path), got.value(path)
        if metric.statistic is Statistic.quantile and metric.unit is Unit.duration:
            pairs = ((getattr(tallied, name), getattr(true, name)) for name in ("value", "low", "high"))
            assert all(is_near(*pair) for pair in pairs), path
        else:
            assert tallied == true, path


@lawful
@given(values=st.lists(rows, max_size=40))
def test_the_interval_of_a_quantile_holds_that_of_the_requests_themselves(
    of_any: MakeRequests, values: list[dict[str, object]]
) -> None:
    requests = of_any(values)
    exact, got = isolated(requests), isolated(Tally.of(requests))
    for path in METRICS:
        true, tallied = exact.value(path), got.value(path)
        assert (true.low is None) == (tallied.low is None)
        if true.low is not None and true.high is not None:
            assert tallied.low is not None
            assert tallied.high is not None
            assert tallied.low <= true.low <= true.high <= tallied.high


@lawful
@given(values=st.lists(rows, max_size=40))
def test_whole_numbers_of_the_summary_are_those_of_the_requests(
    of_any: MakeRequests, values: list[dict[str, object]]
) -> None:
    requests = of_any(values)
    exact, got = isolated(requests), isolated(Tally.of(requests))
    for name in ("outcomes", "attempts", "duplicates", "replications"):
        assert getattr(got, name) == getattr(exact, name)
    one, other = cell_summary(exact), cell_summary(got)
    same = ("requests", "outcomes", "attempts", "duplicates", "suppressed", "conflicts")
    assert [other[key] for key in same] == [one[key] for key in same]
    for path, metric in METRICS.items():
        if metric.statistic is not Statistic.quantile and path in one["metrics"]:  # type: ignore[operator]
            assert other["metrics"][path] == one["metrics"][path]  # type: ignore[index]
    assert (one["percentiles_within"], other["percentiles_within"]) == (0.0, 0.001)


@lawful
@given(
    values=st.lists(rows, max_size=40),
    of=st.lists(st.integers(0, 3), min_size=40, max_size=40),
    order=st.permutations(range(4)),
)
def test_parts_of_any_split_merged_in_any_order_give_the_arrays_of_the_whole(
    of_any: MakeRequests, values: list[dict[str, object]], of: list[int], order: list[int]
) -> None:
    requests = of_any(values)
    place = np.array(of[: len(values)], dtype=np.int64)
    parts = [Tally.of(requests.select(place == number)) for number in order]
    assert plain(Tally.merged(parts)) == plain(Tally.of(requests))
    by_pairs = reduce(lambda one, other: other.merge(one), parts)
    assert plain(by_pairs) == plain(Tally.of(requests))


@lawful
@given(values=st.lists(rows, max_size=40))
def test_a_tally_is_made_again_from_its_arrays(of_any: MakeRequests, values: list[dict[str, object]]) -> None:
    tally = Tally.of(of_any(values))
    assert plain(Tally.from_arrays(tally.to_arrays())) == plain(tally)


def test_arrays_are_named_int64_columns_whatever_was_tallied(make_requests: MakeRequests) -> None:
    for values in ([], [{}], [{"outcome": "stuck", "settled_ns": 2**61}] * 3):
        arrays = Tally.of(make_requests(values)).to_arrays()
        assert {array.dtype.str for array in arrays.values()} == {"<i8"}
        shapes = {name: array.shape for name, array in arrays.items() if name not in {"bins", "counts"}}
        of_quantities = len(QUANTITIES)
        assert shapes == {
            "sizes": (of_quantities,),
            "ends": (of_quantities, 3),
            "sums": (of_quantities, 10),
            "causes": (len(Cause),),
            "events": (2,),
            "examples": (5,),
        }


def test_arrays_of_other_quantities_are_refused(make_requests: MakeRequests) -> None:
    arrays = Tally.of(make_requests([{}])).to_arrays()
    with pytest.raises(ValueError, match="a tally of 3 quantities, but there are"):
        Tally.from_arrays({**arrays, "sizes": arrays["sizes"][:3]})


def test_a_billion_of_the_longest_times_are_added_up_exactly() -> None:
    requests = one_of(settled_ns=2**62 - 1)
    tally = Tally.of(requests)
    for _ in range(30):
        tally = Tally.from_arrays(tally.merge(tally).to_arrays())
    found = tally.histograms["time_to_known"]
    assert (len(tally), found.total, found.squares) == (2**30, 2**30 * (2**62 - 1), 2**30 * (2**62 - 1) ** 2)
    assert isolated(tally).value("time_to_known.mean").value == float(2**62)


def one_of(**columns: int) -> Requests:
    names = [name for name in Requests.__slots__ if name not in {"duplicates", "outcome"}]
    values = {name: np.array([columns.get(name, 0)], dtype=np.int64) for name in names}
    return Requests(
        **values,  # type: ignore[arg-type]
        outcome=np.array([Outcome.success], dtype=np.uint8),
        duplicates=np.zeros((1, len(Cause)), dtype=np.int32),
    )


def test_examples_are_the_first_stuck_the_most_duplicated_and_the_slowest(
    make_requests: MakeRequests, stuck: dict[str, object]
) -> None:
    requests = make_requests(
        [
            {"settled_ns": 10},
            {"duplicates": {"timeout": 1}},
            {"duplicates": {"timeout": 1, "ack_lost": 1}, "settled_ns": 900, "submitted_ns": 0},
            stuck,
            {"duplicates": {"resubmit": 2}, "settled_ns": 900},
            stuck,
        ]
    )
    requests = replace(requests, settled_ns=np.where(requests.settled_ns > 900, 20, requests.settled_ns))
    assert Tally.of(requests).examples == Examples(3, 2, 2, 2, 900)
    assert Tally.of(requests).examples.named() == {"stuck": 3, "duplicated": 2, "slowest": 2}


def test_where_nothing_is_worth_a_replay_there_is_no_example(make_requests: MakeRequests) -> None:
    rows = [{"outcome": "open", "settled_ns": NEVER}]
    assert [Tally.of(make_requests(values)).examples.named() for values in ([], rows)] == [{}, {}]


def test_a_tally_of_a_shared_world_is_refused(make_requests: MakeRequests) -> None:
    with pytest.raises(ValueError, match="a tally does not tell replications apart"):
        measure(Tally.of(make_requests([{}])), shared=True)


# What is made of metrics


@pytest.fixture
def both(make_requests: MakeRequests, stuck: dict[str, object]) -> list[Cell]:
    numbers = np.arange(3000)
    times = (10**8 * (1 + numbers % 997 / 50)).astype(np.int64)
    requests = make_requests([{"attempts": 1 + number % 3} if number % 40 else stuck for number in range(3000)])
    requests = replace(requests, first_effect_ns=np.where(requests.first_effect_ns < 0, NEVER, times))
    expected = [parse(text) for text in ("time_to_effect.p90 <= 1900ms", "success.rate >= 97.4%", "attempts.max <= 3")]
    cells = []
    for name, kept in (("as requests", requests), ("as a tally", Tally.of(requests))):
        metrics = isolated(kept)
        cells.append(Cell(name, metrics, tuple(one.judge(metrics) for one in expected)))
    return cells


def test_verdicts_are_those_of_the_requests(both: list[Cell]) -> None:
    one, other = ([(verdict.ruling, verdict.reason) for verdict in cell.verdicts] for cell in both)
    assert one == other
    needed = [[verdict.requests_needed for verdict in cell.verdicts] for cell in both]
    assert all(is_near(*pair) for pair in zip(needed[1], needed[0], strict=True))


def test_the_table_and_the_sentences_take_a_tally(both: list[Cell]) -> None:
    tallied = Cell(both[0].name, both[1].metrics, both[1].verdicts)
    assert sentences([tallied]) == sentences([both[0]])
    caption = table([tallied]).caption
    assert str(caption).endswith("; percentiles exact to within 0.1 %")
    assert "within" not in str(table([both[0]]).caption)


def test_the_curve_of_a_tally_is_that_of_the_requests_within_a_thousandth(both: list[Cell]) -> None:
    tails = [cell.metrics.tail("time_to_effect") for cell in both]
    assert (tails[0].never, tails[0].zero, tails[0].count) == (tails[1].never, tails[1].zero, tails[1].count)
    exact, got = tails
    apart = np.interp(np.log(got.times_ns * (1 + WITHIN)), np.log(exact.times_ns), exact.shares)
    ahead = np.interp(np.log(got.times_ns * (1 - WITHIN)), np.log(exact.times_ns), exact.shares)
    slack = 2 / 600
    assert (apart - slack <= got.shares).all()
    assert (got.shares <= ahead + slack).all()


def test_pictures_take_a_tally(both: list[Cell], tmp_path: pytest.TempPathFactory) -> None:
    files = save_figures(both, "caption", tmp_path)  # type: ignore[arg-type]
    assert [path.name for path in files] == [
        "ccdf.png",
        "attempts.png",
        "detection_lag.png",
        "outcomes.png",
        "duplicates.png",
    ]


def test_a_curve_of_nothing_but_infinite_times_is_empty(make_requests: MakeRequests, stuck: dict[str, object]) -> None:
    tail = isolated(Tally.of(make_requests([stuck] * 3))).tail("time_to_effect")
    assert (len(tail.times_ns), tail.never, tail.count) == (0, 1.0, 3)
    assert isolated(Tally.of(make_requests([stuck]))).value("time_to_effect.p50").value == math.inf
