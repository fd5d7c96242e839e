"""What is wrong with a log is said with its line, its column and what to do; nothing is read by halves."""

import gzip
from pathlib import Path

import pytest
from logs import Dialect, some_calls, text_table

from sim.fitting.asked import Asked
from sim.fitting.reading import read_log
from sim.scenario.mistakes.problems import ScenarioError

HEAD = "time,status,latency_ms\n"
GOOD = "2026-11-27T10:00:00Z,200,1\n2026-11-27T10:00:01Z,503,2\n"
PACKED = gzip.compress(text_table(some_calls(500), Dialect()), mtime=0)


def mistake(folder: Path, data: bytes | str, asked: Asked | None = None) -> str:
    path = folder / "log"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ScenarioError) as caught:
        read_log(path, asked)
    return str(caught.value).removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-11-27T10:00:02Z,200,-3", "latency_ms: '-3' is negative"),
        ("2026-11-27T10:00:02Z,200,NaN", "latency_ms: 'NaN' is no number; leave the cell blank if it is not known"),
        ("2026-11-27T10:00:02Z,200,inf", "latency_ms: 'inf' is no number; leave the cell blank if it is not known"),
        ("2026-11-27T10:00:02Z,200,fast", "latency_ms: 'fast' is no duration"),
        ("2026-11-27T10:00:02Z,200,2s", "latency_ms: '2s' says s, but the column is in ms"),
        ("2026-11-27T10:00:02Z,200,5 parsec", "latency_ms: '5 parsec' has a unit that is not known; "),
        ("2026-11-27T10:00:02Z,200,99999999999999", "latency_ms: 99999999999999 is more than 100 years"),
        (
            '2026-11-27T10:00:02Z,200,"1,234.5"',
            "latency_ms: '1,234.5' is no duration; write numbers without separators",
        ),
        ("2026-13-27T10:00:02Z,200,3", "time: '2026-13-27T10:00:02Z' is no date and time of the calendar"),
        ("2026-02-29T10:00:02Z,200,3", "time: '2026-02-29T10:00:02Z' is no date and time of the calendar"),
        ("27.11.2026 10:00,200,3", "time: '27.11.2026 10:00' is no time that can be read; write 2026-11-27T10:00:00"),
        ("2026-11-27T10:00:02,200,3", "time: '2026-11-27T10:00:02' has no zone, but cells before it have one"),
        ("1764237600,200,3", "time: '1764237600' is one of numbers, but cells before it are dates"),
        ("2026-11-27T10:00:02Z,200", "this row has 2 cells, but the header has 3: '2026-11-27T10:00:02Z,200'"),
        ("2026-11-27T10:00:02Z,200,3,4", "this row has 4 cells, but the header has 3: "),
        ('2026-11-27T10:00:02Z,"200,3', "this is not a row of such a table: unexpected end of data"),
        ("2026-11-27T10:00:02Z,200,\0", "the file is binary, not text"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, reason: str) -> None:
    assert mistake(tmp_path, f"{HEAD}{GOOD}{row}\n").startswith(f"4:1: {reason}")


def test_a_bad_row_far_below_is_named_by_its_line(tmp_path: Path) -> None:
    assert mistake(tmp_path, f"{HEAD}{GOOD * 30_000}2026-11-27T10:00:02Z,200,x\n").startswith(
        "60002:1: latency_ms: 'x'"
    )


def test_a_bad_row_is_named_by_its_line_behind_cells_of_several_lines(tmp_path: Path) -> None:
    text = 'note,latency_ms\n"a\nb",1\n\n"c\r\nd",2\ne,x\n'
    assert mistake(tmp_path, text).startswith("7:1: latency_ms: 'x'")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "1:1: the file is empty"),
        ("  \n\n", "1:1: the file is empty"),
        (HEAD, "1:1: it has no rows"),
        (f"{HEAD}{GOOD.splitlines()[0]}\n", "1:1: it has 1 call; there is nothing to fit"),
        (
            "status,latency\n200,12\n503,14\n",
            "1:1: latency: its unit is not known; half of its first numbers are below 13",
        ),
        ("status,latency\n200,12ms\n200,0.5\n", "3:1: latency: '0.5' has no unit, but other cells of this column have"),
        ("status,bytes,pid\n200,1,2\n200,2,3\n", "1:1: no column looks like the time that a call took; name it with"),
        ("name,status\na,ok\nb,ok\n", "1:1: there is no column 'latency', nor another one with the time that a call"),
        (
            "status;latency_ms\n200;1,234\n200;1,500\n",
            "1:1: latency_ms: '1,234' can be read in two ways; say --decimal",
        ),
        ("status,latency_ms\n200,\n200,-\n", "1:1: latency_ms: no row says how long its call took"),
        ("latency_ms,latency_ms\n1,2\n1,2\n", "1:1: the file has several columns of the name 'latency_ms'"),
        (
            "start_time,end_time\n2026-11-27 10:00:05,2026-11-27 10:00:06\n2026-11-27 10:00:07,2026-11-27 10:00:06\n",
            "3:1: end_time: this call ends before it starts",
        ),
        ("status,latency_ms\n\xff,1\n".encode("latin1"), "2:1: the file is not text in UTF-8; convert it first"),
        (b"PK\x03\x04...", "1:1: the file is a zip archive; unpack it first"),
        (b"PAR1...", "1:1: it is a damaged Parquet file"),
        (PACKED[:-20], "1:1: its compressed data end in the middle: the file is cut off"),
        (PACKED[:60] + b"xxxx" + PACKED[64:], "1:1: its compressed data are damaged"),
        ('{"latency_ms":1}\n{"latency_ms":2}\n{"late', "3:1: the last line is cut off: "),
        ('{"latency_ms":1}\n{latency_ms:2}\n{"latency_ms":3}\n', "2:1: this line is not JSON: "),
        ('{"latency_ms":1}\n[2]\n', "2:1: a row is an object in braces, but this is '[2]'"),
        ('{"latency_ms":NaN}\n{"latency_ms":1}\n', "1:1: latency_ms: 'NaN' is no number"),
        ('[{"latency_ms": 1},\n {"latency_ms": -2}]', "1:1: latency_ms: row 2: '-2' is negative"),
        ('[{"latency_ms": 1},\n {"latency_ms": ]', "2:1: the file is not JSON"),
        ('{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": 3}]}]}]}', "1:1: it is not the JSON of OpenTelemetry"),
    ],
)
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, data: bytes | str, reason: str) -> None:
    if isinstance(data, bytes) and data.startswith(b"PAR1"):
        pytest.importorskip("pyarrow")
    told = mistake(tmp_path, data)
    assert told.startswith(reason)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (
            Asked(latency="latncy_ms"),
            "there is no column 'latncy_ms'; did you mean 'latency_ms'? The columns are: time, st",
        ),
        (Asked(key="id"), "there is no column 'id'; the columns are: time, status, latency_ms"),
        (Asked(where=(("stat", "200"),)), "there is no column 'stat'; did you mean 'status'? The columns are: "),
        (Asked(where=(("status", "404"),)), "no row has status=404"),
        (Asked(unit="s"), "latency_ms: its name says ms, but --unit says s"),
        (Asked(format="parquet"), "it is not a Parquet file"),
        (Asked(format="jsonl"), "this line is not JSON"),
        (Asked(columns=("a", "b")), "this row has 3 cells, but there are names for 2"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_what_is_asked_for_must_be_there(tmp_path: Path, asked: Asked, reason: str) -> None:
    assert mistake(tmp_path, HEAD + GOOD, asked).startswith(f"1:1: {reason}")


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ScenarioError, match=r"there is no such file|this is a folder, not a file"):
        read_log(tmp_path / name)


def hour(first: int, last: int, zone: str) -> str:
    return "".join(f"2026-10-25T02:{minute:02d}:00{zone},200,5\n" for minute in range(first, last))


def test_a_clock_that_was_set_back_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(HEAD + hour(30, 59, "Z") + hour(10, 59, "Z"))
    told = read_log(tmp_path / "log").told
    assert any(
        one.startswith(
            "At line 31 times go back by 48m, more than any call takes: the clock was set back, or logs were"
        )
        for one in told
    )


def test_the_end_of_daylight_saving_time_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(HEAD + hour(0, 59, "") + hour(0, 59, ""))
    assert any("looks like the end of daylight saving time" in one for one in read_log(tmp_path / "log").told)


def test_a_little_disorder_is_no_jump_of_the_clock(tmp_path: Path) -> None:
    rows = ["2026-11-27T10:00:00.000Z,200,900", "2026-11-27T10:00:01.000Z,200,5", "2026-11-27T10:00:00.500Z,200,700"]
    (tmp_path / "log").write_text(HEAD + "\n".join(rows))
    told = "\n".join(read_log(tmp_path / "log").told)
    assert "1 row starts before the row above" in told
    assert "go back" not in told


def test_a_log_with_the_newest_rows_first_is_turned_around(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(HEAD + "".join(reversed(hour(0, 59, "Z").splitlines(keepends=True))))
    log = read_log(tmp_path / "log")
    assert "The newest rows come first; they are turned around." in log.told
    assert log.started_ns is not None
    assert log.started_ns.tolist() == [minute * 60 * 10**9 for minute in range(59)]
