"""Hypothesis strategies for the parts of a scenario; each generates the plain values that a file would have.

They shrink toward constants, few entries and small numbers. Numbers come from short lists of sizes near the ones of the
retriers (polls after 100 ms, heartbeats after 10 s): if durations are of similar size, a world is small, quick to
simulate, and has all the races.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from sim.retriers.ports import PORTS as BUILT_IN
from sim.testing import features as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Values = dict[str, Any]
"""Plain values, as a scenario file has them."""

PORTS: Final = ("none", *(kind for kind in sorted(BUILT_IN) if kind != "none"))
LAWS: Final = ("constant", "uniform", "exponential", "normal", "lognormal", "gamma", "weibull", "pareto")
LATENCIES_MS: Final = (100, 0, 10, 1000, 12_000)
"""The longest is longer than a heartbeat."""
STEPS_MS: Final = (1, 10, 100, 1000)
"""How long steps of the platform take."""
CANCELS_MS: Final = (0, 1, 50, 100, 500, 2000, 12_000)
SHARES: Final = (1.0, 0.5, 0.2, 0.1, 0.05)
DIGIT: Final = 64
LAST_INSTANT_MS: Final = 60_000
"""No fault comes later."""


@lru_cache(maxsize=64)
def _laws(means_ms: tuple[int, ...], kinds: tuple[str, ...]) -> st.SearchStrategy[Values]:
    made: dict[str, list[Values]] = {kind: [] for kind in kinds}
    for ms in means_ms:
        size = f"{ms}ms"
        written: dict[str, list[Values]] = {"constant": [{"constant": size}]}
        if ms:
            written |= {
                "uniform": [{"uniform": {"low": "0s", "high": f"{2 * ms}ms"}}],
                "exponential": [{"exponential": {"mean": size}}],
                "normal": [{"normal": {"mean": size, "sd": size}}],
                "lognormal": [
                    {"lognormal": {"median": size, "p99": f"{8 * ms}ms"}},
                    {"lognormal": {"median": size, "sigma": 0.5}},
                ],
                "gamma": [{"gamma": {"shape": 2.0, "mean": size}}],
                "weibull": [{"weibull": {"shape": 0.7, "scale": size}}],
                "pareto": [{"pareto": {"shape": 2.5, "scale": size}}],
            }
        for kind in kinds:
            made[kind] += written.get(kind, [])
    return st.sampled_from([law for kind in kinds for law in made[kind]])


def laws(means_ms: Iterable[int] = LATENCIES_MS, kinds: Iterable[str] = LAWS) -> st.SearchStrategy[Values]:
    """Generate laws of durations, of these kinds and sizes; a size in ms is a mean, a median or a scale.

    Laws that read a file are left out. Raises ValueError for an unknown kind.
    """
    chosen = tuple(kinds)
    if unknown := [kind for kind in chosen if kind not in LAWS]:
        raise ValueError(f"no law is called '{unknown[0]}'; the laws are: {', '.join(LAWS)}")
    return _laws(tuple(means_ms), chosen)


def whole_numbers(most: int) -> st.SearchStrategy[int]:
    """Generate whole numbers from 0 to `most` that depend on the seed alone, not on which modules are loaded.

    If a range of integers is longer than 100, Hypothesis mixes in constants that it finds in loaded modules.
    """
    if most < DIGIT:
        return st.integers(0, most)
    digits = st.tuples(whole_numbers(most // DIGIT), st.integers(0, DIGIT - 1))
    return digits.map(lambda pair: DIGIT * pair[0] + pair[1]).filter(lambda number: number <= most)


class Switches:
    """Which features are on in one example: all of `sure`, each of `maybe` with even odds, drawn when first needed."""

    def __init__(self, draw: st.DrawFn, maybe: Iterable[str], sure: Iterable[str] = ()) -> None:
        self._draw = draw
        self._maybe = names.known(maybe)
        self._known = dict.fromkeys(names.known(sure), True)

    def on(self, name: str) -> bool:
        """Tell whether a feature is on. Ask right before drawing what depends on it, so that both shrink together."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = name in self._maybe and self._draw(_FLIPS)
        return known


_FLIPS = st.booleans()
_SHARES = st.sampled_from(SHARES)
_INSTANTS_MS = st.one_of(st.sampled_from([100, 1000, 10_000]), whole_numbers(2000), whole_numbers(LAST_INSTANT_MS))
_LENGTHS_MS = st.sampled_from([1000, 100, 10_000])
_WEATHER_FAILS = st.sampled_from([0, 1]).map(lambda some: {"fail": 0.5} if some else {})
_EVEN = ("constant", "exponential")


def weather(features: Iterable[str] = names.WEATHER) -> st.SearchStrategy[list[Values]]:
    """Generate sources of bad weather: at most one outage and one source that goes up and down in turns."""
    return _part(draw_weather, features)


def draw_weather(draw: st.DrawFn, switches: Switches) -> list[Values]:
    """Draw an example of `weather`."""
    sources: list[Values] = []
    if switches.on("outage"):
        from_ms = draw(_INSTANTS_MS)
        outage = {"from": f"{from_ms}ms", "to": f"{from_ms + draw(_LENGTHS_MS)}ms", **_draw_harm(draw, switches)}
        sources.append({"outage": outage})
    if switches.on("on_off"):
        lengths = laws((1000, 100, 10_000), _EVEN)
        sources.append({"on_off": {"up": draw(lengths), "down": draw(lengths), **_draw_harm(draw, switches)}})
    return sources


def _draw_harm(draw: st.DrawFn, switches: Switches) -> Values:
    """Draw how attempts go while a source of weather is down; by default all fail."""
    harm: Values = draw(_WEATHER_FAILS)
    if switches.on("own_outcomes"):
        others = {name: 0.2 for name in ("ack_lost", "crash_after_effect", "hang") if switches.on(name)}
        harm = {"outcomes": {"fail": 0.4, **others}}
    if switches.on("own_latencies"):
        harm["latency"] = draw(laws((1000, 100, 10_000), _EVEN))
    if switches.on("final"):
        harm["final"] = draw(_SHARES)
    if switches.on("retry_after"):
        harm["retry_after"] = draw(laws((1000, 100, 10_000), _EVEN))
    return harm


def actions(features: Iterable[str] = names.ACTION) -> st.SearchStrategy[Values]:
    """Generate the `action` of a scenario."""
    return _part(draw_action, features)


def draw_action(draw: st.DrawFn, switches: Switches) -> Values:
    """Draw an example of `actions`."""
    action: Values = {}
    if switches.on("effect_at"):
        action["effect_at"] = draw(st.sampled_from([0.5, 0.0, 0.9]))
    if switches.on("idempotency"):
        action["idempotency"] = {"window": draw(st.sampled_from(["24h", "1s", "100ms"]))}
    chances: Values = {}
    if switches.on("latency"):
        chances["latency"] = draw(laws())
    if outcomes := _draw_outcomes(draw, switches):
        chances["outcomes"] = outcomes
    if switches.on("permanent_failure"):
        chances["permanent_failure"] = draw(st.sampled_from([1.0, 0.5]))
    if sources := draw_weather(draw, switches):
        chances["weather"] = sources
    # Last, and instead of the chances drawn before, so that an example with a script shrinks to one without.
    script = _draw_script(draw, switches) if switches.on("script") else []
    return action | ({"script": script} if script else chances)


def _draw_outcomes(draw: st.DrawFn, switches: Switches) -> Values:
    """Draw shares from the rarest outcome on; each gets at most what is left, so none depends on the ones after it."""
    shares: Values = {}
    left = 1.0
    for name in reversed(names.OUTCOMES):
        if not switches.on(name):
            continue
        share = min(draw(_SHARES), left)
        left = round(left - share, 2)
        more: Values = {}
        if share and name != "hang" and switches.on("own_latencies") and draw(_FLIPS):
            more["latency"] = draw(laws())
        if name == "fail":
            if switches.on("final"):
                more["final"] = draw(_SHARES)
            if switches.on("retry_after"):
                more["retry_after"] = draw(laws((1000, 100, 10_000), _EVEN))
        if name == "fail" and share and switches.on("kinds"):
            half = share / 2
            shares[name] = [{"kind": "throttled", "share": half, **more}, {"kind": "invalid", "share": half}]
        elif share or more:
            shares[name] = {"share": share, **more} if more else share
    return dict(reversed(shares.items()))


def _draw_script(draw: st.DrawFn, switches: Switches) -> list[Values]:
    """Draw a sequence of the outcomes that are on."""
    outcomes = ("success", *(name for name in names.OUTCOMES if switches.on(name)))
    fails = "fail" in outcomes
    final, retry_after = (fails and switches.on(name) for name in names.ERRORS)
    return draw(_scripts(outcomes, switches.on("latency"), final, retry_after))


@lru_cache(maxsize=1024)
def _scripts(
    outcomes: tuple[str, ...],
    latency: bool,  # noqa: FBT001  # a key of the cache
    final: bool,  # noqa: FBT001  # as above
    retry_after: bool,  # noqa: FBT001  # as above
) -> st.SearchStrategy[list[Values]]:
    @st.composite
    def entries(draw: st.DrawFn) -> Values:
        outcome = draw(st.sampled_from(outcomes))
        entry: Values = {"outcome": outcome}
        if latency and outcome != "hang":
            entry["latency"] = f"{draw(_LATENCIES_MS)}ms"
        if final and outcome == "fail" and draw(_FLIPS):
            entry["final"] = True
        if retry_after and outcome == "fail" and draw(_FLIPS):
            entry["retry_after"] = f"{draw(_LENGTHS_MS)}ms"
        return entry

    return st.lists(entries(), min_size=1, max_size=5)


_LATENCIES_MS = st.sampled_from(LATENCIES_MS)


def faults(features: Iterable[str] = names.FAULTS) -> st.SearchStrategy[list[Values]]:
    """Generate the faults of a shared deployment: restarts at up to three instants, and system errors."""
    return _part(draw_faults, features)


def draw_faults(draw: st.DrawFn, switches: Switches) -> list[Values]:
    """Draw an example of `faults`."""
    planned: list[Values] = []
    if switches.on("restart"):
        at_ms = sorted(draw(st.lists(_INSTANTS_MS, min_size=1, max_size=3, unique=True)))
        restart: Values = {"at": [f"{ms}ms" for ms in at_ms]}
        if down_ms := draw(st.sampled_from([0, 10, 1000, 20_000])):
            restart["down"] = f"{down_ms}ms"
        if switches.on("lost_effects"):
            restart["inflight"] = "lost"
        planned.append({"restart": restart})
    if switches.on("system_error"):
        planned.append({"system_error": {"share": draw(st.sampled_from([0.2, 0.5, 0.05]))}})
    return planned


def cancels(targets: Iterable[str] = ("request", "action", "poll")) -> st.SearchStrategy[Values]:
    """Generate the `cancel` of a scenario, with one of these targets."""
    chosen = tuple(targets)
    return st.fixed_dictionaries(
        {
            "share": st.sampled_from([1.0, 0.5]),
            "after": laws(CANCELS_MS, ("constant", "uniform", "exponential")),
            "target": st.sampled_from(chosen),
        }
    )


def platforms(features: Iterable[str] = names.PLATFORM, *, shared: bool = True) -> st.SearchStrategy[Values]:
    """Generate the `platform` of a scenario, with slots only if it is shared; the rest stays ideal."""
    of_world = names.possible(features, shared=shared, outside=False)
    return _part(lambda draw, switches: draw_platform(draw, switches, shared=shared), of_world)


def draw_platform(draw: st.DrawFn, switches: Switches, *, shared: bool) -> Values:
    """Draw an example of `platforms`."""
    platform: Values = {}
    convex = switches.on("convex_profile")
    if convex != shared:
        platform["profile"] = "convex" if convex else "ideal"
    if switches.on("parallelism"):
        platform["parallelism"] = draw(st.integers(1, 3))
    for step in ("mutation_latency", "commit_window", "dispatch_latency"):
        if switches.on(step):
            platform[step] = draw(laws(STEPS_MS))
    if switches.on("action_time_limit"):
        platform["action_time_limit"] = draw(st.sampled_from(["1s", "50ms", "10s", "30s"]))
    if switches.on("crash_detection"):
        platform["crash_detection"] = draw(st.sampled_from(["1s", "100ms", "10s"]))
    if switches.on("retention"):
        platform["retention"] = draw(st.sampled_from(["1s", "1ms", "100ms", "10s"]))
        if draw(_FLIPS):
            platform |= {"collection_batch": 1, "collection_pause": draw(st.sampled_from(["0s", "1s"]))}
    if switches.on("occ_reruns"):
        platform["occ_reruns"] = draw(st.integers(0, 2))
    return platform


def retriers(kinds: Iterable[str] = PORTS) -> st.SearchStrategy[Values]:
    """Generate a retrier of one of these kinds; ports get options, other retriers keep their defaults."""
    return st.sampled_from(tuple(kinds)).flatmap(
        lambda kind: OPTIONS[kind] if kind in OPTIONS else st.just({"kind": kind})
    )


def _polling(kind: str) -> st.SearchStrategy[Values]:
    """Generate options of a retrier that polls.

    A constant pace is slow here, so that a hang of ten minutes does not cost thousands of polls.
    """
    paces = st.sampled_from([("100ms", 2.0), ("1ms", 2.0), ("10ms", 1.5), ("1s", 2.0), ("100ms", 3.0), ("2s", 1.0)])
    return st.builds(
        lambda pace, retry_backoff, max_failures: {
            "kind": kind,
            "wait_backoff": pace[0],
            "retry_backoff": retry_backoff,
            "base": pace[1],
            "max_failures": max_failures,
        },
        paces,
        st.sampled_from(["100ms", "1ms", "1s", "10s"]),
        st.integers(0, 5),
    )


def _component(kind: str) -> st.SearchStrategy[Values]:
    """Generate options of a retrier that attempts report to and that looks for crashes."""
    return st.fixed_dictionaries(
        {"kind": st.just(kind)},
        optional={
            "initial_backoff": st.sampled_from(["1ms", "250ms", "10s"]),
            "base": st.sampled_from([1.0, 2.0, 3.0]),
            "max_failures": st.integers(0, 4),
            "run_after": st.sampled_from(["1ms", "1s", "20s"]),
            "on_complete_fails": st.just(value=True),
            "on_complete_counts": st.just(value=True),
            "clean_up_after": st.sampled_from(["1s", "0s", "10s"]),
        },
    )


@st.composite
def _pool(draw: st.DrawFn, kind: str) -> Values:
    """Generate options of a pool of actions: few slots, so that works wait for them.

    Works that are no actions take no time, and cannot go as most actions do.
    """
    attempts = draw(st.integers(1, 4))
    backoff = {"initial_backoff": draw(st.sampled_from(["250ms", "1ms", "2s"]))} if attempts > 1 else {}
    return {
        "kind": kind,
        "max_parallelism": draw(st.sampled_from([10, 1, 2])),
        "attempts": attempts,
        **backoff,
        "run_after": draw(st.sampled_from(["0s", "50ms", "3s"])),
        "on_complete": draw(st.sampled_from(["runs", "throws", "counts", "none"])),
    }


OPTIONS: Final = {
    "article": _polling("article"),
    "helpers": _polling("helpers"),
    "component": _component("component"),
    "component-repaired": _component("component-repaired"),
    "workpool": _pool("workpool"),
}
"""The ports that have options."""


def _part(build: Callable[[st.DrawFn, Switches], Any], features: Iterable[str]) -> st.SearchStrategy[Any]:
    maybe = names.known(features)

    @st.composite
    def part(draw: st.DrawFn) -> Any:
        return build(draw, Switches(draw, maybe))

    return part()
