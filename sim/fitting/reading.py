"""`read_log` makes a `Log` of a file, block by block, so that the file may be larger than the memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting import spans
from sim.fitting.asked import Asked
from sim.fitting.attempts import behind_success, by_request, requests_of
from sim.fitting.collected import Collected
from sim.fitting.dates import with_date_and_time
from sim.fitting.json_rows import JsonRows, looks_like_json
from sim.fitting.log import NOT_KNOWN, Log
from sim.fitting.order import in_order
from sim.fitting.pair_rows import PairRows, looks_like_pairs
from sim.fitting.roles import ROUTES, Roles, plain_name, roles_of
from sim.fitting.statuses import failures
from sim.options.near_words import did_you_mean
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.tabular.blocks import missing_column
from sim.tabular.delimited import Delimited
from sim.tabular.errors import TableError
from sim.tabular.instants import NO_INSTANT
from sim.tabular.opened import PARQUET, Opened
from sim.tabular.parquet import Parquet
from sim.tabular.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sim.tabular.blocks import Table

FEWEST: Final = 2
"""Calls that a log must have."""
MOST_ROUTES: Final = 5
SEEN_AGAIN: Final = 0.05
"""With more rows than this share behind a success of their own request, a key does not name attempts of one request."""


def read_log(path: str | Path, asked: Asked | None = None) -> Log:
    """Read a log of calls or attempts: text tables, pairs, JSON, Parquet, exports of OpenTelemetry; also gzipped.

    Raises ScenarioError with the place of the first mistake in the file.
    """
    source, asked = str(path), asked or Asked()
    table = None
    try:
        with Opened(Path(path)) as opened:
            table = _table_of(opened, Path(path), asked)
            return _read(table, source, asked)
    except TableError as error:
        reason, line = error.reason, error.line
        if line is not None and table is not None and not _has_lines(table):
            reason, line = f"row {line}: {reason}", 1
        keys = () if error.column is None else (error.column,)
        raise ScenarioError([Problem(keys, reason, source, line or 1)]) from None


def _has_lines(table: Table) -> bool:
    return isinstance(table, Delimited) or (isinstance(table, JsonRows) and not table.whole)


def _table_of(opened: Opened, path: Path, asked: Asked) -> Table:
    kind = asked.format or _kind_of(opened.head, asked)
    whole = {"json": True, "jsonl": False}.get(asked.format or "")
    if kind == "parquet":
        if not opened.head.startswith(PARQUET):
            raise TableError("it is not a Parquet file")
        if not path.is_file():
            raise TableError("a Parquet file must be an ordinary file")
        return Parquet(path)
    if kind == "pairs":
        return PairRows(opened)
    if kind == "csv":
        columns = asked.columns or None
        return Delimited(opened, separator=asked.separator, header=asked.header, columns=columns)
    table = JsonRows(opened, whole=whole)
    if kind == "otel" and not table.spans:
        raise TableError("it has no resourceSpans, so it is not an export of OpenTelemetry")
    return table


def _kind_of(head: bytes, asked: Asked) -> str:
    """Return what a file is, by its first bytes; what is said of a text table makes it one."""
    if head.startswith(PARQUET):
        return "parquet"
    if asked.columns or asked.separator is not None:
        return "csv"
    if looks_like_json(head):
        return "jsonl"
    return "pairs" if asked.header is None and looks_like_pairs(head) else "csv"


def _read(table: Table, source: str, asked: Asked) -> Log:
    table = with_date_and_time(table)
    names, sample = list(table.names), table.sample()
    if not names or not any(len(cells) for cells in sample.values()):
        for _ in table.blocks(names[:1]):
            pass  # it says itself what is wrong with its rows
        raise TableError("it has no rows")
    wheres = _wheres(asked, names)
    of_spans = isinstance(table, JsonRows) and table.spans
    roles = _roles_of_spans(asked, names, sample) if of_spans else roles_of(asked, names, sample)
    told = [f"{Path(source).name} is {table.format}.", *roles.told]
    counted = (spans.KIND, spans.TARGET, *({spans.SERVICE} & {*names})) if of_spans else ()
    collected = Collected(roles, words=counted)
    rows = 0
    for block in table.blocks(list(dict.fromkeys([*roles.columns, *collected.words, *wheres]))):
        rows += len(block.lines)
        kept = block
        for name, words in wheres.items():
            kept = kept.kept([cell in words for cell in kept.cells[name]])
        if kept.lines:
            collected.add(kept)
    if wheres:
        told.append(f"Of {rows:,} rows, {collected.count:,} are those asked for with --where.")
    if not collected.count:
        asked_for = ", ".join(f"{name}={value}" for name, value in asked.where)
        raise TableError(f"no row has {asked_for}" if asked_for else "it has no rows")
    what = _chosen_spans(collected, asked, told) if of_spans else ""
    if not of_spans and not wheres:
        told += _routes(roles, sample)
    return _log(collected, roles, asked, source=source, told=told, what=what)


def _wheres(asked: Asked, names: Sequence[str]) -> dict[str, Words]:
    values: dict[str, list[str]] = {}
    for name, value in asked.where:
        if name not in names:
            hint = did_you_mean(name, [one for one in names if one])
            raise TableError(missing_column(name, list(names), hint))
        values.setdefault(name, []).append(value)
    return {name: Words(of_column) for name, of_column in values.items()}


def _roles_of_spans(asked: Asked, names: Sequence[str], sample: Mapping[str, Sequence[str]]) -> Roles:
    """Return the columns of spans; a key is asked for, or resends are marked."""
    marked = any(cell not in {"", "0"} for cell in sample.get(spans.RESENT, ()))
    latency, key = asked.latency, asked.key or spans.KEY
    chosen = replace(
        asked,
        time=asked.time or spans.START,
        end=asked.end or spans.END,
        status=asked.status or spans.STATUS,
        key=key,
        attempt=asked.attempt or (spans.RESENT if asked.key is None or marked else None),
        time_is="start",
        time_unit=asked.time_unit or "ns",
    )
    found = roles_of(chosen, names, sample)
    return replace(found, latency=latency, key_guessed=asked.key is None, told=())


def _chosen_spans(collected: Collected, asked: Asked, told: list[str]) -> str:
    """Keep the spans of one kind and one target, unless `where` says which; return their target."""
    kinds = collected.counts(spans.KIND)
    if all(name != spans.KIND for name, _ in asked.where):
        kind = spans.CLIENT if kinds.get(spans.CLIENT) else next(iter(kinds))
        if len(kinds) > 1:
            others = ", ".join(f"{number:,} {name}" for name, number in kinds.items() if name != kind)
            told.append(f"{kinds[kind]:,} spans of kind {kind} are read; {others} are left out.")
        elif kind != spans.CLIENT:
            told.append(f"No span is of kind CLIENT; those of kind {kind} are read.")
        collected.keep(collected.is_word(spans.KIND, kind))
    targets = collected.counts(spans.TARGET)
    target = next(iter(targets))
    if len(targets) > 1 and asked.where:
        told.append(f"They call {len(targets)} targets, all read together: {_some(targets)}.")
        target = ""
    elif len(targets) > 1:
        told.append(
            f"They call {len(targets)} targets: {_some(targets)}. Those of '{target}' are read; choose others with "
            "--where target=..., or by any attribute."
        )
        collected.keep(collected.is_word(spans.TARGET, target))
    callers = collected.counts(spans.SERVICE) if spans.SERVICE in collected.words else {}
    if len(callers) > 1 and all(name != spans.SERVICE for name, _ in asked.where):
        told.append(
            f"They come from {len(callers)} services, all read together: {_some(callers)}; choose with "
            f"--where {spans.SERVICE}={next(iter(callers))}."
        )
    return target


def _some(counts: Mapping[str, int]) -> str:
    shown = [f"'{name}' ({number:,})" for name, number in list(counts.items())[:MOST_ROUTES]]
    return ", ".join([*shown, *(["..."] if len(counts) > MOST_ROUTES else [])])


def _routes(roles: Roles, sample: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which columns tell calls of several kinds apart."""
    told = []
    for name, cells in sample.items():
        values = dict.fromkeys(cells)
        is_route = plain_name(name.rsplit(".", 1)[-1])[0] in ROUTES and name not in roles.columns
        if is_route and 1 < len(values) <= max(20, len(cells) // 10):
            first = next(value for value in values if value) if any(values) else ""
            told.append(f"{name!r} has several values, all read together; choose with --where {name}={first}.")
    return told


def _log(collected: Collected, roles: Roles, asked: Asked, *, source: str, told: list[str], what: str) -> Log:
    latency_ns = collected.latencies_ns()
    started_ns = collected.starts_ns(latency_ns, told)
    if started_ns is not None and not collected.all_have_times:
        has_time = started_ns != NO_INSTANT
        told.append(f"{_rows(int(np.count_nonzero(~has_time)))} without a time left out.")
        collected.keep(has_time)
        latency_ns, started_ns = latency_ns[has_time], started_ns[has_time]
    if collected.count < FEWEST:
        raise TableError(f"it has {collected.count} call{'' if collected.count == 1 else 's'}; there is nothing to fit")
    if not (latency_ns != NOT_KNOWN).any():
        raise TableError("no row says how long its call took", None, roles.latency)
    blank = int(np.count_nonzero(latency_ns == NOT_KNOWN))
    if blank:
        told.append(f"{_rows(blank)} without a latency: they count for the shares of statuses only.")
    order = None
    if started_ns is not None:
        order = in_order(started_ns, latency_ns, collected.line_of, told, zoned=collected.zoned)
        if order is not None:
            started_ns, latency_ns = started_ns[order], latency_ns[order]
        started_ns -= started_ns[0]
    status, statuses = collected.statuses(order)
    failed, final, sentences = failures(statuses, roles.status or "", asked.failed, asked.ok)
    told += sentences if roles.status is not None else ["No column says how calls ended: all count as successes."]
    request, attempt, is_kept = _requests(collected, roles, order, ~failed[status], told)
    if started_ns is None:
        told.append("The log has no times, so it cannot tell arrivals, nor whether failures hang together in time.")
    if request is None:
        told.append("No key says which rows are attempts of one request, so the log cannot tell how calls are retried.")
    return Log(
        source=source,
        rows="attempts" if is_kept else "calls",
        latency_ns=latency_ns,
        status=status,
        statuses=statuses,
        failed=failed,
        started_ns=started_ns,
        request=request,
        attempt=attempt,
        told=tuple(told),
        final=final,
        what=what,
    )


def _requests(
    collected: Collected, roles: Roles, order: NDArray[np.intp] | None, succeeded: NDArray[np.bool_], told: list[str]
) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None, bool]:
    if roles.key is None:
        return None, None, False
    attempts_told = roles.attempt is not None
    key, known, numbers = collected.keys(order, told)
    by_key, begins = by_request(key, known)
    del key, known
    request, attempt, sentences = requests_of(by_key, begins, numbers)
    del by_key, begins, numbers
    requests = int(request.max()) + 1
    name = "the trace, its parent span and its target" if roles.key == spans.KEY else repr(roles.key)
    if roles.key_guessed and requests == len(request):
        told.append(f"Each row has a key of its own in {name}: rows are calls, none is a retry.")
        return None, None, False
    late = behind_success(request, succeeded)
    if roles.key_guessed and not attempts_told and late > SEEN_AGAIN * len(request):
        told.append(
            f"{name} is not taken for the key of requests: {late:,} rows come after a success with the same value. "
            "Say --key if their rows are attempts of one request all the same."
        )
        return None, None, False
    told.append(f"Rows are attempts of {requests:,} requests, told apart by {name}.")
    if late:
        told.append(f"{_rows(late)} after a success of the same request.")
    told += sentences
    return request, attempt, True


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
