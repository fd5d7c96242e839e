"""Which column of a log is what: by the names that servers, load generators and libraries give them, and by the cells.

Names are those of the defaults of nginx, Apache, Envoy, Caddy, Traefik, IIS, JMeter, k6, hey, curl, pino, lograge,
pandas' users and the semantic conventions of OpenTelemetry. A unit is never guessed from the size of numbers: a mistake
would be one of a factor of a thousand. Only names whose unit their program documents have one here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.options.near_words import did_you_mean
from sim.tabular.blocks import missing_column
from sim.tabular.dialect import decimal_of
from sim.tabular.durations import BLANK, UNIT_WORDS, duration_of
from sim.tabular.errors import TableError, shown
from sim.tabular.instants import FORMS, epoch_unit, is_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim.fitting.asked import Asked

LATENCY: Final = (
    *("elapsed", "latency", "duration", "response_time", "request_time", "elapsed_time", "time_taken", "took"),
    *("request_duration", "http_req_duration", "http_client_request_duration", "response_latency", "resp_time", "rt"),
    *("total_time", "time_total", "upstream_response_time", "processing_time", "execution_time", "runtime", "dur"),
    *("rtt", "call_duration", "call_time", "service_time", "wall_time", "origin_duration", "ttlb", "lat", "time_spent"),
)
STATUS: Final = (
    *("status", "status_code", "http_status", "http_status_code", "response_code", "http_response_status_code"),
    *("res_status_code", "response_status", "response_status_code", "sc_status", "downstream_status", "code", "result"),
    *("outcome", "grpc_status", "grpc_code", "rpc_grpc_status_code", "status_text", "state", "success", "succeeded"),
    *("ok", "error", "error_type", "err", "exception", "failed", "failure", "exit_code", "error_code"),
)
START: Final = (
    *(
        "start",
        "start_time",
        "started_at",
        "started",
        "start_ts",
        "start_timestamp",
        "begin",
        "request_start",
        "start_utc",
    ),
    *("date_time", "timestamp", "time_stamp", "time", "ts", "datetime", "time_local", "time_iso8601", "msec", "at"),
    *("created_at", "called_at", "sent_at", "offset", "date", "event_time", "asctime", "local_time"),
)
DATED_START: Final = ("request_time",)
"""Names of starts if their cells are dates, of latencies if they are small numbers."""
END: Final = (
    *("end", "end_time", "ended_at", "ended", "end_ts", "end_timestamp", "finish", "finished_at", "finished"),
    *("completed_at", "completed", "finish_time", "stop", "stop_time", "response_at", "received_at"),
)
KEY: Final = (
    *("idempotency_key", "request_id", "req_id", "request_key", "correlation_id", "x_request_id", "operation_id"),
    *("job_id", "task_id", "message_id", "payment_id", "order_id", "transaction_id", "key", "request"),
)
KEY_WITH_ATTEMPT: Final = (*KEY, "trace_id", "id")
ATTEMPT: Final = (
    *("attempt", "attempt_number", "attempt_no", "attempt_num", "try", "try_number", "attempts", "tries", "retry"),
    *("retry_count", "retry_number", "retries", "resend_count", "http_request_resend_count", "attempt_count"),
)
ROUTES: Final = (
    "route",
    "endpoint",
    "path",
    "url",
    "uri",
    "service",
    "operation",
    "method",
    "host",
    "label",
    "upstream",
)
NGINX_TIMES: Final = frozenset({"time_local", "time_iso8601", "msec"})
UNIT_OF_NAME: Final = {
    "request_time": ("s", "nginx writes it in seconds"),
    "upstream_response_time": ("s", "nginx writes it in seconds"),
    "response_delay": ("s", "hey writes it in seconds"),
    "time_total": ("s", "curl writes it in seconds"),
    "http_client_request_duration": ("s", "OpenTelemetry writes it in seconds"),
    "http_req_duration": ("ms", "k6 writes it in milliseconds"),
}
UNIT_OF_PROGRAM: Final = {
    "JMeter": ({"timeStamp", "elapsed", "label", "responseCode"}, "elapsed", "ms"),
    "hey": ({"response-time", "DNS+dialup", "status-code"}, "response-time", "s"),
    "Envoy": ({"start_time", "duration", "response_code", "response_flags"}, "duration", "ms"),
    "Caddy": ({"ts", "duration", "request.uri", "status"}, "duration", "s"),
    "pino": ({"responseTime", "res.statusCode", "time"}, "responseTime", "ms"),
    "Traefik": ({"Duration", "DownstreamStatus", "OriginStatus"}, "Duration", "ns"),
}
"""By columns that no other program has together: the column of latencies, and the unit that its documentation gives."""
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_REQUEST_LINE: Final = re.compile(r"[A-Z]+ \S+( HTTP/[0-9.]+)?|/\S*|https?://\S+")
"""What a call asks for, which is no key: requests of different callers ask for the same."""
_FLAG: Final = re.compile("[01]|true|false|yes|no", re.IGNORECASE)
_UNIT_WORDS: Final = {word for word in UNIT_WORDS if word not in {"m", "h"}} | {"m", "h"}


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns to read, and how; None: the log has none."""

    latency: str | None
    status: str | None
    time: str | None
    end: str | None
    key: str | None
    attempt: str | None
    unit: str | None
    """Of bare numbers in the column of latencies; None if its cells name theirs, or there is no such column."""
    time_unit: str | None
    time_is: str
    decimal: str
    key_guessed: bool
    told: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        named = (self.latency, self.status, self.time, self.end, self.key, self.attempt)
        return list(dict.fromkeys(name for name in named if name is not None))


def plain_name(name: str) -> tuple[str, str | None]:
    """Return a column's name in small letters with `_`, without its unit, and the unit that it ends in."""
    words = [word for word in re.split(r"[^A-Za-z0-9µμ]+", _CAMEL.sub("_", name.strip())) if word]
    folded = [word.lower() for word in words]
    unit = UNIT_WORDS.get(folded[-1]) if folded and folded[-1] in _UNIT_WORDS else None
    if len(folded) == 1 and unit in {"m", "h"}:
        unit = None  # a letter is no unit
    if unit is not None and len(folded) > 1:
        folded = folded[:-1]
        if len(folded) > 1 and folded[-1] == "in":
            folded = folded[:-1]
    return "_".join(folded), unit


def roles_of(asked: Asked, names: Sequence[str], sample: Mapping[str, Sequence[str]]) -> Roles:
    """Find the columns that are not named. Raises TableError if one that is named is not there, or none fits."""
    plain = {name: plain_name(name)[0] for name in names}
    _refuse_missing(asked, names)
    taken = {getattr(asked, option) for option in ("latency", "status", "time", "end", "key", "attempt")} - {None}

    def find(option: str, known: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> str | None:
        if (named := getattr(asked, option)) is not None:
            return str(named)
        fitting = [
            name
            for word in known
            for name in names
            if plain[name] == word and name not in taken and fits(sample.get(name, ()))
        ]
        # The last words of nested names are names as well: `res.statusCode`, `http.response.duration`.
        fitting += [
            name
            for word in known
            for name in names
            if "." in name
            and plain_name(name.rsplit(".", 1)[1])[0] == word
            and name not in taken
            and fits(sample.get(name, ()))
        ]
        if fitting:
            taken.add(fitting[0])
            return fitting[0]
        return None

    end = find("end", END, _are_instants)
    time = find("time", START, _are_instants) or find("time", DATED_START, _are_dates)
    if time is None:
        time = next((name for name in names if name not in taken and _are_dates(sample.get(name, ()))), None)
        taken |= {time} - {None}
    latency = find("latency", LATENCY, _have_durations)
    if latency is None and not (time and end):
        latency = find("latency", LATENCY, lambda cells: not _told(cells))
    status = find("status", STATUS, _are_words)
    if status is None:
        status = next((name for name in names if name not in taken and _are_codes(sample.get(name, ()))), None)
        taken |= {status} - {None}
    if latency is None and not (time and end):
        latency = _left_over(names, taken, plain, sample)
    attempt = find("attempt", ATTEMPT, _are_counts)
    key = find("key", KEY if attempt is None else KEY_WITH_ATTEMPT, _are_keys)
    if latency is None and not (time and end):
        raise _no_latency(names, sample)
    made = Roles(latency, status, time, end, key, attempt, None, asked.time_unit, "start", ".", asked.key is None, ())
    found = _with_units(made, asked, plain, sample)
    if time is not None or end is not None:
        return found
    return replace(found, told=(*found.told, *_unread_times([one for one in names if one not in taken], plain, sample)))


def _unread_times(names: Sequence[str], plain: Mapping[str, str], sample: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which column has times by its name, but none by its cells: without times much cannot be found."""
    for name in names:
        cells = _told(sample.get(name, ()))
        if not set(_plain_names(name, plain)).isdisjoint(START) and any(not _FLAG.fullmatch(cell) for cell in cells):
            cell = next(cell for cell in cells if not _FLAG.fullmatch(cell))
            return [f"{name!r} is not read as times, since {shown(cell)} is none that can be read; write {FORMS}."]
    return []


def _refuse_missing(asked: Asked, names: Sequence[str]) -> None:
    for option in ("latency", "status", "time", "end", "key", "attempt"):
        wanted = getattr(asked, option)
        if wanted is not None and wanted not in names:
            raise TableError(
                missing_column(wanted, list(names), did_you_mean(wanted, [name for name in names if name]))
            )


def _no_latency(names: Sequence[str], sample: Mapping[str, Sequence[str]]) -> TableError:
    numbers = [name for name in names if _are_durations(sample.get(name, ()))]
    if not numbers:
        return TableError(missing_column("latency", list(names), ", nor another one with the time that a call took"))
    which = f"these have numbers: {', '.join(numbers[:10])}"
    return TableError(f"no column looks like the time that a call took; name it with --latency; {which}")


def _with_units(roles: Roles, asked: Asked, plain: Mapping[str, str], sample: Mapping[str, Sequence[str]]) -> Roles:
    told: list[str] = []
    guessed = {
        name: getattr(roles, name)
        for name in ("latency", "status", "time", "end", "key", "attempt")
        if getattr(roles, name) is not None and getattr(asked, name) is None
    }
    if guessed:
        columns = ", ".join(f"{what} {name!r}" for what, name in guessed.items())
        told.append(f"Columns taken by their names and cells: {columns}.")
    unit, decimal = asked.unit, asked.decimal or "."
    if roles.latency is not None:
        cells = [cell for cell in sample.get(roles.latency, ()) if cell.strip() not in BLANK]
        if asked.decimal is None:
            found = decimal_of(cells)
            if found is None:
                example = next(cell for cell in cells if "," in cell)
                raise TableError(
                    f"'{example.strip()}' can be read in two ways; say --decimal , or --decimal .", None, roles.latency
                )
            decimal = found
            if decimal == ",":
                told.append(f"The commas in {roles.latency!r} are decimal commas.")
        unit, why = _unit_of(roles.latency, unit, plain, cells)
        if why:
            told.append(why)
    roles, time_is = _start_or_end(roles, asked, plain, told)
    time_unit = asked.time_unit or (plain_name(roles.time)[1] if roles.time is not None else None)
    if time_unit is None and roles.time is not None and plain[roles.time] == "offset":
        time_unit = "s"
    return replace(roles, unit=unit, decimal=decimal, time_is=time_is, time_unit=time_unit, told=tuple(told))


def _start_or_end(roles: Roles, asked: Asked, plain: Mapping[str, str], told: list[str]) -> tuple[Roles, str]:
    """Return the roles, and whether their time is the "start" or the "end" of a call."""
    time_is = asked.time_is or "start"
    if roles.time is None and roles.end is not None:
        roles, time_is = replace(roles, time=roles.end, end=None), asked.time_is or "end"
        told.append(f"{roles.time!r} is when a call ended, by its name; it started a latency before.")
    elif roles.time is not None and asked.time_is is None and roles.end is None:
        name = plain[roles.time]
        if asked.time is None and not NGINX_TIMES.isdisjoint(_plain_names(roles.time, plain)):
            time_is = "end"
            told.append(
                f"{roles.time!r} is when nginx wrote the line, at the end of a call (--time-is start: its start)."
            )
        elif not re.search("start|begin|offset|called|sent", name):
            told.append(f"{roles.time!r} is taken as the start of a call (--time-is end: its end).")
    return roles, time_is


def _unit_of(column: str, asked: str | None, plain: Mapping[str, str], cells: Sequence[str]) -> tuple[str | None, str]:
    """Return the unit of bare numbers, None if the cells name theirs, and a sentence about it."""
    of_name = plain_name(column)[1]
    own = [cell for cell in cells if re.search("[a-zµμ]$", cell.strip())]
    if asked is not None and of_name in {"ns", "us", "ms", "s"} and of_name != asked:
        raise TableError(f"its name says {of_name}, but --unit says {asked}", None, column)
    if asked is not None:
        return asked, ""
    if own and not of_name:
        return None, f"The cells of {column!r} name their units themselves."
    if of_name in {"ns", "us", "ms", "s"}:
        return of_name, f"{column!r} is in {of_name}, by its name."
    for program, (columns, of_program, unit) in UNIT_OF_PROGRAM.items():
        if column == of_program and columns <= plain.keys():
            return unit, f"{column!r} is in {unit}: the columns are those of {program}."
    name = next((one for one in _plain_names(column, plain) if one in UNIT_OF_NAME), None)
    if name is not None and not (name == "request_time" and "-" in column):
        unit, why = UNIT_OF_NAME[name]
        return unit, f"{column!r} is in {unit}: {why}."
    if all(re.fullmatch(r"[0-9]+:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?", cell.strip()) for cell in cells) and cells:
        return None, f"The cells of {column!r} are hours, minutes and seconds."
    try:
        numbers = [float(cell.replace(",", ".")) for cell in cells]
        told = f"; half of its first numbers are below {float(np.median(numbers)):g}" if numbers else ""
    except ValueError:
        told = ""
    raise TableError(f"its unit is not known{told}; say --unit ns, us, ms or s", None, column)


def _plain_names(column: str, plain: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names by which a column is known: its own, and the last words of a nested one."""
    return (plain[column], plain_name(column.rsplit(".", 1)[-1])[0])


def _told(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip() not in BLANK]


def _are_durations(cells: Sequence[str]) -> bool:
    told = _told(cells)[:50]
    return bool(told) and all(map(_is_duration, told))


def _have_durations(cells: Sequence[str]) -> bool:
    """Whether most cells are durations: of a column with such a name bad cells are named later."""
    told = _told(cells)[:50]
    return 2 * sum(map(_is_duration, told)) > len(told)


def _is_duration(cell: str) -> bool:
    try:
        # In any unit: with nanoseconds none is too long.
        duration_of(cell, None if re.search("[A-Za-zµμ:]$", cell) else "ns", "," if "," in cell else ".")
    except ValueError:
        return re.fullmatch(r"[+-]?([0-9]+[.,]?[0-9]*|nan|inf)", cell, re.IGNORECASE) is not None
    return True


def _are_instants(cells: Sequence[str]) -> bool:
    told = _told(cells)[:50]
    if told and set(told) <= {"0", "1"}:
        return False  # whether it started or finished, not when
    dates, numbers = sum(map(is_instant, told)), sum(bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", one)) for one in told)
    return 2 * max(dates, numbers) > len(told)


def _are_dates(cells: Sequence[str]) -> bool:
    told = _told(cells)[:50]
    since_1970 = all(re.fullmatch(r"[0-9]{9,19}(\.[0-9]+)?", one) and epoch_unit(float(one)) for one in told)
    return bool(told) and (all(map(is_instant, told)) or since_1970)


def _are_words(cells: Sequence[str]) -> bool:
    return len({cell.strip() for cell in cells}) <= max(30, len(cells) // 4)


def _are_codes(cells: Sequence[str]) -> bool:
    """Whether all cells are codes of HTTP, or words for good and bad ends."""
    told = _told(cells)
    codes = all(re.fullmatch("[1-5][0-9]{2}", one) for one in told)
    words = {one.casefold() for one in told} <= {"ok", "success", "error", "timeout", "fail", "failed", "failure"}
    return bool(told) and (codes or words)


def _are_counts(cells: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[0-9]{1,6}(\.0)?", cell) for cell in _told(cells))


def _are_keys(cells: Sequence[str]) -> bool:
    told = _told(cells)
    lines = sum(_REQUEST_LINE.fullmatch(cell) is not None for cell in told)
    return len(told) > len(cells) // 2 and len(set(told)) > 1 and 2 * lines <= len(told)


def _left_over(
    names: Sequence[str], taken: set[str | None], plain: Mapping[str, str], sample: Mapping[str, Sequence[str]]
) -> str | None:
    """Return the one column of durations that is left, or that has a unit in its name."""
    left = [name for name in names if name not in taken and _are_durations(sample.get(name, ()))]
    left = [name for name in left if plain[name] not in {*ATTEMPT, *KEY_WITH_ATTEMPT, "bytes", "size", "pid", "port"}]
    with_unit = [name for name in left if plain_name(name)[1] is not None or name.lower() in UNIT_WORDS]
    if len(with_unit) == 1:
        return with_unit[0]
    return left[0] if len(left) == 1 else None
