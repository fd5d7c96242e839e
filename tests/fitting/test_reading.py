"""A log in any dialect is the same log: what was written is read, whatever the separator, the unit or the clock."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logs import UNITS_NS, Call, Dialect, json_lines, parquet, some_calls, spans, text_table

from sim.fitting.asked import Asked
from sim.fitting.log import NOT_KNOWN, Log
from sim.fitting.reading import read_log

CALLS = some_calls(40)
NAMES = ("started_at", "request_id", "attempt", "status", "latency")
FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def read(folder: Path, data: bytes, asked: Asked | None = None, name: str = "log") -> Log:
    path = folder / name
    path.write_bytes(data)
    return read_log(path, asked)


def facts(log: Log) -> dict[str, object]:
    """All that a log says of its rows, with words in place of positions."""
    return {
        "latency": log.latency_ns.tolist(),
        "status": [log.statuses[code] for code in log.status],
        "failed": [bool(log.failed[code]) for code in log.status],
        "started": None if log.started_ns is None else log.started_ns.tolist(),
        "request": None if log.request is None else log.request.tolist(),
        "attempt": None if log.attempt is None else log.attempt.tolist(),
        "rows": log.rows,
    }


def expected(calls: list[Call]) -> dict[str, object]:
    ordered = sorted(calls, key=lambda call: call.started_ns)
    requests = list(dict.fromkeys(call.request for call in ordered))
    return {
        "latency": [NOT_KNOWN if call.latency_ns is None else call.latency_ns for call in ordered],
        "status": [call.status for call in ordered],
        "failed": [call.status != "200" for call in ordered],
        "started": [call.started_ns - ordered[0].started_ns for call in ordered],
        "request": [requests.index(call.request) for call in ordered],
        "attempt": [call.attempt for call in ordered],
        "rows": "attempts",
    }


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    separator = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    return Dialect(
        separator,
        time=draw(st.sampled_from(["iso", "ns", "us", "ms", "s"])),
        zone_minutes=draw(st.sampled_from([0, None, 120, -330])),
        unit=draw(st.sampled_from(["ns", "us", "ms", "s"])),
        suffix=draw(st.booleans()),
        comma=separator != "," and draw(st.booleans()),
        quoted=draw(st.booleans()),
        bom=draw(st.booleans()),
        crlf=draw(st.booleans()),
        packed=draw(st.booleans()),
    )


@st.composite
def any_calls(draw: st.DrawFn) -> list[Call]:
    """Calls of a few requests, one after the other, in whole units of `unit`; some latencies are blank."""
    starts = draw(st.lists(st.integers(0, 10**15), min_size=2, max_size=30, unique=True))
    latencies = st.one_of(st.none(), st.integers(0, 10**13))
    tried: dict[str, int] = {}
    calls = []
    for start in sorted(starts):
        request = draw(st.sampled_from(["a", "b", "ü7", "d-0001"]))
        tried[request] = tried.get(request, 0) + 1
        status = draw(st.sampled_from(["200", "503", "timeout"]))
        calls.append(Call(start, draw(latencies), status, request, tried[request]))
    return [replace(calls[0], latency_ns=123_456_789), *calls[1:]]


@given(dialects(), any_calls())
@FOLDER
def test_any_calls_in_any_dialect_are_read_as_they_were(tmp_path: Path, dialect: Dialect, calls: list[Call]) -> None:
    asked = Asked(key="request_id", decimal="," if dialect.comma else ".", time_unit=None)
    asked = replace(asked, time_unit=dialect.time if dialect.time != "iso" else None, separator=dialect.separator)
    assert facts(read(tmp_path, text_table(calls, dialect), asked)) == expected(calls)


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect(";", comma=True),
        Dialect("\t", time="ms", unit="s"),
        Dialect("|", zone_minutes=None, crlf=True),
        Dialect(" ", time="s", suffix=True),
        Dialect(quoted=True, bom=True, packed=True),
        Dialect(time="us", zone_minutes=None, unit="us"),
    ],
    ids=str,
)
def test_nothing_needs_to_be_told_of_a_common_dialect(tmp_path: Path, dialect: Dialect) -> None:
    assert facts(read(tmp_path, text_table(CALLS, dialect))) == expected(CALLS)


def test_columns_without_a_header_are_named_on_the_command_line(tmp_path: Path) -> None:
    asked = Asked(columns=NAMES, unit="ms")
    assert facts(read(tmp_path, text_table(CALLS, Dialect(header=False)), asked)) == expected(CALLS)


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    asked = Asked(latency="5", status="4", time="1", key="2", attempt="3", unit="ms")
    assert facts(read(tmp_path, text_table(CALLS, Dialect(header=False)), asked)) == expected(CALLS)


def test_json_lines_are_read_with_nested_keys(tmp_path: Path) -> None:
    assert facts(read(tmp_path, json_lines(CALLS))) == expected(CALLS)


def test_a_json_array_is_read(tmp_path: Path) -> None:
    array = json.dumps([json.loads(line) for line in json_lines(CALLS).splitlines()], indent=1)
    assert facts(read(tmp_path, array.encode())) == expected(CALLS)


def test_parquet_is_read_with_its_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    parquet(CALLS, tmp_path / "log.parquet")
    assert facts(read_log(tmp_path / "log.parquet")) == expected(CALLS)


@pytest.mark.parametrize("whole", [False, True])
def test_spans_are_read_as_attempts(tmp_path: Path, *, whole: bool) -> None:
    log = read(tmp_path, spans(CALLS, whole=whole))
    assert facts(log) == expected(CALLS)
    assert log.what == "POST pay.example"


def test_rows_written_at_the_end_of_calls_are_sorted_by_their_starts(tmp_path: Path) -> None:
    by_end = sorted(CALLS, key=lambda call: call.started_ns + (call.latency_ns or 0))
    log = read(tmp_path, text_table(by_end, Dialect()))
    assert facts(log) == expected(CALLS)
    assert any("since rows are written when calls end" in sentence for sentence in log.told)


def test_times_of_ends_are_moved_back_by_the_latency(tmp_path: Path) -> None:
    ended = [replace(call, started_ns=call.started_ns + (call.latency_ns or 0)) for call in CALLS]
    ended.sort(key=lambda call: call.started_ns)
    log = read(tmp_path, text_table(ended, Dialect()), Asked(time_is="end"))
    assert facts(log) == expected(CALLS)


def test_rows_are_chosen_by_their_cells(tmp_path: Path) -> None:
    kept = [call for call in CALLS if call.status == "503" and call.attempt in {1, 2}]
    asked = Asked(where=(("status", "5xx"), ("attempt", "1"), ("attempt", "2.0")))
    log = read(tmp_path, text_table(CALLS, Dialect()), asked)
    assert facts(log)["latency"] == expected(kept)["latency"]
    assert f"Of {len(CALLS)} rows, {len(kept)} are those asked for with --where." in log.told


def test_a_file_of_many_blocks_is_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.tabular.delimited.BLOCK_ROWS", 7)
    monkeypatch.setattr("sim.tabular.opened.BLOCK_BYTES", 100)
    monkeypatch.setattr("sim.fitting.growing.ROWS", 5)
    assert facts(read(tmp_path, text_table(CALLS, Dialect(packed=True)))) == expected(CALLS)


NGINX = """10.0.0.1 - - [27/Nov/2026:10:00:00 +0000] "POST /pay HTTP/1.1" 200 512 "-" "curl/8.0 \\"x\\"" 0.123
10.0.0.2 - - [27/Nov/2026:10:00:01 +0000] "POST /pay HTTP/1.1" 503 0 "-" "curl/8.0" -
10.0.0.2 - - [27/Nov/2026:11:00:02 +0100] "POST /pay HTTP/1.1" 200 99 "-" "curl/8.0" 0.093
"""
IIS = """#Software: IIS
#Fields: date time cs-uri-stem sc-status time-taken
2026-11-27 10:00:00 /pay 200 120
2026-11-27 10:00:01 /pay 503 20
"""
HEY = """response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
0.0123,0.001,0.0,0.0001,0.0100,0.0001,200,0.0001
0.0223,0.001,0.0,0.0001,0.0100,0.0001,503,0.1001
"""
JMETER = """timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,Latency
1764237600123,120,pay,200,OK,t 1-1,true,12,100
1764237600323,130,pay,503,Bad,t 1-1,false,12,100
"""
CADDY = """{"ts":1764237600.123,"request":{"method":"GET","uri":"/"},"duration":0.0123,"status":200}
{"ts":1764237601.123,"request":{"method":"GET","uri":"/"},"duration":0.0023,"status":502}
"""
MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "asked", "latency_ms", "started_ms", "statuses"),
    [
        (NGINX, Asked(latency="10", unit="s"), [123, None, 93], [0, 1000, 2000], ("200", "503")),
        (IIS, Asked(unit="ms"), [120, 20], [0, 1000], ("200", "503")),
        (HEY, Asked(), [12.3, 22.3], [0, 100], ("200", "503")),
        (JMETER, Asked(), [120, 130], [0, 200], ("200", "503")),
        (CADDY, Asked(), [12.3, 2.3], [0, 1000], ("200", "502")),
    ],
    ids=["nginx", "iis", "hey", "jmeter", "caddy"],
)
def test_logs_of_known_programs_are_read(  # noqa: PLR0917  # a value of each
    tmp_path: Path,
    text: str,
    asked: Asked,
    latency_ms: list[float | None],
    started_ms: list[int],
    statuses: tuple[str, ...],
) -> None:
    log = read(tmp_path, text.encode(), asked)
    assert log.latency_ns.tolist() == [NOT_KNOWN if one is None else round(one * MS) for one in latency_ms]
    assert log.started_ns is not None
    assert log.started_ns.tolist() == [one * MS for one in started_ms]
    assert log.statuses == statuses


def test_a_key_that_names_no_attempts_is_no_key(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-27T10:{m:02d}:00Z,order-{m // 10},200,5\n" for m in range(60))
    log = read(tmp_path, f"time,order_id,status,latency_ms\n{rows}".encode())
    assert (log.request, log.rows) == (None, "calls")
    assert any("rows come after a success with the same value" in sentence for sentence in log.told)


def test_a_key_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-27T10:{m:02d}:00Z,order-{m // 10},200,5\n" for m in range(60))
    log = read(tmp_path, f"time,order_id,status,latency_ms\n{rows}".encode(), Asked(key="order_id"))
    assert log.request is not None
    assert log.request.tolist() == [m // 10 for m in range(60)]
    assert log.attempt is not None
    assert log.attempt.tolist() == [m % 10 + 1 for m in range(60)]


def test_what_was_guessed_is_told(tmp_path: Path) -> None:
    told = "\n".join(read(tmp_path, text_table(CALLS, Dialect(";", comma=True)), name="calls.csv").told)
    assert "calls.csv is a text table, cells apart by semicolons." in told
    assert "latency 'latency_ms', status 'status', time 'started_at', key 'request_id', attempt 'attempt'" in told
    assert "'latency_ms' is in ms, by its name." in told
    assert "Failures are 503, by what such words mean; 200 is not." in told


def test_latencies_are_whole_nanoseconds_whatever_the_digits(tmp_path: Path) -> None:
    cells = ["0.12345678901234568", "1e-05", "12.", "0.0000000005", "0.0000000015"]
    log = read(tmp_path, "\n".join(["latency_s", *cells]).encode())
    assert log.latency_ns.tolist() == [123_456_789, 10_000, 12 * UNITS_NS["s"], 0, 2]
    assert log.latency_ns.dtype == np.int64


@pytest.mark.parametrize("name", ["request_time", "nginx.access.request_time"])
def test_a_request_time_that_is_no_date_is_a_latency_in_seconds(tmp_path: Path, name: str) -> None:
    log = read(tmp_path, f"status,{name},bytes\n200,0.012,7\n503,0.5,8\n".encode())
    assert log.latency_ns.tolist() == [12_000_000, 500_000_000]
    assert log.started_ns is None


def test_a_request_time_that_is_a_date_is_a_start(tmp_path: Path) -> None:
    text = "request_time,status,elapsed_ms\n2026-11-27 10:00:00,200,5\n2026-11-27 10:00:01,200,6\n"
    log = read(tmp_path, text.encode())
    assert log.started_ns is not None
    assert log.started_ns.tolist() == [0, 10**9]


def test_times_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    log = read(tmp_path, b"ts,status,latency_ms\n11/27/2026 10:00:00,200,5\n11/27/2026 10:00:01,200,6\n")
    assert log.started_ns is None
    told = "'ts' is not read as times, since '11/27/2026 10:00:00' is none that can be read; write 2026-11-27T"
    assert any(sentence.startswith(told) for sentence in log.told)


def test_flags_are_no_times(tmp_path: Path) -> None:
    log = read(tmp_path, b"completed,started,latency_ms\n1,1,5\n0,1,6\n")
    assert log.started_ns is None
    assert not any("not read as times" in sentence for sentence in log.told)


def test_what_a_call_asks_for_is_no_key(tmp_path: Path) -> None:
    rows = "".join(f'2026-11-27T10:{m:02d}:00Z,"GET /orders/{m % 58} HTTP/1.1",200,0.005\n' for m in range(60))
    log = read(tmp_path, f"time_iso8601,request,status,request_time\n{rows}".encode())
    assert (log.request, log.rows) == (None, "calls")
