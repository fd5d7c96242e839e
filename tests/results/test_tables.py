"""The tables of results: CSV, Parquet and pandas have the same columns and values, and nothing is -1."""

import io
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from sim.api.run import run
from sim.history.frames import Gaps, Words, joined
from sim.history.vocabulary import NEVER, Cause
from sim.results.columns import CALLS, CELLS, REQUESTS, TABLES, TIDY, TIMELINE, Column, TableName
from sim.results.export import write_csv, write_parquet
from sim.results.reading import open_results
from sim.results.result import Result
from sim.results.tabulated import column_of
from sim.scenario.load import parse

TEXT = """
name: tabled
seed: 5
world: shared
requests: {count: 40, arrivals: {poisson: {rate: 20/s}}}
replications: 2
until: 4s
timeline: {every: 1s}
classes: {web: {share: 0.5}, batch: {share: 0.5}}
action: {service: db}
services: {db: {servers: 2, latency: {exponential: {mean: 100ms}}, outcomes: {fail: 0.3}, queue: {limit: 2}}}
retrier: helpers
variants:
  once: {retrier: none}
  often: {retrier: {kind: component, max_failures: 2}, services.db.idempotency: {window: 1s}}
sweep: {services.db.servers: [1, 2]}
"""
COLUMNS: dict[TableName, tuple[Column, ...]] = {
    "requests": REQUESTS,
    "calls": CALLS,
    "timeline": TIMELINE,
    "cells": CELLS,
}
PARAMS = ["variant", "retrier", "services.db.idempotency", "services.db.servers"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tabled")
    run(parse(TEXT), out=place)
    return place


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return open_results(folder)


def first_columns(table: TableName) -> list[str]:
    return ["cell", *(["name"] if table == "cells" else []), *PARAMS]


@pytest.mark.parametrize("table", TABLES)
def test_csv_parquet_and_pandas_are_the_same_table(
    table: TableName, folder: Path, result: Result, tmp_path: Path
) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = result.to_pandas(table)
    stated = [column.name for column in COLUMNS[table]]
    assert list(frame.columns)[: len(first_columns(table)) + len(stated)] == [*first_columns(table), *stated]
    rows = write_parquet(folder, tmp_path / "table.parquet", table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), frame, check_categorical=False)
    file = io.StringIO()
    assert write_csv(folder, file, table) == rows == len(frame)
    file.seek(0)
    dtypes = {name: dtype for name, dtype in frame.dtypes.items() if dtype.name in {"Int64", "float64"}}
    read = pd.read_csv(file, dtype=dtypes, keep_default_na=False, na_values={name: [""] for name in frame})
    assert list(read) == list(frame)
    for name in frame:
        ours = frame[name].astype(object).where(frame[name].notna(), None)
        theirs = read[name].astype(object).where(read[name].notna(), None)
        assert theirs.tolist() == ours.tolist(), name


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_minus_one(table: TableName, result: Result) -> None:
    for name, column in joined(result.frames(table)).items():
        numbers = column.numbers[~column.missing] if isinstance(column, Gaps) else column
        if not isinstance(column, Words):
            assert not (np.asarray(numbers) == NEVER).any(), name


def test_the_attributes_of_requests_have_the_names_of_the_table(result: Result) -> None:
    requests = result.cells[0].requests
    frame = next(result.frames("requests"))
    for column in REQUESTS:
        ours = requests[column.name]
        if column.kind != "word":
            theirs = frame[column.name]
            values = np.where(theirs.missing, NEVER, theirs.numbers) if isinstance(theirs, Gaps) else theirs
            assert np.array_equal(ours, np.asarray(values)), column.name
        if column.recorded != "duplicates":
            assert getattr(requests, column.name) is ours
    assert np.array_equal(requests["duplicates_timeout"], requests.duplicates[:, Cause.timeout])
    with pytest.raises(KeyError, match="have no column 'duplicates_nothing'"):
        requests["duplicates_nothing"]


def test_words_are_words(result: Result) -> None:
    frame = joined(result.frames("requests"))
    classes, outcome = frame["caller_class"], frame["outcome"]
    assert isinstance(classes, Words)
    assert isinstance(outcome, Words)
    assert list(classes.words) == ["web", "batch"]
    assert {"success", "gave_up"} <= {outcome.words[code] for code in outcome.codes.tolist()}


def test_what_sets_cells_apart_is_of_the_kind_that_fits_all_of_them(result: Result) -> None:
    frame = joined(result.frames())
    servers, own, retrier = (frame[name] for name in ("services.db.servers", "services.db.idempotency", "retrier"))
    assert isinstance(servers, np.ndarray)
    assert servers.tolist() == [1, 2, 1, 2]
    assert isinstance(own, Words)
    assert own.codes.tolist() == [-1, -1, 0, 0]
    assert list(own.words) == ['{"window":"1s"}']
    assert isinstance(retrier, Words)
    assert list(retrier.words) == ["none", '{"kind":"component","max_failures":2}']


def params(text: str, key: str) -> Any:
    return joined(run(parse("{retrier: none, requests: {count: 2}, sweep: {" + text + "}}")).frames())[key]


def test_yes_and_no_are_truth_values_and_numbers_with_gaps_stay_numbers() -> None:
    shed = params("retrier: [none, article]", "retrier")
    assert shed.words == ["none", "article"]
    shares = params("action.outcomes.fail: [0, 0.5]", "action.outcomes.fail")
    assert (shares.dtype, shares.tolist()) == (np.float64, [0.0, 0.5])


def test_a_cell_has_its_metrics_with_units_and_intervals(result: Result) -> None:
    frame, cell = next(result.frames()), result.cells[0]
    for path, column, scale in (
        ("time_to_effect.p50", "time_to_effect.p50_ms", 1e-6),
        ("success.rate", "success.rate", 1.0),
        ("offered.rate", "offered.rate_per_s", 1.0),
        ("cost.action_ms", "cost.action_ms", 1e-6),
        ("service.db.queue_wait.mean", "service.db.queue_wait.mean_ms", 1e-6),
    ):
        estimate = cell.metrics.value(path)
        found = [frame[f"{column}{end}"].numbers[0] for end in ("", ".low", ".high")]  # type: ignore[union-attr]
        assert found == pytest.approx([estimate.value * scale, estimate.low * scale, estimate.high * scale], abs=1e-6)  # type: ignore[operator]
    assert "time_to_effect.max_ms" in frame
    assert "time_to_effect.max_ms.low" not in frame


def test_a_cost_has_its_currency_and_every_name_its_unit_once() -> None:
    assert [column_of("cost.money", "USD"), column_of("a.p50", "ms"), column_of("cost.action_ms", "ms")] == [
        "cost.money_USD",
        "a.p50_ms",
        "cost.action_ms",
    ]


def test_what_never_comes_is_infinite_and_what_is_not_known_is_missing() -> None:
    stuck = run(parse("{retrier: none, requests: {count: 5}, action: {outcomes: {fail: 1.0}}}"))
    frame = next(stuck.frames())
    never, nothing = frame["time_to_effect.p50_ms"], frame["time_to_known.success.p50_ms"]
    assert isinstance(never, Gaps)
    assert isinstance(nothing, Gaps)
    assert (never.numbers.tolist(), never.missing.tolist()) == ([math.inf], [False])
    assert nothing.missing.tolist() == [True]


def test_tidy_has_a_row_a_metric(result: Result) -> None:
    frame: dict[str, Any] = next(result.frames(tidy=True))
    assert list(frame) == [*first_columns("cells"), *(column.name for column in TIDY)]
    paths = result.cells[0].metrics.paths
    assert [frame["metric"].words[code] for code in frame["metric"].codes] == list(paths)
    assert frame["value"].numbers[0] == result.cells[0].metrics.value(paths[0]).value


def test_other_tables_are_not_tidy_and_unknown_ones_are_named(result: Result) -> None:
    with pytest.raises(ValueError, match="only the table of cells can be tidy"):
        result.to_pandas("requests", tidy=True)
    with pytest.raises(ValueError, match="there is no table 'request'; there are requests, calls, timeline, cells"):
        list(result.frames("request"))  # type: ignore[arg-type]
    assert get_args(TableName) == TABLES


def test_a_key_with_the_name_of_a_column_stands_apart() -> None:
    few = "variants: {a: {requests: {count: 3}}, b: {requests: {count: 4}}}"
    frame = joined(run(parse("{retrier: none, " + few + "}")).frames())
    assert isinstance(frame["param.requests"], Words) or "requests.count" in frame
    assert np.asarray(frame["requests"]).tolist() == [3, 4]
