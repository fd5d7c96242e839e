"""`retrysim fit`: what a command line reads, writes and refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from logs import Dialect, some_calls, text_table

from sim.scenario.load import load

Run = Callable[..., Result]
WRITTEN = ("fitted.html", "fitted.latencies.csv", "fitted.yaml")


@pytest.fixture(autouse=True)
def log(folder: Path) -> Path:
    path = folder / "calls.csv"
    path.write_bytes(text_table(some_calls(300), Dialect()))
    return path


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("fitted*"))


def test_a_log_becomes_a_scenario_with_columns_and_a_page(run: Run, folder: Path) -> None:
    pytest.importorskip("jinja2")
    result = run("fit", "calls.csv", "--out", "fitted.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(WRITTEN) <= set(there(folder))
    assert "- calls.csv is a text table, cells apart by commas." in result.stdout
    assert "what the log cannot tell" in result.stdout
    assert result.stdout.splitlines()[-1] == "next: retrysim run fitted.yaml"
    assert load(folder / "fitted.yaml").action.latency.values_ns


def test_without_out_nothing_is_written(run: Run, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    result = run("fit", "calls.csv")
    assert result.exit_code == 0
    assert "what the log says" in result.stdout
    assert sorted(folder.rglob("*")) == before


def test_the_scenario_names_the_line_that_made_it(run: Run, folder: Path) -> None:
    words = ("--no-page", "--where", "status=200", "--where", "status=503", "--failed", "5xx", "--unit", "ms")
    assert run("fit", "calls.csv", "--out", "fitted.yaml", *words).exit_code == 0
    text = " ".join((folder / "fitted.yaml").read_text().replace("\n#", "").split())
    line = "--out fitted.yaml --no-page --unit ms --where status=200 --where status=503 --failed 5xx"
    assert f"`retrysim fit calls.csv {line}`" in text


def test_files_that_are_there_are_not_replaced_unless_forced(run: Run, folder: Path) -> None:
    (folder / "fitted.latencies.csv").write_text("mine")
    refused = run("fit", "calls.csv", "--out", "fitted.yaml")
    assert (refused.exit_code, there(folder)) == (2, ["fitted.latencies.csv"])
    assert "'fitted.latencies.csv' is there; --force replaces it" in " ".join(refused.stderr.split())
    assert run("fit", "calls.csv", "--out", "fitted.yaml", "--no-page", "--force").exit_code == 0
    assert (folder / "fitted.latencies.csv").read_text() != "mine"


def test_the_log_itself_is_never_replaced(run: Run, folder: Path) -> None:
    (folder / "calls.latencies.csv").write_bytes((folder / "calls.csv").read_bytes())
    result = run("fit", "calls.latencies.csv", "--out", "calls.yaml", "--force")
    assert result.exit_code == 2
    assert "would be replaced; write to another file" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("none.csv",), 3, "none.csv:1:1: there is no such file"),
        (
            ("calls.csv", "--latency", "latncy_ms"),
            3,
            "calls.csv:1:1: there is no column 'latncy_ms'; did you mean 'laten",
        ),
        (("calls.csv", "--unit", "s"), 3, "calls.csv:1:1: latency_ms: its name says ms, but --unit says s"),
        (("calls.csv", "--where", "status"), 2, "'status' is not COLUMN=VALUE, such as status=200"),
        (("calls.csv", "--where", "status=404"), 3, "calls.csv:1:1: no row has status=404"),
        (("calls.csv", "--separator", "ab"), 2, "a separator is one character"),
        (("calls.csv", "--unit", "h"), 2, "'h' is not one of"),
        (("calls.csv", "--out", "fitted.csv"), 2, "'fitted.csv' is no scenario file; name it FILE.yaml"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    run: Run, folder: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    result = run("fit", *words, *(() if "--out" in words else ("--out", "fitted.yaml")))
    assert result.exit_code == code
    assert reason in " ".join(result.stderr.split())
    assert there(folder) == []


def test_a_bad_row_is_told_with_its_line(run: Run, folder: Path, log: Path) -> None:
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:100], lines[100].rsplit(",", 1)[0] + ",-7", *lines[101:]]))
    result = run("fit", "calls.csv", "--out", "fitted.yaml")
    assert (result.exit_code, result.stderr) == (3, "calls.csv:101:1: latency_ms: '-7' is negative\n")
    assert there(folder) == []


def test_the_options_name_columns_of_a_table_without_header(run: Run, folder: Path) -> None:
    (folder / "plain.csv").write_bytes(text_table(some_calls(50), Dialect("\t", header=False)))
    words = ("--columns", "at,key,try,end,ms", "--latency", "ms", "--time", "at", "--key", "key", "--attempt", "try")
    result = run("fit", "plain.csv", *words, "--status", "end", "--separator", "tab")
    assert result.exit_code == 0, result.stderr
    assert "Rows are attempts of 50 requests" in " ".join(result.stdout.split())
