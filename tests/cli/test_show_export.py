"""`retrysim show` and `retrysim export`: saved results again, as words and as files for other programs."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sim.history.records import FLAT_COLUMNS
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.results import export
from sim.results.columns import REQUESTS
from sim.results.reading import open_results

Run = Callable[..., Result]
SCENARIO = """
name: saved
seed: 4
requests: {count: 60}
action: {outcomes: {fail: 0.3, ack_lost: 0.2, crash_before_effect: 0.1}}
variants: {"article, as it is": {retrier: article}, component: {retrier: {kind: component, max_failures: 2}}}
expect: [success.rate >= 99%]
"""
SHARED = """
name: shared-saved
world: shared
seed: 4
requests: {count: 30, arrivals: {poisson: {rate: 50/s}}}
replications: 2
measure: {from: 100ms}
action: {outcomes: {fail: 0.3}}
retrier: helpers
"""


@pytest.fixture
def saved(folder: Path, run: Run) -> Path:
    (folder / "saved.yaml").write_text(SCENARIO)
    assert run("run", "saved.yaml", "--out", "out", "--no-plots").exit_code == 99
    return folder / "out"


@pytest.fixture
def tallied(folder: Path, run: Run) -> Path:
    (folder / "tallied.yaml").write_text(SCENARIO)
    run("run", "tallied.yaml", "--out", "tallied", "--no-plots", "--set", "keep=histogram")
    return folder / "tallied"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# show


def test_show_prints_what_the_run_printed(saved: Path, run: Run) -> None:
    again = run("run", "saved.yaml", "--out", "out", "--no-plots").stdout
    head, answer = again[: again.index("\nto see one happen")].split("\nengine ", 1)
    _, answer = answer.split("\n", 1)  # why the engine was chosen is not kept
    shown = run("show", str(saved))
    assert shown.stdout.startswith(head)
    assert answer in shown.stdout
    assert (shown.exit_code, "missed: success.rate >= 99%" in shown.stdout) == (0, True)


def test_show_takes_the_file_as_well_and_names_requests_worth_a_look(saved: Path, run: Run) -> None:
    shown = run("show", str(saved / "results.sqlite")).stdout
    assert shown == run("show", str(saved)).stdout
    slowest = open_results(saved).cells[0].examples["slowest"]
    line = next(line for line in shown.splitlines() if line.startswith("  article, as it is: most effects repeated"))
    assert line.endswith(f", slowest {slowest}")
    assert max(len(told) for told in shown.splitlines() if not told.startswith("    retrysim ")) <= 100


def test_show_says_that_percentiles_come_from_bins(tallied: Path, run: Run) -> None:
    assert "percentiles exact to within 0.1 %" in run("show", str(tallied)).stdout


@pytest.mark.parametrize("command", [("show",), ("export", "--csv", "-")])
def test_damaged_results_are_refused_with_5(saved: Path, run: Run, command: tuple[str, ...]) -> None:
    data = bytearray((saved / "results.sqlite").read_bytes())
    data[len(data) // 2] ^= 1
    (saved / "results.sqlite").write_bytes(data)
    refused = run(*command, str(saved))
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "results.sqlite' is damaged" in refused.stderr


@pytest.mark.parametrize(
    "words", [("show", "mine.json"), ("export", "mine.json", "--csv", "-"), ("compare", "mine.json", "out")]
)
def test_a_file_that_is_no_results_file_is_told_what_helps(saved: Path, run: Run, words: tuple[str, ...]) -> None:
    saved.with_name("mine.json").write_text("{}")
    refused = run(*words)
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "Name the folder of a finished run, or its file results.sqlite" in refused.stderr
    assert ("--fresh" in refused.stderr, "--out" in refused.stderr) == (False, False)


def test_damaged_results_are_told_what_helps(saved: Path, run: Run) -> None:
    (saved / "results.sqlite.sha256").write_text("x")
    for words in (("show", "out"), ("compare", "out", "out")):
        refused = run(*words).stderr
        assert "Put back a good copy, or simulate its scenario again" in refused
        assert "--fresh" not in refused


def test_a_folder_without_results_is_refused_with_5(folder: Path, run: Run) -> None:
    (folder / "empty").mkdir()
    assert run("show", "empty").exit_code == 5


# export --csv


def test_csv_has_a_row_a_request_with_units_in_its_names(saved: Path, run: Run) -> None:
    found = rows(run("export", str(saved), "--csv", "-").stdout)
    assert list(found[0])[:3] == ["cell", "variant", "retrier"]
    assert list(found[0])[3:] == [column.name for column in REQUESTS]
    assert [row["cell"] for row in found] == ["article-as-it-is"] * 60 + ["component"] * 60
    assert [int(row["request"]) for row in found] == [*range(60), *range(60)]


def test_csv_says_what_the_records_say_and_nothing_for_what_never_was(saved: Path, run: Run) -> None:
    found = rows(run("export", str(saved), "--csv", "-").stdout)
    result = open_results(saved)
    never = 0
    for cell in result.cells:
        mine = [row for row in found if row["cell"] == cell.id]
        requests = cell.requests
        for name in (name for name in FLAT_COLUMNS if name not in {"replication", "number", "outcome", "caller_class"}):
            assert [int(row[name] or NEVER) for row in mine] == getattr(requests, name).tolist()
            never += sum(not row[name] for row in mine)
        assert [Outcome[row["outcome"]] for row in mine] == requests.outcome.tolist()
        for cause in Cause:
            assert [int(row[f"duplicates_{cause.name}"]) for row in mine] == requests.duplicates[:, cause].tolist()
    assert never > 0


def test_csv_of_a_shared_world_has_the_requests_that_count(folder: Path, run: Run) -> None:
    (folder / "many.yaml").write_text(SHARED)
    run("run", "many.yaml", "--out", "many", "--no-plots")
    found = rows(run("export", "many", "--csv", "-").stdout)
    requests = open_results(folder / "many").requests()
    assert 0 < len(found) < 60
    assert [(int(row["replication"]), int(row["request"])) for row in found] == [
        *zip(requests.replication.tolist(), requests.number.tolist(), strict=True)
    ]


def test_a_csv_file_is_the_same_as_stdout_and_replaces_what_was_there(saved: Path, run: Run) -> None:
    target = saved / "all.csv"
    target.write_text("old")
    told = run("export", str(saved), "--csv", str(target))
    assert target.read_text() == run("export", str(saved), "--csv", "-").stdout
    assert (told.stdout, told.stderr) == ("", f"wrote 120 requests to {target}\n")
    assert sorted(path.name for path in saved.iterdir()) == [
        "all.csv",
        "results.sqlite",
        "results.sqlite.sha256",
        "source.json",
        "summary.json",
    ]


def test_histograms_have_no_rows_and_the_file_that_was_there_stays(tallied: Path, run: Run) -> None:
    target = tallied / "all.csv"
    target.write_text("old")
    refused = run("export", str(tallied), "--csv", str(target))
    assert refused.exit_code == 1
    assert "cell 'article-as-it-is' keeps only histograms of its requests" in refused.stderr
    assert target.read_text() == "old"
    assert [path.name for path in tallied.iterdir() if path.name.startswith(".")] == []


def test_a_place_that_cannot_be_written_is_named(saved: Path, run: Run) -> None:
    refused = run("export", str(saved), "--csv", "no/such/folder/all.csv")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "Error: 'no/such/folder/all.csv' is not written: No such file or directory\n",
    )


@pytest.mark.parametrize("words", [(), ("--parquet", "-")])
def test_a_place_must_be_named(saved: Path, run: Run, words: tuple[str, ...]) -> None:
    assert run("export", str(saved), *words).exit_code == 2


# export --parquet


def test_parquet_has_the_rows_of_csv_with_types_and_checksums(saved: Path, run: Run) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = saved / "all.parquet"
    assert run("export", str(saved), "--parquet", str(target)).exit_code == 0
    table = parquet.read_table(target, page_checksum_verification=True)
    text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in table.to_pylist()]
    assert text == rows(run("export", str(saved), "--csv", "-").stdout)
    instants = [column.name for column in REQUESTS if column.kind == "instant"]
    assert {str(table.schema.field(name).type) for name in instants} == {"int64"}


def test_a_damaged_page_of_parquet_is_noticed(saved: Path, run: Run) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = saved / "all.parquet"
    run("export", str(saved), "--parquet", str(target))
    place = (
        parquet.ParquetFile(target)
        .metadata.row_group(0)
        .column(3 + [column.name for column in REQUESTS].index("action_ns"))
    )
    data = bytearray(target.read_bytes())
    begin = place.dictionary_page_offset if place.has_dictionary_page else place.data_page_offset
    data[begin + place.total_compressed_size - 2] ^= 1
    target.write_bytes(data)
    with pytest.raises(OSError, match=r"CRC checksum verification|[Cc]orrupt"):
        parquet.read_table(target, page_checksum_verification=True)


def test_parquet_comes_in_groups_of_rows_and_cells_are_not_mixed(
    saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export, "ROWS_A_GROUP", 25)
    target = saved / "all.parquet"
    run("export", str(saved), "--parquet", str(target))
    meta = parquet.ParquetFile(target).metadata
    assert [meta.row_group(group).num_rows for group in range(meta.num_row_groups)] == [25, 25, 10] * 2
    assert parquet.read_table(target).column("cell").to_pylist() == ["article-as-it-is"] * 60 + ["component"] * 60


def test_without_pyarrow_the_extra_is_named(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused = run("export", str(saved), "--parquet", str(saved / "all.parquet"))
    assert refused.exit_code == 1
    assert "pip install 'retrysim[data]'" in refused.stderr
    assert not (saved / "all.parquet").exists()


# replay --trace


def test_a_trace_is_saved_where_it_was_asked_for(folder: Path, run: Run) -> None:
    told = run("replay", "crashes.yaml", "--request", "0", "--no-plots", "--trace", "trace.json")
    assert told.stdout.endswith("saved trace.json\n")
    trace = json.loads((folder / "trace.json").read_text())
    names = [event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "process_name"]
    assert names == ["crashes, crashes: request 0"]


def test_show_tells_what_comes_of_a_rate_over_a_period(run: Callable[..., Result]) -> None:
    run("run", "verdicts.yaml", "--requests", "50", "--no-plots", "--out", "per")
    told = run("show", "per", "--per", "month", "--rate", "200000/day")
    assert told.exit_code == 0
    assert "a month of 365/12 days, at 200,000 requests a day" in told.stdout


def test_a_period_without_a_rate_is_refused_before_anything_is_simulated(run: Callable[..., Result]) -> None:
    told = run("run", "verdicts.yaml", "--no-plots", "--per", "month", "--out", "never")
    assert (told.exit_code, "--rate 200000/day" in told.stderr) == (2, True)
