"""Finds the metric that a path names, such as `service.payments.queue_wait.p99`: `metric_of(path)`.

    path  = [scope] base
    scope = "service." NAME "." | "class." NAME "." | "service." NAME ".class." NAME "." | "client." NUMBER "."
          | "pool." NAME "."
    base  = a path of `sim.measure.quantities.METRICS` (not of a service) or of `sim.measure.traffic_quantities.TRAFFIC`
          | (of a pool) a path of `sim.measure.traffic_quantities.OF_ONE_POOL`
          | family ".p" NUMBER
    family = what such a path with a percentile begins with (`time_to_effect`, `queue_wait`), or one of
             `sim.measure.quantities.PERCENTILED`

The number of a percentile lies above 0 and below 100 and has at most six decimals. A metric has one path: `p95.0` is
`p95`.

A path alone does not say which services and classes there are: `problem_with` holds a metric against those of a
scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import NEVER
from sim.measure.percentiles import families_in, near_percentile, percentile_of, problem_with_percentile
from sim.measure.quantities import METRICS, MONEY, WHOLE, Metric, Scope
from sim.measure.traffic_quantities import OF_ONE_POOL, TRAFFIC, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sim.history.records import Requests
    from sim.measure.prices import Prices

OF_POOLS: Final = "pool."
"""The quantities of pools begin with this."""
LONGEST: Final = 200
"""So many characters of a path that names no metric are looked at."""
MOST_CHARACTERS: Final = 60
"""Of a name that is quoted in a message."""


@dataclass(frozen=True, slots=True)
class Named:
    """What metrics can name in a scenario, in the order of the file."""

    services: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    deadlines_ns: tuple[int | None, ...] = ()
    """Shape (classes,): how long a caller of each class is patient; None if that is not stated."""
    clients: int | None = None
    """How many clients deal with the requests; None if that is not known."""
    prices: Prices | None = field(default=None, compare=False)
    """What things cost; None if that is not stated. No part of the world is named by it, so it makes none unequal."""
    pools: tuple[str, ...] = field(default=(), compare=False)
    """The pools of works. Tables have no rows of them, so they make none unequal."""

    @property
    def currency(self) -> str:
        """The currency of the prices; empty without prices."""
        return "" if self.prices is None else self.prices.currency


NOTHING_NAMED: Final = Named()


def rows_of(requests: Requests, scope: Scope, named: Named) -> NDArray[np.bool_] | None:
    """Tell which requests are of a class or a client; None: all."""
    ours: NDArray[np.bool_] | None = None
    if scope.of_class:
        ours = requests.caller_class == named.classes.index(scope.of_class)
    if scope.client != NEVER:
        ours = requests.client == scope.client
    return ours


class UnknownMetric(KeyError):
    """A path that names no metric; the text says what is wrong, and what may have been meant."""

    def __str__(self) -> str:
        return str(self.args[0])


def metric_of(path: str) -> Metric:
    """Return the metric of a path; raises `UnknownMetric`, a KeyError, with the right spelling if there is one."""
    metric = METRICS.get(path) or _found(path)
    if metric is None:
        raise UnknownMetric(_unknown(path))
    return metric


def problem_with(metric: Metric, named: Named, *, shared: bool, has_recovery: bool) -> str:
    """Say for users why a scenario has no such metric; empty if it has."""
    scope = metric.scope
    if problem := _problem_with_scope(scope, named):
        return problem
    if metric.quantity.startswith(OF_POOLS) and not named.pools:
        return f"{metric.base} needs a pool of works: a retrier of `kind: workpool`"
    if (metric.is_of_traffic or scope.service) and not shared:
        return f"{metric.base} needs `world: shared`: in an isolated world each request is alone"
    for quantity, key, has_it in (("recovered", "recovery", has_recovery), (MONEY, "cost", named.prices is not None)):
        if metric.quantity == quantity and not has_it:
            return f"{metric.base} needs the key `{key}`, {_KEYS[key]}"
    if metric.quantity == "deadline_missed":
        deadlines_ns = dict(zip(named.classes, named.deadlines_ns, strict=False))
        ours = [deadlines_ns.get(scope.of_class)] if scope.of_class else list(deadlines_ns.values())
        if all(deadline_ns is None for deadline_ns in ours):
            return "deadline_missed.rate needs a class with a `deadline`"
    return ""


def _problem_with_scope(scope: Scope, named: Named) -> str:
    parts = (
        ("service", scope.service, named.services),
        ("class", scope.of_class, named.classes),
        ("pool", scope.pool, named.pools),
    )
    for what, name, known in parts:
        if name and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean '{close[0]}'?" if close else _listed(what, known)
            return f"there is no {what} '{short(name)}'; {hint}"
    if named.clients is not None and scope.client >= named.clients:
        return f"there is no client {scope.client}; clients are counted from 0 to {named.clients - 1}"
    return ""


def paths_of(scope: Scope) -> list[str]:
    """Return the paths of all metrics that a scope may have, in the order of reports."""
    return [f"{scope.prefix}{base}" for base in _bases(scope)]


@lru_cache(maxsize=4096)
def _found(path: str) -> Metric | None:
    for scope, base in _splits(path):
        metric = _bases(scope).get(base) or percentile_of(base, _families_of(scope))
        if metric is not None:
            return replace(metric, path=f"{scope.prefix}{metric.path}", scope=scope)
    return None


def _families_of(scope: Scope) -> Mapping[str, Metric]:
    """Return what has percentiles in a part of the world, by what stands before `.p95`."""
    return _FAMILIES[_place(scope)]


def _splits(path: str) -> Iterator[tuple[Scope, str]]:
    """Yield each way to read a path as a scope and a base, the shortest scope first: names may have dots."""
    yield WHOLE, path
    kind, _, rest = path.partition(".")
    if kind not in {"service", "class", "client", "pool"}:
        return
    parts = rest.split(".")
    for at in range(1, len(parts)):
        name, base = ".".join(parts[:at]), ".".join(parts[at:])
        if not name:
            continue
        if kind == "client":
            if name.isascii() and name.isdecimal() and str(int(name)) == name:
                yield Scope(client=int(name)), base
        elif kind in {"class", "pool"}:
            yield Scope(of_class=name) if kind == "class" else Scope(pool=name), base
        else:
            if "class" not in parts[:at]:  # a class is meant, not a service of such a name
                yield Scope(service=name), base
            if parts[at] == "class":
                for end in range(at + 2, len(parts)):
                    yield Scope(service=name, of_class=".".join(parts[at + 1 : end])), ".".join(parts[end:])


def _bases(scope: Scope) -> Mapping[str, Metric]:
    """Return the metrics that may stand behind a scope, by base."""
    return _OF_PLACE[_place(scope)]


def _place(scope: Scope) -> Place:
    if scope.service:
        return Place.class_at_service if scope.of_class else Place.service
    if scope.of_class:
        return Place.of_class
    if scope.pool:
        return Place.pool
    return Place.world if scope == WHOLE else Place.client


_OF_PLACE: Final[Mapping[Place, Mapping[str, Metric]]] = MappingProxyType(
    {
        place: MappingProxyType(
            {
                **({} if place in {Place.service, Place.class_at_service, Place.pool} else METRICS),
                **(OF_ONE_POOL if place is Place.pool else {}),
                **{path: metric for path, (metric, places) in TRAFFIC.items() if place in places},
            }
        )
        for place in Place
    }
)


_FAMILIES: Final = MappingProxyType({place: families_in(known) for place, known in _OF_PLACE.items()})


def short(text: str) -> str:
    """Return a text on one line of at most 60 characters, for a quotation."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 3]}..."


def _unknown(path: str) -> str:
    splits = list(_splits(path[:LONGEST]))
    for scope, base in splits:
        if problem := problem_with_percentile(base, _families_of(scope)):
            return f"unknown metric '{short(path)}'; {problem}"
    near = [
        (SequenceMatcher(None, base.lower(), close).ratio(), f"{scope.prefix}{close}")
        for scope, base in splits
        for close in _near(base, scope)
    ]
    if near:
        return f"unknown metric '{short(path)}'; did you mean '{max(near, key=lambda one: one[0])[1]}'?"
    scope = splits[min(1, len(splits) - 1)][0]
    where = f" behind {scope.prefix.rstrip('.')}" if scope != WHOLE else ""
    known = f"the metrics{where} are {_families(_bases(scope))}"
    return f"unknown metric '{short(path)}'; {known}; any other percentile can be written too, as p95"


def _near(base: str, scope: Scope) -> list[str]:
    """Return the metric that is nearest to what was written, if any is near."""
    known = _bases(scope)
    if close := near_percentile(base, _families_of(scope)):
        return [close]
    # Two ways: a guessed name differs from ours by a missing word ("success") or by a slip ("sucess.rate").
    return get_close_matches(base.lower(), known, n=1, cutoff=0.7) or [one for one in known if one.startswith(base)][:1]


def _families(metrics: Mapping[str, Metric]) -> str:
    """List metrics; write together those that differ in the statistic only: `detection_lag.{mean,p50,...}`."""
    families: dict[str, list[str]] = {}
    for path, metric in metrics.items():
        family = f"{metric.quantity}." if path.startswith(f"{metric.quantity}.") else path
        families.setdefault(family, []).append(path.removeprefix(family))
    return ", ".join(
        f"{name}{{{','.join(statistics)}}}" if len(statistics) > 1 else f"{name}{statistics[0]}"
        for name, statistics in families.items()
    )


_KEYS: Final = {"recovery": "which says what recovery is", "cost": "which has the prices"}


def _listed(what: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"the scenario has no {'classes' if what == 'class' else f'{what}s'}"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}"
