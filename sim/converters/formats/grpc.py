"""gRPC: the service config (JSON), one policy for each entry of `methodConfig`.

Facts: grpc/proposal A6-client-retries.md at 1fd061a; grpc-go 4793ad047 stream.go and service_config.go; grpc-java
5fda0c7 RetriableStream.java; retry_throttle.cc of the C core.

Counting: `maxAttempts` counts tries, for hedging too; above 5 it counts as 5, the client's own maximum.
Answers: RESOURCE_EXHAUSTED is `rejected`, ABORTED `conflict`, DEADLINE_EXCEEDED `timed_out`, and any other code is
`failed.` with its name in small letters (UNAVAILABLE: `failed.unavailable`).
Law: min(initial * multiplier^(n-1), max) * U[0.8, 1.2), so jitter may pass the cap. (Java does not cap the first
delay.)
Pushback (`grpc-retry-pushback-ms`) is always obeyed, and the exponent starts again; as in Go only for codes that are
retried. The throttle belongs to a server name in a process, here to the client, and all methods share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import exponential
from sim.converters.fields import Fields, Reading
from sim.converters.nearest import UsualCodes
from sim.converters.units import PROTO
from sim.converters.writing import Wanted, confirmed, json_text, put, time
from sim.kernel.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.converters.documents import Document

TITLE: Final = "gRPC service config"
MOST_TRIES: Final = 5
CODES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""By their numbers."""
_ANSWERS: Final = {"RESOURCE_EXHAUSTED": "rejected", "ABORTED": "conflict", "DEADLINE_EXCEEDED": "timed_out"}
USUAL: Final = UsualCodes("UNAVAILABLE stands", ("failed.unavailable",))
PUSHBACK: Final = {"obey": True, "resets": True}
CANNOT: Final = {
    "attempts": "a gRPC client makes 2 to 5 tries",
    "timeout": "gRPC has no timeout of one try; `timeout` of a method is that of all tries, a `deadline` here",
    "retry_after": "a gRPC client always obeys pushback, and starts its exponent again: {obey: true, resets: true}",
    "delay.exponential.jitter": "the jitter of gRPC is 20 %: {spread: 0.2}",
    "delay.exponential.cap": "gRPC needs a longest delay, and applies it before the jitter",
    "delay": "gRPC has one law: {exponential: {initial, factor, cap, jitter: {spread: 0.2}}}",
    "budget": "gRPC has one budget: {tokens: {capacity, cost: 1, on_success, allows: above_half, charges: on_failure}}",
    "breaker": "gRPC has no circuit breaker",
    "bulkhead": "a service config limits no concurrency",
    "rate_limit": "a service config limits no rate",
    "cases": "gRPC has one policy for all codes",
    "retry_on": "gRPC retries status codes: failed.NAME such as failed.unavailable, rejected, conflict, timed_out",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether the keys are those of a service config."""
    return bool({"methodConfig", "retryThrottling"} & values.keys()) or (
        bool({"retryPolicy", "hedgingPolicy"} & values.keys()) and _has_codes(values)
    )


def _has_codes(values: Mapping[str, Any]) -> bool:
    of_policy = [values.get(key) for key in ("retryPolicy", "hedgingPolicy")]
    keys = {"retryableStatusCodes", "initialBackoff", "hedgingDelay", "nonFatalStatusCodes"}
    return any(isinstance(one, dict) and keys & one.keys() for one in of_policy)


def read(document: Document) -> Converted:
    """Read a service config, or one entry of its `methodConfig`. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots():
        throttle = root.below("retryThrottling")
        budget = None if throttle is None else _budget(throttle)
        methods = root.entries("methodConfig") if "methodConfig" in root else [root]
        if budget is not None and len(methods) > 1:
            root.note("retryThrottling", "its tokens are shared by all methods; here each method has its own")
        policies += [Policy(_name(method), _policy(method, budget)) for method in methods]
        if root not in methods:
            root.rest("it is not about retries")
    return reading.converted(policies)


def _name(method: Fields) -> str:
    names = []
    for name in method.entries("name"):
        service, of_service = name.text("service", ""), name.text("method", "")
        if of_service and not service:
            name.wrong("method", "a method without a service")
        names.append(f"{service}/{of_service}" if of_service else service or "default")
        name.rest("gRPC knows no such key of a name")
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "default"


def _policy(method: Fields, budget: dict[str, Any] | None) -> dict[str, Any]:
    deadline_ns = method.time("timeout", PROTO, None, above=True)
    method.lost("waitForReady", "a simulated service always has a connection, so no call waits for one")
    for name in ("maxRequestMessageBytes", "maxResponseMessageBytes"):
        method.lost(name, "simulated calls have no size")
    retry, hedging = method.below("retryPolicy"), method.below("hedgingPolicy")
    if retry is not None and hedging is not None:
        method.wrong("hedgingPolicy", "a method has a retryPolicy or a hedgingPolicy, not both")
    tree: dict[str, Any] = {}
    if retry is not None:
        tree = _retried(retry)
    elif hedging is not None:
        tree = _hedged(hedging)
    method.rest("it is not about retries")
    if hedging is not None and deadline_ns is not None and parse_duration(tree["hedge"]["after"]) >= deadline_ns:
        hedging.note("hedgingDelay", "the timeout of the method ends all before a copy would be sent")
        tree = {}
    if deadline_ns is not None:
        tree["deadline"] = time(deadline_ns)
    if tree.keys() - {"deadline"}:
        tree["retry_after"] = dict(PUSHBACK)
        if budget is not None:
            tree["budget"] = budget
    return tree


def _retried(policy: Fields) -> dict[str, Any]:
    tries = _tries(policy)
    factor: float = 1
    initial_ns = cap_ns = 1
    if policy.required("initialBackoff"):
        initial_ns = policy.time("initialBackoff", PROTO, 1, above=True)
    if policy.required("maxBackoff"):
        cap_ns = policy.time("maxBackoff", PROTO, 1, above=True)
    if policy.required("backoffMultiplier"):
        factor = policy.number("backoffMultiplier", 1, above=0)
    if policy.required("retryableStatusCodes") and not policy.peek("retryableStatusCodes"):
        policy.wrong("retryableStatusCodes", "at least one status code must be retried")
    answers = _answers(policy, "retryableStatusCodes")
    policy.rest("gRPC knows no such key of a retryPolicy")
    delay = exponential(initial_ns, factor, cap_ns, jitter={"spread": 0.2})
    return {"attempts": tries, "delay": delay, "retry_on": answers}


def _hedged(policy: Fields) -> dict[str, Any]:
    copies = _tries(policy) - 1
    after_ns = policy.time("hedgingDelay", PROTO, 0)
    answers = _answers(policy, "nonFatalStatusCodes")
    policy.rest("gRPC knows no such key of a hedgingPolicy")
    hedge = {"after": time(after_ns), "at_most": copies, "cancels": True, "at_failure": "next"}
    return {"retry_on": answers, "hedge": hedge}


def _tries(policy: Fields) -> int:
    tries = policy.whole("maxAttempts", 2, 2) if policy.required("maxAttempts") else 2
    if tries > MOST_TRIES:
        policy.note("maxAttempts", f"{tries} tries count as 5, the client's own maximum")
    return min(tries, MOST_TRIES)


def _answers(policy: Fields, name: str) -> list[str]:
    answers = []
    for path, code in policy.items(name):
        word = code.upper() if isinstance(code, str) else ""
        if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < len(CODES):
            word = CODES[code]
        if word not in CODES or word == "OK":
            policy.reading.wrong(path, "not a status code of gRPC that is an error, such as UNAVAILABLE or 14")
        else:
            answers.append(_ANSWERS.get(word, f"failed.{word.lower()}"))
    return list(dict.fromkeys(answers))


def _budget(throttle: Fields) -> dict[str, Any]:
    capacity = ratio = 1.0
    if throttle.required("maxTokens"):
        capacity = throttle.number("maxTokens", 1.0, above=0, most=1000)
    if throttle.required("tokenRatio"):
        ratio = throttle.number("tokenRatio", 1.0, above=0)
        cut = int(ratio * 1000 + 1e-6) / 1000
        if cut != ratio:
            throttle.note("tokenRatio", f"digits after the third are ignored: {ratio} counts as {cut}")
            ratio = cut
            if not cut:
                throttle.wrong("tokenRatio", "digits after the third are ignored, and so this is 0; it must be more")
    throttle.rest("gRPC knows no such key of retryThrottling")
    return {
        "tokens": {
            "capacity": capacity,
            "cost": 1,
            "on_success": ratio,
            "allows": "above_half",
            "charges": "on_failure",
        }
    }


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a service config for all methods. Raises CannotWrite."""
    wanted = Wanted(policy)
    method: dict[str, Any] = {"name": [{}]}
    deadline_ns = wanted.deadline_ns()
    if deadline_ns is not None:
        method["timeout"] = put(PROTO, ("deadline",), deadline_ns)
    codes = {_ANSWERS.get(code, f"failed.{code.lower()}"): code for code in CODES[1:]}
    names = [codes[answer] for answer in wanted.retry_on if answer in codes]
    law = wanted.law("exponential")
    hedge = wanted.get("hedge")
    if hedge is not None:
        after_ns = wanted.ns("hedge", "after") or 0
        copies = wanted.get("hedge", "at_most")
        method["hedgingPolicy"] = {
            "maxAttempts": copies + 1 if isinstance(copies, int) else 2,
            "hedgingDelay": put(PROTO, ("hedge", "after"), after_ns),
            "nonFatalStatusCodes": names,
        }
    elif wanted.attempts != 1:
        method["retryPolicy"] = {
            "maxAttempts": wanted.attempts or MOST_TRIES,
            "initialBackoff": put(PROTO, ("delay",), wanted.ns("delay", "exponential", "initial") or 1),
            "maxBackoff": put(PROTO, ("delay",), wanted.ns("delay", "exponential", "cap") or 1),
            "backoffMultiplier": law.get("factor", 2),
            "retryableStatusCodes": names or ["UNAVAILABLE"],
        }
    config: dict[str, Any] = {"methodConfig": [method]}
    tokens = wanted.get("budget", "tokens")
    if tokens is not None:
        config["retryThrottling"] = {"maxTokens": tokens.get("capacity"), "tokenRatio": tokens.get("on_success")}
    return confirmed(wanted, json_text(config), read, TITLE, CANNOT)
