"""The answer of a run in a few plain sentences, which are true of any data.

The sentences call a cell ahead of another only if their 95 % intervals do not overlap, which is stricter than 95 %.
"""

import math
from collections.abc import Sequence

from sim.expect.expectations import Ruling, Verdict
from sim.measure.paths import metric_of
from sim.measure.quantities import Unit
from sim.text.numerals import estimate_text, percent_text, value_text, value_texts
from sim.text.over_time import sentences_over_time
from sim.text.reported import Cell, lack_replications
from sim.text.wording import counted, listed


def sentences(cells: Sequence[Cell], assumed: Sequence[str] = ()) -> list[str]:
    """Say in three to five sentences what came out, how sure it is, and on what it rests; some more of load and queues.

    `assumed` names the parameters whose values no source gives, the most important first.
    """
    measured = [cell for cell in cells if len(cell.metrics)]
    if not measured:
        answer = ["There is no answer: no request counts."]
    elif len(measured) == 1:
        answer = [_success_of_one(measured[0]), _time_of_one(measured[0]), _harm(measured)]
    else:
        answer = [_success_of_many(measured), _time_of_many(measured), _harm(measured)]
    return [*answer, *sentences_over_time(measured), _certainty(cells), _ground(cells, assumed)]


def verdict_text(verdict: Verdict) -> str:
    """Write a verdict as one line: `missed: success.rate >= 99.9%; it is 99.5 % (99.3 % to 99.7 %)`."""
    found = estimate_text(verdict.estimate, verdict.unit, verdict.expectation.bound)
    more = verdict.reason or _settled_by(verdict)
    return f"{verdict.ruling.value}: {verdict.expectation.text}; it is {found}{f'; {more}' if more else ''}"


def _settled_by(verdict: Verdict) -> str:
    needed, things = verdict.requests_needed, "requests"
    if verdict.replications_needed is not None:
        needed, things = verdict.replications_needed, "replications"
    if needed is None:
        return ""
    unit = 10 ** max(0, len(str(needed)) - 2)
    return f"about {-(-needed // unit) * unit:,} {things} would settle it"


CAUSE_WORDS = {"repeated": "attempts after a success"}
"""The causes of repeated effects whose names are no good words in a sentence."""
_ENDINGS = {
    "gave_up": "were given up",
    "stuck": "are stuck for ever",
    "open": "were still open at the end",
    "canceled": "were canceled",
    "runaway": "ran into a limit",
}


def _success_of_one(cell: Cell) -> str:
    count, outcomes = len(cell.metrics), cell.metrics.outcomes
    shares = [f"{percent_text(outcomes[name] / count)} {words}" for name, words in _ENDINGS.items() if outcomes[name]]
    success = estimate_text(cell.metrics.value("success.rate"), Unit.share)
    rest = f"; {listed(shares)}" if shares else ""
    return f"Of {counted(count, 'request')}, {success} succeeded{rest}."


def _success_of_many(cells: Sequence[Cell]) -> str:
    if all(cell.metrics.outcomes["success"] == len(cell.metrics) for cell in cells):
        return f"Every request succeeded in {_all(cells)}."
    return _ranking(cells, "success.rate", "success rate", highest=True)


def _time_of_one(cell: Cell) -> str:
    half, most = cell.metrics.value("time_to_effect.p50"), cell.metrics.value("time_to_effect.p99")
    if half.value is None or most.value is None:
        return "Every request was canceled, so there are no times."
    start = "Of the requests not canceled," if cell.metrics.outcomes["canceled"] else "Of all requests,"
    if most.value != math.inf:
        first = value_texts((half.value, most.value), Unit.duration)[0]
        within = f"half had their effect within {first} and 99 % within"
        return f"{start} {within} {estimate_text(most, Unit.duration)}."
    never = f"{percent_text(_share_without_effect(cell))} never had"
    if half.value != math.inf:
        return f"{start} half had their effect within {estimate_text(half, Unit.duration)}, but {never} any."
    return f"{start} {never} their effect."


def _time_of_many(cells: Sequence[Cell]) -> str:
    cells = [cell for cell in cells if cell.metrics.value("time_to_effect.p99").value is not None]
    if not cells:
        return "Every request was canceled, so there are no times."
    if any(cell.metrics.value("time_to_effect.p99").value != math.inf for cell in cells):
        return _ranking(cells, "time_to_effect.p99", "p99 of the time to effect", highest=False)
    ranked = sorted(cells, key=_share_without_effect)
    least, most = value_texts([_share_without_effect(cell) for cell in (ranked[0], ranked[-1])], Unit.share)
    if least == most:
        return f"In every cell more than 1 % of the requests never have their effect: {least}."
    spread = f"from {least} ({_quoted(ranked[0])}) to {most} ({_quoted(ranked[-1])})"
    return f"In every cell more than 1 % of the requests never have their effect: {spread}."


def _share_without_effect(cell: Cell) -> float:
    sample = cell.metrics.sample("time_to_effect.p99")
    return sample.infinite / len(sample)


def _ranking(cells: Sequence[Cell], path: str, words: str, *, highest: bool) -> str:
    """Say which cell is ahead in a metric, if any is; every cell must have a value."""
    unit = metric_of(path).unit
    ranked = sorted(cells, key=lambda cell: _value(cell, path), reverse=highest)
    best, worst = ranked[0].metrics.value(path), ranked[-1].metrics.value(path)
    if best.value == worst.value:
        same = len({cell.metrics.value(path) for cell in cells}) == 1
        return f"The {words} is {estimate_text(best, unit) if same else value_text(best.value, unit)} in {_all(cells)}."
    if not all(cell.metrics.value(path).has_interval for cell in ranked):
        first, last = value_texts((best.value, worst.value), unit)
        spread = f"{first} ({_quoted(ranked[0])}) to {last}"
        return f"The {words} goes from {spread} ({_quoted(ranked[-1])}); without intervals, this may be chance."
    leaders = [cell for cell in ranked if _value(cell, path) == best.value]
    others = ranked[len(leaders) :]
    rivals = [cell for cell in others if any(_overlap(cell, leader, path) for leader in leaders)]
    have = f"{_names(leaders)} {'has' if len(leaders) == 1 else 'have'} the {'highest' if highest else 'shortest'}"
    second = others[0].metrics.value(path)
    best_text = estimate_text(best, unit, second.value)
    if not rivals:
        following = estimate_text(second, unit, best.value)
        return f"{have} {words}, {best_text}; next is {_quoted(others[0])}: {following}."
    if len(rivals) == len(others):
        overlap = "interval of the other overlaps" if len(rivals) == 1 else "intervals of all others overlap"
        return f"No cell stands out in the {words}: {have}, {best_text}, but the {overlap} with it."
    overlap = f"interval of {_names(rivals)} overlaps" if len(rivals) == 1 else f"intervals of {_names(rivals)} overlap"
    return f"{have} {words}, {best_text}, but the {overlap} with it; all others are clearly behind."


def _value(cell: Cell, path: str) -> float:
    value = cell.metrics.value(path).value
    return math.nan if value is None else value


def _overlap(cell: Cell, other: Cell, path: str) -> bool:
    """Say whether the intervals of two cells overlap; a cell without an interval overlaps with any."""
    one, two = cell.metrics.value(path), other.metrics.value(path)
    if one.low is None or one.high is None or two.low is None or two.high is None:
        return True
    return one.low <= two.high and two.low <= one.high


def _harm(cells: Sequence[Cell]) -> str:
    """Name the cells with requests that are stuck for ever and with repeated effects.

    Of a single cell an earlier sentence has told the stuck requests.
    """
    found = []
    if len(cells) > 1 and (stuck := _worst(cells, "stuck.rate")):
        found.append(f"requests are stuck for ever {stuck}")
    if repeated := _worst(cells, "duplicates.rate"):
        found.append(f"effects were repeated {repeated}")
    if found:
        text = "; ".join(found)
        return f"{text[0].upper()}{text[1:]}."
    paths = ("duplicates.rate",) if len(cells) == 1 else ("stuck.rate", "duplicates.rate")
    unseen = [cell.metrics.value(path).high for cell in cells for path in paths]
    limit = max((high for high in unseen if high is not None), default=None)
    nothing = "No effect was repeated" if len(cells) == 1 else "No request is stuck for ever and no effect was repeated"
    if limit is None:
        return f"{nothing}."
    if cells[0].metrics.shared:
        return (
            f"{nothing}, but so few replications cannot tell whether it is so in general (up to {percent_text(limit)})."
        )
    return f"{nothing}, but anything that happens to fewer than {percent_text(limit)} of the requests may not show."


def _worst(cells: Sequence[Cell], path: str) -> str:
    hit = [cell for cell in cells if cell.metrics.value(path).value]
    if not hit:
        return ""
    worst = max(hit, key=lambda cell: _value(cell, path))
    share = percent_text(_value(worst, path))
    if len(cells) == 1:
        causes = worst.metrics.duplicates
        chief = max(causes, key=lambda cause: causes[cause])
        words = CAUSE_WORDS.get(chief, chief.replace("_", " "))
        mostly = f", mostly by {words}" if 2 * causes[chief] > sum(causes.values()) else ""
        return f"for {share} of the requests{mostly}"
    if len(hit) == 1:
        return f"in {_quoted(worst)} ({share})"
    place = _all(cells) if len(hit) == len(cells) else f"{len(hit)} of {len(cells)} cells"
    return f"in {place} (up to {share}, in {_quoted(worst)})"


def _certainty(cells: Sequence[Cell]) -> str:
    basis = _basis(cells)
    verdicts = [(cell, verdict) for cell in cells for verdict in cell.verdicts]
    if not verdicts:
        return f"How sure: {basis}."
    counts = [(ruling, [pair for pair in verdicts if pair[1].ruling is ruling]) for ruling in Ruling]
    explains = not lack_replications(cells)
    shares = [f"{len(pairs)} {ruling.value}{_example(pairs, explains=explains)}" for ruling, pairs in counts if pairs]
    return f"Of {counted(len(verdicts), 'expectation')}: {', '.join(shares)}; how sure: {basis}."


def _example(pairs: Sequence[tuple[Cell, Verdict]], *, explains: bool) -> str:
    cell, verdict = pairs[0]
    if verdict.ruling is Ruling.met:
        return ""
    why = verdict.reason or _settled_by(verdict)
    more = f"; {why}" if explains and verdict.ruling is Ruling.inconclusive and why else ""
    return f" ({'first ' if len(pairs) > 1 else ''}'{verdict.expectation.text}' in {_quoted(cell)}{more})"


def _basis(cells: Sequence[Cell]) -> str:
    if not any(len(cell.metrics) for cell in cells):
        return "not at all"
    if lack_replications(cells):
        return "unknown, because one replication of a shared world gives no intervals; any difference may be chance"
    shared = any(cell.metrics.shared for cell in cells)
    sizes = sorted(cell.metrics.replications if shared else len(cell.metrics) for cell in cells)
    size = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    return f"95 % intervals over {size} {'replications' if shared else 'independent requests'} a cell"


def _ground(cells: Sequence[Cell], assumed: Sequence[str]) -> str:
    """Say on what the numbers rest: values that no source gives, and that requests do not meet."""
    isolated = not any(cell.metrics.shared for cell in cells)
    alone = "each request ran alone, so requests cannot disturb one another"
    if assumed:
        named = listed([*assumed[:3], *([f"{len(assumed) - 3} more"] if len(assumed) > 3 else [])])
        besides = f"; besides, {alone}" if isolated else ""
        return f"The most important values are assumed, not measured: {named} (try others with --set){besides}."
    if isolated:
        return f"The most important assumption: {alone}."
    return "No value is assumed: all numbers rest on the latencies and faults given."


def _names(cells: Sequence[Cell]) -> str:
    named = [_quoted(cell) for cell in cells[:3]]
    return listed([*named, f"{len(cells) - 3} more"] if len(cells) > 3 else named)


def _quoted(cell: Cell) -> str:
    # Of a long name the middle is left out: the ends of a sweep's names tell most.
    return f"'{cell.name}'" if len(cell.name) <= 100 else f"'{cell.name[:48]}...{cell.name[-48:]}'"


def _all(cells: Sequence[Cell]) -> str:
    return "both cells" if len(cells) == 2 else f"all {len(cells)} cells"
