"""A case of workpool: its works and the times of its scripted steps, whichever of the two forms it has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

from sim.testing.conformance.ground import ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ACTION = "action"


@dataclass(frozen=True, slots=True)
class Work:
    """One work of a case."""

    number: int
    fn: str
    options: Mapping[str, Any]
    scripted: Sequence[Mapping[str, Any]]
    """What its attempts do, one after the other; the last repeats."""
    enqueue_at_ms: float
    """0: in the kickoff."""
    batch: str | None
    cancel_at_ms: Sequence[float]
    on_complete: str

    @classmethod
    def read(cls, number: int, work: Mapping[str, Any], case: Mapping[str, Any]) -> Self:
        """Read a work of a case that has several."""
        return cls(
            number=number,
            fn=work.get("fn", ACTION),
            options=work.get("options", {}),
            scripted=work["attempts"],
            enqueue_at_ms=work.get("enqueue_at_ms") or 0,
            batch=work.get("batch"),
            cancel_at_ms=each(work.get("cancel_at_ms")),
            on_complete=work.get("on_complete", case.get("on_complete", "ok")),
        )

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        """What its attempts do; a mutation and a query take no time, and a mutation survives all that it throws."""
        if self.fn == ACTION:
            return list(self.scripted)
        survives = {"crash": "fail", "hang": "fail"} if self.fn == "mutation" else {}
        outcomes = [one["outcome"] for one in self.scripted]
        return [{"outcome": survives.get(outcome, outcome), "duration_ms": 0} for outcome in outcomes]

    def outcome(self, attempt: int) -> str:
        """Return how the case calls the outcome of an attempt, 0 first."""
        outcome: str = self.scripted[min(attempt, len(self.scripted) - 1)]["outcome"]
        return outcome

    @property
    def item(self) -> dict[str, Any]:
        """What the pool's enqueue is given."""
        names = ("retry", "runAfter", "onCompleteExcludeKinds")
        item = {name: self.options[name] for name in names if self.options.get(name) is not None}
        if self.options.get("runAt") is not None:
            item["runAt"] = ns(self.options["runAt"])
        return {**item, "fnType": self.fn, "onComplete": self.on_complete}


def works_of(case: Mapping[str, Any]) -> list[Work]:
    """Return the works of a case; the case itself is one if it names none."""
    if "works" in case:
        return [Work.read(number, work, case) for number, work in enumerate(case["works"])]
    return [Work.read(0, {"options": case["options"], "attempts": case["attempts"]}, case)]


def by_time(works: Iterable[Work]) -> list[tuple[float, list[Work]]]:
    """Return the works of each instant of enqueueing, in the order of these."""
    ordered = sorted(works, key=lambda work: work.enqueue_at_ms)
    return [(at_ms, list(same)) for at_ms, same in groupby(ordered, key=lambda work: work.enqueue_at_ms)]


def calls(works: Iterable[Work]) -> list[list[Work]]:
    """Return the works of one mutation as its calls have them: neighbors of one batch and kind go together."""

    def call(work: Work) -> int | tuple[str, str]:
        return work.number if work.batch is None else (work.batch, work.fn)

    return [list(same) for _, same in groupby(works, key=call)]


def each(value: Any) -> list[Any]:
    """Return what a case gives once, several times, or not at all."""
    return [] if value is None else value if isinstance(value, list) else [value]
