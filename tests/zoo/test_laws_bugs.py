"""Bugs that break laws of chance: no history shows them, a run of some thousand requests does."""

from typing import Any

import pytest

from sim.api.check import check
from sim.convex.calls import MutationCall
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.server import Server
from sim.engine.world import World
from sim.kernel.draws import Draws
from sim.retriers.ports import component as component_port
from sim.retriers.ports import helpers as helpers_port
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.scenario.load import from_dict
from sim.world import keys
from sim.world.effects import Key
from sim.world.fates import Fates
from sim.world.keys import KeyRules
from sim.world.weather import _Turns

pytestmark = pytest.mark.slow  # a minute of CPU: statistics need many requests

Change = tuple[str, str]
Place = tuple[Any, str, Change]

SIZES = (250, 1000, 4000)
"""Requests of the runs in which a bug is hunted, one after the other."""

FAILING: dict[str, Any] = {"latency": {"exponential": {"mean": "40ms"}}, "outcomes": {"fail": 0.6, "ack_lost": 0.1}}
ISOLATED: dict[str, Any] = {"action": FAILING}
STORMY: dict[str, Any] = {
    "action": {
        **FAILING,
        "weather": [{"on_off": {"up": {"exponential": {"mean": "5s"}}, "down": {"constant": "3s"}, "fail": 0.9}}],
    }
}
ERRORS: dict[str, Any] = {
    "world": "shared",
    "faults": [{"system_error": {"share": 0.2}}],
    "platform": {"profile": "ideal", "system_error_backoff": {"initial": "500ms", "max": "3s"}},
    "requests": {"arrivals": {"poisson": {"rate": "5/s"}}},
    "action": FAILING,
}
CROWDED: dict[str, Any] = {
    "world": "shared",
    "retrier": {"kind": "component", "on_complete_counts": True},
    "platform": {"profile": "ideal", "commit_window": {"constant": "20ms"}, "parallelism": "unlimited"},
    "requests": {"arrivals": {"poisson": {"rate": "40/s"}}},
    "action": FAILING,
}
AGAIN: dict[str, Any] = {"world": "shared", "replications": 10, "action": FAILING}
UNSEEN: dict[str, Any] = {"action": {**FAILING, "outcomes": {"fail": 0.2, "lost_contact": 0.3}}}

ASKING: dict[str, Any] = {
    "action": {"outcomes": {"fail": {"share": 0.5, "retry_after": {"exponential": {"mean": "2s"}}}}}
}

SLOW_FAILURES = {
    "outage": {"from": "0s", "to": "1s", "fail": 0.5, "final": 1.0, "latency": {"exponential": {"mean": "90ms"}}}
}
OUTAGES: dict[str, Any] = {
    "action": {
        **FAILING,
        "weather": [
            {"outage": {"from": "0s", "to": "1s", "outcomes": {"ack_lost": 0.3, "hang": 0.2}}},
            SLOW_FAILURES,
        ],
    }
}
KEYS: dict[str, Any] = {
    "action": {
        "latency": {"exponential": {"mean": "100ms"}},
        "outcomes": {"fail": 0.3, "ack_lost": 0.3, "lost_contact": 0.2},
        "idempotency": {"window": "500ms", "answers": "first", "in_use": "rejected"},
    }
}
DOWN: dict[str, Any] = {
    "action": {
        "latency": {"exponential": {"mean": "40ms"}},
        "weather": [SLOW_FAILURES],
    }
}
KINDS: dict[str, Any] = {
    "action": {
        "outcomes": {
            "fail": [
                {"kind": "first", "share": 0.3, "final": 1.0},
                {"kind": "second", "share": 0.3, "retry_after": {"constant": "1s"}},
            ]
        }
    }
}

JITTERED = 'jitter(args["retryBackoff"], ctx.uniform("action_jitter", args["failure"]))'
ASKS = "wait_of(entity, number, 0)"
OF_ACTION = 'ctx.uniform("action_jitter", args["failure"])'
OF_POLL = 'jitter(args["retryBackoff"] + args["waitBackoff"], ctx.uniform("poll_jitter", args["poll"]))'
WAITING = 'jitter(args["waitBackoff"], ctx.uniform("poll_jitter", args["poll"]))'
NUMBERED = 'ctx.uniform("backoff", run["numFailures"] + 1)'
BEATS = 'jitter(HEARTBEAT_INTERVAL_MS, ctx.uniform("heartbeat", 0))'
GROWS = 'options["initialBackoffMs"] * power(options["base"], run["numFailures"] + 1)'

RETRIERS: dict[str, tuple[str, type, Change]] = {
    # name: (the invariant meant for it, the retrier, the change); all in the same world
    "law: helpers: u squared for u": ("waits-follow-law", Helpers, (OF_ACTION, f"{OF_ACTION} ** 2")),
    "law: helpers: no jitter": ("waits-follow-law", Helpers, (JITTERED, 'args["retryBackoff"]')),
    "law: helpers: equal jitter": ("waits-follow-law", Helpers, (OF_ACTION, f"0.5 * {OF_ACTION}")),
    "law: helpers: jitter of two steps": ("waits-follow-law", Helpers, (OF_ACTION, f"round({OF_ACTION})")),
    "law: helpers: polls without jitter": ("waits-follow-law", Helpers, (WAITING, 'args["waitBackoff"]')),
    "law: helpers: jitter the wrong way round in the middle": (
        "waits-follow-law",
        Helpers,
        (OF_ACTION, f"abs(2 * {OF_ACTION} - 1)" + " ** 0.5"),
    ),
    "law: helpers: one number for the retry and its poll": (
        "waits-drawn-anew",
        Helpers,
        (OF_POLL, OF_POLL.replace('ctx.uniform("poll_jitter", args["poll"])', f"(1 - {OF_ACTION})")),
    ),
    "law: helpers: jitter drawn once for each request": (
        "waits-drawn-anew",
        Helpers,
        (OF_ACTION, '(ctx.uniform("action_jitter", 1) + 0.1 * args["failure"]) % 1'),
    ),
    "law: component: jitter of pairs of requests": (
        "waits-drawn-anew",
        Component,
        (NUMBERED, 'ctx.server.choices.uniform("backoff", ctx.request.number // 2, run["numFailures"] + 1)'),
    ),
    "law: component: the same jitter for all requests": (
        "waits-follow-law",
        Component,
        (NUMBERED, 'ctx.server.choices.uniform("backoff", 0, run["numFailures"] + 1)'),
    ),
    "law: component: heartbeats by u squared": (
        "waits-follow-law",
        Component,
        (BEATS, BEATS.replace('ctx.uniform("heartbeat", 0)', 'ctx.uniform("heartbeat", 0) ** 2')),
    ),
    "law: component: linear for exponential": (
        "delays-in-law",
        Component,
        (GROWS, 'options["initialBackoffMs"] * options["base"] * (run["numFailures"] + 1)'),
    ),
}

PORTS: dict[str, tuple[str, type, Place]] = {
    # name: (the invariant, the retrier, the changed function of all ports)
    "law: jitter() of all ports by u squared": (
        "waits-follow-law",
        Helpers,
        (helpers_port, "jitter", ("0.5 + uniform", "0.5 + uniform**2")),
    ),
    "law: power() of all ports off by one": (
        "delays-in-law",
        Component,
        (component_port, "power", ("math.pow(base, exponent)", "math.pow(base, exponent - 1)")),
    ),
}

PLATFORM: dict[str, tuple[str, str, dict[str, Any], list[Place]]] = {
    # name: (the invariant, the retrier, the world, the changed functions)
    "law: backoffs by u squared": (
        "backoffs-follow-law",
        "helpers",
        ERRORS,
        [
            (
                Server,
                "full_jitter",
                ("round(self.choices.uniform(", "round(self.choices.uniform(stream, 0, 1) * self.choices.uniform("),
            )
        ],
    ),
    "law: put-backs without jitter": (
        "backoffs-follow-law",
        "helpers",
        ERRORS,
        [
            (
                Server,
                "full_jitter",
                ("round(self.choices.uniform(stream, request.number, index, failures) * ceiling_ns)", "ceiling_ns"),
            )
        ],
    ),
    "law: put-backs that never grow": (
        "backoffs-follow-law",
        "helpers",
        ERRORS,
        [(Executor, "put_back", ("        job.system_errors += 1\n", ""))],
    ),
    "law: put-backs without a cap": (
        "backoffs-follow-law",
        "helpers",
        ERRORS,
        [
            (
                Server,
                "full_jitter",
                ("min(backoff.initial << min(failures, LARGEST_EXPONENT), backoff.max)", "backoff.initial << failures"),
            )
        ],
    ),
    "law: put-backs at once": (
        "backoffs-come",
        "helpers",
        ERRORS,
        [
            (
                Executor,
                "put_back",
                ("server.full_jitter(backoff, SYSTEM_BACKOFF, job.request, errors, job_id=job.id, name=name)", "0"),
            )
        ],
    ),
    "law: put-backs end half way": (
        "backoffs-last",
        "helpers",
        ERRORS,
        [(Executor, "put_back", ("self._clock.now_ns + delay_ns", "self._clock.now_ns + delay_ns // 2"))],
    ),
    "law: reruns that grow once too often": (
        "backoffs-follow-law",
        "component",
        CROWDED,
        [(MutationCall, "_conflict", ("request, self._rerun - 1,", "request, self._rerun,"))],
    ),
    "law: reruns half as soon": (
        "backoffs-last",
        "component",
        CROWDED,
        [(MutationCall, "_conflict", ("self._begin_after(delay_ns)", "self._begin_after(delay_ns // 2)"))],
    ),
    "law: one request in two is permanently broken": (
        "outcomes-as-stated",
        "none",
        {"action": {**FAILING, "permanent_failure": 0.3}},
        [(World, "_start", ("< action.permanent_failure", "< 1.4 * cell.action.permanent_failure"))],
    ),
    "law: errors ask for half of their wait": (
        "latencies-as-stated",
        "none",
        ASKING,
        [
            (
                Fates,
                "_error",
                (ASKS, f"{ASKS} // 2"),
            )
        ],
    ),
    "law: reports of lost attempts are dropped": (
        "reports-come",
        "component",
        UNSEEN,
        [
            (
                Execution,
                "attempt_over",
                (
                    "called, self._called = self._called, None\n",
                    "called, self._called = self._called, None\n        if not self.seen:\n            return\n",
                ),
            )
        ],
    ),
    "law: lost attempts die": (
        "reports-come",
        "component",
        UNSEEN,
        [
            (
                Execution,
                "attempt_lost",
                ("        self.seen = False\n", "        self.kill()\n        self.seen = False\n"),
            )
        ],
    ),
    "law: outcomes a little too good": (
        "outcomes-as-stated",
        "helpers",
        ISOLATED,
        [(Fates, "draw", ("choose(cumulative", "choose([0.85 * one for one in cumulative]"))],
    ),
    "law: every attempt of a request draws the same outcome": (
        "outcomes-as-stated",
        "helpers",
        ISOLATED,
        [(Fates, "draw", ("self._outcome, request.number, number", "self._outcome, request.number, 1"))],
    ),
    "law: outcomes and latencies by one number": (
        "latencies-as-stated",
        "helpers",
        ISOLATED,
        [(Fates, "draw", ("cumulative, self._outcome", 'cumulative, "latency"'))],
    ),
    "law: latencies of all attempts by one number": (
        "streams-apart",
        "helpers",
        ISOLATED,
        [(Fates, "draw", ("delay_of(request.number, number, 0)", "delay_of(request.number, 1, 0)"))],
    ),
    "law: latencies of pairs of requests by one number": (
        "streams-apart",
        "helpers",
        ISOLATED,
        [(Fates, "draw", ("delay_of(request.number, number, 0)", "delay_of(request.number & ~64, number, 0)"))],
    ),
    "law: pairs of requests meet one weather": (
        "weather-apart",
        "none",
        STORMY,
        [(_Turns, "__init__", ("        self._entity = entity\n", "        self._entity = entity = entity // 2\n"))],
    ),
    "law: all requests meet one weather": (
        "weather-apart",
        "none",
        STORMY,
        [(_Turns, "__init__", ("        self._entity = entity\n", "        self._entity = entity = 0\n"))],
    ),
    "law: the weather starts up": (
        "outcomes-as-stated",
        "none",
        STORMY,
        [(_Turns, "__init__", ("        if random_phase:", "        if False:"))],
    ),
    "law: a second source takes its share of all": (
        "outcomes-as-stated",
        "none",
        OUTAGES,
        [(Fates, "_mix", ("taken + (1.0 - taken) * upto", "min(taken + upto, 1.0)"))],
    ),
    "law: an outage has no latency of its own": (
        "latencies-as-stated",
        "none",
        DOWN,
        [
            (
                Fates,
                "_ways",
                ("delays(law, self._latency)", "delays(law.model_copy(update={'mean_ns': 40_000_000}), self._latency)"),
            )
        ],
    ),
    "law: an outage is silent on what its failures leave open": (
        "errors-say-what-is-stated",
        "none",
        DOWN,
        [(Fates, "_ways", ("self._error(says)", "None"))],
    ),
    "law: all failures are of the first kind": (
        "errors-say-what-is-stated",
        "none",
        KINDS,
        [(Fates, "_error", ("kind, share, law = says", 'kind, share, law = "failed.first", says.final, says[2]'))],
    ),
    "law: one kind speaks for all": (
        "errors-say-what-is-stated",
        "none",
        KINDS,
        [(Fates, "_error", ("kind, share, law = says", "kind, share, law = says; share = share or 0.5"))],
    ),
    "law: the first answer is forgotten": (
        "keys-are-known",
        "article",
        KEYS,
        [(Key, "remembered", ("return self.answer if", "return None if"))],
    ),
    "law: the first answer is given for ever": (
        "keys-are-known",
        "article",
        KEYS,
        [(Key, "remembered", ("< memory.window_ns", "< memory.window_ns + 10**12"))],
    ),
    "law: a key in use runs": (
        "keys-are-known",
        "article",
        KEYS,
        [(KeyRules, "is_in_use", ("self.memory.rejects and", "False and"))],
    ),
    "law: a suppressed effect does not renew the window": (
        "duplicates-have-causes",
        "article",
        {"action": {**KEYS["action"], "idempotency": {"window": "500ms", "from": "last_seen"}}},
        [(keys, "apply_effect", ("        key.seen_ns = now_ns\n        return", "        return"))],
    ),
    "law: replications of one seed": (
        "replications-differ",
        "helpers",
        AGAIN,
        [
            (
                Draws,
                "__init__",
                ("_absorb(_absorb(0, seed), replication)", "_absorb(_absorb(0, seed), replication // 2)"),
            )
        ],
    ),
}


def run(world: dict[str, Any], kind: str, requests: int, seed: int = 1, retrier: Any = None) -> set[str]:
    """Return the invariants that a run breaks."""
    count = max(requests // world.get("replications", 1), 1)
    given = {**world, "seed": seed, "requests": {**world.get("requests", {}), "count": count}}
    scenario = from_dict({"retrier": kind, **given})
    if retrier is not None:
        options = scenario.retrier.options
        checked = check(scenario, retrier=lambda: retrier(options if isinstance(options, retrier.Options) else None))
    else:
        checked = check(scenario)
    return {name for cell in checked.cells for name in cell.broken}


def hunt(zoo: Any, name: str, meant: str, world: dict[str, Any], kind: str, *, retrier: Any = None) -> None:
    """Catch a bug in a run of one of these sizes; the report has the size."""
    needed = next((size for size in SIZES if meant in run(world, kind, size, retrier=retrier)), None)
    zoo.report(name, meant, needed)


@pytest.mark.parametrize("name", RETRIERS)
def test_a_bug_of_a_retrier_is_caught(zoo: Any, name: str) -> None:
    meant, retrier, change = RETRIERS[name]
    hunt(zoo, name, meant, ISOLATED, retrier.kind, retrier=zoo.mutated(retrier, change))


@pytest.mark.parametrize("name", PORTS)
def test_a_bug_that_all_ports_share_is_caught(zoo: Any, name: str) -> None:
    meant, retrier, place = PORTS[name]
    with zoo.planted(place):
        hunt(zoo, name, meant, ISOLATED, retrier.kind)


@pytest.mark.parametrize("name", PLATFORM)
def test_a_bug_of_the_platform_is_caught(zoo: Any, name: str) -> None:
    meant, kind, world, places = PLATFORM[name]
    with zoo.planted(*places):
        hunt(zoo, name, meant, world, kind)


@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("kind", "world"),
    [
        ("helpers", ISOLATED),
        ("component", ISOLATED),
        ("none", STORMY),
        ("none", OUTAGES),
        ("none", DOWN),
        ("article", KEYS),
        ("none", KINDS),
        ("helpers", ERRORS),
        ("component", CROWDED),
        ("helpers", AGAIN),
        ("component-repaired", UNSEEN),
    ],
)
def test_the_original_breaks_nothing_in_the_same_worlds(kind: str, world: dict[str, Any], seed: int) -> None:
    meant = {row[0] for rows in (RETRIERS, PORTS, PLATFORM) for row in rows.values()}
    assert run(world, kind, 1000, seed) & meant == set()


def test_every_planted_bug_is_in_the_report(zoo: Any) -> None:
    zoo.is_all_of([*RETRIERS, *PORTS, *PLATFORM], "law")
