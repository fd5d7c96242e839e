"""Results over time of a whole run: metrics, timelines, and their tables for other programs."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.api.compare import compare
from sim.api.run import run
from sim.cli.main import cli
from sim.history.traffic import CallEnd
from sim.results.columns import NotKept, TableName
from sim.results.export import write_csv, write_parquet
from sim.results.reading import open_results
from sim.results.result import Result
from sim.scenario.load import parse

SCENARIO = """
name: busy
seed: 5
world: shared
requests: {count: 80, arrivals: {poisson: {rate: 20/s}}}
replications: 3
until: 8s
timeline: {every: 1s}
recovery: {after: 1s, within: 0s, goodput: 10%, window: 1s}
action: {service: payments}
services:
  payments: {servers: 2, latency: {exponential: {mean: 100ms}}, queue: {limit: 4}}
retrier: {kind: component, initial_backoff: 100ms, max_failures: 2}
expect: [service.payments.queue.peak <= 4, goodput.rate >= 1/s]
precision: {intervals: [service.payments.utilization.mean +- 50%], replications_at_most: 4}
"""
ISOLATED = "name: alone\nrequests: {count: 5}\nretrier: none\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("busy")
    for name, text in (("busy", SCENARIO), ("alone", ISOLATED)):
        (place / f"{name}.yaml").write_text(text)
        line = ["run", str(place / f"{name}.yaml"), "--out", str(place / name), "--no-plots"]
        done = CliRunner().invoke(cli, line)
        assert done.exit_code == 0, done.output
    return place


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return open_results(folder / "busy")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_saved_results_have_the_metrics_of_the_run(result: Result) -> None:
    again = run(parse(SCENARIO))
    for path in ("goodput.rate", "service.payments.queue_wait.p99", "recovered.rate", "wasted.share"):
        assert result.cells[0].metrics.value(path) == again.cells[0].metrics.value(path)


def test_conservation_holds_in_a_real_run(result: Result) -> None:
    traffic = result.cells[0].traffic
    assert traffic is not None
    ends = {CallEnd(code).name for code in traffic.calls.end}
    assert ends <= {"success", "rejected_queue", "open"}
    metrics = result.cells[0].metrics
    attempts = sum(metrics.replication_values("attempts.mean")) * 80
    assert len(traffic.calls) == round(attempts)


def test_a_timeline_is_saved_if_the_scenario_asks_for_one(folder: Path) -> None:
    found = {name: (folder / name / "timeline.csv").exists() for name in ("busy", "alone")}
    assert found == {"busy": True, "alone": False}


@pytest.mark.slow
def test_pictures_are_saved_besides(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["run", str(folder / "busy.yaml"), "--out", str(tmp_path)])
    assert done.exit_code == 0
    assert {"over_time.png", "utilization.png"} <= {path.name for path in tmp_path.iterdir()}


def test_the_saved_timeline_is_that_of_the_api(folder: Path, result: Result) -> None:
    rows = rows_of((folder / "busy" / "timeline.csv").read_text())
    timeline = result.cells[0].timeline
    assert timeline is not None
    whole = [row for row in rows if row["part"] == "world"]
    assert [float(row["goodput_per_s"]) for row in whole] == timeline["goodput"].mean.tolist()
    ours = [row for row in rows if row["part"] == "service.payments"]
    assert [float(row["queue"]) for row in ours] == timeline["service.payments.queue"].mean.tolist()
    assert {row["utilization"] for row in whole} == {""}


def test_the_exported_timeline_is_the_saved_one(folder: Path) -> None:
    file = io.StringIO()
    rows = write_csv(folder / "busy", file, "timeline")
    assert file.getvalue() == (folder / "busy" / "timeline.csv").read_text()
    assert rows == len(rows_of(file.getvalue()))


def test_exported_calls_have_words_for_services_and_ends(folder: Path, result: Result) -> None:
    file = io.StringIO()
    count = write_csv(folder / "busy", file, "calls")
    rows = rows_of(file.getvalue())
    traffic = result.cells[0].traffic
    assert traffic is not None
    assert count == len(rows) == len(traffic.calls)
    assert {row["service"] for row in rows} == {"payments"}
    assert {row["caller"] for row in rows} == {""}
    assert [row["end"] for row in rows] == [CallEnd(code).name for code in traffic.calls.end]
    assert [row["began_ns"] for row in rows] == ["" if at == -1 else str(at) for at in traffic.calls.began_ns.tolist()]


def test_calls_and_timelines_can_be_parquet(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    calls = write_parquet(folder / "busy", tmp_path / "calls.parquet", "calls")
    bins = write_parquet(folder / "busy", tmp_path / "timeline.parquet", "timeline")
    read = parquet.read_table(tmp_path / "calls.parquet").to_pylist()
    assert len(read) == calls
    assert {row["service"] for row in read} == {"payments"}
    assert {row["caller"] for row in read} == {None}
    assert parquet.read_table(tmp_path / "timeline.parquet").num_rows == bins


@pytest.mark.parametrize(("table", "reason"), [("calls", "have no calls"), ("timeline", "have no timeline")])
def test_isolated_results_have_neither(folder: Path, table: TableName, reason: str) -> None:
    with pytest.raises(NotKept, match=reason):
        write_csv(folder / "alone", io.StringIO(), table)
    with pytest.raises(NotKept, match=reason):
        list(open_results(folder / "alone").frames(table))


def test_both_cells_of_a_comparison_are_held_against_each_other(result: Result) -> None:
    other = run(parse(SCENARIO.replace("servers: 2", "servers: 3")))
    (found,) = compare(result, other)
    assert found["service.payments.utilization.mean"].change.value == "differs"
    assert any("the utilization at payments" in sentence for sentence in found.sentences())
    assert found.judge("service.payments.utilization.mean < -0.1%").ruling.value == "met"


def test_pictures_over_time_are_functions_of_axes(result: Result) -> None:
    assert result.plot.over_time().get_title() == result.plot.data.over_time().panels[0].title
    assert [getattr(result.plot, name)().get_ylabel() for name in ("over_time", "retries", "queue")] == [
        "requests a second",
        "retries a second",
        "calls waiting",
    ]


def test_without_a_timeline_there_is_no_picture_over_time(folder: Path) -> None:
    with pytest.raises(KeyError, match="nothing is kept over time"):
        open_results(folder / "alone").plot.data.over_time()
