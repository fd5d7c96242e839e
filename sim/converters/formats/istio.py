"""Istio: VirtualService (YAML), one policy for each HTTP route; DestinationRule may limit parallel retries.

Facts: istio/api b8f8791 networking/v1alpha3/virtual_service.proto; istio/istio 86c9f01
pilot/pkg/networking/core/route/retry/retry.go and pilot/pkg/networking/core/cluster_builder.go.

Counting: `attempts` counts retries. Without a `retries` block there are 2, for connect-failure, refused-stream,
unavailable, cancelled and 503; a block without `attempts`, or with 0 or less, turns retries off.
Answers and law are Envoy's (`sim.converters.formats.envoy`), with 25 ms and ten times the base as bounds.
Budget: none unless a DestinationRule states `maxRetries`, since Istio lifts Envoy's 3 parallel retries; no route
timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import answer_of_status
from sim.converters.converted import Converted, Policy
from sim.converters.fields import Fields, Reading
from sim.converters.formats.envoy_words import (
    CONDITIONS,
    STATUS_CODES,
    answers_of,
    conditions_of,
    envoy_delay,
    parallel_retries,
)
from sim.converters.nearest import UsualCodes
from sim.converters.units import GO
from sim.converters.writing import Wanted, confirmed, put, time, yaml_text
from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "Istio"
API: Final = "networking.istio.io/"
BASE_NS: Final = 25 * NS_PER_MS
RETRIES: Final = 2
RETRY_ON: Final = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
STATUSES: Final = (503,)
"""What the default's retriable-status-codes stands for."""
USUAL: Final = UsualCodes(
    "the conditions that Istio has by default stand",
    (
        *(answer for word in RETRY_ON.split(",") for answer in CONDITIONS.get(word, ())),
        *map(answer_of_status, STATUSES),
    ),
)
_OF_RETRIES: Final = {"attempts", "perTryTimeout", "retryOn", "retryRemoteLocalities", "retryIgnorePreviousHosts"}
CANNOT: Final = {
    "delay": (
        "the law is Envoy's, and the cap ten times the base: {exponential: {initial, factor: 2, cap, jitter: full, "
        "floor: 1ms}}"
    ),
    "retry_on": "`retryOn` can name conditions such as 5xx (failed and timed_out) and statuses such as failed.503",
    "budget": "a DestinationRule can limit parallel retries alone: {active: {share: 0, at_least, sleeping: true}}",
    "retry_after": "no field of a VirtualService lets an answer say when to come back",
    "breaker": "the outlier detection of a DestinationRule ejects hosts, it does not refuse calls",
    "hedge": "a VirtualService has no hedging",
    "cases": "a route has one policy for all conditions",
    "bulkhead": "a VirtualService limits no concurrency",
    "rate_limit": "a VirtualService limits no rate",
    "deadline": "the timeout of a route is hard and counts from the start",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a resource of Istio, a route or a block of retries."""
    if str(values.get("apiVersion", "")).startswith(API):
        return True
    if "perTryTimeout" in values and values.keys() <= {*_OF_RETRIES, "backoff"}:
        return True
    return isinstance(values.get("retries"), Mapping) and bool(_OF_RETRIES & values["retries"].keys())


def read(document: Document) -> Converted:
    """Read the routes of all VirtualServices, or one route, or one block of retries. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    roots = [root for root in reading.roots() if root.names()]
    rules = [root for root in roots if root.peek("kind") == "DestinationRule"]
    budgets = _Budgets(rules)
    for root in roots:
        if root in rules:
            continue
        spec = root.below("spec") if "spec" in root else None
        if root.peek("kind") not in {None, "VirtualService"}:
            root.note("kind", "of the resources of Istio, VirtualService and DestinationRule are read")
            continue
        if spec is not None:
            root.ignore("apiVersion", "kind", "metadata", "status")
            root.rest("it is not about retries")
            name = _name_of(root)
            routes = spec.entries("http")
            spec.rest("it is about routing, not about retries")
            for number, route in enumerate(routes):
                own = route.text("name", "") or (f"route {number + 1}" if len(routes) > 1 else "")
                policies.append(Policy(f"{name} {own}".strip(), _route(route, budgets)))
        elif "http" in root:
            policies += [Policy(one.text("name", "route"), _route(one, budgets)) for one in root.entries("http")]
            root.rest("it is about routing, not about retries")
        elif isinstance(root.peek("retries"), Mapping) or "timeout" in root:
            policies.append(Policy(root.text("name", "route"), _route(root, budgets)))
        else:
            policies.append(Policy("route", _retried(root, budgets.only)))
    budgets.tell_unused()
    return reading.converted(policies)


def _name_of(root: Fields) -> str:
    metadata = root.peek("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


class _Budgets:
    """What DestinationRules say of the retries to their hosts."""

    def __init__(self, rules: list[Fields]) -> None:
        self._of_host: dict[str, dict[str, Any] | None] = {}
        self._rules: dict[str, Fields] = {}
        """The rules that no route has asked for, by host."""
        for rule in rules:
            spec = rule.below("spec")
            host = "" if spec is None else _short(spec.text("host", ""))
            self._of_host[host] = _budget(rule, spec)
            self._rules[host] = rule

    @property
    def only(self) -> dict[str, Any] | None:
        """What holds if no host is named: that of the only rule."""
        if len(self._of_host) != 1:
            return None
        self._rules.clear()
        return next(iter(self._of_host.values()))

    def of(self, route: Fields) -> dict[str, Any] | None:
        """Return what holds for the first destination of a route."""
        for entry in route.peek("route") or []:
            destination = entry.get("destination") if isinstance(entry, Mapping) else None
            host = destination.get("host") if isinstance(destination, Mapping) else None
            if isinstance(host, str):
                self._rules.pop(_short(host), None)
                return self._of_host.get(_short(host))
        return self.only

    def tell_unused(self) -> None:
        """Note the rules with a limit that holds for no route of the file."""
        for host, rule in self._rules.items():
            if self._of_host[host] is not None:
                rule.note("spec", f"no route of this file leads to '{host}' first, so its maxRetries limits nothing")


def _short(host: str) -> str:
    """Return the name of a service without its namespace: rules and routes may write either."""
    return host.partition(".")[0]


def _budget(rule: Fields, spec: Fields | None) -> dict[str, Any] | None:
    rule.ignore("apiVersion", "kind", "metadata", "status")
    policy = None if spec is None else spec.below("trafficPolicy")
    pool = None if policy is None else policy.below("connectionPool")
    http = None if pool is None else pool.below("http")
    parallel = None if http is None else http.whole("maxRetries", None)
    if policy is not None:
        policy.lost("outlierDetection", "it ejects hosts, and hosts are not modeled")
    for fields in (rule, spec, policy, pool, http):
        if fields is not None:
            fields.rest("it is not about retries")
    if not parallel and http is not None:
        http.lost("maxRetries", "0 stands for the default, which is no limit")
    return parallel_retries(parallel) if parallel else None


def _route(route: Fields, budgets: _Budgets) -> dict[str, Any]:
    budget = budgets.of(route)
    deadline_ns = route.time("timeout", GO, 0)
    retries = route.below("retries")
    route.rest("it is about routing, not about retries")
    if retries is not None:
        tree = _retried(retries, budget)
    else:
        route.note(
            "retries", "without `retries` Istio retries twice, at other hosts if there are any; hosts are not modeled"
        )
        tree = _tree(RETRIES, list(USUAL.answers), envoy_delay(BASE_NS, 10 * BASE_NS), budget)
    return {**tree, "deadline": time(deadline_ns)} if deadline_ns else tree


def _retried(retries: Fields, budget: dict[str, Any] | None) -> dict[str, Any]:
    attempts = retries.whole("attempts", 0, -(2**31))
    try_ns = retries.time("perTryTimeout", GO, None, least_ns=NS_PER_MS)
    base_ns = retries.time("backoff", GO, BASE_NS, least_ns=NS_PER_MS)
    if base_ns % NS_PER_MS:
        base_ns -= base_ns % NS_PER_MS
        retries.note("backoff", f"Envoy counts in whole ms: here {time(base_ns)}")
    text = retries.text("retryOn", None)
    words = [word.strip() for word in (text or RETRY_ON).split(",") if word.strip()]
    codes = [((*retries.path, "retryOn"), int(word)) for word in words if word.isdecimal() and len(word) < 5]
    if text is None:
        codes = [((*retries.path, "retryOn"), code) for code in STATUSES]
    words = [*(word for word in words if not word.isdecimal()), *([STATUS_CODES] if codes else [])]
    answers = answers_of(retries, "retryOn", list(dict.fromkeys(words)), codes)
    retries.lost("retryRemoteLocalities", "hosts are not modeled")
    retries.lost("retryIgnorePreviousHosts", "hosts are not modeled")
    retries.rest("Istio knows no such key of retries")
    timeout = {} if try_ns is None else {"timeout": time(try_ns)}
    if attempts <= 0:
        given = "attempts" in retries
        retries.note("attempts", "retries are off" if given else "a block without `attempts` turns retries off")
        return timeout
    return {**_tree(attempts, answers, envoy_delay(base_ns, 10 * base_ns), budget), **timeout}


def _tree(retries: int, answers: list[str], delay: dict[str, Any], budget: dict[str, Any] | None) -> dict[str, Any]:
    if not answers:
        return {}
    own = {} if budget is None else {"budget": budget}
    return {"attempts": retries + 1, "delay": delay, "retry_on": list(dict.fromkeys(answers)), **own}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a VirtualService, and a DestinationRule if it has a budget. Raises CannotWrite."""
    wanted = Wanted(policy)
    attempts = wanted.attempts or 0
    retries: dict[str, Any] = {"attempts": max(attempts - 1, 0)}
    if (try_ns := wanted.ns("timeout")) is not None:
        retries["perTryTimeout"] = put(GO, ("timeout",), try_ns)
    if attempts > 1:
        conditions, codes = conditions_of(wanted.retry_on)
        retries["retryOn"] = ",".join([*(one for one in conditions if one != STATUS_CODES), *map(str, codes)])
        base_ns = wanted.ns("delay", "exponential", "initial")
        if base_ns is not None:
            retries["backoff"] = put(GO, ("delay",), base_ns)
    route: dict[str, Any] = {"route": [{"destination": {"host": "backend"}}], "retries": retries}
    if (deadline_ns := wanted.deadline_ns()) is not None:
        route["timeout"] = put(GO, ("deadline",), deadline_ns)
    head = {"apiVersion": f"{API}v1", "kind": "VirtualService", "metadata": {"name": "backend"}}
    text = yaml_text({**head, "spec": {"hosts": ["backend"], "http": [route]}})
    parallel = wanted.get("budget", "active", "at_least")
    if parallel is not None:
        pool = {"connectionPool": {"http": {"maxRetries": parallel}}}
        rule = {**head, "kind": "DestinationRule", "spec": {"host": "backend", "trafficPolicy": pool}}
        text = f"{text}---\n{yaml_text(rule)}"
    return confirmed(wanted, text, read, TITLE, CANNOT)
