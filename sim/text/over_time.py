"""Results over time in words: the table of load, queues and waste, and what recovers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sim.measure.paths import metric_of
from sim.measure.quantities import WHOLE, Scope, Unit
from sim.text.columns import TABLE_WIDTH, Column, lay_out, table_of
from sim.text.numerals import estimate_text, value_text
from sim.text.traffic_words import of_scope
from sim.text.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from sim.measure.estimates import Estimate
    from sim.text.reported import Cell

_COLUMNS: Final = (
    ("offered", "offered.rate", 8),
    ("goodput", "goodput.rate", 0),
    ("in\nflight\nmean", "in_flight.mean", 5),
    ("queue\nmean", "queue.mean", 3),
    ("queue\nwait\np99", "queue_wait.p99", 4),
    ("busy", "utilization.mean", 6),
    ("re-\njected", "rejected.rate", 7),
    ("drop-\nped", "dropped.rate", 9),
    ("wasted", "wasted.share", 1),
    ("false\nfailures", "false_failures.rate", 10),
    ("missed\ndead-\nlines", "deadline_missed.rate", 11),
    ("recov-\nered", "recovered.rate", 2),
)
_IF_ANY: Final = frozenset(
    {"rejected.rate", "dropped.rate", "false_failures.rate", "queue.mean", "queue_wait.p99", "utilization.mean"}
)
"""Metrics that have a column only if some row has more than 0."""
MOST_NAME: Final = 34
"""The room that the name of a row takes at most before it is wrapped."""
LEAST_NAME: Final = 18
"""The room that it has at least."""
RECOVERS, COLLAPSES, BISTABLE = STATES = ("recovers", "collapses", "bistable")
"""All replications recover, none does, or some do."""
_VERBS: Final = {RECOVERS: "recovers", BISTABLE: "is bistable", COLLAPSES: "collapses"}
NAMED: Final = 3
"""So many cells of a state are named."""


def table_over_time(cells: Sequence[Cell], width: int = TABLE_WIDTH) -> Table | None:
    """Return a table of at most `width` columns: a row a cell, and one each for its services and classes.

    None if it were empty. A note names the intervals and the columns that there is no room for.
    """
    rows = [
        (cell, scope)
        for cell in cells
        if cell.metrics.traffic is not None
        for scope in (
            WHOLE,
            *(Scope(service=name) for name in cell.metrics.named.services),
            *(Scope(of_class=name) for name in cell.metrics.named.classes),
        )
    ]
    if not rows:
        return None
    columns = [column for header, base, rank in _COLUMNS if (column := _column(rows, header, base, rank)) is not None]
    names = [_name(cell, scope) for cell, scope in rows]
    longest = max(map(len, names))
    layout = lay_out(columns, width, min(longest, LEAST_NAME), most=min(longest, MOST_NAME))
    shows = any(column.shows_intervals for column in layout.columns)
    notes = [*(["below a value: its 95 % interval over replications"] if shows else []), *layout.notes]
    return table_of("over time", names, layout, width, "\n".join(notes))


def _column(rows: Sequence[tuple[Cell, Scope]], header: str, base: str, rank: int) -> Column | None:
    unit = metric_of(base).unit
    estimates = [_value(cell, scope, base) for cell, scope in rows]
    values = [one.value for one in estimates if one is not None and one.value is not None]
    if not values or (base in _IF_ANY and not any(values)):
        return None
    return Column.of(header, rank, estimates, unit)


def _value(cell: Cell, scope: Scope, base: str) -> Estimate | None:
    """Return a metric of a part of a cell; None if the part has no such metric."""
    path = f"{scope.prefix}{base}"
    return cell.metrics.value(path) if path in cell.metrics.paths else None


def _name(cell: Cell, scope: Scope) -> str:
    """Name a row: the cell, and below it what is part of it."""
    return f"  {of_scope(scope).removeprefix(' of').strip()}" if scope != WHOLE else cell.name


def sentences_over_time(cells: Sequence[Cell]) -> list[str]:
    """Say what became of the offered load, how much work was wasted, and which cells recover."""
    told = [cell for cell in cells if cell.over_time and cell.metrics.traffic is not None]
    return [*_goodput(told), *_waste(told), *_states(told), *sentences_of_pools(cells)]


def sentences_of_pools(cells: Sequence[Cell]) -> list[str]:
    """Say of each pool of works how long they waited, and how its slots were held; of many cells only the worst."""
    pools = [(cell, name) for cell in cells if cell.metrics.traffic is not None for name in cell.metrics.named.pools]
    if not pools:
        return []
    values = {pool: pool[0].metrics.value(f"pool.{pool[1]}.backlog.mean").value or 0.0 for pool in pools}
    shown = pools if len(cells) == 1 else [max(pools, key=values.__getitem__)]
    return [line for cell, name in shown for line in _of_pool(cell, name, is_alone=len(pools) == 1, of=len(cells))]


def _of_pool(cell: Cell, name: str, *, is_alone: bool, of: int) -> list[str]:
    def said(base: str, unit: Unit = Unit.count) -> str:
        return value_text(cell.metrics.value(f"pool.{name}.{base}").value, unit)

    if cell.metrics.value(f"pool.{name}.wait.p99").value is None:
        return []
    which = "the pool" if is_alone else f"pool '{name}'"
    where = f" (of '{cell.name}', whose backlog is the largest of all cells)" if of > 1 else ""
    waited = f"{said('backlog.mean')} works waited on average although they were due, at most {said('backlog.max')}"
    started = f"99 % started within {said('wait.p99', Unit.duration)} of being due"
    slots = f"{said('utilization.mean', Unit.share)} of its slots were held"
    if cell.metrics.value(f"pool.{name}.held.max").value is not None:
        slots += f"; the longest that one was held after the end of its attempt is {said('held.max', Unit.duration)}"
    return [f"In {which}{where}, {waited}; {started}.", f"On average {slots}."]


def _goodput(cells: Sequence[Cell]) -> list[str]:
    known = [cell for cell in cells if cell.metrics.value("goodput.rate").value is not None]
    if not known:
        return []
    unit = Unit.per_second
    if len(known) == 1:
        offered, goodput = (known[0].metrics.value(f"{name}.rate") for name in ("offered", "goodput"))
        return [f"Of {value_text(offered.value, unit)} offered, goodput is {estimate_text(goodput, unit)}."]
    ranked = sorted(known, key=lambda cell: cell.metrics.value("goodput.rate").value or 0.0)
    least, most = (estimate_text(one.metrics.value("goodput.rate"), unit) for one in (ranked[0], ranked[-1]))
    if least == most:
        return [f"Goodput is {least} in all cells."]
    return [f"Goodput goes from {least} ('{ranked[0].name}') to {most} ('{ranked[-1].name}')."]


def _waste(cells: Sequence[Cell]) -> list[str]:
    wasting = [cell for cell in cells if cell.metrics.value("wasted.share").value]
    if not wasting:
        return []
    worst = max(wasting, key=lambda cell: cell.metrics.value("wasted.share").value or 0.0)
    share = estimate_text(worst.metrics.value("wasted.share"), Unit.share)
    where = f"In '{worst.name}', " if len(cells) > 1 else ""
    text = f"{where}{share} of the server time was spent on calls whose callers had given up"
    return [f"{text}{', more than in any other cell' if len(cells) > 1 else ''}."]


class State(NamedTuple):
    """Whether a cell recovers."""

    name: str
    """One of `STATES`."""
    recovered: int
    """How many replications recover."""
    judged: int
    """How many could be judged; at least one."""

    @property
    def where(self) -> str:
        """In which replications it does what its state says."""
        if self.judged == 1:
            return "its one replication"
        which = f"{self.recovered} of" if self.name == BISTABLE else "all"
        return f"{which} {self.judged} replications"


def state_of(cell: Cell) -> State | None:
    """Return the state of a cell; None if nothing says what recovery is, or if no replication can be judged."""
    traffic = cell.metrics.traffic
    judged = [] if traffic is None else [one for one in traffic.recovered if one is not None]
    if not judged:
        return None
    recovered = sum(judged)
    name = RECOVERS if recovered == len(judged) else BISTABLE if recovered else COLLAPSES
    return State(name, recovered, len(judged))


def _states(cells: Sequence[Cell]) -> list[str]:
    """Name the state of each cell, or of each policy of a sweep in how many of its cells it is in which state.

    A cell recovers in all replications, it collapses in all, or it is bistable.
    """
    states = {cell.name: state for cell in cells if (state := state_of(cell)) is not None}
    asked = [cell for cell in cells if cell.metrics.traffic is not None and cell.metrics.traffic.recovery is not None]
    unjudged = [f"'{cell.name}'" for cell in asked if state_of(cell) is None]
    lines = []
    if len(states) == 1 == len(cells):
        (state,) = states.values()
        share = estimate_text(cells[0].metrics.value("recovered.rate"), Unit.share)
        what = "It is bistable: it recovers" if state.name == BISTABLE else f"It {state.name}"
        lines.append(f"{what} in {state.where}; the share of replications that recover is {share}.")
    elif states and any(cell.swept for cell in cells):
        lines += _of_policies(cells, states)
    elif states:
        parts = [_of_state(states, name) for name in STATES if any(state.name == name for state in states.values())]
        lines.append(f"{'; '.join(parts)}.")
    if unjudged:
        which = "it" if len(cells) == 1 else listed(_few(unjudged))
        verb = "recovers" if len(unjudged) == 1 else "recover"
        lines.append(f"Whether {which} {verb} cannot be told: no window ends before the last request.")
    return lines


def _of_policies(cells: Sequence[Cell], states: Mapping[str, State]) -> list[str]:
    """Say of each variant of a sweep in how many cells it recovers, is bistable and collapses."""
    lines = []
    for variant in dict.fromkeys(cell.variant for cell in cells):
        found = [states[cell.name].name for cell in cells if cell.variant == variant and cell.name in states]
        counts = {state: found.count(state) for state in (RECOVERS, BISTABLE, COLLAPSES)}
        if not found:
            continue
        who = f"'{variant}'" if variant else "It"
        alone = next((state for state, count in counts.items() if count == len(found)), None)
        if alone is not None:
            lines.append(f"{who} {_VERBS[alone]} in all {len(found)} cells.")
        else:
            parts = [f"{_VERBS[state]} in {count}" for state, count in counts.items() if count]
            lines.append(f"{who} {listed(parts)} of {len(found)} cells.")
    return lines


def _of_state(states: Mapping[str, State], name: str) -> str:
    """Name the cells of a state: `'a' and 'b' recover in all 20 replications`."""
    ours = {cell: state for cell, state in states.items() if state.name == name}
    if name == BISTABLE:
        named = [f"'{cell}' (recovers in {state.where})" for cell, state in ours.items()]
        return f"{listed(_few(named))} {'is' if len(ours) == 1 else 'are'} bistable"
    verb = name if len(ours) == 1 else name.removesuffix("s")
    where = {state.where for state in ours.values()}
    cells = listed(_few([f"'{cell}'" for cell in ours]))
    return f"{cells} {verb} in {where.pop() if len(where) == 1 else 'all replications'}"


def _few(named: Sequence[str]) -> list[str]:
    return [*named[:NAMED], *([f"{len(named) - NAMED} more"] if len(named) > NAMED else [])]
