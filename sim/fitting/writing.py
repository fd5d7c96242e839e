"""Writes a fit: the scenario with what else may stand in it as comments, and the columns beside it."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from sim.fitting import scenario as made
from sim.fitting.laws import words_for
from sim.fitting.limits import limits_of
from sim.fitting.suggestions import services_of
from sim.fitting.units import interval_text, percent
from sim.scenario.load import parse
from sim.scenario.names import LONGEST_NAME
from sim.scenario.yaml.writer import flow_text, narrow_lines, yaml_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sim.fitting.findings import Findings
    from sim.fitting.laws import FittedLaw

WIDTH: Final = 118
ALTERNATIVES: Final = 6
"""Laws in place of columns are offered for so many kinds of failures."""


class WouldOverwrite(FileExistsError):
    """Files that would be written exist already; `paths` has them."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        super().__init__(", ".join(str(path) for path in self.paths))


def names_beside(path: Path) -> dict[str, str]:
    """Return the names of the columns beside a scenario: of latencies and of arrivals."""
    return {"latencies": f"{path.stem}.latencies.csv", "arrivals": f"{path.stem}.arrivals.csv"}


def write_fit(
    fitted: Findings,
    path: Path,
    *,
    shared: bool = False,
    overwrite: bool = False,
    command: str = "",
    unmet: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write the scenario and its columns, all or none; return their paths, the scenario first.

    `shared` writes a shared world with the arrivals of the log in place of an isolated one; `command` is the line that
    made it. `unmet` are expectations that a run does not meet, each with what came out: they become comments. Raises
    WouldOverwrite if one of the files exists and `overwrite` is not given, and OSError.
    """
    names = names_beside(path)
    files = {
        path.name: scenario_text(fitted, path.name, shared=shared, command=command, unmet=unmet or {}),
        names["latencies"]: _csv((made.LATENCY, made.STATUS), made.latency_rows(fitted)),
    }
    arrivals = made.arrivals_written(fitted, names["arrivals"])
    if arrivals is not None and "file" in arrivals:
        files[names["arrivals"]] = _csv((made.STARTED,), ((one,) for one in made.arrival_rows(fitted)))
    there = [path.parent / name for name in files if (path.parent / name).exists()]
    if there and not overwrite:
        raise WouldOverwrite(there)
    with tempfile.TemporaryDirectory(prefix=".retrysim-", dir=path.parent) as temporary:
        beside = Path(temporary)
        for name, text in files.items():
            (beside / name).write_text(text, encoding="utf-8", newline="")
        parse(files[path.name], beside, source=path.name)  # a scenario that cannot be read is never left behind
        for name in reversed(files):
            (beside / name).replace(path.parent / name)
    return tuple(path.parent / name for name in files)


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def scenario_text(
    fitted: Findings, name: str, *, shared: bool = False, command: str = "", unmet: Mapping[str, str] | None = None
) -> str:
    """Return the text of the scenario, whose file has this name."""
    names = names_beside(Path(name))
    lines = [*_head(fitted, command), *_whole_lines(fitted, name, names, shared=shared)]
    lines += ["", *_action_lines(fitted, names["latencies"])]
    lines += ["", *_retrier_lines(fitted, shared=shared)]
    if not shared:
        lines += ["", *_expect_lines(fitted, unmet or {})]
    lines += ["", "# What the log cannot tell:", *_list(limits_of(fitted))]
    return "\n".join(lines) + "\n"


def _head(fitted: Findings, command: str) -> Iterator[str]:
    made_by = f"`{command}`" if command else "`retrysim fit`"
    yield from _comment(f"Fitted to {fitted.source} ({fitted.calls:,} {fitted.rows}) by {made_by}.")


def _whole_lines(fitted: Findings, name: str, names: Mapping[str, str], *, shared: bool) -> Iterator[str]:
    stem = re.sub(r"[^a-z0-9._-]+", "-", Path(name).stem.lower()).strip("-._")[:LONGEST_NAME] or "fitted"
    what = f" ({fitted.what})" if fitted.what else ""
    why = (
        f"What {fitted.source}{what} says of {fitted.whole.requests:,} requests. Does the model give its numbers again?"
    )
    yield from yaml_lines({"name": stem, "why": why}, {})
    arrivals = made.shared_requests(fitted, names["arrivals"])
    if shared:
        yield from yaml_lines(
            {
                "world": "shared",
                "requests": arrivals,
                "replications": made.REPLICATIONS,
            },
            {},
        )
        return
    yield from yaml_lines({"requests": made.requests_of(fitted)}, {})
    if "arrivals" in arrivals:
        yield "# The requests as they came, for what they do to each other (services, budgets, breakers):"
        yield "# world: shared"
        yield f"# requests: {flow_text(arrivals)}"
        yield f"# replications: {made.REPLICATIONS}"
        if fitted.policy is None:
            yield f"# retrier: {flow_text(made.ONE_TRY)}"


def _action_lines(fitted: Findings, file: str) -> Iterator[str]:
    action = made.action_of(fitted, file)
    if not action:
        yield "action: {}"
        return
    yield "action:"
    if made.is_thinned(fitted):
        yield f"  # {file} has evenly spread quantiles of the log's latencies, not all of them."
    if "latency" in action:
        yield from yaml_lines({"latency": action["latency"]}, {}, "action.")
    best = next((one for one in fitted.successes if len(one.values_ns)), None)
    if best is not None and best.law is not None and len(fitted.successes) == 1:
        yield f"  # latency: {flow_text(best.law.written)}{_closeness(best.law)}"
    if "outcomes" in action:
        yield from narrow_lines({"outcomes": action["outcomes"]}, WIDTH, "  ")
        yield from _alternatives(fitted)
    for key in ("permanent_failure", "weather"):
        if key in action:
            if key == "weather":
                yield from _weather_comment(fitted)
            yield from narrow_lines({key: action[key]}, WIDTH, "  ")
    services = services_of(fitted)
    if services is not None:
        yield "# Calls take longer under load. To let them, in a shared world, let a service do the work:"
        yield "# action: {service: backend}"
        yield f"# services: {{backend: {flow_text(services)}}}"


def _closeness(law: FittedLaw) -> str:
    told = {"close": "close to the data", "roughly": "roughly the data", "not close": "NOT close to the data"}
    return f"  # {told[words_for(law)]}: at most {percent(law.distance)} off"


def _alternatives(fitted: Findings) -> Iterator[str]:
    """Offer laws for the columns of failures, and what a timeout may have been."""
    kinds = made.kinds_of(fitted)
    lines = [
        f"  #   {kinds[one.status]}: {flow_text(one.law.written)}{_closeness(one.law)}"
        for one in fitted.failures[:ALTERNATIVES]
        if one.law is not None and one.status in kinds
    ]
    if lines:
        yield "  # Laws in place of the columns of failures:"
        yield from lines
    for one in fitted.failures:
        if one.is_timeout and one.status in kinds:
            text = (
                f"Whether a call that ended as '{one.named}' had its effect, the log cannot tell. If it had, write "
                f"ack_lost with its share and latency in place of the kind {kinds[one.status]}."
            )
            yield from _comment(text, "  ")


def _weather_comment(fitted: Findings) -> Iterator[str]:
    weather = fitted.weather
    if weather is None:
        return
    text = (
        f"Failures hang together: up for {interval_text(weather.up)} in the mean, down for "
        f"{interval_text(weather.down)}; {len(weather.spells)} times down in the log."
    )
    yield from _comment(text, "  ")


def _retrier_lines(fitted: Findings, *, shared: bool) -> Iterator[str]:
    policy = fitted.policy
    retrier = made.retrier_of(fitted)
    if policy is None:
        yield f"retrier: {flow_text(made.ONE_TRY) if shared else retrier}"
        yield "# What would retries do? For example:"
        example = {"kind": "policy", "attempts": 4, "delay": _example_delay()}
        yield f"# retrier: {flow_text(example)}"
        return
    if policy.delay is None:
        yield from _comment("The log does not tell the delays before retries: there are none here.")
    yield from yaml_lines({"retrier": retrier}, {})


def _example_delay() -> dict[str, Any]:
    return {"exponential": {"initial": "100ms", "factor": 2, "cap": "10s", "jitter": "full"}}


def _expect_lines(fitted: Findings, unmet: Mapping[str, str]) -> Iterator[str]:
    lines, is_wider = made.expectations_of(fitted)
    kept = [line for line in lines if line not in unmet]
    of_what = "wider than the log's own, by the number of requests" if is_wider else "of the log"
    yield f"# 95 % intervals {of_what}."
    if kept:
        yield "expect:"
        yield from (f"  - {line}" for line in kept)
    else:
        yield "expect: []"
    for line in lines:
        if line in unmet:
            yield from _comment(f"Not met by this model, in which it is {unmet[line]}: {line}")


def _comment(text: str, indent: str = "") -> Iterator[str]:
    yield from (f"{indent}# {line}" for line in wrap(text, WIDTH - len(indent), break_long_words=False))


def _list(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        first, *rest = wrap(text, WIDTH - 4, break_long_words=False)
        yield f"# - {first}"
        yield from (f"#   {line}" for line in rest)
