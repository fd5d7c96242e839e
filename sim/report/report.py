"""The report of saved results: one page that asks, answers, shows, tells stories and says how to run it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sim.experiment.precision import precision_lines
from sim.report.charts.looks import swatch
from sim.report.page import Section, Switch, page
from sim.report.pictures import groups
from sim.report.stories import stories
from sim.report.tables import all_metrics, main_table, reasons, told_before, verdicts
from sim.report.templates import render, safe
from sim.report.writing import write_page
from sim.results.reading import open_results
from sim.results.result import Result
from sim.text.reported import lack_replications

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.experiment.findings import CellFindings, Finding
    from sim.report.charts.markup import Html
    from sim.report.pictures import Group
    from sim.report.stories import Story

FILE: Final = "report.html"
DIGITS: Final = 12
"""Of a digest, as captions have it."""


@dataclass(frozen=True, slots=True)
class Again:
    """The command lines that simulate the results, or parts of them, again."""

    run: str
    replay: Callable[[int, str | None], str]
    """Makes the command that replays a request, of its number, and of the id of its cell if there are several."""
    check: Callable[[CellFindings, Finding], str | None]
    """Makes the command that shows a violation again."""
    note: str = ""
    """What a reader has to do before, in a sentence."""


def again_of(result: Result) -> Again:
    """Return command lines for results of which only the scenario's name is known."""
    file = f"{result.scenario.name}.yaml"
    run = f"retrysim run {file} --seed {result.scenario.seed}"

    def replay(request: int, cell: str | None) -> str:
        chosen = "" if cell is None else f" --cell {cell}"
        return f"retrysim replay {file} --seed {result.scenario.seed} --request {request}{chosen}"

    def check(cell: CellFindings, first: Finding) -> str | None:
        if first.overall or not first.replays:
            return f"{run} --check"
        return replay(first.request, cell.id if len(result.cells) > 1 else None)

    return Again(run, replay, check, f"Here {file} stands for the scenario's file.")


def write_report(results: Result | str | Path, path: str | Path | None = None, *, again: Again | None = None) -> Path:
    """Write the page of results, and return its path; the same results and package give the same bytes.

    `results` is a result, or the folder of a finished run, which need no `path`: its page is `report.html` in it.
    `again` makes the command lines; by default they name the scenario alone. A page that retrysim has written is
    replaced, in one step; any other file is refused. Raises ValueError if a result has no path, `CorruptResults` as
    `open_results` does, `sim.report.writing.ForeignPage`, NotStored of `sim.results.errors` and NoJinja of
    `sim.report.templates`.
    """
    result = results if isinstance(results, Result) else open_results(results)
    if path is None:
        if isinstance(results, Result):
            raise ValueError("a result in memory has no folder: where shall its page go? Give a path")
        folder = Path(results)
        path = (folder if folder.is_dir() else folder.parent) / FILE
    return write_page(Path(path), lambda: report_html(result, again))


def report_html(result: Result, again: Again | None = None) -> str:
    """Return the page of a result. Raises NoJinja of `sim.report.templates`."""
    again = again_of(result) if again is None else again
    several = len(result.cells) > 1
    sections = [Section("answer", "Answer", answer(result))]
    sections.append(Section("table", "Values with their intervals", table(result), is_wide=True))
    sections += [Section(one.id, one.title, pictures(one), is_wide=True) for one in groups(result)]
    told = stories(result)
    if told:
        lines = [again.replay(one.request, _cell_id(result, one) if several else None) for one in told]
        sections.append(
            Section("stories", "Requests, one by one", _stories(told, lines, several=several), is_wide=True)
        )
    sections.append(Section("checks", "Checks", _checks(result, again)))
    sections.append(Section("again", "How to run it again", _again(result, again)))
    switches = [Switch(str(at), cell.name, swatch(at)) for at, cell in enumerate(result.reported)]
    return page(result.scenario.name, sections, switches=switches, lead=_lead(result))


def _cell_id(result: Result, story: Story) -> str:
    return next(found.id for found in result.cells if found.cell.name == story.cell)


def _lead(result: Result) -> Html:
    facts = f"{result.scenario.world} world, {result.size} a cell, seed {result.scenario.seed}"
    return render("lead.html", why=result.scenario.why, facts=facts, digest=result.digest[:DIGITS])


def pictures(group: Group) -> Html:
    """Return the body of a section of pictures."""
    return render(
        "pictures.html",
        group=group,
        charts=[safe(chart) for chart in group.charts],
        swatches=[safe(swatch(at)) for at in range(len(group.lines))],
    )


def answer(result: Result) -> Html:
    """Return the body of the section that answers in sentences."""
    return render(
        "answer.html",
        sentences=result.sentences(),
        verdicts=verdicts(result),
        precision=precision_lines(result.precision, result.size),
        assumed=result.assumed,
    )


def table(result: Result, before: Result | None = None, *, complete: bool = True) -> Html:
    """Return the body of the section with the values of all cells; with `before`, also what they were.

    `complete` adds every metric, folded together.
    """
    cells = result.reported
    notes = ["Below each value: its 95 % interval."]
    if lack_replications(cells):
        notes.append("No intervals: one replication of a shared world.")
    notes += [f"No interval: {one}." for one in reasons(cells, sorted({p for c in cells for p in c.metrics.paths}))]
    if within := max((cell.metrics.within for cell in cells), default=0.0):
        notes.append(f"Percentiles are exact to within {100 * within:g} %.")
    main = main_table(result) if before is None else told_before(main_table(result), main_table(before))
    return render("values.html", main=main, complete=all_metrics(result) if complete else None, notes=notes)


def _stories(told: list[Story], lines: list[str], *, several: bool) -> Html:
    shown = [(one, safe(one.chart), line) for one, line in zip(told, lines, strict=True)]
    return render("stories.html", stories=shown, several=several)


def _checks(result: Result, again: Again) -> Html:
    checked = result.checked
    first = None if checked is None else checked.first
    return render(
        "checks.html",
        checked=checked,
        several=len(result.cells) > 1,
        told=[] if first is None else first[1].told.lines(100),
        line=None if first is None else again.check(*first),
        unrepeated=[cell.cell.name for cell in result.cells if cell.unrepeated],
        run=again.run,
    )


def _again(result: Result, again: Again) -> Html:
    return render(
        "again.html",
        again=again,
        digest=result.digest,
        seed=result.scenario.seed,
        engine=f"{result.choice.engine} (version {result.choice.version})",
        versions=result.plan.versions,
    )
