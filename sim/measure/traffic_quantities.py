"""What the traffic of a shared world is measured by: the metrics made of its calls, and what each of them means.

A window is that of `measure`, cut to what was observed of each replication. Counts are of what happens in the window,
divided by its length; shares and waits are of requests submitted, and of calls sent, in the window; time averages are
over the window. What has not ended counts up to the end of observation.

The calls of the whole world, of a class and of a client are those that retriers send, its attempts; those of a service
are all that it gets, by whomever (their instant is then that of their arrival). But server time, queues and wasted work
are those of all calls that a request leads to, also of those that services send to one another.

- offered.rate: requests submitted a second; of a service the calls that arrive. A request that is submitted again
  counts once.
- goodput.rate: requests that become known to have succeeded, a second; of a service the calls answered with success
  to a caller that still waits.
- attempts.rate: calls sent a second. in_flight: calls sent and not over, whether or not the caller still waits; of a
  service the calls inside, waiting or worked on.
- queue: calls that have arrived and wait for a server. queue_wait: how long calls waited whose work began.
- utilization: server time spent on work, as a share of the server time there was. A server that is taken away while it
  works counts until it is done. There is none without a limit of servers.
- rejected.rate, dropped.rate: shares of calls that the receiver refused to work on, or dropped at their turn because
  their callers had given up. refused.rate: the share of tries for which the caller's own breaker, bulkhead or rate
  limit let no call be made; such tries count nowhere else.
- wasted.share: of all server time that which was spent on calls whose callers had given up before they heard the
  answer, from the start of the work to its end, since none of it was of use.
- false_failures.rate: the share of requests whose caller was told of a failure although the effect was done.
- waits: how long callers slept between one call and the next.
- deadline_missed.rate: of the requests whose class has a deadline, the share that is not known to have succeeded by it;
  canceled ones count.
- recovered.rate: the share of replications that recover (`sim.measure.recovery`), with the interval of a rate.

Of a world with pools of works (`kind: workpool`), behind `pool.` for all pools together and `pool.NAME.` for one, with
the meaning that `sim.measure.pools` gives:

- backlog: works that wait although they are due. pending: all that wait for a start, due or not. running: works whose
  status is running. finished: works that have ended so far. slots: slots held, also after the work has ended.
- utilization: slots held, as a share of those there were. awake.share: the share of the time that the loop is awake.
- wait: from the instant at which a start is due until the work starts, of starts in the window.
- held: from the end of an attempt until its slot is free, of slots freed in the window: minutes after a death.

Of these, false_failures.rate and deadline_missed.rate are made of requests alone, so isolated worlds have them too.

A peak is the mean over replications of the largest number at any instant of the window, so that it has an interval: the
largest of all would grow with the number of replications.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sim.measure.quantities import QUANTILES, Metric, Statistic, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Place(Enum):
    """What a metric of the traffic can be of."""

    world = "world"
    of_class = "class"
    client = "client"
    service = "service"
    class_at_service = "class at a service"
    pool = "pool"


_CALLERS: Final = (Place.world, Place.of_class, Place.client)
_EVERYWHERE: Final = (*_CALLERS, Place.service, Place.class_at_service)


def _all() -> Iterator[tuple[Metric, tuple[Place, ...]]]:
    def rate(name: str) -> Metric:
        return Metric(f"{name}.rate", Unit.per_second, name, Statistic.mean, is_of_traffic=True)

    def share(path: str, name: str, *, of_traffic: bool = True) -> Metric:
        return Metric(path, Unit.share, name, Statistic.rate, is_of_traffic=of_traffic)

    def level(name: str) -> Iterator[Metric]:
        for kind in ("mean", "peak"):
            yield Metric(f"{name}.{kind}", Unit.count, f"{name}.{kind}", Statistic.mean, is_of_traffic=True)

    def times(name: str) -> Iterator[Metric]:
        yield Metric(f"{name}.mean", Unit.duration, name, Statistic.mean, is_of_traffic=True)
        for point, below in QUANTILES.items():
            yield Metric(f"{name}.{point}", Unit.duration, name, Statistic.quantile, below, is_of_traffic=True)
        yield Metric(f"{name}.max", Unit.duration, name, Statistic.max, is_of_traffic=True)

    yield rate("offered"), _EVERYWHERE
    yield rate("goodput"), _EVERYWHERE
    yield rate("attempts"), _CALLERS
    yield from ((metric, _EVERYWHERE) for metric in level("in_flight"))
    yield from ((metric, _EVERYWHERE) for metric in level("queue"))
    yield from ((metric, _EVERYWHERE) for metric in times("queue_wait"))
    yield share("utilization.mean", "utilization"), (Place.world, Place.service)
    for name in ("rejected", "refused", "dropped"):
        yield share(f"{name}.rate", name), _EVERYWHERE
    yield share("wasted.share", "wasted"), _EVERYWHERE
    yield share("false_failures.rate", "false_failures", of_traffic=False), _CALLERS
    yield from ((metric, _EVERYWHERE) for metric in times("waits"))
    yield share("deadline_missed.rate", "deadline_missed", of_traffic=False), _CALLERS
    yield share("recovered.rate", "recovered"), (Place.world,)
    for metric in _of_pools():
        yield replace(metric, path=f"pool.{metric.path}"), (Place.world,)


def _of_pools() -> Iterator[Metric]:
    """Yield the metrics of pools, as they are called behind the name of one."""
    for name in ("backlog", "pending", "running", "finished", "slots"):
        for kind in ("mean", "peak"):
            yield Metric(f"{name}.{kind}", Unit.count, f"pool.{name}.{kind}", Statistic.mean, is_of_traffic=True)
        yield Metric(f"{name}.max", Unit.count, f"pool.{name}", Statistic.max, is_of_traffic=True)
    yield Metric("utilization.mean", Unit.share, "pool.utilization", Statistic.rate, is_of_traffic=True)
    yield Metric("awake.share", Unit.share, "pool.awake", Statistic.rate, is_of_traffic=True)
    for name in ("wait", "held"):
        yield Metric(f"{name}.mean", Unit.duration, f"pool.{name}", Statistic.mean, is_of_traffic=True)
        for point, below in QUANTILES.items():
            yield Metric(
                f"{name}.{point}", Unit.duration, f"pool.{name}", Statistic.quantile, below, is_of_traffic=True
            )
        yield Metric(f"{name}.max", Unit.duration, f"pool.{name}", Statistic.max, is_of_traffic=True)


TRAFFIC: Final[Mapping[str, tuple[Metric, tuple[Place, ...]]]] = MappingProxyType(
    {metric.path: (metric, places) for metric, places in _all()}
)
"""Every metric of the traffic by its path, and what it can be of; in the order of the summary."""

OF_ONE_POOL: Final[Mapping[str, Metric]] = MappingProxyType({metric.path: metric for metric in _of_pools()})
"""The metrics of one pool, by what stands behind its name."""

OF_SERVICES: Final = frozenset({"queue.mean", "queue.peak", "queue_wait", "utilization", "rejected", "dropped"})
"""The quantities that tell nothing of a world without services."""
