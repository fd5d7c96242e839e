"""AWS Step Functions: the `Retry` lists of Amazon States Language (JSON or YAML), one policy for each state with one.

Facts: localstack-core 2026.3.0 services/stepfunctions/asl (an emulator); AWS CDK documentation of RetryProps.

Counting: `MaxAttempts` counts retries, 3 by default. Each retrier of a list has its own counter; the first that matches
is used. One alone is the policy itself, several are `cases` with `counter: own`.
Answers: `States.ALL` is all failures, `States.TaskFailed` all but `timed_out`, `States.Timeout` is `timed_out`; any
other name is `failed.NAME` with its capitals as hyphens (`Lambda.ServiceException`: `failed.lambda.service-exception`).
Law: interval * rate^(n-1), then the cap, then the jitter: FULL is U times that.
`TimeoutSeconds` of a task is the timeout of a try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY, answer_of_error, error_of_answer
from sim.converters.converted import Converted, Policy
from sim.converters.delays import exponential
from sim.converters.fields import Fields, Reading
from sim.converters.units import WHOLE_SECONDS
from sim.converters.writing import Wanted, confirmed, duration, json_text, put, time
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.converters.documents import Document
    from sim.scenario.mistakes.problems import Path

TITLE: Final = "Step Functions"
MOST_S: Final = 99_999_999
MOST_DELAY_S: Final = 31_622_401
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "States.ALL": EVERY,
    "States.TaskFailed": ("failed", "rejected", "conflict"),
    "States.Timeout": ("timed_out",),
}
CANNOT: Final = {
    "attempts": "a state has a number of retries from 0 to 99999999",
    "delay": (
        "a retrier has one law, in whole seconds: {exponential: {initial, factor, cap, jitter}}, jitter none or full"
    ),
    "retry_on": "a retrier names all failures, all but timed_out, timed_out, or kinds such as failed.states.runtime",
    "deadline": "a state has no deadline of all its tries",
    "retry_after": "no answer tells a state when to come back",
    "cases": "a list of retriers is cases with {on, attempts, delay, counter: own}, and retry_on of all of them",
    "budget": "a state has no budget of retries",
    "breaker": "a state has no circuit breaker",
    "hedge": "a state has no hedging",
    "bulkhead": "a state limits no concurrency",
    "rate_limit": "a state limits no rate",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a state machine, a state or its list of retriers."""
    if isinstance(values.get("States"), Mapping) and ("StartAt" in values or "ItemProcessor" not in values):
        return True
    retry = values.get("Retry")
    return "ErrorEquals" in values or (
        isinstance(retry, list)
        and all(isinstance(one, Mapping) and "ErrorEquals" in one for one in retry)
        and bool(retry)
    )


def read(document: Document) -> Converted:
    """Read every state that has a Retry, or one state. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies: list[Policy] = []
    for path, root in document.roots:
        if isinstance(root, list):
            retriers = [
                Fields(reading, (*path, number), entry)
                for number, entry in enumerate(root)
                if isinstance(entry, Mapping)
            ]
            policies.append(Policy("state", _policy(reading, path, retriers)))
    for root in reading.roots() if not policies else ():
        if "States" in root:
            policies += _machine(root)
        elif "ErrorEquals" in root:
            policies.append(Policy("state", _policy(reading, root.path, [root])))
        else:
            policies.append(Policy("state", _state(root)))
    return reading.converted(policies)


def _machine(machine: Fields) -> Iterator[Policy]:
    machine.ignore("Comment", "StartAt", "Version", "QueryLanguage", "ProcessorConfig")
    machine.lost("TimeoutSeconds", "the time of the whole execution; only tries of a state are modeled")
    states = machine.below("States")
    for name in [] if states is None else states.names():
        state = None if states is None else states.below(name)
        if state is None:
            continue
        for key in ("ItemProcessor", "Iterator"):
            if (inner := state.below(key)) is not None:
                yield from _machine(inner)
        for branch in state.entries("Branches"):
            yield from _machine(branch)
        if "Retry" in state:
            yield Policy(str(name), _state(state))
        else:
            state.ignore(*state.names())
    machine.rest("it is not about retries")


def _state(state: Fields) -> dict[str, Any]:
    retriers = state.entries("Retry")
    tree = _policy(state.reading, state.at("Retry"), retriers)
    try_ns = state.time("TimeoutSeconds", WHOLE_SECONDS, None, above=True)
    state.lost("HeartbeatSeconds", "calls send no heartbeats")
    state.lost("TimeoutSecondsPath", "it is known only when the state runs")
    state.lost("Catch", "what follows a failure is not modeled")
    state.ignore("Type", "Comment", "Next", "End", "ItemProcessor", "Iterator", "Branches")
    state.rest("it is not about retries")
    return {**tree, "timeout": time(try_ns)} if try_ns is not None else tree


def _policy(reading: Reading, path: Path, retriers: list[Fields]) -> dict[str, Any]:
    read_ones = [_retrier(retrier, is_last=number == len(retriers) - 1) for number, retrier in enumerate(retriers)]
    if not read_ones:
        reading.lost(path, "there is no retrier in it, so nothing is retried")
        return {}
    if len(read_ones) == 1:
        (only,) = read_ones
        return {"attempts": only["attempts"], "delay": only["delay"], "retry_on": only["on"]}
    answers = dict.fromkeys(answer for one in read_ones for answer in one["on"])
    return {"retry_on": list(answers), "cases": [{**one, "counter": "own"} for one in read_ones]}


def _retrier(retrier: Fields, *, is_last: bool) -> dict[str, Any]:
    answers: list[str] = []
    names = retrier.texts("ErrorEquals")
    if not names and retrier.required("ErrorEquals"):
        retrier.wrong("ErrorEquals", "at least one error must be named")
    if "States.ALL" in names and (len(names) > 1 or not is_last):
        retrier.wrong("ErrorEquals", "States.ALL stands alone, and in the last retrier")
    for name in names:
        if name in NAMES:
            answers += NAMES[name]
            continue
        answer = answer_of_error(name)
        if answer is None:
            retrier.note("ErrorEquals", f"'{name}' cannot be the name of a kind")
            continue
        if error_of_answer(answer) != name:
            retrier.note("ErrorEquals", f"'{name}' is carried over as {answer}, from which it cannot be told again")
        answers.append(answer)
    interval_s = retrier.whole("IntervalSeconds", 1, 1, MOST_S)
    retries = retrier.whole("MaxAttempts", 3, 0, MOST_S)
    rate = retrier.number("BackoffRate", 2, least=1)
    most_s = retrier.whole("MaxDelaySeconds", None, 1, MOST_DELAY_S)
    jitter = retrier.choice("JitterStrategy", ("NONE", "FULL"), "NONE")
    retrier.ignore("Comment")
    retrier.rest("Amazon States Language knows no such key of a retrier")
    full = {"jitter": "full"} if jitter == "FULL" else {}
    delay = exponential(interval_s * NS_PER_S, rate, None if most_s is None else most_s * NS_PER_S, **full)
    return {"on": list(dict.fromkeys(answers)), "delay": delay, "attempts": retries + 1}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a state machine of one task. Raises CannotWrite."""
    wanted = Wanted(policy)
    cases = wanted.get("cases")
    if isinstance(cases, list) and cases:
        retriers = [
            _written(case, case.get("attempts"), case.get("on", [])) for case in cases if isinstance(case, Mapping)
        ]
    elif wanted.tree.get("attempts", 1) == 1 and not wanted.law("exponential"):
        retriers = []
    else:
        retriers = [_written(wanted.tree, wanted.tree.get("attempts", 1), wanted.retry_on)]
    task: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Retry": retriers,
        "End": True,
    }
    if (try_ns := wanted.ns("timeout")) is not None:
        task["TimeoutSeconds"] = put(WHOLE_SECONDS, ("timeout",), try_ns)
    text = json_text({"StartAt": "Task", "States": {"Task": task}})
    return confirmed(wanted, text, read, TITLE, CANNOT)


def _written(part: Mapping[str, Any], attempts: Any, answers: list[str]) -> dict[str, Any]:
    delay = part.get("delay")
    law = delay.get("exponential", {}) if isinstance(delay, Mapping) else {}
    initial_ns, cap_ns = duration(law.get("initial")), duration(law.get("cap"))
    names = []
    left = list(answers)
    for name, own in NAMES.items():
        if set(own) <= set(left):
            names.append(name)
            left = [answer for answer in left if answer not in own]
    names += [name for name in map(error_of_answer, left) if name]
    written: dict[str, Any] = {
        "ErrorEquals": names or ["States.ALL"],
        "IntervalSeconds": put(WHOLE_SECONDS, ("delay",), initial_ns or NS_PER_S),
        "MaxAttempts": attempts - 1 if isinstance(attempts, int) else MOST_S,
        "BackoffRate": law.get("factor", 2),
    }
    if cap_ns is not None:
        written["MaxDelaySeconds"] = put(WHOLE_SECONDS, ("delay",), cap_ns)
    if law.get("jitter") == "full":
        written["JitterStrategy"] = "FULL"
    return written
