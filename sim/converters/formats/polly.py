"""Polly v8 and Microsoft.Extensions.Http.Resilience: sections of appsettings.json, one policy for each.

Facts: App-vNext/Polly 173d6d1d src/Polly.Core; dotnet/extensions 5862342c9a. Names are read in any case, comments and
durations as .NET has them ("00:00:02").

A section with `TotalRequestTimeout`, `AttemptTimeout`, `RateLimiter` or `Endpoint` is the standard handler (or the
standard hedging handler), whose strategies all are there: at most 1000 calls at a time, 30 s in all, 3 retries with
exponential jitter from 2 s and Retry-After obeyed, a breaker, 10 s a try. Any other section is Polly itself: only what
is written, with Polly's own defaults.
Counting: `MaxRetryAttempts` counts retries, `MaxHedgedAttempts` further copies.
Answers: exceptions and statuses from 500 on are `failed`, 429 `rejected`, timeouts and 408 `timed_out`; Polly itself
also retries `conflict`.
Laws: constant, n times and 2^(n-1) times the delay, the first two with jitter of 25 %; exponential jitter is f - f
before with f = 2^t tanh(sqrt(4t)), t = n - 1 + U, over 1.4. `MaxDelay` caps what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed, exponential, formula, linear
from sim.converters.fields import Fields, Reading
from sim.converters.units import TIME_SPAN
from sim.converters.writing import CannotWrite, Wanted, confirmed, duration, json_text, put, time
from sim.kernel.durations import NS_PER_MS, NS_PER_S, UNITS_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.converters.documents import Document

TITLE: Final = "Polly"
DAY_NS: Final = UNITS_NS["d"]
BACKOFFS: Final = ("Constant", "Linear", "Exponential")
SPREAD: Final = {"spread": 0.25}
LETS: Final = {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"}
FORMULA: Final = "(f - last_f) * (1 / 1.4) * b"
COUNTS: Final = ["failed", "rejected", "timed_out"]
STANDARD_ORDER: Final = ["bulkhead", "deadline", "retry", "rate_limit", "breaker", "hedge", "timeout"]
_STRATEGIES: Final = {
    "retry",
    "circuitbreaker",
    "hedging",
    "attempttimeout",
    "totalrequesttimeout",
    "endpoint",
    "timeout",
}
_OF_STANDARD: Final = {"attempttimeout", "totalrequesttimeout", "ratelimiter", "endpoint"}
_OF_RETRY: Final = {"maxretryattempts", "backofftype", "usejitter"}
_DELEGATE: Final = "it is code, not configuration"
CANNOT: Final = {
    "retry_after": "only the standard handler obeys Retry-After, always and without a limit: {obey: true}",
    "delay": "Polly has constant, linear and exponential delays, each with one jitter of its own",
    "attempts": "Polly makes at least one retry, and a number of them is given",
    "retry_on": "what is retried is code; the standard handler retries failed, rejected and timed_out",
    "budget": "Polly has no budget of retries",
    "cases": "Polly has one law for all failures",
    "rate_limit": "rate limiters are code",
    "breaker": (
        "a breaker of Polly has {window: {time}, slots: 10, opens_at, at_least, open, half_open: {calls: 1}, "
        "late: counts}"
    ),
    "hedge": "a hedge of Polly has {after, at_most, cancels: true, at_failure: next}",
    "order": "the order is that of the standard handler",
    "bulkhead": "the standard handler has a limit of concurrent calls, outside of all else",
}


def small(key: str) -> str:
    """Return a key as .NET compares it."""
    return key.lower()


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether there is a section with strategies of Polly in it."""
    return any(True for _ in _sections(values))


def _sections(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    keys = {small(key) for key in values}
    if (_STRATEGIES & keys and _is_section(values)) or len(_OF_RETRY & keys) > 0:
        yield values
        return
    for value in values.values():
        if isinstance(value, Mapping):
            yield from _sections(value)


def _is_section(values: Mapping[str, Any]) -> bool:
    known = {
        *_OF_RETRY,
        *("delay", "maxdelay", "timeout", "failureratio", "minimumthroughput", "samplingduration", "breakduration"),
        *("maxhedgedattempts", "circuitbreaker", "permitlimit", "defaultratelimiteroptions", "shouldretryafterheader"),
    }
    below = {small(key): value for key, value in values.items()}
    if _OF_STANDARD & below.keys() - {"ratelimiter"}:
        return True
    parts = [value for key, value in below.items() if key in _STRATEGIES and isinstance(value, Mapping)]
    return any(not part or known & {small(key) for key in part} for part in parts)


def read(document: Document) -> Converted:
    """Read every section with strategies in it. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies: list[Policy] = []
    for root in reading.roots(small):
        policies += _policies(root, "policy")
    return reading.converted(policies)


def _policies(fields: Fields, name: str) -> Iterator[Policy]:
    keys = set(fields.names())
    if _OF_RETRY & keys:
        yield Policy(name, {**_retry(fields, standard=False), **_tail(fields)})
    elif _STRATEGIES & keys and _is_section({key: fields.peek(key) for key in keys}):
        yield Policy(name, _standard(fields) if _OF_STANDARD & keys else _plain(fields))
    else:
        for key in fields.names():
            value = fields.peek(key)
            if isinstance(value, Mapping) and any(True for _ in _sections(value)):
                below = fields.below(key)
                if below is not None:
                    yield from _policies(below, str(below.path[-1]))
        fields.rest("it is not about retries")


def _tail(fields: Fields) -> dict[str, Any]:
    fields.rest("Polly knows no such option")
    return {}


def _standard(fields: Fields) -> dict[str, Any]:
    """Read the standard handler, or with `Endpoint` or `Hedging` the standard hedging handler."""
    hedges = bool({"endpoint", "hedging"} & set(fields.names()))
    endpoint = fields.below("endpoint") if hedges else None
    inner = endpoint or _empty(fields, "endpoint") if hedges else fields
    deadline_ns = _timeout(fields.below("totalrequesttimeout"), 30 * NS_PER_S)
    try_ns = _timeout(inner.below("timeout" if hedges else "attempttimeout"), 10 * NS_PER_S)
    breaker = _breaker(inner.below("circuitbreaker") or _empty(inner, "circuitbreaker"))
    permits, queue = _limiter(inner.below("ratelimiter"))
    if hedges:
        hedging = fields.below("hedging") or _empty(fields, "hedging")
        tree: dict[str, Any] = {"hedge": _hedge(hedging)}
        after_ns = duration(tree["hedge"]["after"])
        if after_ns is not None and after_ns >= deadline_ns:
            hedging.note("delay", "the total timeout ends all before a copy would be sent")
            tree = {}
        order = ["deadline", "retry", "hedge", "bulkhead", "rate_limit", "breaker", "timeout"]
        inner.rest("the handler knows no such strategy of an endpoint")
    else:
        tree = _retry(fields.below("retry") or _empty(fields, "retry"), standard=True)
        order = list(STANDARD_ORDER)
    fields.lost("selectpipelinebyauthority", "hosts are not modeled")
    fields.rest("the handler knows no such strategy")
    return {
        **tree,
        "timeout": time(try_ns),
        "deadline": time(deadline_ns),
        "retry_on": list(COUNTS),
        "breaker": breaker,
        "bulkhead": {"at_most": permits, "queue": queue},
        "order": order,
    }


def _empty(fields: Fields, name: str) -> Fields:
    return Fields(fields.reading, (*fields.path, name), {}, small)


def _plain(fields: Fields) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    if (retry := fields.below("retry")) is not None:
        tree |= _retry(retry, standard=False)
    if isinstance(fields.peek("timeout"), str):
        tree["timeout"] = time(
            fields.time("timeout", TIME_SPAN, 30 * NS_PER_S, least_ns=10 * NS_PER_MS, most_ns=DAY_NS)
        )
    elif (timeout := fields.below("timeout")) is not None:
        tree["timeout"] = time(_timeout(timeout, 30 * NS_PER_S))
    if "timeout" in fields:
        fields.note("timeout", "no file says what a strategy is put around: this one is taken as the timeout of a try")
    if (breaker := fields.below("circuitbreaker")) is not None:
        tree["breaker"] = _breaker(breaker)
    if (hedging := fields.below("hedging")) is not None:
        tree["hedge"] = _hedge(hedging)
    for name in ("chaos", "chaosfault", "chaoslatency", "chaosoutcome", "chaosbehavior", "injectionrate"):
        fields.lost(name, "injected faults belong to the action of the scenario: its outcomes and latencies")
    fields.rest("Polly knows no such strategy")
    return tree


def _timeout(fields: Fields | None, default_ns: int) -> int:
    if fields is None:
        return default_ns
    timeout_ns = fields.time("timeout", TIME_SPAN, default_ns, least_ns=10 * NS_PER_MS, most_ns=DAY_NS)
    fields.ignore("name")
    fields.lost("timeoutgenerator", _DELEGATE)
    fields.rest("Polly knows no such option of a timeout")
    return timeout_ns


def _limiter(fields: Fields | None) -> tuple[int, int]:
    """Return permits and places in the queue of the handler's limiter of concurrency."""
    if fields is None:
        return 1000, 0
    options = fields.below("defaultratelimiteroptions")
    permits, queue = 1000, 0
    if options is not None:
        permits, queue = options.whole("permitlimit", 1000, 1), options.whole("queuelimit", 0)
        options.lost("queueprocessingorder", "callers who wait are let in as they came")
        options.rest("the limiter knows no such option")
    fields.ignore("name")
    fields.rest("it is code, not configuration")
    return permits, queue


def _retry(fields: Fields, *, standard: bool) -> dict[str, Any]:
    retries = fields.whole("maxretryattempts", 3, 1)
    delay_ns = fields.time("delay", TIME_SPAN, 2 * NS_PER_S, most_ns=DAY_NS)
    cap_ns = fields.time("maxdelay", TIME_SPAN, None, most_ns=DAY_NS)
    backoff = fields.choice("backofftype", BACKOFFS, "Exponential" if standard else "Constant")
    jitter = fields.flag("usejitter", standard)
    obeys = fields.flag("shouldretryafterheader", standard)
    fields.ignore("name")
    for name in ("delaygenerator", "shouldhandle", "onretry"):
        fields.lost(name, _DELEGATE)
    fields.rest("Polly knows no such option of a retry")
    hint = {"retry_after": {"obey": True}} if obeys else {}
    return {"attempts": retries + 1, **delayed(_delay(backoff, delay_ns, cap_ns, jitter=jitter)), **hint}


def _delay(backoff: str, delay_ns: int, cap_ns: int | None, *, jitter: bool) -> Any:
    if not delay_ns:
        return "none"
    cap = {} if cap_ns is None else {"cap": time(cap_ns)}
    spread: dict[str, Any] = {"jitter": SPREAD, **({"cap_applies": "after"} if cap else {})} if jitter else {}
    if backoff == "Constant":
        return constant(delay_ns, **cap, **spread)
    if backoff == "Linear":
        return linear(delay_ns, delay_ns, cap_ns, **spread)
    if not jitter:
        return exponential(delay_ns, 2, cap_ns)
    after = {"cap_applies": "after"} if cap else {}
    return formula(FORMULA, let=dict(LETS), start={"f": 0}, b=time(delay_ns), **cap, **after)


def _breaker(fields: Fields) -> dict[str, Any]:
    ratio = fields.number("failureratio", 0.1, least=0, most=1)
    least = fields.whole("minimumthroughput", 100, 2)
    window_ns = fields.time("samplingduration", TIME_SPAN, 30 * NS_PER_S, least_ns=NS_PER_S // 2, most_ns=DAY_NS)
    open_ns = fields.time("breakduration", TIME_SPAN, 5 * NS_PER_S, least_ns=NS_PER_S // 2, most_ns=DAY_NS)
    fields.ignore("name")
    for name in ("breakdurationgenerator", "shouldhandle", "manualcontrol", "stateprovider"):
        fields.lost(name, _DELEGATE)
    fields.rest("Polly knows no such option of a breaker")
    return {
        "window": {"time": time(window_ns)},
        "slots": 10,
        "opens_at": ratio,
        "at_least": least,
        "open": time(open_ns),
        "half_open": {"calls": 1, "closes_at": 0.5},
        "counts": list(COUNTS),
        "late": "counts",
    }


def _hedge(fields: Fields) -> dict[str, Any]:
    copies = fields.whole("maxhedgedattempts", 1, 1, 10)
    after_ns = fields.time("delay", TIME_SPAN, 2 * NS_PER_S, least_ns=-DAY_NS, most_ns=DAY_NS)
    fields.ignore("name")
    for name in ("delaygenerator", "shouldhandle", "actiongenerator"):
        fields.lost(name, _DELEGATE)
    fields.rest("Polly knows no such option of a hedge")
    after = "never" if after_ns < 0 else time(after_ns)
    return {"after": after, "at_most": copies, "cancels": True, "at_failure": "next"}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the options of Polly, or as those of a standard handler. Raises CannotWrite."""
    wanted = Wanted(policy)
    section: dict[str, Any] = {}
    standard = wanted.get("order") is not None
    hedge = wanted.get("hedge")
    if (wanted.attempts or 0) > 1 or standard:
        section["Retry"] = _written_retry(wanted, standard=standard)
    if (breaker := wanted.get("breaker")) is not None:
        section["CircuitBreaker"] = _written_breaker(breaker)
    if isinstance(hedge, Mapping):
        after_ns = duration(hedge.get("after"))
        delay = "-00:00:01" if after_ns is None else put(TIME_SPAN, ("hedge", "after"), after_ns)
        section["Hedging"] = {"MaxHedgedAttempts": hedge.get("at_most", 1), "Delay": delay}
    try_ns = wanted.ns("timeout")
    timeout = {} if try_ns is None else {"Timeout": put(TIME_SPAN, ("timeout",), try_ns)}
    if not standard:
        if timeout:
            section["Timeout"] = timeout
        if not section:
            raise CannotWrite(("attempts",), CANNOT["attempts"])
        return confirmed(wanted, json_text({"Resilience": section}), read, TITLE, CANNOT)
    deadline_ns = wanted.deadline_ns()
    if deadline_ns is not None:
        section["TotalRequestTimeout"] = {"Timeout": put(TIME_SPAN, ("deadline",), deadline_ns)}
    bulkhead = wanted.get("bulkhead") or {}
    limiter = {"PermitLimit": bulkhead.get("at_most", 1000), "QueueLimit": bulkhead.get("queue", 0)}
    inner: dict[str, Any] = {"RateLimiter": {"DefaultRateLimiterOptions": limiter}}
    if isinstance(hedge, Mapping):
        section.pop("Retry", None)
        inner |= {"CircuitBreaker": section.pop("CircuitBreaker", {}), "Timeout": timeout}
        section["Endpoint"] = inner
    else:
        section |= {**inner, "AttemptTimeout": timeout}
    return confirmed(wanted, json_text({"Resilience": section}), read, TITLE, CANNOT)


def _written_retry(wanted: Wanted, *, standard: bool) -> dict[str, Any]:
    steady, steps, grown, jittered = (wanted.law(kind) for kind in ("constant", "linear", "exponential", "formula"))
    law = steady or steps or grown or jittered
    backoff = "Constant" if steady or not law else "Linear" if steps else "Exponential"
    delay_ns = duration(law.get("delay") or law.get("initial") or law.get("b") or "0s") or 0
    options: dict[str, Any] = {
        "MaxRetryAttempts": (wanted.attempts or 2) - 1,
        "BackoffType": backoff,
        "UseJitter": bool(jittered) or law.get("jitter", "none") != "none",
        "Delay": put(TIME_SPAN, ("delay",), delay_ns),
    }
    cap_ns = duration(law.get("cap"))
    if cap_ns is not None:
        options["MaxDelay"] = put(TIME_SPAN, ("delay",), cap_ns)
    if standard or "retry_after" in wanted.tree:
        options["ShouldRetryAfterHeader"] = "retry_after" in wanted.tree
    return options


def _written_breaker(breaker: Mapping[str, Any]) -> dict[str, Any]:
    window = breaker.get("window")
    window_ns = duration(window.get("time")) if isinstance(window, Mapping) else None
    open_ns = duration(breaker.get("open", "5s"))
    return {
        "FailureRatio": breaker.get("opens_at", 0.5),
        "MinimumThroughput": breaker.get("at_least", 100),
        "SamplingDuration": put(TIME_SPAN, ("breaker", "window"), window_ns or 30 * NS_PER_S),
        "BreakDuration": put(TIME_SPAN, ("breaker", "open"), open_ns or 5 * NS_PER_S),
    }
