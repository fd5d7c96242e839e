"""Kubernetes Gateway API: HTTPRoute and XBackendTrafficPolicy (YAML), one policy for each rule of a route.

Facts: kubernetes-sigs/gateway-api 4564255 apis/v1/httproute_types.go and apisx/v1alpha1/xbackendtrafficpolicy_types.go.

Counting: `retry.attempts` counts retries. The API has no default for it, nor for the law of the delays: `backoff` is
the least delay. What the implementation decides is chosen here and told as a loss: 1 retry, always the least delay.
Answers: 409 is `conflict`, 429 `rejected`, any other status `failed.CODE`; without `codes` every failure is retried.
Budget: retries are `percent` of the requests in `interval`, and `minRetryRate` more; 20 % of 10 s and 10 a second
unless stated. It belongs to a backend, here to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import answer_of_status, status_of_answer
from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed
from sim.converters.fields import Fields, Reading, share_of
from sim.converters.nearest import UsualCodes
from sim.converters.units import GO
from sim.converters.writing import Wanted, confirmed, put, time, yaml_text
from sim.kernel.durations import NS_PER_S, UNITS_NS, format_rate, parse_rate

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "Gateway API"
ROUTES: Final = ("HTTPRoute", "GRPCRoute")
USUAL: Final = UsualCodes("500, 502, 503 and 504 stand", tuple(f"failed.{code}" for code in (500, 502, 503, 504)))
BUDGETS: Final = ("XBackendTrafficPolicy", "BackendTrafficPolicy")
CANNOT: Final = {
    "delay": "`backoff` is a constant least delay: {constant: DELAY}",
    "retry_on": "`codes` are statuses: failed.CODE such as failed.503, 409 as conflict and 429 as rejected",
    "budget": "the budget is {window: {share, of, at_least}}",
    "retry_after": "no field lets an answer say when to come back",
    "breaker": "the API has no circuit breaker",
    "hedge": "the API has no hedging",
    "cases": "a rule has one policy for all codes",
    "bulkhead": "the API limits no concurrency",
    "rate_limit": "the API limits no rate",
    "deadline": "the timeout of a request is hard and counts from the start",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a resource of the Gateway API, or a rule of one."""
    version = str(values.get("apiVersion", ""))
    if version:
        return "gateway.networking" in version
    retry = values.get("retry")
    return "retryConstraint" in values or (
        isinstance(retry, Mapping) and bool({"codes", "backoff"} & retry.keys()) and "retries" not in values
    )


def read(document: Document) -> Converted:
    """Read the rules of all routes, or one rule. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    roots = list(reading.roots())
    policies: list[Policy] = []
    budgets = [root for root in roots if root.peek("kind") in BUDGETS or _constraint_of(root) is not None]
    budget = next(iter(map(_budget, budgets)), None)
    for root in roots:
        kind = root.peek("kind")
        if root in budgets:
            continue
        if kind is not None and kind not in ROUTES:
            root.note("kind", "of the resources of the Gateway API, routes and XBackendTrafficPolicy are read")
            continue
        spec = root.below("spec") if "spec" in root else None
        if spec is None and "rules" not in root:
            policies.append(Policy(root.text("name", "rule"), _rule(root, budget)))
            continue
        root.ignore("apiVersion", "kind", "metadata", "status")
        holder = root if spec is None else spec
        rules = holder.entries("rules")
        for number, rule in enumerate(rules):
            own = rule.text("name", "") or (f"rule {number + 1}" if len(rules) > 1 else "")
            policies.append(Policy(f"{_name_of(root)} {own}".strip(), _rule(rule, budget)))
        for fields in (root, holder):
            fields.rest("it is about routing, not about retries")
    if budget is not None and not policies:
        budgets[0].note("spec", "no route with retries is in the file; 1 retry is taken")
        policies.append(Policy(_name_of(budgets[0]), {"attempts": 2, "budget": budget}))
    return reading.converted(policies)


def _name_of(root: Fields) -> str:
    metadata = root.peek("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _constraint_of(root: Fields) -> Any:
    return root.peek("retryConstraint")


def _budget(root: Fields) -> dict[str, Any] | None:
    root.ignore("apiVersion", "kind", "metadata", "status")
    spec = root.below("spec") if "spec" in root else root
    constraint = None if spec is None else spec.below("retryConstraint")
    if spec is not None:
        spec.ignore("targetRefs")
        spec.rest("it is not about retries")
    if constraint is None:
        return None
    percent, of_ns = 20, 10 * NS_PER_S
    count, interval_ns = 10, NS_PER_S
    budget, rate = constraint.below("budget"), constraint.below("minRetryRate")
    if budget is not None:
        percent = budget.whole("percent", 20, 0, 100)
        of_ns = budget.time("interval", GO, of_ns, least_ns=NS_PER_S, most_ns=UNITS_NS["h"])
        budget.rest("the API knows no such key of a budget")
    if rate is not None:
        count = rate.whole("count", 10, 1, 1_000_000)
        interval_ns = rate.time("interval", GO, NS_PER_S, above=True, most_ns=UNITS_NS["h"])
        rate.rest("the API knows no such key of a rate")
    constraint.rest("the API knows no such key of a retryConstraint")
    per_second = count * NS_PER_S / interval_ns
    return {"window": {"share": share_of(percent), "of": time(of_ns), "at_least": format_rate(per_second)}}


def _rule(rule: Fields, budget: dict[str, Any] | None) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    timeouts = rule.below("timeouts")
    if timeouts is not None:
        deadline_ns = timeouts.time("request", GO, 0)
        try_ns = timeouts.time("backendRequest", GO, 0)
        timeouts.rest("the API knows no such timeout")
        if try_ns and deadline_ns and try_ns > deadline_ns:
            timeouts.wrong("backendRequest", "must not be longer than `request`")
        tree |= {"timeout": time(try_ns)} if try_ns else {}
        tree |= {"deadline": time(deadline_ns)} if deadline_ns else {}
    retry = rule.below("retry")
    rule.ignore("name")
    rule.rest("it is about routing, not about retries")
    if retry is None:
        return tree
    retries = retry.whole("attempts", None, 1)
    if retries is None:
        retry.note("attempts", "how many retries there are is left to the implementation; 1 is taken")
    delay_ns = retry.time("backoff", GO, None)
    if delay_ns is None:
        retry.note("backoff", "the delays are left to the implementation; none is taken")
    else:
        retry.note("backoff", "it is the least delay, and the law is the implementation's; here it is the delay itself")
    answers = []
    for path, code in retry.items("codes"):
        if not isinstance(code, int) or isinstance(code, bool) or not 400 <= code <= 599:
            retry.reading.wrong(path, "not a status code from 400 to 599")
        else:
            answers.append(answer_of_status(code))
    if not answers:
        retry.note("codes", "which statuses are retried is left to the implementation; here every failure is")
    retry.rest("the API knows no such key of retry")
    more: dict[str, Any] = {"retry_on": list(dict.fromkeys(answers))} if answers else {}
    more |= {"budget": budget} if budget is not None else {}
    return {"attempts": (retries or 1) + 1, **delayed(constant(delay_ns or 0)), **tree, **more}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as an HTTPRoute, and an XBackendTrafficPolicy if it has a budget. Raises CannotWrite."""
    wanted = Wanted(policy)
    rule: dict[str, Any] = {"backendRefs": [{"name": "backend", "port": 80}]}
    timeouts = {}
    if (deadline_ns := wanted.deadline_ns()) is not None:
        timeouts["request"] = put(GO, ("deadline",), deadline_ns)
    if (try_ns := wanted.ns("timeout")) is not None:
        timeouts["backendRequest"] = put(GO, ("timeout",), try_ns)
    if timeouts:
        rule["timeouts"] = timeouts
    if (wanted.attempts or 0) > 1:
        answers = [] if wanted.retries_all else wanted.retry_on
        codes = [code for code in map(status_of_answer, answers) if code is not None]
        rule["retry"] = {"attempts": (wanted.attempts or 2) - 1, **({"codes": codes} if codes else {})}
        delay_ns = wanted.ns("delay", "constant")
        if delay_ns is not None:
            rule["retry"]["backoff"] = put(GO, ("delay",), delay_ns)
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "backend"}}
    text = yaml_text({**head, "spec": {"rules": [rule]}})
    window = wanted.get("budget", "window")
    if isinstance(window, Mapping):
        text = f"{text}---\n{yaml_text({**head, **_written_budget(window)})}"
    return confirmed(wanted, text, read, TITLE, CANNOT)


def _written_budget(window: Mapping[str, Any]) -> dict[str, Any]:
    share, rate = window.get("share", 0.2), window.get("at_least")
    budget: dict[str, Any] = {"percent": round(share * 100) if isinstance(share, int | float) else 20}
    if isinstance(window.get("of"), str):
        budget["interval"] = window["of"]
    constraint: dict[str, Any] = {"budget": budget}
    try:
        per_second = parse_rate(rate)
    except ValueError:
        per_second = 0.0
    for interval_ns in (NS_PER_S, UNITS_NS["m"], UNITS_NS["h"]):
        count = per_second * interval_ns / NS_PER_S
        if count and abs(count - round(count)) < 1e-9 * count:
            constraint["minRetryRate"] = {"count": round(count), "interval": GO.write(interval_ns)}
            break
    return {
        "apiVersion": "gateway.networking.x-k8s.io/v1alpha1",
        "kind": "XBackendTrafficPolicy",
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "backend"}], "retryConstraint": constraint},
    }
