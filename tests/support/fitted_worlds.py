"""Ten worlds whose numbers are known, as logs of their calls: what a fit of such a log must find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.api.run import run
from sim.fitting.fit import fit_log
from sim.fitting.log import Log
from sim.history.traffic import CallEnd
from sim.kernel.durations import parse_duration, parse_rate
from sim.scenario.load import from_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.fitting.fit import Fitted
    from sim.fitting.intervals import Found

Values = dict[str, Any]


@dataclass(frozen=True)
class World:
    """A world, and what is true of it."""

    name: str
    latency: Values
    arrivals: Values
    fail: float
    weather: tuple[str, str, float] | None = None
    """Mean time up, mean time down, share that fails while down."""
    delay: Any = None
    """None: every row of the log is one call; else calls are retried after this delay."""
    delays: tuple[tuple[str, Any], ...] = ()
    """Numbers of the delay by the names that a fit gives them."""
    attempts: int = 4
    count: int = 4000

    @property
    def scenario(self) -> Values:
        action: Values = {"latency": self.latency, "outcomes": {"fail": {"share": self.fail, "latency": FAILING}}}
        if self.weather is not None:
            up, down, fail = self.weather
            turns = {"up": {"exponential": {"mean": up}}, "down": {"exponential": {"mean": down}}}
            outcomes = {"fail": {"share": fail, "latency": FAILING}}
            action["weather"] = [{"on_off": {**turns, "outcomes": outcomes}}]
        retrier: Values = {"kind": "policy", "attempts": 1}
        if self.delay is not None:
            retrier = {"kind": "policy", "attempts": self.attempts, "delay": self.delay}
        return {
            "world": "shared",
            "requests": {"count": self.count, "arrivals": self.arrivals},
            "action": action,
            "retrier": retrier,
        }

    def truths(self) -> dict[str, float]:
        """What is true, by the names of `numbers_of`; durations in ns."""
        (kind, options), *_ = self.latency.items()
        found = {f"latency.{kind}.{key}": _number(value) for key, value in options.items()}
        found["fail.mean"] = parse_duration(FAILING["exponential"]["mean"])
        (kind, options), *_ = self.arrivals.items()
        if kind in {"poisson", "constant"}:
            found["rate"] = parse_rate(options["rate"])
        if self.weather is None:
            found["fail"] = self.fail
        else:
            up, down, fail = self.weather
            # Of what bad weather leaves, the action's own failures take their share.
            in_down = fail + (1 - fail) * self.fail
            found |= {
                "up": parse_duration(up),
                "down": parse_duration(down),
                "fail.up": self.fail,
                "fail.down": in_down,
            }
        found |= {f"delay.{name}": _number(value) for name, value in self.delays}
        return found


def _number(value: Any) -> float:
    return float(parse_duration(value)) if isinstance(value, str) else float(value)


FAILING = {"exponential": {"mean": "20ms"}}
LOGNORMAL = {"lognormal": {"median": "120ms", "sigma": 0.8}}


def poisson(rate: str) -> Values:
    return {"poisson": {"rate": rate}}


WORLDS = (
    World("lognormal calls", LOGNORMAL, poisson("20/s"), 0.05),
    World(
        "gamma calls that come evenly", {"gamma": {"shape": 3.0, "mean": "80ms"}}, {"constant": {"rate": "25/s"}}, 0.1
    ),
    World(
        "weibull calls in weather",
        {"weibull": {"shape": 0.8, "scale": "60ms"}},
        poisson("10/s"),
        0.01,
        weather=("40s", "4s", 0.95),
        count=6000,
    ),
    World(
        "exponential calls in long, mild weather",
        {"exponential": {"mean": "50ms"}},
        poisson("15/s"),
        0.02,
        weather=("1m", "20s", 0.3),
        count=12_000,
    ),
    World(
        "full jitter",
        LOGNORMAL,
        poisson("20/s"),
        0.3,
        delay={"exponential": {"initial": "200ms", "factor": 2, "jitter": "full"}},
        delays=(("initial", "200ms"), ("factor", 2)),
    ),
    World(
        "a constant delay in weather",
        LOGNORMAL,
        poisson("10/s"),
        0.05,
        weather=("50s", "5s", 0.9),
        delay="500ms",
        delays=(("delay", "500ms"),),
        count=6000,
    ),
    World(
        "equal jitter with a cap",
        {"gamma": {"shape": 2.0, "mean": "80ms"}},
        poisson("20/s"),
        0.5,
        delay={"exponential": {"initial": "100ms", "factor": 3, "cap": "500ms", "jitter": "equal"}},
        delays=(("initial", "100ms"), ("factor", 3), ("cap", "500ms")),
        attempts=6,
    ),
    World(
        "decorrelated jitter",
        LOGNORMAL,
        poisson("20/s"),
        0.4,
        delay={"decorrelated": {"base": "100ms", "factor": 3}},
        delays=(("base", "100ms"), ("factor", 3)),
        attempts=5,
    ),
    World(
        "pareto calls, delays less or more",
        {"pareto": {"shape": 2.5, "scale": "40ms"}},
        poisson("30/s"),
        0.4,
        delay={"constant": {"delay": "1s", "jitter": {"spread": 0.3}}},
        delays=(("delay", "1s"), ("spread", 0.3)),
        attempts=3,
    ),
    World(
        "uniform calls at a rate that changes",
        {"uniform": {"low": "20ms", "high": "100ms"}},
        {"schedule": [{"from": "0s", "rate": "10/s"}, {"from": "100s", "rate": "40/s"}]},
        0.3,
        delay={"linear": {"initial": "100ms", "step": "200ms"}},
        delays=(("initial", "100ms"), ("step", "200ms")),
    ),
)


def log_of(world: World, seed: int) -> Log:
    """Simulate a world and return the log of its calls, in order of their starts."""
    (cell,) = run(from_dict({**world.scenario, "seed": seed})).cells
    assert cell.traffic is not None
    calls = cell.traffic.calls
    order = np.argsort(calls.sent_ns, kind="stable")
    request = calls.request[order]
    _, firsts, inverse = np.unique(request, return_index=True, return_inverse=True)
    ranks = np.empty(len(firsts), np.int32)
    ranks[np.argsort(firsts)] = np.arange(len(firsts))
    has_key = world.delay is not None
    sent_ns = calls.sent_ns[order]
    return Log(
        source="calls.csv",
        rows="attempts" if has_key else "calls",
        latency_ns=(calls.over_ns - calls.sent_ns)[order],
        status=(calls.end[order] != CallEnd.success).astype(np.int16),
        statuses=("200", "503"),
        failed=np.array([False, True]),
        started_ns=sent_ns - sent_ns[0],
        request=ranks[inverse].astype(np.int32) if has_key else None,
        attempt=calls.number[order] if has_key else None,
        told=(),
    )


def numbers_of(fitted: Fitted) -> Mapping[str, Found]:
    """Return the intervals of all numbers of a fit, by names; of latencies those of every law that was fitted."""
    by_status = {one.status: one for one in fitted.statuses}
    found: dict[str, Found] = {}
    for law in by_status["200"].laws:
        found |= {f"latency.{law.kind}.{one.name}": one.found for one in law.parameters}
    for law in by_status["503"].laws:
        if law.kind == "exponential":
            found["fail.mean"] = law.parameters[0].found
    if fitted.arrivals is not None:
        found["rate"] = fitted.arrivals.rate
    weather = fitted.weather
    if weather is not None:
        found |= {
            "up": weather.up,
            "down": weather.down,
            "fail.up": weather.fail_up,
            "fail.down": weather.fail_down,
        }
    else:
        found["fail"] = fitted.ends[0].share
    if fitted.policy is not None and fitted.policy.delay is not None:
        found |= {f"delay.{name}": one for name, one, _ in fitted.policy.delay.found}
    return found


def recovered(world: World, seed: int) -> dict[str, bool | None]:
    """Say of each number of a world whether its interval in the fit of a log has it; None if it has no interval."""
    found = numbers_of(fit_log(log_of(world, seed)))
    return {
        name: None if name not in found else found[name].low <= truth <= found[name].high
        for name, truth in world.truths().items()
    }
