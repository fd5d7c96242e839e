"""Hypothesis strategies for scenarios: worlds to check the contract of a retrier, a port or the platform in.

    from hypothesis import given
    from sim.testing.strategies import scenarios

    @given(scenarios("helpers", world="shared"))
    def test_no_effect_comes_before_its_request(scenario): ...

Every example is a scenario that a file could have: `as_yaml` writes it. Some features are on in it
(`sim.testing.features`), and only these vary. Then it heals: from an instant after the last planned fault on, attempts
succeed and nothing strikes, so every request must settle. Examples shrink to small worlds: one request, no features,
constants, small numbers. `sim.testing.parts` has strategies for the parts of a scenario. Needs Hypothesis (the extra
`test`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml
from hypothesis import strategies as st

from sim.kernel.durations import NS_PER_MS, parse_duration
from sim.retriers.base import ClientRetrier
from sim.retriers.registry import retrier_class
from sim.scenario.load import from_dict
from sim.testing import features as names
from sim.testing.features import ALL
from sim.testing.parts import (
    OPTIONS,
    PORTS,
    Switches,
    Values,
    cancels,
    draw_action,
    draw_faults,
    draw_platform,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.scenario.schema import Scenario

RetrierOrKinds = str | Iterable[str] | Mapping[str, Any] | None
LIMITS: Final[Values] = {"polls_per_request": 2000, "events": 100_000}
"""Limits of a world: a retrier that never stops soon ends as `runaway`."""
HEALED_AFTER_MS: Final = (10_000, 60_000, 600_000)
"""How long after the last planned fault a world heals."""


def scenarios(
    retrier: RetrierOrKinds = None,
    world: str | None = None,
    features: Iterable[str] = ALL,
    *,
    always: Iterable[str] = (),
    requests: int = 3,
    heals: bool = True,
    limits: Mapping[str, Any] = LIMITS,
) -> st.SearchStrategy[Scenario]:
    """Generate scenarios with a few requests.

    `retrier` is a kind, several kinds, or a kind with options as a file has them; None means all built-in ones. For a
    retrier of your own, which the engine gets as an object, name a stand-in of the same shape: `none` for a
    `LoopRetrier`, `helpers` for a `ScheduledRetrier`. `world` is isolated or shared, None for either. `features` may be
    on and `always` are on, as far as they can matter in the world. `requests` is the largest number of requests.
    `heals` says whether worlds with trouble heal. `limits` are as in a file. Raises ValueError for a world or a
    feature, LookupError for a retrier that does not exist.
    """
    values = scenario_values(retrier, world, features, always=always, requests=requests, heals=heals, limits=limits)
    return values.map(from_dict)


def scenario_values(
    retrier: RetrierOrKinds = None,
    world: str | None = None,
    features: Iterable[str] = ALL,
    *,
    always: Iterable[str] = (),
    requests: int = 3,
    heals: bool = True,
    limits: Mapping[str, Any] = LIMITS,
) -> st.SearchStrategy[Values]:
    """Generate the same scenarios as plain values, to be changed before `from_dict` reads them."""
    if world not in {None, "isolated", "shared"}:
        raise ValueError(f"a world is isolated or shared, not '{world}'")
    if requests < 1:
        raise ValueError(f"a scenario has at least one request, not {requests}")
    made = [
        _Worlds(written, shape == "shared", names.known(features), names.known(always))
        for written in _retriers(retrier)
        for shape in ("isolated", "shared")
        if world in {None, shape}
    ]
    counts = st.integers(1, requests)

    @st.composite
    def values(draw: st.DrawFn) -> Values:
        tree = draw(st.sampled_from(made)).draw(draw, counts)
        if heals and (last_ms := _last_trouble_ms(tree)) is not None:
            tree["heals_at"] = f"{last_ms + draw(_HEALED_AFTER_MS)}ms"
        if seed := draw(_SEEDS):
            tree["seed"] = seed
        return {**tree, "limits": dict(limits)} if limits else tree

    return values()


def as_yaml(scenario: Scenario) -> str:
    """Return the text of a file that holds this scenario, as it was written."""
    tree = {key: value for key, value in scenario.written.items() if (key, value) != ("name", "scenario")}
    text: str = yaml.dump(tree, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=120)
    return text


class _Plain(yaml.SafeDumper):
    """Writes equal parts out each time, since a scenario file has no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Ignore all of them."""
        del data
        return True


def _retriers(retrier: RetrierOrKinds) -> list[Values]:
    if retrier is None:
        retrier = PORTS
    elif isinstance(retrier, str):
        retrier = (retrier,)
    elif isinstance(retrier, Mapping):
        return [dict(retrier)]
    return [{"kind": kind} for kind in retrier]


class _Worlds:
    """The scenarios of one retrier in one shape of world."""

    def __init__(self, retrier: Values, shared: bool, maybe: Iterable[str], sure: Iterable[str]) -> None:  # noqa: FBT001
        self._retrier = retrier
        self._shared = shared
        self._outside = issubclass(retrier_class(retrier["kind"]), ClientRetrier)
        self._maybe = names.possible(maybe, shared=shared, outside=self._outside)
        self._sure = names.possible(sure, shared=shared, outside=self._outside)

    def draw(self, draw: st.DrawFn, counts: st.SearchStrategy[int]) -> Values:
        """Draw everything but the moment at which the world heals and the seed."""
        switches = Switches(draw, self._maybe, self._sure)
        tree: Values = {"retrier": self._retrier, "requests": {"count": draw(counts)}}
        if self._shared:
            tree["world"] = "shared"
        kind = self._retrier["kind"]
        if len(self._retrier) == 1 and kind in OPTIONS and switches.on("options"):
            tree["retrier"] = draw(OPTIONS[kind])
        if switches.on("arrivals"):
            tree["requests"]["arrivals"] = draw(_ARRIVALS)
        parts: list[tuple[str, Callable[[], Any]]] = [("action", lambda: draw_action(draw, switches))]
        if not self._outside:
            parts.append(("platform", lambda: draw_platform(draw, switches, shared=self._shared)))
            parts.append(("faults", lambda: draw_faults(draw, switches)))
        for key, part in parts:
            if drawn := part():
                tree[key] = drawn
        if targets := [name.removeprefix("cancel_") for name in names.CANCELS if switches.on(name)]:
            tree["cancel"] = draw(cancels(targets))
        return tree


_ARRIVALS = st.sampled_from(
    [{"constant": {"rate": "10/s"}}, {"constant": {"rate": "1/s"}}, {"poisson": {"rate": "5/s"}}]
)
_HEALED_AFTER_MS = st.sampled_from(HEALED_AFTER_MS)
_SEEDS = whole_numbers(2**16 - 1)


def _last_trouble_ms(tree: Values) -> int | None:
    """Return the instant of the last planned trouble in ms, 0 if none is planned; None if there is no trouble."""
    action, planned = tree.get("action", {}), tree.get("faults", [])
    script = [entry for entry in action.get("script", ()) if entry["outcome"] != "success"]
    if not (script or action.keys() & {"outcomes", "weather"} or planned):
        return None
    outages = [source["outage"]["to"] for source in action.get("weather", ()) if "outage" in source]
    restarts = [at for fault in planned for at in fault.get("restart", {}).get("at", ())]
    return max((parse_duration(text) // NS_PER_MS for text in [*outages, *restarts]), default=0)
