"""Envoy: route actions with a `retry_policy` (YAML or JSON, in snake or camel case), one policy for each route.

Facts: envoyproxy/data-plane-api 84e84367 route_components.proto and circuit_breaker.proto; envoyproxy/envoy
source/common/router/retry_state_impl.cc and source/common/common/backoff_strategy.cc.

A route is a mapping with `retry_policy`, wherever it stands; a virtual host's holds for its routes that have none. A
bare `RetryPolicy` is taken as that of a route with the default timeout of 15 s.
Counting: `num_retries` counts retries, 1 by default, and none without `retry_on`.
Answers: 5xx is `failed` and `timed_out`; gateway-error and reset are `failed.gateway-error` and `failed.reset`, each
with `timed_out`, since a try that took too long counts as both; retriable-4xx and 409 are `conflict`;
envoy-ratelimited, resource-exhausted and 429 are `rejected`; deadline-exceeded is `timed_out`; any other condition or
status is `failed.NAME` (`failed.connect-failure`, `failed.503`).
Law: whole ms from 0 to below min(max, base * 2^(n-1)). Retries that sleep count as retries in flight. A reset header
is waited for 1 to 1.5 times, in whole ms.
Budget: that of the cluster if the file has one, else its default of 3 parallel retries; it belongs to a cluster and a
priority of one Envoy, here to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import delayed
from sim.converters.fields import Fields, Reading, share_of
from sim.converters.formats.envoy_text import text_of
from sim.converters.formats.envoy_words import (
    CONDITIONS,
    PARALLEL,
    answers_of,
    envoy_delay,
    is_allowed,
    parallel_retries,
    share_of_active,
)
from sim.converters.names import snake
from sim.converters.nearest import UsualCodes
from sim.converters.units import PROTO
from sim.converters.writing import Wanted, confirmed, time
from sim.kernel.durations import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.converters.documents import Document
    from sim.scenario.mistakes.problems import Path

TITLE: Final = "Envoy"
ROUTE_TIMEOUT_NS: Final = 15 * NS_PER_S
BASE_NS: Final = 25 * NS_PER_MS
RETRIES: Final = 1
USUAL: Final = UsualCodes("5xx stands", CONDITIONS["5xx"])
RESET: Final = "hint + floor(u * floor(hint / 2))"
"""The wait for a reset header: whole ms below 1.5 times what it says."""
_OF_POLICY: Final = {"retry_on", "num_retries", "retry_back_off", "per_try_timeout", "retriable_status_codes"}
CANNOT: Final = {
    "attempts": "without conditions in `retry_on` Envoy makes no retry",
    "delay": "Envoy has one law: {exponential: {initial, factor: 2, cap, jitter: full, floor: 1ms}}",
    "retry_on": "`retry_on` can name conditions such as 5xx (failed and timed_out) and statuses such as failed.503",
    "breaker": "Envoy's outlier detection ejects hosts, it does not refuse calls",
    "budget": (
        "Envoy has one budget, always: {active: {share, at_least, sleeping: true, round: down}}, 3 parallel "
        "retries by default"
    ),
    "cases": "Envoy has one policy for all conditions",
    "bulkhead": "limits of a cluster other than those of retries are not written",
    "rate_limit": "rate limits are filters of their own",
    "retry_after": (
        f"only {{obey: true, at_most, above: ignore, as: {RESET!r}}} can be said, by headers of rate-limited answers"
    ),
    "deadline": "the timeout of a route is hard and counts from the start; without one, `timeout: 0s` is written",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether somewhere in it there is a route with a retry policy, or a cluster with a budget of retries."""
    keys = {snake(key) for key in values}
    if {"apiversion", "api_version"} & keys:
        return False
    if "retry_on" in keys or (len(_OF_POLICY & keys) > 1 and "num_retries" in keys):
        return True
    if "retry_policy" in keys:
        below = next(value for key, value in values.items() if snake(key) == "retry_policy")
        return isinstance(below, Mapping) and (not below or bool({snake(key) for key in below} & _OF_POLICY))
    return any(isinstance(one, Mapping) and fits(one) for one in _below(values))


def _below(values: Mapping[str, Any]) -> Iterator[Any]:
    for value in values.values():
        yield from value if isinstance(value, list) else [value]


def read(document: Document) -> Converted:
    """Read every route with a retry policy, or a bare RetryPolicy. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies: list[Policy] = []
    for root in reading.roots(snake):
        clusters = _Clusters()
        clusters.find(root.path, dict(_plain(root)), reading)
        if "retry_on" in root or {"num_retries", "retry_back_off"} & set(root.names()):
            policies.append(Policy("route", _policy(None, root, clusters.default, None)))
        else:
            policies += _routes(root, "", None, clusters)
    return reading.converted(policies)


def _plain(fields: Fields) -> Iterator[tuple[str, Any]]:
    for name in fields.names():
        yield name, fields.peek(name)


class _Clusters:
    """The budgets of the clusters in a file, by name."""

    def __init__(self) -> None:
        self.default = parallel_retries(PARALLEL)
        self.budgets: dict[str, dict[str, Any]] = {}

    def of(self, action: Fields) -> dict[str, Any]:
        """Return the budget of the cluster that a route leads to."""
        name = action.peek("cluster")
        return self.budgets.get(name, self.default) if isinstance(name, str) else self.default

    def find(self, path: Path, values: Mapping[str, Any], reading: Reading) -> None:
        for key, value in values.items():
            if snake(key) == "circuit_breakers" and isinstance(value, Mapping):
                breakers = Fields(reading, (*path, key), value, snake)
                budget = self._budget(breakers)
                name = values.get("name")
                if isinstance(name, str):
                    self.budgets[name] = budget
                else:
                    self.default = budget
            elif isinstance(value, Mapping):
                self.find((*path, key), value, reading)
            elif isinstance(value, list):
                for position, entry in enumerate(value):
                    if isinstance(entry, Mapping):
                        self.find((*path, key, position), entry, reading)

    def _budget(self, breakers: Fields) -> dict[str, Any]:
        budget = self.default
        for position, threshold in enumerate(breakers.entries("thresholds")):
            priority = threshold.text("priority", "DEFAULT")
            for name in (
                "max_connections",
                "max_pending_requests",
                "max_requests",
                "max_connection_pools",
                "track_remaining",
            ):
                threshold.lost(name, "limits of a cluster other than those of retries are not carried over")
            parallel = threshold.whole("max_retries", PARALLEL)
            of_retries = threshold.below("retry_budget")
            threshold.rest("Envoy knows no such limit of a cluster")
            if position or priority.upper() != "DEFAULT":
                threshold.note("priority", "one budget is carried over, that of the first priority")
                continue
            budget = parallel_retries(parallel)
            if of_retries is not None:
                percent = of_retries.below("budget_percent")
                share = 20.0 if percent is None else percent.number("value", 0.0, least=0, most=100)
                least = of_retries.whole("min_retry_concurrency", PARALLEL)
                of_retries.rest("Envoy knows no such key of a retry_budget")
                budget = share_of_active(share_of(share), least) if share else parallel_retries(least)
        breakers.rest("it is not about retries")
        return budget


def _routes(fields: Fields, name: str, inherited: Fields | None, clusters: _Clusters) -> Iterator[Policy]:
    """Yield the policies of a mapping and of all below it; fields that lead to none are losses."""
    name = _name_of(fields, name)
    is_action = "cluster" in fields or "timeout" in fields or "hedge_policy" in fields
    own = fields.below("retry_policy") if "retry_policy" in fields else None
    if own is not None and not is_action and any(_has_routes(fields.peek(key)) for key in fields.names()):
        inherited, own = own, None
    if own is not None or (is_action and inherited is not None):
        yield Policy(
            name or "route", _policy(fields, own or inherited, clusters.of(fields), fields.below("hedge_policy"))
        )
        return
    fields.ignore("name", "domains", "circuit_breakers", "@type")
    for key in fields.names():
        value = fields.peek(key)
        if isinstance(value, Mapping) and _leads_on(value, inherited):
            below = fields.below(key)
            if below is not None:
                yield from _routes(below, name, inherited, clusters)
        elif isinstance(value, list) and any(isinstance(one, Mapping) and _leads_on(one, inherited) for one in value):
            for entry in fields.entries(key):
                yield from _routes(entry, name, inherited, clusters)
    fields.rest("it is about routing, not about retries")


def _has_routes(value: Any) -> bool:
    entries = value if isinstance(value, list) else [value]
    return any(isinstance(one, Mapping) and ({"route", "routes"} & one.keys()) for one in entries)


def _leads_on(value: Mapping[str, Any], inherited: Fields | None) -> bool:
    keys = {snake(key) for key in value}
    if {"retry_policy", "circuit_breakers"} & keys or (inherited is not None and "cluster" in keys):
        return True
    return any(isinstance(one, Mapping) and _leads_on(one, inherited) for one in _below(value))


def _name_of(fields: Fields, above: str) -> str:
    own = fields.peek("name")
    if isinstance(own, str) and own:
        return own
    match = fields.peek("match")
    if isinstance(match, Mapping):
        for key in ("prefix", "path", "safe_regex"):
            if isinstance(match.get(key), str):
                fields.ignore("match")
                return f"{above} {match[key]}".strip()
    return above


def _policy(
    action: Fields | None, policy: Fields | None, budget: dict[str, Any], hedge: Fields | None
) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    deadline_ns = ROUTE_TIMEOUT_NS
    if action is not None:
        deadline_ns = action.time("timeout", PROTO, ROUTE_TIMEOUT_NS)
        action.ignore("cluster", "name")
        action.rest("it is about routing, not about retries")
    if deadline_ns:
        tree["deadline"] = time(deadline_ns)
    if policy is None:
        return tree
    answers = _answers(policy)
    retries = policy.whole("num_retries", RETRIES)
    try_ns = policy.time("per_try_timeout", PROTO, 0)
    delay = _delay(policy)
    hint = _hint(policy)
    for name, why in {
        "per_try_idle_timeout": "the simulated answers come in one piece, so there is no idle time in them",
        "retry_priority": "hosts and priorities are not modeled",
        "retry_host_predicate": "hosts are not modeled",
        "retry_options_predicates": "hosts are not modeled",
        "host_selection_retry_max_attempts": "hosts are not modeled",
        "retriable_headers": "headers are not modeled",
        "retriable_request_headers": "headers are not modeled",
    }.items():
        policy.lost(name, why)
    policy.rest("Envoy knows no such key of a retry_policy")
    hedges = _hedges(hedge, try_ns, deadline_ns) if hedge is not None else False
    if try_ns and not hedges:
        tree["timeout"] = time(try_ns)
    if not is_allowed(budget):
        policy.note("num_retries", "the cluster allows no retry")
    if not answers or not retries or not is_allowed(budget):
        return tree
    tree = {"attempts": retries + 1, **delayed(delay), **tree, "retry_on": answers, "budget": budget}
    if hedges:
        tree["attempts"] = 1
        tree["hedge"] = {"after": time(try_ns), "at_most": retries, "cancels": True, "at_failure": "delay"}
    return {**tree, "retry_after": hint} if hint is not None else tree


def _answers(policy: Fields) -> list[str]:
    text = policy.text("retry_on", "")
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        policy.note("retry_on", "without conditions Envoy makes no retry, whatever else is stated")
    return answers_of(policy, "retry_on", words, policy.items("retriable_status_codes"))


def _delay(policy: Fields) -> Any:
    back_off = policy.below("retry_back_off")
    if back_off is None:
        return envoy_delay(BASE_NS, 10 * BASE_NS)
    base_ns = BASE_NS
    if back_off.required("base_interval"):
        base_ns = back_off.time("base_interval", PROTO, BASE_NS, above=True)
    base_ns = _whole_ms(back_off, "base_interval", base_ns)
    cap_ns = _whole_ms(back_off, "max_interval", back_off.time("max_interval", PROTO, 10 * base_ns, above=True))
    if cap_ns < base_ns:
        back_off.wrong("max_interval", "must not be less than base_interval")
    back_off.rest("Envoy knows no such key of a retry_back_off")
    return envoy_delay(base_ns, cap_ns)


def _whole_ms(back_off: Fields, name: str, duration_ns: int) -> int:
    whole_ns = max(duration_ns // NS_PER_MS, 1) * NS_PER_MS
    if whole_ns != duration_ns:
        back_off.note(name, f"Envoy counts in whole ms: {time(duration_ns)} is {time(whole_ns)}")
    return whole_ns


def _hint(policy: Fields) -> dict[str, Any] | None:
    limited = policy.below("rate_limited_retry_back_off")
    if limited is None:
        return None
    most_ns = limited.time("max_interval", PROTO, 300 * NS_PER_S, above=True)
    headers = limited.entries("reset_headers")
    for header in headers:
        name = header.text("name", "")
        if name.lower() != "retry-after":
            header.note("name", "any error that asks to wait stands for this header")
        header.choice("format", ("SECONDS", "UNIX_TIMESTAMP"), "SECONDS")
        header.rest("Envoy knows no such key of a reset header")
    if not headers:
        limited.wrong("reset_headers", "at least one header must be named")
    limited.rest("Envoy knows no such key of a rate_limited_retry_back_off")
    return {"obey": True, "at_most": time(most_ns), "above": "ignore", "as": RESET}


def _hedges(hedge: Fields, try_ns: int, deadline_ns: int) -> bool:
    hedges = hedge.flag("hedge_on_per_try_timeout", False)  # noqa: FBT003  # the default
    hedge.lost("initial_requests", "Envoy does not implement it")
    hedge.lost("additional_request_chance", "Envoy does not implement it")
    hedge.rest("Envoy knows no such key of a hedge_policy")
    if hedges and not try_ns:
        hedge.note("hedge_on_per_try_timeout", "without per_try_timeout no copy is ever sent")
        return False
    if hedges and 0 < deadline_ns <= try_ns:
        hedge.note("hedge_on_per_try_timeout", "the timeout of the route ends all before a copy would be sent")
        return False
    return hedges


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a route and its cluster. Raises CannotWrite."""
    wanted = Wanted(policy)
    return confirmed(wanted, text_of(wanted), read, TITLE, CANNOT)
