"""What a reader of logs is told: which columns to read, how, and which rows; what is not told is guessed and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FORMATS: Final = ("csv", "jsonl", "json", "parquet", "otel")
UNITS: Final = ("ns", "us", "ms", "s")


@dataclass(frozen=True, slots=True)
class Asked:
    """How to read a log; None or empty: see for yourself and say what was seen."""

    latency: str | None = None
    """Column of how long a call took."""
    status: str | None = None
    """Column of how it ended."""
    time: str | None = None
    """Column of when it started, or ended if `time_is` says so."""
    end: str | None = None
    """Column of when it ended; with `time` and without a latency, the latency is the difference."""
    key: str | None = None
    """Column that says which rows are attempts of one request."""
    attempt: str | None = None
    """Column of the number of an attempt within its request, from 0 or 1."""
    unit: str | None = None
    """Of bare numbers in the column of latencies, one of `UNITS`."""
    time_unit: str | None = None
    """Of numbers in the columns of times, one of `UNITS`."""
    time_is: str | None = None
    """Whether `time` is the "start" or the "end" of a call."""
    decimal: str | None = None
    """Decimal separator of latencies, "." or ","."""
    where: tuple[tuple[str, str], ...] = ()
    """Only rows whose columns have these values; several of one column: any of them."""
    failed: tuple[str, ...] = ()
    """Statuses that are failures, such as "5xx" and "timeout"; all others are not."""
    ok: tuple[str, ...] = ()
    """Statuses that are no failures; without `failed` all others are."""
    format: str | None = None
    """One of `FORMATS`."""
    separator: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] = ()
    """Names for the columns of a text table without a header, or in place of it."""
