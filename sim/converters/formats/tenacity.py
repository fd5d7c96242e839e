"""tenacity: `stop`, `wait` and `retry` as a map or as they stand in code, several of them by name.

Facts: tenacity 9.2.1 stop.py, wait.py, retry.py.

    tenacity: {stop_after_attempt: 5, wait_exponential: {multiplier: 1, max: 10}}
    tenacity: {stop: "stop_after_attempt(5) | stop_after_delay(30)", wait: "wait_exponential(multiplier=1, max=10)"}

Counting: `stop_after_attempt` counts tries; without a stop it tries for ever. Conditions of a stop are joined by or.
Answers: every failure is retried; with `retry_if_exception_type`, TimeoutError is `timed_out` and any other class
`failed.NAME` with its capitals as hyphens.
Laws: wait_exponential max(min, min(m * b^(n-1), max)); wait_random_exponential U from min to that;
wait_exponential_jitter max(min, min(m * b^(n-1) + U * jitter, max)); wait_incrementing; wait_fixed; wait_random.
`stop_after_delay` is tested after a try, so the sleep may pass it; `stop_before_delay` does not sleep past it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY, answer_of_error, class_of_path, error_of_answer
from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed, exponential, formula, linear
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.units import SECONDS
from sim.converters.writing import Wanted, confirmed, duration, put, time, yaml_text
from sim.kernel.durations import LONGEST_NS, NS_PER_S

if TYPE_CHECKING:
    from sim.converters.documents import Document
    from sim.scenario.mistakes.problems import Path

TITLE: Final = "tenacity"
_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "stop_after_attempt": ("max_attempt_number",),
    "stop_after_delay": ("max_delay",),
    "stop_before_delay": ("max_delay",),
    "stop_never": (),
    "wait_fixed": ("wait",),
    "wait_none": (),
    "wait_random": ("min", "max"),
    "wait_incrementing": ("start", "increment", "max"),
    "wait_exponential": ("multiplier", "max", "exp_base", "min"),
    "wait_random_exponential": ("multiplier", "max", "exp_base", "min"),
    "wait_full_jitter": ("multiplier", "max", "exp_base", "min"),
    "wait_exponential_jitter": ("initial", "max", "exp_base", "jitter", "min"),
    "retry_if_exception_type": ("exception_types",),
}
"""Functions and the names of their arguments, in order."""
MOST_CODE: Final = 1000
"""Python's parser needs a stack as deep as what it reads."""
OPTIONS: Final = (*_ARGUMENTS, "stop", "wait", "retry", "reraise")
RANDOM: Final = "low + u * (high - low)"
RANDOM_EXPONENTIAL: Final = "low + u * (max(low, min(cap, initial * factor ** (n - 1))) - low)"
_JOINED: Final = ("stop_any", "wait_combine")
"""Functions that do what `|` and `+` do."""
CANNOT: Final = {
    "attempts": "stop_after_attempt is a number of tries",
    "delay": "tenacity has fixed, random, incrementing and exponential waits, these with full jitter or so much more",
    "deadline": (
        "stop_after_delay is {after, kind: after_attempt, from: first_call}, stop_before_delay kind before_sleep"
    ),
    "retry_on": (
        "retry_if_exception_type names exceptions: all failures, timed_out, or kinds such as failed.value-error"
    ),
    "timeout": "tenacity has no timeout of a try",
    "retry_after": "tenacity looks for no Retry-After",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after tenacity, or has functions that only tenacity has."""
    if has_options(values, "tenacity", _ARGUMENTS):
        return True
    return any(
        (isinstance(values.get(key), Mapping) and bool(_ARGUMENTS.keys() & values[key].keys()))
        or (isinstance(values.get(key), str) and values[key].startswith(f"{key}_"))
        for key in ("stop", "wait")
    )


def read(document: Document) -> Converted:
    """Read sets of arguments. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = [
        Policy("retry" if name == "tenacity" else name, _retrying(options))
        for name, options in options_of(reading, "tenacity", OPTIONS)
    ]
    return reading.converted(policies)


def _retrying(options: Fields) -> dict[str, Any]:
    calls = [call for name in ("stop", "wait", "retry") for call in _given(options, name)]
    calls += [(one, _arguments(options, one)) for one in options.names() if one in _ARGUMENTS]
    options.lost("reraise", "it changes what the caller is told, not what is done")
    options.rest("it is not carried over", OPTIONS)
    tree: dict[str, Any] = {"attempts": "unlimited"}
    waits = [call for call in calls if call[0].startswith("wait_")]
    if len(waits) > 1:
        options.note("wait", "a sum of waits is not carried over; the first of them is taken")
    if waits:
        tree |= delayed(_wait(*waits[0]))
    for name, arguments in calls:
        if name == "retry_if_exception_type":
            tree["retry_on"] = _answers(arguments)
        elif name.startswith("stop_"):
            _stop(tree, name, arguments)
        elif (name, arguments) != waits[0]:
            arguments.ignore(*arguments.names())
        arguments.rest(f"{name} has no such argument", _ARGUMENTS[name])
    return tree


def _given(options: Fields, name: str) -> list[tuple[str, Fields]]:
    """Read functions that are given as code, as a mapping, or as a list of mappings."""
    value = options.peek(name)
    if isinstance(value, str):
        return _of_code(options, name, value)
    if isinstance(value, list):
        return [call for entry in options.entries(name) for call in _calls(entry)]
    below = options.below(name)
    return [] if below is None else _calls(below)


def _calls(fields: Fields) -> list[tuple[str, Fields]]:
    """Read functions by name, and those that are joined by a function of such functions."""
    calls: list[tuple[str, Fields]] = []
    for name in fields.names():
        if name in _ARGUMENTS:
            calls.append((name, _arguments(fields, name)))
        elif name in _JOINED:
            for entry in fields.entries(name):
                calls += _calls(entry)
        elif name == "stop_all":
            fields.lost(name, "stops that have to be met together are not carried over, and so none of them stops here")
    fields.rest("it is not carried over", tuple(_ARGUMENTS))
    return calls


def _arguments(options: Fields, name: str) -> Fields:
    """Return the arguments of a function; a bare value is the first one."""
    value = options.peek(name)
    if isinstance(value, Mapping):
        return options.below(name) or Fields(options.reading, options.at(name), {})
    options.take(name)
    names = _ARGUMENTS[name]
    given = {names[0]: value} if names and value is not None and value != [] else {}
    return Fields(options.reading, options.at(name), given, str, dict.fromkeys(names, options.at(name)))


def _of_code(options: Fields, name: str, text: str) -> list[tuple[str, Fields]]:
    """Read calls joined by `|` or `+`, such as `stop_after_attempt(5) | stop_after_delay(30)`."""
    options.take(name)
    path = options.at(name)
    if len(text) > MOST_CODE:
        options.wrong(name, f"more than {MOST_CODE} characters")
        return []
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        options.wrong(name, "not a call such as stop_after_attempt(5)")
        return []
    calls: list[tuple[str, Fields]] = []
    todo: list[ast.expr] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.Add):
            todo += [node.right, node.left]
            continue
        call = _call(options, path, node)
        if call is not None:
            calls.append(call)
    return calls


def _call(options: Fields, path: Path, node: ast.expr) -> tuple[str, Fields] | None:
    named = node.func if isinstance(node, ast.Call) else node
    name = named.id if isinstance(named, ast.Name) else named.attr if isinstance(named, ast.Attribute) else ""
    if name not in _ARGUMENTS:
        shown = name or ast.unparse(node)[:40]
        options.reading.lost(path, f"'{shown}' is not carried over")
        return None
    names = _ARGUMENTS[name]
    given: dict[str, Any] = {}
    if isinstance(node, ast.Call):
        pairs = [*zip(names, node.args, strict=False), *((one.arg, one.value) for one in node.keywords)]
        if len(node.args) > len(names):
            options.reading.wrong(path, f"{name} has at most {len(names)} arguments")
        for key, value in pairs:
            given[str(key)] = _value(value)
    return name, Fields(options.reading, path, given, str, dict.fromkeys([*names, *given], path))


def _value(node: ast.expr) -> Any:
    """Return a literal; a name, or several in brackets, as texts."""
    if isinstance(node, ast.Tuple | ast.List):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(node)


def _stop(tree: dict[str, Any], name: str, arguments: Fields) -> None:
    if name == "stop_after_attempt":
        tree["attempts"] = arguments.whole("max_attempt_number", 1, 1)
    elif name in {"stop_after_delay", "stop_before_delay"}:
        after_ns = arguments.time("max_delay", SECONDS, NS_PER_S, above=True)
        kind = "after_attempt" if name == "stop_after_delay" else "before_sleep"
        tree["deadline"] = {"after": time(after_ns), "kind": kind, "from": "first_call"}


def _wait(name: str, arguments: Fields) -> Any:
    if name == "wait_fixed":
        return constant(arguments.time("wait", SECONDS, 0))
    if name == "wait_random":
        return _random(arguments)
    if name == "wait_incrementing":
        start_ns, step_ns = arguments.time("start", SECONDS, 0), arguments.time("increment", SECONDS, 100 * NS_PER_S)
        return linear(start_ns, step_ns, arguments.time("max", SECONDS, None))
    if name == "wait_exponential_jitter":
        return _exponential_jitter(arguments)
    return "none" if name == "wait_none" else _exponential(arguments, randomizes=name != "wait_exponential")


def _random(arguments: Fields) -> Any:
    low_ns, high_ns = arguments.time("min", SECONDS, 0), arguments.time("max", SECONDS, NS_PER_S)
    if high_ns < low_ns:
        arguments.wrong("max", "must not be less than min")
    return formula(RANDOM, low=time(low_ns), high=time(high_ns))


def _exponential(arguments: Fields, *, randomizes: bool) -> Any:
    initial_ns = arguments.time("multiplier", SECONDS, NS_PER_S)
    cap_ns = arguments.time("max", SECONDS, None)
    factor = arguments.number("exp_base", 2, above=0)
    low_ns = arguments.time("min", SECONDS, 0)
    if not randomizes:
        return exponential(initial_ns, factor, cap_ns, **({"at_least": time(low_ns)} if low_ns else {}))
    if not low_ns:
        return exponential(initial_ns, factor, cap_ns, jitter="full")
    cap = time(LONGEST_NS if cap_ns is None else cap_ns)
    return formula(RANDOM_EXPONENTIAL, low=time(low_ns), initial=time(initial_ns), factor=factor, cap=cap)


def _exponential_jitter(arguments: Fields) -> Any:
    name = "multiplier" if "multiplier" in arguments else "initial"
    initial_ns = arguments.time(name, SECONDS, NS_PER_S)
    cap_ns = arguments.time("max", SECONDS, None)
    factor = arguments.number("exp_base", 2, above=0)
    jitter_ns = arguments.time("jitter", SECONDS, NS_PER_S)
    low_ns = arguments.time("min", SECONDS, 0)
    after = {"cap_applies": "after"} if cap_ns is not None and jitter_ns else {}
    plus = {"jitter": {"plus": time(jitter_ns)}} if jitter_ns else {}
    least = {"at_least": time(low_ns)} if low_ns else {}
    return exponential(initial_ns, factor, cap_ns, **after, **plus, **least)


def _answers(arguments: Fields) -> list[str]:
    answers: list[str] = []
    for path in arguments.texts("exception_types"):
        own = class_of_path(path)
        if own in {"Exception", "BaseException"}:
            answers += EVERY
        elif own in {"TimeoutError", "Timeout"}:
            answers.append("timed_out")
        elif (answer := answer_of_error(own)) is None:
            arguments.note("exception_types", f"'{own}' cannot be the name of a kind")
        else:
            answers.append(answer)
            if own != path or error_of_answer(answer) != own:
                said = f"'{path}' is carried over as {answer}, from which its module cannot be told again"
                arguments.note("exception_types", said)
    return list(dict.fromkeys(answers)) or list(EVERY)


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a map of tenacity's functions. Raises CannotWrite."""
    wanted = Wanted(policy)
    options: dict[str, Any] = {}
    if wanted.attempts is not None:
        options["stop_after_attempt"] = wanted.attempts
    if (after_ns := wanted.deadline_ns()) is not None:
        name = "stop_before_delay" if "before_sleep" in wanted.deadline_kinds else "stop_after_delay"
        options[name] = put(SECONDS, ("deadline",), after_ns)
    options |= _written_wait(wanted)
    answers = wanted.retry_on
    if not wanted.retries_all:
        names = ["TimeoutError"] if "timed_out" in answers else []
        names += [name for name in map(error_of_answer, answers) if name]
        options["retry_if_exception_type"] = names
    return confirmed(wanted, yaml_text({"tenacity": options}), read, TITLE, CANNOT)


def _written_wait(wanted: Wanted) -> dict[str, Any]:
    if law := wanted.law("constant"):
        return {"wait_fixed": _seconds(law, {"delay": "wait"}).get("wait", 0)}
    if law := wanted.law("linear"):
        return {"wait_incrementing": _seconds(law, {"initial": "start", "step": "increment", "cap": "max"})}
    if law := wanted.law("exponential"):
        return _written_exponential(law)
    law = wanted.law("formula")
    if "high" in law:
        return {"wait_random": _seconds(law, {"low": "min", "high": "max"})}
    if "low" in law:
        found = _seconds(law, {"low": "min", "initial": "multiplier", "cap": "max"})
        return {"wait_random_exponential": {**found, "exp_base": law.get("factor", 2)}}
    return {}


def _written_exponential(law: Mapping[str, Any]) -> dict[str, Any]:
    bounds = {"cap": "max", "at_least": "min"}
    base = {"exp_base": law.get("factor", 2)}
    jitter = law.get("jitter", "none")
    if isinstance(jitter, Mapping):
        more = _seconds(jitter, {"plus": "jitter"})
        return {"wait_exponential_jitter": {**_seconds(law, {"initial": "initial", **bounds}), **base, **more}}
    name = "wait_random_exponential" if jitter == "full" else "wait_exponential"
    return {name: {**_seconds(law, {"initial": "multiplier", **bounds}), **base}}


def _seconds(law: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the durations of a law as seconds, under the names of arguments."""
    found = {name: duration(law.get(key)) for key, name in names.items()}
    return {name: put(SECONDS, ("delay",), value) for name, value in found.items() if value is not None}
