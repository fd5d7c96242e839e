"""Scenarios for policies: a new one with a placeholder for the action, or one that exists with its retrier replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY
from sim.converters.converted import Hints, hints_of
from sim.kernel.durations import NS_PER_MS, format_duration, parse_duration
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.names import LONGEST_NAME
from sim.scenario.yaml.guard import read_yaml
from sim.scenario.yaml.writer import yaml_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.converters.converted import Policy

FAILING: Final = 0.3
"""The share of calls that fail in a placeholder: enough to see retries, few enough to see them succeed."""
FAILING_SHARED: Final = 0.05
"""The same for policies with a budget or a breaker, which would let nothing pass otherwise."""
MOST_KINDS: Final = 6
MEDIAN_NS: Final = 100 * NS_PER_MS
P99_NS: Final = 1000 * NS_PER_MS
PLACEHOLDER: Final = "a placeholder: put your own latencies and failures in its place"
RATE: Final = "50/s"
LIMIT: Final = "60/s"
"""Of a placeholder's service that rejects calls: above what comes, below it with the retries."""


def retrier_of(policy: Policy) -> dict[str, Any]:
    """Return a policy as the retrier of a scenario, without what holds unless stated."""
    usual = {"attempts": 1, "retry_on": list(EVERY)}
    return {"kind": "policy", **{key: value for key, value in policy.tree.items() if usual.get(key) != value}}


def scenario_text(policies: Sequence[Policy], title: str, source: str) -> str:
    """Return a scenario for one policy, or with a variant for each; its action is a placeholder and says so."""
    hints = [hints_of(policy.tree) for policy in policies]
    file = PurePath(source).name
    several = len(policies) > 1
    tree: dict[str, Any] = {
        "name": _name(file),
        "why": (
            f"What do the retries of {file} ({title}) do? The action is a placeholder, so its numbers are not yours."
        ),
        **_world(policies, hints),
    }
    if several:
        tree["variants"] = {policy.name: {"retrier": retrier_of(policy)} for policy in policies}
    else:
        tree["retrier"] = retrier_of(policies[0])
    at = "services" if "services" in tree else "action"
    lines = [f"# Converted from {file} ({title}).", *yaml_lines(tree, {at: PLACEHOLDER})]
    return "\n".join(lines) + "\n"


def _name(file: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", PurePath(file).stem.lower()).strip("-._")[:LONGEST_NAME]
    return name or "converted"


def _world(policies: Sequence[Policy], hints: Sequence[Hints]) -> dict[str, Any]:
    rejects = any(one.rejected for one in hints)
    work = {"latency": _latency(policies), "outcomes": {"fail": _failures(hints)}}
    shared: dict[str, Any] = {
        "world": "shared",
        "requests": {"count": 2000, "arrivals": {"poisson": {"rate": RATE}}},
    }
    until = {"until": "1d"} if any(one.unlimited for one in hints) else {}
    if rejects:
        limit = {"rate": LIMIT, "burst": 20}
        return {
            **shared,
            **until,
            "action": {"service": "backend"},
            "services": {"backend": {**work, "rate_limit": limit}},
        }
    if any(one.shared for one in hints):
        return {**shared, **until, "action": work}
    return {"requests": {"count": 2000}, **until, "action": work}


def _failures(hints: Sequence[Hints]) -> Any:
    kinds = list(dict.fromkeys(kind for one in hints for kind in one.kinds))[:MOST_KINDS]
    failing = FAILING_SHARED if any(one.shared for one in hints) else FAILING
    if not kinds:
        return failing
    if any(one.plain for one in hints):
        kinds.insert(0, "other")
    share = round(failing / len(kinds), 3)
    return [{"kind": kind, "share": share} for kind in dict.fromkeys(kinds)]


def _latency(policies: Sequence[Policy]) -> Any:
    """Return latencies of which a few in a hundred pass the shortest timeout of a try."""
    timeouts_ns = [parse_duration(policy.tree["timeout"]) for policy in policies if "timeout" in policy.tree]
    timeouts_ns += [
        parse_duration(policy.tree["hedge"]["after"])
        for policy in policies
        if policy.tree.get("hedge", {}).get("after", "never") not in {"never", "0s"}
    ]
    if not timeouts_ns:
        return {"lognormal": {"median": format_duration(MEDIAN_NS), "p99": format_duration(P99_NS)}}
    shortest_ns = max(min(timeouts_ns), NS_PER_MS)
    median_ns = shortest_ns // 5
    return {"lognormal": {"median": format_duration(median_ns), "p99": format_duration(shortest_ns * 3 // 2)}}


def into_scenario(data: bytes, source: str, policies: Sequence[Policy]) -> tuple[str, list[str]]:
    """Return the text of a scenario with its retrier replaced, and what else had to change.

    One policy takes the place of `retrier` and of what the sweep and the variants say of it; several become variants.
    The text of all other keys stays as it is if they are written in block style and only `retrier` changes. Raises
    ScenarioError.
    """
    document = read_yaml(data, source)
    if document.problems:
        raise ScenarioError(document.places.in_order(document.problems))
    tree = document.values
    if not isinstance(tree, Mapping):
        raise ScenarioError(document.places.in_order([Problem((), "a scenario is a mapping of keys")]))
    changed, told = _without_retriers(tree)
    if len(policies) > 1:
        if changed.get("variants"):
            reason = "it has variants of its own; choose one policy with --pick"
            raise ScenarioError(document.places.in_order([Problem(("variants",), reason, at_key=True)]))
        changed.pop("retrier", None)
        changed["variants"] = {policy.name: {"retrier": retrier_of(policy)} for policy in policies}
    else:
        changed = {key: value for key, value in changed.items() if key != "retrier"}
        changed["retrier"] = retrier_of(policies[0])
        if not told and (text := _spliced(data, document.places.keys, changed["retrier"])) is not None:
            return text, told
    return "\n".join(yaml_lines(changed, {})) + "\n", told


def _without_retriers(tree: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Leave out what the sweep and the variants say of the retrier, and say so."""
    changed, told = dict(tree), []
    for part in ("sweep", "variants"):
        value = tree.get(part)
        if not isinstance(value, Mapping):
            continue
        if part == "sweep":
            kept: dict[str, Any] = {key: below for key, below in value.items() if not _is_of_retrier(key)}
        else:
            kept = {name: _kept(below) for name, below in value.items()}
            if kept != dict(value) and all(not below for below in kept.values()):
                kept = {}
        if kept != dict(value):
            told.append(f"what {part} says of the retrier is left out")
            changed[part] = kept
            if not kept:
                del changed[part]
    return changed, told


def _is_of_retrier(key: str) -> bool:
    return key == "retrier" or key.startswith("retrier.")


def _kept(changes: Any) -> Any:
    if not isinstance(changes, Mapping):
        return changes
    return {key: value for key, value in changes.items() if not _is_of_retrier(key)}


def _spliced(data: bytes, keys: Mapping[Any, Any], retrier: Mapping[str, Any]) -> str | None:
    """Replace the lines of `retrier` in the text; None if it does not stand on lines of its own at the left."""
    text = data.decode("utf-8-sig")
    lines = text.splitlines(keepends=True)
    place = keys.get(("retrier",))
    starts = sorted(one.line for path, one in keys.items() if len(path) == 1 and one.column == 1)
    if place is None or place.column != 1 or len(starts) < sum(len(path) == 1 for path in keys):
        return None
    end = next((line for line in starts if line > place.line), len(lines) + 1)
    while end > place.line + 1 and _is_above(lines[end - 2]):
        end -= 1  # comments and empty lines above the next key belong to that
    new = "".join(f"{line}\n" for line in yaml_lines({"retrier": retrier}, {}))
    return "".join(lines[: place.line - 1]) + new + "".join(lines[end - 1 :])


def _is_above(line: str) -> bool:
    return not line.strip() or line.startswith("#")
