"""resilience4j: Spring's application.yaml, one policy for each instance: its retry, circuit breaker and time limiter.

Facts: resilience4j af9e7c9 core/IntervalFunction.java, retry/RetryConfig.java, framework-common
CommonRetryConfigurationProperties.java and ConfigUtils.java, circuitbreaker/CircuitBreakerConfig.java.

Names are relaxed (`max-attempts`, `maxAttempts`, `MAX_ATTEMPTS`) and may be dotted (`resilience4j.retry:`).
An instance has what its `base-config` has, else what `configs.default` has. Of the delays only four fields are
inherited one by one, and by one step only; an instance without a `wait-duration` of its own has the delays of its base
as they are, or 500 ms, and what it says of backoff and randomizing is ignored. A multiplier or factor that is missing
makes others ignored, too.
Counting: `max-attempts` counts tries.
Answers: every exception is retried, that of an open breaker (`refused`) included, unless `retry-exceptions` names some.
TimeoutException is `timed_out`, CallNotPermittedException and the like are `refused`, any other class is `failed.NAME`
with its capitals as hyphens; its package is lost. `ignore-exceptions` are cases of one try.
Law: x is the wait, then at every step x times the multiplier, cut to whole ms; randomized, whole ms of
x(1-f) + U(2fx + 1), at least 1; the cap comes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERYTHING, answer_of_error, class_of_path, error_of_answer, is_retried
from sim.converters.converted import Converted, Policy
from sim.converters.delays import delayed
from sim.converters.fields import Fields, Reading, share_of
from sim.converters.formats.resilience4j_text import text_of
from sim.converters.formats.resilience4j_waits import INHERITED, delays_of, first
from sim.converters.names import relaxed
from sim.converters.units import SPRING
from sim.converters.writing import Wanted, confirmed, time
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.converters.documents import Document
    from sim.scenario.mistakes.problems import Path

TITLE: Final = "resilience4j"
MODULES: Final = ("retry", "circuitbreaker", "timelimiter")
_REFUSED: Final = ("CallNotPermittedException", "BulkheadFullException", "RequestNotPermitted")
_ALL_CLASSES: Final = ("Throwable", "Exception", "RuntimeException")
CANNOT: Final = {
    "delay": (
        "resilience4j has constant and exponential waits in whole ms, each also randomized, with a cap that comes last"
    ),
    "retry_on": (
        "what is retried is failed, rejected, conflict, timed_out and refused, or kinds such as "
        "failed.service-exception"
    ),
    "attempts": "max-attempts is a number of at least 1",
    "deadline": "resilience4j has no deadline of all tries",
    "retry_after": "no property lets an answer say when to come back",
    "cases": "exceptions that are not retried are {on: [failed.NAME], attempts: 1}",
    "budget": "resilience4j has no budget of retries",
    "hedge": "resilience4j has no hedging",
    "bulkhead": "bulkheads are not written",
    "rate_limit": "rate limiters are not written",
    "breaker": "a breaker has {window, opens_at, at_least, open, half_open: {calls, closes_at}, slow, late: counts}",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether there are properties of resilience4j in it."""
    return any(relaxed(key).partition(".")[0] == "resilience4j" for key in values) or any(
        relaxed(key) == "retry" and isinstance(value, Mapping) and {"instances", "configs"} & value.keys()
        for key, value in values.items()
    )


@dataclass(frozen=True, slots=True)
class _Leaf:
    steps: tuple[str, ...]
    path: Path
    value: Any


Parts = dict[str, dict[str, dict[str, Fields]]]
"""By module, by `configs` or `instances`, by name: the properties."""


def read(document: Document) -> Converted:
    """Read all instances; without one, all configurations. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots():
        parts = _parts(reading, root)
        for module in MODULES:
            for name, properties in parts[module]["configs"].items():
                _check_base(properties, parts[module]["configs"], name)
        group = "instances" if any(parts[module]["instances"] for module in MODULES) else "configs"
        names = dict.fromkeys(name for module in MODULES for name in parts[module][group])
        policies += [Policy(name, _policy(reading, root.path, parts, group, name)) for name in names]
        for module in MODULES:
            for one in parts[module]["configs"].values():
                if one.names() and one.is_untouched("baseconfig"):
                    reading.lost(one.path, "no instance is based on it")
                    one.ignore(*one.names())
            for one in [*parts[module]["configs"].values(), *parts[module]["instances"].values()]:
                one.rest("it has no counterpart here")
    return reading.converted(policies)


def _parts(reading: Reading, root: Fields) -> Parts:
    """Sort all properties by module, group and name; what belongs to none of them is lost."""
    found: dict[tuple[str, str, str], dict[str, _Leaf]] = {}
    told: set[Path] = set()
    why = "of resilience4j, retries, circuit breakers and time limiters are carried over"
    for leaf in _leaves((), root.path, {key: root.peek(key) for key in root.names()}):
        steps = leaf.steps[1:] if relaxed(leaf.steps[0]) == "resilience4j" else leaf.steps
        module, group = (relaxed(step) for step in (*steps, "", "")[:2])
        group = "instances" if group == "backends" else group
        if module not in MODULES or group not in {"configs", "instances"} or len(steps) < 3:
            top = leaf.path[: len(root.path) + (2 if relaxed(leaf.steps[0]) == "resilience4j" else 1)]
            if top not in told:
                told.add(top)
                reading.lost(top, why if len(steps) < len(leaf.steps) else "it is not about resilience4j")
            continue
        own = found.setdefault((module, group, steps[2]), {})
        if len(steps) > 3:
            own[".".join(steps[3:])] = leaf
    parts: Parts = {module: {"configs": {}, "instances": {}} for module in MODULES}
    for (module, group, name), leaves in found.items():
        path = next((leaf.path[:-1] for leaf in leaves.values()), root.path)
        values = {key: leaf.value for key, leaf in leaves.items()}
        paths = {key: leaf.path for key, leaf in leaves.items()}
        parts[module][group][name] = Fields(reading, path, values, relaxed, paths)
    return parts


def _leaves(steps: tuple[str, ...], path: Path, values: Mapping[str, Any]) -> Iterator[_Leaf]:
    for key, value in values.items():
        below = (*steps, *(piece for piece in key.split(".") if piece))
        if isinstance(value, Mapping) and value:
            yield from _leaves(below, (*path, key), value)
        elif below:
            yield _Leaf(below, (*path, key), None if isinstance(value, Mapping) else value)


def _check_base(properties: Fields, configs: Mapping[str, Fields], name: str) -> Fields | None:
    """Return the configuration that properties are based on."""
    base = properties.text("baseconfig", None)
    if base is None:
        return configs.get("default") if name != "default" else None
    if base not in configs:
        properties.wrong("baseconfig", f"there is no configuration '{base}'")
        return None
    seen = {name}
    at: str | None = base
    while at is not None and at in configs:
        if at in seen:
            properties.wrong("baseconfig", f"'{at}' is based on itself")
            return None
        seen.add(at)
        next_one = configs[at].peek("baseconfig")
        at = next_one if isinstance(next_one, str) else None
    return configs[base]


def _policy(reading: Reading, path: Path, parts: Parts, group: str, name: str) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    retry = parts["retry"][group].get(name)
    if retry is not None:
        tree |= _retry(_chain(retry, parts["retry"]["configs"], name))
    if (limiter := parts["timelimiter"][group].get(name)) is not None:
        tree["timeout"] = time(_limit(_chain(limiter, parts["timelimiter"]["configs"], name)))
    if (breaker := parts["circuitbreaker"][group].get(name)) is not None:
        tree["breaker"] = _breaker(_chain(breaker, parts["circuitbreaker"]["configs"], name))
    if retry is None:
        reading.lost(path, f"'{name}' has no retry, so it makes one try")
    return tree


def _chain(properties: Fields, configs: Mapping[str, Fields], name: str) -> list[Fields]:
    """Return properties, what they are based on, what that is based on, and so on."""
    chain, at = [properties], name
    while True:
        base = _check_base(chain[-1], configs, at)
        if base is None or base in chain:
            return chain
        at = next(one for one, fields in configs.items() if fields is base)
        chain.append(base)


def _retry(chain: list[Fields]) -> dict[str, Any]:
    tries = first(chain, "maxattempts").whole("maxattempts", 3, 1)
    retried, ignored = first(chain, "retryexceptions"), first(chain, "ignoreexceptions")
    answers = _answers(retried, "retryexceptions") if "retryexceptions" in retried else []
    answers = answers or list(EVERYTHING)
    kept = _answers(ignored, "ignoreexceptions")
    answers = [answer for answer in answers if answer not in kept]
    cases = [answer for answer in kept if answer.startswith("failed.") and is_retried(answer, answers)]
    for fields in chain:
        for name in (
            "resultpredicate",
            "retryexceptionpredicate",
            "intervalbifunction",
            "consumeresultbeforeretryattempt",
        ):
            fields.lost(name, "it is code, not configuration")
        fields.lost("failaftermaxattempts", "it changes what the caller is told, not what is done")
        fields.lost("eventconsumerbuffersize", "it is about what is logged")
        fields.ignore("waitduration", "randomizedwaitfactor", *INHERITED)
    if not answers:
        ignored.note("ignoreexceptions", "all that is retried is ignored, so there is one try")
        return {}
    tree = {"attempts": tries, **delayed(delays_of(chain)), "retry_on": answers}
    return {**tree, "cases": [{"on": cases, "attempts": 1}]} if cases else tree


def _answers(fields: Fields, name: str) -> list[str]:
    answers: list[str] = []
    for path in fields.texts(name):
        own = class_of_path(path)
        if own in _ALL_CLASSES:
            answers += EVERYTHING
        elif own in _REFUSED:
            answers.append("refused")
        elif own.endswith("TimeoutException"):
            answers.append("timed_out")
        else:
            answer = answer_of_error(own)
            if answer is None:
                fields.note(name, f"'{own}' cannot be the name of a kind")
                continue
            answers.append(answer)
            if own != path or error_of_answer(answer) != own:
                fields.note(name, f"'{path}' is carried over as {answer}, from which its package cannot be told again")
    return list(dict.fromkeys(answers))


def _limit(chain: list[Fields]) -> int:
    timeout_ns = first(chain, "timeoutduration").time("timeoutduration", SPRING, NS_PER_S, above=True)
    for fields in chain:
        fields.ignore("timeoutduration", "baseconfig")
        fields.lost("cancelrunningfuture", "a call that is given up goes on at the server")
        fields.lost("eventconsumerbuffersize", "it is about what is logged")
    return timeout_ns


_OF_BREAKER: Final = (
    *("failureratethreshold", "slowcallratethreshold", "slowcalldurationthreshold", "minimumnumberofcalls"),
    *("slidingwindowsize", "slidingwindowtype", "waitdurationinopenstate", "permittednumberofcallsinhalfopenstate"),
)


def _breaker(chain: list[Fields]) -> dict[str, Any]:
    def percent(name: str, default: float) -> float:
        return share_of(first(chain, name).number(name, default, above=0, most=100))

    def whole(name: str, default: int) -> int:
        return first(chain, name).whole(name, default, 1)

    def span(name: str) -> int:
        return first(chain, name).time(name, SPRING, 60 * NS_PER_S, above=True)

    size, least = whole("slidingwindowsize", 100), whole("minimumnumberofcalls", 100)
    kind = first(chain, "slidingwindowtype").choice("slidingwindowtype", ("COUNT_BASED", "TIME_BASED"), "COUNT_BASED")
    opens_at = percent("failureratethreshold", 50)
    calls = whole("permittednumberofcallsinhalfopenstate", 10)
    slow = {"over": time(span("slowcalldurationthreshold")), "opens_at": percent("slowcallratethreshold", 100)}
    open_ns = span("waitdurationinopenstate")
    for fields in chain:
        for name in ("recordexceptions", "ignoreexceptions"):
            fields.lost(name, "every failure counts here")
        for name in ("registerhealthindicator", "eventconsumerbuffersize", "allowhealthindicatortofail"):
            fields.lost(name, "it is about what is shown")
        fields.ignore(*_OF_BREAKER, "baseconfig")
    counted = kind == "COUNT_BASED"
    return {
        "window": {"calls": size} if counted else {"time": time(size * NS_PER_S)},
        "opens_at": opens_at,
        "at_least": min(size, least) if counted else least,
        "open": time(open_ns),
        "half_open": {"calls": calls, "closes_at": opens_at},
        "slow": slow,
        "late": "counts",
    }


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as one instance. Raises CannotWrite."""
    wanted = Wanted(policy)
    return confirmed(wanted, text_of(wanted), read, TITLE, CANNOT)
