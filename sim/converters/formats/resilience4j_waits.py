"""The delays of resilience4j: which properties count, in which of the configurations an instance is based on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.converters.delays import constant, exponential, formula
from sim.converters.units import SPRING
from sim.converters.writing import time
from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from sim.converters.fields import Fields

WAIT_NS: Final = 500 * NS_PER_MS
MULTIPLIER: Final = 1.5
FACTOR: Final = 0.5
INHERITED: Final = (
    *("enableexponentialbackoff", "enablerandomizedwait"),
    *("exponentialbackoffmultiplier", "exponentialmaxwaitduration"),
)
GROWING: Final = "max(initial, floor(last_x * factor))"
SHRINKING: Final = "min(initial, floor(last_x * factor))"
BEFORE_SHRINKING: Final = 10**15
RANDOM: Final = "floor(max(1ms, x * (1 - f) + u * (2 * f * x + 1ms)))"


def first(chain: list[Fields], name: str) -> Fields:
    """Return the nearest properties that have one of this name, or the first ones."""
    return next((fields for fields in chain if name in fields), chain[0])


def delays_of(chain: list[Fields]) -> Any:
    """Return the delays: of the nearest properties with a wait of their own, and of what these inherit one by one."""
    at = next((position for position, fields in enumerate(chain) if "waitduration" in fields), None)
    for fields in chain[: len(chain) if at is None else at]:
        for name in (*INHERITED, "randomizedwaitfactor"):
            if name in fields:
                fields.note(name, "resilience4j ignores it, since there is no wait-duration beside it")
    if at is None:
        return constant(WAIT_NS)
    own = chain[at]
    sources = {name: first(chain[at : at + 2], name) for name in INHERITED} | {"randomizedwaitfactor": own}
    wait_ns = own.time("waitduration", SPRING, WAIT_NS)
    grows = sources["enableexponentialbackoff"].flag("enableexponentialbackoff", False)  # noqa: FBT003  # the default
    randomizes = sources["enablerandomizedwait"].flag("enablerandomizedwait", False)  # noqa: FBT003  # the default
    multiplier = sources["exponentialbackoffmultiplier"].number("exponentialbackoffmultiplier", None, above=0)
    cap_ns = sources["exponentialmaxwaitduration"].time("exponentialmaxwaitduration", SPRING, None, above=True)
    factor = own.number("randomizedwaitfactor", None, least=0, most=1)
    if factor == 1:
        own.wrong("randomizedwaitfactor", "must be less than 1")
    ignored = _ignored(grows, randomizes, multiplier, factor)
    for name, why in ignored.items():
        if name in sources[name]:
            sources[name].note(name, f"resilience4j ignores it, since {why}")
    multiplier = MULTIPLIER if multiplier is None else multiplier
    factor = FACTOR if factor is None or "randomizedwaitfactor" in ignored else factor
    cap_ns = None if "exponentialmaxwaitduration" in ignored else cap_ns
    return waits(
        _whole_ms(own, "waitduration", wait_ns),
        multiplier if grows else None,
        None
        if cap_ns is None
        else _whole_ms(sources["exponentialmaxwaitduration"], "exponentialmaxwaitduration", cap_ns),
        factor if randomizes else None,
    )


def _ignored(grows: bool, randomizes: bool, multiplier: float | None, factor: float | None) -> dict[str, str]:  # noqa: FBT001  # what two flags of the file say
    """Return the fields that have no effect beside the others, and why."""
    found = {}
    if not randomizes:
        found["randomizedwaitfactor"] = "enable-randomized-wait is not true"
    if not grows:
        off = "enable-exponential-backoff is not true"
        return {**found, "exponentialbackoffmultiplier": off, "exponentialmaxwaitduration": off}
    if multiplier is None:
        missing = "there is no exponential-backoff-multiplier beside it"
        return {"exponentialmaxwaitduration": missing, "randomizedwaitfactor": missing, **found}
    if randomizes and factor is None:
        found["exponentialmaxwaitduration"] = "there is no randomized-wait-factor beside it"
    return found


def _whole_ms(fields: Fields, name: str, duration_ns: int) -> int:
    if duration_ns % NS_PER_MS:
        fields.note(name, "resilience4j counts in whole ms, and cuts the rest")
    return duration_ns - duration_ns % NS_PER_MS


def waits(wait_ns: int, multiplier: float | None, cap_ns: int | None, factor: float | None) -> Any:
    """Return the delays for a wait in whole ms; None: it does not grow, has no cap, is not randomized."""
    cap = {} if cap_ns is None else {"cap": time(cap_ns), "cap_applies": "after"}
    if factor is None and multiplier is None:
        return constant(wait_ns)
    if factor is None and multiplier is not None and float(multiplier).is_integer():
        return exponential(wait_ns, multiplier, cap_ns)
    if multiplier is None:
        return formula(RANDOM, x=time(wait_ns), f=factor)
    grows = multiplier >= 1
    let, start = {"x": GROWING if grows else SHRINKING}, {"x": 0 if grows else BEFORE_SHRINKING}
    given: dict[str, Any] = {"initial": time(wait_ns), "factor": multiplier}
    if factor is None:
        return formula("x", let=let, start=start, **given, **cap)
    return formula(RANDOM, let=let, start=start, **given, f=factor, **cap)
