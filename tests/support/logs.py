"""Logs of calls written in every dialect that is read, from one list of calls that hang together as real ones do."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EPOCH_NS = 1_764_237_600_000_000_000
"""2025-11-27T10:00:00Z."""
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True)
class Call:
    """One call: when it started, how long it took (None: not known), how it ended, and whose it was."""

    started_ns: int
    latency_ns: int | None
    status: str
    request: str = ""
    attempt: int = 1


def decimal(value_ns: int, unit: str) -> str:
    """Nanoseconds in a unit, with as many digits as it takes."""
    whole, part = divmod(value_ns, UNITS_NS[unit])
    digits = f"{part:0{len(str(UNITS_NS[unit])) - 1}d}".rstrip("0") if UNITS_NS[unit] > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)


def iso(value_ns: int, zone_minutes: int | None, *, point: str = ".") -> str:
    """An instant in a zone, or without one (None: in UTC, unsaid)."""
    local = value_ns + (zone_minutes or 0) * 60 * UNITS_NS["s"]
    text = str(np.datetime64(local, "ns")).replace(".", point)
    if zone_minutes is None:
        return text
    if zone_minutes == 0:
        return f"{text}Z"
    sign, minutes = "-" if zone_minutes < 0 else "+", abs(zone_minutes)
    return f"{text}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True)
class Dialect:
    """How a text table is written."""

    separator: str = ","
    header: bool = True
    time: str = "iso"
    """iso, or a unit of the time since 1970."""
    zone_minutes: int | None = 0
    unit: str = "ms"
    suffix: bool = False
    comma: bool = False
    quoted: bool = False
    bom: bool = False
    crlf: bool = False
    packed: bool = False


def text_table(calls: list[Call], dialect: Dialect) -> bytes:
    """The calls as a text table: time, request, attempt, status, latency."""
    latency = "latency" if dialect.suffix else f"latency_{dialect.unit}"
    rows = [["started_at", "request_id", "attempt", "status", latency]] if dialect.header else []
    for call in calls:
        at_ns = EPOCH_NS + call.started_ns
        at = iso(at_ns, dialect.zone_minutes) if dialect.time == "iso" else decimal(at_ns, dialect.time)
        blank = "-" if dialect.separator == " " else ""
        took = blank if call.latency_ns is None else decimal(call.latency_ns, dialect.unit)
        took = took.replace(".", ",") if dialect.comma else took
        took += dialect.unit if dialect.suffix and took != blank else ""
        rows.append([at, call.request, str(call.attempt), call.status, took])
    quote = '"' if dialect.quoted else ""
    end = "\r\n" if dialect.crlf else "\n"
    text = "".join(dialect.separator.join(f"{quote}{cell}{quote}" for cell in row) + end for row in rows)
    data = text.encode("utf-8-sig" if dialect.bom else "utf-8")
    return gzip.compress(data, mtime=0) if dialect.packed else data


def json_lines(calls: list[Call]) -> bytes:
    """The calls as JSON, an object a line, with nested keys."""
    rows: list[dict[str, Any]] = []
    for call in calls:
        took_ms = None if call.latency_ns is None else json.loads(decimal(call.latency_ns, "ms"))
        rows.append(
            {
                "time": iso(EPOCH_NS + call.started_ns, 0),
                "http": {"status_code": int(call.status) if call.status.isdecimal() else call.status},
                "duration_ms": took_ms,
                "request_id": call.request,
                "attempt": call.attempt,
            }
        )
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def spans(calls: list[Call], *, whole: bool = False) -> bytes:
    """The calls as spans of HTTP clients, retries marked; a line each, or all as one export."""
    made = []
    for number, call in enumerate(calls):
        attributes: dict[str, Any] = {"server.address": "pay.example", "http.request.method": "POST"}
        is_code = call.status.isdecimal()
        attributes["http.response.status_code" if is_code else "error.type"] = call.status
        if call.attempt > 1:
            attributes["http.request.resend_count"] = call.attempt - 1
        start_ns = EPOCH_NS + call.started_ns
        made.append(
            {
                "traceId": f"{call.request:>032}",
                "spanId": f"{number:016x}",
                "parentSpanId": "00000000000000aa",
                "name": "POST",
                "kind": 3,
                "startTimeUnixNano": str(start_ns),
                "endTimeUnixNano": str(start_ns + (call.latency_ns or 0)),
                "attributes": [
                    {
                        "key": key,
                        "value": {"intValue": str(value)} if str(value).isdecimal() else {"stringValue": value},
                    }
                    for key, value in attributes.items()
                ],
                "status": {} if is_code and int(call.status) < 400 else {"code": 2},
            }
        )
    parts = [made] if whole else [[one] for one in made]
    exports = [{"resourceSpans": [{"scopeSpans": [{"spans": part}]}]} for part in parts]
    return "".join(f"{json.dumps(one, indent=2 if whole else None)}\n" for one in exports).encode()


def parquet(calls: list[Call], path: Path) -> None:
    """The calls as a Parquet file with typed columns."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    took = pa.array([call.latency_ns for call in calls], pa.duration("ns"))
    pq.write_table(
        pa.table(
            {
                "started_at": pa.array([EPOCH_NS + call.started_ns for call in calls], pa.timestamp("ns", "UTC")),
                "request_id": [call.request for call in calls],
                "attempt": [call.attempt for call in calls],
                "status": pa.array([call.status for call in calls]).dictionary_encode(),
                "latency": took,
            }
        ),
        path,
    )


def some_calls(count: int, seed: int = 1) -> list[Call]:
    """Calls of requests that try up to three times; failures hang together in outages; starts ascend."""
    numbers = np.random.default_rng(seed)
    calls: list[Call] = []
    at_ns, down = 0, False
    for request in range(count):
        at_ns += int(numbers.exponential(2e9))
        down = numbers.random() < (0.8 if down else 0.03)
        start_ns = at_ns
        for attempt in (1, 2, 3):
            failed = numbers.random() < (0.9 if down else 0.02)
            latency_ns = int(numbers.lognormal(17.0 if failed else 18.0, 0.5))
            calls.append(Call(start_ns, latency_ns, "503" if failed else "200", f"r{request}", attempt))
            if not failed:
                break
            start_ns += latency_ns + int(numbers.exponential(5e8))
    return sorted(calls, key=lambda call: call.started_ns)
