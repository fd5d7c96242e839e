"""`--junit FILE`: the verdicts of a run or a comparison as JUnit XML, for servers that show them beside a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sim.cli.files import replacing
from sim.expect.expectations import Ruling
from sim.text.comparison_sentences import judged_text
from sim.text.junit import Case, junit_xml
from sim.text.repeats import repeat_sentences
from sim.text.sentences import verdict_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.api.compare import Comparison
    from sim.expect.conditions import Condition
    from sim.results.result import Result
    from sim.text.junit import Ending

REPEATS: Final = "does the same when simulated again"
_ENDINGS: Final[dict[Ruling, Ending]] = {
    Ruling.met: "passed",
    Ruling.missed: "failure",
    Ruling.inconclusive: "error",
}
_ENDINGS_OF_CONDITIONS: Final[dict[Ruling, Ending]] = {
    Ruling.met: "failure",
    Ruling.missed: "passed",
    Ruling.inconclusive: "error",
}
"""A comparison fails if its condition holds."""


def _path(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder '{path.parent}'")
    return path


def junit_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--junit FILE`, which reaches the command as `junit`."""
    return click.option(
        "--junit",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        callback=_path,
        help="Write the verdicts as JUnit XML as well, for servers that build and test.",
    )(function)


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write one suite; a file that is there is replaced."""
    with replacing(path) as beside:
        beside.write_text(junit_xml(suite, cases), encoding="utf-8")


def cases_of_run(result: Result) -> list[Case]:
    """Return a case for each cell and expectation, for each invariant of a check, and whether requests repeat."""
    cases = []
    for cell in result.cells:
        name = cell.cell.name
        said = "\n".join(repeat_sentences([(name, cell.unrepeated)]))
        cases.append(Case(name, REPEATS, "failure" if said else "passed", "unrepeated" if said else "", said))
        cases += [
            Case(name, one.expectation.text, _ENDINGS[one.ruling], one.ruling.value, verdict_text(one))
            for one in cell.verdicts
        ]
    return cases + _cases_of_check(result)


def _cases_of_check(result: Result) -> list[Case]:
    if result.checked is None:
        return []
    cases = []
    for cell in result.checked.cells:
        broken = {one.invariant: one for one in cell.broken}
        unseen = {one.name: one for one in cell.unseen}
        for name in cell.held:
            if name in broken:
                told = "\n".join(broken[name].told.lines(100))
                cases.append(Case(cell.name, name, "failure", "broken", told))
            elif name in unseen:
                cases.append(Case(cell.name, name, "failure", "unseen", f"never seen: {unseen[name].claim}"))
            else:
                cases.append(Case(cell.name, name, "passed"))
    probe = result.checked.probe
    if probe is not None:
        told = "\n".join(probe.told.lines(100)) if probe.told is not None else ""
        ending: Ending = "failure" if probe.broken else "passed"
        cases.append(Case("platform", "probe", ending, "broken" if probe.broken else "", told))
    return cases


def cases_of_comparison(compared: Comparison, conditions: Sequence[Condition]) -> list[Case]:
    """Return a case for each pair of cells and each condition under which the comparison fails."""
    cases = []
    for one in compared:
        for condition in conditions:
            judged = condition.judge(one.differences)
            said = judged_text(judged, one.differences)
            kind = {Ruling.met: "holds", Ruling.inconclusive: "may hold"}.get(judged.ruling, "")
            cases.append(
                Case(one.b.cell.name, f"not {condition.text}", _ENDINGS_OF_CONDITIONS[judged.ruling], kind, said)
            )
    if not compared.repeats:
        cases.append(Case("", REPEATS, "failure", "unrepeated", "requests did something else when simulated again"))
    return cases
