"""A retrier's parameters as TypeScript to paste, in the names and units of the library that the port follows.

- `component`: `@convex-dev/action-retrier` 0.3.1, the options of `new ActionRetrier`.
- `helpers`: `convex-helpers` 0.1.124, `server/retries`, the options of `makeActionRetrier`.
- `article`: `JamesCowling/convex-action-retrier`, the arguments of the mutation `runAction`.
- `workpool`: `@convex-dev/workpool` 0.4.16, the options of `new Workpool` and those of an enqueue.

Numbers are upstream's own: the component's first backoff is `initialBackoffMs * base`, and the file has
`initialBackoffMs`. That of workpool is `initialBackoffMs` itself, whatever its documentation says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.kernel.durations import NS_PER_MS, format_duration
from sim.retriers.ports import PORTS
from sim.retriers.ports.workpool.options import WorkpoolOptions

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

_NO_CODE = {
    "none": "`none` calls once and retries nothing, so there is no code to paste",
    "component-repaired": "`component-repaired` is no library's code, so there is nothing to paste",
}


def no_code(scenario: Scenario) -> str:
    """Say why there is no code for a scenario's retrier; empty if there is code."""
    kind = scenario.retrier.kind
    if kind in _WRITERS:
        return ""
    return _NO_CODE.get(kind, f"{kind!r} is a retrier of your own: the options in the scenario are its own")


def typescript(scenario: Scenario, about: str) -> str:
    """Return the code for a scenario's retrier, headed by the comment `about`; raises ValueError if there is none."""
    reason = no_code(scenario)
    if reason:
        raise ValueError(reason)
    lines = _WRITERS[scenario.retrier.kind](scenario.retrier.options)
    return "\n".join([f"// {about}", *lines]) + "\n"


def code_lines(text: str) -> list[str]:
    """Return the lines of TypeScript that hold the parameters: no comments, imports or empty lines."""
    return [line for line in text.splitlines() if line and not line.startswith(("//", "import "))]


def _component(options: Any) -> list[str]:
    first_ns, most = options.initial_backoff * options.base, options.max_failures + 1
    lines = [
        "// @convex-dev/action-retrier 0.3.1. The first backoff is initialBackoffMs * base, spread over 0.5 to 1.5",
        f"// times itself: {_rounded(0.5 * first_ns)} to {_rounded(1.5 * first_ns)}. {_tries(most)}",
        'import { ActionRetrier } from "@convex-dev/action-retrier";',
        'import { components } from "./_generated/api";',
        "",
        "export const retrier = new ActionRetrier(components.actionRetrier, {",
        f"  initialBackoffMs: {_number(options.initial_backoff / NS_PER_MS)},",
        f"  base: {_number(options.base)},",
        f"  maxFailures: {options.max_failures},",
        "});",
    ]
    if options.run_after:
        delay = _number(options.run_after / NS_PER_MS)
        lines.append(f"// Start it with: await retrier.runAfter(ctx, {delay}, action, args);")
    return lines


def _helpers(options: Any) -> list[str]:
    return [
        "// convex-helpers 0.1.124, as convex/retries.ts: the text names this module and the `retry` that it exports.",
        f"// Delays are spread over 0.5 to 1.5 times themselves. {_tries(options.max_failures + 1)}",
        'import { makeActionRetrier } from "convex-helpers/server/retries";',
        "",
        'export const { runWithRetries, retry } = makeActionRetrier("retries:retry", {',
        *_polling(options),
        "});",
    ]


def _article(options: Any) -> list[str]:
    return [
        "// JamesCowling/convex-action-retrier, convex/retrier.ts: arguments of runAction, besides those that say what",
        "// to run: await ctx.runMutation(api.retrier.runAction, { action, actionArgs, ...retryOptions });",
        f"// {_tries(options.max_failures + 1)}",
        "export const retryOptions = {",
        *_polling(options),
        "};",
    ]


def _workpool(options: Any) -> list[str]:
    given = options.upstream()
    behavior = given["retry"]
    lines = [f"// @convex-dev/workpool 0.4.16. {_backoffs(options) if behavior else 'Nothing is retried.'}"]
    if options.pool != WorkpoolOptions().pool:
        lines.append(f'// Its name stands in convex/convex.config.ts: app.use(workpool, {{ name: "{options.pool}" }});')
    lines += [
        'import { Workpool } from "@convex-dev/workpool";',
        'import { components } from "./_generated/api";',
        "",
        f"export const pool = new Workpool(components{_member(options.pool)}, {{",
        f"  maxParallelism: {_number(given['maxParallelism'])},",
    ]
    if options.function == "action":
        lines.append(f"  retryActionsByDefault: {'true' if behavior else 'false'},")
    if behavior:
        numbers = ", ".join(f"{name}: {_number(value)}" for name, value in behavior.items())
        lines.append(f"  defaultRetryBehavior: {{ {numbers} }},")
    kind = options.function
    delay = f", {{ runAfter: {_number(given['runAfter'])} }}" if options.run_after else ""
    return [*lines, "});", f"// Enqueue with: await pool.enqueue{kind.capitalize()}(ctx, {kind}, args{delay});"]


def _backoffs(options: Any) -> str:
    low, high = (_rounded(share * options.initial_backoff) for share in (0.5, 1.5))
    return (
        "The first backoff is initialBackoffMs, spread over 0.5 to 1.5 times itself:\n"
        f"// {low} to {high}. {_tries(options.attempts)}"
    )


def _member(name: str) -> str:
    """Write access to a member of an object."""
    return f'["{name}"]' if "-" in name else f".{name}"


def _tries(tries: int) -> str:
    return f"An action is tried {tries} times at most."


def _polling(options: Any) -> list[str]:
    return [f"  {name}: {_number(value)}," for name, value in options.arguments().items()]


_WRITERS = {"component": _component, "helpers": _helpers, "article": _article, "workpool": _workpool}
assert set(_WRITERS) <= set(PORTS)  # noqa: S101  # a writer for a port that is gone would never be called


def _number(number: float) -> str:
    """Write a number so that JavaScript reads the same number."""
    return str(int(number)) if number == int(number) else repr(float(number))


def _rounded(duration_ns: float) -> str:
    return format_duration(round(duration_ns / NS_PER_MS) * NS_PER_MS)
