"""The delay laws of policies as plain values, the few forms that configurations need."""

from __future__ import annotations

from typing import Any

from sim.kernel.durations import format_duration


def constant(delay_ns: int, **more: Any) -> Any:
    """Return a delay that is always the same; `none` if it is 0."""
    if not more:
        return {"constant": format_duration(delay_ns)} if delay_ns else "none"
    return {"constant": {"delay": format_duration(delay_ns), **more}}


def exponential(initial_ns: int, factor: float, cap_ns: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a delay that grows by a factor."""
    cap = {} if cap_ns is None else {"cap": format_duration(cap_ns)}
    return {"exponential": {"initial": format_duration(initial_ns), "factor": factor, **cap, **more}}


def linear(initial_ns: int, step_ns: int, cap_ns: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a delay that grows by a step."""
    cap = {} if cap_ns is None else {"cap": format_duration(cap_ns)}
    return {"linear": {"initial": format_duration(initial_ns), "step": format_duration(step_ns), **cap, **more}}


def formula(
    text: str, *, let: dict[str, str] | None = None, start: dict[str, Any] | None = None, **given: Any
) -> dict[str, Any]:
    """Return a delay by a formula; `given` are the durations and numbers that it names."""
    lets: dict[str, Any] = {} if let is None else {"let": let}
    starts: dict[str, Any] = {} if start is None else {"start": start}
    return {**lets, "formula": text, **starts, **given}


def delayed(delay: Any) -> dict[str, Any]:
    """Return the key `delay` of a policy, nothing if there is none."""
    return {} if delay == "none" else {"delay": delay}
