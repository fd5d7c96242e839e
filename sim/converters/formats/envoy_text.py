"""Writes the route and the cluster of Envoy that a policy would be, if it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.converters.formats.envoy_words import PARALLEL, conditions_of
from sim.converters.units import PROTO
from sim.converters.writing import put, yaml_text

if TYPE_CHECKING:
    from sim.converters.writing import Wanted


def text_of(wanted: Wanted) -> str:
    """Return a configuration with one route. Raises CannotWrite if a duration does not fit."""
    deadline_ns = wanted.deadline_ns() or 0
    action: dict[str, Any] = {"cluster": "backend", "timeout": put(PROTO, ("deadline",), deadline_ns)}
    retry: dict[str, Any] = {}
    conditions, codes = conditions_of(wanted.retry_on)
    hedge = wanted.get("hedge")
    attempts = wanted.attempts or 0
    if attempts > 1 or hedge is not None:
        retries = hedge.get("at_most") if isinstance(hedge, Mapping) else attempts - 1
        retry = {"retry_on": ",".join(conditions), "num_retries": retries}
        if codes:
            retry["retriable_status_codes"] = codes
        base_ns, cap_ns = (wanted.ns("delay", "exponential", key) for key in ("initial", "cap"))
        if base_ns is not None and cap_ns is not None:
            retry["retry_back_off"] = {
                "base_interval": put(PROTO, ("delay",), base_ns),
                "max_interval": put(PROTO, ("delay",), cap_ns),
            }
    try_ns = wanted.ns("hedge", "after") if hedge is not None else wanted.ns("timeout")
    if try_ns is not None:
        retry["per_try_timeout"] = put(PROTO, ("timeout",), try_ns)
    if (most_ns := wanted.ns("retry_after", "at_most")) is not None:
        headers = [{"name": "retry-after", "format": "SECONDS"}]
        limited = {"reset_headers": headers, "max_interval": put(PROTO, ("retry_after", "at_most"), most_ns)}
        retry["rate_limited_retry_back_off"] = limited
    action["retry_policy"] = retry
    if hedge is not None:
        action["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    config = {"routes": [{"match": {"prefix": "/"}, "route": action}], **_clusters(wanted)}
    return yaml_text(config)


def _clusters(wanted: Wanted) -> dict[str, Any]:
    active = wanted.get("budget", "active")
    if not isinstance(active, Mapping):
        return {}
    share, least = active.get("share", 0.2), active.get("at_least", PARALLEL)
    if not share and least == PARALLEL:
        return {}
    threshold: dict[str, Any] = {"max_retries": least}
    if share:
        percent = {"value": round(share * 100, 9)} if isinstance(share, int | float) else {}
        threshold = {"retry_budget": {"budget_percent": percent, "min_retry_concurrency": least}}
    return {"clusters": [{"name": "backend", "circuit_breakers": {"thresholds": [threshold]}}]}
